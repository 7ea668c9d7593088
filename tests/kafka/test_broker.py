"""A real broker under Kafka's own load: what is counted by listener and by topic is what it did."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.kafka.running import Broker, Java
from tests.support.wait import wait_until

from .conftest import Difference, Lab

RECORD = 10_240
RECORDS = {"orders-eu.west-1": 16_384, "payments": 8_192}
ORDERS, PAYMENTS = RECORDS
PAYLOAD = {topic: records * RECORD for topic, records in RECORDS.items()}
ZERO, CPU = "copy_zero_copied_bytes_total", "copy_cpu_copied_bytes_total"
BY_TOPIC = ("zero_copied", "cpu_copied_read", "cpu_copied_written", "dma_read")


def of_topic(seen: Difference, broker: Broker, topic: str) -> dict[str, int]:
    labels = {"node_id": broker.node_id, "topic": topic}
    return {way: seen.sum(f"copy_kafka_topic_{way}_bytes_total", **labels) for way in BY_TOPIC}


def is_payload(counted: int, payload: int) -> bool:
    """The payload itself and at most 3 % of protocol around it."""
    return payload <= counted <= 1.03 * payload


@dataclass
class Loaded:
    """A broker that has two topics full of records, and what was seen while each was written."""

    broker: Broker
    produced: dict[str, Difference]


@pytest.fixture(scope="module")
def loaded(lab: Lab, broker: Broker) -> Loaded:
    produced = {}
    for topic, records in RECORDS.items():
        broker.create_topic(topic)
        produced[topic] = lab.during(lambda topic=topic, records=records: broker.produce(topic, records, RECORD))
    return Loaded(broker, produced)


def test_its_listeners_are_found(lab: Lab, broker: Broker) -> None:
    assert lab.found(broker) == {
        "PLAINTEXT": ("PLAINTEXT", broker.plain),
        "SSL": ("SSL", broker.ssl),
        "CONTROLLER": ("PLAINTEXT", broker.controller),
    }


@pytest.mark.parametrize("topic", RECORDS)
def test_what_a_producer_sends_is_copied_twice(loaded: Loaded, topic: str) -> None:
    seen, broker = loaded.produced[topic], loaded.broker
    pid = str(broker.pid)
    received = seen.sum(CPU, pid=pid, source="tcp", destination="user", port=str(broker.plain))
    written = seen.sum(CPU, pid=pid, source="user", destination="page_cache")
    assert is_payload(received, PAYLOAD[topic])
    assert is_payload(written, PAYLOAD[topic])
    assert seen.sum(CPU, pid=pid, source="tcp", port=str(broker.ssl)) == 0
    assert is_payload(of_topic(seen, broker, topic)["cpu_copied_written"], PAYLOAD[topic])
    (other,) = RECORDS.keys() - {topic}
    assert of_topic(seen, broker, other) == dict.fromkeys(BY_TOPIC, 0)


def sent(seen: Difference, broker: Broker, port: int) -> tuple[int, int]:
    """Bytes sent from a port of the broker, by zero copy and by the CPU."""
    labels = {"pid": str(broker.pid), "destination": "tcp", "port": str(port)}
    return seen.sum(ZERO, **labels), seen.sum(CPU, **labels)


@pytest.mark.parametrize("topic", RECORDS)
def test_a_plaintext_consumer_is_served_by_zero_copy(lab: Lab, loaded: Loaded, topic: str) -> None:
    broker = loaded.broker
    seen = lab.during(lambda: broker.consume(topic, RECORDS[topic]))
    by_reference, copied = sent(seen, broker, broker.plain)
    assert by_reference >= 0.99 * (by_reference + copied)
    assert is_payload(by_reference + copied, PAYLOAD[topic])
    assert sent(seen, broker, broker.ssl) == (0, 0)
    assert of_topic(seen, broker, topic)["zero_copied"] == by_reference
    (other,) = RECORDS.keys() - {topic}
    assert of_topic(seen, broker, other) == dict.fromkeys(BY_TOPIC, 0)


def test_a_consumer_over_tls_is_not(lab: Lab, loaded: Loaded) -> None:
    broker = loaded.broker
    seen = lab.during(lambda: broker.consume(ORDERS, RECORDS[ORDERS], broker.ssl))
    by_reference, copied = sent(seen, broker, broker.ssl)
    assert by_reference == 0
    assert copied >= PAYLOAD[ORDERS]
    counted = of_topic(seen, broker, ORDERS)
    assert counted["zero_copied"] == 0
    assert is_payload(counted["cpu_copied_read"], PAYLOAD[ORDERS])
    assert of_topic(seen, broker, PAYMENTS) == dict.fromkeys(BY_TOPIC, 0)


def test_what_the_disk_reads_has_a_topic(lab: Lab, loaded: Loaded) -> None:
    broker = loaded.broker
    broker.drop_pages(PAYMENTS)
    cold = lab.during(lambda: broker.consume(PAYMENTS, RECORDS[PAYMENTS]))
    assert is_payload(of_topic(cold, broker, PAYMENTS)["dma_read"], PAYLOAD[PAYMENTS])
    assert of_topic(cold, broker, ORDERS)["dma_read"] == 0
    assert cold.sum("copy_dma_copied_bytes_total", pid=str(broker.pid)) >= PAYLOAD[PAYMENTS]
    assert min(warm_reads(lab, broker)) < 0.01 * PAYLOAD[PAYMENTS]


def warm_reads(lab: Lab, broker: Broker) -> Iterator[int]:
    """What the disk read while records were consumed again, until that was next to nothing.

    Some hosts take unmapped pages back early (DAMON's pageout), and really read them anew.
    """
    for _ in range(5):
        warm = lab.during(lambda: broker.consume(PAYMENTS, RECORDS[PAYMENTS]))
        yield (read := of_topic(warm, broker, PAYMENTS)["dma_read"])
        if read < 0.01 * PAYLOAD[PAYMENTS]:
            return


def test_logs_that_are_rolled_and_deleted(lab: Lab, loaded: Loaded) -> None:
    """Thirty segments come and most of them go, while somebody reads; then the topic itself goes."""
    broker, topic, records = loaded.broker, "rolled", 3072
    broker.create_topic(topic, segment_bytes=1 << 20, retention_bytes=4 << 20, file_delete_delay_ms=500)

    def roll() -> None:
        broker.produce(topic, records, RECORD)
        wait_until(lambda: len(broker.logs(topic)) < 8, "segments that are deleted", 60)

    seen = lab.during(roll)
    assert is_payload(of_topic(seen, broker, topic)["cpu_copied_written"], records * RECORD)
    folders = lab.during(lambda: (broker.delete_topic(topic), wait_until(lambda: not broker.logs(topic), "its end")))
    for other in RECORDS:
        assert of_topic(seen, broker, other) == dict.fromkeys(BY_TOPIC, 0)
        assert of_topic(folders, broker, other) == dict.fromkeys(BY_TOPIC, 0)


def test_after_a_restart_it_goes_on(lab: Lab, loaded: Loaded) -> None:
    """No total decreases, none moves, and the same series grow under the same name."""
    broker, before = loaded.broker, lab.scrape()
    old = broker.pid
    broker.stop()
    broker.start()
    lab.wait_for(broker)
    assert broker.pid != old
    seen = lab.during(lambda: broker.consume(PAYMENTS, RECORDS[PAYMENTS]))
    by_reference, copied = sent(seen, broker, broker.plain)
    assert is_payload(by_reference + copied, PAYLOAD[PAYMENTS])
    assert of_topic(seen, broker, PAYMENTS)["zero_copied"] == by_reference >= 0.99 * (by_reference + copied)
    after = lab.scrape()
    for (name, labels), value in before.values.items():
        if name.startswith("copy_kafka_topic_") and name.endswith("_total"):
            assert after.values[name, labels] >= value
    whole = Difference(before, after)
    assert of_topic(whole, broker, ORDERS)["zero_copied"] == 0
    assert of_topic(whole, broker, PAYMENTS)["zero_copied"] == by_reference
    topics = {one["topic"] for one in after.series("copy_kafka_topic_zero_copied_bytes_total", node_id=broker.node_id)}
    assert topics == {*RECORDS, "rolled", "__consumer_offsets", "__cluster_metadata"}


def newer_java() -> Path | None:
    """Of a JDK of 21 or later: since then FileChannel.transferTo tries copy_file_range first."""
    for program in sorted(Path("/usr/lib/jvm").glob("*/bin/java")):
        release = program.parents[1] / "release"
        text = release.read_text() if release.exists() else ""
        version = text.partition('JAVA_VERSION="')[2].split(".")[0]
        if version.isdigit() and int(version) >= 21:
            return program
    return None


def test_a_second_broker_on_a_newer_jdk(lab: Lab, broker: Broker, jars: Path) -> None:
    """Both are on this host at once; each has its own ports, topics and errors."""
    program = newer_java()
    if program is None:
        pytest.skip("there is no JDK of 21 or later here: apt-get install openjdk-21-jdk-headless, or any other")
    directory = lab.directory / "newer"
    directory.mkdir()
    refusals = {"syscall": "copy_file_range", "errno": "EINVAL"}
    with Broker(Java(jars, program), directory, 1) as newer:
        lab.wait_for(newer)
        newer.create_topic(PAYMENTS)
        newer.produce(PAYMENTS, 4096, RECORD)
        seen = lab.during(lambda: newer.consume(PAYMENTS, 4096))
        by_reference, copied = sent(seen, newer, newer.plain)
        assert by_reference >= 0.99 * (by_reference + copied)
        assert is_payload(by_reference + copied, 4096 * RECORD)
        assert of_topic(seen, newer, PAYMENTS)["zero_copied"] == by_reference
        assert seen.sum("copy_syscall_errors_total", pid=str(newer.pid), **refusals) > 0, "the normal refusals"
        assert of_topic(seen, broker, PAYMENTS) == dict.fromkeys(BY_TOPIC, 0)
        assert sent(seen, broker, broker.plain) == (0, 0)
    assert lab.scrape().sum("copy_syscall_errors_total", pid=str(broker.pid), **refusals) == 0
