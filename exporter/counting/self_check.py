"""Whether the probe of system calls still counts: this process makes some itself between any two readings."""

from exporter.counting.maps import Sample
from exporter.host.procfs import OwnProcess
from exporter.model import Operation

PROBE = "syscalls"
_STALLED_READINGS = 3
"""After so many readings without a new call of our own, the probe has stopped counting."""


class SelfCheck:
    """Follows the counts of one process that reads files and sockets all the time: our own.

    The kernel refuses to detach a raw tracepoint of another process. But kprobes can be switched off for the whole
    host, and a debugger can close any descriptor. The only sign of that is that our own counts stand still.
    """

    def __init__(self, own: OwnProcess | None) -> None:
        """``own``: this process; None when /proc does not show its id in the initial pid namespace."""
        self._own = own
        self._last_events = 0
        self._unchanged_readings = 0

    @property
    def is_counting(self) -> bool:
        """Whether the probe counts, as of the last sample; also true when our own counts never were in one."""
        return self._unchanged_readings < _STALLED_READINGS

    def observe(self, sample: Sample) -> None:
        """Compare our own counts with those of the sample before."""
        events = self._own_events(sample)
        self._unchanged_readings = self._unchanged_readings + 1 if events == self._last_events and events else 0
        self._last_events = events

    def _own_events(self, sample: Sample) -> int:
        if self._own is None:
            return 0
        for identity, rows in sample.processes.items():
            if identity.pid == self._own.pid and self._own.stat.started_at(identity.start):
                # rows without an operation belong to other probes
                return sum(count.events for row, count in rows.items() if row.operation is not Operation.NONE)
        return 0
