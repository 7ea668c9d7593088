"""The commands of the documentation, as a reader types them, beside an exporter on its usual port."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.doc_commands import HOW, Run
from tests.support.exporter_process import COMMAND, SERVE, ExporterProcess
from tests.support.namespaces import NETWORK_NAMESPACE
from tests.support.paths import ROOT
from tests.support.wait import wait_until

from .movers import Mover

COMMANDS = {command: how.prints for command, how in HOW.items() if isinstance(how, Run)}
ENDLESS = {"curl -sN localhost:10435/api/v1/live/stream"}
TIMED_OUT = 124


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """The network namespace of an exporter, where its usual port is free."""
    with subprocess.Popen([*NETWORK_NAMESPACE, *SERVE], stderr=subprocess.DEVNULL) as process:
        found = f"/proc/{process.pid}/ns/net"
        ready = ["nsenter", f"--net={found}", "curl", "-sf", "localhost:10435/-/ready"]
        wait_until(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0, "the exporter", 200)
        yield found
        process.terminate()


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, namespace: str, move: Callable[..., Mover], tmp_path: Path) -> None:
    mover = move()
    mover.move(100)
    shutil.copy(ROOT / "dashboards" / "prometheus" / "alerts.rules.yml", tmp_path)
    typed = re.sub(r"\b(4711|4411|PID)\b", str(mover.pid), command)
    seconds = "5" if command in ENDLESS else "100"
    done = subprocess.run(
        ["nsenter", f"--net={namespace}", "timeout", seconds, "bash", "-o", "pipefail", "-c", typed],
        capture_output=True,
        text=True,
        cwd=ROOT if command.startswith("make ") else tmp_path,
        env={**os.environ, "PATH": f"{COMMAND.parent}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.returncode == (TIMED_OUT if command in ENDLESS else 0), done.stderr
    assert COMMANDS[command] in done.stdout


def test_make_run() -> None:
    """Serves until the terminal's Ctrl-C."""
    command = ("make", "-C", str(ROOT), "run", "ARGS=--web.listen-address 127.0.0.1:0")
    with ExporterProcess(command=command, listen=False) as service:
        assert "copy_exporter_build_info" in service.metrics()
        (served,) = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
        os.kill(int(served), signal.SIGINT)
        service.process.wait(20)
