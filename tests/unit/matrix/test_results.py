"""What pytest and doctor write on a target, read back."""

from pathlib import Path

from tests.matrix.results import Outcome, read_outcomes, read_result, result_exists, save_run

JUNIT = """\
<testsuites><testsuite>
<testcase classname="tests.probes.test_block" name="test_a_warm_file">
<properties><property name="probe" value="block"/><property name="probe" value="exits"/></properties></testcase>
<testcase classname="tests.probes.test_missed_runs" name="test_every_run">
<properties><property name="measured" value="3 of 10 runs missed"/></properties></testcase>
<testcase classname="tests.probes.test_block" name="test_other[xfs]"><skipped message="no xfs&#10;here"/></testcase>
<testcase classname="tests.probes.test_sockets" name="test_peek[tcp4]"><failure message="1 == 2"></failure></testcase>
<testcase classname="tests.service.test_privileges" name="test_nobody"><error message="no start"/></testcase>
</testsuite></testsuites>
"""
DOCTOR = """\
{"checks": [{"name": "loader", "why": "compiled"}],
 "probes": [{"name": "block", "hook": "bio", "attach_method": "raw_tracepoint", "attached": true, "reason": "",
             "remedy": "", "preemptible": false, "essential": false, "note": ""}]}
"""


def test_outcomes(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(JUNIT)
    assert list(read_outcomes(tmp_path / "junit.xml")) == [
        Outcome("probes/test_block", "test_a_warm_file", "passed", probes=("block", "exits")),
        Outcome("probes/test_missed_runs", "test_every_run", "passed", measured="3 of 10 runs missed"),
        Outcome("probes/test_block", "test_other[xfs]", "skipped", "no xfs"),
        Outcome("probes/test_sockets", "test_peek[tcp4]", "failed", "1 == 2"),
        Outcome("service/test_privileges", "test_nobody", "failed", "no start"),
    ]


def test_a_run_that_wrote_nothing(tmp_path: Path) -> None:
    assert list(read_outcomes(tmp_path / "junit.xml")) == []
    assert not result_exists(tmp_path)


def test_a_result(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(JUNIT)
    (tmp_path / "doctor.json").write_text(DOCTOR)
    (tmp_path / "pytest.log").write_text("first\nlast\n")
    save_run(tmp_path, "6.1", "6.1.0-99-amd64", 1, 2.5)
    assert result_exists(tmp_path)
    result = read_result(tmp_path)
    assert (result.name, result.release, result.status, result.seconds) == ("6.1", "6.1.0-99-amd64", 1, 2.5)
    assert [outcome.name for outcome in result.in_state("failed")] == ["test_peek[tcp4]", "test_nobody"]
    assert [(probe.name, probe.attached) for probe in result.probes] == [("block", True)]
    assert result.checks == {"loader": "compiled"}
    assert result.log == "first\nlast"
