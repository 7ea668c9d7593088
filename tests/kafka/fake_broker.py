"""Processes that look like brokers (``poser/kafka.Kafka``), outside and inside of containers."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

SCRIPT = Path(__file__).with_name("poser") / "kafka.Kafka"
PYTHON = "/usr/bin/python3"


class FakeBroker:
    """One such process; a context manager that ends it."""

    def __init__(self, directory: Path, *arguments: str, before: Sequence[str] = (), start: bool = True) -> None:
        """Run in ``directory`` with these arguments, behind the command ``before``."""
        script = directory / SCRIPT.name
        script.write_text(SCRIPT.read_text())
        posing = ["sh", "-c", 'exec -a java "$@"', "sh", PYTHON, "-S", "kafka.Kafka", *arguments]
        posing[0] = "bash"
        self._process = subprocess.Popen(
            [*before, *posing], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        assert not start or self._line() == "ready"

    def __enter__(self) -> "FakeBroker":
        return self

    def __exit__(self, *problem: object) -> None:
        self._process.kill()
        self._process.communicate()

    def do(self, name: str, *arguments: object) -> int:
        """Let it do one thing; the number that it says."""
        assert self._process.stdin
        self._process.stdin.write("\t".join([name, *map(str, arguments)]) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()
