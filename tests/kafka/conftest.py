"""One real broker and one exporter for all tests of this folder that ask for them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.kafka import artifacts
from bench.kafka.running import Broker, Java
from tests.support.exporter_process import ExporterProcess
from tests.support.filesystems import command, file_system
from tests.support.requirements import require_bpf
from tests.support.scrape import Scrape
from tests.support.wait import wait_until


class Difference:
    """What one thing that was done added to the metrics."""

    def __init__(self, before: Scrape, after: Scrape) -> None:
        self._before = before
        self._after = after

    def sum(self, metric: str, **labels: str) -> int:
        """Of all series of a metric that have these labels."""
        return int(self._after.sum(metric, **labels) - self._before.sum(metric, **labels))


class Lab:
    """An exporter beside brokers."""

    def __init__(self, service: ExporterProcess, java: Java, directory: Path) -> None:
        self.service = service
        self.java = java
        self.directory = directory

    def scrape(self) -> Scrape:
        return Scrape(self.service.metrics())

    def during(self, action: Callable[[], object]) -> Difference:
        """Do something, and see what it added."""
        before = self.scrape()
        action()
        return Difference(before, self.scrape())

    def found(self, broker: Broker) -> dict[str, tuple[str, int]]:
        """The listeners of a broker that the exporter knows: protocol and port by name."""
        series = self.scrape().series("copy_kafka_listener_info", pid=str(broker.pid))
        return {one["listener"]: (one["protocol"], int(one["port"])) for one in series}

    def wait_for(self, broker: Broker) -> None:
        wait_until(lambda: self.found(broker), "a broker that is found")


@pytest.fixture(scope="session")
def jars() -> Path:
    try:
        return artifacts.jars()
    except artifacts.NoArtifactsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="package")
def lab(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Kafka's files are on ext4, with a disk below."""
    require_bpf()
    java = Java(jars)
    directory = tmp_path_factory.mktemp("kafka")
    with ExporterProcess("--log.level", "debug") as service:
        if command("stat", "--file-system", "--format=%T", directory) == "ext2/ext3":
            yield Lab(service, java, directory)
            return
        with file_system("ext4", directory, size=2 << 30) as (_, mounted):
            yield Lab(service, java, mounted)


@pytest.fixture(scope="package")
def broker(lab: Lab) -> Iterator[Broker]:
    directory = lab.directory / "broker"
    directory.mkdir()
    with Broker(lab.java, directory) as started:
        lab.wait_for(started)
        yield started
