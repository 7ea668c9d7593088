"""Compares each implementation that was chosen with its alternatives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Section
from bench.interleave import Measurements, interleave
from bench.variants import FLOOR, NOTHING, Variant, product, typed, untyped
from bench.workload import Workload
from exporter.loading.probes import DEFAULT_PROBE_NAMES

_CAST = "bpf_rdonly_cast"
_IO_URING_DISABLED = Path("/proc/sys/kernel/io_uring_disabled")
_TASK = "BPF_FUNC_get_current_task_btf"


def _without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in DEFAULT_PROBE_NAMES if name not in names)


@dataclass(frozen=True)
class Comparison:
    """Variants that do the same thing; the first is the exporter's."""

    subject: str
    operation: str
    variants: tuple[Variant, ...]


_TABLES = (
    Variant("slot, atomic adds", lambda: typed("count_in_slot")),
    Variant("shared hash, atomic adds", lambda: typed("count_in_shared_hash")),
    Variant("per-CPU hash, plain adds", lambda: typed("count_in_percpu_hash")),
)
_READING = (
    Variant("typed pointers throughout", lambda: typed("sys_exit")),
    Variant("typed task, else probe reads", lambda: typed("sys_exit", _CAST)),
    Variant("probe reads throughout", lambda: typed("sys_exit", _CAST, _TASK)),
)
_REGISTERS = (
    Variant("typed argument, plain load", lambda: typed("filter_typed")),
    Variant("untyped argument, probe read", lambda: untyped("filter_probed")),
)
_PROBES = (
    Variant("all probes", lambda: product(*DEFAULT_PROBE_NAMES)),
    Variant("all but the duration of sendfile", lambda: product(*_without("sendfile"))),
)
_RECEIVES = (_PROBES[0], Variant("all but the kernel's copies from sockets", lambda: product(*_without("sockets"))))
_REQUESTS = (
    _PROBES[0],
    Variant("all but submissions of io_uring", lambda: product(*_without("io_uring_multishot"))),
    Variant("all but io_uring", lambda: product(*_without("io_uring", "io_uring_multishot"))),
)
_BROKERS = (
    Variant("a process that is not a broker", lambda: product(*DEFAULT_PROBE_NAMES)),
    Variant("a broker, whose folders are counted too", lambda: product(*DEFAULT_PROBE_NAMES, brokers=True)),
)

COMPARISONS = (
    Comparison("count table, one thread", "read_zero", _TABLES),
    Comparison("count table, two CPUs on one key", "read_zero_twice", _TABLES),
    Comparison("kernel structures, device", "read_zero", _READING),
    Comparison("kernel structures, socket", "send_tcp", _READING),
    Comparison("registers, a call that moves no data", "getppid", _REGISTERS),
    Comparison("probes, a call that moves no data", "getppid", _PROBES),
    Comparison("probes, a cached file of 4 KiB", "read_file", _BROKERS),
    Comparison("probes, a receive", "peek", _RECEIVES),
    Comparison("probes, a request of io_uring", "uring_read", _REQUESTS),
)


def supported() -> tuple[Comparison, ...]:
    """The comparisons that this host allows: io_uring may be disabled."""
    io_uring = not _IO_URING_DISABLED.exists() or _IO_URING_DISABLED.read_text() == "0\n"
    return tuple(each for each in COMPARISONS if io_uring or each.operation != "uring_read")


def alternatives(workload: Workload, rounds: int, progress: Callable[[], object] = lambda: None) -> Section:
    """Measure ``rounds`` rounds through all variants."""
    comparisons = supported()
    variants = tuple(dict.fromkeys(variant for comparison in comparisons for variant in comparison.variants))
    operations = tuple(dict.fromkeys(comparison.operation for comparison in comparisons))
    measured = interleave(workload, (NOTHING, FLOOR, *variants), operations, rounds, progress)
    return Section(
        title="Alternatives: nanoseconds added to the call, above the floor",
        columns=("subject", "call", "variant", "added", "ratio to the first"),
        rows=tuple(row for comparison in comparisons for row in rows(comparison, measured)),
        notes=(
            "Median (quartiles). The first variant of each comparison is the exporter's.",
            measured.note(),
        ),
        figures={
            f"{comparison.subject}: {variant.name}": measured.added(variant, comparison.operation, FLOOR)
            for comparison in comparisons
            for variant in comparison.variants
        },
    )


def rows(comparison: Comparison, measured: Measurements) -> Sequence[tuple[str, ...]]:
    """One row per variant; without a ratio where the first adds less than can be measured."""
    added = [measured.added(variant, comparison.operation, FLOOR) for variant in comparison.variants]
    first = added[0].median
    return [
        (
            comparison.subject,
            comparison.operation,
            variant.name,
            f"+{figure}",
            f"{figure.median / first:.2f}" if first >= 1 else "",
        )
        for variant, figure in zip(comparison.variants, added, strict=True)
    ]
