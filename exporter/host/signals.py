"""SIGTERM and SIGINT as exceptions in the main thread, delayed where the program must not be interrupted.

Python discards exceptions that are raised in its own callbacks, such as those of weak references, of which imports make
many. Until Python 3.12 it also turns an exception raised while a class is created into a RuntimeError. So the signal
is remembered, and its exception is raised again. Imports defer signals.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Self

_STDERR = 2
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class TerminationSignals:
    """Raises ``SystemExit(0)`` for SIGTERM and :class:`KeyboardInterrupt` for SIGINT.

    A context manager: handles both signals inside. When it ends after a signal, it raises the signal's exception even
    if that was lost on the way, and ignores further signals, because the process is about to end.
    """

    def __init__(self) -> None:
        """Handle no signal yet."""
        self._received: int | None = None
        self._deferring = False
        self._last_act: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler if self._received is None else signal.SIG_IGN)
        self.check()

    def check(self) -> None:
        """Raise the exception of the last signal, if one was received."""
        if self._received == signal.SIGTERM:
            raise SystemExit(0)
        if self._received == signal.SIGINT:
            raise KeyboardInterrupt

    def deferred(self) -> contextlib.AbstractContextManager[None]:
        """A signal that is received inside raises its exception at the end, or inside :meth:`allowed`."""
        return self._while_deferring(True)

    def allowed(self) -> contextlib.AbstractContextManager[None]:
        """The part of :meth:`deferred` that a signal may interrupt."""
        return self._while_deferring(False)

    @contextlib.contextmanager
    def exiting_at_once(self, last_act: Callable[[], None]) -> Iterator[None]:
        """A signal that is received inside runs ``last_act`` and ends the process, whatever is being imported."""
        self._last_act = last_act
        try:
            yield
        finally:
            self._last_act = None

    @contextlib.contextmanager
    def _while_deferring(self, deferring: bool) -> Iterator[None]:
        before, self._deferring = self._deferring, deferring
        try:
            self._check_unless_deferring()
            yield
        finally:
            self._deferring = before
            self._check_unless_deferring()

    def _check_unless_deferring(self) -> None:
        if not self._deferring:
            self.check()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._last_act:
            self._last_act()
            if number == signal.SIGINT:
                os.write(_STDERR, b"copy-exporter: interrupted\n")
            os._exit(0 if number == signal.SIGTERM else 128 + number)
        self._received = number
        self._check_unless_deferring()
