"""The messages that docs/troubleshooting.md quotes are those of the program."""

import re

import pytest

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
SOURCE = re.sub(r'"\s*\n\s*f?"', "", "\n".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py")))
OF_OTHERS = ("address already in use", "command not found", "sudo: ")
"""Words of the C library, and of sudo."""
START = PAGE[PAGE.index("## It does not start") : PAGE.index("## Prometheus gets nothing")]
LINES = re.findall(r"^\| `([^`]+)` \|", START, re.MULTILINE)


def test_there_are_lines() -> None:
    assert len(LINES) > 6


@pytest.mark.parametrize("line", LINES)
def test_the_program_has_the_line(line: str) -> None:
    parts = [part.strip(" ;:=") for part in re.split("…|copy-exporter: ", line)]
    assert [part for part in parts if part not in SOURCE and not part.startswith(OF_OTHERS)] == []
