"""The columns of the tables: those of the live page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.live.rates import Listener, Process, ProcessError, ProcessHop, Topic
from exporter.top.text import NOTHING, count, percent, rate, size

T = TypeVar("T")
MECHANISMS = {"cpu": "copied by the CPU", "zero_copy": "zero copy", "dma": "DMA"}


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table."""

    title: str
    value: Callable[[T], str | float | None]
    """What rows are sorted by."""
    show: Callable[[T], str]
    is_text: bool = False
    rank: int = 0
    """A narrow terminal leaves out the columns with the highest ranks; never those with 0."""


def process_name(process: Process) -> str:
    """The name of a process, and what it is commonly called where that differs."""
    if process.name and process.name != process.comm:
        return f"{process.comm} {process.name}"
    return process.comm


def _number(pid: str) -> int:
    return int(pid) if pid.isascii() and pid.isdigit() else 0


def _or_nothing(value: float | None, show: Callable[[float], str]) -> str:
    return NOTHING if value is None else show(value)


def _sent(listener: Listener) -> float:
    return listener.sent.cpu + listener.sent.zero_copy


def _read(topic: Topic) -> float:
    return topic.read.cpu + topic.read.zero_copy


PROCESSES: tuple[Column[Process], ...] = (
    Column("process", process_name, process_name, is_text=True),
    Column("pid", lambda row: _number(row.pid), lambda row: row.pid, is_text=True, rank=3),
    Column("CPU copies/s", lambda row: row.mechanisms.cpu, lambda row: size(row.mechanisms.cpu)),
    Column("zero copy/s", lambda row: row.mechanisms.zero_copy, lambda row: size(row.mechanisms.zero_copy), rank=1),
    Column("DMA/s", lambda row: row.mechanisms.dma, lambda row: size(row.mechanisms.dma), rank=2),
    Column(
        "switches/s",
        lambda row: row.mode_switches_per_second,
        lambda row: count(row.mode_switches_per_second),
        rank=5,
    ),
    Column("bytes/call", lambda row: row.bytes_per_call, lambda row: _or_nothing(row.bytes_per_call, size), rank=6),
    Column(
        "copies/byte sent",
        lambda row: row.copies_per_byte_sent,
        lambda row: _or_nothing(row.copies_per_byte_sent, "{:.2f}".format),
        rank=7,
    ),
    Column("copy CPU", lambda row: row.copy_cpu_ratio, lambda row: _or_nothing(row.copy_cpu_ratio, percent), rank=4),
)
LISTENERS: tuple[Column[Listener], ...] = (
    Column("listener", lambda row: row.listener, lambda row: f"{row.listener} :{row.port}", is_text=True),
    Column("protocol", lambda row: row.protocol, lambda row: row.protocol, is_text=True, rank=4),
    Column("broker", lambda row: row.node_id, lambda row: row.node_id, is_text=True, rank=3),
    Column("sent", _sent, lambda row: rate(_sent(row))),
    Column(
        "received", lambda row: row.received_bytes_per_second, lambda row: rate(row.received_bytes_per_second), rank=5
    ),
    Column("zero copy", lambda row: row.zero_copy_ratio, lambda row: _or_nothing(row.zero_copy_ratio, percent), rank=1),
    Column("why not", lambda row: row.reason, lambda row: row.reason, is_text=True, rank=2),
)
TOPICS: tuple[Column[Topic], ...] = (
    Column("topic", lambda row: row.topic, lambda row: f"{row.topic} {row.partition}".rstrip(), is_text=True),
    Column("broker", lambda row: row.node_id, lambda row: row.node_id, is_text=True, rank=2),
    Column("written", lambda row: row.written.cpu, lambda row: rate(row.written.cpu)),
    Column("read", _read, lambda row: rate(_read(row)), rank=1),
    Column("by zero copy", lambda row: row.read.zero_copy, lambda row: size(row.read.zero_copy), rank=3),
    Column("from disk", lambda row: row.read.dma, lambda row: size(row.read.dma), rank=4),
)
HOPS: tuple[Column[ProcessHop], ...] = (
    Column("call", lambda row: row.syscall, lambda row: row.syscall or "(block layer)", is_text=True),
    Column("from", lambda row: row.source, lambda row: row.source, is_text=True, rank=2),
    Column("to", lambda row: row.destination, lambda row: row.destination, is_text=True, rank=3),
    Column("port", lambda row: row.port, lambda row: str(row.port or NOTHING), is_text=True, rank=5),
    Column(
        "mechanism",
        lambda row: row.mechanism,
        lambda row: MECHANISMS.get(row.mechanism, row.mechanism),
        is_text=True,
        rank=1,
    ),
    Column("calls/s", lambda row: row.calls_per_second, lambda row: count(row.calls_per_second), rank=4),
    Column("bytes", lambda row: row.bytes_per_second, lambda row: rate(row.bytes_per_second)),
)
ERRORS: tuple[Column[ProcessError], ...] = (
    Column("call", lambda row: row.syscall, lambda row: row.syscall, is_text=True),
    Column("error", lambda row: row.errno, lambda row: row.errno, is_text=True),
    Column("errors/s", lambda row: row.errors_per_second, lambda row: count(row.errors_per_second)),
)
