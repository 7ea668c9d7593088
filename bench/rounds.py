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

BATCHES = {"getppid": 150, "read_zero": 150, "read_file": 100, "send_tcp": 50, "read_zero_twice": 300}
QUIET_WAIT = 3.0
"""Seconds that a measurement waits for other people's programs to be gone."""
_TRACING_TYPES = (2, 5, 7, 17, 26)  # kprobe, tracepoint, perf event, raw tracepoint, tracing: enum bpf_prog_type


@dataclass
class Measured:
    """Nanoseconds per call by variant and work, one value a round."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    disturbed: int = 0
    """Rounds in which somebody else had a program attached."""

    def figure(self, variant: Variant, work: str) -> Figure:
        """What a call took."""
        return figure(self.values[variant.name, work])

    def added(self, variant: Variant, work: str, base: Variant = NOTHING) -> Figure:
        """What it took more than with ``base``."""
        return added(self.values[variant.name, work], self.values[base.name, work])


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


def quiet() -> bool:
    """Wait until no tracing program is loaded: those of the last variant go away a little after they are closed."""
    end = time.monotonic() + QUIET_WAIT
    while tracing_programs():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def interleave(
    workload: Workload,
    variants: Sequence[Variant],
    works: Sequence[str],
    rounds: int,
    progress: Callable[[], object] = lambda: None,
) -> Measured:
    """Each round attaches every variant once, in an order that turns, and measures all works with it."""
    measured = Measured({(variant.name, work): [] for variant in variants for work in works})
    for number in range(rounds):
        turn = number % len(variants)
        undisturbed = True
        for variant in (*variants[turn:], *variants[:turn]):
            undisturbed &= quiet()
            with variant.attached():
                for work in works:
                    measured.values[variant.name, work].append(workload.measure(work, BATCHES[work]))
        measured.disturbed += not undisturbed
        progress()
    return measured
