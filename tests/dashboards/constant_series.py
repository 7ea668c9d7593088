"""A made-up exporter whose series all grow at known rates, also those that need other kernels, networks and disks.

An HTTP server: each counter has grown by its rate every second since the start. It shows a broker, a process that reads
and writes files to sockets, refused probes and maps that drop updates. The same tests run against a real exporter too.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from exporter.metrics.catalog import OPTIONAL_FAMILIES
from exporter.metrics.family import HOST_PREFIX

MIB = float(2**20)
BOUNDS = ("0.000016", "0.016384", "+Inf")


class Row(NamedTuple):
    """A series; ``rate`` is per second, and the value of a gauge."""

    name: str
    labels: Mapping[str, str]
    rate: float


BROKER = {"pid": "4711", "comm": "java"}
COPIER = {"pid": "815", "comm": "copier"}
PLAIN, SECURE, CONTROLLER = {"port": "9092"}, {"port": "9093"}, {"port": "9094"}
FILE_TO_TCP = {"source": "page_cache", "destination": "tcp"}
FILE_TO_USER = {"source": "page_cache", "destination": "user"}
USER_TO_TCP = {"source": "user", "destination": "tcp"}
TCP_TO_USER = {"source": "tcp", "destination": "user"}
USER_TO_FILE = {"source": "user", "destination": "page_cache"}
FROM_DISK = {"source": "disk", "destination": "page_cache"}

SENT_BY_ZERO_COPY = 300 * MIB
SENT_BY_COPY = 100 * MIB
SENT_OVER_TLS = 50 * MIB
SENT_BY_CONTROLLER = 100.0
"""So little that ratios of it say nothing."""
RECEIVED = 30 * MIB
APPENDED = 31 * MIB
READ_FROM_DISK = 75 * MIB
READ_AND_SENT = 10 * MIB
SENDFILE_CALLS = 1200.0
OTHER_SENDS = 400.0
BROKER_CPU, BROKER_COPYING, COPIER_COPYING = 1.5, 0.25, 0.01
NETWORK_SPEED = 1250e6
NETWORK_SENT = 500e6
CPUS = 8


def _moved() -> Iterator[Row]:
    """(mechanism, process, call, hop, port, bytes, calls) as rows of bytes and of calls."""
    unwatched = {"port": ""}
    for mechanism, process, call, hop, port, size, calls in (
        ("zero_copy", BROKER, "sendfile", FILE_TO_TCP, PLAIN, SENT_BY_ZERO_COPY, SENDFILE_CALLS),
        ("cpu", BROKER, "write", USER_TO_TCP, PLAIN, SENT_BY_COPY, OTHER_SENDS),
        ("cpu", BROKER, "write", USER_TO_TCP, SECURE, SENT_OVER_TLS, 800.0),
        ("cpu", BROKER, "write", USER_TO_TCP, CONTROLLER, SENT_BY_CONTROLLER, 1.0),
        ("cpu", BROKER, "pread64", FILE_TO_USER, unwatched, SENT_OVER_TLS, 800.0),
        ("cpu", BROKER, "read", TCP_TO_USER, PLAIN, RECEIVED, 500.0),
        ("cpu", BROKER, "pwrite64", USER_TO_FILE, unwatched, APPENDED, 60.0),
        ("cpu", COPIER, "read", FILE_TO_USER, unwatched, READ_AND_SENT, 160.0),
        ("cpu", COPIER, "write", USER_TO_TCP, unwatched, READ_AND_SENT, 160.0),
    ):
        labels = {**process, "syscall": call, **hop, **port}
        yield Row("copy_bytes_total", {**labels, "mechanism": mechanism}, size)
        yield Row("copy_syscalls_total", labels, calls)
    disk_reads = {**BROKER, "mechanism": "dma", "syscall": "", **FROM_DISK, **unwatched}
    yield Row("copy_bytes_total", disk_reads, READ_FROM_DISK)


def _processes() -> Iterator[Row]:
    yield from _moved()
    yield Row("copy_syscall_errors_total", {**BROKER, "syscall": "sendfile", "errno": "EAGAIN"}, 100.0)
    yield Row("copy_syscall_errors_total", {**BROKER, "syscall": "sendfile", "errno": "EINVAL"}, 2.0)
    yield Row("copy_cpu_seconds_total", BROKER, BROKER_COPYING)
    yield Row("copy_cpu_seconds_total", COPIER, COPIER_COPYING)


def _host() -> Iterator[Row]:
    """The same without labels of a process and without ports, which makes some series one."""
    totals: defaultdict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)
    for row in _processes():
        labels = tuple(item for item in row.labels.items() if item[0] not in ("pid", "comm", "port"))
        totals[row.name.replace("copy_", HOST_PREFIX, 1), labels] += row.rate
    return (Row(name, dict(labels), rate) for (name, labels), rate in totals.items())


def _processes_only() -> Iterator[Row]:
    """Families of processes that have no host total."""
    yield Row("copy_cipher_seconds_total", BROKER, 0.01)
    yield Row("copy_zero_copy_lost_bytes_total", {**COPIER, "port": "9092", "reason": "kernel_tls"}, 1000.0)
    yield Row("copy_kernel_copied_bytes_total", {**BROKER, **TCP_TO_USER}, RECEIVED)
    for family in OPTIONAL_FAMILIES:
        yield Row(family.name, BROKER, 64000.0 if family.unit == "bytes" else 1000.0)
    for bound, calls in zip(BOUNDS, (0.0, SENDFILE_CALLS / 2, SENDFILE_CALLS), strict=True):
        yield Row("copy_sendfile_duration_seconds_bucket", {**BROKER, "le": bound}, calls)
    yield Row("copy_sendfile_duration_seconds_sum", BROKER, 6.0)
    yield Row("copy_sendfile_duration_seconds_count", BROKER, SENDFILE_CALLS)
    for mode, seconds in (("user", 0.5), ("system", BROKER_CPU - 0.5)):
        yield Row("copy_process_cpu_seconds_total", {**BROKER, "mode": mode}, seconds)
        yield Row("copy_process_cpu_seconds_total", {**COPIER, "mode": mode}, 0.02)
    for process, name in ((BROKER, "kafka.Kafka"), (COPIER, "copier.py")):
        known = {"name": name, "cgroup": "/system.slice", "container_id": "", "unit": f"{process['comm']}.service"}
        yield Row("copy_process_info", {**process, **known}, 1)


BY_ZERO_COPY, READ_WITH_COPY, WRITTEN, FROM_DISK_READ = (
    ("read", "zero_copy"),
    ("read", "cpu"),
    ("write", "cpu"),
    ("read", "dma"),
)
"""Labels ``operation`` and ``mechanism`` of a topic's bytes."""
TOPICS = {
    "orders": {BY_ZERO_COPY: 200 * MIB, READ_WITH_COPY: 0.0, WRITTEN: 20 * MIB, FROM_DISK_READ: 75 * MIB},
    "clicks": {BY_ZERO_COPY: 100 * MIB, READ_WITH_COPY: 50 * MIB, WRITTEN: 11 * MIB, FROM_DISK_READ: 0.0},
}


UNREAD_TOPIC = "idle"
OTHER_ROLES = (
    ("replica_fetcher", WRITTEN, 7.0 * MIB),
    ("cleaner", READ_WITH_COPY, 3.0 * MIB),
    ("recovery", READ_WITH_COPY, 2.0 * MIB),
)
WITH_PARTITIONS = {"clicks": "7"}
"""The partition that has all bytes of a topic."""


LISTENER_CPU = {"PLAINTEXT": 0.25, "SSL": 1.3, "CONTROLLER": 0.01}
LISTENERS = (
    (
        "9092",
        "PLAINTEXT",
        (
            ("sent", "zero_copy", SENT_BY_ZERO_COPY, SENDFILE_CALLS),
            ("sent", "cpu", SENT_BY_COPY, OTHER_SENDS),
            ("received", "cpu", RECEIVED, 500.0),
        ),
    ),
    ("9093", "SSL", (("sent", "cpu", SENT_OVER_TLS, 800.0),)),
    ("9094", "CONTROLLER", (("sent", "cpu", SENT_BY_CONTROLLER, 1.0),)),
)
"""Port and name of each, and what went over it: bytes and calls by direction and mechanism."""


def _kafka() -> Iterator[Row]:
    for port, name, protocol in (
        ("9092", "PLAINTEXT", "PLAINTEXT"),
        ("9093", "SSL", "SSL"),
        ("9094", "CONTROLLER", "PLAINTEXT"),
    ):
        listener = {**BROKER, "listener": name, "protocol": protocol, "port": port, "cluster_id": "c1", "node_id": "1"}
        yield Row("copy_kafka_listener_info", listener, 1)
    ids = {**BROKER, "cluster_id": "c1", "node_id": "1"}
    yield Row("copy_kafka_broker_info", {**ids, "roles": "broker,controller", "version": "4.1.0", "jdk": "17.0.9"}, 1)
    yield Row("copy_kafka_config_changed", ids, 0)
    for state, ports in (("listening", 4), ("watched", 3), ("unconfigured", 1), ("closed", 0)):
        yield Row("copy_kafka_ports", {**ids, "state": state}, ports)
    for port, name, traffic in LISTENERS:
        for direction, mechanism, size, calls in traffic:
            labels = {
                "cluster_id": "c1",
                "node_id": "1",
                "listener": name,
                "port": port,
                "direction": direction,
                "mechanism": mechanism,
            }
            yield Row("copy_kafka_listener_bytes_total", labels, size)
            yield Row("copy_kafka_listener_calls_total", labels, calls)
        of_listener = {"cluster_id": "c1", "node_id": "1", "listener": name, "port": port}
        yield Row("copy_kafka_listener_cpu_seconds_total", of_listener, LISTENER_CPU[name])
    lost = {**BROKER, "cluster_id": "c1", "node_id": "1", "listener": "SSL", "port": "9093", "reason": "tls"}
    yield Row("copy_kafka_zero_copy_lost", lost, 1)
    for topic, rates in TOPICS.items():
        for (operation, mechanism), rate in rates.items():
            labels = {
                "cluster_id": "c1",
                "node_id": "1",
                "topic": topic,
                "role": "network",
                "operation": operation,
                "mechanism": mechanism,
            }
            if topic in WITH_PARTITIONS:
                labels["partition"] = WITH_PARTITIONS[topic]
            yield Row("copy_kafka_topic_bytes_total", labels, rate)


def _other_roles() -> Iterator[Row]:
    """Of a topic that no client reads."""
    for role, (operation, mechanism), rate in OTHER_ROLES:
        labels = {"cluster_id": "c1", "node_id": "1", "topic": UNREAD_TOPIC, "role": role}
        yield Row("copy_kafka_topic_bytes_total", {**labels, "operation": operation, "mechanism": mechanism}, rate)


def _exporter() -> Iterator[Row]:
    device = {"device": "eth0"}
    yield Row("copy_network_transmit_bytes_total", device, NETWORK_SENT)
    yield Row("copy_network_receive_bytes_total", device, RECEIVED)
    yield Row("copy_network_speed_bytes", device, NETWORK_SPEED)
    yield Row("copy_network_scatter_gather", device, 1)
    yield Row("copy_host_cpus", {}, CPUS)
    for probe, attached in (("syscalls", 1), ("block", 0)):
        labels = {"probe": probe, "hook": "sys_exit", "attach_method": "raw_tracepoint"}
        yield Row("copy_exporter_probe_attached", labels, attached)
        yield Row("copy_exporter_probe_missed_runs_total", {"probe": probe}, 5.0)
        yield Row("copy_exporter_probe_runs_total", {"probe": probe}, 1e5)
        yield Row("copy_exporter_probe_run_seconds_total", {"probe": probe}, 0.02)
    yield Row("copy_exporter_map_entries", {"map": "counts"}, 60000)
    yield Row("copy_exporter_map_max_entries", {"map": "counts"}, 65536)
    yield Row("copy_exporter_dropped_updates_total", {"map": "counts"}, 7.0)
    for state, number in (("tracked", 500), ("exited", 3), ("aggregated", 12)):
        yield Row("copy_exporter_processes", {"state": state}, number)
    yield Row("copy_exporter_series_evicted_total", {}, 0.1)
    yield Row("copy_exporter_broker_discovery_success", {}, 1)
    for collector in ("processes", "network"):
        yield Row("copy_exporter_scrape_success", {"collector": collector}, 1)
        yield Row("copy_exporter_scrape_duration_seconds", {"collector": collector}, 0.02)
    yield Row("copy_exporter_log_lines_lost_total", {}, 1.0)
    yield Row("copy_exporter_build_info", {"version": "0.1.0", "pythonversion": "3.11.2"}, 1)
    yield Row("process_cpu_seconds_total", {}, 0.01)
    yield Row("process_resident_memory_bytes", {}, 60 * MIB)


ROWS = (*_host(), *_processes(), *_processes_only(), *_kafka(), *_other_roles(), *_exporter())
_COUNTERS = ("_total", "_bucket", "_sum", "_count")


def exposition(seconds: float, rows: Sequence[Row] = ROWS) -> str:
    """What a scrape gets after so many seconds."""
    return "".join(
        f"{row.name}{{{_written(row.labels)}}} {row.rate * seconds if row.name.endswith(_COUNTERS) else row.rate}\n"
        for row in rows
    )


def _written(labels: Mapping[str, str]) -> str:
    escaped = {label: value.replace("\\", "\\\\").replace('"', '\\"') for label, value in labels.items()}
    return ",".join(f'{label}="{value}"' for label, value in escaped.items())


def serve(rows: Sequence[Row] = ROWS, authorization: str = "") -> ThreadingHTTPServer:
    """Serve these rows on a port of loopback until ``shutdown()``, to requests with this header."""
    started = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            if self.headers.get("Authorization", "") != authorization:
                self.send_error(401)
                return
            body = exposition(time.monotonic() - started, rows).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Do not log requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
