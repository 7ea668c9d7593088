"""Find the brokers that run on this host, and keep their facts and their watched ports up to date."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from exporter.host.procfs import Stat
from exporter.kafka.broker import Broker, Facts
from exporter.kafka.command_line import parse_broker_command
from exporter.kafka.inspector import InspectorExitedError

_log = logging.getLogger(__name__)

SCAN_INTERVAL_SECONDS = 2.0
_COMM = "java"
_NEW_PROCESS_SECONDS = 60.0
"""A process is checked at every scan for this time, in which a start script becomes a broker; then once per minute."""
_INCOMPLETE_SECONDS = 120.0
"""A broker with incomplete facts is inspected at every scan for this time. Others are inspected every two minutes."""
_PORT_LINGER_SECONDS = 600.0
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


@dataclass
class _Schedule:
    """When a process was seen first, and when it was last checked or inspected, in seconds."""

    first: float
    last: float


class Discovery:
    """The brokers of this host. One thread calls :meth:`scan`; :meth:`brokers` may be called by any thread."""

    def __init__(
        self,
        processes: Processes,
        inspect: Callable[[int], Facts],
        watch: Callable[[Iterable[int], Iterable[int]], None],
        ports: Iterable[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``watch`` is called with ports and process ids when these change; ``ports`` are always among them.

        ``clock``: seconds, never decreasing.
        """
        self._processes = processes
        self._inspect = inspect
        self._watch = watch
        self._clock = clock
        self._brokers: tuple[Broker, ...] = ()
        self._checks: dict[int, _Schedule] = {}
        self._inspections: dict[int, _Schedule] = {}
        self._fixed_ports = frozenset(ports)
        self._ports_seen: dict[int, float] = {}
        self._watched: tuple[frozenset[int], frozenset[int]] = (self._fixed_ports, frozenset())

    def brokers(self) -> tuple[Broker, ...]:
        """The brokers that the last scan found."""
        return self._brokers

    def scan_until(self, stopped: threading.Event) -> None:
        """Scan every two seconds until ``stopped`` is set or the inspector has exited."""
        while not stopped.is_set():
            try:
                self.scan()
            except InspectorExitedError as error:
                _log.error("broker discovery stopped: %s; add ports with --watch.port", error)
                return
            except OSError as error:
                _log.error("broker discovery failed: %s", error)
            stopped.wait(SCAN_INTERVAL_SECONDS)

    def scan(self) -> None:
        """Find new brokers, refresh known ones, and forget those that have exited.

        Raises :class:`InspectorExitedError`, and :class:`OSError` when /proc or the maps cannot be used.
        """
        now = self._clock()
        known = {broker.pid: broker for broker in self._brokers}
        running = [refreshed for broker in self._brokers if (refreshed := self._refresh(broker, now))]
        pids = {broker.pid for broker in running}
        for broker in self._brokers:
            if broker.pid not in pids:
                _log.info("broker exited: %s", _title(broker))
        for pid in self._take_due_pids(now):
            if pid not in pids and (found := self._find(pid, now)):
                running.append(found)
                _log_facts(found)
        for broker in running:
            if (before := known.get(broker.pid)) and _reported(before) != _reported(broker):
                _log_facts(broker)
        self._brokers = tuple(running)
        self._update_watched(now)

    def _take_due_pids(self, now: float) -> Sequence[int]:
        """The processes to check in this scan."""
        self._checks = {pid: self._checks.get(pid) or _Schedule(now, now) for pid in self._processes.pids()}
        due = []
        for pid, check in self._checks.items():
            if now - check.first < _NEW_PROCESS_SECONDS or now - check.last >= _NEW_PROCESS_SECONDS:
                check.last = now
                due.append(pid)
        return due

    def _find(self, pid: int, now: float) -> Broker | None:
        """The broker with this process id; None when that is not a broker."""
        stat = self._processes.stat(pid)
        if not stat or stat.comm != _COMM or not parse_broker_command(self._processes.arguments(pid)):
            return None
        self._inspections[pid] = _Schedule(now, now)
        return Broker(pid, stat.start_ticks, stat.comm, self._inspect(pid))

    def _refresh(self, broker: Broker, now: float) -> Broker | None:
        """The same broker, inspected again if it is time; None when it has exited."""
        stat = self._processes.stat(broker.pid)
        if not stat or stat.start_ticks != broker.start_ticks:
            self._inspections.pop(broker.pid, None)  # a scan that failed has removed it already
            return None
        inspection = self._inspections[broker.pid]
        awaits_facts = not broker.facts.complete and now - inspection.first <= _INCOMPLETE_SECONDS
        if not awaits_facts and now - inspection.last < _INCOMPLETE_SECONDS:
            return broker
        inspection.last = now
        return Broker(broker.pid, broker.start_ticks, stat.comm, self._inspect(broker.pid))

    def _update_watched(self, now: float) -> None:
        for broker in self._brokers:
            for listener in broker.facts.listeners:
                self._ports_seen[listener.port] = now
        self._ports_seen = {port: seen for port, seen in self._ports_seen.items() if now - seen < _PORT_LINGER_SECONDS}
        watched = (self._fixed_ports | self._ports_seen.keys(), frozenset(broker.pid for broker in self._brokers))
        if watched != self._watched:
            self._watch(*watched)
            self._watched = watched


def _reported(broker: Broker) -> tuple[object, ...]:
    """The facts that the log lines report."""
    return broker.facts.node_id, broker.facts.listeners, broker.facts.problems


def _title(broker: Broker) -> str:
    return f"node {broker.facts.node_id or 'unknown'}, process {broker.pid}"


def _log_facts(broker: Broker) -> None:
    facts = broker.facts
    listeners = ", ".join(f"{listener.name} ({listener.protocol}) on {listener.port}" for listener in facts.listeners)
    _log.info("broker: %s: listeners %s", _title(broker), listeners or "not known yet")
    if facts.problems:
        problems = "; ".join(facts.problems)
        _log.warning("broker: %s: %s; add missing ports with --watch.port", _title(broker), problems)
