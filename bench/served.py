"""An exporter that runs: started, scraped as Prometheus scrapes, and looked at from outside."""

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from gzip import decompress
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK, free_port
from tests.support.process_usage import cpu_seconds, resident_kib, thread_times

_HEADERS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "Accept-Encoding": "gzip"}
_PATIENCE = 30.0


class Served:
    """A process that serves ``/metrics``; ``{address}`` in its command becomes the address."""

    def __init__(self, *command: str, good: str) -> None:
        """``good``: what the first good answer has in it."""
        address = f"{LOOPBACK}:{free_port()}"
        self._url = f"http://{address}/metrics"
        self._started = time.monotonic()
        self._command = [part.replace("{address}", address) for part in command]
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._good = good
        self.startup_seconds = self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def scrape(self, *, openmetrics: bool = True) -> str:
        """One scrape, as Prometheus asks; without ``openmetrics``, as one from before it."""
        headers = _HEADERS if openmetrics else {}
        with urllib.request.urlopen(urllib.request.Request(self._url, headers=headers), timeout=_PATIENCE) as answer:
            body: bytes = answer.read()
            return (decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body).decode()

    def scrape_seconds(self, scrapes: int, pause: float = 0.1) -> float:
        """CPU time of one scrape, over so many."""
        before = thread_times(self._process.pid)
        for _ in range(scrapes):
            self.scrape()
            time.sleep(pause)
        return cpu_seconds(before, thread_times(self._process.pid)) / scrapes

    def idle_share(self, seconds: float) -> float:
        """CPU time in a time without scrapes, as a part of one CPU."""
        before = thread_times(self._process.pid)
        time.sleep(seconds)
        return cpu_seconds(before, thread_times(self._process.pid)) / seconds

    def resident_mib(self) -> float:
        """Resident memory."""
        return resident_kib(self._process.pid) / 1024

    def _wait(self) -> float:
        while time.monotonic() < self._started + _PATIENCE and self._process.poll() is None:
            try:
                if self._good in self.scrape():
                    return time.monotonic() - self._started
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.005)
        self._process.kill()
        raise RuntimeError(f"{self._command} ended or did not answer, status {self._process.wait()}")


def total(exposition: str, name: str) -> float:
    """The sum of all samples of this name."""
    return sum(float(line.split()[1]) for line in samples(exposition, name))


def samples(exposition: str, name: str = "") -> Sequence[str]:
    """The sample lines, those of one name or all."""
    lines = [line for line in exposition.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if line.startswith((f"{name}{{", f"{name} "))] if name else lines
