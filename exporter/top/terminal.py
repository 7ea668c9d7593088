"""What the terminal can show: its width, its characters, and whether there is one."""

import os
import shutil
import sys
from collections.abc import Mapping

_WIDTH_WITHOUT = 140
_SET_BY_PYTHON = "C.UTF-8"
"""Python sets LC_CTYPE to this itself where the locale is C."""


def is_interactive() -> bool:
    """Whether there is a terminal that can be drawn on. Textual reads standard input and writes standard error."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream.isatty() for stream in streams) and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def width() -> int:
    """Return the columns of the terminal; where standard output is none, those of COLUMNS, or many."""
    return shutil.get_terminal_size((_WIDTH_WITHOUT, 0)).columns


def forget_size() -> None:
    """Forget the size that the starter has set: the live view follows the size that the terminal has."""
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)


def is_ascii_only(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the language of the terminal has no other characters than ASCII."""
    kind = environment.get("LC_CTYPE", "")
    locale = environment.get("LC_ALL") or (kind if kind != _SET_BY_PYTHON else "") or environment.get("LANG", "")
    return "utf8" not in locale.lower().replace("-", "")
