"""The page on kernels, made from results."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.loading.probes import PROBE_NAMES
from exporter.model import ProbeState
from tests.matrix.report import Mark, ProbeSummary, Skip, Summary, outcomes_of, render, summarize
from tests.matrix.results import Outcome, TargetResult
from tests.support.paths import ROOT

BLOCK = ProbeState("block", "block_bio_queue", "raw_tracepoint", True, "")
SENDFILE = ProbeState("sendfile", "x", "tracepoint", False, "no tracefs")
PASSED = Outcome("probes/test_block", "test_a_warm_file", "passed", probes=("block",))
SKIPPED = Outcome("probes/test_block", "test_other[xfs]", "skipped", "not in this kernel: no xfs", probes=("block",))
FAILED = Outcome("probes/test_block", "test_other[ext4]", "failed", "1 == 2", probes=("block",))


@pytest.fixture
def result() -> TargetResult:
    return TargetResult(
        name="6.1",
        release="6.1.0-99-amd64",
        status=0,
        outcomes=(
            PASSED,
            SKIPPED,
            Outcome("probes/test_sendfile", "test_duration", "skipped", "not in this kernel: sendfile: no tracefs"),
            Outcome("probes/test_missed_runs", "test_every_run", "passed", measured="3 of 10 runs missed"),
            Outcome("service/test_exactness", "test_end", "passed"),
        ),
        probes=(BLOCK, SENDFILE),
        checks={"loader": "compiled", "privileges for start-up": "root"},
        seconds=1.0,
        log="",
    )


def test_a_summary(result: TargetResult) -> None:
    assert summarize(result) == Summary(
        name="6.1",
        release="6.1.0-99-amd64",
        probes={
            "block": ProbeSummary(Mark.EXACT, "raw_tracepoint block_bio_queue"),
            "sendfile": ProbeSummary(Mark.NOT_ATTACHED, reason="no tracefs"),
        },
        together={"contention": Mark.NOT_TESTED, "agreement": Mark.NOT_TESTED, "service": Mark.EXACT},
        missed_runs="3 of 10 runs missed",
        checks={"loader": "compiled"},
        skips=(Skip("test_block", "no xfs", 1),),
    )


@pytest.mark.parametrize(
    ("outcomes", "mark"),
    [
        ((PASSED, SKIPPED), Mark.EXACT),
        ((PASSED, SKIPPED, FAILED), Mark.FAILED),
        ((SKIPPED,), Mark.NOT_TESTED),
        ((), Mark.NOT_TESTED),
    ],
)
def test_the_mark_of_a_probe(result: TargetResult, outcomes: tuple[Outcome, ...], mark: Mark) -> None:
    assert summarize(replace(result, outcomes=outcomes)).probes["block"].mark == mark


def test_the_page_has_a_row_for_each_kernel(result: TargetResult) -> None:
    summary = summarize(result)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in render([summary]).splitlines()]
    (heads, marks) = [row for row in rows if row and row[0] in ("kernel", "6.1 (6.1.0-99-amd64)")][:2]
    assert dict(zip(heads, marks, strict=True)) == dict.fromkeys(heads, "") | {
        "kernel": "6.1 (6.1.0-99-amd64)",
        "`block`": "✓",
        "`sendfile`": "✗",
    }
    assert ["6.1 (6.1.0-99-amd64)", "?", "?", "✓", "3 of 10 runs missed"] in rows
    assert ["`block`", "raw_tracepoint block_bio_queue"] in rows


def test_the_page_lists_reasons_once_for_all_kernels(result: TargetResult) -> None:
    summary = summarize(result)
    other = replace(summary, name="6.12", checks={"loader": "refused"}, failures=("test_block::test_other: 1 == 2",))
    page = render([summary, other]).splitlines()
    assert "- 6.1, 6.12: no tracefs: `sendfile`" in page
    assert "- 6.1, 6.12: no xfs: 1 test of `test_block`" in page
    assert "- 6.12: `test_block::test_other: 1 == 2`" in page
    assert "- loader: compiled: 6.1" in page
    assert "- loader: refused: 6.12" in page


def test_the_page_names_the_kernels_of_uncommon_hooks(result: TargetResult) -> None:
    common = summarize(result)
    attached = ProbeSummary(Mark.EXACT, "kprobe submit_bio")
    other = replace(common, name="7.2", probes={**common.probes, "block": attached})
    assert any(
        "| raw_tracepoint block_bio_queue; on 7.2: kprobe submit_bio |" in line
        for line in render([common, common, other]).splitlines()
    )


def test_the_tests_of_a_probe(result: TargetResult) -> None:
    assert outcomes_of(result, "block") == [PASSED, SKIPPED]
    assert outcomes_of(result, "unknown") == []


def marked_probes(path: Path) -> Iterator[str]:
    """The probes that the tests of a file are marked with."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "probe":
            yield from (argument.value for argument in node.args if isinstance(argument, ast.Constant))


def test_every_probe_has_tests() -> None:
    files = (ROOT / "tests/probes").glob("test_*.py")
    assert {name for path in files for name in marked_probes(path)} == set(PROBE_NAMES)
