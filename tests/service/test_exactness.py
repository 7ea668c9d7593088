"""Long-lived processes: every byte is exported, of any user and namespace and whenever they exit."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.requirements import skip_for_kernel
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.watched_connection import BYTES, MAX_BYTES, RECVMMSG, WatchedConnection

from .movers import Mover, agree

Start = Callable[..., ExporterProcess]
Move = Callable[..., Mover]


def test_live_process_has_its_own_series(start: Start, move: Move, connection: WatchedConnection) -> None:
    service, recorder, mover = start(), ScrapeRecorder(), move()
    for count in (1, 1000, MAX_BYTES):
        mover.move(count)
        agree(service, recorder, connection, mover.calls, mover.bytes)
    scrape = Scrape(service.metrics())
    labels = {"pid": str(mover.pid), "comm": "mover", **RECVMMSG}
    assert scrape.sum(BYTES, port=connection.label, **labels) == mover.bytes
    assert scrape.series("copy_process_info", pid=str(mover.pid), comm="mover")
    assert scrape.series("copy_process_cpu_seconds_total", pid=str(mover.pid), mode="system")


def test_end_between_and_after_scrapes(start: Start, move: Move, connection: WatchedConnection) -> None:
    # A sample while a mover starts, or its program read from disk, would show it to the first scrape.
    service, recorder = start("--no-probe.copy_time", "--no-probe.block"), ScrapeRecorder()
    seen, last = move(), move()
    seen.move(100)
    last.move(200)
    agree(service, recorder, connection, 2, 300)
    seen.move(11)  # scraped after its exit
    seen.end()
    unseen = move()  # not before: what a program does when it starts counts too
    everyone = (seen, unseen, last)
    unseen.move(5000)  # no scrape sees it alive
    unseen.end()
    last.move(3)
    agree(service, recorder, connection, 5, sum(mover.bytes for mover in everyone))
    last.move(40)
    last.end()
    agree(service, recorder, connection, 6, sum(mover.bytes for mover in everyone))
    scrape = recorder.add_text(service.metrics())
    assert scrape.sum(BYTES, port=connection.label, pid=str(seen.pid)) == 111
    assert scrape.sum(BYTES, port=connection.label, pid=str(unseen.pid)) == 0
    assert scrape.sum(BYTES, port=connection.label, pid="other", comm="mover") == 5000
    assert scrape.sum(BYTES, port=connection.label, pid=str(last.pid)) == 243


def test_processes_of_other_users(start: Start, move: Move, connection: WatchedConnection) -> None:
    service, recorder = start(), ScrapeRecorder()
    mine, theirs = move(), move()
    assert theirs.command("uid", 65533) == 0
    for round_ in range(3):
        mine.move(10 + round_)
        theirs.move(1000 + round_)
        agree(service, recorder, connection, 2 * round_ + 2, mine.bytes + theirs.bytes)
    scrape = Scrape(service.metrics())
    for mover in (mine, theirs):
        assert scrape.sum(BYTES, port=connection.label, pid=str(mover.pid)) == mover.bytes


def test_another_pid_namespace(start: Start, move: Move, connection: WatchedConnection) -> None:
    service, recorder = start(), ScrapeRecorder()
    mover = move("unshare", "--pid", "--fork")
    mover.move(123)
    agree(service, recorder, connection, 1, 123)
    children = Path(f"/proc/{mover.pid}/task/{mover.pid}/children").read_text().split()
    assert Scrape(service.metrics()).sum(BYTES, port=connection.label, pid=children[0], comm="mover") == 123


def test_exec_and_rename_while_scraped(
    start: Start, move: Move, connection: WatchedConnection, mover: Path, tmp_path: Path
) -> None:
    service, recorder, process = start(), ScrapeRecorder(), move()
    again = tmp_path / "again"
    shutil.copy(mover, again)
    process.move(100)
    agree(service, recorder, connection, 1, 100)
    process.become(again)
    process.move(50)
    agree(service, recorder, connection, 2, 150)
    process.move(7)
    agree(service, recorder, connection, 3, 157)
    assert process.command("name", 'a thread\'s "name"') == 0
    process.move(1)
    agree(service, recorder, connection, 4, 158)
    process.move(2)
    process.become(mover)
    process.move(4)
    process.end()  # no scrape sees its last name
    agree(service, recorder, connection, 6, 164)
    names = {series["comm"] for series in Scrape(service.metrics()).series(BYTES, port=connection.label)}
    assert names == {"mover", "again", "a thread's \"nam"}, "the kernel keeps 15 characters"
    assert recorder.names(BYTES, "pid", port=connection.label) == {str(process.pid)}


def test_reused_pid_inherits_nothing(start: Start, move: Move, connection: WatchedConnection) -> None:
    service, recorder, first = start(), ScrapeRecorder(), move()
    first.move(1000)
    agree(service, recorder, connection, 1, 1000)
    first.end()
    second = successor(move, first.pid)
    second.move(10)
    agree(service, recorder, connection, 2, 1010)
    third = None
    second.end()
    third = successor(move, first.pid)
    third.move(1)
    agree(service, recorder, connection, 3, 1011)
    scrape = Scrape(service.metrics())
    assert scrape.sum(BYTES, port=connection.label, pid=str(first.pid), comm="mover") == 1000
    assert scrape.sum(BYTES, port=connection.label, pid="other", comm="mover") == 11


def successor(move: Move, pid: int) -> Mover:
    """A new process with the id of one that has ended."""
    last = Path("/proc/sys/kernel/ns_last_pid")
    if not last.exists() or not os.access(last, os.W_OK):
        skip_for_kernel("choosing the next pid (ns_last_pid)")
    for _ in range(300):
        last.write_text(str(pid - 1))
        mover = move()
        if mover.pid == pid:
            return mover
        mover.end()
    pytest.skip("other processes always got the pid")
