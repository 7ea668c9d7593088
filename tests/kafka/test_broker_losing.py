"""Why a real broker lost zero copy: by TLS, and where the kernel refuses it sendfile; and why not when it did not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.kafka.running import Broker, Java
from exporter.kafka.zero_copy_loss import MIN_BYTES
from tests.support.fake_broker import PYTHON

from .conftest import Lab

RECORD = 10_240
RECORDS = 2 * MIN_BYTES // RECORD
REFUSED = {"syscall": "sendfile", "errno": "EINVAL"}
_WRAPPER = f"""#!/bin/sh
exec {PYTHON} {Path(__file__).with_name("without_sendfile.py")} java "$@"
"""


@pytest.fixture(scope="module")
def refused(lab: Lab, jars: Path) -> Iterator[Broker]:
    """A broker whose JVM falls back, as in a sandbox without sendfile."""
    directory = lab.directory / "refused"
    directory.mkdir()
    program = directory / "java"
    program.write_text(_WRAPPER)
    program.chmod(0o755)
    with Broker(Java(jars, program), directory, 2) as started:
        lab.wait_for(started)
        yield started


def reasons(lab: Lab, broker: Broker) -> set[tuple[int, str]]:
    """By port; another broker of this host may have the same number."""
    series = lab.scrape().series("copy_kafka_zero_copy_lost", node_id=broker.node_id)
    found = {(int(one["port"]), one["reason"]) for one in series}
    return {(port, reason) for port, reason in found if port in (broker.plain, broker.ssl, broker.controller)}


def serve(broker: Broker, port: int) -> None:
    """Twice as much as makes a loss."""
    broker.create_topic("lost")
    broker.produce("lost", RECORDS, RECORD)
    broker.consume("lost", RECORDS, port)
    broker.delete_topic("lost")


def test_a_plaintext_listener_has_none_and_tls_is_one(lab: Lab, broker: Broker) -> None:
    seen = lab.during(lambda: serve(broker, broker.plain))
    assert seen.sum("copy_zero_copied_bytes_total", pid=str(broker.pid), port=str(broker.plain)) > RECORDS * RECORD
    assert seen.sum("copy_syscall_errors_total", pid=str(broker.pid), **REFUSED) == 0
    assert reasons(lab, broker) == {(broker.ssl, "tls")}


def test_a_jvm_that_is_refused_sendfile(lab: Lab, refused: Broker) -> None:
    assert reasons(lab, refused) == {(refused.ssl, "tls")}
    seen = lab.during(lambda: serve(refused, refused.plain))
    mine = {"pid": str(refused.pid), "port": str(refused.plain), "destination": "tcp"}
    assert seen.sum("copy_zero_copied_bytes_total", **mine) == 0
    assert seen.sum("copy_cpu_copied_bytes_total", **mine) > RECORDS * RECORD
    assert seen.sum("copy_syscall_errors_total", pid=str(refused.pid), **REFUSED) > 0
    assert reasons(lab, refused) == {(refused.ssl, "tls"), (refused.plain, "jvm_fallback")}
