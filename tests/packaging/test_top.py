"""``copy-exporter top`` as it is installed without its extra: without Textual."""

import subprocess
from pathlib import Path

from tests.support.exporter_process import ExporterProcess
from tests.support.terminal import Terminal


def test_the_live_view_names_the_extra(installed: Path) -> None:
    with Terminal([installed, "top", "http://127.0.0.1:1/"]) as terminal:
        assert terminal.wait_for_end() == 1
        (line,) = [line for line in terminal.screen("-J").splitlines() if line.startswith("copy-exporter: ")]
    assert line.startswith("copy-exporter: the live view needs Textual: install copy-exporter with its extra top")


def test_once_needs_no_extra(installed: Path) -> None:
    with ExporterProcess(command=(installed, "serve")) as service:
        done = subprocess.run(
            [installed, "top", "--once", service.url], capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert "probes attached" in done.stdout
