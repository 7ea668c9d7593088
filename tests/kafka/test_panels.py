"""The panels' queries, evaluated by a real Prometheus while Kafka's own tools load a real broker."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bench.kafka.kafka_server import KafkaServer
from tests.support.dashboard_files import Target, Viewer, targets
from tests.support.prometheus import Prometheus, every_second
from tests.support.rule_files import RECORDING
from tests.support.wait import wait_until

from .conftest import KafkaFixture

TOPIC = "panels"
RECORD_BYTES, RECORDS_BEFORE, RECORDS = 10_240, 1_000, 8_192
PAYLOAD = RECORDS * RECORD_BYTES
MAY_BE_EMPTY = {
    "Coverage": "clients on the same host use no network device",
    "Saturates first": "the speed of the network device may be unknown",
    "CPUs to fill the network": "the same",
    "Network in use": "the same",
    "Sent on these ports, and by devices": "there may be no network device",
    "Read from disk": "new records are in the page cache",
    "Disk reads by topic": "the same",
    "Disk part by topic": "the same",
    "CPU time of brokers": "samples may miss the copies",
}
"""Panels that may be empty here, and why."""


@dataclass(frozen=True)
class ObservedLoad:
    """A broker, the Prometheus that scrapes its exporter, and the seconds since the epoch of its load."""

    prometheus: Prometheus
    server: KafkaServer
    start: float
    end: float

    @property
    def seconds(self) -> int:
        return int(self.end - self.start)

    def evaluate(self, target: Target) -> dict[tuple[str, ...], float]:
        """Values by port, topic and reason at the end of the load; rates are taken over the whole load."""
        chosen = {"port": (str(self.server.plaintext_port), str(self.server.ssl_port)), "topic": (TOPIC,)}
        viewer = Viewer(chosen, step_seconds=self.seconds - 1, range_seconds=self.seconds)
        found = self.prometheus.instant(viewer.query(target.expression, "kafka"), time=self.end)
        labels = ("port", "topic", "reason")
        return {
            tuple(series.labels[name] for name in labels if name in series.labels): series.values[0] for series in found
        }

    def panel(self, title: str, letter: str = "A") -> dict[tuple[str, ...], float]:
        return self.evaluate(
            next(target for target in targets("kafka") if (target.panel, target.letter) == (title, letter))
        )


@pytest.fixture(scope="module")
def observed(
    kafka: KafkaFixture, server: KafkaServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ObservedLoad]:
    directory = tmp_path_factory.mktemp("prometheus")
    with Prometheus(directory, every_second(kafka.exporter.port, rule_files=[RECORDING])) as prometheus:
        wait_until(prometheus.ready, "Prometheus")
        server.create_topic(TOPIC)
        produce_and_consume(server, RECORDS_BEFORE, RECORDS_BEFORE)
        prometheus.wait_for_scrapes(3)
        start = time.time()
        prometheus.wait_for_scrapes(3)
        produce_and_consume(server, RECORDS, RECORDS_BEFORE + RECORDS)
        prometheus.wait_for_scrapes(3)
        yield ObservedLoad(prometheus, server, start, time.time())


def produce_and_consume(server: KafkaServer, produced: int, consumed: int) -> None:
    """Produce records to the topic, and consume records by each listener."""
    server.produce(TOPIC, produced, RECORD_BYTES)
    for port in (server.plaintext_port, server.ssl_port):
        server.consume(TOPIC, consumed, port)


def test_every_query_on_brokers_has_data(observed: ObservedLoad) -> None:
    of_brokers = targets("kafka")
    assert of_brokers
    empty = [target for target in of_brokers if not observed.evaluate(target)]
    assert [str(target) for target in empty if target.panel not in MAY_BE_EMPTY] == []


def test_the_zero_copy_share_of_each_listener(observed: ObservedLoad) -> None:
    plain, ssl = str(observed.server.plaintext_port), str(observed.server.ssl_port)
    for title, letter in (("Sent by zero copy, by listener", "A"), ("Listeners", "B")):
        shares = observed.panel(title, letter)
        assert shares.get((ssl,)) == (0 if title != "Listeners" else None)
        assert 0.99 <= shares[plain,] <= 1
    sent = observed.panel("Listeners")
    payload = (RECORDS_BEFORE + RECORDS) * RECORD_BYTES / observed.seconds
    for port in (plain, ssl):
        assert sent[port,] == pytest.approx(payload, rel=0.15)


def test_only_the_tls_listener_has_a_reason(observed: ObservedLoad) -> None:
    ports = {port for port, _ in observed.panel("Why zero copy is lost")}
    assert ports == {str(observed.server.ssl_port)}


def test_half_of_the_topic_was_read_by_zero_copy(observed: ObservedLoad) -> None:
    """The same records were consumed by the PLAINTEXT and by the SSL listener."""
    assert observed.panel("Zero-copy part by topic") == {(TOPIC,): pytest.approx(0.5, abs=0.02)}
    assert observed.panel("Written by topic") == {(TOPIC,): pytest.approx(PAYLOAD / observed.seconds, rel=0.15)}
