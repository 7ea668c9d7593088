"""The probes: one row each. The loader walks this table and knows no probe by name.

A new probe is a row here, a C file in ``probes/`` and a function in :mod:`exporter.metrics.collector`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.kernel.kallsyms import Ranges
from exporter.loading.copy_routines import COPY_ROUTINES
from exporter.loading.kernel_constants import (
    Argument,
    ArgumentOr,
    Either,
    Fact,
    Offset,
    OffsetOr,
    PointerArgument,
    Return,
    Size,
    TypeId,
    Value,
    ValueOr,
)


@dataclass(frozen=True)
class Hook:
    """One way to attach a probe."""

    attach_method: str
    """How: a key of ``ATTACHERS`` in :mod:`exporter.loading.attach`."""
    target: str
    """Where: a tracepoint's name, with its category where the attach method wants one."""
    program: str
    """The C function."""
    note: str = ""
    """What is to be known of counts that are made this way."""


@dataclass(frozen=True)
class Probe:
    """What is attached, what it needs of the kernel and what is lost without it."""

    name: str
    source: str
    """File in ``probes/``."""
    hooks: tuple[Hook, ...]
    """In order of preference: the first that attaches wins. Those whose programs the kernel may preempt, and so skips
    runs of (:mod:`exporter.loading.preemption`), come after all others."""
    shows: str
    """What its counts tell, in a few words."""
    without: str
    """What is missing from the metrics when it is not attached."""
    facts: tuple[Fact, ...] = ()
    essential: bool = False
    """Without it there is nothing to serve."""
    by_default: bool = True
    """False: costs more than 100 ns a call on a hot path, so only with ``--probe.NAME``."""


_UNASKED = "calls that a seccomp filter answers itself are not seen"
_CHECKED = (
    "the length asked for, of copies whose length is not constant; neither the page cache's nor the pipes' "
    "(docs/kernel-level.md)"
)

_KERNEL_COPY_FACTS: tuple[Fact, ...] = (
    # called type, in another encoding, before 8cd54c1c8480 (v5.14)
    Offset("iov_iter", "iter_type", ("iter_type", "type")),
    *(TypeId(structure) for structure in ("iov_iter", "msghdr", "sock")),
    Either("ITER_TYPE_MASK", "iov_iter", "iter_type", present=0xFF, absent=0xFE),
    Value("iter_type", "ITER_IOVEC"),
    ValueOr("iter_type", "ITER_UBUF", absent=-1),  # since fcb14cb1bdac (v6.0)
    Offset("msghdr", "msg_flags"),
    Offset("msghdr", "msg_iter"),
    OffsetOr("msghdr", "msg_ubuf", absent=0),  # since 7c701d92b2b5 (v6.0)
    Offset("sock", "sk_route_caps"),
    # a pool of instances, that sleeping calls empty, before 4346ba160409 (v6.14)
    Either("SESSIONS_RUN_OUT", "fprobe", "rethook", present=1, absent=0),
    Return("generic_perform_write"),
    Return("iomap_file_buffered_write"),
)

_REQUEST_FACTS: tuple[Fact, ...] = (
    # since 052ebf1fbb1c (v5.18); before that, nothing tells whose completion it is
    PointerArgument("io_uring_complete", 1, "request"),
    Offset("io_kiocb", "file"),
    Offset("io_kiocb", "opcode"),
    Offset("io_kiocb", "cqe_res", ("cqe.res",)),
    Offset("io_kiocb", "cqe_user_data", ("cqe.user_data",)),
    Offset("io_kiocb", "ctx"),
    # in io_uring's own structure for a task since b6f58a3f4aa8 (v6.13)
    Offset("io_kiocb", "task", ("tctx", "task")),
    OffsetOr("io_uring_task", "task", absent=-1),
    ArgumentOr("io_uring_complete", "io_uring_cqe", absent=-1),
    *(Offset("io_uring_cqe", member) for member in ("user_data", "res", "flags")),
    Offset("io_sr_msg", "flags"),
    Offset("io_sr_msg", "msg_flags"),
    Offset("io_splice", "splice_fd_in"),
    Offset("io_splice", "flags"),
    Offset("task_struct", "signal"),
    Offset("signal_struct", "live"),
    TypeId("io_kiocb"),
    TypeId("io_sr_msg"),
    TypeId("io_splice"),
)


def _usercopy(direction: str) -> Probe:
    return Probe(
        name=f"copy_{direction}_user",
        source="usercopy.c",
        hooks=(
            Hook("kprobe", f"_copy_{direction}_user", f"copy_{direction}_user_function"),
            Hook("fentry", "__check_object_size", f"check_{direction}_user", _CHECKED),
            Hook("kprobe", "__check_object_size", f"check_{direction}_user_by_registers", _CHECKED),
        ),
        shows=f"calls of the kernel's own copy_{direction}_user",
        without=f"copy_{direction}_user_bytes_total and copy_{direction}_user_calls_total",
        by_default=False,
    )


def _kernel_copy(program: str, functions: tuple[str, ...], hop: str) -> Probe:
    """A function that copies, newest name first, and the program for it."""
    return Probe(
        name=program,
        source="kernel_copies.c",
        hooks=(
            *(Hook("fexit", function, program) for function in functions),
            *(Hook("kprobe.session", function, f"{program}_session") for function in functions),
        ),
        shows=f"what {functions[0]} copied from {hop}",
        without=f"copy_kernel_copied_bytes_total from {hop}",
        facts=_KERNEL_COPY_FACTS,
        by_default=False,
    )


PROBES = (
    Probe(
        name="syscalls",
        source="syscalls.c",
        hooks=(
            Hook("raw_tracepoint", "sys_exit", "sys_exit"),
            Hook("kretprobe.multi", "system calls", "syscall_return", _UNASKED),
        ),
        shows="bytes, calls and errors of every system call that moves data",
        without="everything that is counted by system call",
        essential=True,
    ),
    Probe(
        name="exits",
        source="process_exits.c",
        hooks=(
            Hook("raw_tracepoint", "sched_process_exit", "process_exit"),
            Hook("kprobe", "exit_fs", "process_exit_function"),
        ),
        shows="the end of processes, with their last counts and name",
        without="which process the counts of short-lived processes belong to",
        facts=(
            Offset("task_struct", "signal"),
            Offset("task_struct", "comm"),
            Offset("signal_struct", "live"),
        ),
        essential=True,
    ),
    Probe(
        name="sendfile",
        source="sendfile.c",
        hooks=(
            Hook("tracepoint", "syscalls/sys_enter_sendfile64", "sendfile_enter"),
            Hook("kprobe", "__x64_sys_sendfile64", "sendfile_enter"),
            Hook("kprobe", "__arm64_sys_sendfile64", "sendfile_enter"),
        ),
        shows="how long sendfile takes",
        without="copy_sendfile_duration_seconds",
    ),
    Probe(
        name="sockets",
        source="sockets.c",
        hooks=(
            Hook("raw_tracepoint", "skb_copy_datagram_iovec", "skb_copy_datagram_iovec"),
            Hook("kprobe", "skb_copy_datagram_iter", "skb_copy_datagram_function"),
        ),
        shows="what the kernel copied from sockets to user memory",
        without="copy_kernel_copied_bytes_total for sockets",
        facts=(
            TypeId("sk_buff"),
            Offset("sk_buff", "sk"),
            Offset("sk_buff", "protocol"),
            Offset("sock", "sk_type"),
        ),
    ),
    Probe(
        name="block",
        source="block.c",
        hooks=(
            Hook("raw_tracepoint", "block_bio_queue", "block_bio_queue"),
            Hook("kprobe", "submit_bio", "submit_bio_function"),
        ),
        shows="what disks read into the page cache for a process",
        without="copy_bytes_total from disk to page_cache",
        facts=(
            Argument("block_bio_queue", "bio"),
            TypeId("bio"),
            Offset("bio", "bi_opf"),
            Offset("bio", "bi_io_vec"),
            Offset("bio", "bi_iter_bi_idx", ("bi_iter.bi_idx",)),
            Offset("bio", "bi_iter_bi_size", ("bi_iter.bi_size",)),
            Size("bio_vec"),
            Offset("bio_vec", "bv_page"),
            TypeId("page"),
            Offset("page", "flags"),
            # called compound_head, and always an address, before v7.1
            Offset("page", "compound_info", ("compound_info", "compound_head")),
            Offset("task_struct", "flags"),
            Offset("task_struct", "bio_list"),
            Value("pageflags", "PG_uptodate"),
            Offset("page", "mapping"),
            Offset("address_space", "host"),
            Offset("inode", "i_dentry_first", ("i_dentry.first",)),
            # in a union without a name since v7.1
            Offset("dentry", "d_alias", ("d_alias", "d_u.d_alias")),
            TypeId("address_space"),
            TypeId("dentry"),
        ),
    ),
    Probe(
        name="io_uring",
        source="io_uring.c",
        hooks=(Hook("raw_tracepoint", "io_uring_complete", "io_uring_complete"),),
        shows="bytes, requests and errors of io_uring",
        without='everything that is counted as syscall="io_uring_…"',
        facts=_REQUEST_FACTS,
    ),
    Probe(
        name="io_uring_multishot",
        source="io_uring.c",
        hooks=(
            Hook("raw_tracepoint", "io_uring_submit_req", "io_uring_submit"),
            # called so before 2ad57931db64 (v6.4)
            Hook("raw_tracepoint", "io_uring_submit_sqe", "io_uring_submit"),
        ),
        shows="which requests of io_uring complete many times",
        without="all but the last completion of multishot receives and reads, and of bundles",
        facts=_REQUEST_FACTS,
    ),
    Probe(
        name="copy_time",
        source="copy_time.c",
        hooks=(Hook("perf_event", "cpu-clock", "copy_time_sample"),),
        shows="CPU time in the kernel's copy routines, by samples",
        without="copy_cpu_seconds_total",
        facts=(
            Ranges("COPY_ROUTINES", COPY_ROUTINES),
            Offset("bpf_perf_event_data", "sample_period"),
            Offset("task_struct", "flags"),
        ),
    ),
    _usercopy("to"),
    _usercopy("from"),
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


def note_of(name: str, attach_method: str, target: str) -> str:
    """What is to be known of a probe that is attached this way."""
    probe = next(probe for probe in PROBES if probe.name == name)
    return next((hook.note for hook in probe.hooks if (hook.attach_method, hook.target) == (attach_method, target)), "")


def named(names: Iterable[str]) -> tuple[Probe, ...]:
    """The rows with these names, in the order of the table."""
    wanted = set(names)
    return tuple(probe for probe in PROBES if probe.name in wanted)
