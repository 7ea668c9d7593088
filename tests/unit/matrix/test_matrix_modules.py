"""What goes on around the machines, without one."""

from pathlib import Path

import pytest

from exporter.loading.probes import PROBE_NAMES
from tests.matrix.fetch import newest_of
from tests.matrix.found import Examination, Outcome, Probe, read_outcomes
from tests.matrix.kernels import BY_NAME, KERNELS
from tests.matrix.table import MISSED, TESTS_OF, outcomes_of, render

JUNIT = """\
<testsuites><testsuite>
<testcase classname="tests.probes.test_block" name="test_a_warm_file"/>
<testcase classname="tests.probes.test_missed_runs" name="test_every_run">
<properties><property name="measured" value="3 of 10 runs missed"/></properties></testcase>
<testcase classname="tests.probes.test_block" name="test_other[xfs]"><skipped message="no xfs&#10;here"/></testcase>
<testcase classname="tests.probes.test_sockets" name="test_peek[tcp4]"><failure message="1 == 2"></failure></testcase>
<testcase classname="tests.service.test_privileges" name="test_nobody"><error message="no start"/></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def examination(tmp_path: Path) -> Examination:
    path = tmp_path / "junit.xml"
    path.write_text(JUNIT)
    return Examination(
        name="6.1",
        release="6.1.0-99-amd64",
        status=1,
        outcomes=tuple(read_outcomes(path)),
        probes=(
            Probe("block", "block_bio_queue", "raw_tracepoint", True, ""),
            Probe("sendfile", "x", "tracepoint", False, "no tracefs"),
        ),
        checks={"loader": "compiled"},
        seconds=1.0,
        log="",
    )


def test_outcomes(examination: Examination) -> None:
    assert examination.are("passed") == [
        Outcome("probes/test_block", "test_a_warm_file", "passed"),
        Outcome("probes/test_missed_runs", "test_every_run", "passed", measured="3 of 10 runs missed"),
    ]
    assert examination.are("skipped") == [Outcome("probes/test_block", "test_other[xfs]", "skipped", "no xfs")]
    assert [str(outcome) for outcome in examination.are("failed")] == [
        "probes/test_sockets::test_peek[tcp4]: 1 == 2",
        "service/test_privileges::test_nobody: no start",
    ]


def test_a_run_that_wrote_nothing(tmp_path: Path) -> None:
    assert list(read_outcomes(tmp_path / "junit.xml")) == []


def test_the_table(examination: Examination) -> None:
    lines = render([examination]).splitlines()
    assert "|  | 6.1: 6.1.0-99-amd64 |" in lines
    assert "| `block` | raw_tracepoint block_bio_queue: 1 exact, 1 skipped |" in lines
    assert "| `sendfile` | not attached: no tracefs |" in lines
    assert "| the service, over HTTP | 1 **failed** |" in lines
    assert "| loader | compiled |" in lines
    assert f"| {MISSED} | 3 of 10 runs missed |" in lines
    assert "- 1 == 2: `test_sockets::test_peek[tcp4]`" in lines


def test_the_tests_of_a_probe(examination: Examination) -> None:
    assert [outcome.name for outcome in outcomes_of(examination, "syscalls")] == ["test_peek[tcp4]"]
    assert outcomes_of(examination, "unknown") == []


def test_the_table_knows_its_probes() -> None:
    assert TESTS_OF.keys() == set(PROBE_NAMES)


@pytest.mark.parametrize(
    ("name", "names", "newest"),
    [
        (
            "6.1",
            ["6.1.0-9-amd64", "6.1.0-53-amd64", "6.1.0-0.deb11.54-amd64", "6.1.0-60-cloud-amd64"],
            "6.1.0-53-amd64",
        ),
        ("6.12", ["6.12.9+deb12-amd64", "6.12.100+deb12-amd64", "6.12.117+deb13-amd64"], "6.12.100+deb12-amd64"),
        ("5.10", ["5.10.0-46-amd64", "5.10.0-46-amd64-unsigned"], "5.10.0-46-amd64"),
        ("sid", ["7.2.13+deb14-amd64", "7.10.1+deb14-amd64", "7.10.2+deb14-rt-amd64"], "7.10.1+deb14-amd64"),
        ("6.1", ["6.12.100+deb12-amd64"], None),
    ],
)
def test_the_newest_of_a_series(name: str, names: list[str], newest: str | None) -> None:
    assert newest_of(BY_NAME[name], names) == newest


def test_names_are_told_apart() -> None:
    assert len(BY_NAME) == len(KERNELS)
