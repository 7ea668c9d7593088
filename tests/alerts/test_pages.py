"""The pages about alerts: complete, with valid queries and with configurations that the servers accept."""

import re
import subprocess
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.support.rule_files import ALERTS, ALERTS_PAGE, RUNBOOKS, promtool, rules, runbook_queries, runbooks

SECTIONS = ["## What it means", "## How to check", "## What to do"]


def test_the_page_lists_each_alert_with_its_severity():
    page = ALERTS_PAGE.read_text()
    rows = re.findall(r"^\| (\w+) \| (\w+) \|.*\(runbooks/(\w+)\.md\) \|$", page, re.MULTILINE)
    assert rows == [(rule.name, rule.content["labels"]["severity"], rule.runbook) for rule in rules(ALERTS)]


@pytest.mark.parametrize("name", runbooks())
def test_a_runbook_has_its_sections(name):
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert [line for line in page.splitlines() if line.startswith("## ")] == SECTIONS
    for target in re.findall(r"\]\(([^)#]+)", page):
        assert (RUNBOOKS / target).exists(), target


@pytest.mark.parametrize("name", runbooks())
def test_queries_of_a_runbook_are_promql(name, tmp_path):
    asked = runbook_queries(name)
    assert asked
    checked = tmp_path / "rules.yml"
    found = [{"record": f"query_{number}", "expr": expression} for number, expression in enumerate(asked)]
    checked.write_text(yaml.safe_dump({"groups": [{"name": name, "rules": found}]}))
    promtool("check", "rules", checked)


def example(first_line: str) -> str:
    """The indented example of docs/alerts.md that starts with this line."""
    blocks = re.findall(r"(?:^ {4}.*\n)+", ALERTS_PAGE.read_text(), re.MULTILINE)
    (found,) = [block for block in map(textwrap.dedent, blocks) if block.startswith(first_line)]
    return found


def test_prometheus_accepts_the_example(tmp_path: Path):
    path = tmp_path / "prometheus.yml"
    path.write_text(example("rule_files:"))
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
def test_alertmanager_drops_what_the_example_excludes(labels: tuple[str, ...], receiver: str, tmp_path: Path):
    config = yaml.safe_load(example("route:"))
    config["route"]["receiver"] = "people"
    config["receivers"] = [{"name": "people"}, {"name": "none"}]
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    command = ["amtool", "config", "routes", "test", f"--config.file={path}", f"--verify.receivers={receiver}", *labels]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_links_to_runbooks_can_be_replaced():
    (command,) = re.findall(r"sed -i '(.*)' alerts.rules.yml", ALERTS_PAGE.read_text())
    replaced = subprocess.run(["sed", command, ALERTS], capture_output=True, text=True, check=True).stdout
    urls = {
        rule["annotations"]["runbook_url"] for group in yaml.safe_load(replaced)["groups"] for rule in group["rules"]
    }
    assert urls == {f"https://wiki.example.com/copy-exporter/{name}.md" for name in runbooks()}
