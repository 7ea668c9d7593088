"""SIGTERM and SIGINT while the service starts: what is raised then, in the middle of anything, has to arrive.

Python throws away exceptions in callbacks of its own, of weak references among them, which imports make many of. Some
code makes others of them: until Python 3.12, what is raised where a class is made is a RuntimeError.
"""

import signal
from types import FrameType, TracebackType


class TerminationSignals:
    """The end that was asked for, if it was. uvicorn has handlers of its own while it serves, and calls these after."""

    def __init__(self) -> None:
        """From now on both signals come here."""
        self._asked: int | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._arrived)

    def __enter__(self) -> "TerminationSignals":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """What comes out is the end that was asked for, whatever has become of it on its way."""
        self.check()

    def check(self) -> None:
        """Raise what the signal stands for when one has come: a good end for SIGTERM, :class:`KeyboardInterrupt`."""
        if self._asked == signal.SIGTERM:
            raise SystemExit(0)
        if self._asked == signal.SIGINT:
            raise KeyboardInterrupt

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        self._asked = number
        self.check()
