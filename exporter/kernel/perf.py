"""Programs on perf events: tracepoints by their name in tracefs, and kprobes."""

import ctypes as ct
import errno
import os
from fcntl import ioctl
from pathlib import Path
from platform import machine

_KPROBE_TYPE = Path("/sys/bus/event_source/devices/kprobe/type")
_TRACEFS = Path("/sys/kernel/tracing")
_NR_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
_PERF_TYPE_TRACEPOINT = 2
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
        ("_sampling", ct.c_uint8 * 40),
        ("config1", ct.c_uint64),
        ("config2", ct.c_uint64),
        ("_rest", ct.c_uint8 * 40),
    ]


def attach_tracepoint(name: str, program: int) -> int:
    """Run ``program`` at tracepoint ``category/event`` on every CPU; returns the event's descriptor.

    Raises :class:`OSError` with the kernel's refusal, also when there is no such tracepoint.
    """
    return _attach(_Attr(type=_PERF_TYPE_TRACEPOINT, config=_tracepoint_id(name)), program)


def attach_kprobe(function: str, program: int) -> int:
    """Run ``program`` at the entry of a kernel function; returns the event's descriptor.

    Raises :class:`OSError` with the kernel's refusal, also when the kernel has no kprobes.
    """
    try:
        kind = int(_KPROBE_TYPE.read_text())
    except OSError:
        raise OSError(errno.EOPNOTSUPP, "this kernel is built without kprobes (CONFIG_KPROBE_EVENTS)") from None
    name = ct.create_string_buffer(function.encode())
    return _attach(_Attr(type=kind, config1=ct.addressof(name)), program)


def _attach(attr: _Attr, program: int) -> int:
    attr.size = ct.sizeof(_Attr)
    # One event is enough: a program belongs to the probed place, not to the CPU of the event.
    event = _call("syscall", _NR_PERF_EVENT_OPEN[machine()], ct.byref(attr), -1, 0, -1, _PERF_FLAG_FD_CLOEXEC)
    ioctl(event, _PERF_EVENT_IOC_SET_BPF, program)
    ioctl(event, _PERF_EVENT_IOC_ENABLE, 0)
    return event


def _tracepoint_id(name: str) -> int:
    if not (_TRACEFS / "events").is_dir():
        _mount_tracefs()
    return int((_TRACEFS / "events" / name / "id").read_text())


def _mount_tracefs() -> None:
    """For this process alone: in a mount namespace of its own, so that the host's mounts stay as they are."""
    _call("unshare", _CLONE_NEWNS)
    _call("mount", b"none", b"/", None, _MS_REC_PRIVATE, None)
    _call("mount", b"tracefs", bytes(_TRACEFS), b"tracefs", 0, None)


def _call(function: str, *arguments: object) -> int:
    result: int = getattr(ct.CDLL(None, use_errno=True), function)(*arguments)
    if result < 0:
        number = ct.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
    return result
