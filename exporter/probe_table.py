"""The probes: one row each. The loader walks this table and knows no probe by name.

A new probe is a row here, a C file in ``probes/`` and a function in :mod:`exporter.metrics`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.kernel.facts import Argument, Fact, Offset, Size, TypeId, Value


@dataclass(frozen=True)
class Hook:
    """One way to attach a probe."""

    mechanism: str
    """How: a key of ``ATTACHERS`` in :mod:`exporter.attachers`."""
    target: str
    """Where: a tracepoint's name, with its category where the mechanism wants one."""
    program: str
    """The C function."""


@dataclass(frozen=True)
class Probe:
    """What is attached, what it needs of the kernel and what is lost without it."""

    name: str
    source: str
    """File in ``probes/``."""
    hooks: tuple[Hook, ...]
    """In order of preference: the first that attaches wins."""
    shows: str
    """What its counts tell, in a few words."""
    without: str
    """What is missing from the metrics when it is not attached."""
    facts: tuple[Fact, ...] = ()
    essential: bool = False
    """Without it there is nothing to serve."""


PROBES = (
    Probe(
        name="syscalls",
        source="syscalls.c",
        hooks=(Hook("raw_tracepoint", "sys_exit", "sys_exit"),),
        shows="bytes, calls and errors of every system call that moves data",
        without="everything that is counted by system call",
        essential=True,
    ),
    Probe(
        name="exits",
        source="exits.c",
        hooks=(Hook("raw_tracepoint", "sched_process_exit", "process_exit"),),
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
        hooks=(Hook("tracepoint", "syscalls/sys_enter_sendfile64", "sendfile_enter"),),
        shows="how long sendfile takes",
        without="copy_sendfile_duration_seconds",
    ),
    Probe(
        name="sockets",
        source="sockets.c",
        hooks=(Hook("raw_tracepoint", "skb_copy_datagram_iovec", "skb_copy_datagram_iovec"),),
        shows="what the kernel copied from sockets to user memory",
        without="copy_kernel_copied_bytes_total for sockets",
        facts=(
            Offset("sk_buff", "sk"),
            Offset("sk_buff", "protocol"),
            Offset("sock", "sk_type"),
        ),
    ),
    Probe(
        name="block",
        source="block.c",
        hooks=(Hook("raw_tracepoint", "block_bio_queue", "block_bio_queue"),),
        shows="what disks read into the page cache for a process",
        without="copy_dma_copied_bytes_total from disk to page_cache",
        facts=(
            Argument("block_bio_queue", "bio"),
            Offset("bio", "bi_opf"),
            Offset("bio", "bi_io_vec"),
            Offset("bio", "bi_iter_bi_idx", ("bi_iter.bi_idx",)),
            Offset("bio", "bi_iter_bi_size", ("bi_iter.bi_size",)),
            Size("bio_vec"),
            Offset("bio_vec", "bv_page"),
            TypeId("page"),
            Offset("page", "flags"),
            Offset("page", "compound_head"),
            Offset("task_struct", "flags"),
            Offset("task_struct", "bio_list"),
            Value("pageflags", "PG_uptodate"),
        ),
    ),
)

PROBE_NAMES = tuple(probe.name for probe in PROBES)


def named(names: Iterable[str]) -> tuple[Probe, ...]:
    """The rows with these names, in the order of the table."""
    wanted = set(names)
    return tuple(probe for probe in PROBES if probe.name in wanted)
