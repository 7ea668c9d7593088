"""One warning when the kernel skips runs, and one when it begins to preempt itself."""

import logging

import pytest

from exporter.kernel.probe_maps import DROPPABLE_MAPS
from exporter.model import ProbeRuns, ProbeState
from exporter.service import exactness
from exporter.service.exactness import ExactnessWatch

ON_FUNCTIONS = ProbeState("syscalls", "system calls", "fexit.syscalls", attached=True)
ON_SYS_EXIT = ProbeState("syscalls", "sys_exit", "raw_tracepoint", attached=True)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_missed_runs_are_warned_about_once_a_probe(caplog: pytest.LogCaptureFixture) -> None:
    missed = {"syscalls": 0, "pipe_read": 0}
    watch = ExactnessWatch(lambda: [ProbeRuns(name, 0, 0.0, number) for name, number in missed.items()], dict, None, [])
    watch.check()
    assert not messages(caplog)
    missed["syscalls"] = 3
    watch.check()
    missed["syscalls"] = 9
    watch.check()
    (message,) = messages(caplog)
    assert message.startswith("probe syscalls: the kernel has skipped 3 runs")


def test_a_full_map_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    dropped = dict.fromkeys(DROPPABLE_MAPS, 0)
    watch = ExactnessWatch(list, lambda: dropped, None, [])
    watch.check()
    assert not messages(caplog)
    dropped["counts"] = 4
    watch.check()
    dropped["counts"] = 5
    watch.check()
    (message,) = messages(caplog)
    assert message.startswith(
        "map counts has lost 4 updates (counts of rows that are new), because it is full: raise --map.entries;"
    )
    dropped["folders"] = 1
    watch.check()
    assert "because it is full: raise --map.folders.entries;" in messages(caplog)[1]


def test_requests_from_before_the_start_do_not_fill_a_map(caplog: pytest.LogCaptureFixture) -> None:
    ExactnessWatch(list, lambda: {"multishots": 1}, None, []).check()
    (message,) = messages(caplog)
    assert "because they were submitted before the exporter started, or it is full" in message


@pytest.mark.parametrize(("probe", "warnings"), [(ON_FUNCTIONS, 1), (ON_SYS_EXIT, 0)])
def test_a_mode_that_changes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, probe: ProbeState, warnings: int
) -> None:
    mode = "voluntary"
    monkeypatch.setattr(exactness, "read_mode", lambda _: mode)
    watch = ExactnessWatch(list, dict, 5, [probe])
    watch.check()
    assert not messages(caplog)
    mode = "full"
    watch.check()
    watch.check()
    assert [message.split(":")[0] for message in messages(caplog)] == [
        "the kernel now preempts itself (preempt=full)"
    ] * warnings
