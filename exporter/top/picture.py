"""The hops of one process as a picture in characters: a line down for each endpoint, an arrow for each hop. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.live.rates import ProcessHop
from exporter.top.columns import MECHANISMS
from exporter.top.text import printable, rate

_ORDER = (
    *("disk", "remote", "page_cache", "pseudo", "device", "anon"),
    *("user", "queue", "pipe", "unix", "socket", "udp", "tcp", "unknown"),
)
_STEP_MIN, _STEP_MAX = 12, 18
_MARGIN = 5
"""Cells before the first line down: half of the longest name."""


@dataclass(frozen=True)
class Characters:
    """What the picture is drawn with."""

    line: str
    right: str
    left: str
    bodies: dict[str, str]
    """Of arrows, by mechanism; others have ``~``."""


ASCII = Characters("|", ">", "<", {"cpu": "=", "zero_copy": ".", "dma": "-"})
UNICODE = Characters("│", "▶", "◀", {"cpu": "═", "zero_copy": "┄", "dma": "─"})


@dataclass(frozen=True)
class PictureLine:
    """A line of the picture."""

    text: str
    mechanism: str = ""
    """Of the arrow on it; empty without."""


@dataclass(frozen=True)
class _Arrow:
    source: str
    destination: str
    mechanism: str
    bytes_per_second: float

    @property
    def label(self) -> str:
        words = MECHANISMS.get(self.mechanism) or printable(self.mechanism, ascii_only=True)
        return f"{rate(self.bytes_per_second)} {words}"


def draw(hops: Iterable[ProcessHop], width: int, *, ascii_only: bool) -> list[PictureLine]:
    """Draw the hops, largest first; as sentences where the picture would be wider than the terminal."""
    arrows = _arrows(hops)
    if not arrows:
        return [PictureLine("Nothing moves.")]
    used = {endpoint for arrow in arrows for endpoint in (arrow.source, arrow.destination)}
    endpoints = [endpoint for endpoint in _ORDER if endpoint in used] + sorted(used - set(_ORDER))
    labels = max(len(arrow.label) for arrow in arrows)
    step = (width - labels - _MARGIN) // len(endpoints)
    if step < _STEP_MIN:
        return [_sentence(arrow) for arrow in arrows]
    columns = {endpoint: _MARGIN + min(step, _STEP_MAX) * index for index, endpoint in enumerate(endpoints)}
    return _picture(arrows, columns, ASCII if ascii_only else UNICODE)


def legend(*, ascii_only: bool) -> str:
    """Return what the arrows mean."""
    bodies = (ASCII if ascii_only else UNICODE).bodies
    return "   ".join(f"{3 * bodies[mechanism]} {words}" for mechanism, words in MECHANISMS.items())


def _arrows(hops: Iterable[ProcessHop]) -> list[_Arrow]:
    """One arrow for all hops between two endpoints by one mechanism, whatever calls make them."""
    merged: dict[tuple[str, str, str], float] = {}
    for hop in hops:
        if hop.bytes_per_second > 0:
            ends = hop.source, hop.destination, hop.mechanism
            merged[ends] = merged.get(ends, 0.0) + hop.bytes_per_second
    arrows = [_Arrow(*ends, bytes_per_second) for ends, bytes_per_second in merged.items()]
    return sorted(arrows, key=lambda arrow: -arrow.bytes_per_second)


def _sentence(arrow: _Arrow) -> PictureLine:
    return PictureLine(f"{_name(arrow.source)} -> {_name(arrow.destination)}: {arrow.label}", arrow.mechanism)


def _picture(arrows: Sequence[_Arrow], columns: dict[str, int], characters: Characters) -> list[PictureLine]:
    width = max(columns.values()) + _STEP_MIN // 2
    names = [" "] * (width + _MARGIN)
    for endpoint, column in columns.items():
        name = _name(endpoint)
        start = max(0, column - len(name) // 2)
        names[start : start + len(name)] = name
    lines = [PictureLine("".join(names).rstrip())]
    for arrow in arrows:
        cells = [" "] * width
        for column in columns.values():
            cells[column] = characters.line
        _place(cells, columns[arrow.source], columns[arrow.destination], arrow.mechanism, characters)
        lines.append(PictureLine("".join(cells) + " " + arrow.label, arrow.mechanism))
    return lines


def _place(cells: list[str], source: int, destination: int, mechanism: str, characters: Characters) -> None:
    body = characters.bodies.get(mechanism, "~")
    if source == destination:  # an arrow that returns to the line it leaves
        cells[source + 1 : source + 4] = [characters.left, body, body]
    elif source < destination:
        cells[source + 1 : destination] = [body] * (destination - source - 2) + [characters.right]
    else:
        cells[destination + 1 : source] = [characters.left] + [body] * (source - destination - 2)


def _name(endpoint: str) -> str:
    name = "user memory" if endpoint == "user" else endpoint.replace("_", " ")
    return printable(name, ascii_only=True)[: _STEP_MIN - 1]
