"""Find the brokers that run on this host, and keep their facts and their watched ports up to date."""

import logging
import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from exporter.host.procfs import Stat
from exporter.kafka.broker import Broker, Facts, Node
from exporter.kafka.command_line import COMMS, parse_broker_command
from exporter.kafka.inspector import InspectionError
from exporter.kafka.port_limit import allot_ports
from exporter.kafka.twins import shared_nodes, tell_apart

_log = logging.getLogger(__name__)

SCAN_INTERVAL_SECONDS = 2.0
_NEW_PROCESS_SECONDS = 60.0
"""A process is checked at every scan for this time, in which a start script becomes a broker; then once per minute."""
_INCOMPLETE_SECONDS = 120.0
"""A broker with incomplete facts is inspected at every scan for this time. Others are inspected every two minutes."""
_MAX_SECONDS_PER_OWNER = 2.0
"""After so long the other brokers of a user wait for the next scan: files that are slow must not delay the discovery
of another user's brokers."""
_MAX_LOGGED = 8
_PORT_LINGER_SECONDS = 300.0
"""The ports of a broker that has exited stay watched for this time, so that no byte is missed after a restart."""


class Processes(Protocol):
    """The part of :class:`exporter.host.procfs.Procfs` that discovery needs."""

    def pids(self) -> list[int]:
        """The ids of all processes."""
        ...

    def stat(self, pid: int) -> Stat | None:
        """Name and start of a process; None when it does not exist."""
        ...

    def arguments(self, pid: int) -> list[str]:
        """The command line of a process; empty when it does not exist."""
        ...

    def owner(self, pid: int) -> int:
        """The user id of a process; -1 when it does not exist."""
        ...


@dataclass(frozen=True)
class DiscoverySettings:
    """What is watched. The limits are for processes that pretend to be brokers: they cannot add series without end."""

    ports: tuple[int, ...] = ()
    """Watched whether a broker has them or not, beside those of brokers."""
    max_brokers: int = 16
    """Of the user with the most brokers, the newest give way."""
    max_ports: int = 64
    """Of all brokers together, those that have exited included. Each broker gets one before any gets a second."""


@dataclass
class _Schedule:
    """When a process was seen first, and when it was last checked or inspected, in seconds."""

    first: float
    last: float
    failures: int = 0
    """Inspections without an answer since the last one with an answer."""
    closed_reported: tuple[int, ...] = ()
    """Configured ports that are not open, as the log has them."""

    @property
    def retry_seconds(self) -> float:
        """The time until the next inspection after a failure."""
        return min(SCAN_INTERVAL_SECONDS * 2.0**self.failures, _INCOMPLETE_SECONDS)


class Discovery:
    """The brokers of this host. One thread calls :meth:`scan`; :meth:`brokers` may be called by any thread."""

    def __init__(
        self,
        processes: Processes,
        inspect: Callable[[int], Facts],
        watch: Callable[[Iterable[int], Iterable[int]], None],
        settings: DiscoverySettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``watch`` is called with ports and process ids when these change.

        ``clock``: seconds, never decreasing.
        """
        self._processes = processes
        self._inspect = inspect
        self._watch = watch
        self._clock = clock
        self._settings = settings
        self._found: tuple[Broker, ...] = ()
        self._brokers: tuple[Broker, ...] = ()
        self._shared: dict[Node, float] = {}
        """Ids that several brokers have, see :func:`shared_nodes`."""
        self._refused: frozenset[int] = frozenset()
        self._scan_error = ""
        self._checks: dict[int, _Schedule] = {}
        self._inspections: dict[int, _Schedule] = {}
        self._spent_seconds: defaultdict[int, float] = defaultdict(float)
        """For the brokers of each user, in this scan."""
        self._fixed_ports = frozenset(settings.ports)
        self._ports_seen: dict[int, float] = {}
        self._watched: tuple[frozenset[int], frozenset[int]] = (self._fixed_ports, frozenset())

    def brokers(self) -> tuple[Broker, ...]:
        """The brokers that the last scan found, with the listeners that are watched."""
        return self._brokers

    @property
    def watched_ports(self) -> frozenset[int]:
        """The ports that are counted separately, those of brokers that have exited a short while ago included."""
        return self._watched[0]

    @property
    def success(self) -> bool:
        """Whether the last scan found what there is, and every broker has answered when it was last inspected."""
        return not self._scan_error and not any(schedule.failures for schedule in list(self._inspections.values()))

    def scan_until(self, stopped: threading.Event) -> None:
        """Scan every two seconds until ``stopped`` is set; after a scan that failed, the next one starts afresh."""
        while not stopped.is_set():
            try:
                self.scan()
                error = ""
            except OSError as failed:
                error = failed.strerror or str(failed)
            if error and error != self._scan_error:
                _log.error("broker discovery failed, will be tried again: %s", error)
            self._scan_error = error
            stopped.wait(SCAN_INTERVAL_SECONDS)

    def scan(self) -> None:
        """Find new brokers, refresh known ones, and forget those that have exited.

        Raises :class:`OSError` when /proc or the maps cannot be used.
        """
        now = self._clock()
        self._spent_seconds.clear()
        known = {broker.pid: broker for broker in self._found}
        refreshed = {broker: self._refresh(broker, now) for broker in sorted(self._found, key=self._last_inspected)}
        running = [present for broker in self._found if (present := refreshed[broker])]
        pids = {broker.pid for broker in running}
        for broker in self._found:
            if broker.pid not in pids:
                _log.info("broker exited: %s", _title(broker))
        for pid in self._take_due_pids(now):
            if pid not in pids and (found := self._find(pid, now, running)):
                running.append(found)
        running = self._tell_apart(running, now)
        for broker in running:
            before = known.get(broker.pid)
            if before is None or _reported(before) != _reported(broker):
                _log_facts(broker)
        self._found = tuple(running)
        self._refused &= self._checks.keys()
        self._update_watched(now)

    def _tell_apart(self, running: list[Broker], now: float) -> list[Broker]:
        shared = shared_nodes(running, self._shared, now)
        for node in shared.keys() - self._shared.keys():
            _log.warning(
                "several brokers have cluster id %s and node id %s: node_id ends in @ and the id of the log directory "
                "or of the process",
                *node,
            )
        self._shared = shared
        return list(tell_apart(running, shared.keys()))

    def _take_due_pids(self, now: float) -> Sequence[int]:
        """The processes to check in this scan."""
        self._checks = {pid: self._checks.get(pid) or _Schedule(now, now) for pid in self._processes.pids()}
        due = []
        for pid, check in self._checks.items():
            if now - check.first < _NEW_PROCESS_SECONDS or now - check.last >= _NEW_PROCESS_SECONDS:
                check.last = now
                due.append(pid)
        return due

    def _find(self, pid: int, now: float, running: list[Broker]) -> Broker | None:
        """The broker with this process id; None when that is not a broker, or there are too many."""
        stat = self._processes.stat(pid)
        if not stat or stat.comm not in COMMS or parse_broker_command(self._processes.arguments(pid)) is None:
            return None
        owner = self._processes.owner(pid)
        if not self._make_room(running, owner):
            if pid not in self._refused:
                _log.warning("process %d is a broker too many: --kafka.brokers.max=%d", pid, self._settings.max_brokers)
            self._refused |= {pid}
            return None
        self._inspections[pid] = _Schedule(now, -math.inf)
        return self._inspected(Broker(pid, stat.start_ticks, stat.comm, Facts(), owner), now)

    def _make_room(self, running: list[Broker], owner: int) -> bool:
        """Whether there may be another broker of this user; removes the newest one of a user with more, if need be."""
        if len(running) < self._settings.max_brokers:
            return True
        counts = Counter(broker.owner for broker in running)
        if not counts:
            return False
        greediest, most = counts.most_common(1)[0]
        if counts[owner] + 1 >= most:
            return False
        newest = max((broker for broker in running if broker.owner == greediest), key=lambda one: one.start_ticks)
        running.remove(newest)
        self._inspections.pop(newest.pid, None)
        _log.warning(
            "broker not watched any more: %s: --kafka.brokers.max=%d", _title(newest), self._settings.max_brokers
        )
        return True

    def _refresh(self, broker: Broker, now: float) -> Broker | None:
        """The same broker, inspected again if it is time; None when it has exited."""
        stat = self._processes.stat(broker.pid)
        if not stat or stat.start_ticks != broker.start_ticks:
            self._inspections.pop(broker.pid, None)  # a scan that failed has removed it already
            return None
        inspection = self._inspections[broker.pid]
        if inspection.failures:
            wait = inspection.retry_seconds
        elif not broker.facts.complete and now - inspection.first <= _INCOMPLETE_SECONDS:
            wait = 0.0
        else:
            wait = _INCOMPLETE_SECONDS
        if now - inspection.last < wait:
            return broker
        return self._inspected(replace(broker, comm=stat.comm), now)

    def _last_inspected(self, broker: Broker) -> float:
        inspection = self._inspections.get(broker.pid)
        return inspection.last if inspection else math.inf

    def _inspected(self, broker: Broker, now: float) -> Broker:
        """The broker with its present facts; without an answer, those known before, and why there are no others."""
        if self._spent_seconds[broker.owner] >= _MAX_SECONDS_PER_OWNER:
            return broker
        started = self._clock()
        inspected = self._ask(broker, now)
        self._spent_seconds[broker.owner] += self._clock() - started
        return inspected

    def _ask(self, broker: Broker, now: float) -> Broker:
        inspection = self._inspections[broker.pid]
        inspection.last = now
        try:
            facts = broker.facts.since_start(self._inspect(broker.pid))
        except InspectionError as error:
            inspection.failures += 1
            return replace(broker, facts=replace(broker.facts, problems=(str(error),)))
        inspection.failures = 0
        if facts.closed != inspection.closed_reported and now - inspection.first > _INCOMPLETE_SECONDS:
            _log_closed(broker, facts.closed)
            inspection.closed_reported = facts.closed
        return replace(broker, facts=facts)

    def _update_watched(self, now: float) -> None:
        self._brokers = allot_ports(self._found, self._settings.max_ports)
        present = {listener.port for broker in self._brokers for listener in broker.facts.listeners}
        self._ports_seen |= dict.fromkeys(present, now)
        self._ports_seen = {port: seen for port, seen in self._ports_seen.items() if now - seen < _PORT_LINGER_SECONDS}
        latest = sorted(self._ports_seen, key=lambda port: self._ports_seen[port], reverse=True)
        self._ports_seen = {port: self._ports_seen[port] for port in latest[: self._settings.max_ports]}
        watched = (self._fixed_ports | self._ports_seen.keys(), frozenset(broker.pid for broker in self._brokers))
        if watched != self._watched:
            self._watch(*watched)
            self._watched = watched


def _reported(broker: Broker) -> tuple[object, ...]:
    """The facts that the log lines report."""
    return broker.node, broker.facts.listeners, broker.facts.problems


def _title(broker: Broker) -> str:
    return f"cluster {broker.node.cluster_id}, node {broker.node.node_id}, process {broker.pid}"


def _list(items: Sequence[str], separator: str) -> str:
    more = len(items) - _MAX_LOGGED
    return separator.join([*items[:_MAX_LOGGED], *([f"{more} more"] if more > 0 else [])])


def _log_closed(broker: Broker, closed: Sequence[int]) -> None:
    for port in closed:
        _log.warning("broker: %s: its configuration has a listener on port %d, which is not open", _title(broker), port)


def _log_facts(broker: Broker) -> None:
    facts = broker.facts
    kind = "controller" if facts.roles == "controller" else "broker"
    listeners = [f"{listener.name} ({listener.protocol}) on {listener.port}" for listener in facts.listeners]
    _log.info("%s: %s: listeners %s", kind, _title(broker), _list(listeners, ", ") or "not known yet")
    if facts.problems:
        problems = _list(facts.problems, "; ")
        _log.warning("%s: %s: %s", kind, _title(broker), problems)
