"""Keeps the CPU for short moments, in which no ordinary task preempts this one.

While a task is inside a system call on a map, the kernel runs no program on functions or trace events on that CPU
(``bpf_prog_active``). If a reader of maps is preempted there, the other tasks of that CPU are not counted.
"""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOWEST = 1
"""The lowest real-time priority: above all ordinary tasks, below all other real-time tasks."""


def permit() -> None:
    """Allow :func:`unpreempted` after root is dropped. Needs CAP_SYS_RESOURCE; without it nothing changes."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_RTPRIO, (_LOWEST, _LOWEST))


@contextmanager
def unpreempted() -> Iterator[None]:
    """Run the body in the calling thread with a real-time priority; if that is not permitted, with the present one."""
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
