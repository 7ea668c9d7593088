"""A real broker loaded by Kafka's own tools: bytes by listener and by topic equal what it did."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.kafka.java import Java
from bench.kafka.kafka_server import CLUSTER_ID, KafkaServer
from tests.support.wait import wait_until

from .conftest import Increase, KafkaFixture
from .java_versions import newest_java

RECORD_BYTES = 10_240
RECORDS = {"orders-eu.west-1": 16_384, "payments": 8_192}
ORDERS, PAYMENTS = RECORDS
PAYLOAD = {topic: records * RECORD_BYTES for topic, records in RECORDS.items()}
BYTES = "copy_bytes_total"
ERRORS = "copy_syscall_errors_total"
LISTENER_CPU = "copy_kafka_listener_cpu_seconds_total"
TOPIC_BYTES = "copy_kafka_topic_bytes_total"
READ_CPU, READ_ZERO_COPY, READ_DMA, WRITE_CPU = (
    ("read", "cpu"),
    ("read", "zero_copy"),
    ("read", "dma"),
    ("write", "cpu"),
)
NO_BYTES = dict.fromkeys((READ_CPU, READ_ZERO_COPY, READ_DMA, WRITE_CPU), 0)


def topic_bytes(increase: Increase, server: KafkaServer, topic: str) -> dict[tuple[str, str], int]:
    """Bytes by operation and mechanism."""
    labels = {"node_id": server.node_id, "topic": topic}
    return {
        (operation, mechanism): increase.sum(TOPIC_BYTES, **labels, operation=operation, mechanism=mechanism)
        for operation, mechanism in NO_BYTES
    }


def is_payload(counted: int, payload: int) -> bool:
    """Whether this is the payload and at most 3 % of protocol."""
    return payload <= counted <= 1.03 * payload


@dataclass
class LoadedServer:
    """A broker with two topics full of records."""

    server: KafkaServer
    produced: dict[str, Increase]
    """What was counted while each topic was written."""


@pytest.fixture(scope="module")
def loaded(kafka: KafkaFixture, server: KafkaServer) -> LoadedServer:
    produced = {}
    for topic, records in RECORDS.items():
        server.create_topic(topic)
        produced[topic] = kafka.measure(
            lambda topic=topic, records=records: server.produce(topic, records, RECORD_BYTES)
        )
    return LoadedServer(server, produced)


def test_its_listeners_are_found(kafka: KafkaFixture, server: KafkaServer) -> None:
    assert kafka.listeners(server) == {
        "PLAINTEXT": ("PLAINTEXT", server.plaintext_port),
        "SSL": ("SSL", server.ssl_port),
        "CONTROLLER": ("PLAINTEXT", server.controller_port),
    }


@pytest.mark.parametrize("topic", RECORDS)
def test_produced_bytes_are_copied_twice(loaded: LoadedServer, topic: str) -> None:
    increase, server = loaded.produced[topic], loaded.server
    by_cpu = {"pid": str(server.pid), "mechanism": "cpu"}
    received = increase.sum(BYTES, **by_cpu, source="tcp", destination="user", port=str(server.plaintext_port))
    written = increase.sum(BYTES, **by_cpu, source="user", destination="page_cache")
    assert is_payload(received, PAYLOAD[topic])
    assert is_payload(written, PAYLOAD[topic])
    assert increase.sum(BYTES, **by_cpu, source="tcp", port=str(server.ssl_port)) == 0
    assert is_payload(topic_bytes(increase, server, topic)[WRITE_CPU], PAYLOAD[topic])
    (other,) = RECORDS.keys() - {topic}
    assert topic_bytes(increase, server, other) == NO_BYTES


def sent_bytes(increase: Increase, server: KafkaServer, port: int) -> tuple[int, int]:
    """Bytes sent from a port of the broker, by zero copy and by the CPU."""
    labels = {"pid": str(server.pid), "destination": "tcp", "port": str(port)}
    return increase.sum(BYTES, **labels, mechanism="zero_copy"), increase.sum(BYTES, **labels, mechanism="cpu")


@pytest.mark.parametrize("topic", RECORDS)
def test_a_plaintext_consumer_is_served_by_zero_copy(kafka: KafkaFixture, loaded: LoadedServer, topic: str) -> None:
    server = loaded.server
    increase = kafka.measure(lambda: server.consume(topic, RECORDS[topic]))
    zero_copied, copied = sent_bytes(increase, server, server.plaintext_port)
    assert zero_copied >= 0.99 * (zero_copied + copied)
    assert is_payload(zero_copied + copied, PAYLOAD[topic])
    assert sent_bytes(increase, server, server.ssl_port) == (0, 0)
    assert topic_bytes(increase, server, topic)[READ_ZERO_COPY] == zero_copied
    (other,) = RECORDS.keys() - {topic}
    assert topic_bytes(increase, server, other) == NO_BYTES


def test_a_tls_consumer_is_served_by_copying(kafka: KafkaFixture, loaded: LoadedServer) -> None:
    server = loaded.server
    increase = kafka.measure(lambda: server.consume(ORDERS, RECORDS[ORDERS], server.ssl_port))
    zero_copied, copied = sent_bytes(increase, server, server.ssl_port)
    assert zero_copied == 0
    assert copied >= PAYLOAD[ORDERS]
    counted = topic_bytes(increase, server, ORDERS)
    assert counted[READ_ZERO_COPY] == 0
    assert is_payload(counted[READ_CPU], PAYLOAD[ORDERS])
    assert topic_bytes(increase, server, PAYMENTS) == NO_BYTES


def test_cpu_time_is_counted_by_listener(kafka: KafkaFixture, loaded: LoadedServer) -> None:
    """Encryption, by the same client of the same records, costs more; the other listener's threads do nothing."""
    server = loaded.server
    seconds = {}
    for port, other in ((server.plaintext_port, server.ssl_port), (server.ssl_port, server.plaintext_port)):
        before = kafka.scrape()
        server.consume(ORDERS, RECORDS[ORDERS], port)
        after = kafka.scrape()
        used = {
            each: after.sum(LISTENER_CPU, node_id=server.node_id, port=str(each))
            - before.sum(LISTENER_CPU, node_id=server.node_id, port=str(each))
            for each in (port, other)
        }
        seconds[port] = used[port]
        assert used[other] <= 0.05
    assert seconds[server.ssl_port] > seconds[server.plaintext_port] > 0


def test_disk_reads_are_counted_by_topic(kafka: KafkaFixture, loaded: LoadedServer) -> None:
    server = loaded.server
    server.drop_from_page_cache(PAYMENTS)
    cold = kafka.measure(lambda: server.consume(PAYMENTS, RECORDS[PAYMENTS]))
    assert is_payload(topic_bytes(cold, server, PAYMENTS)[READ_DMA], PAYLOAD[PAYMENTS])
    assert topic_bytes(cold, server, ORDERS)[READ_DMA] == 0
    assert cold.sum(BYTES, pid=str(server.pid), mechanism="dma") >= PAYLOAD[PAYMENTS]
    assert min(warm_disk_reads(kafka, server)) < 0.01 * PAYLOAD[PAYMENTS]


def warm_disk_reads(kafka: KafkaFixture, server: KafkaServer) -> Iterator[int]:
    """Bytes read from the disk while the records are consumed again, repeated until there are almost none.

    Some hosts evict unmapped pages early (DAMON's pageout), and then the disk reads them again.
    """
    for _ in range(5):
        warm = kafka.measure(lambda: server.consume(PAYMENTS, RECORDS[PAYMENTS]))
        yield (read := topic_bytes(warm, server, PAYMENTS)[READ_DMA])
        if read < 0.01 * PAYLOAD[PAYMENTS]:
            return


def test_segments_that_are_rolled_and_deleted(kafka: KafkaFixture, loaded: LoadedServer) -> None:
    """Thirty segments are written, most of them are deleted, and then the topic."""
    server, topic, records = loaded.server, "rolled", 3072
    server.create_topic(topic, segment_bytes=1 << 20, retention_bytes=4 << 20, file_delete_delay_ms=500)

    def roll() -> None:
        server.produce(topic, records, RECORD_BYTES)
        wait_until(lambda: len(server.segments(topic)) < 8, "old segments are deleted", 60)

    def delete() -> None:
        server.delete_topic(topic)
        wait_until(lambda: not server.segments(topic), "the topic is deleted")

    rolled = kafka.measure(roll)
    assert is_payload(topic_bytes(rolled, server, topic)[WRITE_CPU], records * RECORD_BYTES)
    deleted = kafka.measure(delete)
    for other in RECORDS:
        assert topic_bytes(rolled, server, other) == NO_BYTES
        assert topic_bytes(deleted, server, other) == NO_BYTES


def test_topic_counters_continue_after_a_restart(kafka: KafkaFixture, loaded: LoadedServer) -> None:
    server, before = loaded.server, kafka.scrape()
    old_pid = server.pid
    server.stop()
    server.start()
    kafka.wait_until_found(server)
    assert server.pid != old_pid
    increase = kafka.measure(lambda: server.consume(PAYMENTS, RECORDS[PAYMENTS]))
    zero_copied, copied = sent_bytes(increase, server, server.plaintext_port)
    assert is_payload(zero_copied + copied, PAYLOAD[PAYMENTS])
    assert topic_bytes(increase, server, PAYMENTS)[READ_ZERO_COPY] == zero_copied >= 0.99 * (zero_copied + copied)
    after = kafka.scrape()
    counters = {key: value for key, value in before.values.items() if key[0] == TOPIC_BYTES}
    assert counters
    assert all(after.values[key] >= value for key, value in counters.items())
    whole = Increase(before, after)
    assert topic_bytes(whole, server, ORDERS)[READ_ZERO_COPY] == 0
    assert topic_bytes(whole, server, PAYMENTS)[READ_ZERO_COPY] == zero_copied
    topics = {labels["topic"] for labels in after.series(TOPIC_BYTES, node_id=server.node_id)}
    assert topics == {*RECORDS, "rolled", "__consumer_offsets", "__cluster_metadata"}


def test_a_second_broker_on_a_newer_jdk(kafka: KafkaFixture, server: KafkaServer, jars: Path) -> None:
    """Two brokers run on this host; each has its own ports, topics and errors."""
    program = newest_java(21)  # its FileChannel.transferTo tries copy_file_range first
    if program is None:
        pytest.skip("no JDK of version 21 or later is installed: apt-get install openjdk-21-jdk-headless, or any other")
    directory = kafka.directory / "newer"
    directory.mkdir()
    refusals = {"syscall": "copy_file_range", "errno": "EINVAL"}
    with KafkaServer(Java(jars, program), directory, 1) as newer:
        kafka.wait_until_found(newer)
        newer.create_topic(PAYMENTS)
        newer.produce(PAYMENTS, 4096, RECORD_BYTES)
        increase = kafka.measure(lambda: newer.consume(PAYMENTS, 4096))
        zero_copied, copied = sent_bytes(increase, newer, newer.plaintext_port)
        assert zero_copied >= 0.99 * (zero_copied + copied)
        assert is_payload(zero_copied + copied, 4096 * RECORD_BYTES)
        assert topic_bytes(increase, newer, PAYMENTS)[READ_ZERO_COPY] == zero_copied
        assert increase.sum(ERRORS, pid=str(newer.pid), **refusals) > 0, "the refusals that are normal on this JDK"
        assert topic_bytes(increase, server, PAYMENTS) == NO_BYTES
        assert sent_bytes(increase, server, server.plaintext_port) == (0, 0)
    assert kafka.scrape().sum(ERRORS, pid=str(server.pid), **refusals) == 0


def test_what_a_broker_runs(kafka: KafkaFixture, server: KafkaServer) -> None:
    """From ``meta.properties``, the names of the jars, and the JDK's own folder."""
    kafka.wait_until_found(server)
    scrape = kafka.scrape()
    (info,) = scrape.series("copy_kafka_broker_info", pid=str(server.pid))
    assert (info["cluster_id"], info["node_id"], info["roles"]) == (CLUSTER_ID, server.node_id, "broker,controller")
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)+", info["version"])
    assert re.match(r"[0-9]+", info["jdk"])
    ports = {
        labels["state"]: int(scrape.sum("copy_kafka_ports", **labels))
        for labels in scrape.series("copy_kafka_ports", pid=str(server.pid))
    }
    assert ports == {"listening": 3, "watched": 3, "unconfigured": 0, "closed": 0}
    assert scrape.sum("copy_kafka_config_changed", pid=str(server.pid)) == 0
