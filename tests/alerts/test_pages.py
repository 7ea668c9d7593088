"""The pages on alerts: complete, their queries PromQL, their configurations accepted by those whom they are for."""

import re
import subprocess
import textwrap
from pathlib import Path

import pytest
import yaml

from .rulefiles import ALERTS, PAGE, RUNBOOKS, alert_names, promtool, queries, rules

SECTIONS = ["## What it means", "## How to check", "## What to do"]


def test_the_page_on_alerts_names_each_with_its_severity():
    page = PAGE.read_text()
    rows = dict(re.findall(r"^\| (\w+) \| (\w+) \|.*\(runbooks/\1\.md\) \|$", page, re.MULTILINE))
    assert rows == {rule.name: rule.text["labels"]["severity"] for rule in rules(ALERTS)}


@pytest.mark.parametrize("name", alert_names())
def test_a_runbook_tells_what_how_and_then_what(name):
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert [line for line in page.splitlines() if line.startswith("## ")] == SECTIONS
    for target in re.findall(r"\]\(([^)#]+)", page):
        assert (RUNBOOKS / target).exists(), target


@pytest.mark.parametrize("name", alert_names())
def test_a_runbooks_queries_are_promql(name, tmp_path):
    asked = queries(name)
    assert asked
    checked = tmp_path / "rules.yml"
    found = [{"record": f"query_{number}", "expr": expression} for number, expression in enumerate(asked)]
    checked.write_text(yaml.safe_dump({"groups": [{"name": name, "rules": found}]}))
    promtool("check", "rules", checked)


def configuration(first_line: str) -> str:
    """The one indented example of the page on alerts that begins so."""
    blocks = re.findall(r"(?:^ {4}.*\n)+", PAGE.read_text(), re.MULTILINE)
    (found,) = [block for block in map(textwrap.dedent, blocks) if block.startswith(first_line)]
    return found


def test_prometheus_takes_the_example(tmp_path: Path):
    path = tmp_path / "prometheus.yml"
    path.write_text(configuration("rule_files:"))
    promtool("check", "config", path)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=CopyHeavyProcess", "name=backup.py"), "none"),
        (("alertname=CopyHeavyProcess", "name=kafka.Kafka"), "people"),
        (("alertname=ZeroCopyRegression", "port=8443"), "none"),
        (("alertname=ZeroCopyLost", "port=9092"), "people"),
    ],
)
def test_alertmanager_leaves_out_what_the_example_names(labels: tuple[str, ...], receiver: str, tmp_path: Path):
    config = yaml.safe_load(configuration("route:"))
    config["route"]["receiver"] = "people"
    config["receivers"] = [{"name": "people"}, {"name": "none"}]
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    command = ["amtool", "config", "routes", "test", f"--config.file={path}", f"--verify.receivers={receiver}", *labels]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_links_to_runbooks_can_be_turned_to_another_place():
    (command,) = re.findall(r"sed -i '(.*)' alerts.rules.yml", PAGE.read_text())
    turned = subprocess.run(["sed", command, ALERTS], capture_output=True, text=True, check=True).stdout
    urls = {rule["annotations"]["runbook_url"] for group in yaml.safe_load(turned)["groups"] for rule in group["rules"]}
    assert urls == {f"https://wiki.example.com/copy-exporter/{name}.md" for name in alert_names()}
