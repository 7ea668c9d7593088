"""Short rounds that go through all variants again and again, so that a slow spell of the host meets all of them."""

import ctypes as ct
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.figures import Figure, added, figure
from bench.variants import NOTHING, Variant
from bench.workload import Workload
from exporter.kernel.libbpf import library

BATCHES = {
    "getppid": 150,
    "read_zero": 150,
    "read_file": 100,
    "send_tcp": 50,
    "read_zero_twice": 300,
    "peek": 100,
    "uring_read": 100,
}
SECONDS_MAX = 80.0
"""What a section takes at most, on a busy host with fewer rounds than were asked for, but for :data:`ROUNDS_MIN`."""
ROUNDS_MIN = 3
QUIET_WAIT = 0.5
"""Seconds that a measurement waits for other people's programs to be gone."""
_TRACING_TYPES = (2, 5, 7, 17, 26)  # kprobe, tracepoint, perf event, raw tracepoint, tracing: enum bpf_prog_type


@dataclass(frozen=True)
class Measured:
    """Nanoseconds per call by variant and work, one value a round."""

    values: dict[tuple[str, str], list[float]]
    left_out: int = 0
    """Rounds in which somebody else had programs loaded."""

    def figure(self, variant: Variant, work: str) -> Figure:
        """What a call took."""
        return figure(self.values[variant.name, work])

    def added(self, variant: Variant, work: str, base: Variant = NOTHING) -> Figure:
        """What it took more than with ``base``."""
        return added(self.values[variant.name, work], self.values[base.name, work])

    def note(self) -> str:
        """How many rounds, and how far the host left us alone."""
        rounds = len(next(iter(self.values.values())))
        return f"{rounds} rounds; {self.left_out} more left out, in which somebody else had tracing programs loaded."


@dataclass
class Round:
    """Once through all variants."""

    values: dict[tuple[str, str], float] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)
    """How many tracing programs were loaded, by variant."""


def undisturbed(rounds: Sequence[Round]) -> list[Round]:
    """Those with no more programs than each variant has by itself: as many as in its best round."""
    own = {name: min(each.programs[name] for each in rounds) for name in rounds[0].programs}
    return [each for each in rounds if each.programs == own]


def tracing_programs() -> set[int]:
    """Numbers of all tracing programs that the kernel has loaded, whoever loaded them."""
    libbpf, number, found = library(), ct.c_uint32(0), set()
    while not libbpf.bpf_prog_get_next_id(number, ct.byref(number)):
        descriptor = libbpf.bpf_prog_get_fd_by_id(number)
        if descriptor >= 0:
            head = (ct.c_uint32 * 2)()
            libbpf.bpf_obj_get_info_by_fd(descriptor, head, ct.byref(ct.c_uint32(ct.sizeof(head))))
            os.close(descriptor)
            if head[0] in _TRACING_TYPES:
                found.add(number.value)
    return found


def wait_for_quiet(residents: set[int]) -> None:
    """Until only ``residents`` are loaded, if it is not long: ours go away a little after they are closed."""
    end = time.monotonic() + QUIET_WAIT
    while tracing_programs() - residents and time.monotonic() < end:
        time.sleep(0.01)


def interleave(
    workload: Workload,
    variants: Sequence[Variant],
    works: Sequence[str],
    rounds: int,
    progress: Callable[[], object] = lambda: None,
) -> Measured:
    """Each round attaches every variant once, in an order that turns, and measures all works with it.

    Disturbed rounds are made up for by more, up to twice as many, in bounded time; where all are disturbed, all count.
    """
    residents = tracing_programs()
    done: list[Round] = []
    clean: list[Round] = []
    end = time.monotonic() + SECONDS_MAX
    while len(clean) < rounds and len(done) < 2 * rounds and (len(done) < ROUNDS_MIN or time.monotonic() < end):
        turn = len(done) % len(variants)
        done.append(_round(workload, (*variants[turn:], *variants[:turn]), works, residents))
        clean = undisturbed(done)
        progress()
    kept = clean or done
    values = {key: [each.values[key] for each in kept] for key in done[0].values}
    return Measured(values, len(done) - len(kept))


def _round(workload: Workload, variants: Sequence[Variant], works: Sequence[str], residents: set[int]) -> Round:
    result = Round()
    for variant in variants:
        wait_for_quiet(residents)
        with variant.attached():
            before = len(tracing_programs())
            for work in works:
                result.values[variant.name, work] = workload.measure(work, BATCHES[work])
            result.programs[variant.name] = max(before, len(tracing_programs()))
    return result
