"""The published packages, built and installed once per session."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.watched_connection import WatchedConnection

from .operator_schemas import OperatorSchemas


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sdist and the wheel that was built from it."""
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run([ROOT / ".venv/bin/python", "-m", "build", "--outdir", directory, ROOT], check=True)
    return directory


@pytest.fixture(scope="session")
def installed(dist: Path) -> Iterator[Path]:
    """The command, installed from the wheel where every user can read it, beside Debian's BCC."""
    with tempfile.TemporaryDirectory(prefix="copy-exporter-", dir="/opt") as directory:
        Path(directory).chmod(0o755)
        venv = Path(directory, "venv")
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", *dist.glob("*.whl")], check=True)
        yield venv / "bin/copy-exporter"


@pytest.fixture
def connection() -> Iterator[WatchedConnection]:
    with closing(WatchedConnection()) as opened:
        yield opened


@pytest.fixture(scope="session")
def operator() -> OperatorSchemas:
    return OperatorSchemas()
