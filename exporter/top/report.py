"""The rates of a host as lines of text: the summary above the tables, and all that ``--once`` prints. Pure."""

import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime

from exporter.live.processes import ENDED, OTHER
from exporter.live.rates import Kafka, Process, Rates, Totals
from exporter.top.columns import ERRORS, HOPS, LISTENERS, PROCESSES, TOPICS, Column, process_name
from exporter.top.picture import PictureLine, draw, legend
from exporter.top.table import Order, T, arrange, lay_out
from exporter.top.text import NOTHING, count, percent, printable, rate

PROCESS_ORDER, LISTENER_ORDER, TOPIC_ORDER = Order(2), Order(3), Order(3)
_FIRST = {"network": ": it saturates first", "cpu": ": the CPUs saturate first"}


def summary(rates: Rates, width: int, *, ascii_only: bool) -> list[str]:
    """Return the host, its exporter and what moves, in a few lines."""
    sentences = (_host(rates), " ".join([headline(rates.totals), *_notes(rates)]))
    return [line for text in sentences for line in wrap(printable(text, ascii_only=ascii_only), width)]


def headline(totals: Totals) -> str:
    """Return what moves, and what is the limit."""
    moved = totals.moved_bytes_per_second
    if not moved > 0:
        return "Nothing moves at the moment."
    by = totals.mechanisms
    return (
        f"{rate(moved)} moved: {percent(by.zero_copy / moved)} by zero copy, {percent(by.cpu / moved)} copied by the "
        f"CPU, {percent(by.dma / moved)} from or to disks. {_copying(totals)}; {_network(totals)}. "
        f"{count(totals.mode_switches_per_second)} mode switches/s."
    )


def once(rates: Rates, width: int, *, ascii_only: bool) -> list[str]:
    """Return the summary and all tables that have rows."""
    processes = arrange(rates.processes, PROCESSES, PROCESS_ORDER)
    lines = [*summary(rates, width, ascii_only=ascii_only), ""]
    lines += lay_out(processes, PROCESSES, width, ascii_only=ascii_only).lines()
    shown = sum(process.pid not in (ENDED, OTHER) for process in processes)
    lines += ["", *wrap(f"{shown} of {count(rates.process_count)} processes are shown: those that move most.", width)]
    for table in _kafka_tables(rates.kafka, width, ascii_only=ascii_only):
        lines += ["", *table]
    return lines


def details(process: Process, width: int, *, ascii_only: bool) -> list[PictureLine]:
    """Return what one process does: facts, the picture of its hops, and its calls and errors."""
    texts = [PictureLine(printable(text, ascii_only=ascii_only)) for text in _facts(process)]
    picture = draw(process.hops, width, ascii_only=ascii_only)
    lines = [*texts, PictureLine(""), *picture, PictureLine(""), PictureLine(legend(ascii_only=ascii_only))]
    for table in (
        lay_out(process.hops, HOPS, width, ascii_only=ascii_only).lines() if process.hops else [],
        lay_out(process.errors, ERRORS, width, ascii_only=ascii_only).lines() if process.errors else [],
    ):
        lines += [PictureLine(line) for line in ("", *table)] if table else []
    return lines


def wrap(text: str, width: int) -> list[str]:
    """Break the text into lines."""
    return textwrap.wrap(text, max(width, 20))


def _host(rates: Rates) -> str:
    host, health = rates.host, rates.health
    attached = sum(probe.attached for probe in health.probes)
    lost = health.dropped_updates + health.missed_runs
    losses = f"{count(health.dropped_updates)} updates dropped, {count(health.missed_runs)} runs missed"
    parts = [
        f"{host.name} at {_clock(rates.time_seconds)}",
        f"Linux {host.kernel}",
        f"{host.cpus} CPUs",
        f"copy-exporter {host.version}",
        f"{attached} of {len(health.probes)} probes attached",
        losses if lost else "nothing lost",
    ]
    if health.stalled_probes:
        parts.append(f"stopped counting: {', '.join(health.stalled_probes)}")
    return ", ".join(parts) + "."


def _clock(time_seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(time_seconds):%H:%M:%S}"
    except (OSError, OverflowError, ValueError):  # an exporter sends what it likes
        return "an unknown time"


def _notes(rates: Rates) -> list[str]:
    bare = [device.device for device in rates.devices if device.scatter_gather is False]
    return [f"{', '.join(bare)} has no scatter-gather: the kernel copies what zero copy hands over."] if bare else []


def _copying(totals: Totals) -> str:
    if totals.copy_cpu_ratio is None:
        return "How much CPU time copying takes is unknown"
    return f"Copying takes {percent(totals.copy_cpu_ratio)} of the CPUs"


def _network(totals: Totals) -> str:
    if totals.network_use_ratio is None:
        return "the use of the network is unknown"
    return f"the network is used to {percent(totals.network_use_ratio)}{_FIRST.get(totals.saturates_first, '')}"


def _kafka_tables(kafka: Kafka, width: int, *, ascii_only: bool) -> Iterable[list[str]]:
    if kafka.listeners:
        yield _sorted_table(kafka.listeners, LISTENERS, LISTENER_ORDER, width, ascii_only)
    if kafka.topics:
        yield _sorted_table(kafka.topics, TOPICS, TOPIC_ORDER, width, ascii_only)


def _sorted_table(
    rows: Iterable[T], columns: Sequence[Column[T]], order: Order, width: int, ascii_only: bool
) -> list[str]:
    return lay_out(arrange(rows, columns, order), columns, width, ascii_only=ascii_only).lines()


def _facts(process: Process) -> Iterable[str]:
    yield f"{process_name(process)}, process {process.pid}"
    for name, value in (
        ("unit", process.unit),
        ("container", process.container_id),
        ("control group", process.cgroup),
    ):
        if value:
            yield f"{name}: {value}"
    copies = NOTHING if process.copies_per_byte_sent is None else f"{process.copies_per_byte_sent:.2f}"
    yield (
        f"{count(process.calls_per_second)} calls/s, {count(process.mode_switches_per_second)} mode switches/s, "
        f"{copies} copies per byte sent"
    )
