"""Whose the counts are: the invariants of DESIGN section 2, case by case."""

import re

import pytest

from exporter.counting.attribution import Attribution, Limits, Snapshot
from exporter.counting.sampler import Sampler
from exporter.model import Rows
from tests.support.sample_data import DISK, READ, SECOND_NS, SENDFILE, World


class Watched:
    """A world with a sampler on it, scraped as Prometheus would."""

    def __init__(self, **limits: object) -> None:
        self.world = World()
        attribution = Attribution(Limits(**limits))  # type: ignore[arg-type]
        self.sampler = Sampler(self.world, self.world, attribution, lambda: self.world.now_ns)  # type: ignore[arg-type]

    def scrape(self) -> dict[tuple[str, str], Rows]:
        self.snapshot: Snapshot = self.sampler.read().snapshot
        assert totals(self.snapshot.host) == totals(self.world.truth)
        names = [(one.pid, one.comm) for one in self.snapshot.series]
        assert len(names) == len(set(names)), "duplicate series"
        return {(one.pid, one.comm): one.rows for one in self.snapshot.series}


def totals(rows: Rows) -> dict[object, tuple[int, int]]:
    return {row: (count.events, count.amount) for row, count in rows.items()}


def amount(rows: Rows) -> int:
    return rows[READ].amount


def test_a_process_seen_alive_has_its_counts_since_the_first():
    watched = Watched()
    process = watched.world.start(7, "cat")
    watched.world.count(process, amount=10)
    watched.sampler.drain()
    watched.world.count(process, amount=5)
    series = watched.scrape()
    assert amount(series["7", "cat"]) == 15
    assert watched.snapshot.series[0].since_ns == watched.world.rows[process][READ].since_ns


def test_a_process_that_no_scrape_saw_counts_in_other_under_its_name():
    watched = Watched()
    process = watched.world.start(7, "cat")
    watched.world.count(process, amount=10)
    watched.world.end(process)
    assert amount(watched.scrape()["other", "cat"]) == 10
    assert watched.world.rows == {}, "its rows are deleted from the map"


def test_the_last_increase_is_shown_until_the_linger_time_is_over():
    watched = Watched(linger_ns=10 * SECOND_NS)
    process = watched.world.start(7, "cat")
    watched.world.count(process, amount=10)
    watched.scrape()
    watched.world.count(process, amount=1)
    watched.world.end(process)
    assert amount(watched.scrape()["7", "cat"]) == 11
    assert (watched.snapshot.own, watched.snapshot.lingering) == (0, 1)
    watched.world.now_ns += 10 * SECOND_NS
    assert amount(watched.scrape()["7", "cat"]) == 11
    watched.world.now_ns += 1
    assert watched.scrape() == {}, "ended, and added to no other series"


def test_a_new_name_goes_on_from_zero_and_the_old_series_stays():
    watched = Watched()
    process = watched.world.start(7, "sh")
    watched.world.count(process, amount=10)
    watched.scrape()
    watched.world.comms[process] = "cat"
    watched.world.count(process, amount=4)
    series = watched.scrape()
    assert (amount(series["7", "sh"]), series["7", "cat"]) == (14, {})
    watched.world.count(process, amount=3)
    series = watched.scrape()
    assert (amount(series["7", "sh"]), amount(series["7", "cat"])) == (14, 3)


def test_an_old_name_taken_again_goes_on_where_it_was():
    watched = Watched()
    process = watched.world.start(7, "a")
    for comm, expected in (("a", 1), ("b", 1), ("a", 2)):
        watched.world.comms[process] = comm
        watched.scrape()
        watched.world.count(process)
        assert amount(watched.scrape()["7", comm]) == expected
    assert watched.snapshot.own == 1


def test_a_reused_pid_inherits_nothing_and_ends_its_predecessor():
    watched = Watched()
    first = watched.world.start(7, "old")
    watched.world.count(first, amount=100)
    watched.scrape()
    watched.world.end(first)
    second = watched.world.start(7, "new")
    watched.world.count(second, amount=1)
    series = watched.scrape()
    assert set(series) == {("7", "new")}
    assert amount(series["7", "new"]) == 1


def test_beyond_the_limit_processes_count_in_other_until_there_is_room():
    watched = Watched(process_max=1, linger_ns=0)
    first, second = watched.world.start(7, "a"), watched.world.start(8, "b")
    watched.world.count(first)
    watched.world.count(second, amount=10)
    series = watched.scrape()
    assert amount(series["other", "b"]) == 10
    assert watched.snapshot.other == 1
    watched.world.end(first)
    watched.scrape()
    watched.world.now_ns += 1
    watched.scrape()
    watched.world.count(second, amount=5)
    series = watched.scrape()
    assert (amount(series["other", "b"]), amount(series["8", "b"])) == (10, 5)


def test_beyond_the_limit_of_names_all_are_other():
    watched = Watched(comms_max=1)
    for pid, comm in ((7, "a"), (8, "b"), (9, "c")):
        process = watched.world.start(pid, comm)
        watched.world.count(process)
        watched.world.end(process)
    series = watched.scrape()
    assert amount(series["other", "a"]) == 1
    assert amount(series["other", "other"]) == 2


def test_by_name_there_is_one_persistent_series_for_each():
    watched = Watched(by_comm=True)
    first, second = watched.world.start(7, "java"), watched.world.start(8, "java")
    watched.world.count(first, amount=1)
    watched.world.count(second, amount=2)
    assert amount(watched.scrape()["", "java"]) == 3
    watched.world.end(first)
    watched.world.count(second, amount=4)
    assert amount(watched.scrape()["", "java"]) == 7


@pytest.mark.parametrize("limits", [{"include": re.compile("^java$")}, {"exclude": re.compile("ca")}])
def test_processes_left_out_count_in_the_host_alone(limits):
    watched = Watched(**limits)
    for pid, comm in ((7, "java"), (8, "cat")):
        watched.world.count(watched.world.start(pid, comm))
    short = watched.world.start(9, "cat")
    watched.world.count(short)
    watched.world.end(short)
    assert set(watched.scrape()) == {("7", "java")}


def test_a_process_that_proc_hides_counts_in_other():
    watched = Watched()
    watched.world.hidden.add(7)
    watched.world.count(watched.world.start(7, "secret"))
    watched.scrape()
    watched.scrape()
    assert amount(watched.scrape()["other", "unknown"]) == 1


def test_a_lost_exit_is_noticed_at_the_second_look():
    watched = Watched(linger_ns=0)
    process = watched.world.start(7, "cat")
    watched.world.count(process)
    watched.scrape()
    watched.world.end(process, event=False)
    watched.scrape()
    watched.sampler.drain()
    assert watched.world.rows == {}
    watched.world.now_ns += 1
    assert watched.scrape() == {}


def test_pages_read_while_a_process_exits_still_count_for_it():
    watched = Watched()
    process = watched.world.start(7, "cat")
    watched.world.count(process, amount=10)
    watched.scrape()
    watched.world.end(process)
    watched.sampler.drain()
    watched.world.count(process, DISK, amount=4096)
    assert watched.scrape()["7", "cat"][DISK].amount == 4096


def test_an_end_that_is_told_twice_counts_once():
    watched = Watched()
    process = watched.world.start(7, "cat")
    watched.world.count(process, amount=10)
    watched.scrape()
    watched.world.end(process)
    gone = watched.world.exits[0]
    watched.sampler.drain()
    watched.world.exits.append(gone)
    watched.world.count(process, DISK, amount=4096)
    series = watched.scrape()
    assert series["7", "cat"][DISK].amount == 4096
    assert set(series) == {("7", "cat")}


def test_processes_that_counted_nothing_take_no_name():
    watched = Watched(comms_max=1)
    watched.world.end(watched.world.start(7, "idle"))
    watched.sampler.drain()
    process = watched.world.start(8, "busy")
    watched.world.count(process)
    watched.world.end(process)
    assert set(watched.scrape()) == {("other", "busy")}


def test_a_row_read_between_its_two_additions_loses_nothing_to_a_new_name():
    watched = Watched()
    process = watched.world.start(7, "sh")
    watched.scrape()
    watched.world.count(process, amount=10)
    watched.scrape()
    watched.world.comms[process] = "cat"
    watched.world.count(process, amount=0)  # the call is counted, its bytes are not yet
    watched.scrape()
    watched.world.count(process, amount=6, events=0)
    assert watched.scrape()["7", "cat"][READ].amount == 6


def test_trouble_is_kept_until_a_read_succeeds():
    watched = Watched()
    sample = watched.world.sample
    watched.world.sample = lambda: (_ for _ in ()).throw(OSError(1, "Operation not permitted"))  # type: ignore[method-assign]
    with pytest.raises(OSError, match="not permitted"):
        watched.sampler.read()
    assert "not permitted" in watched.sampler.trouble
    watched.world.sample = sample  # type: ignore[method-assign]
    watched.world.count(watched.world.start(7, "cat"), SENDFILE)
    watched.scrape()
    assert watched.sampler.trouble == ""
