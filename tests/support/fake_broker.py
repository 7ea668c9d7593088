"""Processes that look like Kafka brokers (``fake_broker_process.py``), also in containers."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

PYTHON = "/usr/bin/python3"
_PROGRAM = Path(__file__).with_name("fake_broker_process.py")
_MAIN_CLASS = "kafka.Kafka"


def write_config(directory: Path, **properties: object) -> Path:
    """Write ``server.properties``, which only its owner may read; ``node_id=5`` becomes ``node.id=5``."""
    file = directory / "server.properties"
    file.write_text("".join(f"{name.replace('_', '.')}={value}\n" for name, value in properties.items()))
    file.chmod(0o600)
    return file


class FakeBroker:
    """A process with the name and the command line of a broker; a context manager that kills it."""

    def __init__(
        self, directory: Path, *arguments: str, before: Sequence[str] = (), main_class: str = _MAIN_CLASS
    ) -> None:
        """Run ``java kafka.Kafka ARGUMENTS`` in ``directory``; ``before`` is a command that starts it, e.g. unshare.

        With another ``main_class`` it is no broker, but does the same.
        """
        (directory / main_class).write_text(_PROGRAM.read_text())
        command = ["bash", "-c", 'exec -a java "$@"', "bash", PYTHON, "-S", main_class, *arguments]
        self._process = subprocess.Popen(
            [*before, *command], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        assert self._line() == "ready"

    def __enter__(self) -> "FakeBroker":
        return self

    def __exit__(self, *problem: object) -> None:
        self._process.kill()
        self._process.communicate()

    def do(self, function: str, *arguments: object) -> int:
        """Call a function of ``fake_broker_process.py``; the number that it returns."""
        assert self._process.stdin
        self._process.stdin.write("\t".join([function, *map(str, arguments)]) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()
