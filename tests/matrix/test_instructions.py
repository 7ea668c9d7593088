"""Instructions per system call do not exceed their budgets, on kernels that are booted to count them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

from .instructions import COMMAND, DEADLINE_SECONDS, Counts, accept, count, problems, read_budgets, replace_block, table
from .targets import KERNEL_BY_NAME, Kernel

KERNELS = [
    pytest.param(KERNEL_BY_NAME["6.1"], id="6.1", marks=pytest.mark.matrix),
    pytest.param(KERNEL_BY_NAME["6.12"], id="6.12"),
]
PAGE = ROOT / "docs/performance.md"


@pytest.fixture(scope="module")
def counted() -> Iterator[list[Counts]]:
    """What the tests counted. When all kernels were counted, their tables are written into the page."""
    counts: list[Counts] = []
    yield counts
    if len(counts) == len(KERNELS):
        PAGE.write_text(replace_block(PAGE.read_text(), counts))


@pytest.mark.vm
@pytest.mark.timeout(DEADLINE_SECONDS + 300)
@pytest.mark.usefixtures("programs_for_emulation")
@pytest.mark.parametrize("kernel", KERNELS)
def test_instructions(kernel: Kernel, counted: list[Counts], tmp_path: Path, pytestconfig: pytest.Config) -> None:
    counts = count(kernel, tmp_path)
    counted.append(counts)
    print(f"\n{table(counts)}")
    if pytestconfig.getoption("--accept"):
        accept(counts)
    budget = read_budgets().get(counts.release)
    if budget is None:
        print(f"{counts.release} has no budget. To write it: {COMMAND}")
    else:
        exceeded = "\n".join(problems(counts, budget))
        assert not exceeded, f"{counts.release}:\n{exceeded}\nTo accept what was counted: {COMMAND}"
