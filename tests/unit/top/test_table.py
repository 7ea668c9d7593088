"""Rows of tables: order, filter and width."""

from dataclasses import replace

import pytest

from exporter.live.rates import Process
from exporter.top.columns import LISTENERS, PROCESSES, TOPICS
from exporter.top.report import PROCESS_ORDER
from exporter.top.table import Order, arrange, lay_out

from .sample_rates import MIB, kafka, process

TITLES = [column.title for column in PROCESSES]
ROWS = [
    process("10", "java", cpu=2.0 * MIB, name="kafka.Kafka"),
    process("9", "Python", cpu=5.0 * MIB, copies_per_byte_sent=None),
    process("other", "other", cpu=1.0),
]


def pids(rows: list[Process]) -> list[str]:
    return [row.pid for row in rows]


def by(title: str, *, descending: bool = True) -> Order:
    return Order(TITLES.index(title), descending)


def test_order() -> None:
    assert pids(arrange(ROWS, PROCESSES, PROCESS_ORDER)) == ["9", "10", "other"]
    assert pids(arrange(ROWS, PROCESSES, by("pid", descending=False))) == ["other", "9", "10"]
    assert pids(arrange(ROWS, PROCESSES, by("process", descending=False))) == ["10", "other", "9"], "without case"
    assert pids(arrange(ROWS, PROCESSES, by("copies/byte sent", descending=False)))[0] == "9", "unknown comes first"


def test_choosing_a_column_again_reverses_it() -> None:
    order = PROCESS_ORDER.by(0, is_text=True)
    assert order == Order(0, descending=False)
    assert order.by(0, is_text=True) == Order(0, descending=True)
    assert order.by(3, is_text=False) == Order(3, descending=True)


@pytest.mark.parametrize(("wanted", "found"), [("JAVA", ["10"]), ("kafka.k", ["10"]), ("9", ["9"]), ("2.0 MiB", [])])
def test_filter(wanted: str, found: list[str]) -> None:
    assert pids(arrange(ROWS, PROCESSES, PROCESS_ORDER, wanted)) == found


@pytest.mark.parametrize("width", range(30, 160))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = [*ROWS, process("4194304", "é" * 15, name="x" * 200, cpu=1e12)]
    layout = lay_out(rows, PROCESSES, width, ascii_only=False)
    assert max(map(len, layout.lines())) <= width
    assert [column.title for column in layout.columns][:2] in (["process", "pid"], ["process", "CPU copies/s"])


def test_a_wide_terminal_has_all_columns() -> None:
    lines = lay_out(arrange(ROWS, PROCESSES, PROCESS_ORDER), PROCESSES, 140, ascii_only=True).lines()
    assert lines == [
        "process           pid    CPU copies/s  zero copy/s  DMA/s  switches/s  bytes/call  copies/byte sent  copy CPU",
        "Python            9           5.0 MiB          0 B    0 B          32     4.0 KiB                 -      1.5%",
        "java kafka.Kafka  10          2.0 MiB          0 B    0 B          32     4.0 KiB              0.25      1.5%",
        "other             other           1 B          0 B    0 B          32     4.0 KiB              0.25      1.5%",
    ]


def test_a_column_is_found_by_its_cells() -> None:
    layout = lay_out(ROWS, PROCESSES, 140, ascii_only=True)
    assert [layout.column_at(x) for x in (0, 17, 18, 24, 25, 200)] == [0, 0, 1, 1, 2, None]


def test_kafka() -> None:
    tables = kafka()
    assert lay_out(tables.listeners, LISTENERS, 140, ascii_only=True).lines() == [
        "listener         protocol   broker       sent   received  zero copy  why not",
        "PLAINTEXT :9092  PLAINTEXT  1       4.0 MiB/s  1.0 MiB/s       100%",
        "SSL :9093        SSL        1       1.0 MiB/s  1.0 MiB/s         0%  tls",
    ]
    assert lay_out(tables.topics, TOPICS, 36, ascii_only=True).lines() == [
        "topic       written       read",
        "orders 0  2.0 MiB/s  4.0 MiB/s",
    ]


def test_hostile_names_stay_in_their_cells() -> None:
    rows = [replace(ROWS[0], comm="\x1b[2J\n", name="")]
    (_, line) = lay_out(rows, PROCESSES, 140, ascii_only=False).lines()
    assert line.isprintable()
