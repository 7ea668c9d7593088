"""An exporter under measurement: started, scraped as Prometheus scrapes it, and measured from outside."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import decompress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK, free_port
from tests.support.process_usage import cpu_seconds, resident_kib, thread_times

_HEADERS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "Accept-Encoding": "gzip"}
_TIMEOUT_SECONDS = 30.0
_VIEWERS = """
import sys, threading, urllib.request
def watch():
    for line in urllib.request.urlopen(sys.argv[1]):
        if line.startswith(b"event:"):
            seen.release()
seen = threading.Semaphore(0)
number = int(sys.argv[2])
threads = [threading.Thread(target=watch, daemon=True) for _ in range(number)]
for thread in threads: thread.start()
for _ in range(number): seen.acquire()
print("watching", flush=True)
for thread in threads: thread.join()
"""


class RunningExporter:
    """A process that serves ``/metrics``; a context manager that terminates it."""

    def __init__(self, *command: str, ready: str) -> None:
        """Start it and wait for a scrape that contains ``ready``. ``{address}`` in the command becomes its address."""
        address = f"{LOOPBACK}:{free_port()}"
        self.url = f"http://{address}"
        self._started = time.monotonic()
        self._command = [part.replace("{address}", address) for part in command]
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.startup_seconds = self._wait(ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def scrape(self, *, openmetrics: bool = True) -> str:
        """The text of a scrape; without ``openmetrics``, uncompressed in the older text format."""
        headers = _HEADERS if openmetrics else {}
        request = urllib.request.Request(f"{self.url}/metrics", headers=headers)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            body: bytes = answer.read()
            return (decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body).decode()

    def scrape_seconds(self, scrapes: int, pause: float = 0.1, *, openmetrics: bool = True) -> float:
        """CPU seconds per scrape, the mean of ``scrapes`` scrapes with a pause of ``pause`` seconds."""
        before = thread_times(self._process.pid)
        for _ in range(scrapes):
            self.scrape(openmetrics=openmetrics)
            time.sleep(pause)
        return cpu_seconds(before, thread_times(self._process.pid)) / scrapes

    def cpu_share(self, seconds: float) -> float:
        """The share of one CPU that it uses in the next ``seconds`` seconds, between 0 and the number of CPUs."""
        before = thread_times(self._process.pid)
        time.sleep(seconds)
        return cpu_seconds(before, thread_times(self._process.pid)) / seconds

    @contextmanager
    def viewers(self, number: int) -> Iterator[None]:
        """Clients that read the stream of live rates, in a process of their own."""
        url = f"{self.url}/api/v1/live/stream"
        with subprocess.Popen([sys.executable, "-c", _VIEWERS, url, str(number)], stdout=subprocess.PIPE) as process:
            if process.stdout and not process.stdout.readline():
                raise RuntimeError(f"{number} viewers did not get an event each")
            yield
            process.kill()

    def resident_mib(self) -> float:
        """Resident memory."""
        return resident_kib(self._process.pid) / 1024

    def kernel_mib(self) -> float:
        """What the kernel has reserved for its maps."""
        found: dict[str, int] = {}
        for file in Path(f"/proc/{self._process.pid}/fdinfo").iterdir():
            fields = dict(line.split(":\t", 1) for line in file.read_text().splitlines() if ":\t" in line)
            if "map_id" in fields:
                found[fields["map_id"]] = int(fields["memlock"])
        return sum(found.values()) / 2**20

    def _wait(self, ready: str) -> float:
        while time.monotonic() < self._started + _TIMEOUT_SECONDS and self._process.poll() is None:
            try:
                if ready in self.scrape():
                    return time.monotonic() - self._started
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.005)
        self._process.kill()
        raise RuntimeError(f"{self._command} exited or did not answer, status {self._process.wait()}")
