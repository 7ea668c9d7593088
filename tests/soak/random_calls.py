"""``python -m tests.soak.random_calls [SECONDS]``: random sequences of calls, with random seeds, as root.

It exits with 1 at the first sequence of which the probes count something else than its calls returned, and prints the
seed and the fewest steps that make the difference. Make a fixed test of them.
"""

import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.probes.probe_fixture import ProbeFixture, attached_probes
from tests.probes.random_calls import RandomCalls, compile_program
from tests.support.filesystems import on_disk

SECONDS = 60
STEPS = range(500)
WORKERS = 8


def main() -> int:
    seconds = float(sys.argv[1]) if sys.argv[1:] else SECONDS
    with (
        TemporaryDirectory() as directory,
        TemporaryDirectory(dir="/dev/shm") as memory,
        on_disk(Path(directory)) as disk,
        attached_probes() as probes,
    ):
        program = compile_program(Path(directory))
        end = time.monotonic() + seconds
        runs = 0
        while time.monotonic() < end:
            seed = random.randrange(1 << 30)
            calls = RandomCalls(program, Path(directory, "truth"), (disk, Path(memory)), seed, WORKERS)
            if problem := difference(calls, probes):
                print(problem)
                return 1
            runs += 1
        print(f"ok: {runs} random sequences, {runs * WORKERS * len(STEPS):,} steps, counts are what the calls returned")
    return 0


def difference(calls: RandomCalls, probes: ProbeFixture) -> str:
    """What differs, with the fewest steps found; empty if nothing does."""
    probes.free_rows()
    found = calls.difference(probes, STEPS)
    if not found:
        return ""
    steps = calls.shrink(probes, STEPS)
    return f"seed {calls.seed}, workers {calls.workers}, steps {steps}: {calls.difference(probes, steps) or found}"


if __name__ == "__main__":
    sys.exit(main())
