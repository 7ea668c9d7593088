"""The ways that the product chose between, measured against each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Section
from bench.rounds import Measured, interleave
from bench.variants import FLOOR, NOTHING, Variant, product, typed, untyped
from bench.workload import Workload
from exporter.loading.probes import DEFAULT_PROBE_NAMES

_CAST = "bpf_rdonly_cast"
_URING_SWITCH = Path("/proc/sys/kernel/io_uring_disabled")
_TASK = "BPF_FUNC_get_current_task_btf"


def _without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in DEFAULT_PROBE_NAMES if name not in names)


@dataclass(frozen=True)
class Choice:
    """Ways to do one thing; the first is the product's."""

    what: str
    work: str
    ways: tuple[Variant, ...]


_SHARED = Variant("shared hash, atomic adds", lambda: typed("count_shared"))
_PERCPU = Variant("per-CPU hash, plain adds", lambda: typed("count_percpu"))
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
    Variant("all but sendfile's duration", lambda: product(*_without("sendfile"))),
)
_RECEIVES = (_PROBES[0], Variant("all but the kernel's copies from sockets", lambda: product(*_without("sockets"))))
_REQUESTS = (
    _PROBES[0],
    Variant("all but io_uring's submissions", lambda: product(*_without("io_uring_multishot"))),
    Variant("all but io_uring's", lambda: product(*_without("io_uring", "io_uring_multishot"))),
)
_BROKERS = (
    Variant("a process like any other", lambda: product(*DEFAULT_PROBE_NAMES)),
    Variant("a broker: its folders too", lambda: product(*DEFAULT_PROBE_NAMES, brokers=True)),
)

CHOICES = (
    Choice("count table, one thread", "read_zero", (_SHARED, _PERCPU)),
    Choice("count table, two CPUs on one key", "read_zero_twice", (_SHARED, _PERCPU)),
    Choice("kernel structures, device", "read_zero", _READING),
    Choice("kernel structures, socket", "send_tcp", _READING),
    Choice("registers, a call that moves no data", "getppid", _REGISTERS),
    Choice("probes, a call that moves no data", "getppid", _PROBES),
    Choice("probes, a cached file of 4 KiB", "read_file", _BROKERS),
    Choice("probes, a receive", "peek", _RECEIVES),
    Choice("probes, a request of io_uring", "uring_read", _REQUESTS),
)


def possible() -> tuple[Choice, ...]:
    """Without those that this host has switched off."""
    io_uring = not _URING_SWITCH.exists() or _URING_SWITCH.read_text() == "0\n"
    return tuple(choice for choice in CHOICES if io_uring or choice.work != "uring_read")


def alternatives(workload: Workload, rounds: int, progress: Callable[[], object] = lambda: None) -> Section:
    """The section of the report."""
    choices = possible()
    ways = tuple(dict.fromkeys(way for choice in choices for way in choice.ways))
    works = tuple(dict.fromkeys(choice.work for choice in choices))
    measured = interleave(workload, (NOTHING, FLOOR, *ways), works, rounds, progress)
    return Section(
        title="Alternatives: nanoseconds added to the call, above the floor",
        columns=("what", "call", "way", "added", "of ours"),
        rows=tuple(row for choice in choices for row in rows(choice, measured)),
        notes=(
            "Median (quartiles); the first way of each is the product's.",
            measured.note(),
        ),
        figures={
            f"{choice.what}: {way.name}": measured.added(way, choice.work, FLOOR)
            for choice in choices
            for way in choice.ways
        },
    )


def rows(choice: Choice, measured: Measured) -> Sequence[tuple[str, ...]]:
    """One a way; no ratio to a cost that cannot be told from none."""
    above = [measured.added(way, choice.work, FLOOR) for way in choice.ways]
    ours = above[0].median
    return [
        (choice.what, choice.work, way.name, f"+{figure}", f"{figure.median / ours:.2f}" if ours >= 1 else "")
        for way, figure in zip(choice.ways, above, strict=True)
    ]
