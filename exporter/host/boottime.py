"""The time since boot, as the kernel and its probes count it, in time namespaces too (time_namespaces(7))."""

import time
from functools import cache
from pathlib import Path

_OFFSETS = Path("/proc/self/timens_offsets")


def boottime_ns() -> int:
    """Return CLOCK_BOOTTIME of the initial time namespace, the clock of the probes."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - boottime_offset_ns()


@cache
def boottime_offset_ns() -> int:
    """Return how far the boot time of this process, and so each start that /proc shows it, is ahead of the host's."""
    try:
        return parse_offsets(_OFFSETS.read_text())
    except OSError:  # no time namespaces in this kernel
        return 0


def parse_offsets(text: str) -> int:
    """Return the offset of the boot time in nanoseconds, from the text of /proc/PID/timens_offsets."""
    for line in text.splitlines():
        clock, seconds, nanoseconds = line.split()
        if clock == "boottime":
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return 0
