"""What libraries in C write to standard error."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STDERR = 2
_MAX_BYTES = 1 << 20


@contextmanager
def captured_errors() -> Iterator[Callable[[], str]]:
    """Catch what is written to descriptor 2 inside; the function returns it, also afterwards."""
    memory, before = os.memfd_create("errors"), os.dup(_STDERR)
    text: bytes | None = None

    def read() -> str:
        return (os.pread(memory, _MAX_BYTES, 0) if text is None else text).decode(errors="replace")

    os.dup2(memory, _STDERR)
    try:
        yield read
    finally:
        os.dup2(before, _STDERR)
        text = os.pread(memory, _MAX_BYTES, 0)
        os.close(before)
        os.close(memory)
