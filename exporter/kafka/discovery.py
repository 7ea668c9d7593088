"""Who is a broker right now: looks for new ones every few seconds, cheaply, and asks the finder for their facts."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from exporter.host.procfs import Stat
from exporter.kafka.broker import Broker, Facts
from exporter.kafka.command_line import broker_command
from exporter.kafka.inspector import InspectorExitedError

_log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
_COMM = "java"
_YOUNG_LOOKS = 30
"""So many times a process is looked at each time, and after that once in so many: a script that prepares a broker
becomes it within a minute."""
_UNSETTLED_LOOKS = 60
"""So many times a broker is asked for each time, until all is known of it, and after that once in so many."""
_PORTS_LINGER_LOOKS = 300
"""So long the ports of a broker that has ended stay watched: from the first moment on when it starts again."""


class Processes(Protocol):
    """What is asked of /proc: :class:`exporter.host.procfs.Procfs`."""

    def pids(self) -> list[int]:
        """All processes."""
        ...

    def stat(self, pid: int) -> Stat | None:
        """Name and start of one."""
        ...

    def arguments(self, pid: int) -> list[str]:
        """Its command line."""
        ...


class Discovery:
    """The brokers of this host. Looks when told to; asked by :meth:`current` from any thread."""

    def __init__(
        self,
        processes: Processes,
        ask: Callable[[int], Facts],
        watch: Callable[[Iterable[int], Iterable[int]], None],
        ports: Iterable[int] = (),
    ) -> None:
        """``watch`` gets the ports and the process ids to watch when they change; ``ports`` are watched always."""
        self._brokers: tuple[Broker, ...] = ()
        self._processes = processes
        self._ask = ask
        self._watch = watch
        self._always = frozenset(ports)
        self._looks: dict[int, int] = {}
        self._asked: dict[int, int] = {}
        self._seen_ports: dict[int, int] = {}
        self._watched: tuple[frozenset[int], frozenset[int]] = (self._always, frozenset())

    def current(self) -> tuple[Broker, ...]:
        """The brokers, as of the last look."""
        return self._brokers

    def look_until(self, stopped: threading.Event) -> None:
        """Look every two seconds, until told to stop or the finder has gone."""
        while not stopped.is_set():
            try:
                self.look()
            except InspectorExitedError as problem:
                _log.error("brokers are no longer found: the finder: %s; give ports by --watch.port", problem)
                return
            except OSError as problem:
                _log.error("looking for brokers: %s", problem)
            stopped.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Once. Raises :class:`InspectorExitedError`, and :class:`OSError` when /proc or the maps cannot be used."""
        known = {broker.pid: broker for broker in self._brokers}
        living = [again for broker in self._brokers if (again := self._again(broker))]
        pids = {broker.pid for broker in living}
        for broker in self._brokers:
            if broker.pid not in pids:
                _log.info("broker ended: %s", _title(broker))
        for pid in self._due():
            if pid not in pids and (found := self._find(pid)):
                living.append(found)
                _announce(found)
        for broker in living:
            if (before := known.get(broker.pid)) and _said(before) != _said(broker):
                _announce(broker)
        self._brokers = tuple(living)
        self._watch_all()

    def _due(self) -> Sequence[int]:
        """The processes to look at this time."""
        self._looks = {pid: self._looks.get(pid, -1) + 1 for pid in self._processes.pids()}
        return [pid for pid, looks in self._looks.items() if looks < _YOUNG_LOOKS or looks % _YOUNG_LOOKS == 0]

    def _find(self, pid: int) -> Broker | None:
        stat = self._processes.stat(pid)
        if not stat or stat.comm != _COMM or not broker_command(self._processes.arguments(pid)):
            return None
        self._asked[pid] = 0
        return Broker(pid, stat.start_ticks, stat.comm, self._ask(pid))

    def _again(self, broker: Broker) -> Broker | None:
        """The same broker with what is known of it now; None when it has ended."""
        stat = self._processes.stat(broker.pid)
        if not stat or stat.start_ticks != broker.start_ticks:
            del self._asked[broker.pid]
            return None
        asked = self._asked[broker.pid] = self._asked[broker.pid] + 1
        if (broker.facts.settled or asked > _UNSETTLED_LOOKS) and asked % _UNSETTLED_LOOKS:
            return broker
        return Broker(broker.pid, broker.start_ticks, stat.comm, self._ask(broker.pid))

    def _watch_all(self) -> None:
        self._seen_ports = {port: left - 1 for port, left in self._seen_ports.items() if left > 1}
        for broker in self._brokers:
            for listener in broker.facts.listeners:
                self._seen_ports[listener.port] = _PORTS_LINGER_LOOKS
        wanted = (self._always | self._seen_ports.keys(), frozenset(broker.pid for broker in self._brokers))
        if wanted != self._watched:
            self._watch(*wanted)
            self._watched = wanted


def _said(broker: Broker) -> tuple[object, ...]:
    return broker.facts.node_id, broker.facts.listeners, broker.facts.problems


def _title(broker: Broker) -> str:
    return f"node {broker.facts.node_id or 'unknown'}, process {broker.pid}"


def _announce(broker: Broker) -> None:
    facts = broker.facts
    listeners = ", ".join(f"{one.name} ({one.protocol}) on {one.port}" for one in facts.listeners)
    _log.info("broker: %s: listeners %s", _title(broker), listeners or "not known yet")
    if facts.problems:
        _log.warning(
            "broker %s: %s; what is missing can be given by --watch.port", _title(broker), "; ".join(facts.problems)
        )
