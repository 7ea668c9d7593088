"""Listeners of brokers: two with the same port, node id and cluster id, as copied compose files have, and restarts."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.kafka.zero_copy_loss import MIN_BYTES
from tests.support.exporter_process import ExporterProcess
from tests.support.fake_broker import FakeBroker, write_config
from tests.support.requirements import require_bpf, require_root
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

PORT = "9092"
SIZE = 2 * MIN_BYTES
IN_A_NETWORK = ("unshare", "--net", "bash", "-ec", 'ip link set lo up; exec "$@"', "bash")
BYTES, CALLS = "copy_kafka_listener_bytes_total", "copy_kafka_listener_calls_total"
INFO, LOST = "copy_kafka_listener_info", "copy_kafka_zero_copy_lost"
META = "version=1\ncluster.id=copied\nnode.id=1\ndirectory.id={}\n"


@pytest.fixture
def exporter() -> Iterator[ExporterProcess]:
    require_root()
    require_bpf()
    with ExporterProcess() as started:
        yield started


def start(directory: Path, protocol: str) -> FakeBroker:
    """A broker with one listener; the name of its directory is its directory id."""
    directory.mkdir(exist_ok=True)
    (directory / "meta.properties").write_text(META.format(directory.name))
    (directory / "t-0").mkdir(exist_ok=True)
    (directory / "t-0/records").write_bytes(bytes(SIZE))
    write_config(directory, node_id=1, log_dirs=directory, listeners=f"{protocol}://:{PORT}")
    broker = FakeBroker(directory, "server.properties", before=IN_A_NETWORK)
    broker.do("listen", "127.0.0.1", PORT)
    return broker


def test_brokers_with_the_same_port_and_ids_are_told_apart(exporter: ExporterProcess, tmp_path: Path) -> None:
    def scrape() -> Scrape:
        return Scrape(exporter.metrics())

    def node_ids() -> set[str]:
        return {labels["node_id"] for labels in scrape().series(INFO, cluster_id="copied", port=PORT)}

    with ExitStack() as running:
        plain = running.enter_context(start(tmp_path / "plain", "PLAINTEXT"))
        secure = running.enter_context(start(tmp_path / "secure", "SSL"))
        wait_until(lambda: node_ids() == {"1@plain", "1@secure"}, "both brokers are found")
        for broker, directory in ((plain, "plain"), (secure, "secure")):
            assert broker.do("copy", tmp_path / directory / "t-0/records", SIZE) == SIZE
        assert plain.do("sendfile", tmp_path / "plain/t-0/records", 4096) == 4096
        after = scrape()
        sent = {
            (labels["node_id"], labels["mechanism"]): after.sum(BYTES, **labels)
            for labels in after.series(BYTES, cluster_id="copied", port=PORT, direction="sent")
        }
        assert sent == {
            ("1@plain", "cpu"): SIZE,
            ("1@plain", "zero_copy"): 4096,
            ("1@secure", "cpu"): SIZE,
            ("1@secure", "zero_copy"): 0,
        }
        assert after.sum(CALLS, node_id="1@plain", mechanism="cpu", direction="sent") >= SIZE / 65536
        lost = {(labels["node_id"], labels["reason"]) for labels in after.series(LOST, cluster_id="copied")}
        assert lost == {("1@plain", "copied"), ("1@secure", "tls")}


def test_totals_of_a_listener_continue_when_its_broker_restarts(exporter: ExporterProcess, tmp_path: Path) -> None:
    labels = {"cluster_id": "copied", "node_id": "1", "port": PORT, "mechanism": "zero_copy", "direction": "sent"}
    for restarts in range(2):
        with start(tmp_path / "plain", "PLAINTEXT") as broker:
            pid = str(broker.pid)
            wait_until(lambda pid=pid: Scrape(exporter.metrics()).series(INFO, pid=pid), "the broker is found")
            assert broker.do("sendfile", tmp_path / "plain/t-0/records", SIZE) == SIZE
        wait_until(lambda pid=pid: not Scrape(exporter.metrics()).series(INFO, pid=pid), "the broker is gone")
        assert Scrape(exporter.metrics()).sum(BYTES, **labels) == (restarts + 1) * SIZE
