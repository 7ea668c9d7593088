"""The schemas of the Prometheus operator's own kinds, published for node."""

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.support.paths import CACHE

_PACKAGE = "@kubernetes-models/prometheus-operator"
_VERSION = "6.0.0"
_VALIDATE = f"""
const manifest = JSON.parse(process.argv[2]);
const models = await import(`{_PACKAGE}/monitoring.coreos.com/v1/${{manifest.kind}}`);
new models[manifest.kind](manifest).validate();
"""


class OperatorSchemas:
    """The schemas, installed by npm once; skips the test where there is no npm."""

    def __init__(self) -> None:
        if not shutil.which("npm"):
            pytest.skip("not installed: npm")
        directory = CACHE / "npm"
        directory.mkdir(parents=True, exist_ok=True)
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", str(directory)]
        subprocess.run([*install, f"{_PACKAGE}@{_VERSION}"], check=True, capture_output=True)
        self._program = directory / "validate.mjs"
        self._program.write_text(_VALIDATE)

    def errors(self, manifest: dict[str, Any]) -> str:
        """What is wrong with a manifest of its kind; empty if nothing."""
        command = ["node", self._program, json.dumps(manifest)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr
