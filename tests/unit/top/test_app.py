"""The live view, driven by Textual's pilot: keys, mouse, sizes, and what happens to the readings meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from queue import Queue

import pytest
from textual.pilot import Pilot

from exporter.errors import CopyExporterError, KernelError
from exporter.live.rates import Rates
from exporter.top.app import TopApp
from exporter.top.client import UnreachableError

from .sample_rates import FROM_DISK, MIB, READ, SENDFILE, host, kafka, process

FIRST = host(
    process("10", "java", cpu=2.0 * MIB, hops=[READ, SENDFILE, FROM_DISK]),
    process("9", "python3", cpu=1.0 * MIB, zero_copy=3.0 * MIB),
    process("other", "other", cpu=512.0),
)
LATER = replace(FIRST, processes=[process("9", "python3", cpu=7.0 * MIB), *FIRST.processes[:1]])


class Screen:
    """The app as a user sees it."""

    def __init__(self, app: TopApp, pilot: Pilot[None], readings: "Queue[Rates | CopyExporterError]") -> None:
        self.app = app
        self.pilot = pilot
        self._readings = readings

    def lines(self) -> list[str]:
        """What is on the screen."""
        strips = self.app.screen._compositor.render_strips(self.app.size)
        return [strip.text.rstrip() for strip in strips]

    def text(self) -> str:
        return "\n".join(self.lines())

    def rows(self) -> list[str]:
        """The pids of the table, from the top."""
        lines = self.lines()
        start = next(index for index, line in enumerate(lines) if line.startswith("process"))
        return [line.split()[1] for line in lines[start + 1 : -1] if len(line.split()) > 4]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def read(self, reading: Rates | CopyExporterError) -> None:
        """A new reading has come, or none can."""
        self._readings.put(reading)
        async with asyncio.timeout(10):
            while not self._readings.empty():
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await self.pilot.pause()


def drive(
    user: Callable[[Screen], Awaitable[None]],
    rates: Rates = FIRST,
    size: tuple[int, int] = (120, 30),
    *,
    ascii_only: bool = True,
) -> TopApp:
    readings: Queue[Rates | CopyExporterError] = Queue()

    def read() -> Rates:
        reading = readings.get()
        if isinstance(reading, CopyExporterError):
            raise reading
        return reading

    app = TopApp(rates, read, ascii_only=ascii_only)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await user(Screen(app, pilot, readings))

    asyncio.run(run())
    return app


def test_processes() -> None:
    async def user(screen: Screen) -> None:
        assert screen.rows() == ["10", "9", "other"]
        assert screen.lines()[0].startswith("broker-1 at ")
        assert screen.lines()[-1] == (
            "enter details  s sort  r reverse  / filter  space pause  k Kafka  ? help  q quit"
        )
        await screen.read(LATER)
        assert screen.rows() == ["9", "10"]
        assert screen.text().isascii()

    drive(user)


def test_sort() -> None:
    async def user(screen: Screen) -> None:
        await screen.press("r")
        assert screen.rows() == ["other", "9", "10"]
        await screen.press("s")
        assert screen.rows()[0] == "9"
        assert "zero copy/s v" in screen.text()
        await screen.press("S", "S")
        assert "pid ^" in screen.text()
        assert screen.rows() == ["other", "9", "10"]

    drive(user)


def test_sort_by_the_mouse() -> None:
    async def user(screen: Screen) -> None:
        titles = next(index for index, line in enumerate(screen.lines()) if line.startswith("process"))
        await screen.pilot.click(offset=(screen.lines()[titles].index("pid"), titles))
        await screen.pilot.pause()
        assert screen.rows() == ["other", "9", "10"]
        await screen.pilot.click(offset=(screen.lines()[titles].index("pid"), titles))
        await screen.pilot.pause()
        assert screen.rows() == ["10", "9", "other"]

    drive(user)


def test_filter() -> None:
    async def user(screen: Screen) -> None:
        await screen.press("slash", *"pythx", "backspace")
        assert screen.rows() == ["9"]
        await screen.press("enter", "space")
        assert "Paused" in screen.text(), "keys are for the table again"
        await screen.press("escape")
        assert len(screen.rows()) == 3
        await screen.press("slash", *"q 10")
        assert screen.rows() == []
        await screen.press("escape")
        assert len(screen.rows()) == 3

    drive(user)


def test_pause() -> None:
    async def user(screen: Screen) -> None:
        await screen.press("space")
        await screen.read(LATER)
        assert screen.rows() == ["10", "9", "other"]
        assert "Paused: space continues." in screen.text()
        await screen.press("space")
        assert screen.rows() == ["9", "10"]
        assert "Paused" not in screen.text()

    drive(user)


def test_details_stay_with_their_process() -> None:
    async def user(screen: Screen) -> None:
        await screen.press("down", "enter")
        assert "python3, process 9" in screen.text()
        assert "|====" in screen.text(), "the picture"
        await screen.read(LATER)
        assert "python3, process 9" in screen.text()
        await screen.read(host(process("10", "java")))
        assert "python3, process 9, moves nothing at the moment, or has ended." in screen.text()
        await screen.press("escape")
        assert screen.rows() == ["10"]

    drive(user)


def test_the_cursor_stays_on_its_process() -> None:
    async def user(screen: Screen) -> None:
        await screen.press("down")
        await screen.read(LATER)
        await screen.press("enter")
        assert "python3, process 9" in screen.text()

    drive(user)


def test_the_mouse_chooses_and_opens_a_process() -> None:
    async def user(screen: Screen) -> None:
        row = next(index for index, line in enumerate(screen.lines()) if line.startswith("python3"))
        await screen.pilot.click(offset=(2, row))
        await screen.pilot.click(offset=(2, row))
        await screen.pilot.pause()
        assert "python3, process 9" in screen.text()
        await screen.pilot.click(offset=(1, len(screen.lines()) - 1))  # the words "esc back"
        await screen.pilot.pause()
        assert screen.rows() == ["10", "9", "other"]

    drive(user)


def test_many_processes_scroll() -> None:
    many = host(*[process(str(pid), "mover", cpu=float(1000 - pid)) for pid in range(1, 101)])

    async def user(screen: Screen) -> None:
        assert screen.rows()[0] == "1"
        await screen.press("end")
        assert screen.rows()[-1] == "100"
        await screen.press("pageup", "home")
        assert screen.rows()[0] == "1"
        await screen.press("up", "enter")
        assert "process 1" in screen.text()

    drive(user, many)


def test_kafka_and_help() -> None:
    async def user(screen: Screen) -> None:
        await screen.press("k")
        assert "SSL :9093" in screen.text()
        assert "orders 0" in screen.text()
        await screen.press("tab", "r", "question_mark")
        assert "quit" in screen.text()
        await screen.press("k", "backspace")
        assert screen.rows() == ["10", "9", "other"]

    drive(user, replace(FIRST, kafka=kafka()))


def test_no_broker() -> None:
    async def user(screen: Screen) -> None:
        await screen.press("k")
        assert "No Kafka broker runs on this host" in screen.text()
        assert "listener" not in screen.lines()[5]

    drive(user)


def test_other_sizes() -> None:
    async def user(screen: Screen) -> None:
        for width, height in ((40, 12), (20, 5), (200, 60), (1, 1), (80, 24)):
            await screen.pilot.resize_terminal(width, height)
            for key in ("enter", "k", "question_mark", "escape"):
                await screen.press(key)
            assert max(map(len, screen.lines())) <= width
        assert screen.rows() == ["10", "9", "other"]

    drive(user)


def test_an_exporter_that_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.top.app._RETRY_SECONDS", 0.01)

    async def user(screen: Screen) -> None:
        await screen.read(UnreachableError("no process listens at \x1b[31mhttp://h/"))
        assert "no process listens at ?[31mhttp://h/. Trying again ..." in screen.text()
        assert screen.rows() == ["10", "9", "other"], "the last numbers are still there"
        await screen.read(LATER)
        assert "Trying again" not in screen.text()
        assert screen.rows() == ["9", "10"]

    drive(user)


def test_probes_of_its_own_that_end() -> None:
    async def user(screen: Screen) -> None:
        await screen.read(KernelError("the process with the probes exited"))

    assert str(drive(user).error) == "the process with the probes exited"


def test_markup_in_names_is_text() -> None:
    async def user(screen: Screen) -> None:
        assert "[red]x[/red]" in screen.text()
        await screen.press("enter")
        assert "[red]x[/red], process 10" in screen.text()

    drive(user, host(process("10", "[red]x[/red]")))


@pytest.mark.parametrize("keys", [("down",), ("s",), ("enter", "escape"), ("k", "escape"), ("space",), ("slash", "x")])
def test_a_key_takes_little_time(keys: tuple[str, ...]) -> None:
    """With as many processes as an exporter lists. A key may come right after a reading; both take 100 ms at most."""
    hops = [replace(READ, syscall=f"call{number}") for number in range(10)]
    rates = host(*[process(str(pid), "mover", cpu=float(pid), hops=hops) for pid in range(51)])
    taken: list[float] = []

    async def user(screen: Screen) -> None:
        for second in range(3):
            started = time.process_time()
            await screen.read(replace(rates, processes=[*rates.processes[second:]]))
            reading = time.process_time() - started
            for key in keys:
                started = time.process_time()
                await screen.press(key)
                taken.append(reading + time.process_time() - started)

    drive(user, rates, size=(140, 50))
    assert min(taken[len(keys) :]) < 0.1
