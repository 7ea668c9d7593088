"""Rows of a table: sorted, filtered, and as wide as the terminal. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from rich.cells import cell_len

from exporter.top.columns import Column
from exporter.top.text import fit, printable

T = TypeVar("T")
_GAP = 2
_FIRST_MIN, _FIRST_MAX = 12, 40


@dataclass(frozen=True)
class Order:
    """What rows are sorted by: a column by its position."""

    column: int
    descending: bool = True

    def by(self, column: int, *, is_text: bool) -> "Order":
        """Return the order after the user has chosen a column: again the same one reverses the order."""
        if column == self.column:
            return replace(self, descending=not self.descending)
        return Order(column, descending=not is_text)


@dataclass(frozen=True)
class Layout(Generic[T]):
    """The columns that fit, with their widths in cells, and the cells of each row."""

    columns: tuple[Column[T], ...]
    widths: tuple[int, ...]
    cells: tuple[tuple[str, ...], ...]

    def lines(self) -> list[str]:
        """The table as text, with its titles."""
        titles = tuple(column.title for column in self.columns)
        return [self._line(row) for row in (titles, *self.cells)]

    def column_at(self, x: int) -> int | None:
        """Return the position of the column that has this cell; None right of the last one."""
        end = 0
        for index, width in enumerate(self.widths):
            end += width + _GAP
            if x < end:
                return index
        return None

    def _line(self, row: Sequence[str]) -> str:
        parts = zip(row, self.widths, self.columns, strict=True)
        text = (" " * _GAP).join(fit(cell, width, right=not column.is_text) for cell, width, column in parts)
        return text.rstrip()


def arrange(rows: Iterable[T], columns: Sequence[Column[T]], order: Order, wanted: str = "") -> list[T]:
    """Return the rows that contain ``wanted`` in a column of text, sorted."""
    value = columns[order.column].value
    kept = [row for row in rows if _matches(row, columns, wanted.lower())]
    return sorted(kept, key=lambda row: _sort_key(value(row)), reverse=order.descending)


def lay_out(rows: Sequence[T], columns: Sequence[Column[T]], width: int, *, ascii_only: bool) -> Layout[T]:
    """Leave out columns until the others fit; then cut the first one."""
    cells = [[printable(column.show(row), ascii_only=ascii_only) for row in rows] for column in columns]
    widths = [
        max([cell_len(column.title), *map(cell_len, below)]) for column, below in zip(columns, cells, strict=True)
    ]
    kept = list(range(len(columns)))
    while _least_width([widths[index] for index in kept]) > width:
        last = max(kept, key=lambda index: columns[index].rank)
        if not columns[last].rank:
            break
        kept.remove(last)
    others = sum(widths[index] for index in kept[1:]) + _GAP * (len(kept) - 1)
    first = max(1, min(widths[0], _FIRST_MAX, width - others))
    return Layout(
        tuple(columns[index] for index in kept),
        (first, *(widths[index] for index in kept[1:])),
        tuple(zip(*(cells[index] for index in kept), strict=True)),
    )


def _least_width(widths: Sequence[int]) -> int:
    return min(widths[0], _FIRST_MIN) + sum(widths[1:]) + _GAP * (len(widths) - 1)


def _matches(row: T, columns: Sequence[Column[T]], wanted: str) -> bool:
    return not wanted or any(wanted in column.show(row).lower() for column in columns if column.is_text)


def _sort_key(value: str | float | None) -> tuple[bool, str, float]:
    """What is not known comes before all else; texts sort without regard to case."""
    if isinstance(value, str):
        return True, value.lower(), 0.0
    return value is not None, "", value or 0.0
