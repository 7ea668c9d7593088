"""A small host with a sample of every family, and its exposition."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry

from exporter.counting.attribution import Attribution
from exporter.counting.sampler import Sampler
from exporter.counting.series import Limits
from exporter.kafka.broker import Broker, Facts, Listener, Node
from exporter.kafka.listener_traffic import SENT, Amount, ListenerKey, Traffic
from exporter.kafka.topics import TopicKey
from exporter.kafka.tracker import KafkaSnapshot
from exporter.kafka.zero_copy_loss import Loss
from exporter.metrics import catalog
from exporter.metrics.collector import CopyCollector, NetworkCollector, ProcessesCollector
from exporter.model import (
    ROLES_MAX,
    CopyReason,
    Endpoint,
    FolderTransfer,
    Identity,
    Operation,
    ProbeState,
    Role,
    Row,
    RowKind,
    Rows,
    moved_index,
)
from tests.support.sample_data import COPYING, DIRECT, DISK, EAGAIN, READ, RECEIVED, SENDFILE, SLOW, SampleHost
from tests.support.sample_network_devices import SampleNetworkDevices

PROBES = (
    ProbeState("syscalls", "sys_exit", "raw_tracepoint", True),
    ProbeState("sendfile", "syscalls/sys_enter_sendfile64", "tracepoint", False, "Permission denied", "run as root"),
)
JAVA = 100
PORTS = (9092, 9093)
NODE = Node("Y29weS1leHBvcnRlci10ZX", "1")


class SampleKafka:
    """Stands for :class:`exporter.kafka.tracker.KafkaTracker`: a broker with two listeners and two topics."""

    def count_listeners(self, _processes: Mapping[Identity, Rows], _finalized: object, _now_ns: int) -> None:
        pass

    def count_if_due(self, now_ns: int) -> None:
        pass

    def take_snapshot(self, _processes: Mapping[Identity, Rows], _now_ns: int) -> KafkaSnapshot:
        plain, secure = PORTS
        listeners = (Listener("PLAINTEXT", "PLAINTEXT", plain), Listener("SECURE", "SASL_SSL", secure))
        return KafkaSnapshot(
            (Broker(JAVA, 1, "java", Facts(NODE.node_id, listeners, cluster_id=NODE.cluster_id)),),
            {TopicKey(NODE, "orders"): moved(1 << 40, 1, 2, 3), TopicKey(NODE, "clicks", "7"): moved(4, 5, 6, 7)},
            (Loss(JAVA, "java", NODE, "SECURE", secure, "tls"),),
            listeners={ListenerKey(NODE, "PLAINTEXT", str(plain)): {Traffic(SENT, "zero_copy"): Amount(1 << 40, 3)}},
            listener_cpu={ListenerKey(NODE, "PLAINTEXT", str(plain)): 1.5},
        )


def moved(*counts: int, role: Role = Role.NETWORK) -> tuple[int, ...]:
    """The counts of a topic whose bytes threads of one role have moved."""
    first = moved_index(role, FolderTransfer.BY_REFERENCE)
    return (*(0,) * first, *counts, *(0,) * (ROLES_MAX * len(FolderTransfer) - first - len(counts)))


def small_host() -> SampleHost:
    host = SampleHost()
    java = host.start(JAVA, "java")
    for row, amount in ((READ, 4096), (SENDFILE, 1 << 40), (EAGAIN, 0), (DISK, 8192), (RECEIVED, 512), (DIRECT, 4096)):
        host.count(java, row, amount)
    host.count(java, SENDFILE._replace(port=PORTS[1]), 1)
    encrypted = SENDFILE._replace(kind=RowKind.CPU_COPY, port=PORTS[1], errno_or_bucket=CopyReason.KERNEL_TLS)
    host.count(java, encrypted, 2048)
    host.count(java, SLOW, 5_000_000, events=2)
    host.count(java, COPYING, 3 * 10_101_010, events=3)
    for kind in sorted(set(RowKind) - {row.kind for row in host.rows[java]}):
        host.count(java, Row(kind, Operation.NONE, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 0), 10 * kind, events=kind)
    host.count(host.start(101, 'a"b\\c\nd'), READ, 1)
    short = host.start(102, "cat")
    host.count(short, READ, 7)
    host.end(short)
    return host


def registry_of(
    host: SampleHost, flags: Iterable[str] | None = None, *, created: bool = False, by_comm: bool = False
) -> CollectorRegistry:
    """``flags``: those that are on; None: all."""
    attribution = Attribution(Limits(by_comm=by_comm))
    sampler = Sampler(host, host, attribution, lambda: host.now_ns, SampleKafka())  # type: ignore[arg-type]
    enabled = {family.flag for family in catalog.FAMILIES} if flags is None else set(flags)
    processes = ProcessesCollector(sampler.read, flags=enabled, created=created)
    network = NetworkCollector(SampleNetworkDevices())
    registry = CollectorRegistry()
    registry.register(CopyCollector([processes, network], PROBES, lambda: sampler.stalled_probes, {}))
    return registry
