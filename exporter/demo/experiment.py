"""The experiment: one transfer after the other; the probes are read before and after each, while the sender waits."""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from exporter.counting.maps import KernelMaps
from exporter.demo.children import Child, connected, run_child
from exporter.demo.measurement import Measurement, Setting, counted_between
from exporter.demo.methods import METHODS, Method
from exporter.demo.options import DemoOptions
from exporter.demo.payload import Payload
from exporter.errors import CopyExporterError, KernelError
from exporter.host.procfs import Procfs
from exporter.host.signals import TerminationSignals
from exporter.model import Rows

_START_SECONDS = 30
_SLOWEST_DISK = 4 << 20  # bytes per second

Progress = Callable[[str, float], None]
"""Called with the present step, and the part of all steps that is done, from 0 to 1."""


@dataclass(frozen=True)
class Results:
    """All measurements, and the facts that they have in common."""

    size: int
    chunk: int
    file_system: str
    sees_disk: bool
    can_be_cold: bool
    measurements: tuple[Measurement, ...]
    lost: int
    """Counts of any process that the probes lost meanwhile; figures may be too low by so many."""


def run_experiment(
    options: DemoOptions, maps: KernelMaps, sees_disk: bool, progress: Progress, signals: TerminationSignals
) -> Results:
    """Create the file, and send it by every method from a cold and a warm cache; then remove the file.

    Allows ``signals`` to interrupt it only where it can clean up.
    """
    with Payload(options.directory, options.size) as payload:
        experiment = Experiment(payload, options.chunk, maps, sees_disk, signals)
        caches = (True, False) if payload.can_be_cold else (False,)
        runs = [(method, cold) for method in METHODS for cold in caches]
        steps = len(runs) + 1
        with signals.allowed():
            payload.fill(lambda part: progress(f"writing the file to {payload.file_system}", part / steps))
        experiment.measure(METHODS[0], cold=False)  # discarded: the kernel sets up some things in the first transfer
        lost_before = _lost(maps)
        measurements = []
        for step, (method, cold) in enumerate(runs, 1):
            progress(str(Setting(method.name, cold)), step / steps)
            measurements.append(experiment.measure(method, cold))
        return Results(
            size=options.size,
            chunk=options.chunk,
            file_system=payload.file_system,
            sees_disk=sees_disk,
            can_be_cold=payload.can_be_cold,
            measurements=tuple(measurements),
            lost=_lost(maps) - lost_before,
        )


@dataclass(frozen=True)
class Experiment:
    """Measures one transfer at a time."""

    payload: Payload
    chunk: int
    maps: KernelMaps
    sees_disk: bool
    signals: TerminationSignals

    def measure(self, method: Method, cold: bool) -> Measurement:
        """Measure one transfer, by new processes over a new connection."""
        setting = Setting(method.name, cold)
        _clear(self.maps)
        try:
            near, far = connected()
            with near, far, self._sender(method, near) as sender, self._sink(method, far) as sink:
                near.close()  # so that each child notices when the other one ends
                far.close()
                with self.signals.allowed():
                    return self._transfer(setting, sender, sink)
        except CopyExporterError as error:
            raise type(error)(f"{error} ({setting})") from None

    def _transfer(self, setting: Setting, sender: Child, sink: Child) -> Measurement:
        timeout = _START_SECONDS + self.payload.size / _SLOWEST_DISK
        sender.report(_START_SECONDS)
        cached = self.payload.drop_cache() if setting.cold else self.payload.warm_cache()
        before = _rows_of(self.maps, sender.pid)
        sender.start()
        sent = sender.report(timeout)
        received = sink.report(timeout)
        after = _rows_of(self.maps, sender.pid)
        if received["received"] != self.payload.size:
            raise CopyExporterError(f"the demo's sink received {received['received']} of {self.payload.size} bytes")
        return Measurement(
            setting=setting,
            payload=self.payload.size,
            chunk=self.chunk,
            rows=counted_between(before, after),
            cached=cached,
            sees_disk=self.sees_disk,
            seconds=(received["finished_ns"] - sent["started_ns"]) / 1e9,
            cpu_seconds=sent["cpu_ns"] / 1e9,
            note=sent["note"],
        )

    def _sender(self, method: Method, connection: socket.socket) -> Child:
        descriptors = (connection.fileno(), self.payload.descriptor)
        return run_child("sender", descriptors, method.name, self.payload.size, self.chunk)

    def _sink(self, method: Method, connection: socket.socket) -> Child:
        return run_child("sink", (connection.fileno(),), self.payload.size, int(method.secure))


def _rows_of(maps: KernelMaps, pid: int) -> Rows:
    stat = Procfs().stat(pid)
    for identity, rows in maps.sample().processes.items():
        if identity.pid == pid and stat and stat.started_at(identity.start):
            return rows
    raise KernelError(
        "the probes count the demo's sender under another process id: "
        "run the demo in the host's pid and time namespaces (a container: --pid=host)"
    )


def _clear(maps: KernelMaps) -> None:
    """Delete what the maps hold of other processes: only the demo reads these maps, and does not need it."""
    maps.take_exits()
    sample = maps.sample()
    maps.forget(sample, sample.processes)
    maps.reclaim()


def _lost(maps: KernelMaps) -> int:
    return maps.dropped()["counts"] + sum(runs.missed for runs in maps.runs())
