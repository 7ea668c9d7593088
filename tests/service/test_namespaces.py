"""The exporter in a pid namespace and in a time namespace, in which /proc and the kernel disagree about processes."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.exporter_process import SERVE, ExporterProcess
from tests.support.namespaces import PID_NAMESPACE, TIME_NAMESPACE
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.watched_connection import CALLS, WatchedConnection

from .movers import Mover, agree

Start = Callable[..., ExporterProcess]
Move = Callable[..., Mover]
ROUNDS = 50


@pytest.mark.parametrize(
    ("namespace", "comm"), [(PID_NAMESPACE, "unknown"), (TIME_NAMESPACE, "mover")], ids=["pid", "time"]
)
def test_totals_are_exact_under_five_scrapes_a_second(
    start: Start, move: Move, connection: WatchedConnection, namespace: tuple[str, ...], comm: str
) -> None:
    service, recorder, mover = start(command=(*namespace, *SERVE)), ScrapeRecorder(), move()
    try:
        _check(service, recorder, mover, connection, comm)
    finally:
        _terminate(service)


def _check(
    service: ExporterProcess, recorder: ScrapeRecorder, mover: Mover, connection: WatchedConnection, comm: str
) -> None:
    for _ in range(ROUNDS):
        mover.move(10)
        recorder.add_text(service.metrics())
        time.sleep(0.2)  # the load, not a synchronisation
    agree(service, recorder, connection, ROUNDS, ROUNDS * 10)
    assert recorder.names(CALLS, "comm", port=connection.label) == {comm}
    hidden = Scrape(service.metrics()).sum("copy_exporter_processes", state="hidden")
    log = service.log()
    if comm == "unknown":
        assert "shows a pid namespace" in log
        assert hidden
    else:
        assert "namespace" not in log


def _terminate(service: ExporterProcess) -> None:
    """End it below unshare, which ignores SIGTERM while its child runs."""
    pid = service.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if Path(f"/proc/{pid}/comm").read_text() == "unshare\n":
            os.kill(int(child), signal.SIGTERM)
            service.process.wait(30)
