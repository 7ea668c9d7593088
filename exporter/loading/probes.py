"""The table of probes, one row each. The loader, the flags and doctor are driven by it.

CONTRIBUTING.md has the list of what a new probe needs beside its row.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.loading.copy_routines import CIPHER_ROUTINES, COPY_ROUTINES
from exporter.loading.kernel_constants import (
    Fact,
    argument,
    code_ranges,
    enumerator,
    matching_code_ranges,
    offset,
    offsets,
    optional,
    pointer_argument,
    result,
    size,
    type_id,
)


@dataclass(frozen=True)
class Hook:
    """One way to attach a probe."""

    attach_method: str
    """A key of ``ATTACHERS`` in :mod:`exporter.loading.attach`."""
    target: str
    """The tracepoint (with its category for attach method ``tracepoint``), kernel function or clock."""
    program: str
    """The C function."""
    note: str = ""
    """What the counts miss with this hook; empty when they are exact."""


@dataclass(frozen=True)
class Probe:
    """A program of ``probes/`` and what it needs."""

    name: str
    source: str
    """File in ``probes/``."""
    hooks: tuple[Hook, ...]
    """In order of preference: the first that attaches is used. Those whose programs the kernel may preempt, and then
    skips runs of (:mod:`exporter.loading.preemption`), are tried last."""
    counts: str
    """What it counts, in a few words, for ``--help`` and doctor."""
    missing: str
    """What the metrics lack when it is not attached."""
    facts: tuple[Fact, ...] = ()
    """What it needs to know of the kernel beside ``COMMON``."""
    since: str = ""
    """The first kernel version that it can be attached on; empty for all that are supported."""
    essential: bool = False
    """Whether the exporter cannot serve without it. Its C is compiled even when the probe is switched off."""
    by_default: bool = True
    """False for probes that add more than 100 ns per call to a hot path: they need ``--probe.NAME``."""
    cheap_attach_method: str = ""
    """The attach method by which a probe that is off by default is on nevertheless, where it loses no runs."""


_NO_SECCOMP_ERRNO = "calls that a seccomp filter answers itself are not seen"
_NO_DELAYED_READS = "reads that an I/O limit of a cgroup delays are not seen: a kernel thread submits them"
_REQUESTED_LENGTHS = (
    "requested lengths, and only of copies whose length is not a constant; neither the page cache's copies nor those "
    "of pipes (docs/kernel-level.md)"
)

_KERNEL_COPY_FACTS: tuple[Fact, ...] = (
    # called type, with the direction in bit 0, before 8cd54c1c8480 (v5.14)
    offset("iov_iter", "iter_type", "iter_type", "type"),
    optional(offset("iov_iter", "type"), absent=-1),
    *(type_id(structure) for structure in ("iov_iter", "msghdr", "sock")),
    enumerator("iter_type", "ITER_IOVEC"),
    optional(enumerator("iter_type", "ITER_UBUF"), absent=-1),  # since fcb14cb1bdac (v6.0)
    *offsets("msghdr", "msg_flags", "msg_iter"),
    optional(offset("msghdr", "msg_ubuf"), absent=0),  # since 7c701d92b2b5 (v6.0)
    offset("sock", "sk_route_caps"),
    # before 4346ba160409 (v6.14) sessions share a pool of instances, which sleeping calls exhaust
    optional(offset("fprobe", "rethook"), absent=-1),
    optional(result("generic_perform_write"), absent=0),
    optional(result("iomap_file_buffered_write"), absent=0),
)

_REQUEST_FACTS: tuple[Fact, ...] = (
    # since 052ebf1fbb1c (v5.18); without it the request of a completion is not known
    pointer_argument("io_uring_complete", 1, "request"),
    *offsets("io_kiocb", "file", "opcode", "ctx"),
    offset("io_kiocb", "cqe_res", "cqe.res"),
    offset("io_kiocb", "cqe_user_data", "cqe.user_data"),
    # since b6f58a3f4aa8 (v6.13) in io_uring's own structure for a task, tctx
    offset("io_kiocb", "task", "tctx", "task"),
    optional(offset("io_uring_task", "task"), absent=-1),
    optional(argument("io_uring_complete", "io_uring_cqe"), absent=-1),
    *offsets("io_uring_cqe", "user_data", "res", "flags"),
    *offsets("io_sr_msg", "flags", "msg_flags"),
    *offsets("io_splice", "splice_fd_in", "flags"),
    offset("task_struct", "signal"),
    offset("signal_struct", "live"),
    *(type_id(structure) for structure in ("io_kiocb", "io_sr_msg", "io_splice")),
)


def _kernel_copy(program: str, functions: tuple[str, ...], hop: str) -> Probe:
    """The probe of a kernel function that copies: its names, newest first, and the program for it."""
    return Probe(
        name=program,
        source="kernel_copies.c",
        hooks=(
            *(Hook("fexit", function, program) for function in functions),
            *(Hook("kprobe.session", function, f"{program}_session") for function in functions),
        ),
        counts=f"bytes that {functions[0]} copied from {hop}",
        missing=f"copy_kernel_copied_bytes_total from {hop}",
        facts=_KERNEL_COPY_FACTS,
        by_default=False,
    )


PROBES = (
    Probe(
        name="syscalls",
        source="syscalls.c",
        hooks=(
            Hook("fexit.syscalls", "system calls", "syscall_function", _NO_SECCOMP_ERRNO),
            Hook("raw_tracepoint", "sys_exit", "sys_exit"),
            Hook("kretprobe.multi", "system calls", "syscall_return", _NO_SECCOMP_ERRNO),
        ),
        counts="bytes, calls and errors of every system call that moves data",
        missing="everything with the label syscall",
        essential=True,
    ),
    Probe(
        name="exits",
        source="process_exits.c",
        hooks=(
            Hook("raw_tracepoint", "sched_process_exit", "process_exit"),
            Hook("kprobe", "exit_fs", "process_exit_function"),
        ),
        counts="exits of processes, for their last counts and their name",
        missing="the names of short-lived processes",
        facts=(
            *offsets("task_struct", "signal"),
            offset("signal_struct", "live"),
        ),
        essential=True,
    ),
    Probe(
        name="sendfile",
        source="sendfile.c",
        hooks=(
            Hook("fentry.syscalls", "sendfile", "sendfile_function"),
            Hook("tracepoint", "syscalls/sys_enter_sendfile64", "sendfile_enter"),
            Hook("kprobe", "__x64_sys_sendfile64", "sendfile_enter"),
            Hook("kprobe", "__arm64_sys_sendfile64", "sendfile_enter"),
        ),
        counts="durations of sendfile",
        missing="copy_sendfile_duration_seconds",
    ),
    Probe(
        name="sockets",
        source="sockets.c",
        hooks=(
            Hook("raw_tracepoint", "skb_copy_datagram_iovec", "skb_copy_datagram_iovec"),
            Hook("kprobe", "skb_copy_datagram_iter", "skb_copy_datagram_function"),
        ),
        counts="bytes that the kernel copied from sockets to user memory",
        missing="copy_kernel_copied_bytes_total from sockets",
        facts=(
            type_id("sk_buff"),
            *offsets("sk_buff", "sk", "protocol", "head", "data", "tail", "network_header"),
        ),
    ),
    Probe(
        name="block",
        source="block.c",
        hooks=(
            Hook("raw_tracepoint", "block_bio_queue", "block_bio_queue", _NO_DELAYED_READS),
            Hook("kprobe", "submit_bio", "submit_bio_function"),
        ),
        counts="bytes that disks read into the page cache for a process",
        missing='copy_bytes_total{mechanism="dma"} from disk to page_cache',
        facts=(
            argument("block_bio_queue", "bio"),
            *(type_id(structure) for structure in ("bio", "page", "address_space", "dentry")),
            *offsets("bio", "bi_opf", "bi_io_vec"),
            offset("bio", "bi_iter_bi_idx", "bi_iter.bi_idx"),
            offset("bio", "bi_iter_bi_size", "bi_iter.bi_size"),
            size("bio_vec"),
            offset("bio_vec", "bv_page"),
            *offsets("page", "flags", "mapping"),
            # called compound_head, and always an address, before v7.1
            offset("page", "compound_info", "compound_info", "compound_head"),
            *offsets("task_struct", "flags", "bio_list"),
            enumerator("pageflags", "PG_uptodate"),
            offset("address_space", "host"),
            offset("inode", "i_dentry_first", "i_dentry.first"),
            # in a union without a name since v7.1
            offset("dentry", "d_alias", "d_alias", "d_u.d_alias"),
        ),
    ),
    Probe(
        name="io_uring",
        source="io_uring.c",
        hooks=(Hook("raw_tracepoint", "io_uring_complete", "io_uring_complete"),),
        counts="bytes, requests and errors of io_uring",
        missing='everything with syscall="io_uring_…"',
        facts=_REQUEST_FACTS,
        since="5.18",
    ),
    Probe(
        name="io_uring_multishot",
        source="io_uring.c",
        hooks=(
            Hook("raw_tracepoint", "io_uring_submit_req", "io_uring_submit"),
            # called so before 2ad57931db64 (v6.4)
            Hook("raw_tracepoint", "io_uring_submit_sqe", "io_uring_submit"),
        ),
        counts="requests of io_uring that complete many times",
        missing="all but the last completion of multishot receives and reads, and of bundles",
        facts=_REQUEST_FACTS,
        since="5.18",
    ),
    Probe(
        name="copy_time",
        source="copy_time.c",
        hooks=(Hook("perf_event", "cpu-clock", "copy_time_sample"),),
        counts="CPU time in the kernel's copy and cipher routines, by samples",
        missing="copy_cpu_seconds_total and copy_cipher_seconds_total",
        facts=(
            code_ranges("COPY_ROUTINES", COPY_ROUTINES),
            matching_code_ranges("CIPHER_ROUTINES", CIPHER_ROUTINES),
            offset("bpf_perf_event_data", "sample_period"),
            offset("task_struct", "flags"),
        ),
    ),
    Probe(
        name="usercopy",
        source="usercopy.c",
        hooks=(
            Hook("fentry", "__check_object_size", "check_object_size", _REQUESTED_LENGTHS),
            Hook("kprobe", "__check_object_size", "check_object_size_by_registers", _REQUESTED_LENGTHS),
        ),
        counts="calls of the kernel's own copy_to_user and copy_from_user",
        missing="copy_to_user_… and copy_from_user_…",
        by_default=False,
        cheap_attach_method="fentry",
    ),
    _kernel_copy("filemap_read", ("filemap_read", "generic_file_buffered_read"), "page_cache to user"),
    _kernel_copy("shmem_file_read_iter", ("shmem_file_read_iter",), "page_cache (tmpfs) to user"),
    _kernel_copy("generic_perform_write", ("generic_perform_write",), "user to page_cache"),
    _kernel_copy("iomap_file_buffered_write", ("iomap_file_buffered_write",), "user to page_cache (XFS)"),
    _kernel_copy("tcp_sendmsg_locked", ("tcp_sendmsg_locked",), "user to tcp"),
    _kernel_copy("pipe_read", ("anon_pipe_read", "pipe_read"), "pipe to user"),
    _kernel_copy("pipe_write", ("anon_pipe_write", "pipe_write"), "user to pipe"),
)

PROBE_NAMES = tuple(probe.name for probe in PROBES)
ESSENTIAL_PROBE_NAMES = tuple(probe.name for probe in PROBES if probe.essential)
DEFAULT_PROBE_NAMES = tuple(probe.name for probe in PROBES if probe.by_default)
CHEAP_PROBE_NAMES = tuple(probe.name for probe in PROBES if probe.cheap_attach_method)
"""Those that are on by default on some kernels only (:mod:`exporter.loading.cheap_probes`)."""


def hook_note(name: str, attach_method: str, target: str) -> str:
    """What the counts of a probe miss when it is attached by this hook."""
    probe = next(probe for probe in PROBES if probe.name == name)
    return next((hook.note for hook in probe.hooks if (hook.attach_method, hook.target) == (attach_method, target)), "")


def select(names: Iterable[str]) -> tuple[Probe, ...]:
    """The probes with these names, in the order of the table."""
    wanted = set(names)
    return tuple(probe for probe in PROBES if probe.name in wanted)
