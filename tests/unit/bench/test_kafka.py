"""The arithmetic of the broker's bench and demo, without a broker."""

import io

import pytest
from rich.console import Console

from bench.kafka.demo_report import Step, print_report
from bench.kafka.throughput import FIGURES, Comparison
from tests.support.scrape import Scrape

MIB = 1 << 20
LISTENERS = """\
# TYPE copy_kafka_listener_info gauge
copy_kafka_listener_info{pid="7",comm="java",cluster_id="c",node_id="1",listener="A",protocol="SSL",port="9092"} 1
copy_kafka_listener_info{pid="8",comm="java",cluster_id="c",node_id="2",listener="B",protocol="SSL",port="9093"} 1
"""


def scrape(calls: int, zero_copied_mib: int, copied_mib: int) -> Scrape:
    """Two brokers; the first one has sent this."""
    hop = 'pid="7",comm="java",syscall="sendfile",source="page_cache",destination="tcp",port="9092"'
    topic = 'cluster_id="c",node_id="1",topic="orders"'
    return Scrape(
        f"# TYPE copy_syscalls counter\ncopy_syscalls_total{{{hop}}} {calls}\n"
        "# TYPE copy_bytes counter\n"
        f'copy_bytes_total{{{hop},mechanism="zero_copy"}} {zero_copied_mib * MIB}\n'
        f'copy_bytes_total{{{hop},mechanism="cpu"}} {copied_mib * MIB}\n{LISTENERS}'
        "# TYPE copy_kafka_topic_bytes counter\n"
        f'copy_kafka_topic_bytes_total{{{topic},operation="read",mechanism="zero_copy"}} {zero_copied_mib * MIB}\n'
        f'copy_kafka_topic_bytes_total{{{topic},operation="read",mechanism="cpu"}} {1 * MIB}\n'
        f'copy_kafka_topic_bytes_total{{{topic},operation="write",mechanism="cpu"}} {2 * MIB}\n'
        'copy_kafka_topic_bytes_total{cluster_id="c",node_id="2",topic="other",operation="read",mechanism="dma"} 1\n'
        "# EOF\n"
    )


def test_a_step_shows_increases() -> None:
    step = Step("consume", "7", 10 * MIB, scrape(100, 3, 1), scrape(150, 13, 1))
    assert step.row() == ("consume", "10", "0.00", "1.00", "0", "10", "0")


def test_the_tables_show_one_broker() -> None:
    text = io.StringIO()
    steps = [Step("consume", "7", 10 * MIB, scrape(0, 0, 0), scrape(20, 9, 1))]
    print_report(Console(file=text, width=140), "4.1.1", steps)
    rows = [line.split() for line in text.getvalue().splitlines()]
    assert ["A", "SSL", "9092", "0.0", "1.0", "9.0", "90.0%", "4"] in rows
    assert ["orders", "2.0", "1.0", "9.0", "0.0"] in rows
    assert not any(row[:1] in (["B"], ["elsewhere"]) for row in rows)


def test_ratios_are_taken_round_by_round() -> None:
    comparison = Comparison()
    for name in FIGURES:
        comparison.without_exporter.values[name] += [100, 10, 50]
        comparison.with_exporter.values[name] += [99, 9.9, 49.5]
    for name in FIGURES:
        assert comparison.ratio(name).median == pytest.approx(0.99)
        assert comparison.ratio(name).high == pytest.approx(0.99)
