"""What the demo is asked to do, and sizes as people write them."""

import re
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import UsageError

DEFAULT_SIZE = 256 << 20
DEFAULT_CHUNK = 64 << 10
DEFAULT_DIRECTORY = Path("/var/tmp")  # on a disk, where /tmp is often in memory

_UNITS = {"": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
_SIZE = re.compile(r"([0-9]{1,15}) ?([KMGT]iB|)")
_CHUNK_MIN = 1 << 10
_CHUNK_MAX = 64 << 20


@dataclass(frozen=True)
class DemoOptions:
    """Raises :class:`UsageError` when the values cannot be used together."""

    size: int = DEFAULT_SIZE
    """Bytes of the file that is sent."""
    chunk: int = DEFAULT_CHUNK
    """Bytes asked for by one call."""
    json: bool = False
    """Print one JSON document and nothing else."""
    directory: Path = DEFAULT_DIRECTORY
    """Where the file is made."""

    def __post_init__(self) -> None:
        low, high = format_size(_CHUNK_MIN), format_size(_CHUNK_MAX)
        if not _CHUNK_MIN <= self.chunk <= _CHUNK_MAX:
            raise UsageError(f"--chunk={format_size(self.chunk)} cannot be used: from {low} to {high} would do")
        if self.size < self.chunk:
            raise UsageError(
                f"--size={format_size(self.size)} is less than one chunk: {format_size(self.chunk)} or more would do"
            )


def parse_size(text: str, flag: str = "") -> int:
    """Bytes: ``65536``, ``64KiB``, ``256MiB``, ``1GiB``. Raises :class:`UsageError`, which names ``flag`` if given."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise UsageError(
            f"{flag}{'=' if flag else ''}{text!r} is not a size: bytes, or a number with KiB, MiB, GiB or TiB, would do"
        )
    number, unit = match.groups()
    return int(number) << _UNITS[unit]


def format_size(size: int) -> str:
    """The shortest exact form, as :func:`parse_size` takes it."""
    unit = max(
        (shift, name) for name, shift in _UNITS.items() if (size % (1 << shift) == 0 and size >> shift) or not shift
    )
    return f"{size >> unit[0]}{unit[1]}"
