"""``python -m bench.kafka.demo``: a real broker, Kafka's own load, and what the exporter says of it."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.status import Status

from bench.kafka.artifacts import NoArtifactsError, jars
from bench.kafka.demo_report import Step, show
from bench.kafka.running import Broker, Java
from bench.kafka.scraped import Scraped
from bench.kafka.throughput import beside
from bench.served import Served

RECORD = 10_240
RECORDS = {"orders": 20_000, "payments": 10_000}


def main() -> int:
    """Show it; an exit status."""
    if os.geteuid():
        print("kafka-demo: attaching probes needs root: sudo make kafka-demo", file=sys.stderr)
        return 1
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        with console.status("bringing Kafka from Maven Central …"):
            java = Java(jars())
    except NoArtifactsError as error:
        print(f"kafka-demo: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="copy-exporter-kafka-") as name, console.status("a broker …") as status:
        with Broker(java, Path(name)) as broker, beside(broker) as exporter:
            steps = list(perform(broker, exporter, status))
        status.stop()
        show(console, java.kafka_version, steps)
    return 0


def perform(broker: Broker, exporter: Served, status: Status) -> Iterator[Step]:
    """All that is shown, one thing after the other."""
    orders, payments = RECORDS

    def produce(topic: str) -> Step:
        broker.create_topic(topic)
        return step(f"produce {topic}", topic, lambda: broker.produce(topic, RECORDS[topic], RECORD))

    def consume(topic: str, how: str, port: int = 0) -> Step:
        return step(f"consume {topic}, {how}", topic, lambda: broker.consume(topic, RECORDS[topic], port))

    def step(title: str, topic: str, action: Callable[[], object]) -> Step:
        status.update(f"{title} …")
        before = Scraped(exporter)
        action()
        return Step(title, str(broker.pid), RECORDS[topic] * RECORD, before, Scraped(exporter))

    yield produce(orders)
    yield produce(payments)
    broker.drop_pages(orders)
    yield consume(orders, "PLAINTEXT, cold")
    yield consume(orders, "PLAINTEXT, warm")
    yield consume(orders, "SSL, warm", broker.ssl)
    yield consume(payments, "PLAINTEXT, warm")


if __name__ == "__main__":
    sys.exit(main())
