"""The views of ``top``, of which one is visible: processes, one process, Kafka, and help."""

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static

from exporter.live.rates import Listener, Process, Rates, Topic
from exporter.top.columns import LISTENERS, PROCESSES, TOPICS, process_name
from exporter.top.rates_table import RatesTable
from exporter.top.report import LISTENER_ORDER, PROCESS_ORDER, TOPIC_ORDER, details
from exporter.top.text import printable

_STYLES = {"cpu": "red", "zero_copy": "green", "dma": "cyan"}
_NO_BROKERS = "No Kafka broker runs on this host, or the exporter runs with --no-kafka."
_HELP = """\
copy-exporter top shows what the processes of a host move, as rates of the last second.

up, down, mouse  choose a process
enter            show its hops, calls and errors
s, S, click      sort by the next column, the one before, the one clicked
r                reverse the order
/                show only processes whose name or id has a text
space            pause, and continue
k                Kafka: listeners and topics
?                this help
esc, backspace   back to all processes
q, Ctrl-C        quit

CPU copies/s, zero copy/s and DMA/s are bytes per second; each hop counts once.
docs/live.md defines every number.
"""


@dataclass
class State:
    """What the views show."""

    rates: Rates
    ascii_only: bool
    is_paused: bool = False
    problem: str = ""
    """Why there are no new rates; empty when there are."""

    def status(self) -> str:
        """Return why the numbers stand still; empty when they do not."""
        parts = ["Paused: space continues."] if self.is_paused else []
        return " ".join([*parts, f"{self.problem}. Trying again ..."] if self.problem else parts)


@dataclass(frozen=True)
class Key:
    """A key that the last line of the screen shows."""

    name: str
    """Textual's."""
    shown: str
    words: str


_SORT = (Key("s", "s", "sort"), Key("r", "r", "reverse"))
_PAUSE, _KAFKA, _HELP_KEY = Key("space", "space", "pause"), Key("k", "k", "Kafka"), Key("question_mark", "?", "help")
_BACK, _QUIT = Key("escape", "esc", "back"), Key("q", "q", "quit")


class View(Vertical):
    """A part of the screen below the summary, drawn again for each reading while it is visible."""

    keys: ClassVar[tuple[Key, ...]]

    def show(self, state: State) -> None:
        """Draw."""

    def default_focus(self) -> Widget:
        """Return what gets the keys."""
        raise NotImplementedError


class ProcessesView(View):
    """All processes, with a filter."""

    # with priority: keys that are typed at once go where the key before has led
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", priority=True),
        Binding("enter", "keep_filter", priority=True),
        Binding("escape", "clear_filter", priority=True),
    ]
    keys = (
        *(Key("enter", "enter", "details"), *_SORT, Key("slash", "/", "filter")),
        *(_PAUSE, _KAFKA, _HELP_KEY, _QUIT),
    )

    def __init__(self, *, ascii_only: bool) -> None:
        """Show no process yet."""
        super().__init__(id="processes")
        self._table = RatesTable(PROCESSES, process_key, PROCESS_ORDER, ascii_only=ascii_only)
        self._filter = Input(placeholder="name or process id", compact=True)
        self._filter.display = False

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield self._table
        yield self._filter

    def show(self, state: State) -> None:
        """See :class:`View`."""
        self._table.show_rows(state.rates.processes)

    def default_focus(self) -> Widget:
        """See :class:`View`."""
        return self._table

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:  # noqa: ARG002
        """Return whether a key has this meaning now; see Textual."""
        is_typing = self.screen.focused is self._filter
        meanings = {
            "filter": not is_typing,
            "keep_filter": is_typing,
            "clear_filter": is_typing or bool(self._filter.value),
        }
        return meanings.get(action, True)

    def action_filter(self) -> None:
        """Ask for a text."""
        self._filter.display = True
        self.screen.set_focus(self._filter)

    def action_keep_filter(self) -> None:
        """Show what has the text."""
        self._leave_filter()

    def action_clear_filter(self) -> None:
        """Show all processes."""
        self._filter.value = ""
        self._leave_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the user types."""
        self._table.filter_rows(event.value)

    def _leave_filter(self) -> None:
        self._filter.display = bool(self._filter.value)
        self.screen.set_focus(self._table)


class ProcessView(View):
    """One process: its hops as a picture, its calls and its errors."""

    keys = (_BACK, _PAUSE, _KAFKA, _HELP_KEY, _QUIT)

    def __init__(self) -> None:
        """Show no process yet."""
        super().__init__(id="process")
        self._text = Static()
        self._scroll = VerticalScroll(self._text)
        self._process: Process | None = None

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield self._scroll

    def choose(self, process: Process) -> None:
        """Show this process from now on."""
        self._process = process
        self._scroll.scroll_home(animate=False)

    def show(self, state: State) -> None:
        """See :class:`View`."""
        if not self._process:
            return
        key = process_key(self._process)
        present = next((process for process in state.rates.processes if process_key(process) == key), None)
        if present is None:
            name = printable(process_name(self._process), ascii_only=state.ascii_only)
            text = Text(f"{name}, process {self._process.pid}, moves nothing at the moment, or has ended.")
        else:
            lines = details(present, max(20, self.app.size.width - 1), ascii_only=state.ascii_only)
            text = Text("\n").join(Text(line.text, style=_STYLES.get(line.mechanism, "")) for line in lines)
        self._text.update(text)

    def default_focus(self) -> Widget:
        """See :class:`View`."""
        return self._scroll


class KafkaView(View):
    """The listeners and topics of the brokers."""

    keys = (_BACK, Key("tab", "tab", "other table"), *_SORT, _PAUSE, _HELP_KEY, _QUIT)

    def __init__(self, *, ascii_only: bool) -> None:
        """Show no broker yet."""
        super().__init__(id="kafka")
        self._note = Static(_NO_BROKERS, markup=False)
        self._listeners = RatesTable(LISTENERS, _listener_key, LISTENER_ORDER, ascii_only=ascii_only)
        self._topics = RatesTable(TOPICS, _topic_key, TOPIC_ORDER, ascii_only=ascii_only)

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield self._note
        yield self._listeners
        yield self._topics

    def show(self, state: State) -> None:
        """See :class:`View`."""
        kafka = state.rates.kafka
        self._note.display = not kafka.brokers
        self._listeners.visible = self._topics.visible = bool(kafka.brokers)
        self._listeners.show_rows(kafka.listeners)
        self._topics.show_rows(kafka.topics)

    def default_focus(self) -> Widget:
        """See :class:`View`."""
        return self._listeners


class HelpView(View):
    """The keys."""

    keys = (_BACK, _KAFKA, _QUIT)

    def __init__(self) -> None:
        """Show the keys."""
        super().__init__(id="help")
        self._scroll = VerticalScroll(Static(_HELP, markup=False))

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield self._scroll

    def default_focus(self) -> Widget:
        """See :class:`View`."""
        return self._scroll


def process_key(process: Process) -> str:
    """Return what identifies a process from one reading to the next."""
    return f"{process.pid} {process.comm}"


def _listener_key(listener: Listener) -> str:
    return f"{listener.pid} {listener.listener} {listener.port}"


def _topic_key(topic: Topic) -> str:
    return f"{topic.cluster_id} {topic.node_id} {topic.topic} {topic.partition}"
