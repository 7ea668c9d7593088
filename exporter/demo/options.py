"""Options of the demo, and sizes such as 64KiB."""

import re
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import UsageError

DEFAULT_SIZE = 256 << 20
DEFAULT_CHUNK = 64 << 10
DEFAULT_DIRECTORY = Path("/var/tmp")  # on a disk; /tmp is often in memory

_UNITS = {"": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
_SIZE = re.compile(r"([0-9]{1,15}) ?([KMGT]iB|)")
_CHUNK_MIN = 1 << 10
_CHUNK_MAX = 64 << 20


@dataclass(frozen=True)
class DemoOptions:
    """Options of the demo. Raises :class:`UsageError` if the values are not valid together."""

    size: int = DEFAULT_SIZE
    """Bytes of the file that is sent."""
    chunk: int = DEFAULT_CHUNK
    """Bytes requested per call."""
    json: bool = False
    """Print one JSON document instead of tables."""
    directory: Path = DEFAULT_DIRECTORY
    """The file is created here."""

    def __post_init__(self) -> None:
        low, high = format_size(_CHUNK_MIN), format_size(_CHUNK_MAX)
        if not _CHUNK_MIN <= self.chunk <= _CHUNK_MAX:
            raise UsageError(f"--chunk={format_size(self.chunk)} must be between {low} and {high}")
        if self.size < self.chunk:
            raise UsageError(f"--size={format_size(self.size)} must be at least one chunk ({format_size(self.chunk)})")


def parse_size(flag: str, text: str) -> int:
    """Parse ``65536``, ``64KiB``, ``256MiB`` or ``1GiB`` to bytes. Raises :class:`UsageError` that names ``flag``."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise UsageError(f"{flag}={text!r} is not a size; write bytes, or a number with KiB, MiB, GiB or TiB")
    number, unit = match.groups()
    return int(number) << _UNITS[unit]


def format_size(size: int) -> str:
    """The shortest exact form that :func:`parse_size` accepts."""
    unit = max(
        (shift, name) for name, shift in _UNITS.items() if (size % (1 << shift) == 0 and size >> shift) or not shift
    )
    return f"{size >> unit[0]}{unit[1]}"
