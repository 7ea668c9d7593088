"""CPU time of scanning the processes of a host for brokers, while no new broker starts."""

import subprocess
import time
from collections.abc import Iterable

from bench.figures import Section, figure, number
from exporter.host.procfs import Procfs
from exporter.kafka.broker import Facts
from exporter.kafka.discovery import SCAN_INTERVAL_SECONDS, Discovery, DiscoverySettings

PROCESSES = 1000
_SCANS = 30
"""In one minute; after the first minute a process is checked once a minute."""
_FACTS = Facts("1", (), (1,), complete=True)


def _watch_nothing(_ports: Iterable[int], _pids: Iterable[int]) -> None:
    pass


def discovery_cost() -> Section:
    """CPU time of a scan in the first two minutes of a thousand processes, on a clock that is turned by hand."""
    sleepers = [subprocess.Popen(["sleep", "1000"]) for _ in range(PROCESSES)]
    try:
        procfs = Procfs()
        clock = _Clock()
        discovery = Discovery(procfs, lambda _: _FACTS, _watch_nothing, DiscoverySettings(), lambda: clock.now)
        new, old = ([_scan_ms(discovery, clock) for _ in range(_SCANS)] for _ in range(2))
        processes = len(procfs.pids())
    finally:
        for sleeper in sleepers:
            sleeper.kill()
        for sleeper in sleepers:
            sleeper.wait()
    rows = [
        (when, f"{figure(values).median:.2f}", f"{number(sum(values) / len(values) / SCAN_INTERVAL_SECONDS / 10)} %")
        for when, values in (("in the first minute of all processes", new), ("later", old))
    ]
    return Section(
        title=f"Scanning {processes} processes for brokers",
        columns=("", "CPU ms per scan (median)", "of one CPU, at a scan every two seconds"),
        rows=tuple(rows),
    )


class _Clock:
    """A clock that stands still between scans."""

    now = 0.0


def _scan_ms(discovery: Discovery, clock: _Clock) -> float:
    before = time.process_time()
    discovery.scan()
    clock.now += SCAN_INTERVAL_SECONDS
    return (time.process_time() - before) * 1e3
