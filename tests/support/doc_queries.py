"""The PromQL of the documentation: the blocks marked promql, whose expressions empty lines separate."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")))
_BLOCK = re.compile(r"```promql\n(.*?)```", re.DOTALL)
_OTHER_CODE = re.compile(r"^(?: {4}|\t).*$|`[^`\n]+`", re.MULTILINE)
_EXPRESSION = re.compile(r"\[\d+[smhd]\]|\bby \(|\bon \(")


def doc_queries() -> Iterator[tuple[str, str]]:
    """Each expression after the page that has it."""
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text()):
            for expression in re.split(r"\n\s*\n", block.strip()):
                yield str(page.relative_to(ROOT)), expression


def unmarked(page: Path) -> list[str]:
    """Code that is PromQL and not in such a block, where no test would find it."""
    return [code for code in _OTHER_CODE.findall(_BLOCK.sub("", page.read_text())) if _EXPRESSION.search(code)]
