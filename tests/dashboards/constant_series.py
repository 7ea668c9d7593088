"""A host on which everything goes on, at known rates: also what this machine's kernel, network and disks do not have.

An HTTP server whose counters grow by their rate each second since it began. A broker, a process that copies by hand,
probes that are refused and maps that drop. It is no recording of a real exporter: one is tested beside it.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from exporter.metrics.family import HOST_PREFIX

MIB = float(2**20)
BOUNDS = ("0.000016", "0.016384", "+Inf")


class Row(NamedTuple):
    """A series; ``rate`` by second, of a gauge the value."""

    name: str
    labels: Mapping[str, str]
    rate: float


BROKER = {"pid": "4711", "comm": "java"}
COPIER = {"pid": "815", "comm": "copier"}
PLAIN, SECURE = {"port": "9092"}, {"port": "9093"}
FILE_TO_TCP = {"source": "page_cache", "destination": "tcp"}
FILE_TO_USER = {"source": "page_cache", "destination": "user"}
USER_TO_TCP = {"source": "user", "destination": "tcp"}
TCP_TO_USER = {"source": "tcp", "destination": "user"}
USER_TO_FILE = {"source": "user", "destination": "page_cache"}
FROM_DISK = {"source": "disk", "destination": "page_cache"}

SENT_BY_REFERENCE = 300 * MIB
SENT_BESIDE = 100 * MIB
SENT_SECURELY = 50 * MIB
RECEIVED = 30 * MIB
APPENDED = 31 * MIB
READ_FROM_DISK = 75 * MIB
BY_HAND = 10 * MIB
SENDFILE_CALLS = 1200.0
OTHER_SENDS = 400.0
BROKER_CPU, BROKER_COPYING = 1.5, 0.25
NETWORK_SPEED = 1250e6
NETWORK_SENT = 500e6
CPUS = 8


def _moved() -> Iterator[Row]:
    """(mechanism, process, call, hop, port, bytes, calls) as rows of bytes and of calls."""
    nowhere = {"port": ""}
    for mechanism, process, call, hop, port, size, calls in (
        ("zero", BROKER, "sendfile", FILE_TO_TCP, PLAIN, SENT_BY_REFERENCE, SENDFILE_CALLS),
        ("cpu", BROKER, "write", USER_TO_TCP, PLAIN, SENT_BESIDE, OTHER_SENDS),
        ("cpu", BROKER, "write", USER_TO_TCP, SECURE, SENT_SECURELY, 800.0),
        ("cpu", BROKER, "pread64", FILE_TO_USER, nowhere, SENT_SECURELY, 800.0),
        ("cpu", BROKER, "read", TCP_TO_USER, PLAIN, RECEIVED, 500.0),
        ("cpu", BROKER, "pwrite64", USER_TO_FILE, nowhere, APPENDED, 60.0),
        ("cpu", COPIER, "read", FILE_TO_USER, nowhere, BY_HAND, 160.0),
        ("cpu", COPIER, "write", USER_TO_TCP, nowhere, BY_HAND, 160.0),
    ):
        labels = {**process, "syscall": call, **hop, **port}
        yield Row(f"copy_{mechanism}_copied_bytes_total", labels, size)
        yield Row("copy_syscalls_total", labels, calls)


def _of_processes() -> Iterator[Row]:
    yield from _moved()
    yield Row("copy_syscall_errors_total", {**BROKER, "syscall": "sendfile", "errno": "EAGAIN"}, 100.0)
    yield Row("copy_dma_copied_bytes_total", {**BROKER, **FROM_DISK}, READ_FROM_DISK)
    yield Row("copy_cpu_seconds_total", BROKER, BROKER_COPYING)
    yield Row("copy_cpu_seconds_total", COPIER, 0.01)


def _of_host() -> Iterator[Row]:
    for row in _of_processes():
        labels = {label: value for label, value in row.labels.items() if label not in ("pid", "comm")}
        yield Row(row.name.replace("copy_", HOST_PREFIX, 1), labels, row.rate)


def _beside() -> Iterator[Row]:
    """Of processes, but not of the host."""
    yield Row("copy_kernel_copied_bytes_total", {**BROKER, **TCP_TO_USER}, RECEIVED)
    for of in ("copy_to_user", "copy_from_user"):
        yield Row(f"{of}_bytes_total", BROKER, 64000.0)
        yield Row(f"{of}_calls_total", BROKER, 1000.0)
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


TOPICS = {"orders": (200 * MIB, 0.0, 20 * MIB, 75 * MIB), "clicks": (100 * MIB, 50 * MIB, 11 * MIB, 0.0)}
"""By zero copy, read with a copy, written, from disk."""


def _kafka() -> Iterator[Row]:
    for port, protocol in (("9092", "PLAINTEXT"), ("9093", "SSL")):
        listener = {"listener": protocol, "protocol": protocol, "port": port, "node_id": "1"}
        yield Row("copy_kafka_listener_info", listener, 1)
    yield Row("copy_kafka_zero_copy_lost_info", {"node_id": "1", "port": "9093", "reason": "tls"}, 1)
    names = ("zero_copied", "cpu_copied_read", "cpu_copied_written", "dma_read")
    for topic, rates in TOPICS.items():
        for name, rate in zip(names, rates, strict=True):
            yield Row(f"copy_kafka_topic_{name}_bytes_total", {"node_id": "1", "topic": topic}, rate)


def _of_exporter() -> Iterator[Row]:
    device = {"device": "eth0"}
    yield Row("copy_network_transmit_bytes_total", device, NETWORK_SENT)
    yield Row("copy_network_receive_bytes_total", device, RECEIVED)
    yield Row("copy_network_speed_bytes", device, NETWORK_SPEED)
    yield Row("copy_network_scatter_gather", device, 1)
    yield Row("copy_cpus", {}, CPUS)
    for probe, attached in (("syscalls", 1), ("block", 0)):
        yield Row("copy_probe_attached", {"probe": probe, "hook": "sys_exit", "mechanism": "raw_tracepoint"}, attached)
        yield Row("copy_probe_missed_runs_total", {"probe": probe}, 5.0)
        yield Row("copy_probe_runs_total", {"probe": probe}, 1e5)
        yield Row("copy_probe_run_seconds_total", {"probe": probe}, 0.02)
    yield Row("copy_map_entries", {"map": "counts"}, 60000)
    yield Row("copy_map_max_entries", {"map": "counts"}, 65536)
    yield Row("copy_dropped_updates_total", {"map": "counts"}, 7.0)
    for state, number in (("own", 500), ("lingering", 3), ("other", 12)):
        yield Row("copy_processes", {"state": state}, number)
    yield Row("copy_scrape_success", {}, 1)
    yield Row("copy_scrape_duration_seconds", {}, 0.02)
    yield Row("copy_exporter_log_lines_lost_total", {}, 1.0)
    yield Row("copy_exporter_build_info", {"version": "0.1.0", "pythonversion": "3.11.2"}, 1)
    yield Row("process_cpu_seconds_total", {}, 0.01)
    yield Row("process_resident_memory_bytes", {}, 60 * MIB)


ROWS = (*_of_host(), *_of_processes(), *_beside(), *_kafka(), *_of_exporter())
_COUNTERS = ("_total", "_bucket", "_sum", "_count")


def exposition(seconds: float) -> str:
    """What is counted after so many seconds."""
    return "".join(
        f"{row.name}{{{_written(row.labels)}}} {row.rate * seconds if row.name.endswith(_COUNTERS) else row.rate}\n"
        for row in ROWS
    )


def _written(labels: Mapping[str, str]) -> str:
    return ",".join(f'{label}="{value}"' for label, value in labels.items())


def serve() -> ThreadingHTTPServer:
    """Serve it on a port of loopback until ``shutdown()``."""
    began = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            body = exposition(time.monotonic() - began).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
