"""Textual is optional: only the live view imports it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "modules", ["exporter.cli, exporter.service.run", "exporter.cli, exporter.service.live_process"]
)
def test_nothing_else_imports_textual(modules: str) -> None:
    code = f"import sys, {modules}; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
