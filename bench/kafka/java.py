"""Run the classes of Kafka's jars."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

_FLAGS = ("-Xmx512m", "-XX:+UseSerialGC")


class Java:
    """A JVM with Kafka's jars on its class path."""

    def __init__(self, jars: Path, program: str | Path = "java") -> None:
        """``program``: the ``java`` to run."""
        self._program = program
        self._class_path = f"{jars}/*"
        (core,) = jars.glob("kafka-server-[0-9]*.jar")
        self.kafka_version = core.stem.removeprefix("kafka-server-")

    def command(self, main_class: str, *arguments: str, flags: Sequence[str] = ()) -> list[str]:
        """The command line that runs a class."""
        return [str(self._program), *_FLAGS, *flags, "-cp", self._class_path, main_class, *arguments]

    def run(self, main_class: str, *arguments: str) -> str:
        """Run a class to its end, and return what it printed. Raises :class:`RuntimeError` unless it exits with 0."""
        done = subprocess.run(
            self.command(main_class, *arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{main_class} exited with status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout
