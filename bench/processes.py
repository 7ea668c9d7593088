"""Processes for the exporter to count: many that live, and many that are short-lived."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.workload import build

IDLE_PROCESSES = "idle_processes"
"""The name of idle processes, unless they are given another."""


@contextmanager
def idle_processes(
    directory: Path, processes: int, rows: int, name: str = IDLE_PROCESSES, *, every_seconds: int = 0
) -> Iterator[None]:
    """``processes`` processes of one name that have made ``rows`` rows each and wait for the end of the context.

    With ``every_seconds`` each process adds to all of its rows that often.
    """
    program = directory / name
    if not program.exists():
        build("idle_processes", directory).rename(program)
    command = [str(program), str(processes), str(rows), str(every_seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{name} did not start {processes} processes")
        yield
        process.communicate()


@contextmanager
def short_lived_processes(directory: Path, per_second: int, seconds: int) -> Iterator[None]:
    """Processes that read one byte and exit, ``per_second`` of them, during at least the context."""
    command = [build("short_lived_processes", directory), str(per_second), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        yield
        if process.wait():
            raise RuntimeError(f"short_lived_processes exited with status {process.returncode}")
