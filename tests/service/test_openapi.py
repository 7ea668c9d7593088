"""schemathesis sends requests that the OpenAPI description of the service allows, and many that it does not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.exporter_process import ExporterProcess

from .web_config_files import PASSWORD, USER, WebConfigFiles

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = "60"


@pytest.fixture
def files():
    with WebConfigFiles() as made:
        yield made


def check(service: ExporterProcess, checks: str, directory: Path) -> None:
    """Run these checks of schemathesis, without a password."""
    description = directory / "openapi.json"
    description.write_bytes(service.get("/openapi.json").content)
    command = [SCHEMATHESIS, "run", description, "--url", service.url, "--no-color"]
    options = ["--checks", checks, "--mode", "all", "--max-examples", EXAMPLES, "--seed", "1", "--tls-verify=false"]
    options += ["--exclude-path", "/api/v1/live/stream"]  # it does not end
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=200, check=False, cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 selected / 5 total" in done.stdout
    assert service.get("/-/ready").status_code == 200
    assert "Traceback" not in service.log()


def test_answers_are_as_described(start: Callable[..., ExporterProcess], tmp_path: Path) -> None:
    check(start(), "all", tmp_path)


def test_no_server_error_without_a_password(
    start: Callable[..., ExporterProcess], tmp_path: Path, files: WebConfigFiles
) -> None:
    """Every answer is 401, which the description of the API does not have."""
    flags = ("--web.config.file", str(files.write_config({USER: PASSWORD})))
    service = start(*flags, client=files.client_options())
    check(service, "not_a_server_error", tmp_path)
