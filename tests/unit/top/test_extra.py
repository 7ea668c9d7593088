"""Only ``top`` imports what it needs: Textual is optional, and the start of the service waits for its imports."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "modules", ["exporter.cli, exporter.service.run", "exporter.cli, exporter.service.live_process"]
)
def test_nothing_else_imports_textual(modules: str) -> None:
    code = f"import sys, {modules}; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_line_imports_little() -> None:
    """pydantic alone takes as long as the rest."""
    code = "import sys, exporter.cli; sys.exit('exporter.top.command' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
