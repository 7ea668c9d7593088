"""Whether the probe of system calls still counts: this process makes some itself between any two readings."""

from exporter.counting.maps import Sample
from exporter.host.procfs import OwnProcess
from exporter.model import Operation

PROBE = "syscalls"
_STILL_READINGS = 3


class SelfCheck:
    """Looks at one process, which is known to read files and sockets all the time: our own.

    The kernel lets nobody detach a raw tracepoint but who holds it; yet kprobes can be switched off for the whole host,
    and a debugger can close any descriptor. Nothing tells us but that our own counts stand still.
    """

    def __init__(self, own: OwnProcess | None) -> None:
        """``own``: this process; None when /proc does not tell its id in the initial pid namespace."""
        self._own = own
        self._last = 0
        self._still = 0

    def is_counting(self, sample: Sample) -> bool:
        """Whether the probe counts, by the next sample; where our own counts never were in any, that is not known."""
        now = self._events(sample)
        self._still = self._still + 1 if now == self._last and now else 0
        self._last = now
        return self._still < _STILL_READINGS

    def _events(self, sample: Sample) -> int:
        if self._own is None:
            return 0
        for identity, rows in sample.processes.items():
            if identity.pid == self._own.pid and self._own.stat.started_at(identity.start):
                # rows of no system call are other probes'
                return sum(count.events for row, count in rows.items() if row.operation is not Operation.NONE)
        return 0
