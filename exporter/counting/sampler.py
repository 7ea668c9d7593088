"""The one place that reads the kernel's maps: at each scrape, and once a second for processes that have ended."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from exporter.counting.attribution import Attribution, Snapshot
from exporter.counting.maps import KernelMaps, Sample
from exporter.counting.self_check import PROBE, SelfCheck
from exporter.host.procfs import Procfs, Stat
from exporter.kafka.tracker import NO_KAFKA, KafkaSnapshot, KafkaTracker
from exporter.model import Exit, Identity, MapUse, ProbeRuns

_log = logging.getLogger(__name__)
DRAIN_SECONDS = 1.0
_T = TypeVar("_T")


def boottime_ns() -> int:
    """CLOCK_BOOTTIME, the clock of the probes."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Reading:
    """One scrape's worth of facts."""

    snapshot: Snapshot
    dropped: Mapping[str, int]
    maps: list[MapUse]
    runs: list[ProbeRuns]
    kafka: KafkaSnapshot = NO_KAFKA


class Sampler:
    """Reads for one at a time, whoever asks."""

    def __init__(
        self,
        source: KernelMaps,
        procfs: Procfs,
        attribution: Attribution,
        clock: Callable[[], int] = boottime_ns,
        kafka: KafkaTracker | None = None,
    ) -> None:
        """``kafka``: None when nobody looks for brokers."""
        self._source = source
        self._procfs = procfs
        self._attribution = attribution
        self._clock = clock
        self._kafka = kafka
        self._lock = threading.Lock()
        self._vanished: set[Identity] = set()
        self._self_check = SelfCheck(procfs.own())
        self.stalled_probes: frozenset[str] = frozenset()
        """Probes that are attached and have stopped counting, as of the last reading."""
        self.last_error = "nothing was read yet"
        """Why the last reading failed, or what it showed to be wrong; empty when all is well."""

    def drain(self) -> None:
        """Book what has ended since the last call. Raises :class:`OSError` when the maps cannot be read."""
        with self._lock:
            self._guarded(self._drain)

    def read(self) -> Reading:
        """What to show now. Raises :class:`OSError` when the maps cannot be read."""
        with self._lock:
            return self._guarded(self._read)

    def drain_until(self, stopped: threading.Event) -> None:
        """Drain about once a second: a full map loses counts, and a process that has ended is nobody's for long."""
        while not stopped.wait(DRAIN_SECONDS):
            try:
                self.drain()
            except OSError as error:
                _log.error("cannot read the probes' maps: %s", error)

    def _guarded(self, read: Callable[[], _T]) -> _T:
        try:
            result = read()
        except OSError as error:
            self.last_error = str(error)
            raise
        self.last_error = f"probe {PROBE} has stopped counting; restart the exporter" if self.stalled_probes else ""
        return result

    def _drain(self) -> None:
        exits = self._source.take_exits()
        if exits or self._vanished:
            self._settle(exits, self._source.sample())
        if self._kafka:
            self._kafka.count_if_brokers_changed()

    def _read(self) -> Reading:
        exits = self._source.take_exits()
        sample = self._source.sample()
        self._check_counting(sample)
        self._settle(exits, sample)
        snapshot = self._attribution.view(sample.processes, self._alive(sample), self._clock(), self._procfs.describe)
        kafka = self._kafka.take_snapshot(sample.processes, self._clock()) if self._kafka else NO_KAFKA
        return Reading(snapshot, self._source.dropped(), self._source.map_use(), self._source.runs(), kafka)

    def _check_counting(self, sample: Sample) -> None:
        stalled = frozenset() if self._self_check.is_counting(sample) else frozenset({PROBE})
        if stalled and not self.stalled_probes:
            _log.error("probe %s has stopped counting (detached or switched off); restart the exporter", PROBE)
        self.stalled_probes = stalled

    def _settle(self, exits: list[Exit], sample: Sample) -> None:
        known = {gone.identity for gone in exits}
        # Gone from /proc at the last look, and no exit seen since: its event was lost.
        lost = [identity for identity in self._vanished - known if identity in sample.processes]
        self._vanished.clear()
        exits = exits + [Exit(identity, self._attribution.comm_of(identity)) for identity in lost]
        due = self._attribution.due(exits, sample.processes)
        self._source.forget(key for identity in due for key in sample.keys[identity])
        self._attribution.settle(exits, sample.processes, self._clock())
        for identity in due:
            sample.drop(identity)

    def _alive(self, sample: Sample) -> dict[Identity, Stat]:
        alive = {}
        for identity in sample.processes:
            stat = self._procfs.stat(identity.pid)
            if stat and stat.started_at(identity.start):
                alive[identity] = stat
            elif stat or not self._procfs.exists(identity.pid):
                self._vanished.add(identity)
        return alive
