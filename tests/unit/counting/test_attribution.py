"""Attribution to processes, case by case: exact, nothing lost, nothing twice, nothing moved to another process."""

import re
import threading
from typing import Never

import pytest

from exporter.counting.attribution import Attribution
from exporter.counting.sampler import Sampler
from exporter.counting.series import Limits, Snapshot
from exporter.model import Rows
from tests.support.sample_data import DISK, READ, SECOND_NS, SENDFILE, SampleHost


class Watched:
    """A host with a sampler on it, scraped as Prometheus would."""

    def __init__(self, **limits: object) -> None:
        self.host = SampleHost()
        attribution = Attribution(Limits(**limits))  # type: ignore[arg-type]
        self.sampler = Sampler(self.host, self.host, attribution, lambda: self.host.now_ns)  # type: ignore[arg-type]

    def scrape(self) -> dict[tuple[str, str], Rows]:
        self.snapshot: Snapshot = self.sampler.read().snapshot
        assert totals(self.snapshot.host) == totals(self.host.truth)
        names = [(series.pid, series.comm) for series in self.snapshot.series]
        assert len(names) == len(set(names)), "duplicate series"
        return {(series.pid, series.comm): series.rows for series in self.snapshot.series}


def _fail(*_: object) -> Never:
    raise OSError(1, "Operation not permitted")


def totals(rows: Rows) -> dict[object, tuple[int, int]]:
    return {row: (count.events, count.amount) for row, count in rows.items()}


def amount(rows: Rows) -> int:
    return rows[READ].amount


def test_a_process_seen_alive_has_its_counts_since_the_first():
    watched = Watched()
    process = watched.host.start(7, "cat")
    watched.host.count(process, amount=10)
    watched.sampler.drain()
    watched.host.count(process, amount=5)
    series = watched.scrape()
    assert amount(series["7", "cat"]) == 15
    assert watched.snapshot.series[0].since_ns == watched.host.rows[process][READ].since_ns


def test_a_process_that_no_scrape_saw_counts_in_other_under_its_name():
    watched = Watched()
    process = watched.host.start(7, "cat")
    watched.host.count(process, amount=10)
    watched.host.end(process)
    assert amount(watched.scrape()["other", "cat"]) == 10
    assert watched.host.rows == {}, "its rows are deleted from the map"


def test_the_last_increase_is_shown_until_the_linger_time_is_over():
    watched = Watched(linger_ns=10 * SECOND_NS)
    process = watched.host.start(7, "cat")
    watched.host.count(process, amount=10)
    watched.scrape()
    watched.host.count(process, amount=1)
    watched.host.end(process)
    assert amount(watched.scrape()["7", "cat"]) == 11
    assert (watched.snapshot.tracked, watched.snapshot.exited) == (0, 1)
    watched.host.now_ns += 10 * SECOND_NS
    assert amount(watched.scrape()["7", "cat"]) == 11
    watched.host.now_ns += 1
    assert watched.scrape() == {}, "ended, and added to no other series"


def test_a_new_name_starts_from_zero_and_the_old_series_stays():
    watched = Watched()
    process = watched.host.start(7, "sh")
    watched.host.count(process, amount=10)
    watched.scrape()
    watched.host.comms[process] = "cat"
    watched.host.count(process, amount=4)
    series = watched.scrape()
    assert (amount(series["7", "sh"]), series["7", "cat"]) == (14, {})
    watched.host.count(process, amount=3)
    series = watched.scrape()
    assert (amount(series["7", "sh"]), amount(series["7", "cat"])) == (14, 3)


def test_an_old_name_taken_again_continues():
    watched = Watched()
    process = watched.host.start(7, "a")
    for comm, expected in (("a", 1), ("b", 1), ("a", 2)):
        watched.host.comms[process] = comm
        watched.scrape()
        watched.host.count(process)
        assert amount(watched.scrape()["7", comm]) == expected
    assert watched.snapshot.tracked == 1


def test_a_reused_pid_inherits_nothing_and_ends_its_predecessor():
    watched = Watched()
    first = watched.host.start(7, "old")
    watched.host.count(first, amount=100)
    watched.scrape()
    watched.host.end(first)
    second = watched.host.start(7, "new")
    watched.host.count(second, amount=1)
    series = watched.scrape()
    assert set(series) == {("7", "new")}
    assert amount(series["7", "new"]) == 1


def test_beyond_the_limit_processes_count_in_other_until_there_is_room():
    watched = Watched(process_max=1, linger_ns=0)
    first, second = watched.host.start(7, "a"), watched.host.start(8, "b")
    watched.host.count(first)
    watched.host.count(second, amount=10)
    series = watched.scrape()
    assert amount(series["other", "b"]) == 10
    assert watched.snapshot.aggregated == 1
    watched.host.end(first)
    watched.scrape()
    watched.host.now_ns += 1
    watched.scrape()
    watched.host.count(second, amount=5)
    series = watched.scrape()
    assert (amount(series["other", "b"]), amount(series["8", "b"])) == (10, 5)


def test_beyond_the_limit_of_names_all_are_other():
    watched = Watched(comms_max=1)
    for pid, comm in ((7, "a"), (8, "b"), (9, "c")):
        process = watched.host.start(pid, comm)
        watched.host.count(process)
        watched.host.end(process)
    series = watched.scrape()
    assert amount(series["other", "a"]) == 1
    assert amount(series["other", "other"]) == 2


def test_by_name_there_is_one_persistent_series_for_each():
    watched = Watched(by_comm=True)
    first, second = watched.host.start(7, "java"), watched.host.start(8, "java")
    watched.host.count(first, amount=1)
    watched.host.count(second, amount=2)
    assert amount(watched.scrape()["", "java"]) == 3
    watched.host.end(first)
    watched.host.count(second, amount=4)
    assert amount(watched.scrape()["", "java"]) == 7


@pytest.mark.parametrize("limits", [{"include": re.compile("^java$")}, {"exclude": re.compile("ca")}])
def test_processes_left_out_count_in_the_host_alone(limits):
    watched = Watched(**limits)
    for pid, comm in ((7, "java"), (8, "cat")):
        watched.host.count(watched.host.start(pid, comm))
    short = watched.host.start(9, "cat")
    watched.host.count(short)
    watched.host.end(short)
    assert set(watched.scrape()) == {("7", "java")}


def test_a_process_that_proc_hides_counts_in_other():
    watched = Watched()
    watched.host.hidden.add(7)
    watched.host.count(watched.host.start(7, "secret"))
    watched.scrape()
    watched.scrape()
    assert amount(watched.scrape()["other", "unknown"]) == 1


def test_a_lost_exit_is_noticed_after_the_second_scrape():
    watched = Watched(linger_ns=0)
    process = watched.host.start(7, "cat")
    watched.host.count(process)
    watched.scrape()
    watched.host.end(process, event=False)
    watched.scrape()
    watched.sampler.drain()
    assert watched.host.rows == {}
    watched.host.now_ns += 1
    assert watched.scrape() == {}


def test_pages_read_while_a_process_exits_still_count_for_it():
    watched = Watched()
    process = watched.host.start(7, "cat")
    watched.host.count(process, amount=10)
    watched.scrape()
    watched.host.end(process)
    watched.sampler.drain()
    watched.host.count(process, DISK, amount=4096)
    assert watched.scrape()["7", "cat"][DISK].amount == 4096


def test_an_exit_that_is_reported_twice_counts_once():
    watched = Watched()
    process = watched.host.start(7, "cat")
    watched.host.count(process, amount=10)
    watched.scrape()
    watched.host.end(process)
    gone = watched.host.exits[0]
    watched.sampler.drain()
    watched.host.exits.append(gone)
    watched.host.count(process, DISK, amount=4096)
    series = watched.scrape()
    assert series["7", "cat"][DISK].amount == 4096
    assert set(series) == {("7", "cat")}


def test_processes_that_counted_nothing_take_no_name():
    watched = Watched(comms_max=1)
    watched.host.end(watched.host.start(7, "idle"))
    watched.sampler.drain()
    process = watched.host.start(8, "busy")
    watched.host.count(process)
    watched.host.end(process)
    assert set(watched.scrape()) == {("other", "busy")}


def test_a_row_read_between_its_two_additions_loses_nothing_to_a_new_name():
    watched = Watched()
    process = watched.host.start(7, "sh")
    watched.scrape()
    watched.host.count(process, amount=10)
    watched.scrape()
    watched.host.comms[process] = "cat"
    watched.host.count(process, amount=0)  # the call is counted, its bytes are not yet
    watched.scrape()
    watched.host.count(process, amount=6, events=0)
    assert watched.scrape()["7", "cat"][READ].amount == 6


def test_an_error_is_kept_until_a_reading_succeeds():
    watched = Watched()
    sample = watched.host.sample
    watched.host.sample = _fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="not permitted"):
        watched.sampler.read()
    assert "not permitted" in watched.sampler.last_error
    watched.host.sample = sample  # type: ignore[method-assign]
    watched.host.count(watched.host.start(7, "cat"), SENDFILE)
    watched.scrape()
    assert watched.sampler.last_error == ""


def test_rows_that_could_not_be_deleted_count_once():
    watched = Watched()
    process = watched.host.start(7, "cat")
    watched.host.count(process, amount=10)
    watched.scrape()
    watched.host.count(process, amount=1)
    watched.host.end(process)
    forget = watched.host.forget
    watched.host.forget = _fail  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(OSError, match="not permitted"):
            watched.sampler.drain()
    watched.host.forget = forget  # type: ignore[method-assign]
    assert amount(watched.scrape()["7", "cat"]) == 11
    assert watched.host.rows == {}


def test_drains_that_fail_are_logged_once(caplog):
    watched, stopped = Watched(), threading.Event()
    waits = iter([False] * 4)
    stopped.wait = lambda _: next(waits, True)  # type: ignore[method-assign,assignment]
    watched.host.take_exits = _fail  # type: ignore[method-assign]
    watched.sampler.drain_until(stopped)
    assert len(caplog.records) == 1
