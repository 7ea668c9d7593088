"""One warning when the kernel skips runs, and one when it begins to preempt itself."""

import logging

import pytest

from exporter.model import ProbeRuns, ProbeState
from exporter.service import exactness
from exporter.service.exactness import ExactnessWatch

ON_FUNCTIONS = ProbeState("syscalls", "system calls", "fexit.syscalls", attached=True)
ON_SYS_EXIT = ProbeState("syscalls", "sys_exit", "raw_tracepoint", attached=True)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_missed_runs_are_warned_about_once_a_probe(caplog: pytest.LogCaptureFixture) -> None:
    missed = {"syscalls": 0, "pipe_read": 0}
    watch = ExactnessWatch(lambda: [ProbeRuns(name, 0, 0.0, number) for name, number in missed.items()], None, [])
    watch.check()
    assert not messages(caplog)
    missed["syscalls"] = 3
    watch.check()
    missed["syscalls"] = 9
    watch.check()
    (message,) = messages(caplog)
    assert message.startswith("probe syscalls: the kernel has skipped 3 runs")


@pytest.mark.parametrize(("probe", "warnings"), [(ON_FUNCTIONS, 1), (ON_SYS_EXIT, 0)])
def test_a_mode_that_changes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, probe: ProbeState, warnings: int
) -> None:
    mode = "voluntary"
    monkeypatch.setattr(exactness, "read_mode", lambda _: mode)
    watch = ExactnessWatch(list, 5, [probe])
    watch.check()
    assert not messages(caplog)
    mode = "full"
    watch.check()
    watch.check()
    assert [message.split(":")[0] for message in messages(caplog)] == [
        "the kernel now preempts itself (preempt=full)"
    ] * warnings
