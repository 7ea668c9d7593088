"""The time that each variant adds to a system call, and the targets for it."""

from collections.abc import Callable

from bench.figures import Figure, Section, Target
from bench.interleave import Measurements, interleave
from bench.variants import BPFTRACE, FLOOR, INCREMENT, NOTHING, OURS, Variant
from bench.workload import Workload

OPERATIONS = {
    "getppid": "getppid",
    "read_zero": "read 1 byte, /dev/zero",
    "read_file": "read 4 KiB, cached file",
    "send_tcp": "send 1 byte, TCP loopback",
}
VARIANTS = (NOTHING, FLOOR, OURS, INCREMENT, BPFTRACE)
FLOOR_MARGIN_NS = 20
READ_MARGIN_NS = 40


def overhead(workload: Workload, rounds: int, progress: Callable[[], object] = lambda: None) -> Section:
    """Measure ``rounds`` rounds through all variants."""
    measured = interleave(workload, VARIANTS, tuple(OPERATIONS), rounds, progress)
    return Section(
        title="Nanoseconds added to a system call",
        columns=("attached", *OPERATIONS.values()),
        rows=tuple(rows(measured)),
        targets=targets(measured),
        notes=(
            "Median (quartiles) of the differences to nothing attached in the same round; its row has the time itself.",
            "The bpftrace script counts only read and write, but it slows down getppid and send too.",
            measured.note(),
        ),
        figures={
            f"{variant.name}: {operation}": shown(measured, variant, operation)
            for variant in VARIANTS
            for operation in OPERATIONS
        },
    )


def shown(measured: Measurements, variant: Variant, operation: str) -> Figure:
    """With nothing attached the time of a call, otherwise the time added to it."""
    return measured.figure(NOTHING, operation) if variant is NOTHING else measured.added(variant, operation)


def rows(measured: Measurements) -> list[tuple[str, ...]]:
    """One row per variant."""
    return [
        (
            variant.name,
            *(f"{'' if variant is NOTHING else '+'}{shown(measured, variant, operation)}" for operation in OPERATIONS),
        )
        for variant in VARIANTS
    ]


def targets(measured: Measurements) -> tuple[Target, ...]:
    """The targets of docs/performance.md."""
    added = {variant: measured.added(variant, "read_zero").median for variant in VARIANTS}
    getppid = {variant: measured.added(variant, "getppid").median for variant in (OURS, FLOOR)}
    return (
        Target("added to a 1-byte read, of what bpftrace adds", added[OURS] / added[BPFTRACE], 0.30),
        Target("added to a 1-byte read, of what one hash increment adds", added[OURS] / added[INCREMENT], 0.85),
        Target("added to a 1-byte read, above the floor", added[OURS] - added[FLOOR], READ_MARGIN_NS, " ns"),
        Target("added to getppid, above the floor", getppid[OURS] - getppid[FLOOR], FLOOR_MARGIN_NS, " ns"),
    )
