"""The values of the label ``errno`` are Linux's first names, and whatever is shipped uses these."""

import errno
import re
from pathlib import Path

import pytest

from exporter.kernel.errno_names import ERRNO_NAMES, errno_name
from tests.support.paths import ROOT

_HEADERS = [Path("/usr/include/asm-generic") / name for name in ("errno-base.h", "errno.h")]
_DEFINITION = re.compile(r"^#define\s+(E\w+)\s+(\d+)\b", re.MULTILINE)
_SHIPPED = sorted(
    path
    for pattern in ("dashboards/**/*.json", "dashboards/**/*.yml", "dashboards/*.py", "docs/**/*.md")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize(
    ("number", "name"), [(11, "EAGAIN"), (35, "EDEADLK"), (95, "EOPNOTSUPP"), (524, "ENOTSUPP"), (4000, "4000")]
)
def test_the_first_name_is_used(number: int, name: str) -> None:
    assert errno_name(number) == name


@pytest.mark.skipif(not all(path.exists() for path in _HEADERS), reason="linux-libc-dev is not installed")
def test_all_names_are_those_of_the_header() -> None:
    first = {int(number): name for path in _HEADERS for name, number in _DEFINITION.findall(path.read_text())}
    assert {number: errno_name(number) for number in first if number in errno.errorcode} == {
        number: name for number, name in first.items() if number in errno.errorcode
    }
    assert len(first) > 100


def test_rules_dashboards_and_runbooks_use_names_that_are_emitted() -> None:
    emitted = set(ERRNO_NAMES.values())
    assert len(_SHIPPED) > 20
    for path in _SHIPPED:
        words = set(re.findall(r"\bE[A-Z0-9]{2,}\b", path.read_text()))
        unknown = {word for word in words if hasattr(errno, word)} - emitted
        assert not unknown, f"{path.relative_to(ROOT)}: {sorted(unknown)} are not values of the label errno"
