"""Apache Kafka's jars: from Maven Central, kept in the cache between runs."""

import hashlib
import os
import subprocess
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
_CACHE = Path(os.environ.get("COPY_EXPORTER_CACHE") or Path(__file__).parents[2] / ".cache")
_SECONDS = 600


class NoArtifactsError(Exception):
    """Maven Central cannot be reached, or Maven is not there; says which."""


def jars() -> Path:
    """The directory with all jars of ``pom.xml``: what Maven has once brought there stays until the file changes."""
    directory = _CACHE / "kafka" / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    if not directory.exists():
        partial = directory.with_suffix(f".{os.getpid()}")
        _copy_dependencies(partial)
        partial.rename(directory)
    return directory


def _copy_dependencies(directory: Path) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={directory}"]
    command = ["mvn", "--batch-mode", "--quiet", f"--file={POM}", *goal]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except FileNotFoundError:
        raise NoArtifactsError("Maven is not installed: apt-get install maven") from None
    except subprocess.TimeoutExpired:
        raise NoArtifactsError(f"Maven Central did not answer within {_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stdout.splitlines() if "ERROR" in line] or ["no reason given"]
        raise NoArtifactsError(f"Maven cannot bring Kafka from Maven Central: {lines[0]}") from None
