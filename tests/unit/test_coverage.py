"""Every system call and probe has a test with a known truth; those that the pages list by name are in them."""

import re
from pathlib import Path

import pytest

from exporter.loading.probes import DEFAULT_PROBE_NAMES, PROBE_NAMES
from exporter.model import Operation

ROOT = Path(__file__).parents[2]
PROBE_TESTS = "\n".join(path.read_text() for path in sorted((ROOT / "tests/probes").glob("test_*.py")))
MARKED_PROBES = {
    name for names in re.findall(r"mark\.probe\(([^)]*)\)", PROBE_TESTS) for name in re.findall(r'"(\w+)"', names)
}
ACCOUNTING, KERNEL_LEVEL = ((ROOT / f"docs/{name}.md").read_text() for name in ("accounting", "kernel-level"))
COUNTED_SECTIONS = re.sub(r"^## Not counted\n.*?(?=^## )", "", ACCOUNTING, flags=re.DOTALL | re.MULTILINE)
OPERATIONS = [operation for operation in Operation if operation is not Operation.NONE]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_operation_is_tested_and_in_the_table_of_hops(operation: Operation):
    assert re.search(rf"\bOperation\.{operation.name}\b", PROBE_TESTS)
    assert re.search(rf"\b{operation.name.lower().removeprefix('io_uring_')}\b", COUNTED_SECTIONS)


def test_each_probe_is_tested():
    assert set(PROBE_NAMES) - MARKED_PROBES == set()


def test_each_optional_probe_is_described():
    optional = set(PROBE_NAMES) - set(DEFAULT_PROBE_NAMES)
    assert {name for name in optional if f"`{name}`" not in KERNEL_LEVEL} == set()
