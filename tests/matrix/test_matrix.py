"""``tests/probes`` and a part of ``tests/service`` on other kernels and with other versions of BCC."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.paths import ROOT

from .report import render, summarize
from .results import TargetResult
from .runner import DEADLINE_SECONDS, run_target
from .targets import MODES, TARGETS, Target

PAGE = ROOT / "docs/kernels.md"

Results = dict[str, Future[TargetResult]]


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """The results of all selected targets, which run in threads. With all targets, the page is written at the end."""
    kept = os.environ.get("COPY_EXPORTER_VM_RESULTS")
    directory = Path(kept).absolute() if kept else tmp_path_factory.mktemp("results")
    selected = [item.callspec.params["target"] for item in request.session.items if item.path == request.path]
    pool = ThreadPoolExecutor(int(os.environ.get("COPY_EXPORTER_VMS", "1")))
    futures = {target.id: pool.submit(run_target, target, made(directory / target.id)) for target in selected}
    yield futures
    pool.shutdown(cancel_futures=True)
    if futures.keys() == {target.id for target in TARGETS} and not any(
        future.exception() for future in futures.values()
    ):
        PAGE.write_text(render([summarize(future.result()) for future in futures.values()]))


def made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.mark.vm
@pytest.mark.timeout(DEADLINE_SECONDS + 300)
@pytest.mark.usefixtures("programs_for_emulation")
@pytest.mark.parametrize(
    "target",
    [
        *(pytest.param(target, id=target.id, marks=() if target.always else pytest.mark.matrix) for target in TARGETS),
        *(pytest.param(target, id=target.id, marks=pytest.mark.modes) for target in MODES),
    ],
)
def test_target(target: Target, results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    result = results[target.id].result()
    heading = f"{result.name}, kernel {result.release}"
    print(f"{heading}: {result.seconds:.0f} s")
    if result.first_start:
        with capsys.disabled():
            print(f"\n{heading}: started twice, because {result.first_start}")
    failed = "\n".join(str(outcome) for outcome in result.in_state("failed"))
    assert not failed, f"{heading}:\n{failed}"
    assert result.status == 0, f"pytest exited with status {result.status}:\n{result.log}"
    assert result.in_state("passed")
