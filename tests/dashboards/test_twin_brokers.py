"""Panels of two brokers of one host with the same port, as containers have it: each listener has its own numbers."""

from pathlib import Path

import pytest
import yaml

from tests.support.dashboard_files import Viewer, targets
from tests.support.rule_files import promtool

PLAIN, SECURE = {"node_id": "1@A"}, {"node_id": "1@B"}
OF_BOTH = {"instance": "b1:10435", "job": "copy-exporter", "cluster_id": "c1", "listener": "CLIENTS", "port": "9092"}
MIB_A_MINUTE = 60 << 20
SENT = {
    ("1@A", "zero_copy"): 90,
    ("1@A", "cpu"): 10,
    ("1@B", "zero_copy"): 0,
    ("1@B", "cpu"): 50,
}
"""MiB per second by node and mechanism."""


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    text = ", ".join(f'{label}="{value}"' for label, value in (OF_BOTH | labels).items())
    return {"series": f"{name}{{{text}}}", "values": values}


INPUT = [
    *(
        series("copy_kafka_listener_bytes_total", f"0+{rate * MIB_A_MINUTE}x20", direction="sent", **labels)
        for (node, mechanism), rate in SENT.items()
        for labels in ({"node_id": node, "mechanism": mechanism},)
    ),
    *(
        series("copy_bytes_total", f"0+{rate * MIB_A_MINUTE}x20", destination="tcp", pid=node, mechanism=mechanism)
        for (node, mechanism), rate in SENT.items()
    ),
    series("copy_kafka_listener_info", "1x20", protocol="PLAINTEXT", **PLAIN),
    series("copy_kafka_listener_info", "1x20", protocol="SSL", **SECURE),
    series("copy_kafka_zero_copy_lost", "1x20", reason="tls", **SECURE),
]
INSTANCE = {"instance": OF_BOTH["instance"]}
SHARES = {"Sent by zero copy, by listener": {"1@A": 0.9, "1@B": 0.0}, "Plaintext zero copy": {"": 0.9}}
SENT_BY_NODE = {"1@A": 100.0 * 2**20, "1@B": 50.0 * 2**20}


def case(title: str, expected: dict[str, float], protocols: dict[str, str] | None = None) -> dict[str, object]:
    """A query of the dashboard, and its values by node id; without one, by host."""
    target = next(found for found in targets("kafka") if (found.panel, found.letter) == (title, "A"))
    labels = [name for name in OF_BOTH if name != "job"]
    samples = []
    for node, value in expected.items():
        found = {name: OF_BOTH[name] for name in labels} | {"node_id": node} if node else INSTANCE
        if protocols:
            found = found | {"protocol": protocols[node]}
        written = ", ".join(f'{label}="{text}"' for label, text in found.items())
        samples.append({"labels": f"{{{written}}}", "value": value})
    query = Viewer({}, window="5m").query(target.expression, "kafka")
    return {"expr": query, "eval_time": "15m", "exp_samples": samples}


@pytest.mark.parametrize("title", sorted(SHARES))
def test_shares(tmp_path: Path, title: str) -> None:
    check(tmp_path, case(title, SHARES[title]))


def test_the_table_has_the_protocol_of_each(tmp_path: Path) -> None:
    check(tmp_path, case("Listeners", SENT_BY_NODE, {"1@A": "PLAINTEXT", "1@B": "SSL"}))


def check(directory: Path, *cases: dict[str, object]) -> None:
    file = directory / "panels.test.yml"
    test = {"interval": "1m", "input_series": INPUT, "promql_expr_test": list(cases)}
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    promtool("test", "rules", file)
