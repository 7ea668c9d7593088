"""Add up the CPU time of brokers' network threads by listener, in totals that never decrease. Pure: no input or output.

A network thread of a broker serves one listener: the probes note which port it uses. A thread is counted from the time
when it was seen first.
"""

from collections.abc import Callable, Iterable, Mapping

from exporter.kafka.broker import Broker, Node
from exporter.kafka.listener_traffic import ListenerKey
from exporter.model import Thread

_LINGER_NS = 300_000_000_000
"""Totals continue if a broker restarts within this time."""
_MAX_LISTENERS = 200
"""That have totals of their own: programs that look like brokers can have a new name for each start."""
_OTHER = ListenerKey(Node("other", "other"), "other", "")


class ListenerCpuCounter:
    """CPU seconds by listener."""

    def __init__(self, cpu_seconds: Callable[[int, int], float | None]) -> None:
        """``cpu_seconds``: of a thread, by process id and thread id; None when there is no such thread."""
        self._cpu_seconds = cpu_seconds
        self._counted: dict[Thread, float] = {}
        self._totals: dict[ListenerKey, float] = {}
        self._last_ns: dict[Node, int] = {}

    def count(self, ports: Mapping[Thread, int], brokers: Iterable[Broker], now_ns: int) -> None:
        """Add the increase of each thread since the last call. ``now_ns``: of any clock that never decreases."""
        running = {(broker.pid, broker.start_ticks): broker for broker in brokers}
        self._last_ns |= dict.fromkeys((broker.node for broker in running.values()), now_ns)
        counted: dict[Thread, float] = {}
        for thread, port in ports.items():
            broker = running.get((thread.identity.pid, thread.identity.start_ticks))
            key = _listener(broker, port) if broker else None
            seconds = self._cpu_seconds(thread.identity.pid, thread.tid) if key else None
            if key and seconds is not None:
                counted[thread] = seconds
                increase = seconds - self._counted.get(thread, seconds)
                self._add(key, max(increase, 0.0))
        self._counted = counted
        self._last_ns = {node: last for node, last in self._last_ns.items() if now_ns - last <= _LINGER_NS}
        self._totals = {key: total for key, total in self._totals.items() if key.node in self._last_ns or key == _OTHER}

    def _add(self, key: ListenerKey, seconds: float) -> None:
        if key not in self._totals and len(self._totals) >= _MAX_LISTENERS:
            key = _OTHER
        self._totals[key] = self._totals.get(key, 0.0) + seconds

    def totals(self) -> dict[ListenerKey, float]:
        """Seconds by listener."""
        return dict(self._totals)


def _listener(broker: Broker, port: int) -> ListenerKey | None:
    """The listener of a port; None when the broker has none there."""
    names = [listener.name for listener in broker.facts.listeners if listener.port == port]
    return ListenerKey(broker.node, names[0], str(port)) if names else None
