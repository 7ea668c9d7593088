"""A real Prometheus server scrapes the service while a process sends files."""

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from .movers import Tap
from .running import Service, wait_until

SCRAPES = 12
CHUNK = 65536
_COMPLAINT = re.compile(r"level=(warn|error)|duplicate|out[- ]of[- ]order", re.IGNORECASE)


class Server:
    """Prometheus with one target, asked for numbers."""

    def __init__(self, target: int, directory: Path, **options: object) -> None:
        """``options``: more of the scrape configuration."""
        job = {"job_name": "copy", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}], **options}
        config: dict[str, object] = {"scrape_configs": [job]}
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        (directory / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        self._log = (directory / "log").open("w+")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def ready(self) -> bool:
        assert self._process.poll() is None, self.log()
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def query(self, expression: str) -> float:
        """The one number that an expression has now; NaN when it has none."""
        answer = self._client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        values = [float(one["value"][1]) for one in answer["data"]["result"]]
        return values[0] if len(values) == 1 else float("nan")

    def target(self) -> dict[str, str]:
        (target,) = self._client.get("/api/v1/targets").json()["data"]["activeTargets"]
        return dict(target)

    def log(self) -> str:
        return Path(self._log.name).read_text()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._client.close()
        self._log.close()


@pytest.fixture
def service(start: Callable[..., Service]) -> Service:
    return start()


@pytest.fixture
def server(service: Service, tmp_path: Path) -> Iterator[Server]:
    running = Server(service.port, tmp_path)
    yield running
    running.end()


def send_file(tap: Tap, path: Path, times: int) -> int:
    """Send a file to the tap's client from its server end; returns the bytes."""

    def sink(expected: int) -> None:
        while expected:
            expected -= len(tap.client.recv(min(expected, CHUNK)))

    size = path.stat().st_size
    reader = threading.Thread(target=sink, args=(size * times,))
    reader.start()
    with path.open("rb") as file:
        for _ in range(times):
            sent = 0
            while sent < size:
                sent += os.sendfile(tap.server.fileno(), file.fileno(), sent, min(CHUNK, size - sent))
    reader.join()
    return size * times


def test_prometheus_scrapes_without_a_complaint(server: Server, tap: Tap, tmp_path: Path) -> None:
    wait_until(server.ready, "Prometheus")
    file = tmp_path / "file"
    file.write_bytes(os.urandom(300_001))
    truth = send_file(tap, file, 10)

    def scraped_often() -> bool:
        nonlocal truth
        truth += send_file(tap, file, 1)
        return server.query("count_over_time(up[10m])") >= SCRAPES

    wait_until(scraped_often, f"{SCRAPES} scrapes", seconds=60)
    zero_copied = f'copy_host_zero_copied_bytes_total{{port="{tap.label}",syscall="sendfile"}}'
    wait_until(lambda: server.query(zero_copied) == truth, f"{truth} bytes by sendfile", seconds=10)
    mine = f'sum(copy_zero_copied_bytes_total{{port="{tap.label}",pid="{os.getpid()}"}})'
    assert server.query(mine) == truth
    assert server.query(f"{mine} / on() group_left() sum({zero_copied})") == 1
    assert server.query("min_over_time(up[10m])") == 1
    assert server.query("min_over_time(scrape_samples_scraped[10m])") > 0
    assert server.query("min_over_time(copy_scrape_success[10m])") == 1
    assert server.target()["health"] == "up"
    assert server.target()["lastError"] == ""
    assert not [line for line in server.log().splitlines() if _COMPLAINT.search(line)]
