"""Which threads of a real broker move the bytes of a topic, on the oldest and on the newest JDK of this host."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.kafka.java import Java
from bench.kafka.kafka_server import KafkaServer
from tests.support.wait import wait_until

from .conftest import Increase, KafkaFixture
from .java_versions import installed_javas

pytestmark = pytest.mark.kafka

RECORD_BYTES = 10_240
RECORDS = 2_048
PAYLOAD = RECORDS * RECORD_BYTES
FILES_BESIDE_LOGS_BYTES = 2048
ROLES = ("network", "replica_fetcher", "cleaner", "remote", "recovery", "other", "unknown")


@pytest.fixture(scope="module", params=["oldest", "newest"])
def broker(request: pytest.FixtureRequest, kafka: KafkaFixture, jars: Path) -> Iterator[KafkaServer]:
    javas = installed_javas()
    if request.param == "newest" and len(javas) < 2:
        pytest.skip("one JDK is installed: apt-get install openjdk-21-jdk-headless, or any other")
    directory = kafka.directory / request.param
    directory.mkdir()
    with KafkaServer(Java(jars, javas[0 if request.param == "oldest" else -1]), directory, 2) as server:
        kafka.wait_until_found(server)
        yield server


def by_role(
    increase: Increase, server: KafkaServer, topic: str, operation: str, mechanism: str = "cpu"
) -> dict[str, int]:
    """Bytes of a topic by role, without the few that the files beside its logs have, such as checkpoints."""
    labels = {"node_id": server.node_id, "topic": topic, "operation": operation, "mechanism": mechanism}
    sums = {role: increase.sum("copy_kafka_topic_bytes_total", **labels, role=role) for role in ROLES}
    return {role: moved for role, moved in sums.items() if moved > FILES_BESIDE_LOGS_BYTES}


def test_clients_are_served_by_the_network_role(kafka: KafkaFixture, broker: KafkaServer) -> None:
    broker.create_topic("served")
    produced = kafka.measure(lambda: broker.produce("served", RECORDS, RECORD_BYTES))
    assert by_role(produced, broker, "served", "write").keys() == {"network"}
    assert by_role(produced, broker, "served", "write")["network"] >= PAYLOAD
    consumed = kafka.measure(lambda: broker.consume("served", RECORDS))
    assert by_role(consumed, broker, "served", "read", "zero_copy").keys() == {"network"}
    over_tls = kafka.measure(lambda: broker.consume("served", RECORDS, broker.ssl_port))
    assert by_role(over_tls, broker, "served", "read").keys() == {"network"}
    assert by_role(over_tls, broker, "served", "read")["network"] >= PAYLOAD


def test_compaction_has_a_role_of_its_own(kafka: KafkaFixture, broker: KafkaServer) -> None:
    """The cleaner reads and writes the topic, and takes no part in what clients read."""
    topic = "compacted"
    broker.create_topic(topic, cleanup_policy="compact", segment_ms=1000, min_cleanable_dirty_ratio=0.01)
    before = kafka.scrape()

    def cleaned() -> int:
        return by_role(Increase(before, kafka.scrape()), broker, topic, "write").get("cleaner", 0)

    def compact() -> bool:
        broker.produce_with_keys(topic, records=8000, keys=2000)
        return cleaned() > 0

    wait_until(compact, "the log is compacted", 90)
    whole = Increase(before, kafka.scrape())
    assert by_role(whole, broker, topic, "write").keys() == {"network", "cleaner"}
    assert by_role(whole, broker, topic, "read").keys() == {"cleaner"}
    assert by_role(whole, broker, topic, "read", "zero_copy") == {}


def test_a_follower_writes_what_its_leader_sends_by_zero_copy(kafka: KafkaFixture, broker: KafkaServer) -> None:
    directory = Path(tempfile.mkdtemp(dir=kafka.directory))
    with KafkaServer(broker.java, directory, 3, controller=broker) as follower:
        wait_until(lambda: len(kafka.listeners(follower)) == 2, "the follower is found")
        broker.create_topic("replicated", replicas=(broker, follower))
        replicated = kafka.measure(lambda: broker.produce("replicated", RECORDS, RECORD_BYTES))
        sent = by_role(replicated, broker, "replicated", "read", "zero_copy")
        assert sent.keys() == {"network"}
        assert sent["network"] >= PAYLOAD
        assert by_role(replicated, broker, "replicated", "write").keys() == {"network"}
        written = by_role(replicated, follower, "replicated", "write")
        assert written.keys() == {"replica_fetcher"}
        assert 0 <= written["replica_fetcher"] - sent["network"] <= FILES_BESIDE_LOGS_BYTES
