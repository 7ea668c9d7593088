"""The flags that bound series and rows: what they take away from some series, others have."""

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


def test_process_max(start: Start, move: Move, connection: WatchedConnection) -> None:
    service = start("--process.max", "2", "--process.linger", "1s", "--process.include", "^mover$")
    recorder, movers = ScrapeRecorder(), [move() for _ in range(5)]

    def round_() -> None:
        for position, mover in enumerate(movers):
            mover.move(10**position)
        agree(service, recorder, connection, sum(one.calls for one in movers), sum(one.bytes for one in movers))

    round_()
    round_()
    scrape = recorder.add_text(service.metrics())
    own = {one["pid"] for one in scrape.series(BYTES, port=connection.label)} - {"other"}
    assert len(own) == 2
    states = {
        state: scrape.sum("copy_exporter_processes", state=state) for state in ("tracked", "exited", "aggregated")
    }
    assert states == {"tracked": 2, "exited": 0, "aggregated": 3}
    for mover in movers:
        if str(mover.pid) in own:
            mover.end()
    movers_left = [mover for mover in movers if str(mover.pid) not in own]

    def moved_up() -> bool:  # the places of those that ended become free
        for mover in movers_left:
            mover.move(1)
        agree(service, recorder, connection, sum(one.calls for one in movers), sum(one.bytes for one in movers))
        pids = {one["pid"] for one in Scrape(service.metrics()).series(BYTES, port=connection.label)}
        return len(pids & {str(mover.pid) for mover in movers_left}) == 2

    wait_until(moved_up, "two others have series of their own")
    assert recorder.total(BYTES, port=connection.label, pid="other") > 0


def test_labels_comm(start: Start, move: Move, connection: WatchedConnection, workload: Callable[[str], Path]) -> None:
    service, recorder = start("--process.labels", "comm"), ScrapeRecorder()
    first, second = move(), move()
    first.move(100)
    second.move(1)
    agree(service, recorder, connection, 2, 101)
    second.move(2)
    second.end()
    with births(workload("births"), connection, 500, most=1) as parent:
        pass
    assert parent.returncode == 0
    agree(service, recorder, connection, 503, 603)
    scrape = Scrape(service.metrics())
    assert {frozenset(one) for one in scrape.series(BYTES)} == {
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
    with births(workload("births"), connection, 20, most=1) as parent:
        pass
    assert parent.returncode == 0
    for _ in range(3):
        mover.move(1000)
        for service in (including, excluding):
            scrape = Scrape(service.metrics())
            assert scrape.sum(HOST_BYTES, **RECVMMSG) == mover.bytes + 20
    scrape = Scrape(including.metrics())
    assert scrape.sum(BYTES, port=connection.label) == mover.bytes
    assert {one["comm"] for one in scrape.series(CALLS)} == {"mover"}
    scrape = Scrape(excluding.metrics())
    assert scrape.sum(BYTES, port=connection.label) == 20
    assert "mover" not in {one["comm"] for one in scrape.series(CALLS)}


def test_linger(start: Start, move: Move, connection: WatchedConnection) -> None:
    """Series stay long enough to be scraped once more, then end; the host's totals stay."""
    service, mover = start("--process.linger", "2s"), move()
    mover.move(500)
    pid = str(mover.pid)
    assert Scrape(service.metrics()).sum(BYTES, pid=pid, port=connection.label) == 500
    mover.move(1)
    mover.end()
    scrape = Scrape(service.metrics())
    assert scrape.sum(BYTES, pid=pid, port=connection.label) == 501
    assert scrape.sum("copy_exporter_processes", state="exited") >= 1
    seen = []

    def ended() -> bool:
        scrape = Scrape(service.metrics())
        seen.append(scrape.sum(BYTES, pid=pid, port=connection.label))
        assert scrape.sum(HOST_BYTES, **RECVMMSG) == 501
        return not scrape.series(CALLS, pid=pid)

    wait_until(ended, "the series ends", seconds=10)
    assert set(seen[:-1]) == {501}
    assert not Scrape(service.metrics()).series("copy_process_info", pid=pid)


def test_full_map_is_visible_and_harmless(
    start: Start, move: Move, connection: WatchedConnection, workload: Callable[[str], Path]
) -> None:
    service, mover = start("--map.entries", str(TIGHT_ENTRIES)), move()

    def got_in() -> bool:
        mover.move(1)
        return Scrape(service.metrics()).sum(HOST_BYTES, **RECVMMSG) > 0

    wait_until(got_in, "a row is free")
    lost = mover.bytes - Scrape(service.metrics()).sum(HOST_BYTES, **RECVMMSG)
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
