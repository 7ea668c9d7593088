"""What it takes to look for brokers among the processes of a host that has none that is new."""

import subprocess
import time

from bench.figures import Section, figure, number
from exporter.host.procfs import Procfs
from exporter.kafka.broker import Facts
from exporter.kafka.discovery import LOOK_SECONDS, Discovery

PROCESSES = 1000
_YOUNG = 30
_FACTS = Facts("1", (), (1,), settled=True)


def looking() -> Section:
    """CPU time of a look, with a thousand processes more than the host has: while they are young, and later."""
    sleepers = [subprocess.Popen(["sleep", "1000"]) for _ in range(PROCESSES)]
    try:
        procfs = Procfs()
        watcher = Discovery(procfs, lambda _: _FACTS, lambda _ports, _pids: None)
        young, old = ([_look_ms(watcher) for _ in range(_YOUNG)] for _ in range(2))
        processes = len(procfs.pids())
    finally:
        for sleeper in sleepers:
            sleeper.kill()
        for sleeper in sleepers:
            sleeper.wait()
    rows = [
        (when, f"{figure(values).median:.2f}", f"{number(sum(values) / len(values) / LOOK_SECONDS / 10)} %")
        for when, values in (("in the first minute of all processes", young), ("later", old))
    ]
    return Section(
        title=f"Looking for brokers among {processes} processes",
        columns=("", "CPU ms a look (median)", "of one CPU, at a look every two seconds"),
        rows=tuple(rows),
    )


def _look_ms(watcher: Discovery) -> float:
    before = time.process_time()
    watcher.look()
    return (time.process_time() - before) * 1e3
