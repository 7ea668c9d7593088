"""Random sequences of calls by threads and child processes: equal to what each call returned."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from exporter.model import Endpoint, Operation

from .probe_fixture import ProbeFixture, cpu
from .random_calls import Difference, RandomCalls, compile_program

pytestmark = pytest.mark.probe("syscalls")

SEEDS = range(1, 5)
STEPS = range(250)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(tmp_path_factory.mktemp("random"))


@pytest.fixture
def directories(disk: Path, tmp_path: Path, overlay: Callable[[Path], Path]) -> Iterator[tuple[Path, ...]]:
    """On a disk, in memory, and on a disk below overlayfs."""
    below = disk / tmp_path.name
    below.mkdir()
    with TemporaryDirectory(dir="/dev/shm") as memory:
        yield disk, Path(memory), overlay(below)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_calls(
    probes: ProbeFixture, program: Path, directories: tuple[Path, ...], tmp_path: Path, seed: int
) -> None:
    calls = RandomCalls(program, tmp_path / "truth", directories, seed, workers=4)
    difference = calls.difference(probes, STEPS)
    if difference:
        steps = calls.shrink(probes, STEPS)
        pytest.fail(f"seed {seed}, steps {steps}: {calls.difference(probes, steps) or difference}")


class TwoSteps(RandomCalls):
    """A difference that takes two steps."""

    def difference(self, probes: ProbeFixture, steps: Sequence[int]) -> Difference:  # noqa: ARG002
        row = cpu(Operation.READ, Endpoint.PIPE, Endpoint.USER)
        return {row: ((2, 10), (1, 5))} if {17, 203} <= set(steps) else {}


def test_a_difference_shrinks_to_the_steps_that_make_it(probes: ProbeFixture) -> None:
    assert TwoSteps(Path(), Path(), (), 1, 1).shrink(probes, STEPS) == [17, 203]
