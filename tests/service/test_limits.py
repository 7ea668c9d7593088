"""Flags that limit series and map entries: what some series lose, other series have."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.support.exporter_process import ExporterProcess
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, CALLS, HOST_BYTES, RECVMMSG, WatchedConnection

from .movers import Mover, agree, births

Start = Callable[..., ExporterProcess]
Move = Callable[..., Mover]
TIGHT_ENTRIES = 64


def test_process_max(start: Start, move: Move, connection: WatchedConnection, mover: Path, tmp_path: Path) -> None:
    program = tmp_path / f"mover{os.getpid()}"  # no other process of the host has this name
    shutil.copy(mover, program)
    service = start("--process.max", "2", "--process.linger", "1s", "--process.include", f"^{program.name}$")
    recorder, movers = ScrapeRecorder(), [move(program=program) for _ in range(5)]

    def move_and_compare() -> None:
        for position, process in enumerate(movers):
            process.move(10**position)
        calls, moved = sum(process.calls for process in movers), sum(process.bytes for process in movers)
        agree(service, recorder, connection, calls, moved, all_processes=False)

    move_and_compare()
    move_and_compare()
    scrape = recorder.add_text(service.metrics())
    tracked = {series["pid"] for series in scrape.series(BYTES, port=connection.label)} - {"other"}
    assert len(tracked) == 2
    states = {
        state: scrape.sum("copy_exporter_processes", state=state) for state in ("tracked", "exited", "aggregated")
    }
    assert states == {"tracked": 2, "exited": 0, "aggregated": 3}
    for process in movers:
        if str(process.pid) in tracked:
            process.end()
    remaining = [process for process in movers if str(process.pid) not in tracked]

    def two_are_tracked() -> bool:  # in the places of those that have exited
        for process in remaining:
            process.move(1)
        calls, moved = sum(process.calls for process in movers), sum(process.bytes for process in movers)
        agree(service, recorder, connection, calls, moved, all_processes=False)
        pids = {series["pid"] for series in Scrape(service.metrics()).series(BYTES, port=connection.label)}
        return len(pids & {str(process.pid) for process in remaining}) == 2

    wait_until(two_are_tracked, "two others have series of their own")
    assert recorder.total(BYTES, port=connection.label, pid="other") > 0


def test_labels_comm(start: Start, move: Move, connection: WatchedConnection, workload: Callable[[str], Path]) -> None:
    service, recorder = start("--process.labels", "comm"), ScrapeRecorder()
    first, second = move(), move()
    first.move(100)
    second.move(1)
    agree(service, recorder, connection, 2, 101)
    second.move(2)
    second.end()
    with births(workload("births"), connection, 500, max_bytes=1) as parent:
        pass
    assert parent.returncode == 0
    agree(service, recorder, connection, 503, 603)
    scrape = Scrape(service.metrics())
    assert {frozenset(labels) for labels in scrape.series(BYTES)} == {
        frozenset({"comm", "mechanism", "syscall", "source", "destination", "port"})
    }
    assert scrape.sum(BYTES, port=connection.label, comm="mover") == 103
    assert scrape.sum(CALLS, port=connection.label, comm="births") == 500
    assert not scrape.series("copy_process_info")


def test_include_and_exclude(
    start: Start, move: Move, connection: WatchedConnection, workload: Callable[[str], Path]
) -> None:
    including = start("--process.include", "^mov")
    excluding = start("--process.exclude", "^mover$|^copy")
    mover = move()
    with births(workload("births"), connection, 20, max_bytes=1) as parent:
        pass
    assert parent.returncode == 0
    for _ in range(3):
        mover.move(1000)
        for service in (including, excluding):
            scrape = Scrape(service.metrics())
            assert scrape.sum(HOST_BYTES, **RECVMMSG) >= mover.bytes + 20
    scrape = Scrape(including.metrics())
    assert scrape.sum(BYTES, port=connection.label) == mover.bytes
    assert {series["comm"] for series in scrape.series(CALLS)} == {"mover"}
    scrape = Scrape(excluding.metrics())
    assert scrape.sum(BYTES, port=connection.label) == 20
    assert "mover" not in {series["comm"] for series in scrape.series(CALLS)}


def test_linger(start: Start, move: Move, connection: WatchedConnection) -> None:
    """The series of an exited process can be scraped once more, then they end. Host totals stay."""
    service, mover = start("--process.linger", "2s"), move()
    mover.move(500)
    pid = str(mover.pid)
    assert Scrape(service.metrics()).sum(BYTES, pid=pid, port=connection.label) == 500
    mover.move(1)
    mover.end()
    scrape = Scrape(service.metrics())
    assert scrape.sum(BYTES, pid=pid, port=connection.label) == 501
    assert scrape.sum("copy_exporter_processes", state="exited") >= 1
    values = []

    def ended() -> bool:
        scrape = Scrape(service.metrics())
        values.append(scrape.sum(BYTES, pid=pid, port=connection.label))
        assert scrape.sum(HOST_BYTES, **RECVMMSG) >= 501
        return not scrape.series(CALLS, pid=pid)

    wait_until(ended, "the series ends", seconds=10)
    assert set(values[:-1]) == {501}
    assert not Scrape(service.metrics()).series("copy_process_info", pid=pid)


def test_full_map_loses_only_new_entries(
    start: Start, move: Move, connection: WatchedConnection, workload: Callable[[str], Path]
) -> None:
    service, mover = start("--map.entries", str(TIGHT_ENTRIES)), move()

    def is_counted() -> bool:
        mover.move(1)
        return Scrape(service.metrics()).sum(BYTES, port=connection.label) > 0

    wait_until(is_counted, "an entry of the map is free", 120)  # a busy host has more processes than entries
    lost = mover.bytes - Scrape(service.metrics()).sum(BYTES, port=connection.label)
    with births(workload("births"), connection, 300) as parent:
        mover.move(1000)
    assert parent.returncode == 0
    mover.move(7)
    scrape = Scrape(service.metrics())
    assert scrape.sum("copy_exporter_dropped_updates_total", map="counts") > 0
    assert scrape.sum("copy_exporter_map_max_entries", map="counts") == TIGHT_ENTRIES
    assert scrape.sum(BYTES, port=connection.label, pid=str(mover.pid)) == mover.bytes - lost
    assert scrape.sum("copy_exporter_scrape_success", collector="processes") == 1
    assert service.get("/-/ready").status_code == 200
