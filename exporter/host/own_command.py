"""The command to type for root: sudo finds only what is in its own path, which has no environment of a checkout."""

import sys
from pathlib import Path

from exporter.host.surroundings import PATH

_NAME = "copy-exporter"


def sudo_command(arguments: str, prefix: str = sys.prefix) -> str:
    """Return ``sudo copy-exporter ARGUMENTS``, with the path of the command where sudo does not find it."""
    installed = Path(prefix, "bin", _NAME)
    found = not installed.exists() or str(installed.parent) in PATH.split(":")
    return f"sudo {_NAME if found else installed} {arguments}"
