"""Moments in which no ordinary task takes the CPU from this one.

While a task is inside a system call on a map, the kernel runs no program on functions or trace events on that CPU
(``bpf_prog_active``). Where it preempts itself, a reader that lost the CPU right there would cost every other task its
counts.
"""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOWEST = 1
"""Of the real-time priorities: above all ordinary tasks, below all else that is real-time."""


def permit() -> None:
    """Let this process have such moments when it is not root any more; takes CAP_SYS_RESOURCE, else nothing changes."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_RTPRIO, (_LOWEST, _LOWEST))


@contextmanager
def unpreempted() -> Iterator[None]:
    """Run the body so if that is permitted, else as it is; for the calling thread."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_LOWEST))
    except OSError:  # a limit, or a control group without real-time
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)
