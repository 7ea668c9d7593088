"""The one place that reads the kernel's maps: at each scrape, and once a second for processes that have ended."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from exporter.counting.attribution import Attribution, LiveSample, Presence
from exporter.counting.maps import KernelMaps, Sample
from exporter.counting.self_check import PROBE, SelfCheck
from exporter.counting.series import Snapshot
from exporter.host.boottime import boottime_ns
from exporter.host.procfs import ProcessInfo, Procfs
from exporter.kafka.broker import Broker
from exporter.kafka.tracker import NO_KAFKA, KafkaSnapshot, KafkaTracker
from exporter.kafka.zero_copy_loss import FolderBytes
from exporter.model import KERNEL, Exit, Identity, MapUse, ProbeRuns, Rows

_log = logging.getLogger(__name__)
DRAIN_SECONDS = 1.0
_ENDED_MAX = 500
"""How many ended processes the live view can name."""
_ENDED_NS = 10_000_000_000
"""And for how long: it reads every second."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Reading:
    """One scrape's worth of facts."""

    snapshot: Snapshot
    dropped: Mapping[str, int]
    maps: list[MapUse]
    runs: list[ProbeRuns]
    kafka: KafkaSnapshot = NO_KAFKA


@dataclass(frozen=True)
class Ended:
    """A process that has ended, and all that it has counted."""

    number: int
    """One more than that of the process before."""
    at_ns: int
    """When its exit was read."""
    identity: Identity
    comm: str
    rows: Rows


@dataclass(frozen=True)
class Peek:
    """The present counts, read without any effect on what scrapes show."""

    counts: Mapping[bytes, bytes]
    """Of processes whose rows are in the map: see :meth:`KernelMaps.packed_counts`."""
    exited: Rows
    """What exited processes have counted, whose rows are not in the map any more."""
    ended: tuple[Ended, ...]
    """The last of these processes."""
    exits: Sequence[Exit]
    """Processes that have ended, whose rows are still in the map."""
    folders: Mapping[bytes, bytes]
    """Of brokers: see :meth:`KernelMaps.packed_folders`. Empty with ``--no-kafka``."""
    folder_bytes: Mapping[tuple[int, int], FolderBytes]
    """What each broker did with its partition folders: see :attr:`KafkaTracker.folder_bytes`."""
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
        self._sees_processes = procfs.shows_host
        self._attribution = attribution
        self._clock = clock
        self._kafka = kafka
        self._lock = threading.Lock()
        self._ended: deque[Ended] = deque(maxlen=_ENDED_MAX)
        self._ended_count = 0
        self._self_check = SelfCheck(procfs.own())
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
        self._maps.reclaim()  # outside of the lock: it waits for the kernel

    def read(self) -> Reading:
        """Return what to show now. Raises :class:`OSError` when the maps cannot be read."""
        with self._lock:
            return self._noting_errors(self._read)

    def peek(self) -> Peek:
        """Return the present counts. No process gets series, none is finalized, and no state of a scrape changes.

        Raises :class:`OSError` when the maps cannot be read.
        """
        with self._lock:
            return Peek(
                self._maps.packed_counts(),
                self._attribution.exited_rows,
                tuple(self._ended),
                self._maps.exits(),
                self._maps.packed_folders() if self._kafka else {},
                self._kafka.folder_bytes if self._kafka else {},
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
        exits = self._maps.take_exits()
        if exits or self._attribution.awaits_exits:
            self._finalize(self._maps.sample(), exits)
        while self._ended and self._ended[0].at_ns < self._clock() - _ENDED_NS:
            self._ended.popleft()
        if self._kafka:
            self._kafka.count_if_due(self._clock())

    def _read(self) -> Reading:
        exits = self._maps.take_exits()
        sample = self._maps.sample()
        self._check_counting(sample)
        live = self._finalize(sample, exits)
        kafka = self._kafka.take_snapshot(live.processes, self._clock()) if self._kafka else NO_KAFKA
        if kafka.watched_ports is not None:
            ended = self._attribution.end_ports(live, kafka.watched_ports, self._clock())
            self._maps.forget(sample, live.processes, ended)
        presence = self._presence(live.processes, kafka.brokers)
        snapshot = self._attribution.update(live, presence, self._clock(), self._describe)
        return Reading(snapshot, self._maps.dropped(), self._maps.map_use(), self._maps.runs(), kafka)

    def _finalize(self, sample: Sample, exits: list[Exit]) -> LiveSample:
        now_ns = self._clock()
        live = self._attribution.finalize_exited(sample, exits, now_ns)
        if self._kafka:
            self._kafka.count_listeners(sample.processes, live.finalized, now_ns)
        self._maps.forget(sample, live.finalized)
        for gone in exits:
            if rows := sample.processes.get(gone.identity):
                self._ended_count += 1
                self._ended.append(Ended(self._ended_count, now_ns, gone.identity, gone.comm, rows))
        return live

    def _check_counting(self, sample: Sample) -> None:
        stalled = self.stalled_probes
        self._self_check.observe(sample)
        if self.stalled_probes and not stalled:
            _log.error("probe %s has stopped counting (detached or switched off); restart the exporter", PROBE)

    def _presence(self, identities: Iterable[Identity], brokers: Iterable[Broker]) -> Presence:
        """Look for processes in /proc: one that is seen now has counted all that was sampled before.

        In a pid namespace their ids name other processes there, or none: no process is seen, and none is gone.
        """
        alive, gone = {}, set()
        for identity in identities if self._sees_processes else ():
            if identity == KERNEL:
                continue
            stat = self._procfs.stat(identity.pid)
            if stat and stat.started_at(identity.start):
                alive[identity] = stat
            elif stat or not self._procfs.exists(identity.pid):
                gone.add(identity)
        return Presence(alive, gone, {(broker.pid, broker.start_ticks) for broker in brokers})

    def _describe(self, identity: Identity, comm: str) -> ProcessInfo | None:
        info = self._procfs.describe(identity.pid, comm)
        stat = self._procfs.stat(identity.pid)  # afterwards: then this process was described, and had not exited
        return info if stat and stat.started_at(identity.start) else None
