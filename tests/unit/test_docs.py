"""The pages name only what exists: files, anchors, metrics, flags and make targets."""

import re
from dataclasses import fields
from fnmatch import fnmatch
from pathlib import Path

import click
import pytest

from exporter.cli import cli
from exporter.live.rates import Totals
from exporter.loading.copy_routines import COPY_ROUTINES
from exporter.loading.probes import PROBES
from exporter.metrics.catalog import FAMILIES
from exporter.model import Operation
from tests.support.paths import ROOT

PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY", "deploy/README")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FOREIGN = {".git", ".cache", ".venv"}
FILES = {
    path.relative_to(ROOT).as_posix()
    for entry in ROOT.iterdir()
    if entry.name not in _FOREIGN
    for path in (entry, *entry.rglob("*"))
}
"""Files and folders of the repository, as paths from its root."""
FOLDERS = {path.split("/")[0] for path in FILES if "/" in path}

_SPAN = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_BLOCK = re.compile(r"^ {4}.+$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_METRIC = re.compile(r"(?<![\w:./*-])copy_(?:[a-z0-9_]|[*…](?!\*))+(?![\w:])")
_FLAG = re.compile(r"(?<![\w-])--[a-z]+\.[a-z._-]*[a-z]|--(?:no-)?probe\.NAME")
_PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
_SUFFIX = re.compile(r"\w\.(py|c|h|md|json|toml|ya?ml|service|socket)$")

KERNEL_NAMES = {
    *(probe.name for probe in PROBES),
    *(operation.name.lower() for operation in Operation),
    *COPY_ROUTINES,
    *(name.removeprefix("_") for name in COPY_ROUTINES),
    "copy_linear_skb",
    *(field.name for field in fields(Totals)),
}
"""Words that begin with ``copy_`` and are not metrics."""


def text_of(page: Path) -> str:
    """The page; of the changelog's tables, without the first column, which has old names."""
    text = page.read_text()
    return re.sub(r"^\|[^|]*\|", "|", text, flags=re.MULTILINE) if page.name == "CHANGELOG.md" else text


def code_of(page: Path) -> list[str]:
    """Inline code and indented lines."""
    text = text_of(page)
    return [re.sub(r"\s+", " ", span) for span in _SPAN.findall(text)] + _BLOCK.findall(text)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    headings = _HEADING.findall(page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def known_flags() -> set[str]:
    commands: list[click.Command] = [cli, *cli.commands.values()]
    options = [parameter for command in commands for parameter in command.params]
    return {flag for option in options for flag in (*option.opts, *option.secondary_opts)}


def named(path: str) -> bool:
    """Whether a file or folder has this path, in the repository or in a folder. ``*`` and ``NAME`` are wildcards."""
    path = path.rstrip("/").replace("NAME", "*")
    return any(fnmatch(file, path) or fnmatch(file, f"*/{path}") for file in FILES)


pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def test_there_are_pages():
    assert len(PAGES) > 20


@pages
def test_links_lead_to_files_and_anchors(page: Path):
    wrong = []
    for link in _LINK.findall(page.read_text()):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            wrong.append(link)
    assert wrong == []


@pages
def test_metrics_are_in_the_catalog(page: Path):
    names = {family.name for family in FAMILIES}
    assert [name for name in _METRIC.findall(text_of(page)) if not is_metric(name, names)] == []


def is_metric(name: str, names: set[str]) -> bool:
    """Whether it is a metric, the suffix of one sample of it included, or a word of the kernel; ``*`` is a wildcard."""
    known = names | KERNEL_NAMES | {re.sub("_total$", "", metric) + "_created" for metric in names}
    pattern = re.sub(r"_(bucket|count|sum)$", "", name).replace("…", "*")
    return any(fnmatch(word, pattern) for word in known)


@pages
def test_flags_exist(page: Path):
    flags = known_flags() | {"--probe.NAME", "--no-probe.NAME"}
    assert [flag for code in code_of(page) for flag in _FLAG.findall(code) if flag not in flags] == []


@pages
def test_paths_exist(page: Path):
    spans = [span for span in _SPAN.findall(text_of(page)) if _PATH.fullmatch(span)]
    paths = [span for span in spans if _SUFFIX.search(span) or ("/" in span and span.split("/")[0] in FOLDERS)]
    assert [path for path in paths if not named(path)] == []


@pages
def test_make_targets_exist(page: Path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named_targets = [name for code in code_of(page) for name in re.findall(r"\bmake ([a-z][a-z-]*)", code)]
    assert [name for name in named_targets if name not in targets] == []
