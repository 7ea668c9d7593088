"""A real broker under load, for pictures: a producer, and a consumer on each of two listeners."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.kafka.demo import RECORD_BYTES
from bench.kafka.java import Java
from bench.kafka.kafka_server import KafkaServer
from bench.kafka.throughput import start_exporter
from bench.running_exporter import RunningExporter

TOPIC = "orders"
RECORDS = 40_000


@contextmanager
def loaded_broker(java: Java) -> Iterator[tuple[KafkaServer, RunningExporter]]:
    """The broker, and the exporter that watches it, while clients read and write."""
    with (
        tempfile.TemporaryDirectory(prefix="copy-exporter-kafka-") as name,
        KafkaServer(java, Path(name)) as server,
        start_exporter(server) as exporter,
    ):
        server.create_topic(TOPIC)
        server.produce(TOPIC, RECORDS, RECORD_BYTES)
        stopped = threading.Event()
        clients = [threading.Thread(target=_consume, args=(server, port, stopped)) for port in (0, server.ssl_port)]
        clients.append(threading.Thread(target=_produce, args=(server, stopped)))
        for client in clients:
            client.start()
        try:
            yield server, exporter
        finally:
            stopped.set()
            for client in clients:
                client.join()


def _consume(server: KafkaServer, port: int, stopped: threading.Event) -> None:
    while not stopped.is_set():
        server.consume(TOPIC, RECORDS, port)


def _produce(server: KafkaServer, stopped: threading.Event) -> None:
    while not stopped.is_set():
        server.produce(TOPIC, RECORDS // 20, RECORD_BYTES)
