"""Reasons for lost zero copy on a real broker: TLS, and a kernel that refuses sendfile."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.kafka.java import Java
from bench.kafka.kafka_server import KafkaServer
from exporter.kafka.zero_copy_loss import MIN_BYTES
from tests.support.fake_broker import PYTHON

from .conftest import KafkaFixture

RECORD_BYTES = 10_240
RECORDS = 2 * MIN_BYTES // RECORD_BYTES
BYTES = "copy_bytes_total"
REFUSALS = {"syscall": "sendfile", "errno": "EINVAL"}
_WRAPPER = f"""#!/bin/sh
exec {PYTHON} {Path(__file__).with_name("without_sendfile.py")} java "$@"
"""


@pytest.fixture(scope="module")
def server_without_sendfile(kafka: KafkaFixture, jars: Path) -> Iterator[KafkaServer]:
    """A broker whose JVM has to copy, as in a sandbox without sendfile."""
    directory = kafka.directory / "without_sendfile"
    directory.mkdir()
    program = directory / "java"
    program.write_text(_WRAPPER)
    program.chmod(0o755)
    with KafkaServer(Java(jars, program), directory, 2) as started:
        kafka.wait_until_found(started)
        yield started


def reasons(kafka: KafkaFixture, server: KafkaServer) -> dict[str, set[str]]:
    """Reasons by listener."""
    found: dict[str, set[str]] = {}
    for labels in kafka.scrape().series("copy_kafka_zero_copy_lost", pid=str(server.pid)):
        found.setdefault(labels["listener"], set()).add(labels["reason"])
    return found


def serve(server: KafkaServer, port: int) -> None:
    """Send twice the bytes that make a loss."""
    server.create_topic("lost")
    server.produce("lost", RECORDS, RECORD_BYTES)
    server.consume("lost", RECORDS, port)
    server.delete_topic("lost")


def test_only_the_tls_listener_has_a_reason(kafka: KafkaFixture, server: KafkaServer) -> None:
    increase = kafka.measure(lambda: serve(server, server.plaintext_port))
    labels = {"pid": str(server.pid), "port": str(server.plaintext_port)}
    assert increase.sum(BYTES, **labels, mechanism="zero_copy") > RECORDS * RECORD_BYTES
    assert increase.sum("copy_syscall_errors_total", pid=str(server.pid), **REFUSALS) == 0
    assert reasons(kafka, server) == {"SSL": {"tls"}}


def test_a_jvm_that_is_refused_sendfile(kafka: KafkaFixture, server_without_sendfile: KafkaServer) -> None:
    server = server_without_sendfile
    assert reasons(kafka, server) == {"SSL": {"tls"}}
    increase = kafka.measure(lambda: serve(server, server.plaintext_port))
    labels = {"pid": str(server.pid), "port": str(server.plaintext_port), "destination": "tcp"}
    assert increase.sum(BYTES, **labels, mechanism="zero_copy") == 0
    assert increase.sum(BYTES, **labels, mechanism="cpu") > RECORDS * RECORD_BYTES
    assert increase.sum("copy_syscall_errors_total", pid=str(server.pid), **REFUSALS) > 0
    assert reasons(kafka, server) == {"SSL": {"tls"}, "PLAINTEXT": {"jvm_fallback"}}
