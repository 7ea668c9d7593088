"""Brokers and topics as metric families."""

from collections.abc import Iterable, Iterator, Mapping

from exporter.kafka.broker import Broker
from exporter.kafka.counts import KafkaReading
from exporter.kafka.topics import Topic
from exporter.kafka.zero_copy_loss import Loss
from exporter.metrics import catalog
from exporter.metrics.text_format import Family, Labels, family_of


def kafka_families(reading: KafkaReading, *, by_comm: bool) -> Iterator[Family]:
    """All that is shown of Kafka; ``by_comm``: without the label ``pid``."""
    yield _listeners(reading.brokers, by_comm=by_comm)
    yield _losses(reading.losses)
    yield from _topics(reading.topics)


def _listeners(brokers: Iterable[Broker], *, by_comm: bool) -> Family:
    """Brokers that no label tells apart are one series."""
    metric = catalog.KAFKA_LISTENER
    skipped = 1 if by_comm else 0
    rows = {}
    for broker in brokers:
        for one in broker.facts.listeners:
            values = (str(broker.pid), broker.comm, broker.facts.node_id, one.name, one.protocol, str(one.port))
            labels = Labels(metric.labels[skipped:], values[skipped:])
            rows[labels.text] = (labels, 1.0)
    return family_of(metric, rows.values())


def _losses(losses: Iterable[Loss]) -> Family:
    metric = catalog.KAFKA_LOST
    distinct = dict.fromkeys((loss.node_id, str(loss.port), loss.reason) for loss in losses)
    return family_of(metric, [(Labels(metric.labels, values), 1.0) for values in distinct])


def _topics(topics: Mapping[Topic, tuple[int, ...]]) -> Iterator[Family]:
    labels = {topic: _labels(topic) for topic in topics}
    for position, metric in enumerate(catalog.BY_TOPIC):
        yield family_of(metric, [(labels[topic], moved[position]) for topic, moved in topics.items()])


def _labels(topic: Topic) -> Labels:
    names, values = catalog.BY_TOPIC[0].labels, (topic.node_id, topic.name, topic.partition)
    return Labels(names, values) if topic.partition else Labels(names[:-1], values[:-1])
