"""The metrics of brokers, listeners and topics."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from exporter.counting.sampler import Reading
from exporter.counting.series import Snapshot
from exporter.kafka.broker import Broker, Facts, Listener, Node
from exporter.kafka.listener_traffic import SENT, Amount, ListenerKey, ListenerTotals, Traffic
from exporter.kafka.topics import TopicKey
from exporter.kafka.tracker import KafkaSnapshot
from exporter.kafka.zero_copy_loss import Loss
from exporter.metrics.catalog.kafka import KAFKA_FAMILIES
from exporter.metrics.collector import CopyCollector, ProcessesCollector
from exporter.metrics.text_format import encode
from exporter.model import FolderTransfer, Role

from .small_host import moved

FACTS = Facts("1", (Listener("PLAINTEXT", "PLAINTEXT", 9092), Listener("SECURE", "SASL_SSL", 9093)), cluster_id="c")
NODE = Node("c", "1")
ID = 'cluster_id="c",node_id="1"'
UNKNOWN_ID = 'cluster_id="unknown",node_id="unknown"'


def shown(
    *brokers: Broker,
    topics: Mapping[TopicKey, tuple[int, ...]] | None = None,
    losses: tuple[Loss, ...] = (),
    listeners: ListenerTotals | None = None,
    by_comm: bool = False,
) -> list[str]:
    """Return the lines about Kafka, without the prefix of their names."""
    snapshot = Snapshot({}, [], 0, 0, 0, by_comm)
    registry = CollectorRegistry()
    reading = Reading(snapshot, {}, [], [], KafkaSnapshot(brokers, topics or {}, losses, listeners=listeners or {}))
    collector = ProcessesCollector(lambda: reading, flags=("--kafka",))
    registry.register(CopyCollector([collector], (), tuple, {}))
    lines = encode(registry, openmetrics=False).decode().splitlines()
    return [line.removeprefix("copy_kafka_") for line in lines if line.startswith("copy_kafka_")]


def infos(*brokers: Broker, by_comm: bool = False) -> list[str]:
    return [line for line in shown(*brokers, by_comm=by_comm) if line.startswith("listener_info")]


def test_listeners() -> None:
    assert infos(Broker(7, 1, "java", FACTS)) == [
        f'listener_info{{pid="7",comm="java",{ID},listener="PLAINTEXT",protocol="PLAINTEXT",port="9092"}} 1',
        f'listener_info{{pid="7",comm="java",{ID},listener="SECURE",protocol="SASL_SSL",port="9093"}} 1',
    ]


def test_brokers() -> None:
    facts = replace(FACTS, ports=(9092, 9093, 9999), unconfigured=(9999,), closed=(9095,), roles="broker", jdk="17.0.9")
    labels = f'pid="7",comm="java",{ID}'
    assert [line for line in shown(Broker(7, 1, "java", facts)) if not line.startswith("listener_info")] == [
        f'broker_info{{{labels},roles="broker",version="unknown",jdk="17.0.9"}} 1',
        f'ports{{{labels},state="listening"}} 3',
        f'ports{{{labels},state="watched"}} 2',
        f'ports{{{labels},state="unconfigured"}} 1',
        f'ports{{{labels},state="closed"}} 1',
        f"config_changed{{{labels}}} 0",
    ]


def test_losses() -> None:
    assert shown(
        losses=(
            Loss(7, "java", NODE, "SSL", 9093, "tls"),
            Loss(8, "java", Node("unknown", "unknown"), "A", 9092, "copied"),
        )
    ) == [
        'zero_copy_lost{pid="7",comm="java",cluster_id="c",node_id="1",listener="SSL",port="9093",reason="tls"} 1',
        f'zero_copy_lost{{pid="8",comm="java",{UNKNOWN_ID},listener="A",port="9092",reason="copied"}} 1',
    ]


def test_listeners_without_pid() -> None:
    """Brokers with the same labels are one series."""
    twins = (Broker(7, 1, "java", FACTS), Broker(8, 1, "java", FACTS))
    assert [line.split("{")[1].split(",")[0] for line in infos(*twins, by_comm=True)] == ['comm="java"'] * 2


@pytest.mark.parametrize(
    ("topic", "labels"),
    [
        (TopicKey(NODE, "a.b-c"), 'cluster_id="c",node_id="1",topic="a.b-c"'),
        (TopicKey(NODE, "a", "3"), 'cluster_id="c",node_id="1",topic="a",partition="3"'),
    ],
)
def test_topics(topic: TopicKey, labels: str) -> None:
    assert shown(topics={topic: moved(1, 2, 3, 4)}) == [
        f'topic_bytes_total{{{labels},role="network",operation="read",mechanism="zero_copy"}} 1',
        f'topic_bytes_total{{{labels},role="network",operation="read",mechanism="cpu"}} 2',
        f'topic_bytes_total{{{labels},role="network",operation="write",mechanism="cpu"}} 3',
        f'topic_bytes_total{{{labels},role="network",operation="read",mechanism="dma"}} 4',
    ]


def test_roles_that_moved_nothing_have_no_series() -> None:
    lines = shown(topics={TopicKey(NODE, "a"): moved(0, 5, role=Role.CLEANER)})
    assert [line for line in lines if not line.endswith(" 0")] == [
        f'topic_bytes_total{{{ID},topic="a",role="cleaner",operation="read",mechanism="cpu"}} 5'
    ]
    assert len(lines) == 1 + len(FolderTransfer)


def test_nothing_of_kafka_without_its_flag() -> None:
    assert "--kafka" in {family.flag for family in KAFKA_FAMILIES}
    reading = Reading(Snapshot({}, [], 0, 0, 0), {}, [], [], KafkaSnapshot((Broker(7, 1, "java", FACTS),)))
    assert not [metric.name for metric in ProcessesCollector(lambda: reading).metrics() if "kafka" in metric.name]


def test_bytes_and_calls_of_a_listener() -> None:
    totals = {ListenerKey(NODE, "A", "9092"): {Traffic(SENT, "cpu"): Amount(9, 2)}}
    labels = f'{ID},listener="A",port="9092",direction="sent",mechanism="cpu"'
    assert shown(listeners=totals) == [
        f"listener_bytes_total{{{labels}}} 9",
        f"listener_calls_total{{{labels}}} 2",
    ]
