"""No query adds up bytes of different mechanisms by accident.

The families of bytes count once per hop, so a byte that is read and sent counts twice in a sum over all mechanisms.
Each query selects one mechanism, keeps the label, or is listed here with the reason why it adds mechanisms up.
"""

import re

import pytest

from dashboards import recording
from exporter.metrics.catalog import FAMILIES
from tests.support.promql import Selector, aggregated
from tests.support.shipped_queries import shipped_queries

BYTES = {family.name for family in FAMILIES if "mechanism" in family.labels}
BYTES |= {rule.name for rule in recording.rules() if "mechanism" in rule.value.labels}
ADDS_UP_MECHANISMS = {
    "one side of a socket: each byte makes one such hop": {
        "host: Sent by zero copy",
        "host: CPU copies per byte sent",
        "process: Sent by zero copy",
        "process: CPU copies per byte sent",
        "process: Mode switches/MiB sent",
        "process: By watched port",
        "kafka: Plaintext zero copy",
        "fleet: Sent by zero copy, by watched port",
        "kafka: Sent",
        "kafka: Received",
        "kafka: Listeners",
        "kafka: Sent by zero copy, by listener",
        "kafka: Sent by zero copy, by broker",
        "kafka: System calls per MiB sent",
        "kafka: Sent on these ports, and by devices",
        "kafka: Coverage",
        "kafka: tcp → user: received, by listener",
        "host_port:copy_zero_copied_sent:ratio_rate5m",
        "host_port:copy_zero_copied_sent:ratio_rate1h",
        "listener:copy_kafka_zero_copied_sent:ratio_rate5m",
        "listener:copy_kafka_zero_copied_sent:ratio_rate1h",
        "alert ZeroCopyLost",
        "alert ZeroCopyRegression",
    },
    "reads of a topic's files: each byte leaves the page cache once": {
        "kafka: Zero-copy part by topic",
        "kafka: Disk part by topic",
        "topic:copy_kafka_topic_zero_copied:ratio_rate5m",
    },
    "bytes per call or mode switch: calls, too, count once per hop": {
        "host: Mode switches per MiB moved",
        "host: Mode switches per MiB moved, by process",
        "process: Mean size of a call",
        "host:copy_moved_bytes:rate5m",
        "fleet: Mode switches per MiB",
        "fleet: Processes that copy most, with their hosts",
        "process:copy_moved_bytes:rate5m",
    },
    "the part of all hops that uses zero copy": {
        "fleet: Zero-copy part by host",
        "host:copy_zero_copied:ratio_rate5m",
        "process:copy_zero_copied:ratio_rate5m",
    },
}


def adds_up(expression: str) -> list[Selector]:
    """The selectors of bytes whose mechanisms an expression adds up."""
    return [
        selector
        for selector in aggregated(expression, "mechanism")
        if selector.name in BYTES and not re.fullmatch(r'=\s*"\w+"', selector.matchers.get("mechanism", ""))
    ]


def test_queries_that_add_up_mechanisms_are_listed_with_the_reason():
    found = {
        re.sub(r" \(\w\)$|, annotation \d+$", "", name) for name, text in shipped_queries().items() if adds_up(text)
    }
    assert found == set().union(*ADDS_UP_MECHANISMS.values())


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("sum(rate(copy_bytes_total[5m]))", ["copy_bytes_total"]),
        ("sum by (pid) (rate(copy_host_bytes_total[5m]))", ["copy_host_bytes_total"]),
        ("sum without (mechanism) (process:copy_bytes:rate5m)", ["process:copy_bytes:rate5m"]),
        ('sum(copy_bytes_total{mechanism=~"cpu|dma"})', ["copy_bytes_total"]),
        ('sum(copy_bytes_total{mechanism!="dma"})', ["copy_bytes_total"]),
        ('sum(copy_bytes_total{mechanism="cpu"})', []),
        ("sum by (mechanism) (copy_bytes_total)", []),
        ("sum(copy_syscalls_total)", []),
    ],
)
def test_an_unlisted_sum_would_be_found(expression: str, names: list[str]):
    assert [selector.name for selector in adds_up(expression)] == names
