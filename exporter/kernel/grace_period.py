"""Waiting until every probe has ended that was running."""

import time
from contextlib import suppress
from platform import machine

from exporter.kernel import libc

_NR_MEMBARRIER = {"x86_64": 324, "aarch64": 283}
_GLOBAL = 1
_FALLBACK_SECONDS = 1.0
"""Longer than a probe takes. For hosts with nohz_full, and for containers whose seccomp profile refuses the call."""


def wait_for_running_probes() -> None:
    """Wait for a grace period of RCU, which guards the programs: the kernel waits in membarrier (v4.3)."""
    with suppress(OSError):
        libc.call("syscall", _NR_MEMBARRIER[machine()], _GLOBAL, 0, 0)
        return
    time.sleep(_FALLBACK_SECONDS)
