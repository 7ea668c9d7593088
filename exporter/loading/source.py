"""The C that is compiled: the files of ``probes/`` in one buffer, behind the enumerations of :mod:`exporter.model`."""

import re
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path

from exporter.loading.probes import Probe
from exporter.model import Endpoint, FolderTransfer, Operation, RowKind

_SHARED = ("counts.c", "ends.c", "folders.c", "sendfile.c", "syscalls.c", "preemption.c")
"""Always there, in this order: what is counted in, what a file means for a hop, the main probe with what it calls."""


def probes_directory() -> Path:
    """``probes/``: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "probes"
    return installed if installed.is_dir() else package.parent / "probes"


def c_source(probes: Iterable[Probe]) -> str:
    """One buffer for BCC: it rewrites map accesses only in the main one, never in included headers."""
    names = dict.fromkeys((*_SHARED, *(probe.source for probe in probes)))
    parts = [_enumeration(enumeration) for enumeration in (Endpoint, RowKind, Operation, FolderTransfer)]
    for name in names:
        path = probes_directory() / name
        parts.append(f'#line 1 "{name}"\n{path.read_text()}')
    return "\n".join(parts)


def _enumeration(enumeration: type[IntEnum]) -> str:
    """``RowKind.DMA`` in Python is ``ROW_KIND_DMA`` of ``enum row_kind`` in C."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", enumeration.__name__).lower()
    members = ", ".join(f"{name.upper()}_{member.name} = {member.value}" for member in enumeration)
    return f"enum {name} {{ {members} }};"
