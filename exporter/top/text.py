"""Numbers as people read them, as on the live page, and text that is safe to print. None is a number not known."""

from rich.cells import cell_len, set_cell_size

UNKNOWN = "unknown"
NOTHING = "-"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_LAST_BELOW = 1023.5


def size(value: float | None) -> str:
    """``1.5 MiB``."""
    if value is None:
        return UNKNOWN
    power = 0
    while value >= _LAST_BELOW and power < len(_UNITS) - 1:
        value, power = value / 1024, power + 1
    places = 0 if not power or value >= 100 or value == 0 else 1
    return f"{value:.{places}f} {_UNITS[power]}"


def rate(value: float | None) -> str:
    """``1.5 MiB/s``."""
    return UNKNOWN if value is None else f"{size(value)}/s"


def count(value: float | None) -> str:
    """``12,345``; one decimal place below 10."""
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if 0 < value < 10 else f"{value:,.0f}"


def percent(ratio: float | None) -> str:
    """``12%``; one decimal place below 10."""
    if ratio is None:
        return UNKNOWN
    value = 100 * ratio
    return f"{value:.1f}%" if 0 < value < 10 else f"{value:.0f}%"


def printable(text: str, *, ascii_only: bool) -> str:
    """Return text from outside without what a terminal would obey: control characters, and marks of direction."""
    if text.isprintable() and (text.isascii() or not ascii_only):
        return text
    return "".join(
        character if character.isprintable() and (not ascii_only or character.isascii()) else "?" for character in text
    )


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Cut or fill the text to ``width`` cells; a cut text ends with ``~``."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, max(0, width - 1)) + "~" if width else ""
    space = " " * (width - length)
    return space + text if right else text + space
