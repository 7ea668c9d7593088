"""The calls of libbpf that the exporter needs, by ctypes (``libbpf.so.1``, version 1.0 and later).

Every function raises :class:`OSError` with the errno of the kernel when the kernel refuses.
"""

import ctypes as ct
import errno
import mmap
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from platform import machine
from typing import Any

from exporter.errors import KernelError
from exporter.kernel import libc
from exporter.kernel.scheduling import unpreempted

PROG_TYPE_KPROBE = 2
PROG_TYPE_TRACEPOINT = 5
PROG_TYPE_PERF_EVENT = 7
PROG_TYPE_RAW_TRACEPOINT = 17
PROG_TYPE_TRACING = 26
ATTACH_TYPE_TRACE_RAW_TP = 23
ATTACH_TYPE_TRACE_FENTRY = 24
ATTACH_TYPE_TRACE_FEXIT = 25
ATTACH_TYPE_TRACE_KPROBE_MULTI = 42
ATTACH_TYPE_TRACE_KPROBE_SESSION = 56
STATS_RUN_TIME = 0
_RUN_ARGUMENTS = 12
"""MAX_BPF_FUNC_ARGS, include/linux/bpf.h."""
_KPROBE_MULTI_RETURN = 1
_NR_BPF = {"x86_64": 321, "aarch64": 280}
_BPF_MAP_GET_FD_BY_ID = 14
_BPF_LINK_CREATE = 28
_BPF_F_RDONLY = 1 << 3


class _ProgLoadOpts(ct.Structure):
    """``struct bpf_prog_load_opts`` of libbpf 1.0. Later versions append members; ``sz`` is the size of this one."""

    _fields_ = [
        ("sz", ct.c_size_t),
        ("attempts", ct.c_int),
        ("expected_attach_type", ct.c_int),
        ("prog_btf_fd", ct.c_uint32),
        ("prog_flags", ct.c_uint32),
        ("prog_ifindex", ct.c_uint32),
        ("kern_version", ct.c_uint32),
        ("attach_btf_id", ct.c_uint32),
        ("attach_prog_fd", ct.c_uint32),
        ("attach_btf_obj_fd", ct.c_uint32),
        ("fd_array", ct.c_void_p),
        ("func_info", ct.c_void_p),
        ("func_info_cnt", ct.c_uint32),
        ("func_info_rec_size", ct.c_uint32),
        ("line_info", ct.c_void_p),
        ("line_info_cnt", ct.c_uint32),
        ("line_info_rec_size", ct.c_uint32),
        ("log_level", ct.c_uint32),
        ("log_size", ct.c_uint32),
        ("log_buf", ct.c_char_p),
    ]


class _TestRunOpts(ct.Structure):
    """``struct bpf_test_run_opts``."""

    _fields_ = [
        ("sz", ct.c_size_t),
        ("data_in", ct.c_void_p),
        ("data_out", ct.c_void_p),
        ("data_size_in", ct.c_uint32),
        ("data_size_out", ct.c_uint32),
        ("ctx_in", ct.c_void_p),
        ("ctx_out", ct.c_void_p),
        ("ctx_size_in", ct.c_uint32),
        ("ctx_size_out", ct.c_uint32),
        ("retval", ct.c_uint32),
        ("repeat", ct.c_int),
        ("duration", ct.c_uint32),
        ("flags", ct.c_uint32),
        ("cpu", ct.c_uint32),
        ("batch_size", ct.c_uint32),
    ]


class _FunctionsLink(ct.Structure):
    """``union bpf_attr`` of BPF_LINK_CREATE, for kprobes."""

    _fields_ = [
        ("prog_fd", ct.c_uint32),
        ("target_fd", ct.c_uint32),
        ("attach_type", ct.c_uint32),
        ("flags", ct.c_uint32),
        ("kprobe_flags", ct.c_uint32),
        ("cnt", ct.c_uint32),
        ("syms", ct.c_uint64),
        ("addrs", ct.c_uint64),
        ("cookies", ct.c_uint64),
    ]


class _ProgInfo(ct.Structure):
    """The head of ``struct bpf_prog_info`` (include/uapi/linux/bpf.h)."""

    _fields_ = [
        ("type", ct.c_uint32),
        ("id", ct.c_uint32),
        ("tag", ct.c_uint8 * 8),
        ("jited_prog_len", ct.c_uint32),
        ("xlated_prog_len", ct.c_uint32),
        ("_unread", ct.c_uint8 * 168),
        ("run_time_ns", ct.c_uint64),
        ("run_cnt", ct.c_uint64),
        ("recursion_misses", ct.c_uint64),
    ]


class _MapInfo(ct.Structure):
    """The head of ``struct bpf_map_info``."""

    _fields_ = [
        ("type", ct.c_uint32),
        ("id", ct.c_uint32),
        ("key_size", ct.c_uint32),
        ("value_size", ct.c_uint32),
        ("max_entries", ct.c_uint32),
    ]


@dataclass(frozen=True)
class ProgramInfo:
    """The kernel's data of a loaded program. The run statistics are 0 unless they are switched on."""

    run_time_ns: int
    run_count: int
    missed: int
    jited_bytes: int
    instructions: int
    """The number after the verifier's changes, before they become machine code."""


@dataclass(frozen=True)
class MapInfo:
    """Sizes of keys and values in bytes, and the maximum number of entries."""

    key_size: int
    value_size: int
    max_entries: int


_READ_BYTES = 4 << 20
"""Of values, in one call."""
_MIN_READ_ENTRIES = 1024
"""A call must have room for all entries of one bucket of the hash."""
_NOT_SUPPORTED = (errno.EOPNOTSUPP, 524)
"""524 is the kernel's own ENOTSUPP."""


@cache
def library() -> Any:
    """The library. Raises :class:`KernelError`, which names the package, when it is not installed."""
    try:
        lib = ct.CDLL("libbpf.so.1", use_errno=True)
    except OSError:
        raise KernelError("libbpf.so.1 is not installed: apt-get install libbpf1") from None
    lib.btf__load_vmlinux_btf.restype = ct.c_void_p
    lib.btf__type_by_id.restype = ct.POINTER(ct.c_uint32)
    lib.btf__type_by_id.argtypes = [ct.c_void_p, ct.c_uint32]
    lib.btf__name_by_offset.restype = ct.c_char_p
    lib.btf__name_by_offset.argtypes = [ct.c_void_p, ct.c_uint32]
    lib.btf__find_by_name_kind.argtypes = [ct.c_void_p, ct.c_char_p, ct.c_uint32]
    lib.btf__resolve_size.argtypes = [ct.c_void_p, ct.c_uint32]
    lib.btf__resolve_size.restype = ct.c_int64
    lib.bpf_prog_load.argtypes = [ct.c_int, ct.c_char_p, ct.c_char_p, ct.c_char_p, ct.c_size_t, ct.c_void_p]
    lib.bpf_raw_tracepoint_open.argtypes = [ct.c_char_p, ct.c_int]
    lib.bpf_map_update_elem.argtypes = [ct.c_int, ct.c_char_p, ct.c_char_p, ct.c_uint64]
    lib.bpf_map_lookup_elem.argtypes = [ct.c_int, ct.c_char_p, ct.c_char_p]
    lib.bpf_map_lookup_and_delete_elem.argtypes = [ct.c_int, ct.c_char_p, ct.c_char_p]
    lib.bpf_map_delete_elem.argtypes = [ct.c_int, ct.c_char_p]
    return lib


def _checked(call: Callable[..., int], *arguments: object) -> int:
    result = call(*arguments)
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def load_program(kind: int, name: str, code: bytes, *, attach_type: int = 0, attach_btf_id: int = 0) -> int:
    """Load a program and return its descriptor. The message of an error ends with the verifier's last line."""
    log = ct.create_string_buffer(1 << 16)
    options = _ProgLoadOpts(
        sz=ct.sizeof(_ProgLoadOpts),
        expected_attach_type=attach_type,
        attach_btf_id=attach_btf_id,
    )
    arguments = (kind, name[:15].encode(), b"Dual BSD/GPL", code, len(code) // 8)
    descriptor = library().bpf_prog_load(*arguments, ct.byref(options))
    if descriptor >= 0:
        return int(descriptor)
    error = -descriptor
    options.log_level, options.log_size, options.log_buf = 1, len(log), ct.cast(log, ct.c_char_p)
    library().bpf_prog_load(*arguments, ct.byref(options))
    lines = [line for line in log.value.decode(errors="replace").splitlines() if not line.startswith("processed ")]
    raise OSError(error, f"{os.strerror(error)}{': ' + lines[-1] if lines else ''}")


def open_raw_tracepoint(program: int) -> int:
    """Attach a program that was loaded for one tracepoint or function. Closing the returned descriptor detaches it."""
    return _checked(library().bpf_raw_tracepoint_open, None, program)


def attach_functions(program: int, functions: Sequence[str], attach_type: int, *, returns: bool = False) -> int:
    """Attach to many kernel functions at once (v5.18). Closing the returned descriptor detaches from all.

    This makes the system call directly, because libbpf 1.0 does not know the newer types.
    """
    names = (ct.c_char_p * len(functions))(*(name.encode() for name in functions))
    link = _FunctionsLink(prog_fd=program, attach_type=attach_type, cnt=len(functions), syms=ct.addressof(names))
    link.kprobe_flags = _KPROBE_MULTI_RETURN if returns else 0
    return libc.call("syscall", _NR_BPF[machine()], _BPF_LINK_CREATE, ct.byref(link), ct.sizeof(link))


def run_program(program: int, argument: int) -> int:
    """Run a program of the type raw tracepoint once (v5.10), and return its result. ``argument`` is its last one."""
    context = (ct.c_uint64 * _RUN_ARGUMENTS)()
    context[-1] = argument
    options = _TestRunOpts(sz=ct.sizeof(_TestRunOpts), ctx_in=ct.addressof(context), ctx_size_in=ct.sizeof(context))
    with unpreempted():
        _checked(library().bpf_prog_test_run_opts, program, ct.byref(options))
    return int(options.retval)


def map_memory(descriptor: int, stride: int) -> mmap.mmap:
    """Return the memory of an array with BPF_F_MMAPABLE, whose elements are ``stride`` bytes apart."""
    return mmap.mmap(descriptor, map_info(descriptor).max_entries * stride)


def map_info(descriptor: int) -> MapInfo:
    """Return the sizes of a map."""
    info = _MapInfo()
    _object_info(descriptor, info)
    return MapInfo(info.key_size, info.value_size, info.max_entries)


def read_only(descriptor: int) -> int:
    """Return a descriptor of the same map that can only be read; the same one without CAP_SYS_ADMIN."""
    info = _MapInfo()
    _object_info(descriptor, info)
    request = struct.pack("=III", info.id, 0, _BPF_F_RDONLY)
    try:
        return libc.call("syscall", _NR_BPF[machine()], _BPF_MAP_GET_FD_BY_ID, request, len(request))
    except PermissionError:
        return descriptor


def program_info(descriptor: int) -> ProgramInfo:
    """Return the data of a program. ``missed`` is 0 before v5.12 (commit 9ed9e9ba2337)."""
    info = _ProgInfo()
    _object_info(descriptor, info)
    return ProgramInfo(
        run_time_ns=info.run_time_ns,
        run_count=info.run_cnt,
        missed=info.recursion_misses,
        jited_bytes=info.jited_prog_len,
        instructions=info.xlated_prog_len // 8,
    )


def _object_info(descriptor: int, info: ct.Structure) -> None:
    length = ct.c_uint32(ct.sizeof(info))
    _checked(library().bpf_obj_get_info_by_fd, descriptor, ct.byref(info), ct.byref(length))


def enable_run_statistics() -> int:
    """Let the kernel measure the run time of programs, as long as the returned descriptor is open."""
    return _checked(library().bpf_enable_stats, STATS_RUN_TIME)


def read_map(descriptor: int, info: MapInfo) -> tuple[bytes, bytes]:
    """Return all keys and all values of a hash map, each as one string of bytes, in the same order.

    Elements that are there all the time come exactly once; those added or deleted meanwhile come once or not at all.
    """
    keys: list[bytes] = []
    values: list[bytes] = []
    room = min(info.max_entries, max(_READ_BYTES // info.value_size, _MIN_READ_ENTRIES))
    key_buffer = ct.create_string_buffer(room * info.key_size)
    value_buffer = ct.create_string_buffer(room * info.value_size)
    batch_in, batch_out = ct.create_string_buffer(max(info.key_size, 8)), ct.create_string_buffer(max(info.key_size, 8))
    position = None
    while True:
        count = ct.c_uint32(room)
        with unpreempted():
            result = library().bpf_map_lookup_batch(
                descriptor, position, batch_out, key_buffer, value_buffer, ct.byref(count), None
            )
        if result < 0 and -result != errno.ENOENT:
            raise OSError(-result, os.strerror(-result))
        keys.append(ct.string_at(key_buffer, count.value * info.key_size))
        values.append(ct.string_at(value_buffer, count.value * info.value_size))
        if result < 0:
            return b"".join(keys), b"".join(values)
        batch_in, batch_out = batch_out, batch_in
        position = batch_in


def delete_from_map(descriptor: int, keys: Sequence[bytes]) -> None:
    """Delete those of these keys that are in the map."""
    while keys:
        count = ct.c_uint32(len(keys))
        with unpreempted():
            result = library().bpf_map_delete_batch(descriptor, b"".join(keys), ct.byref(count), None)
        if result == 0:
            return
        if result != -errno.ENOENT:
            raise OSError(-result, os.strerror(-result))
        keys = keys[count.value + 1 :]  # this many were deleted before the first that is missing


def take_from_map(descriptor: int, key: bytes, value_size: int) -> bytes | None:
    """Delete a key of a hash map, and return its value at that moment; None when the map does not have it.

    Before 5.14 (3e87f192b405) the kernel does not do both at once: what is counted between the two is lost.
    """
    value = ct.create_string_buffer(value_size)
    with unpreempted():
        result = library().bpf_map_lookup_and_delete_elem(descriptor, key, value)
        if -result in _NOT_SUPPORTED:
            result = library().bpf_map_lookup_elem(descriptor, key, value)
            if result == 0:
                result = library().bpf_map_delete_elem(descriptor, key)
    if result == -errno.ENOENT:
        return None
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return value.raw


def read_element(descriptor: int, key: bytes, value_size: int) -> bytes:
    """Return the value of a key."""
    value = ct.create_string_buffer(value_size)
    with unpreempted():
        _checked(library().bpf_map_lookup_elem, descriptor, key, value)
    return value.raw


def write_element(descriptor: int, key: bytes, value: bytes) -> None:
    """Set the value of a key."""
    with unpreempted():
        _checked(library().bpf_map_update_elem, descriptor, key, value, 0)
