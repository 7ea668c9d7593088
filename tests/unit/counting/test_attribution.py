"""Attribution to processes, case by case: exact, nothing lost, nothing twice, nothing moved to another process."""

import re
import threading
from collections.abc import Mapping
from typing import Never

import pytest

from exporter.counting.attribution import Attribution
from exporter.counting.rows import without_port
from exporter.counting.sampler import Sampler
from exporter.counting.series import Limits, Snapshot
from exporter.kafka.broker import Broker, Facts
from exporter.kafka.tracker import KafkaSnapshot
from exporter.model import KERNEL, Identity, Rows
from tests.support.sample_data import DISK, READ, SECOND_NS, SENDFILE, SampleHost


class Watched:
    """A host with a sampler on it, scraped as Prometheus would."""

    def __init__(self, host: SampleHost | None = None, **limits: object) -> None:
        self.host = host or SampleHost()
        attribution = Attribution(Limits(**limits))  # type: ignore[arg-type]
        self.broker_pids: set[int] = set()
        self.watched_ports: frozenset[int] | None = None
        self.sampler = Sampler(self.host, self.host, attribution, lambda: self.host.now_ns, self)  # type: ignore[arg-type]

    def count_listeners(self, _processes: object, _finalized: object, _now_ns: int) -> None:
        pass

    def count_if_due(self, now_ns: int) -> None:
        pass

    def take_snapshot(self, processes: Mapping[Identity, Rows], _now_ns: int) -> KafkaSnapshot:
        brokers = (process for process in processes if process.pid in self.broker_pids)
        found = tuple(Broker(broker.pid, broker.start_ticks, "java", Facts()) for broker in brokers)
        return KafkaSnapshot(found, watched_ports=self.watched_ports)

    def scrape(self) -> dict[tuple[str, str], Rows]:
        self.snapshot: Snapshot = self.sampler.read().snapshot
        assert totals(self.snapshot.host) == totals(self.host.truth)
        names = [(series.pid, series.comm) for series in self.snapshot.series]
        assert len(names) == len(set(names)), "duplicate series"
        return {(series.pid, series.comm): series.rows for series in self.snapshot.series}


def _fail(*_: object) -> Never:
    raise OSError(1, "Operation not permitted")


def totals(rows: Rows) -> dict[object, tuple[int, int]]:
    """Without ports, which the totals of the host do not show."""
    return {row: (count.events, count.amount) for row, count in without_port(rows).items()}


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


def test_a_reused_pid_counts_in_other_while_its_predecessor_lingers():
    watched = Watched(linger_ns=10 * SECOND_NS)
    first = watched.host.start(7, "old")
    watched.host.count(first, amount=100)
    watched.scrape()
    watched.host.end(first)
    second = watched.host.start(7, "new")
    watched.host.count(second, amount=1)
    series = watched.scrape()
    assert (amount(series["7", "old"]), amount(series["other", "new"])) == (100, 1)
    watched.host.now_ns += 11 * SECOND_NS
    watched.scrape()
    watched.host.count(second, amount=2)
    series = watched.scrape()
    assert set(series) == {("7", "new"), ("other", "new")}
    assert (amount(series["7", "new"]), amount(series["other", "new"])) == (2, 1)


def increase(shown: list[dict[tuple[str, str], Rows]]) -> int:
    """The increase that Prometheus computes from what one scraper saw: a decrease is a reset."""
    total, last = 0, dict.fromkeys({labels for series in shown for labels in series}, 0)
    for series in shown:
        for labels, rows in series.items():
            value = amount(rows) if READ in rows else 0
            total += value - last[labels] if value >= last[labels] else value
            last[labels] = value
    return total


def test_two_scrapers_out_of_phase_both_see_that_a_reused_pid_starts_from_zero():
    """10 MiB of a process, then 25 of another with its id and name: their sum is 35, whoever scrapes."""
    watched = Watched(linger_ns=120 * SECOND_NS)
    first = watched.host.start(7, "cat")
    watched.host.count(first, amount=10)
    seen: tuple[list[dict[tuple[str, str], Rows]], ...] = ([], [])

    def scrape_for(seconds: int, second: Identity | None = None) -> None:
        for step in range(seconds):
            watched.host.now_ns += SECOND_NS
            if second and step % 10 == 0:
                watched.host.count(second, amount=25)
            for scraper, phase in ((0, 0), (1, 7)):
                if step % 15 == phase:
                    seen[scraper].append(watched.scrape())

    scrape_for(30)
    watched.host.end(first)
    second = watched.host.start(7, "cat")
    scrape_for(600, second)
    scrape_for(60)
    assert [increase(shown) for shown in seen] == [10 + 60 * 25] * 2
    assert amount(seen[0][-1]["7", "cat"]) > amount(seen[0][-1]["other", "cat"])


def test_series_that_linger_give_way_to_living_processes_oldest_first():
    """90 jobs of 14 s each, scraped every 15 s: none lacks series of its own."""
    watched = Watched(process_max=2)
    for pid in range(100, 190):
        job = watched.host.start(pid, "job")
        watched.host.count(job, amount=pid)
        assert amount(watched.scrape()[str(pid), "job"]) == pid
        watched.host.count(job, amount=1)
        watched.host.end(job)
        watched.host.now_ns += 15 * SECOND_NS
        assert amount(watched.scrape()[str(pid), "job"]) == pid + 1, "its last increase is shown"
    assert watched.snapshot.evicted == 88


def test_a_last_increase_that_no_scrape_has_shown_does_not_give_way():
    watched = Watched(process_max=1)
    first = watched.host.start(7, "a")
    watched.host.count(first)
    watched.scrape()
    watched.host.count(first, amount=5)
    watched.host.end(first)
    second = watched.host.start(8, "b")
    watched.host.count(second)
    series = watched.scrape()
    assert (amount(series["7", "a"]), amount(series["other", "b"])) == (6, 1)
    watched.host.count(second, amount=3)
    assert set(watched.scrape()) == {("8", "b"), ("other", "b")}


def test_late_counts_of_a_process_whose_series_gave_way_count_in_other():
    watched = Watched(process_max=1)
    first = watched.host.start(7, "a")
    watched.host.count(first)
    watched.scrape()
    watched.host.end(first)
    watched.scrape()
    watched.host.count(watched.host.start(8, "b"))
    watched.scrape()
    watched.host.count(first, DISK, amount=4096)
    assert watched.scrape()["other", "a"][DISK].amount == 4096


def test_a_broker_has_series_of_its_own_when_there_is_no_room():
    watched = Watched(process_max=1, brokers_max=1)
    for pid in (7, 8, 9):
        watched.host.count(watched.host.start(pid, "java"))
    watched.broker_pids = {8, 9}
    assert set(watched.scrape()) == {("7", "java"), ("8", "java"), ("other", "java")}


def test_a_name_that_has_not_moved_for_an_hour_gives_way_and_returns_from_zero():
    watched = Watched(comms_max=1, process_max=0)
    first = watched.host.start(7, "a")
    watched.host.count(first, amount=10)
    assert amount(watched.scrape()["other", "a"]) == 10
    second = watched.host.start(8, "b")
    watched.host.count(second, amount=1)
    assert amount(watched.scrape()["other", "other"]) == 1
    watched.host.now_ns += 3601 * SECOND_NS
    watched.host.count(second, amount=2)
    watched.scrape()
    watched.host.count(second, amount=4)
    watched.scrape()
    watched.host.count(second, amount=8)
    series = watched.scrape()
    assert set(series) == {("other", "b"), ("other", "other")}
    watched.host.now_ns += 3601 * SECOND_NS
    watched.host.count(first, amount=5)
    watched.scrape()
    watched.scrape()
    watched.host.count(first, amount=6)
    series = watched.scrape()
    since_ns = {one.comm: one.since_ns for one in watched.snapshot.series}
    assert amount(series["other", "a"]) == 6
    assert since_ns["a"] > watched.host.rows[first][READ].since_ns
    watched.host.end(second)
    watched.scrape()


def port_amounts(shown: dict[tuple[str, str], Rows]) -> dict[tuple[str, str], int]:
    return {name: count.amount for name, rows in shown.items() for row, count in rows.items() if row.port}


def test_series_of_a_port_end_after_it_has_stopped_to_be_watched():
    """In every series, of living processes too; should the port be watched again, they start from zero."""
    watched = Watched(linger_ns=5 * SECOND_NS)
    watched.watched_ports = frozenset({SENDFILE.port})
    unseen, lasting = watched.host.start(7, "cat"), watched.host.start(8, "java")
    watched.host.count(unseen, SENDFILE, 20)
    watched.host.end(unseen)
    watched.host.count(lasting, SENDFILE, 100)
    watched.host.count(lasting, READ, 1)
    everything = {("other", "cat"): 20, ("8", "java"): 100}
    assert port_amounts(watched.scrape()) == everything
    watched.watched_ports = frozenset()
    watched.host.count(lasting, SENDFILE, 3)
    everything["8", "java"] = 103
    assert port_amounts(watched.scrape()) == everything
    watched.host.now_ns += 5 * SECOND_NS
    assert port_amounts(watched.scrape()) == everything, "for the linger time"
    watched.host.now_ns += 1
    shown = watched.scrape()
    assert port_amounts(shown) == {}
    assert amount(shown["8", "java"]) == 1
    assert SENDFILE not in watched.host.rows[lasting], "its place in the map is free"
    watched.watched_ports = frozenset({SENDFILE.port})
    watched.host.count(lasting, SENDFILE, 7)
    assert port_amounts(watched.scrape()) == {("8", "java"): 7}


def test_a_port_that_is_watched_again_before_the_next_scrape_goes_on():
    """However late that is."""
    watched = Watched(linger_ns=5 * SECOND_NS)
    process = watched.host.start(7, "cat")
    watched.host.count(process, SENDFILE, 100)
    watched.watched_ports = frozenset()
    watched.scrape()
    watched.watched_ports = frozenset({SENDFILE.port})
    watched.host.now_ns += 60 * SECOND_NS
    watched.host.end(watched.host.start(8, "sh"))
    watched.sampler.drain()
    watched.host.count(process, SENDFILE, 7)
    assert port_amounts(watched.scrape()) == {("7", "cat"): 107}


def test_the_end_of_a_port_in_a_process_that_has_changed_its_name():
    watched = Watched(linger_ns=5 * SECOND_NS)
    process = watched.host.start(7, "cat")
    watched.host.count(process, SENDFILE, 100)
    watched.scrape()
    watched.host.comms[process] = "dd"
    watched.watched_ports = frozenset()
    watched.scrape()
    watched.host.now_ns += 6 * SECOND_NS
    assert port_amounts(watched.scrape()) == {}
    watched.watched_ports = frozenset({SENDFILE.port})
    watched.host.count(process, SENDFILE, 7)
    assert port_amounts(watched.scrape()) == {("7", "dd"): 7}


def test_what_describes_a_process_is_refreshed_in_turn():
    watched = Watched()
    for pid in range(100, 160):
        watched.host.count(watched.host.start(pid, "sh"))
    watched.scrape()
    watched.host.described = 0
    watched.host.program = "after exec"
    for _ in range(3):
        watched.scrape()
    assert {series.info.name for series in watched.snapshot.series if series.info} == {"after exec"}
    assert watched.host.described <= 75


def test_kernel_threads_count_in_the_host_alone():
    watched = Watched()
    watched.host.count(KERNEL, DISK, amount=4096)
    watched.host.now_ns += 60 * SECOND_NS
    watched.scrape()
    watched.host.now_ns += 60 * SECOND_NS
    assert watched.scrape() == {}
    assert watched.host.rows[KERNEL]


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
    for _ in range(10):  # several clients that scrape make no difference
        assert watched.scrape() == {}
    watched.host.now_ns += 5 * SECOND_NS
    assert amount(watched.scrape()["other", "unknown"]) == 1


def test_in_a_pid_namespace_no_row_goes_before_its_exit():
    watched = Watched(SampleHost(in_pid_namespace=True))
    process = watched.host.start(7, "cat")
    for _ in range(20):
        watched.host.count(process)
        watched.host.now_ns += SECOND_NS
        watched.scrape()
        watched.sampler.drain()
        assert process in watched.host.rows
    assert watched.snapshot.hidden == 1
    assert amount(watched.scrape()["other", "unknown"]) == 20
    watched.host.end(process)
    watched.scrape()
    assert (watched.host.rows, watched.snapshot.hidden) == ({}, 0)


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
    assert amount(watched.scrape()["7", "cat"]) == 1
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


def test_rows_whose_slots_could_not_be_freed_count_once():
    watched = Watched()
    process = watched.host.start(7, "cat")
    watched.host.count(process, amount=10)
    watched.scrape()
    watched.host.count(process, amount=1)
    watched.host.end(process)
    watched.host.reclaim = _fail  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(OSError, match="not permitted"):
            watched.sampler.drain()
    assert amount(watched.scrape()["7", "cat"]) == 11
    assert watched.host.rows == {}


def test_drains_that_fail_are_logged_once(caplog):
    watched, stopped = Watched(), threading.Event()
    waits = iter([False] * 4)
    stopped.wait = lambda _: next(waits, True)  # type: ignore[method-assign,assignment]
    watched.host.take_exits = _fail  # type: ignore[method-assign]
    watched.sampler.drain_until(stopped)
    assert len(caplog.records) == 1
