"""schemathesis asks the running service for all that its OpenAPI description allows, and for much that it does not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.exporter_process import ExporterProcess

from .secrets import PASSWORD, USER, Secrets

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = "60"


@pytest.mark.parametrize("strangers", [False, True], ids=["user", "stranger"])
def test_fuzzing_finds_nothing(start: Callable[..., ExporterProcess], tmp_path: Path, strangers: bool) -> None:
    """A stranger gets 401, whatever it tries: the checks on what is documented are not for it."""
    made = Secrets()
    try:
        users = ("--web.config.file", str(made.write({USER: PASSWORD}))) if strangers else ()
        service = start(*users, client=made.client() if strangers else {})
        description = tmp_path / "openapi.json"
        description.write_bytes(service.get("/openapi.json").content)
        checks = "not_a_server_error" if strangers else "all"
        command = [SCHEMATHESIS, "run", description, "--url", service.url, "--no-color"]
        options = ["--checks", checks, "--mode", "all", "--max-examples", EXAMPLES, "--seed", "1", "--tls-verify=false"]
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "3 selected / 3 total" in done.stdout
        assert service.get("/-/ready").status_code == 200
        assert "Traceback" not in service.log()
    finally:
        made.close()
