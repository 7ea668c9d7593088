"""``python -m bench.kafka.demo``: load a real broker with Kafka's own tools, and show what the exporter counted."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.status import Status

from bench.kafka.demo_report import Step, print_report
from bench.kafka.java import Java
from bench.kafka.kafka_jars import JarsUnavailableError, fetch_jars
from bench.kafka.kafka_server import KafkaServer
from bench.kafka.throughput import start_exporter
from bench.running_exporter import RunningExporter
from tests.support.scrape import Scrape

RECORD_BYTES = 10_240
RECORDS = {"orders": 20_000, "payments": 10_000}


def main() -> int:
    """Run all steps and print the report; returns the exit status."""
    if os.geteuid():
        print("kafka-demo: attaching probes needs root: sudo make kafka-demo", file=sys.stderr)
        return 1
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        with console.status("downloading Kafka from Maven Central …"):
            java = Java(fetch_jars())
    except JarsUnavailableError as error:
        print(f"kafka-demo: {error}", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="copy-exporter-kafka-") as name,
        console.status("starting a broker …") as status,
    ):
        with KafkaServer(java, Path(name)) as server, start_exporter(server) as exporter:
            steps = list(run_steps(server, exporter, status))
        status.stop()
        print_report(console, java.kafka_version, steps)
    return 0


def run_steps(server: KafkaServer, exporter: RunningExporter, status: Status) -> Iterator[Step]:
    """Produce and consume two topics, one step after the other."""
    orders, payments = RECORDS

    def produce(topic: str) -> Step:
        server.create_topic(topic)
        return run(f"produce {topic}", topic, lambda: server.produce(topic, RECORDS[topic], RECORD_BYTES))

    def consume(topic: str, how: str, port: int = 0) -> Step:
        return run(f"consume {topic}, {how}", topic, lambda: server.consume(topic, RECORDS[topic], port))

    def run(title: str, topic: str, action: Callable[[], object]) -> Step:
        status.update(f"{title} …")
        before = Scrape(exporter.scrape())
        action()
        return Step(title, str(server.pid), RECORDS[topic] * RECORD_BYTES, before, Scrape(exporter.scrape()))

    yield produce(orders)
    yield produce(payments)
    server.drop_from_page_cache(orders)
    yield consume(orders, "PLAINTEXT, cold")
    yield consume(orders, "PLAINTEXT, warm")
    yield consume(orders, "SSL, warm", server.ssl_port)
    yield consume(payments, "PLAINTEXT, warm")


if __name__ == "__main__":
    sys.exit(main())
