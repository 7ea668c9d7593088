"""The metrics that dashboards, alerts and users depend on: names, types, labels and what they mean.

:mod:`exporter.metrics.collector` fills them, docs/metrics.md is written from them (``make docs``).
"""

from dataclasses import dataclass
from typing import Literal

PROCESS = ("pid", "comm")
HOP = ("source", "destination")
CALL = ("syscall", *HOP, "port")
HOST_PREFIX = "copy_host_"


@dataclass(frozen=True)
class Metric:
    """One family. ``name`` is as users write it, with ``_total``."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str

    def of_host(self) -> "Metric":
        """The same for the whole host: without labels of a process."""
        labels = tuple(label for label in self.labels if label not in PROCESS)
        return Metric(self.name.replace("copy_", HOST_PREFIX, 1), self.kind, labels, f"{self.help} Sum of the host.")


SYSCALLS = Metric(
    "copy_syscalls_total",
    "counter",
    (*PROCESS, *CALL),
    "System calls that moved data and succeeded, those of 0 bytes included; io_uring_* are requests of io_uring.",
)
SYSCALL_ERRORS = Metric(
    "copy_syscall_errors_total",
    "counter",
    (*PROCESS, "syscall", "errno"),
    "System calls that move data and returned an error; mode switches are twice the sum of both families "
    "without io_uring_*.",
)
CPU_COPIED = Metric(
    "copy_cpu_copied_bytes_total",
    "counter",
    (*PROCESS, *CALL),
    "Bytes that the CPU copied, as the system call returned them.",
)
ZERO_COPIED = Metric(
    "copy_zero_copied_bytes_total",
    "counter",
    (*PROCESS, *CALL),
    "Bytes that the system call passed on by reference.",
)
DMA_COPIED = Metric(
    "copy_dma_copied_bytes_total",
    "counter",
    (*PROCESS, *HOP),
    "Bytes that a device moved by DMA for the process.",
)
COPY_CPU = Metric(
    "copy_cpu_seconds_total",
    "counter",
    PROCESS,
    "CPU time inside the kernel's copy routines, by samples (docs/sampling.md).",
)
KERNEL_COPIED = Metric(
    "copy_kernel_copied_bytes_total",
    "counter",
    (*PROCESS, *HOP),
    "Bytes seen in the kernel's own copy functions, whatever system call asked for them.",
)
TO_USER_BYTES = Metric(
    "copy_to_user_bytes_total",
    "counter",
    PROCESS,
    "Bytes that the kernel's own copy_to_user was asked to copy (with --probe.copy_to_user).",
)
TO_USER_CALLS = Metric(
    "copy_to_user_calls_total",
    "counter",
    PROCESS,
    "Calls of the kernel's own copy_to_user (with --probe.copy_to_user).",
)
FROM_USER_BYTES = Metric(
    "copy_from_user_bytes_total",
    "counter",
    PROCESS,
    "Bytes that the kernel's own copy_from_user was asked to copy (with --probe.copy_from_user).",
)
FROM_USER_CALLS = Metric(
    "copy_from_user_calls_total",
    "counter",
    PROCESS,
    "Calls of the kernel's own copy_from_user (with --probe.copy_from_user).",
)
SENDFILE_DURATION = Metric(
    "copy_sendfile_duration_seconds",
    "histogram",
    PROCESS,
    "Time that successful sendfile calls took: a slow one waited for the disk or for the peer.",
)
PROCESS_INFO = Metric(
    "copy_process_info",
    "gauge",
    (*PROCESS, "name", "cgroup", "container_id", "unit"),
    "1; name is what a person calls the process, the rest is what it runs in.",
)
PROCESS_CPU = Metric(
    "copy_process_cpu_seconds_total",
    "counter",
    (*PROCESS, "mode"),
    "CPU time of the process since its start, in user and in system mode.",
)
KAFKA_LISTENER = Metric(
    "copy_kafka_listener_info",
    "gauge",
    (*PROCESS, "node_id", "listener", "protocol", "port"),
    "1; a listener of a Kafka broker or controller that runs: join with port.",
)
KAFKA_LOST = Metric(
    "copy_kafka_zero_copy_lost_info",
    "gauge",
    ("node_id", "port", "reason"),
    "1; why a listener sends without zero copy: tls, jvm_fallback, copied, scatter_gather (docs/kafka.md).",
)
NETWORK_TRANSMIT = Metric(
    "copy_network_transmit_bytes_total", "counter", ("device",), "Bytes that a network device sent."
)
NETWORK_RECEIVE = Metric(
    "copy_network_receive_bytes_total", "counter", ("device",), "Bytes that a network device received."
)
NETWORK_SPEED = Metric(
    "copy_network_speed_bytes",
    "gauge",
    ("device",),
    "Bytes a second that the link of a network device can carry in each direction; absent where nobody knows, and of "
    "devices without a wire (loopback, veth, tun, bridge).",
)
NETWORK_SCATTER_GATHER = Metric(
    "copy_network_scatter_gather",
    "gauge",
    ("device",),
    "1 when a network device takes packets in pieces, 0 when it cannot: then zero copy is copied after all.",
)
_TOPIC = ("node_id", "topic", "partition")
KAFKA_ZERO_COPIED = Metric(
    "copy_kafka_topic_zero_copied_bytes_total",
    "counter",
    _TOPIC,
    "Bytes of the topic's files that a Kafka broker passed on by reference; partition only with --kafka.partitions.",
)
KAFKA_READ = Metric(
    "copy_kafka_topic_cpu_copied_read_bytes_total",
    "counter",
    _TOPIC,
    "Bytes of the topic's files that the CPU copied out of the page cache for a Kafka broker.",
)
KAFKA_WRITTEN = Metric(
    "copy_kafka_topic_cpu_copied_written_bytes_total",
    "counter",
    _TOPIC,
    "Bytes that the CPU copied into the page cache of the topic's files for a Kafka broker.",
)
KAFKA_DMA_READ = Metric(
    "copy_kafka_topic_dma_read_bytes_total",
    "counter",
    _TOPIC,
    "Bytes of the topic's files that disks read for a Kafka broker.",
)
PROBE_ATTACHED = Metric(
    "copy_probe_attached",
    "gauge",
    ("probe", "hook", "mechanism"),
    "1 when the probe is attached, 0 when it could not be (`copy-exporter doctor` tells why) or counts no longer.",
)
PROBE_MISSED = Metric(
    "copy_probe_missed_runs_total",
    "counter",
    ("probe",),
    "Events that the kernel skipped the probe for: what it would have counted is lost.",
)
PROBE_RUNS = Metric(
    "copy_probe_runs_total", "counter", ("probe",), "Runs of the probe by the kernel's count (with --probe.stats)."
)
PROBE_SECONDS = Metric(
    "copy_probe_run_seconds_total",
    "counter",
    ("probe",),
    "CPU time of the probe by the kernel's measurement (with --probe.stats).",
)
MAP_ENTRIES = Metric("copy_map_entries", "gauge", ("map",), "Entries in use in a map of the probes.")
MAP_MAX_ENTRIES = Metric("copy_map_max_entries", "gauge", ("map",), "Most entries that the map can hold.")
DROPPED = Metric(
    "copy_dropped_updates_total",
    "counter",
    ("map",),
    "Updates lost because the map was full: raise --map.entries.",
)
PROCESSES = Metric(
    "copy_processes",
    "gauge",
    ("state",),
    "Processes with series of their own, ended ones whose series linger, and live ones that count in pid=other.",
)
SCRAPE_SUCCESS = Metric("copy_scrape_success", "gauge", (), "1 when the probes' maps could be read for this scrape.")
SCRAPE_DURATION = Metric("copy_scrape_duration_seconds", "gauge", (), "Time that reading and attributing took.")
LOG_LINES_LOST = Metric(
    "copy_exporter_log_lines_lost_total",
    "counter",
    (),
    "Log lines that could not be written: the disk may be full, or the reader gone.",
)
BUILD_INFO = Metric(
    "copy_exporter_build_info",
    "gauge",
    ("version", "revision", "pythonversion"),
    "1; the version of copy-exporter, and the git revision that it was built from.",
)

BY_PROCESS = (
    SYSCALLS,
    SYSCALL_ERRORS,
    CPU_COPIED,
    ZERO_COPIED,
    DMA_COPIED,
    COPY_CPU,
    KERNEL_COPIED,
    TO_USER_BYTES,
    TO_USER_CALLS,
    FROM_USER_BYTES,
    FROM_USER_CALLS,
)
"""Families of rows, in the order of the exposition."""
OF_HOST = tuple(metric.of_host() for metric in BY_PROCESS[:6])
CPUS = Metric("copy_cpus", "gauge", (), "CPUs of the host that are online: what CPU seconds a second are set against.")
OF_NETWORK = (NETWORK_TRANSMIT, NETWORK_RECEIVE, NETWORK_SPEED, NETWORK_SCATTER_GATHER)
BY_TOPIC = (KAFKA_ZERO_COPIED, KAFKA_READ, KAFKA_WRITTEN, KAFKA_DMA_READ)
"""Families of topics, in the order of :class:`exporter.model.Moved`."""
METRICS = (
    *OF_HOST,
    *BY_PROCESS,
    SENDFILE_DURATION,
    PROCESS_INFO,
    PROCESS_CPU,
    KAFKA_LISTENER,
    KAFKA_LOST,
    *BY_TOPIC,
    PROBE_ATTACHED,
    PROBE_MISSED,
    PROBE_RUNS,
    PROBE_SECONDS,
    MAP_ENTRIES,
    MAP_MAX_ENTRIES,
    DROPPED,
    PROCESSES,
    SCRAPE_SUCCESS,
    SCRAPE_DURATION,
    LOG_LINES_LOST,
    BUILD_INFO,
    CPUS,
    *OF_NETWORK,
)
"""All, in the order of the exposition."""


_INTRODUCTION = """\
# Metrics

Written from `exporter/metrics/catalog.py` by `make docs`; a test fails when the two differ.

Labels of a process: `pid` is the process id in the initial pid namespace, `comm` the present name of the thread-group
leader. `pid="other"` holds what processes counted that never had series of their own: those that ended before a scrape
saw them, and those beyond `--process.max`. A process that takes another name (exec, prctl) goes on under the new one
from zero, and its old series stay for `--process.linger`; so every byte is in one per-process series and in
`copy_host_*`, which never decrease. With `--process.labels=comm` there is no label `pid`.

Labels of a hop: `source` and `destination` are among `disk page_cache user tcp udp unix socket pipe device pseudo anon
unknown`. `port` is the local TCP port when it is watched (`--port`, or a Kafka
broker's), else empty. `syscall` is the system call by its
kernel name, or `io_uring_` with the name of a request that was made by io_uring: no system call of its own.

What exactly counts as copied, by system call, is in [accounting.md](accounting.md). In OpenMetrics, counters of
processes have `_created`: the time since when they count.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def page() -> str:
    """docs/metrics.md."""
    rows = [f"| `{metric.name}` | {metric.kind} | {' '.join(metric.labels)} | {metric.help} |\n" for metric in METRICS]
    own = "\nBeside these, prometheus-client's own `process_*` of the exporter.\n"
    return _INTRODUCTION + "".join(rows) + own


if __name__ == "__main__":
    print(page(), end="")
