"""Rates of listeners and topics."""

from exporter.kafka.broker import Broker, Facts, Listener
from exporter.kafka.zero_copy_loss import Loss
from exporter.live import rates
from exporter.live.compute import compute_rates
from exporter.model import ROLES_MAX, Endpoint, FileId, Folder, FolderTransfer, Operation, Row, RowKind
from tests.support.sample_data import READ, SENDFILE

from .snapshots import HOST, ONE, counts, describe, snapshot

SEND = Row(RowKind.CPU_COPY, Operation.SENDTO, Endpoint.USER, Endpoint.TCP, 9092, 0)
RECEIVE = Row(RowKind.CPU_COPY, Operation.RECVFROM, Endpoint.TCP, Endpoint.USER, 9092, 0)
FACTS = Facts(
    "7",
    (Listener("PLAIN", "PLAINTEXT", 9092), Listener("TLS", "SSL", 9093)),
    (FileId(8, 55),),
    complete=True,
    cluster_id="c",
)
BROKER = Broker(ONE.pid, ONE.start_ticks, "java", FACTS)


def folder(name: str, *moved: int, parent: int = 55) -> Folder:
    return Folder(ONE, FileId(8, 1000), name, parent, (*moved, *(0,) * (ROLES_MAX * len(FolderTransfer) - len(moved))))


def kafka(before: dict[bytes, Folder], now: dict[bytes, Folder]) -> rates.Kafka:
    moved = counts((SENDFILE, 1, 600), (SEND, 1, 200), (RECEIVE, 1, 100), (READ, 1, 40))
    loss = Loss(ONE.pid, "java", BROKER.node, "TLS", 9093, "tls")
    earlier = snapshot(1, {}, folders=before)
    later = snapshot(3, {ONE: moved}, folders=now, brokers=(BROKER,), losses=(loss,))
    return compute_rates(earlier, later, HOST, describe).kafka


def test_listeners():
    found = kafka({}, {})
    assert found.brokers == [rates.Broker(pid="1", comm="java", cluster_id="c", node_id="7")]
    plain, tls = found.listeners
    assert (plain.sent, plain.received_bytes_per_second) == (rates.Sent(cpu=100, zero_copy=300), 50)
    assert (plain.zero_copy_ratio, plain.reason) == (0.75, "")
    assert (tls.sent, tls.zero_copy_ratio, tls.reason) == (rates.Sent(cpu=0, zero_copy=0), None, "tls")


def test_topics():
    still = folder("idle-0", 9, 9, 9, 9)
    before = {b"a": folder("orders-1", 100, 0, 0, 0), b"b": folder("orders-2", 1000, 0, 0, 0), b"s": still}
    now = {
        b"a": folder("orders-1", 300, 20, 10, 40),
        b"b": folder("orders-2", 2, 0, 0, 0),
        b"c": folder("elsewhere-3", 5, 0, 0, 0, parent=1),
        b"d": folder("not a partition", 5, 0, 0, 0),
        b"s": still,
    }
    first, second = kafka(before, now).topics
    assert (first.cluster_id, first.node_id, first.topic, first.partition) == ("c", "7", "orders", "1")
    assert first.read == rates.Mechanisms(cpu=10, zero_copy=100, dma=20)
    assert first.written == rates.Written(cpu=5)
    assert (second.partition, second.read.zero_copy) == ("2", 1)
