"""One line before a step that takes long, also while pytest keeps what tests print."""

import os

_descriptors = [2]


def use(descriptor: int) -> None:
    """Write lines to this descriptor from now on, in place of standard error."""
    _descriptors[:] = [descriptor]


def announce(line: str) -> None:
    """Write a line that says what is done now, and how long or how large it is. Threads may do this too."""
    os.write(_descriptors[0], f"\n{line}\n".encode())
