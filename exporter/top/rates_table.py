"""A table of rates in the live view: the columns that fit, sorted and filtered, with a cursor that stays on its row.

Textual's own table formats each cell by itself, and takes longer for 50 processes than a key may take.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Generic

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from exporter.top.columns import Column
from exporter.top.table import Order, T, arrange, lay_out

_MARKS = {True: "v", False: "^"}
"""Of the column that rows are sorted by: largest first, or smallest."""
_TITLES, _ROW, _CURSOR = Style(bold=True, underline=True), Style(), Style(reverse=True)


class RatesTable(ScrollView, Generic[T], can_focus=True):
    """Rows of one kind below a line of titles."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)"),
        Binding("down", "move(1)"),
        Binding("pageup", "move_page(-1)"),
        Binding("pagedown", "move_page(1)"),
        Binding("home", "move(-100000)"),
        Binding("end", "move(100000)"),
        Binding("enter", "select"),
        Binding("s", "sort(1)"),
        Binding("S", "sort(-1)"),
        Binding("r", "reverse"),
    ]

    class Selected(Message):
        """The user has chosen a row."""

        def __init__(self, item: object) -> None:
            """``item`` is what the row shows."""
            super().__init__()
            self.item = item

    def __init__(
        self,
        columns: Sequence[Column[T]],
        key: Callable[[T], str],
        order: Order,
        *,
        ascii_only: bool,
    ) -> None:
        """``key`` identifies a row from one reading to the next."""
        super().__init__()
        self._columns = columns
        self._key = key
        self._order = order
        self._ascii_only = ascii_only
        self._items: Sequence[T] = ()
        self._wanted = ""
        self._arranged: list[T] = []
        self._layout = lay_out(self._arranged, columns, 0, ascii_only=ascii_only)
        self._lines: list[str] = []
        self._cursor = 0

    def show_rows(self, items: Sequence[T]) -> None:
        """Show these rows in place of those before."""
        if items is not self._items:
            self._items = items
            self._arrange()

    def filter_rows(self, wanted: str) -> None:
        """Show only rows that contain this text."""
        self._wanted = wanted
        self._arrange()

    def render_line(self, y: int) -> Strip:
        """See Textual."""
        index = y - 1 + self.scroll_offset.y if y else -1
        text, style = "", _ROW
        if index + 1 < len(self._lines):
            text = self._lines[index + 1]
            style = _ROW if index >= 0 else _TITLES
        if y and index == self._cursor and self._arranged:
            style = _CURSOR
        return Strip([Segment(text, style)]).adjust_cell_length(self.size.width, style)

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self._cursor = max(0, min(self._cursor + rows, len(self._arranged) - 1))
        above, below = self._cursor, self._cursor + 2 - self.size.height
        self.scroll_to(y=min(above, max(below, self.scroll_offset.y)), animate=False)
        self.refresh()

    def action_move_page(self, pages: int) -> None:
        """Move the cursor by what is visible."""
        self.action_move(pages * max(1, self.size.height - 2))

    def action_select(self) -> None:
        """Choose the row at the cursor."""
        if self._arranged:
            self.post_message(self.Selected(self._arranged[self._cursor]))

    def action_sort(self, step: int) -> None:
        """Sort by the next column that is shown, or by the one before."""
        shown = self._shown_columns()
        place = shown.index(self._order.column) if self._order.column in shown else 0
        self._sort_by(shown[(place + step) % len(shown)])

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._sort_by(self._order.column)

    def on_click(self, event: events.Click) -> None:
        """Sort by the title that is clicked; move the cursor to a row, or choose the one where it is."""
        if event.y == 0:
            column = self._layout.column_at(event.x)
            if column is not None:
                self._sort_by(self._shown_columns()[column])
            return
        row = event.y - 1 + self.scroll_offset.y
        if row == self._cursor:
            self.action_select()
        elif row < len(self._arranged):
            self.action_move(row - self._cursor)

    def on_resize(self, _event: events.Resize) -> None:
        """Show as many columns as fit."""
        self._arrange()

    def _sort_by(self, column: int) -> None:
        self._order = self._order.by(column, is_text=self._columns[column].is_text)
        self._arrange()

    def _shown_columns(self) -> list[int]:
        """The positions, among all columns, of those that fit."""
        values = [column.value for column in self._layout.columns]
        return [index for index, column in enumerate(self._columns) if column.value in values]

    def _arrange(self) -> None:
        before = self._key(self._arranged[self._cursor]) if self._arranged else ""
        self._arranged = arrange(self._items, self._columns, self._order, self._wanted)
        width = max(0, self.size.width - self.styles.scrollbar_size_vertical)
        self._layout = lay_out(self._arranged, self._marked_columns(), width, ascii_only=self._ascii_only)
        self._lines = self._layout.lines()
        keys = [self._key(item) for item in self._arranged]
        self._cursor = keys.index(before) if before in keys else 0
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def _marked_columns(self) -> list[Column[T]]:
        columns = list(self._columns)
        marked = columns[self._order.column]
        columns[self._order.column] = replace(marked, title=f"{marked.title} {_MARKS[self._order.descending]}")
        return columns
