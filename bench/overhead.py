"""What a system call takes longer while something is attached, and whether that keeps the design's promises."""

from collections.abc import Callable

from bench.figures import Figure, Section, Target
from bench.rounds import Measured, interleave
from bench.variants import BPFTRACE, FLOOR, INCREMENT, NOTHING, OURS, Variant
from bench.workload import Workload

WORKS = {
    "getppid": "getppid",
    "read_zero": "read 1 byte, /dev/zero",
    "read_file": "read 4 KiB, cached file",
    "send_tcp": "send 1 byte, TCP loopback",
}
VARIANTS = (NOTHING, FLOOR, OURS, INCREMENT, BPFTRACE)
FLOOR_MARGIN_NS = 40


def overhead(workload: Workload, rounds: int, progress: Callable[[], object] = lambda: None) -> Section:
    """The section of the report; ``rounds`` times through all variants."""
    measured = interleave(workload, VARIANTS, tuple(WORKS), rounds, progress)
    return Section(
        title="Nanoseconds added to a system call",
        columns=("attached", *WORKS.values()),
        rows=tuple(rows(measured)),
        targets=targets(measured),
        notes=(
            "Median (quartiles), each against the same round with nothing attached, whose row is what the call takes.",
            "bpftrace's script sees read and write alone: what it adds to getppid and send is for nothing.",
            measured.note(),
        ),
        figures={f"{variant.name}: {work}": shown(measured, variant, work) for variant in VARIANTS for work in WORKS},
    )


def shown(measured: Measured, variant: Variant, work: str) -> Figure:
    """The time itself with nothing attached, else what was added to it."""
    return measured.figure(NOTHING, work) if variant is NOTHING else measured.added(variant, work)


def rows(measured: Measured) -> list[tuple[str, ...]]:
    """One a variant."""
    return [
        (variant.name, *(f"{'' if variant is NOTHING else '+'}{shown(measured, variant, work)}" for work in WORKS))
        for variant in VARIANTS
    ]


def targets(measured: Measured) -> tuple[Target, ...]:
    """Those of DESIGN section 6."""
    added = {variant: measured.added(variant, "read_zero").median for variant in VARIANTS}
    getppid = {variant: measured.added(variant, "getppid").median for variant in (OURS, FLOOR)}
    return (
        Target("added to a 1-byte read, of what bpftrace adds", added[OURS] / added[BPFTRACE], 0.5),
        Target("added to a 1-byte read, of what one hash increment adds", added[OURS] / added[INCREMENT], 1.5),
        Target("added to getppid, above the floor", getppid[OURS] - getppid[FLOOR], FLOOR_MARGIN_NS, " ns"),
    )
