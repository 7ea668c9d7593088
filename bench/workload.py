"""The C programs that make load: compiled into a directory, and controlled over pipes."""

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.compiler import compile_c

HERE = Path(__file__).parent
CALLS_PER_BATCH = 64


def build(name: str, directory: Path) -> Path:
    """Compile ``bench/NAME.c``; the path of the program."""
    return compile_c(HERE / f"{name}.c", directory / name, "-Wextra")


class Workload:
    """A running ``workload.c``: one process for all rounds, on the last CPU. A context manager."""

    def __init__(self, directory: Path) -> None:
        """Compile it and start it with a file in ``directory``."""
        program = build("workload", directory)
        self._process = subprocess.Popen(
            [program, directory / "file"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()

    @property
    def pid(self) -> int:
        """The process id of the workload."""
        return self._process.pid

    def measure(self, operation: str, batches: int) -> float:
        """Nanoseconds per call, the median of ``batches`` batches of :data:`CALLS_PER_BATCH` calls."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{operation} {batches} {CALLS_PER_BATCH}\n")
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the workload exited: {operation} {batches}")
        return float(answer)
