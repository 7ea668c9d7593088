"""The only module that depends on private parts of Textual. They can change in any release.

pyproject.toml pins Textual to the range that the tests have seen, and ``tests/unit/top/test_textual_internals.py``
checks each name of this list in the installed version. A name that is added here needs a check there.

- ``textual.drivers.linux_driver.LinuxDriver``: the base class of the drivers; writes to the terminal.
- ``textual.drivers.linux_driver.LinuxDriver.run_input_thread``: reads the keyboard until ``exit_event`` is set.
- ``textual.drivers.linux_driver.LinuxDriver.exit_event``: set when the input is to end.
- ``textual.drivers.linux_driver.LinuxDriver.fileno``: the descriptor of the keyboard.
- ``textual.drivers.linux_driver.LinuxDriver.process_message``: takes what the parser has found.
- ``textual._xterm_parser.XTermParser``: keys and mouse events from characters; ``feed`` and ``tick`` return them.
- ``textual.constants.ESCAPE_DELAY``: seconds for which the parser waits for the rest of a sequence after Esc.
"""

import os
import select
from codecs import getincrementaldecoder

from textual import constants
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

_ESCAPE_SECONDS = 0.04
"""Textual's 0.1 s make Esc slower than any other key. A terminal writes the sequence of a key at once."""
_EXIT_CHECK_SECONDS = 0.1
_READ_BYTES = 4096
_BLOCKS = dict.fromkeys(range(0x2580, 0x25A0), "#")
"""What Textual draws the ends of scroll bars with."""

constants.ESCAPE_DELAY = _ESCAPE_SECONDS  # type: ignore[misc]


class TerminalDriver(LinuxDriver):
    """Answers Esc as soon as no rest of a sequence has come; Textual's own looks for it every 0.1 s."""

    def run_input_thread(self) -> None:
        """See Textual."""
        parser, decode = XTermParser(), getincrementaldecoder("utf-8")(errors="replace").decode
        seconds = _EXIT_CHECK_SECONDS
        while not self.exit_event.is_set():
            text = ""
            if select.select([self.fileno], [], [], seconds)[0]:
                text = decode(os.read(self.fileno, _READ_BYTES))
            seconds = _ESCAPE_SECONDS if text else _EXIT_CHECK_SECONDS
            for message in parser.feed(text) if text else parser.tick():  # feed("") would be the end
                self.process_message(message)


class AsciiDriver(TerminalDriver):
    """Writes to a terminal that has no other characters than ASCII."""

    def write(self, data: str) -> None:
        """See Textual."""
        super().write(data.translate(_BLOCKS).encode("ascii", "replace").decode())
