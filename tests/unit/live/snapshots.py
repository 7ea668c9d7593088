"""Snapshots of a host in memory, each a second after the other."""

from typing import Any

from exporter.host.procfs import ProcessInfo
from exporter.live.snapshot import Description, Host, Snapshot
from exporter.model import Count, Identity, ProbeState, Row, Rows
from tests.support.sample_data import SECOND_NS

ONE, TWO = Identity(1_000_000_000, 1), Identity(2_000_000_000, 2)
HOST = Host("host", "6.12", 0.0, "/metrics", (ProbeState("copy_time", "cpu-clock", "perf_event", attached=True),))


def counts(*numbers: tuple[Row, int, int]) -> Rows:
    """Rows from row, events and amount."""
    return {row: Count(events, amount, 0) for row, events, amount in numbers}


def snapshot(second: float, processes: dict[Identity, Rows], exited: Rows | None = None, **more: Any) -> Snapshot:
    return Snapshot(second, round(second * SECOND_NS), processes, exited or {}, **more)


def describe(identity: Identity) -> Description:
    name = f"process-{identity.pid}"
    return Description(name, ProcessInfo(name, "/a.service", "", "a.service"), 0.5)
