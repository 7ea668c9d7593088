"""Ctrl-C and SIGTERM, but not between starting a process and being sure to end it."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Interrupts:
    """Raises :class:`KeyboardInterrupt` once, in the main thread, where it is let through."""

    def __init__(self) -> None:
        """Catches nothing yet."""
        self._held = False
        self._pending = False

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """While inside, both signals come here."""
        before = {number: signal.signal(number, self._arrived) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """What arrives inside is raised at the end, or where it is let through."""
        self._held = True
        try:
            yield
        finally:
            self._release()

    @contextlib.contextmanager
    def let_through(self) -> Iterator[None]:
        """The part of :meth:`held` that can be interrupted."""
        try:
            self._release()
            yield
        finally:
            self._held = True

    def _release(self) -> None:
        self._held = False
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt

    def _arrived(self, _number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # nothing disturbs the tidying up
        if not self._held:
            raise KeyboardInterrupt
        self._pending = True
