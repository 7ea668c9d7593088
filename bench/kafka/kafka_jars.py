"""Apache Kafka's jars: downloaded from Maven Central once, then kept in the cache."""

import hashlib
import os
import subprocess
from pathlib import Path

from tests.support.paths import CACHE
from tests.support.progress import announce

POM = Path(__file__).with_name("pom.xml")
_TIMEOUT_SECONDS = 600


class JarsUnavailableError(Exception):
    """Maven is not installed, or Maven Central cannot be reached; the message says which."""


def fetch_jars() -> Path:
    """The directory with all jars of ``pom.xml``, downloaded again only when that file has changed."""
    directory = CACHE / "kafka" / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    if not directory.exists():
        announce("downloading Kafka from Maven Central: 54 MB")
        partial = directory.with_suffix(f".{os.getpid()}")
        _download(partial)
        partial.rename(directory)
    return directory


def _download(directory: Path) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={directory}"]
    command = ["mvn", "--batch-mode", "--quiet", f"--file={POM}", *goal]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
    except FileNotFoundError:
        raise JarsUnavailableError("Maven is not installed: apt-get install maven") from None
    except subprocess.TimeoutExpired:
        raise JarsUnavailableError(f"Maven Central did not respond within {_TIMEOUT_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stdout.splitlines() if "ERROR" in line] or ["no reason given"]
        raise JarsUnavailableError(f"Maven cannot download Kafka from Maven Central: {lines[0]}") from None
