"""Reasons for lost zero copy, as the service shows them for fake brokers that really move bytes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from exporter.kafka.zero_copy_loss import MIN_BYTES
from tests.support.exporter_process import ExporterProcess
from tests.support.fake_broker import PYTHON, FakeBroker, write_config
from tests.support.ports import free_ports
from tests.support.requirements import require_bpf
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

SIZE = 2 * MIN_BYTES
WITHOUT_SENDFILE = (PYTHON, str(Path(__file__).with_name("without_sendfile.py")))
LISTENER, LOST = "copy_kafka_listener_info", "copy_kafka_zero_copy_lost"


@pytest.fixture(scope="module")
def exporter() -> Iterator[ExporterProcess]:
    require_bpf()
    with ExporterProcess() as started:
        yield started


@pytest.fixture
def records(tmp_path: Path) -> Path:
    (tmp_path / "t-0").mkdir()
    file = tmp_path / "t-0/records"
    file.write_bytes(bytes(SIZE))
    return file


class ObservedBroker:
    """A fake broker with a PLAINTEXT and an SSL listener that the exporter has found; a context manager."""

    def __init__(self, exporter: ExporterProcess, directory: Path, *before: str) -> None:
        """``before``: a command that starts the broker."""
        self._exporter = exporter
        ports = free_ports(2)
        plaintext, ssl = ports
        listeners = f"PLAINTEXT://127.0.0.1:{plaintext},SSL://127.0.0.1:{ssl}"
        config = write_config(directory, node_id=21, listeners=listeners, log_dirs=directory)
        self._broker = FakeBroker(directory, config.name, before=before)
        for port in ports:
            self._broker.do("listen", "127.0.0.1", port)
        self.pid = str(self._broker.pid)

    def __enter__(self) -> Self:
        wait_until(lambda: len(self._series(LISTENER)) == 2, "the broker is found")
        return self

    def __exit__(self, *problem: object) -> None:
        self._broker.__exit__()

    def send(self, function: str, file: Path) -> None:
        """Send a file from the PLAINTEXT listener by a function of the fake broker."""
        assert self._broker.do(function, file, SIZE) == SIZE

    def reasons(self) -> dict[str, str]:
        """The reason of each listener that lost zero copy."""
        series = self._series(LOST)
        reasons = {labels["listener"]: labels["reason"] for labels in series}
        assert len(reasons) == len(series), "a listener with several reasons"
        return reasons

    @contextmanager
    def on_live_page(self) -> Iterator[Callable[[], dict[str, str]]]:
        """Open the live page; the context's function waits for its next reading and returns the reasons."""
        with self._exporter.client.stream("GET", "/api/v1/live/stream") as response:
            readings = (json.loads(line[5:]) for line in response.iter_lines() if line.startswith("data:"))
            yield lambda: {
                listener["listener"]: listener["reason"]
                for listener in next(readings)["kafka"]["listeners"]
                if listener["pid"] == self.pid and listener["reason"]
            }

    def _series(self, metric: str) -> list[dict[str, str]]:
        return Scrape(self._exporter.metrics()).series(metric, pid=self.pid)


def test_zero_copy_then_copies(exporter: ExporterProcess, tmp_path: Path, records: Path) -> None:
    with ObservedBroker(exporter, tmp_path) as broker, broker.on_live_page() as live_reasons:
        broker.send("sendfile", records)
        assert broker.reasons() == live_reasons() == {"SSL": "tls"}
        broker.send("copy", records)
        assert broker.reasons() == {"SSL": "tls", "PLAINTEXT": "copied"}
        wait_until(lambda: live_reasons() == broker.reasons(), "the live page has the same reasons")


def test_sendfile_is_refused(exporter: ExporterProcess, tmp_path: Path, records: Path) -> None:
    with ObservedBroker(exporter, tmp_path, *WITHOUT_SENDFILE) as broker:
        assert broker.reasons() == {"SSL": "tls"}
        broker.send("fall_back", records)
        assert broker.reasons() == {"SSL": "tls", "PLAINTEXT": "jvm_fallback"}


def test_the_same_program_without_a_refusal(exporter: ExporterProcess, tmp_path: Path, records: Path) -> None:
    with ObservedBroker(exporter, tmp_path) as broker:
        broker.send("fall_back", records)
        assert broker.reasons() == {"SSL": "tls"}


def test_a_broker_that_exited_has_no_reason(exporter: ExporterProcess, tmp_path: Path) -> None:
    with ObservedBroker(exporter, tmp_path) as broker:
        assert broker.reasons() == {"SSL": "tls"}
    wait_until(lambda: not Scrape(exporter.metrics()).series(LOST, pid=broker.pid), "the reason is gone")
