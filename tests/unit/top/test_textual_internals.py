"""Private parts of Textual: only one module uses them, and they are as that module expects them."""

import inspect
import os
import pty
import re
import threading
import tomllib
import tty
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from exporter.top import textual_internals
from exporter.top.textual_internals import TerminalDriver
from tests.support.paths import ROOT
from tests.support.wait import wait_until

MODULE = Path(textual_internals.__file__)
LISTED = re.findall(r"^- ``([\w.]+)``", textual_internals.__doc__ or "", re.MULTILINE)
KNOWN = {
    "textual.drivers.linux_driver.LinuxDriver": LinuxDriver,
    "textual.drivers.linux_driver.LinuxDriver.run_input_thread": LinuxDriver.run_input_thread,
    "textual.drivers.linux_driver.LinuxDriver.process_message": LinuxDriver.process_message,
    "textual._xterm_parser.XTermParser": XTermParser,
    "textual.constants.ESCAPE_DELAY": constants.ESCAPE_DELAY,
}
SET_BY_INIT = {"exit_event", "fileno"}
_PRIVATE = re.compile(r"^from textual(?:\._\w+|\.drivers)|^from textual import constants", re.MULTILINE)


class Driver(TerminalDriver):
    """Reads from one end of a pseudo-terminal, and keeps the messages."""

    def __init__(self, fileno: int) -> None:
        self.fileno = fileno
        self.exit_event = threading.Event()
        self.messages: list[Message] = []

    def process_message(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def keys(self) -> list[str]:
        return [message.key for message in self.messages if isinstance(message, events.Key)]


def test_each_listed_name_has_a_check() -> None:
    assert LISTED
    in_init = {f"textual.drivers.linux_driver.LinuxDriver.{name}" for name in SET_BY_INIT}
    assert set(LISTED) == KNOWN.keys() | in_init


def test_listed_names() -> None:
    """Textual's own loop uses the same names in the same way."""
    loop = inspect.getsource(LinuxDriver.run_input_thread)
    for use in ("self.exit_event.is_set()", "self.fileno", "parser.feed", "parser.tick", "self.process_message(event)"):
        assert use in loop
    assert f"read1({constants.__name__.rpartition('.')[2]}.ESCAPE_DELAY)" in inspect.getsource(XTermParser.parse)
    assert constants.ESCAPE_DELAY < 0.1


def test_no_other_module_uses_internals() -> None:
    others = [path for path in (ROOT / "exporter").rglob("*.py") if path != MODULE]
    assert others
    assert [path.name for path in others if _PRIVATE.search(path.read_text())] == []
    assert _PRIVATE.search(MODULE.read_text())


def test_textual_is_pinned_to_the_releases_that_were_seen() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["top"]
    (requirement,) = map(Requirement, extra)
    major, minor, *_ = version("textual").split(".")
    assert f"<{major}.{int(minor) + 1}" in str(requirement.specifier)
    assert version("textual") in requirement.specifier


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ([b"\x1b"], ["escape"]),
        ([b"\x1b[", b"A"], ["up"]),
        ([b"\x1b[A\x1b"], ["up", "escape"]),
        ([b"k\xc3", b"\xa9\xff"], ["k", "é", "replacement_character"]),
    ],
    ids=["alone", "divided", "after another key", "no UTF-8"],
)
def test_keys(typed: list[bytes], keys: list[str]) -> None:
    keyboard, terminal = pty.openpty()
    driver = Driver(terminal)
    reading = threading.Thread(target=driver.run_input_thread)
    try:
        tty.setraw(terminal)
        reading.start()
        for part in typed:
            os.write(keyboard, part)
        wait_until(lambda: len(driver.keys) >= len(keys), "the keys", 5)
    finally:
        driver.exit_event.set()
        reading.join()
        os.close(keyboard)
        os.close(terminal)
    assert driver.keys == keys
