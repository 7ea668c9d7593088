"""Short rounds that go through all variants again and again, so that a slow phase of the host affects all of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.figures import Figure, differences, figure
from bench.tracing_programs import tracing_programs, wait_for_removal
from bench.variants import NOTHING, Variant
from bench.workload import Workload

BATCHES = {
    "getppid": 150,
    "read_zero": 150,
    "read_file": 100,
    "send_tcp": 50,
    "read_zero_twice": 300,
    "peek": 100,
    "uring_read": 100,
}
"""Batches per measurement, by operation."""
MAX_SECONDS = 80.0
"""A section takes at most this long: on a busy host it has fewer rounds than requested, but :data:`MIN_ROUNDS`."""
MIN_ROUNDS = 3


@dataclass(frozen=True)
class Measurements:
    """Nanoseconds per call by variant and operation, one value per round."""

    values: dict[tuple[str, str], list[float]]
    disturbed_rounds: int = 0
    """Rounds that are left out because other programs had tracing programs loaded."""

    def figure(self, variant: Variant, operation: str) -> Figure:
        """The time of a call."""
        return figure(self.values[variant.name, operation])

    def added(self, variant: Variant, operation: str, base: Variant = NOTHING) -> Figure:
        """The time that ``variant`` adds to a call with ``base``."""
        return differences(self.values[variant.name, operation], self.values[base.name, operation])

    def note(self) -> str:
        """The number of rounds, for the report."""
        rounds = len(next(iter(self.values.values())))
        return f"{rounds} rounds; {self.disturbed_rounds} more left out: other programs had tracing programs loaded."


@dataclass
class Round:
    """One pass through all variants."""

    values: dict[tuple[str, str], float] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)
    """The number of loaded tracing programs, by variant."""


def undisturbed(rounds: Sequence[Round]) -> list[Round]:
    """The rounds in which each variant had as few programs loaded as in its best round."""
    own = {name: min(each.programs[name] for each in rounds) for name in rounds[0].programs}
    return [each for each in rounds if each.programs == own]


def interleave(
    workload: Workload,
    variants: Sequence[Variant],
    operations: Sequence[str],
    rounds: int,
    progress: Callable[[], object] = lambda: None,
) -> Measurements:
    """Attach each variant once per round, in rotating order, and measure all operations with it.

    Disturbed rounds are replaced by further ones, up to twice as many rounds in all and in bounded time. If all rounds
    are disturbed, all count.
    """
    existing = tracing_programs()
    done: list[Round] = []
    clean: list[Round] = []
    end = time.monotonic() + MAX_SECONDS
    while len(clean) < rounds and len(done) < 2 * rounds and (len(done) < MIN_ROUNDS or time.monotonic() < end):
        turn = len(done) % len(variants)
        done.append(_round(workload, (*variants[turn:], *variants[:turn]), operations, existing))
        clean = undisturbed(done)
        progress()
    kept = clean or done
    values = {key: [each.values[key] for each in kept] for key in done[0].values}
    return Measurements(values, len(done) - len(kept))


def _round(workload: Workload, variants: Sequence[Variant], operations: Sequence[str], existing: set[int]) -> Round:
    result = Round()
    for variant in variants:
        wait_for_removal(existing)
        with variant.attached():
            before = len(tracing_programs())
            for operation in operations:
                result.values[variant.name, operation] = workload.measure(operation, BATCHES[operation])
            result.programs[variant.name] = max(before, len(tracing_programs()))
    return result
