"""Waiting for a condition."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], description: str, seconds: float = 30) -> None:
    """Check ``condition`` until it is true.

    ``seconds`` bounds a wait that would never end; no test uses it to let time pass.
    Raises :class:`TimeoutError` with ``description``: what was waited for.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {description}")
        time.sleep(0.005)
