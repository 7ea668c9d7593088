"""Rates of a host in memory."""

from dataclasses import replace
from typing import Any

from exporter.live import rates
from exporter.live.rates import Mechanisms, Process, ProcessError, ProcessHop, Rates

MIB = 1 << 20
READ = ProcessHop(
    syscall="read",
    source="page_cache",
    destination="user",
    mechanism="cpu",
    port=None,
    calls_per_second=16.0,
    bytes_per_second=2.0 * MIB,
)
SENDFILE = replace(
    READ, syscall="sendfile", destination="tcp", mechanism="zero_copy", port=9092, bytes_per_second=8.0 * MIB
)
FROM_DISK = replace(
    READ,
    syscall="",
    source="disk",
    destination="page_cache",
    mechanism="dma",
    calls_per_second=0.0,
    bytes_per_second=MIB,
)
COPY = replace(READ, syscall="copy_file_range", destination="page_cache", bytes_per_second=512.0)


def process(pid: str, comm: str = "sender", *, cpu: float = 0.0, zero_copy: float = 0.0, **more: Any) -> Process:
    """A process that moves so many bytes per second."""
    facts: dict[str, Any] = {
        "name": comm,
        "unit": "",
        "container_id": "",
        "cgroup": "/",
        "calls_per_second": 16.0,
        "mode_switches_per_second": 32.0,
        "bytes_per_call": 4096.0,
        "copies_per_byte_sent": 0.25,
        "copy_cpu_ratio": 0.015,
        "hops": [READ],
        "errors": [ProcessError(syscall="read", errno="EAGAIN", errors_per_second=3.0)],
    }
    return Process(pid=pid, comm=comm, mechanisms=Mechanisms(cpu=cpu, zero_copy=zero_copy, dma=0.0), **(facts | more))


def kafka(node_id: str = "1", topic: str = "orders") -> rates.Kafka:
    """A broker with two listeners, of which one has lost zero copy, and a topic."""
    plaintext = rates.Listener(
        cluster_id="Y29weS1leHBvcnRlci10ZX",
        node_id=node_id,
        pid="77",
        listener="PLAINTEXT",
        protocol="PLAINTEXT",
        port=9092,
        sent=rates.Sent(cpu=0.0, zero_copy=4.0 * MIB),
        received_bytes_per_second=MIB,
        zero_copy_ratio=1.0,
        reason="",
    )
    tls = replace(
        plaintext, listener="SSL", protocol="SSL", port=9093, sent=rates.Sent(cpu=MIB, zero_copy=0.0),
        zero_copy_ratio=0.0, reason="tls",
    )  # fmt: skip
    orders = rates.Topic(
        cluster_id="Y29weS1leHBvcnRlci10ZX",
        node_id=node_id,
        topic=topic,
        partition="0",
        read=Mechanisms(cpu=0.0, zero_copy=4.0 * MIB, dma=MIB),
        written=rates.Written(cpu=2.0 * MIB),
    )
    return rates.Kafka(
        brokers=[rates.Broker(pid="77", comm="java", cluster_id="Y29weS1leHBvcnRlci10ZX", node_id=node_id)],
        listeners=[plaintext, tls],
        topics=[orders],
    )


def host(*processes: Process, **more: Any) -> Rates:
    """The rates of a host with these processes."""
    probe = rates.Probe(name="syscalls", attached=True, attach_method="fexit", hook="read", reason="", remedy="")
    facts: dict[str, Any] = {
        "time_seconds": 1e9,
        "host": rates.HostInfo(
            name="broker-1",
            kernel="6.12",
            cpus=2,
            version="0.1.0",
            revision="abc",
            started_seconds=0.0,
            metrics_path="/metrics",
        ),
        "health": rates.Health(probes=[probe], dropped_updates=0, missed_runs=0, stalled_probes=[]),
        "totals": rates.Totals(
            moved_bytes_per_second=10.0 * MIB,
            mechanisms=Mechanisms(cpu=2.0 * MIB, zero_copy=8.0 * MIB, dma=0.0),
            calls_per_second=32.0,
            mode_switches_per_second=12_345.0,
            copy_cpu_ratio=0.1,
            sender_cpu_ratio=0.2,
            network_use_ratio=0.4,
            saturates_first="network",
        ),
        "hops": [],
        "devices": [],
        "process_count": 1234,
        "kafka": rates.Kafka(brokers=[], listeners=[], topics=[]),
    }
    return Rates(interval_seconds=1.0, processes=list(processes), **(facts | more))
