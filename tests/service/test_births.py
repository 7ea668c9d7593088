"""Ten thousand short-lived processes, started as fast as possible during scrapes."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.support.exporter_process import ExporterProcess
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, CALLS, WatchedConnection

from .movers import agree, births, born_bytes

COUNT = 10_000
LINGER_SECONDS = 2


def entries(scrape: Scrape) -> float:
    return scrape.sum("copy_exporter_map_entries", map="counts")


def test_ten_thousand_births(
    start: Callable[..., ExporterProcess], workload: Callable[[str], Path], connection: WatchedConnection
) -> None:
    service, recorder = start("--process.linger", f"{LINGER_SECONDS}s"), ScrapeRecorder()
    before = entries(recorder.add_text(service.metrics()))
    texts = []
    with births(workload("births"), connection, COUNT) as parent:
        while parent.poll() is None:
            texts.append(service.metrics())
    assert parent.returncode == 0
    recorder.add_texts(texts)
    agree(service, recorder, connection, COUNT, born_bytes(COUNT))

    def settled() -> bool:
        scrape = recorder.add_text(service.metrics())
        return {one["pid"] for one in scrape.series(BYTES, port=connection.label)} == {"other"}

    wait_until(settled, "the end of their own series")
    wait_until(lambda: entries(Scrape(service.metrics())) < before + 1000, "the removal of their rows")
    agree(service, recorder, connection, COUNT, born_bytes(COUNT))
    assert len(recorder.names(CALLS, "comm", port=connection.label)) == 1


def test_births_without_scrapes(
    start: Callable[..., ExporterProcess], workload: Callable[[str], Path], connection: WatchedConnection
) -> None:
    """Each makes two rows: those of exited processes are removed without a scrape."""
    service, recorder = start("--map.entries", "6000"), ScrapeRecorder()
    rounds, per_second = 8, 1000
    for _ in range(rounds):
        began = time.monotonic()
        with births(workload("births"), connection, per_second) as parent:
            pass
        assert parent.returncode == 0
        time.sleep(max(0, began + 1 - time.monotonic()))  # more per second would need a bigger map
    agree(service, recorder, connection, rounds * per_second, rounds * born_bytes(per_second))


def test_births_under_many_names(
    start: Callable[..., ExporterProcess], workload: Callable[[str], Path], connection: WatchedConnection
) -> None:
    """The number of names is limited: later ones count under comm="other", and no count is lost or moved."""
    flags = ("--process.comms.max", "5", "--process.max", "0", "--process.include", "^born-")
    service, recorder, count = start(*flags), ScrapeRecorder(), 2000
    texts = []
    with births(workload("births"), connection, count, names=20) as parent:
        while parent.poll() is None:
            texts.append(service.metrics())
    assert parent.returncode == 0
    recorder.add_texts(texts)
    agree(service, recorder, connection, count, born_bytes(count))
    names = recorder.names(CALLS, "comm", port=connection.label)
    assert len(names) == 6
    assert "other" in names
    assert recorder.names(CALLS, "pid", port=connection.label) == {"other"}
    assert recorder.total(CALLS, port=connection.label, comm=min(names)) == count / 20
