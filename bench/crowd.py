"""Processes to be exported, by the thousand."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.workload import build


@contextmanager
def crowd(directory: Path, processes: int, rows: int, name: str = "crowd") -> Iterator[None]:
    """So many processes of one name with so many rows each, that wait until it is over."""
    program = directory / name
    if not program.exists():
        build("crowd", directory).rename(program)
    command = [str(program), str(processes), str(rows)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the crowd did not come together")
        yield
        process.communicate()


@contextmanager
def births(directory: Path, rate: int, seconds: int) -> Iterator[None]:
    """Processes that read a byte and end, so many a second, for at least as long as the context."""
    with subprocess.Popen([build("births", directory), str(rate), str(seconds)], stdout=subprocess.DEVNULL) as process:
        yield
        if process.wait():
            raise RuntimeError("births ended with an error")
