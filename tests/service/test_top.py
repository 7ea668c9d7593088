"""``copy-exporter top`` beside a real exporter under a known load, and with probes of its own, in a real terminal."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from exporter.live.rates import Rates
from exporter.top.columns import PROCESSES
from exporter.top.picture import draw
from exporter.top.report import PROCESS_ORDER
from exporter.top.table import arrange, lay_out
from tests.support.exporter_process import COMMAND, ExporterProcess, refused
from tests.support.namespaces import NETWORK_NAMESPACE
from tests.support.ports import free_port
from tests.support.requirements import require_readable_checkout
from tests.support.terminal import Terminal
from tests.support.wait import wait_until
from tests.support.watched_connection import WatchedConnection

from .movers import Mover
from .web_config_files import PASSWORD, USER, WebConfigFiles

Start = Callable[..., ExporterProcess]
Move = Callable[..., Mover]
CHUNK = 10_007
STREAM = "/api/v1/live/stream"
_RATES = TypeAdapter(Rates)


@pytest.fixture
def load(move: Move) -> Iterator[Mover]:
    """A process that moves chunks of a known size all the time."""
    mover, stopped = move(), threading.Event()

    def keep_moving() -> None:
        while not stopped.wait(0.01):
            mover.move(CHUNK)

    thread = threading.Thread(target=keep_moving)
    thread.start()
    try:
        yield mover
    finally:
        stopped.set()
        thread.join()


@contextmanager
def recorded(service: ExporterProcess) -> Iterator[dict[float, Rates]]:
    """All readings of the API meanwhile, by their time."""
    readings: dict[float, Rates] = {}
    client = httpx.Client(timeout=20, base_url=service.url, **service.options)
    with client, client.stream("GET", STREAM) as response:

        def record() -> None:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    reading = _RATES.validate_json(line.removeprefix("data: "))
                    readings[reading.time_seconds] = reading
                    if stopped.is_set():
                        return

        stopped = threading.Event()
        thread = threading.Thread(target=record)
        thread.start()
        try:
            yield readings
        finally:
            stopped.set()
            thread.join()


def top(*arguments: str | Path) -> str:
    """The output of ``copy-exporter top`` without a terminal."""
    command, environment = [COMMAND, "top", *arguments], {**os.environ, "COLUMNS": "140"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def row(rates: Rates, pid: int, width: int) -> str:
    """The line of a process, as the table of these rates has it."""
    rows = arrange(rates.processes, PROCESSES, PROCESS_ORDER)
    lines = lay_out(rows, PROCESSES, width, ascii_only=False).lines()[1:]
    return next((line for line, process in zip(lines, rows, strict=True) if process.pid == str(pid)), "")


def squeezed(text: str) -> str:
    """Without the number of spaces, which depends on the longest cell of a column and on the mark of the order."""
    return " ".join(text.split())


def test_json_is_a_reading_of_the_api(start: Start, load: Mover, connection: WatchedConnection) -> None:
    service = start()
    with recorded(service) as readings:
        wait_until(lambda: len(readings) > 1, "readings")
        answer: dict[str, Any] = json.loads(top("--json", service.url))
        wait_until(lambda: answer["time_seconds"] in readings, "the reading that top has printed")
    assert _RATES.validate_python(answer) == readings[answer["time_seconds"]]
    (hop,) = [
        hop
        for process in answer["processes"]
        if process["pid"] == str(load.pid)
        for hop in process["hops"]
        if hop["port"] == connection.port
    ]
    calls = hop["calls_per_second"] * answer["interval_seconds"]
    assert calls == pytest.approx(round(calls))
    assert round(calls) > 5
    assert hop["bytes_per_second"] * answer["interval_seconds"] == pytest.approx(CHUNK * round(calls))


def test_once_prints_the_numbers_of_the_api(start: Start, load: Mover) -> None:
    service = start()
    with recorded(service) as readings:
        wait_until(lambda: len(readings) > 1, "readings")
        output = top("--once", service.url)
        later = max(readings)
        wait_until(lambda: max(readings) > later, "the reading that top has printed")
    shown = [line for line in output.splitlines() if f" {load.pid} " in line]
    assert shown
    assert shown[0] in [row(rates, load.pid, 140) for rates in readings.values()]
    assert "probes attached, nothing lost." in output


def test_the_live_view(start: Start, load: Mover) -> None:
    service = start()
    with recorded(service) as readings, Terminal([COMMAND, "top", service.url]) as terminal:
        terminal.wait_for(f"{load.pid}")
        terminal.press("/", *str(load.pid), "Enter", "Space")
        screen = terminal.wait_for("Paused")
        later = max(readings)
        wait_until(lambda: max(readings) > later, "the reading that is shown")
        (shown,) = [line for line in screen.splitlines() if line.startswith("mover")]
        shown_rates = [rates for rates in readings.values() if squeezed(row(rates, load.pid, 140)) == squeezed(shown)]
        assert shown_rates, f"{shown} is not of the API"
        terminal.press("Enter")
        screen = terminal.wait_for(f"mover, process {load.pid}")
        (process,) = [process for process in shown_rates[0].processes if process.pid == str(load.pid)]
        for line in draw(process.hops, 139, ascii_only=False):
            assert line.text in screen
        assert "recvmmsg" in screen
        terminal.press("Escape", "Escape", "Space")
        wait_until(lambda: "Paused" not in terminal.screen(), "new numbers")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        assert terminal.screen().splitlines()[0].startswith("ended"), "the screen is as it was"


def test_mouse_and_sizes(start: Start, load: Mover) -> None:
    service = start()
    with Terminal([COMMAND, "top", service.url]) as terminal:
        screen = terminal.wait_for(f"{load.pid}").splitlines()
        titles = next(index for index, line in enumerate(screen) if line.startswith("process"))
        terminal.click(screen[titles].index("pid"), titles)
        terminal.wait_for("pid ^")
        terminal.resize(50, 15)
        wait_until(lambda: "copy CPU" not in terminal.screen(), "fewer columns")
        assert max(map(len, terminal.screen().splitlines())) <= 50
        terminal.resize(160, 20)
        terminal.wait_for("copies/byte sent")
        terminal.press("C-c")
        assert terminal.wait_for_end() == 0


def test_a_key_is_answered_at_once(start: Start, load: Mover) -> None:
    """Within 100 ms, at the best of some attempts: the starts of tmux, which types and looks, are a part of it."""
    service = start("--no-kafka")
    with Terminal([COMMAND, "top", service.url]) as terminal:
        terminal.wait_for(f"{load.pid}")
        taken: dict[str, list[float]] = {}
        for key, text in 8 * [
            *(("?", "Ctrl-C"), ("BSpace", "CPU copies/s v"), ("k", "No Kafka"), ("BSpace", "process")),
            *(("?", "Ctrl-C"), ("Escape", "CPU copies/s v")),
        ]:
            started = time.monotonic()
            terminal.press(key)
            terminal.wait_for(text)
            taken.setdefault(f"{key}: {text}", []).append(time.monotonic() - started)
    best = {text: min(times) for text, times in taken.items()}
    assert max(best.values()) < 0.1, best


def test_the_exporter_restarts_under_it(start: Start, load: Mover) -> None:
    port = str(free_port())
    flags = ("--web.listen-address", f"127.0.0.1:{port}")
    service = start(*flags)
    with Terminal([COMMAND, "top", f"http://127.0.0.1:{port}/"]) as terminal:
        terminal.wait_for(f"{load.pid}")
        service.terminate()
        screen = terminal.wait_for("Trying again ...")
        assert "127.0.0.1" in screen
        assert f"{load.pid}" in screen, "the last numbers are still there"
        start(*flags)
        wait_until(lambda: "Trying again" not in terminal.screen(), "numbers of the new exporter")
        terminal.wait_for(f"{load.pid}")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        assert "Traceback" not in terminal.screen("-S", "-")


def test_a_language_without_other_characters_than_ascii(start: Start, load: Mover) -> None:
    service = start()
    with Terminal([COMMAND, "top", service.url], LANG="C", NO_COLOR="1") as terminal:
        terminal.wait_for(f"{load.pid}")
        terminal.press("/", *str(load.pid), "Enter", "Enter")
        terminal.wait_for(f"mover, process {load.pid}")
        screen = terminal.screen("-e")
        assert screen.isascii()
        assert "|====" in screen
        for color in ("\x1b[3", "\x1b[4", "\x1b[9"):
            assert color not in screen.replace("\x1b[39m", "").replace("\x1b[49m", ""), "a colour"


def test_it_ends_by_sigterm(start: Start, load: Mover) -> None:
    service = start()
    with Terminal([COMMAND, "top", service.url]) as terminal:
        terminal.wait_for(f"{load.pid}")
        os.kill(children(terminal.pid)[0], signal.SIGTERM)
        assert terminal.wait_for_end() == 0
        assert terminal.screen().splitlines()[0].startswith("ended"), "the screen is as it was"


def test_users_and_tls(start: Start) -> None:
    with WebConfigFiles() as files:
        (files / "password").write_text(PASSWORD + "\n")
        (files / "wrong").write_text("wrong")
        service = start(
            *("--web.config.file", str(files.write_config({USER: PASSWORD}))), client=files.client_options()
        )
        trusted = ("--ca-file", str(files / "ca.pem"))
        known = ("--user", USER, "--password-file", str(files / "password"))
        assert "probes attached" in top("--once", *trusted, *known, service.url)
        for flags, url, problem in (
            (known, service.url, "a certificate that is not trusted"),
            (trusted, service.url, "refuses clients without a password; give --user and --password-file"),
            (
                (*trusted, "--user", USER, "--password-file", str(files / "wrong")),
                service.url,
                "refuses this user or password; check --user and --password-file",
            ),
            ((), service.url.replace("https", "http"), "closed the connection without an answer; if it uses TLS"),
        ):
            status, line = refused("top", *flags, url)
            assert status == 1
            assert problem in line


def test_wrong_urls(start: Start) -> None:
    service = start("--web.disable-ui")
    for url, status, problem in (
        (service.url, 1, "has no live rates: it runs with --web.disable-ui, or is not copy-exporter"),
        (service.url.replace("http", "https"), 1, "does not use TLS; write the URL with http://"),
        (f"http://127.0.0.1:{free_port()}/", 1, "no process listens at"),
        ("localhost:10435", 2, "is not the URL of an exporter"),
    ):
        assert_refused(status, problem, url)


def assert_refused(status: int, problem: str, *arguments: str) -> None:
    found, line = refused("top", *arguments)
    assert problem in line
    assert found == status


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_probes_of_its_own(load: Mover) -> None:
    """No exporter listens in a new network namespace; the probes count the whole host nevertheless."""
    with Terminal([*NETWORK_NAMESPACE, COMMAND, "top"]) as terminal:
        terminal.wait_for(f"{load.pid}", 200)
        (command,) = children(terminal.pid)
        (probes,) = children(command)
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{probes}/status").read_text().splitlines())
        assert status["Uid"].split() == ["65534"] * 4
        assert status["CapEff"].strip("0") in ("", "8"), "at most CAP_BPF, on old kernels"
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        wait_until(lambda: not runs(probes), "the end of the probes")


def test_its_probes_end_when_it_is_killed(load: Mover) -> None:
    with Terminal([*NETWORK_NAMESPACE, COMMAND, "top"]) as terminal:
        terminal.wait_for(f"{load.pid}", 200)
        (command,) = children(terminal.pid)
        descendants = children(command)
        os.kill(command, signal.SIGKILL)
        wait_until(lambda: not any(map(runs, descendants)), "the end of the probes")


def test_probes_of_its_own_once(load: Mover) -> None:
    done = subprocess.run(
        [*NETWORK_NAMESPACE, COMMAND, "top", "--json"], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    rates = json.loads(done.stdout)
    (hop,) = [
        hop
        for process in rates["processes"]
        if process["pid"] == str(load.pid)
        for hop in process["hops"]
        if hop["destination"] == "user" and hop["source"] == "tcp"
    ]
    calls = hop["calls_per_second"] * rates["interval_seconds"]
    assert hop["bytes_per_second"] * rates["interval_seconds"] == pytest.approx(CHUNK * round(calls))


def test_without_root() -> None:
    before = (*NETWORK_NAMESPACE, "setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps=-all")
    require_readable_checkout(before)
    status, line = refused("top", before=before)
    assert status == 1
    assert "no exporter runs at http://127.0.0.1:10435/; start copy-exporter serve, give the URL" in line
