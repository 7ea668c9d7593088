"""The recipes of CONTRIBUTING.md, each tried in a copy: their lists of files are enough, and no longer than needed."""

import re
import sys
from pathlib import Path

import pytest

from exporter.loading.handover import LOADER
from tests.recipes.changes import CHANGES, LABEL, PROBE, SYSTEM_CALL, Change
from tests.recipes.checkout_copy import GENERATED, CheckoutCopy
from tests.support.paths import ROOT
from tests.support.requirements import require_bpf

CONSISTENCY = (
    "tests/unit/test_imports.py",
    "tests/unit/test_docs.py",
    "tests/unit/test_coverage.py",
    "tests/unit/loading/test_compiler.py",
    "tests/unit/metrics",
    "tests/unit/dashboards",
)
"""The tests of the copy that find a forgotten file."""
LEFT_OUT = (
    (SYSTEM_CALL, "probes/syscall_table.h", "FAILED .*by_fgetxattr"),
    (SYSTEM_CALL, "docs/accounting.md", "FAILED .*in_the_table_of_hops"),
    (PROBE, "exporter/metrics/catalog/copies.py", "FAILED .*test_metrics_are_in_the_catalog"),
    (PROBE, "docs/kernel-level.md", "FAILED .*test_each_optional_probe_is_described"),
    (LABEL, "probes/syscalls.c", "AssertionError: .65534, .''.."),
    (LABEL, "exporter/metrics/catalog/copies.py", "KeyError: 'uid'"),
    (LABEL, "tests/unit/metrics/test_collector.py", "not found: .*two_users"),
)
"""Changes without one of their files, and how this shows."""
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.recipe)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> CheckoutCopy:
    require_bpf()
    return CheckoutCopy(tmp_path_factory.mktemp("recipes") / "checkout")


@pytest.fixture
def copy(checkout: CheckoutCopy) -> CheckoutCopy:
    checkout.restore()
    return checkout


def listed(change: Change) -> list[str]:
    """The files that the recipe lists."""
    section = re.search(
        rf"^## {change.recipe}\n(.*?)(?=^## |\Z)", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert section, change.recipe
    return [name.replace("NAME", change.name) for name in re.findall(r"^- `([^`]+)`:", section[1], re.MULTILINE)]


def check(copy: CheckoutCopy, change: Change) -> None:
    """Check that the change works. :class:`AssertionError` if not."""
    if change.program:
        copy.check(sys.executable, "-c", change.program)
    copy.pytest(change.test)  # alone: pytest reports no missing test of a folder that it also runs
    copy.generate()
    copy.pytest(*CONSISTENCY)


def test_the_copy_runs_its_own_code(copy: CheckoutCopy) -> None:
    interpreter, safe_path = LOADER[:2]
    for command in ((sys.executable,), (interpreter, safe_path)):
        path = copy.check(*command, "-c", "import exporter; print(exporter.__file__)").strip()
        assert Path(path) == copy.directory / "exporter" / "__init__.py"


@each_change
def test_the_listed_files_are_enough(copy: CheckoutCopy, change: Change) -> None:
    assert sorted(change.edits) == sorted(listed(change))
    copy.apply(change.edits)
    assert copy.changed() == set(listed(change))
    check(copy, change)
    assert {name for name in copy.changed() - set(listed(change)) if not name.startswith(GENERATED)} == set()


@pytest.mark.parametrize(
    ("change", "file", "failure"),
    [pytest.param(*case, id=f"{case[0].recipe} without {Path(case[1]).name}") for case in LEFT_OUT],
)
def test_a_file_that_is_left_out_is_missed(copy: CheckoutCopy, change: Change, file: str, failure: str) -> None:
    copy.apply({name: edit for name, edit in change.edits.items() if name != file})
    with pytest.raises(AssertionError, match=failure):
        check(copy, change)
