"""Lists of CPUs, as the kernel writes them."""

import pytest

from exporter.kernel.perf_events import numbers


@pytest.mark.parametrize(("text", "cpus"), [("0\n", [0]), ("0-3\n", [0, 1, 2, 3]), ("0,2-3,7\n", [0, 2, 3, 7])])
def test_lists_of_cpus(text: str, cpus: list[int]):
    assert numbers(text) == cpus
