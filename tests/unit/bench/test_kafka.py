"""The arithmetic of the broker's bench and demo: no broker needed."""

import io

import pytest
from rich.console import Console

from bench.kafka.demo_report import Step, show
from bench.kafka.scraped import Scraped
from bench.kafka.throughput import FIGURES, Arms

MIB = 1 << 20


class Exporter:
    """What ``bench.served.Served`` is to :class:`Scraped`."""

    def __init__(self, *lines: str) -> None:
        self._text = "".join(f"copy_{line}\n" for line in lines)

    def scrape(self, *, openmetrics: bool) -> str:
        assert not openmetrics
        return self._text


def scraped(calls: int, passed: int, copied: int) -> Scraped:
    hop = 'pid="7",comm="java",syscall="{}",source="page_cache",destination="tcp",port="9092"'
    zero, cpu = hop.format("sendfile"), hop.format("write")
    topic = '{node_id="1",topic="orders"}'
    return Scraped(
        Exporter(
            f"syscalls_total{{{zero}}} {calls}",
            f"zero_copied_bytes_total{{{zero}}} {passed * MIB}",
            f"cpu_copied_bytes_total{{{cpu}}} {copied * MIB}",
            'kafka_listener_info{pid="7",comm="java",node_id="1",listener="A",protocol="SSL",port="9092"} 1',
            'kafka_listener_info{pid="8",comm="java",node_id="2",listener="B",protocol="SSL",port="9093"} 1',
            *(
                f"kafka_topic_{way}_bytes_total{topic} {amount * MIB}"
                for way, amount in (("zero_copied", passed), ("cpu_copied_read", 1), ("cpu_copied_written", 2))
            ),
            f'kafka_topic_zero_copied_bytes_total{{node_id="2",topic="elsewhere"}} {MIB}',
        )  # type: ignore[arg-type]
    )


def test_a_step_is_what_was_added() -> None:
    step = Step("consume", "7", 10 * MIB, scraped(100, 3, 1), scraped(150, 13, 1))
    assert step.row() == ("consume", "10", "0.00", "1.00", "0", "10", "0")


def test_the_tables_are_of_one_broker() -> None:
    text = io.StringIO()
    steps = [Step("consume", "7", 10 * MIB, scraped(0, 0, 0), scraped(20, 9, 1))]
    show(Console(file=text, width=140), "4.1.1", steps)
    rows = [line.split() for line in text.getvalue().splitlines()]
    assert ["A", "SSL", "9092", "0.0", "1.0", "9.0", "90.0%", "4"] in rows
    assert ["orders", "2.0", "1.0", "9.0", "0.0"] in rows
    assert not any(row[:1] in (["B"], ["elsewhere"]) for row in rows)


def test_ratios_are_of_rounds() -> None:
    arms = Arms()
    for name in FIGURES:
        arms.without.values[name] += [100, 10, 50]
        arms.beside.values[name] += [99, 9.9, 49.5]
    for name in FIGURES:
        assert arms.ratio(name).median == pytest.approx(0.99)
        assert arms.ratio(name).high == pytest.approx(0.99)
