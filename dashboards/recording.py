"""The recording rules, dashboards/prometheus/recording.rules.yml: `make dashboards` writes it."""

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dashboards.promql import Vector, aggregate, quotient, rate, select, series, share, total

PROCESS = ("pid", "comm")
HOP = ("source", "destination")
LISTENER = ("cluster_id", "node_id", "listener", "port")
LEVELS = {
    "host": (),
    "host_hop": HOP,
    "host_port": ("port",),
    "process": PROCESS,
    "process_port": (*PROCESS, "port"),
    "listener": LISTENER,
    "topic": ("cluster_id", "node_id", "topic"),
    "device": ("device",),
}
"""The first part of a recorded name: the labels that identify its series among those of one target."""
EXTRA_LABELS = {"direction", "mechanism", "operation", "role", "name"}
"""Labels that series of any level may have on top."""
_HEADER = """\
# Written by `make dashboards` from dashboards/recording.py; edit that file.
#
# The series that panels and alerts share. Names are level:metric:operations. The level stands for the labels of the
# series. The labels of the target (instance, and what the scrape configuration adds) are kept in all of them:
#
#   host             the whole host, from copy_host_*: complete, whichever processes have series
#   host_hop         + source, destination
#   host_port        + port, of watched ports: the sum of the processes' series
#   process          + pid, comm (comm alone with --process.labels=comm)
#   process_port     + pid, comm, port, of watched ports
#   listener         + cluster_id, node_id, listener, port, of Kafka brokers; continues when a broker restarts
#   topic            + cluster_id, node_id, topic
#   device           + device
#
# mechanism is cpu, zero_copy or dma. A byte is counted once per hop: a byte that is read and sent counts twice.
# Rates are per second over 5m, so scrape at least once a minute. A ratio has no value where nothing was moved.

groups:
"""
_MIB = 2**20
_CPU, _ZERO_COPY, _DMA = (f'mechanism="{mechanism}"' for mechanism in ("cpu", "zero_copy", "dma"))
_NOT_DMA = 'mechanism=~"cpu|zero_copy"'
_BY_SYSCALLS = 'syscall!=""'
_MODE_SWITCHING = 'syscall!~"io_uring_.*"'
_SENT = ('destination="tcp"', 'port!=""')
_SERVING = 'role=~"network|unknown|"'
"""Reads for clients: not those of the log cleaner and the like. An exporter of an older version has no roles."""
_RECEIVED = ('source="tcp"', 'port!=""')


@dataclass(frozen=True)
class Rule:
    """A recorded series."""

    name: str
    value: Vector
    comment: str = ""

    @property
    def series(self) -> Vector:
        """What other rules read."""
        return Vector(self.name, self.value.labels)

    def text(self) -> str:
        """The rule as an item of a YAML list."""
        lines = [f"# {line}" for line in textwrap.wrap(self.comment, 110)]
        lines += [f"- record: {self.name}", *_expression(self.value.expression)]
        return "\n".join(lines) + "\n"


def _expression(text: str) -> list[str]:
    if "\n" not in text:
        return [f"  expr: {text}"]
    return ["  expr: |", *textwrap.indent(text, "    ").split("\n")]


def _host() -> Iterator[Rule]:
    hops = Rule("host_hop:copy_bytes:rate5m", total(rate("copy_host_bytes_total"), "mechanism", *HOP))
    by_mechanism = Rule("host:copy_bytes:rate5m", total(hops.series, "mechanism"))
    moved = Rule(
        "host:copy_moved_bytes:rate5m",
        total(rate("copy_host_bytes_total", _BY_SYSCALLS)),
        "Moved by system calls: without what disks read into the page cache, which a system call moves on afterwards.",
    )
    switches = Rule(
        "host:copy_mode_switches:rate5m",
        _mode_switches("copy_host"),
        "Two for each system call that moves data, failed ones included. Requests of io_uring are not system calls.",
    )
    yield from (hops, by_mechanism, moved, switches)
    yield Rule("host:copy_mode_switches_per_mib:ratio_rate5m", _per_mib(switches, moved))
    yield Rule(
        "host:copy_zero_copied:ratio_rate5m",
        _zero_copied(by_mechanism),
        "The part of the bytes moved by CPU copy or zero copy that went by zero copy.",
    )


def _processes() -> Iterator[Rule]:
    yield Rule("process:copy_name:info", _names(), "1. Adds the name: * on (instance, pid, comm) group_left (name).")
    by_mechanism = Rule("process:copy_bytes:rate5m", total(rate("copy_bytes_total"), *PROCESS, "mechanism"))
    moved = Rule("process:copy_moved_bytes:rate5m", total(rate("copy_bytes_total", _BY_SYSCALLS), *PROCESS))
    switches = Rule("process:copy_mode_switches:rate5m", _mode_switches("copy", *PROCESS))
    yield from (by_mechanism, moved, switches)
    yield Rule("process:copy_mode_switches_per_mib:ratio_rate5m", _per_mib(switches, moved))
    yield Rule("process:copy_zero_copied:ratio_rate5m", _zero_copied(by_mechanism))
    fills = rate("copy_bytes_total", _DMA, 'destination="page_cache"')
    yield Rule("process:copy_disk_read_bytes:rate5m", total(fills, *PROCESS), "Read from disk into the page cache.")
    refused = rate("copy_syscall_errors_total", 'syscall="sendfile"', 'errno=~"EINVAL|ENOSYS|EOPNOTSUPP"')
    yield Rule("process:copy_sendfile_refused:rate5m", total(refused, *PROCESS), "sendfile calls that were refused.")
    for name, quantile in (("p50", 0.5), ("p99", 0.99)):
        buckets = total(rate("copy_sendfile_duration_seconds_bucket"), *PROCESS, "le")
        value = Vector(f"histogram_quantile({quantile}, {buckets.expression})", PROCESS)
        comment = "Buckets end at powers of 4; values between are interpolated." if name == "p50" else ""
        yield Rule(f"process:copy_sendfile_duration_seconds:{name}_rate5m", value, comment)


def _ports() -> Iterator[Rule]:
    of_process = Rule(
        "process_port:copy_sent_bytes:rate5m", total(rate("copy_bytes_total", *_SENT), *PROCESS, "port", "mechanism")
    )
    sent = Rule(
        "host_port:copy_sent_bytes:rate5m",
        total(of_process.series, "port", "mechanism"),
        "The host's totals have no label port, so a port's bytes are the sum of the processes that use it.",
    )
    received = total(rate("copy_bytes_total", *_RECEIVED), "port", "mechanism")
    yield from (of_process, sent, Rule("host_port:copy_received_bytes:rate5m", received))
    yield Rule(
        "host_port:copy_zero_copied_sent:ratio_rate5m",
        _zero_copied(sent),
        "The part of the bytes sent from the port that went by zero copy.",
    )
    sent_in_an_hour = Rule(
        "host_port:copy_sent_bytes:rate1h",
        total(rate("copy_bytes_total", *_SENT, window="1h"), "port", "mechanism"),
        "The same over an hour, to compare a day with the day before.",
    )
    yield sent_in_an_hour
    yield Rule("host_port:copy_zero_copied_sent:ratio_rate1h", _zero_copied(sent_in_an_hour))
    copied = rate("copy_bytes_total", _CPU, 'source="user"', *_SENT)
    calls = rate("copy_syscalls_total", 'source="user"', *_SENT)
    yield Rule(
        "host_port:copy_cpu_copied_sent_bytes_per_call:ratio_rate5m",
        quotient(total(copied, "port"), total(calls, "port")),
        "Bytes that a copying call sends. Records are longer than 1 KiB; acknowledgements and headers are not.",
    )


def _listeners() -> Iterator[Rule]:
    moved, moved_in_an_hour = (
        Rule(
            f"listener:copy_kafka_listener_bytes:rate{window}",
            total(rate("copy_kafka_listener_bytes_total", window=window), *LISTENER, "direction", "mechanism"),
        )
        for window in ("5m", "1h")
    )
    for rule, window in ((moved, "5m"), (moved_in_an_hour, "1h")):
        yield rule
        part, whole = (
            total(select(rule.series, 'direction="sent"', mechanism), *LISTENER) for mechanism in (_ZERO_COPY, _NOT_DMA)
        )
        yield Rule(f"listener:copy_kafka_zero_copied_sent:ratio_rate{window}", share(part, whole))
    copied, calls = (
        total(rate(f"copy_kafka_listener_{counted}_total", _CPU, 'direction="sent"'), *LISTENER)
        for counted in ("bytes", "calls")
    )
    yield Rule("listener:copy_kafka_cpu_copied_sent_bytes_per_call:ratio_rate5m", quotient(copied, calls))


def _cpu() -> Iterator[Rule]:
    whole = Rule(
        "process:copy_process_cpu_seconds:rate5m",
        total(rate("copy_process_cpu_seconds_total"), *PROCESS),
        "CPUs that the process keeps busy, and below the part of them spent in the kernel's copy routines.",
    )
    copying = Rule("process:copy_cpu_seconds:rate5m", total(rate("copy_cpu_seconds_total"), *PROCESS))
    of_host = Rule("host:copy_cpu_seconds:rate5m", total(rate("copy_host_cpu_seconds_total")))
    yield from (whole, copying, Rule("process:copy_cpu_share:ratio_rate5m", quotient(copying.series, whole.series)))
    yield of_host
    yield Rule(
        "host:copy_cpu_utilisation:ratio_rate5m",
        quotient(of_host.series, aggregate("max", series("copy_host_cpus"))),
        "The part of the host's CPUs that is spent in the kernel's copy routines.",
    )
    known = Vector(f"{copying.name} and {whole.name}", PROCESS)
    yield Rule(
        "host:copy_cpu_share:ratio_rate5m",
        quotient(total(known), total(whole.series)),
        "The part of the CPU time of all processes with series of their own that is spent copying.",
    )


def _network() -> Iterator[Rule]:
    sent, received = (
        Rule(
            f"device:copy_network_{direction}_bytes:rate5m",
            total(rate(f"copy_network_{direction}_bytes_total"), "device"),
        )
        for direction in ("transmit", "receive")
    )
    yield from (sent, received)
    busier = Vector(f"({sent.name} >= {received.name} or {received.name})", LEVELS["device"])
    yield Rule(
        "device:copy_network_utilisation:ratio_rate5m",
        quotient(busier, aggregate("max", series("copy_network_speed_bytes"), "device")),
        "The busier direction as a part of the device's speed. Without a value where the speed is unknown.",
    )


def _topics() -> Iterator[Rule]:
    moved = Rule(
        "topic:copy_kafka_topic_bytes:rate5m",
        total(rate("copy_kafka_topic_bytes_total"), *LEVELS["topic"], "role", "operation", "mechanism"),
    )
    zero_copied, read = (
        total(select(moved.series, 'operation="read"', mechanism, _SERVING), *LEVELS["topic"])
        for mechanism in (_ZERO_COPY, _NOT_DMA)
    )
    yield moved
    yield Rule(
        "topic:copy_kafka_topic_zero_copied:ratio_rate5m",
        share(zero_copied, read),
        "The part of the bytes that went by zero copy, of those read from the topic's files for clients.",
    )


def _mode_switches(prefix: str, *keep: str) -> Vector:
    calls, errors = (rate(f"{prefix}_{family}_total", _MODE_SWITCHING) for family in ("syscalls", "syscall_errors"))
    return total(calls + errors, *keep).times(2)


def _per_mib(switches: Rule, moved: Rule) -> Vector:
    return quotient(switches.series.times(_MIB), moved.series)


def _zero_copied(by_mechanism: Rule) -> Vector:
    keep = [label for label in by_mechanism.value.labels if label != "mechanism"]
    part, whole = (total(select(by_mechanism.series, mechanism), *keep) for mechanism in (_ZERO_COPY, _NOT_DMA))
    return share(part, whole)


def _names() -> Vector:
    """Display names of processes; those that share their series (pid="other", or no pid) are named by their comm."""
    known = aggregate("max", series("copy_process_info"), *PROCESS, "name")
    shared = aggregate("group", series("copy_syscalls_total", 'pid=~"(other)?"'), *PROCESS)
    named = f'label_replace(\n  {shared.expression},\n  "name", "$1", "comm", "(.*)"\n)'
    return Vector(f"{known.expression}\nor {named}", known.labels)


_GROUPS: dict[str, Callable[[], Iterator[Rule]]] = {
    "copy_host": _host,
    "copy_process": _processes,
    "copy_port": _ports,
    "copy_listener": _listeners,
    "copy_cpu": _cpu,
    "copy_network": _network,
    "copy_topic": _topics,
}


def rules() -> list[Rule]:
    """All of them, in the order of the file."""
    return [rule for group in _GROUPS.values() for rule in group()]


def text() -> str:
    """The file."""
    groups = [
        f"  - name: {name}\n    rules:\n" + "".join(textwrap.indent(rule.text(), "      ") for rule in group())
        for name, group in _GROUPS.items()
    ]
    return _HEADER + "\n".join(groups)
