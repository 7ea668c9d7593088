"""CPU time and memory of a process, read from /proc."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ThreadTimes = Mapping[str, int]
"""CPU time in nanoseconds by thread id."""


def thread_times(pid: int) -> ThreadTimes:
    """CPU time so far of each thread, from the scheduler: finer than the clock ticks of /proc/PID/stat."""
    times = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # it has exited
            times[thread.name] = int((thread / "schedstat").read_text().split()[0])
    return times


def cpu_seconds(before: ThreadTimes, after: ThreadTimes) -> float:
    """CPU time between two calls of :func:`thread_times`, of the threads that live at the second."""
    return sum(now - before.get(thread, 0) for thread, now in after.items()) / 1e9


def resident_kib(pid: int) -> int:
    """Resident memory in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
