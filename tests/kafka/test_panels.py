"""What the panels say of a real broker: their queries, asked of a real Prometheus while Kafka's own tools load it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bench.kafka.running import Broker
from tests.dashboards.conftest import configuration
from tests.dashboards.documents import Target, Viewer, targets
from tests.support.prometheus import Prometheus
from tests.support.wait import wait_until

from .conftest import Lab

TOPIC = "panels"
RECORD, BEFORE, RECORDS = 10_240, 1_000, 8_192
PAYLOAD = RECORDS * RECORD
NOT_HERE = {
    "Coverage": "clients on the same host send through no network device",
    "Saturates first": "the network device has to say its speed",
    "CPUs that brokers would need to fill the network": "the same",
    "Network in use": "the same",
    "Sent on these ports, and by the network devices": "there has to be a network device",
    "Read from disk": "what was just written is in the page cache",
    "Disk reads, by topic": "the same",
    "Disk reads, as a part of what is read": "the same",
    "CPU of brokers, and of it copying": "the luck to be sampled while copying",
}
"""Panels that may be empty, and what they need."""


@dataclass(frozen=True)
class Watched:
    """A broker, what watches it, and when it was loaded."""

    prometheus: Prometheus
    broker: Broker
    start: float
    end: float

    @property
    def seconds(self) -> int:
        return int(self.end - self.start)

    def ask(self, target: Target) -> dict[tuple[str, ...], float]:
        """Values by port, topic and reason at the end, rates of it over the whole load."""
        chosen = {"port": (str(self.broker.plain), str(self.broker.ssl)), "topic": (TOPIC,)}
        viewer = Viewer(chosen, step_seconds=self.seconds - 1, range_seconds=self.seconds)
        found = self.prometheus.instant(viewer.query(target.expression, "kafka"), time=self.end)
        labels = ("port", "topic", "reason")
        return {tuple(one.labels[name] for name in labels if name in one.labels): one.values[0] for one in found}

    def panel(self, title: str, letter: str = "A") -> dict[tuple[str, ...], float]:
        return self.ask(next(one for one in targets("kafka") if (one.panel, one.letter) == (title, letter)))


@pytest.fixture(scope="module")
def watched(lab: Lab, broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("prometheus")
    with Prometheus(directory, configuration(f"127.0.0.1:{lab.service.port}")) as prometheus:
        wait_until(prometheus.ready, "Prometheus")
        broker.create_topic(TOPIC)
        load(broker, BEFORE, BEFORE)
        wait_for_scrapes(prometheus)
        start = time.time()
        wait_for_scrapes(prometheus)
        load(broker, RECORDS, BEFORE + RECORDS)
        wait_for_scrapes(prometheus)
        yield Watched(prometheus, broker, start, time.time())


def load(broker: Broker, produced: int, consumed: int) -> None:
    """So many records into the topic, and so many out of it by each listener."""
    broker.produce(TOPIC, produced, RECORD)
    for port in (broker.plain, broker.ssl):
        broker.consume(TOPIC, consumed, port)


def wait_for_scrapes(prometheus: Prometheus) -> None:
    scrapes = "sum(sum_over_time(up[10m]))"
    before = prometheus.number(scrapes) if prometheus.instant(scrapes) else 0.0
    wait_until(lambda: prometheus.instant(scrapes) and prometheus.number(scrapes) >= before + 3, "scrapes")


def test_every_query_on_brokers_has_data(watched: Watched) -> None:
    empty = [target for target in targets("kafka") if not watched.ask(target)]
    assert [str(target) for target in empty if target.panel not in NOT_HERE] == []


def test_each_listener_has_its_share_of_zero_copy(watched: Watched) -> None:
    plain, ssl = str(watched.broker.plain), str(watched.broker.ssl)
    for title, letter in (("Sent by zero copy, by listener", "A"), ("Listeners", "B")):
        shares = watched.panel(title, letter)
        assert shares[ssl,] == 0
        assert 0.99 <= shares[plain,] <= 1
    sent = watched.panel("Listeners")
    payload = (BEFORE + RECORDS) * RECORD / watched.seconds
    for port in (plain, ssl):
        assert sent[port,] == pytest.approx(payload, rel=0.15)


def test_the_reason_is_that_of_the_encrypted_listener(watched: Watched) -> None:
    ports = {port for port, _ in watched.panel("Why zero copy is lost")}
    assert ports == {str(watched.broker.ssl)}


def test_the_topic_was_read_half_by_zero_copy(watched: Watched) -> None:
    """As many consumers came by the plaintext listener as by the encrypted one."""
    assert watched.panel("Read by zero copy, by topic") == {(TOPIC,): pytest.approx(0.5, abs=0.02)}
    assert watched.panel("Written, by topic") == {(TOPIC,): pytest.approx(PAYLOAD / watched.seconds, rel=0.15)}
