"""A real terminal: a tmux session in which a command runs, with a keyboard and a screen."""

import re
import shlex
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from tests.support.wait import wait_until

_ENDED = re.compile(r"ended with status (\d+)")


class Terminal:
    """A context manager: the session ends with it."""

    def __init__(
        self, command: Sequence[str | Path], *, width: int = 140, height: int = 40, **environment: str
    ) -> None:
        """Run ``command`` with these variables in addition; its exit status is shown when it has ended."""
        self._server = f"copy-exporter-{uuid.uuid4().hex}"
        variables = {"LANG": "C.UTF-8", **environment}
        words = shlex.join(["env", *(f"{name}={value}" for name, value in variables.items()), *map(str, command)])
        size = ("-x", str(width), "-y", str(height))
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, f"{words}; echo ended with status $?; exec cat")

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *problem: object) -> None:
        print(f"--- screen\n{self.screen()}")  # pytest shows it when the test failed
        self._tmux("kill-server")

    @property
    def pid(self) -> int:
        """Process id of the shell that has started the command."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def screen(self, *options: str) -> str:
        """What is on the screen; with ``-e`` also colours, as escape sequences."""
        return self._tmux("capture-pane", "-p", *options)

    def press(self, *keys: str) -> None:
        """Type keys by the names that tmux has for them."""
        self._tmux("send-keys", *keys)

    def click(self, column: int, row: int) -> None:
        """Click with the left button; both numbers count from 0."""
        place = f"{column + 1};{row + 1}"
        self._tmux("send-keys", "-l", f"\x1b[<0;{place}M\x1b[<0;{place}m")

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def wait_for(self, text: str, seconds: float = 30) -> str:
        """The screen as soon as it has this text."""
        wait_until(lambda: text in self.screen(), f"{text!r} on the screen", seconds)
        return self.screen()

    def wait_for_end(self) -> int:
        """The exit status of the command."""
        wait_until(lambda: _ENDED.search(self.screen()), "the end of the command", 30)
        found = _ENDED.search(self.screen())
        assert found
        return int(found[1])

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-L", self._server, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
