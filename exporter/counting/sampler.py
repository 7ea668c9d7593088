"""The one place that reads the kernel's maps: at each scrape, and once a second for processes that have ended."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from exporter.counting.attribution import Attribution, LiveSample, Presence
from exporter.counting.maps import KernelMaps, Sample
from exporter.counting.self_check import PROBE, SelfCheck
from exporter.counting.series import Snapshot
from exporter.host.procfs import Procfs
from exporter.kafka.broker import Broker
from exporter.kafka.tracker import NO_KAFKA, KafkaSnapshot, KafkaTracker
from exporter.model import Exit, Identity, MapUse, ProbeRuns, Rows

_log = logging.getLogger(__name__)
DRAIN_SECONDS = 1.0
_T = TypeVar("_T")


def boottime_ns() -> int:
    """Return CLOCK_BOOTTIME, the clock of the probes."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Reading:
    """One scrape's worth of facts."""

    snapshot: Snapshot
    dropped: Mapping[str, int]
    maps: list[MapUse]
    runs: list[ProbeRuns]
    kafka: KafkaSnapshot = NO_KAFKA


@dataclass(frozen=True)
class Peek:
    """The present counts, read without any effect on what scrapes show."""

    counts: Mapping[bytes, bytes]
    """Of processes whose rows are in the map: see :meth:`KernelMaps.packed_counts`."""
    exited: Rows
    """What exited processes have counted, whose rows are not in the map any more."""
    folders: Mapping[bytes, bytes]
    """Of brokers: see :meth:`KernelMaps.packed_folders`. Empty with ``--no-kafka``."""
    brokers: tuple[Broker, ...]
    dropped: Mapping[str, int]
    runs: list[ProbeRuns]


class Sampler:
    """Reads the maps for one caller at a time."""

    def __init__(
        self,
        maps: KernelMaps,
        procfs: Procfs,
        attribution: Attribution,
        clock: Callable[[], int] = boottime_ns,
        kafka: KafkaTracker | None = None,
    ) -> None:
        """``kafka``: None to leave out brokers and topics."""
        self._maps = maps
        self._procfs = procfs
        self._attribution = attribution
        self._clock = clock
        self._kafka = kafka
        self._lock = threading.Lock()
        self._self_check = SelfCheck(procfs.own())
        self._finalized_keys: list[bytes] = []
        """Keys whose rows have been carried over, and which are to be deleted before the maps are read again."""
        self._read_error = "nothing was read yet"

    @property
    def stalled_probes(self) -> frozenset[str]:
        """Probes that are attached and have stopped counting, as of the last reading."""
        return frozenset() if self._self_check.is_counting else frozenset({PROBE})

    @property
    def last_error(self) -> str:
        """Why the last reading failed, or what it showed to be wrong; empty when all is well."""
        stalled = f"probe {PROBE} has stopped counting; restart the exporter" if self.stalled_probes else ""
        return self._read_error or stalled

    def drain(self) -> None:
        """Free the map entries of exited processes. Raises :class:`OSError` when the maps cannot be read."""
        with self._lock:
            self._noting_errors(self._drain)

    def read(self) -> Reading:
        """Return what to show now. Raises :class:`OSError` when the maps cannot be read."""
        with self._lock:
            return self._noting_errors(self._read)

    def peek(self) -> Peek:
        """Return the present counts. No process gets series, none is finalized, and no state of a scrape changes.

        Raises :class:`OSError` when the maps cannot be read.
        """
        with self._lock:
            self._delete_finalized()  # what could not be deleted would count twice
            return Peek(
                self._maps.packed_counts(),
                self._attribution.exited_rows,
                self._maps.packed_folders() if self._kafka else {},
                self._kafka.brokers if self._kafka else (),
                self._maps.dropped(),
                self._maps.runs(),
            )

    def drain_until(self, stopped: threading.Event) -> None:
        """Drain about once a second: a full map loses counts, and rows that come late must find their process."""
        failed = False
        while not stopped.wait(DRAIN_SECONDS):
            try:
                self.drain()
                failed = False
            except OSError as error:
                if not failed:
                    _log.error("cannot read the probes' maps: %s", error)
                failed = True

    def _noting_errors(self, read: Callable[[], _T]) -> _T:
        try:
            result = read()
        except OSError as error:
            self._read_error = str(error)
            raise
        self._read_error = ""
        return result

    def _drain(self) -> None:
        self._delete_finalized()
        exits = self._maps.take_exits()
        if exits or self._attribution.awaits_exits:
            self._finalize(self._maps.sample(), exits)
        if self._kafka:
            self._kafka.count_if_brokers_changed()

    def _read(self) -> Reading:
        self._delete_finalized()
        exits = self._maps.take_exits()
        sample = self._maps.sample()
        self._check_counting(sample)
        live = self._finalize(sample, exits)
        presence = self._presence(live.processes)
        snapshot = self._attribution.update(live, presence, self._clock(), self._procfs.describe)
        kafka = self._kafka.take_snapshot(live.processes, self._clock()) if self._kafka else NO_KAFKA
        return Reading(snapshot, self._maps.dropped(), self._maps.map_use(), self._maps.runs(), kafka)

    def _finalize(self, sample: Sample, exits: list[Exit]) -> LiveSample:
        live = self._attribution.finalize_exited(sample, exits, self._clock())
        self._finalized_keys = live.finalized_keys
        self._delete_finalized()
        return live

    def _delete_finalized(self) -> None:
        """Delete the rows that have been carried over. If that fails, no sample is taken before it has succeeded."""
        self._maps.forget(self._finalized_keys)
        self._finalized_keys = []

    def _check_counting(self, sample: Sample) -> None:
        stalled = self.stalled_probes
        self._self_check.observe(sample)
        if self.stalled_probes and not stalled:
            _log.error("probe %s has stopped counting (detached or switched off); restart the exporter", PROBE)

    def _presence(self, identities: Iterable[Identity]) -> Presence:
        """Look for processes in /proc: one that is seen now has counted all that was sampled before."""
        alive, gone = {}, set()
        for identity in identities:
            stat = self._procfs.stat(identity.pid)
            if stat and stat.started_at(identity.start):
                alive[identity] = stat
            elif stat or not self._procfs.exists(identity.pid):
                gone.add(identity)
        return Presence(alive, gone)
