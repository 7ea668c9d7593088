"""The live view of ``copy-exporter top``, drawn by Textual."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import ContentSwitcher, Static

from exporter.errors import CopyExporterError
from exporter.live.rates import Process, Rates
from exporter.top import terminal
from exporter.top.client import UnreachableError
from exporter.top.rates_table import RatesTable
from exporter.top.report import summary, wrap
from exporter.top.text import printable
from exporter.top.textual_internals import AsciiDriver, TerminalDriver
from exporter.top.views import HelpView, KafkaView, ProcessesView, ProcessView, State, View

_RETRY_SECONDS = 2.0


class Reading(Message):
    """New rates, or the reason why there are none."""

    def __init__(self, rates: Rates | None, problem: str = "") -> None:
        """``rates``: None with a problem."""
        super().__init__()
        self.rates = rates
        self.problem = problem


class TopApp(App[None]):
    """Shows what ``read`` returns, which waits for the next rates."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #summary, #status, #keys, Input { height: auto; }
    #keys { link-style: none; }
    #status { text-style: bold reverse; }
    ContentSwitcher { height: 1fr; }
    RatesTable { height: 1fr; scrollbar-size-vertical: 1; }
    VerticalScroll { scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit"),
        Binding("ctrl+c", "quit", priority=True),
        Binding("question_mark", "view('help')"),
        Binding("escape,backspace", "view('processes')"),
        Binding("space", "pause"),
        Binding("k", "view('kafka')"),
    ]

    def __init__(self, rates: Rates, read: Callable[[], Rates], *, ascii_only: bool) -> None:
        """Show ``rates`` at first."""
        super().__init__(driver_class=AsciiDriver if ascii_only else TerminalDriver, ansi_color=True)
        self.error: CopyExporterError | None = None
        self._state = State(rates, ascii_only)
        self._latest = rates
        self._read = read
        self._summary = Static(id="summary", markup=False)
        self._status = Static(id="status", markup=False)
        self._keys = Static(id="keys")
        self._process = ProcessView()
        self._views: dict[str, View] = {
            "processes": ProcessesView(ascii_only=ascii_only),
            "process": self._process,
            "kafka": KafkaView(ascii_only=ascii_only),
            "help": HelpView(),
        }
        self._view = "processes"

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield self._summary
        yield self._status
        yield ContentSwitcher(*self._views.values(), initial=self._view)
        yield self._keys

    def on_mount(self) -> None:
        """Start to read."""
        self.theme = "ansi-dark"
        self.action_view(self._view)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        # a daemon thread: a reading that waits does not delay the end
        threading.Thread(target=self._read_until_exit, name="readings", daemon=True).start()

    def on_reading(self, reading: Reading) -> None:
        """Show a reading, unless paused."""
        self._state.problem = reading.problem
        self._latest = reading.rates or self._latest
        if not self._state.is_paused:
            self._state.rates = self._latest
        self._show()

    def on_rates_table_selected(self, event: RatesTable.Selected) -> None:
        """Show one process."""
        if isinstance(event.item, Process):
            self._process.choose(event.item)
            self.action_view("process")

    def on_resize(self, _event: events.Resize) -> None:
        """Draw for another width."""
        self._show()

    def action_view(self, name: str) -> None:
        """Show another view."""
        self._view = name
        self.query_one(ContentSwitcher).current = name
        self._keys.update(_key_line(self._views[name]))
        self._show()
        self.screen.set_focus(self._views[name].default_focus())

    def action_press(self, key: str) -> None:
        """Do what a key does, when its name is clicked."""
        self.simulate_key(key)

    def action_pause(self) -> None:
        """Keep the numbers as they are, or show the latest again."""
        self._state.is_paused = not self._state.is_paused
        if not self._state.is_paused:
            self._state.rates = self._latest
        self._show()

    def _show(self) -> None:
        if not self._summary.is_attached:  # the app begins or ends
            return
        width, ascii_only = self.size.width, self._state.ascii_only
        self._summary.update("\n".join(summary(self._state.rates, width, ascii_only=ascii_only)))
        status = printable(self._state.status(), ascii_only=ascii_only)
        self._status.update("\n".join(wrap(status, width)))
        self._status.display = bool(status)
        self._views[self._view].show(self._state)

    def _read_until_exit(self) -> None:
        while self.is_running:
            try:
                self._read_once()
            except Exception:  # the source is closed under a reading when the app ends
                if self.is_running:
                    raise

    def _read_once(self) -> None:
        try:
            self.post_message(Reading(self._read()))
        except UnreachableError as error:
            self.post_message(Reading(None, str(error)))
            time.sleep(_RETRY_SECONDS)
        except CopyExporterError as error:  # the probes of its own are gone
            self.error = error
            self.call_from_thread(self.exit)


def _key_line(view: View) -> str:
    """The keys of a view in Textual's markup."""
    return "  ".join(f"[@click=app.press('{key.name}')][b]{key.shown}[/b] {key.words}[/]" for key in view.keys)


def show(rates: Rates, read: Callable[[], Rates]) -> None:
    """Run the live view until the user quits."""
    terminal.forget_size()
    app = TopApp(rates, read, ascii_only=terminal.is_ascii_only())
    app.run()
    if app.error:
        raise app.error
