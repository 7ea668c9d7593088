"""``copy-exporter top`` beside a real broker: its listeners and topics."""

import re
import threading

from bench.kafka.kafka_server import KafkaServer
from tests.support.exporter_process import COMMAND
from tests.support.terminal import Terminal
from tests.support.wait import wait_until

from .conftest import KafkaFixture

TOPIC = "top-orders"
RECORDS, RECORD_BYTES = 16_384, 10_240
RATE = r"[\d.]+ [KMG]iB/s"


def test_the_kafka_view(kafka: KafkaFixture, server: KafkaServer) -> None:
    server.create_topic(TOPIC)
    producer = threading.Thread(target=server.produce, args=(TOPIC, RECORDS, RECORD_BYTES))
    with Terminal([COMMAND, "top", kafka.exporter.url]) as terminal:
        terminal.press("k")
        terminal.wait_for(f"SSL :{server.ssl_port}")
        producer.start()
        written = re.compile(rf"^{TOPIC} 0 +{server.node_id} +{RATE}", re.MULTILINE)
        wait_until(lambda: written.search(terminal.screen()), "what is written to the topic")
        producer.join()
        received = re.compile(rf"^PLAINTEXT :{server.plaintext_port} +PLAINTEXT +{server.node_id} ", re.MULTILINE)
        assert received.search(terminal.screen())
        consumer = threading.Thread(target=server.consume, args=(TOPIC, RECORDS, server.ssl_port))
        consumer.start()
        wait_until(lambda: re.search(r"^SSL .* 0% +tls$", terminal.screen(), re.MULTILINE), "why it copies")
        consumer.join()
