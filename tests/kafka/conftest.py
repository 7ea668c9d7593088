"""One real broker and one exporter, shared by the tests of this folder that need them."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.kafka.java import Java
from bench.kafka.kafka_jars import JarsUnavailableError, fetch_jars
from bench.kafka.kafka_server import KafkaServer
from tests.support.exporter_process import ExporterProcess
from tests.support.filesystems import on_disk
from tests.support.requirements import require_bpf
from tests.support.scrape import Scrape
from tests.support.wait import wait_until


class Increase:
    """The difference of two scrapes."""

    def __init__(self, before: Scrape, after: Scrape) -> None:
        self._before = before
        self._after = after

    def sum(self, metric: str, **labels: str) -> int:
        """The increase of all series of a metric that have these labels, added up."""
        return int(self._after.sum(metric, **labels) - self._before.sum(metric, **labels))


class KafkaFixture:
    """An exporter, and what it takes to start brokers that it finds."""

    def __init__(self, exporter: ExporterProcess, java: Java, directory: Path) -> None:
        self.exporter = exporter
        self.java = java
        self.directory = directory

    def scrape(self) -> Scrape:
        return Scrape(self.exporter.metrics())

    def measure(self, action: Callable[[], object]) -> Increase:
        """Scrape before and after an action."""
        before = self.scrape()
        action()
        return Increase(before, self.scrape())

    def listeners(self, server: KafkaServer) -> dict[str, tuple[str, int]]:
        """The listeners of a broker that the exporter has found: protocol and port by name."""
        series = self.scrape().series("copy_kafka_listener_info", pid=str(server.pid))
        return {labels["listener"]: (labels["protocol"], int(labels["port"])) for labels in series}

    def wait_until_found(self, server: KafkaServer) -> None:
        ports = {server.plaintext_port, server.ssl_port, server.controller_port}  # it opens them one after the other
        wait_until(lambda: {port for _, port in self.listeners(server).values()} == ports, "the broker is found")


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that every user may enter. pytest's own it closes again whenever it starts."""
    with tempfile.TemporaryDirectory(prefix="copy-exporter-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def jars() -> Path:
    try:
        return fetch_jars()
    except JarsUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="package")
def kafka(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaFixture]:
    """Kafka's files are on ext4, on a disk."""
    require_bpf()
    java = Java(jars)
    with (
        ExporterProcess("--log.level", "debug") as exporter,
        on_disk(tmp_path_factory.mktemp("kafka"), size=2 << 30) as directory,
    ):
        yield KafkaFixture(exporter, java, directory)


@pytest.fixture(scope="package")
def server(kafka: KafkaFixture) -> Iterator[KafkaServer]:
    directory = kafka.directory / "broker"
    directory.mkdir()
    with KafkaServer(kafka.java, directory) as started:
        kafka.wait_until_found(started)
        yield started
