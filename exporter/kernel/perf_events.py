"""Attaches programs to perf events: tracepoints by their name in tracefs, kprobes, and samples of the CPU clock."""

import ctypes as ct
import errno
import os
from fcntl import ioctl
from pathlib import Path
from platform import machine

from exporter.kernel import libc

_KPROBE_TYPE = Path("/sys/bus/event_source/devices/kprobe/type")
_TRACEFS = Path("/sys/kernel/tracing")
_NR_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
_PERF_TYPE_SOFTWARE = 1
_PERF_TYPE_TRACEPOINT = 2
_PERF_COUNT_SW_CPU_CLOCK = 0
_EXCLUDE_USER = 1 << 4
_EXCLUDE_IDLE = 1 << 7
_ONLINE = Path("/sys/devices/system/cpu/online")
_PERF_FLAG_FD_CLOEXEC = 8
_PERF_EVENT_IOC_SET_BPF = 0x40042408
_PERF_EVENT_IOC_ENABLE = 0x2400
_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 0x4000 | 1 << 18


class _Attr(ct.Structure):
    """``struct perf_event_attr``, PERF_ATTR_SIZE_VER5."""

    _fields_ = [
        ("type", ct.c_uint32),
        ("size", ct.c_uint32),
        ("config", ct.c_uint64),
        ("sample_period", ct.c_uint64),
        ("_samples", ct.c_uint8 * 16),
        ("flags", ct.c_uint64),
        ("_wakeup", ct.c_uint8 * 8),
        ("config1", ct.c_uint64),
        ("config2", ct.c_uint64),
        ("_rest", ct.c_uint8 * 40),
    ]


def attach_tracepoint(name: str, program: int) -> int:
    """Run ``program`` at tracepoint ``category/event`` on every CPU. Returns the descriptor of the event.

    Raises :class:`OSError` when the kernel refuses, also when there is no such tracepoint.
    """
    return _attach(_Attr(type=_PERF_TYPE_TRACEPOINT, config=_tracepoint_id(name)), program)


def attach_kprobe(function: str, program: int) -> int:
    """Run ``program`` at the entry of a kernel function. Returns the descriptor of the event.

    Raises :class:`OSError` when the kernel refuses, also when it has no kprobes.
    """
    try:
        kind = int(_KPROBE_TYPE.read_text())
    except OSError:
        raise OSError(errno.EOPNOTSUPP, "this kernel is built without kprobes (CONFIG_KPROBE_EVENTS)") from None
    name = ct.create_string_buffer(function.encode())
    return _attach(_Attr(type=kind, config1=ct.addressof(name)), program)


def attach_clock(rate: int, program: int) -> list[int]:
    """Run ``program`` ``rate`` times per second on every online CPU that is inside the kernel and not idle then.

    Returns the descriptors of the events, one per CPU. Raises :class:`OSError` when the kernel refuses.
    """
    attr = _Attr(
        type=_PERF_TYPE_SOFTWARE,
        config=_PERF_COUNT_SW_CPU_CLOCK,
        sample_period=1_000_000_000 // rate,
        flags=_EXCLUDE_USER | _EXCLUDE_IDLE,
    )
    events: list[int] = []
    try:
        for cpu in numbers(_ONLINE.read_text()):
            events.append(_attach(attr, program, cpu))
    except OSError:
        for event in events:
            os.close(event)
        raise
    return events


def numbers(text: str) -> list[int]:
    """Parse a list of numbers as the kernel writes them.

    >>> numbers("0-2,5")
    [0, 1, 2, 5]
    """
    ends = [[int(end) for end in piece.split("-")] for piece in text.strip().split(",")]
    return [number for first, *last in ends for number in range(first, (last or [first])[0] + 1)]


def _attach(attr: _Attr, program: int, cpu: int = 0) -> int:
    attr.size = ct.sizeof(_Attr)
    # One event on any CPU is enough for tracepoints and kprobes: their programs run on all.
    event = libc.call("syscall", _NR_PERF_EVENT_OPEN[machine()], ct.byref(attr), -1, cpu, -1, _PERF_FLAG_FD_CLOEXEC)
    try:
        ioctl(event, _PERF_EVENT_IOC_SET_BPF, program)
        ioctl(event, _PERF_EVENT_IOC_ENABLE, 0)
    except OSError:
        os.close(event)
        raise
    return event


def _tracepoint_id(name: str) -> int:
    if not (_TRACEFS / "events").is_dir():
        _mount_tracefs()
    return int((_TRACEFS / "events" / name / "id").read_text())


def _mount_tracefs() -> None:
    """Mount it in a new mount namespace of this process, so that the host's mounts do not change."""
    libc.call("unshare", _CLONE_NEWNS)
    above = next(path for path in _TRACEFS.parents if path.is_mount())  # in a chroot "/" is not a mount point
    libc.call("mount", b"none", bytes(above), None, _MS_REC_PRIVATE, None)
    libc.call("mount", b"tracefs", bytes(_TRACEFS), b"tracefs", 0, None)
