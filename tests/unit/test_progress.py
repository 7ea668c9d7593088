"""What tests announce is seen while they run."""

import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

LINE = "downloading a kernel"
TEST = f"""
import threading
from tests.support.progress import announce

def test_download():
    print("kept by pytest")
    thread = threading.Thread(target=announce, args=({LINE!r},))
    thread.start()
    thread.join()
"""


def test_a_line_is_not_kept_by_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_download.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == f"\n{LINE}\n"
    assert "kept by pytest" not in done.stdout
