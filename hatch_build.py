"""Hatchling's build hook: the git revision goes into wheel and sdist as ``exporter/REVISION``."""

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RevisionHook(BuildHookInterface):
    """Takes it from where the program itself takes it: ``.git``, or the file that an sdist has already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling. An editable install goes on reading ``.git``."""
        revision = runpy.run_path(str(Path(self.root, "exporter", "revision.py")))
        written = Path("exporter", revision["FILE"])
        if version == "editable" or Path(self.root, written).exists():
            return
        self._directory = tempfile.TemporaryDirectory()  # gone with the hook
        file = Path(self._directory.name, revision["FILE"])
        file.write_text(f"{revision['REVISION']}\n")
        build_data["force_include"][str(file)] = str(written)
