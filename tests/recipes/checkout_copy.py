"""A copy of the repository's files in which a recipe is tried. Its programs import the copy's modules, not ours."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.paths import ROOT

Edit = Callable[[str], str]
"""From the text of a file, "" for a new one, to the changed text."""
GENERATED = (
    "docs/metrics.md",
    "dashboards/grafana/",
    "dashboards/prometheus/recording.rules.yml",
    "tests/unit/metrics/golden/",
)
"""What the commands of :meth:`CheckoutCopy.generate` write, by the start of the path."""
_PYTEST_OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "-p", "pytest_timeout")
_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Without plugins, pytest starts in half the time."""
_MAKE = ("make", "--old-file=.venv/.run", "--old-file=.venv/.test")
"""``make`` that never installs: ``.venv`` in the copy is ours."""


class CheckoutCopy:
    """The files that git knows, as they are in the working tree."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        listed = ("git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        self._original = {name: (ROOT / name).read_bytes() for name in names if name and (ROOT / name).is_file()}
        for name, content in self._original.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (directory / ".venv").symlink_to(sys.prefix)

    def apply(self, edits: Mapping[str, Edit]) -> None:
        """Change these files. Fails if an edit changes nothing."""
        for name, edit in edits.items():
            path = self.directory / name
            before = path.read_text() if path.exists() else ""
            after = edit(before)
            assert after != before, f"the recipe's edit does not fit {name}"
            path.write_text(after)

    def restore(self) -> None:
        """Make every file what it was."""
        for name in self.changed():
            if name in self._original:
                (self.directory / name).write_bytes(self._original[name])
            else:
                (self.directory / name).unlink()

    def changed(self) -> set[str]:
        """The files that are new, gone or different."""
        present = {name: (self.directory / name).read_bytes() for name in self._files()}
        names = present.keys() | self._original.keys()
        return {name for name in names if present.get(name) != self._original.get(name)}

    def generate(self) -> None:
        """Run the commands that CONTRIBUTING.md names for generated and golden files."""
        self.check(*_MAKE, "docs", "dashboards")
        self.pytest("tests/unit/metrics/test_text_format.py", "--accept")

    def pytest(self, *arguments: str) -> None:
        """Run tests of the copy. :class:`AssertionError` unless all pass and none is skipped."""
        output = self.check(sys.executable, "-m", "pytest", *_PYTEST_OPTIONS, *arguments)
        assert "skipped" not in output, output

    def check(self, *command: str) -> str:
        """Run a command in the copy, which must end with status 0; its output."""
        environment = {**os.environ, **_ENVIRONMENT, "PYTHONPATH": str(self.directory)}
        environment.pop("MAKEFLAGS", None)
        done = subprocess.run(
            command, cwd=self.directory, env=environment, check=False, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def _files(self) -> list[str]:
        paths = (path for path in self.directory.rglob("*") if path.is_file() and not path.is_symlink())
        names = (path.relative_to(self.directory).as_posix() for path in paths)
        return [name for name in names if not name.startswith((".venv/", ".ruff_cache/", ".hypothesis/"))]
