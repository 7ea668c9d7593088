"""The shipped rules and the queries of all panels, on each engine that docs/alerts.md and docs/fleet.md name."""

import math
import re
from contextlib import suppress

import pytest

from tests.support.alertmanager import Alertmanager
from tests.support.dashboard_files import Target, Viewer, targets
from tests.support.prometheus import Series
from tests.support.rule_files import ALERTS, RECORDING, alert_names, recorded, rules
from tests.support.wait import wait_until

from .conftest import ENGINES, OPERATOR_LABELS, Engine, Scene

pytestmark = pytest.mark.engines

ADDED_BY_THANOS = {"receive", "tenant_id"}
FIRING = {*alert_names()} - {"ZeroCopyRegression"}
"""ZeroCopyRegression needs data of the day before."""
QUERIED = {
    "CopyHeavyProcess": "Largest part: write, user to tcp on port ",
    "ZeroCopyLost": "The port sends",
    "SmallCopies": "Most frequent call: read, page_cache to user",
    "SendfileBlocking": "The process reads",
    "JVMSendfileFallback": "Most frequent error: EINVAL",
    "CopyCpuHigh": "The kernel's copy routines keep",
    "NetworkSaturatedBeforeCPU": "Copying uses",
}
"""What an annotation says only if a query of its template has a result."""
_AMOUNT = re.compile(r"(?<![\w:.])[\d.]+(ms|m|s|%|[kKMG]i?)?(?= |/s|B/s|\b)")
Labels = frozenset[tuple[str, str]]
Answer = tuple[Labels, float]
TOLERANCE = 0.25
"""Of rates: each engine extrapolates to the ends of the window in its own way, and misses a scrape now and then."""


@pytest.fixture(params=ENGINES)
def engine(scene: Scene, request: pytest.FixtureRequest) -> Engine:
    return scene.engines[request.param]


def test_every_rule_is_evaluated_without_an_error(engine: Engine):
    found = [rule for group in engine.rules.get("rules")["groups"] for rule in group["rules"]]
    assert len(found) == len(rules(ALERTS)) + len(rules(RECORDING))
    assert {rule["name"]: rule.get("lastError") for rule in found if rule["health"] != "ok"} == {}


def test_no_scrape_has_a_series_twice(scene: Scene):
    """Prometheus 3 drops the second sample, and warns."""
    log = scene.engines["Prometheus"].store.log()
    assert [line for line in log.splitlines() if "level=WARN" in line and 'component="scrape manager"' in line] == []


@pytest.mark.parametrize("name", sorted(recorded()))
def test_every_recorded_series_keeps_the_labels_of_the_operator(scene: Scene, engine: Engine, name: str):
    found = engine.store.instant(f'last_over_time({name}{{instance="{scene.constant}"}}[10s])')
    assert found
    assert {label: {series.labels.get(label) for series in found} for label in OPERATOR_LABELS} == {
        label: {value} for label, value in OPERATOR_LABELS.items()
    }


def test_alerts_reach_alertmanager_with_the_labels_of_the_operator(engine: Engine):
    wait_until(lambda: {alert.labels["alertname"] for alert in engine.alertmanager.alerts()} >= FIRING, "alerts", 120)
    assert [
        alert for alert in engine.alertmanager.alerts() if not OPERATOR_LABELS.items() <= alert.labels.items()
    ] == []


@pytest.mark.parametrize("name", sorted(FIRING))
def test_an_alert_says_the_same_as_that_of_prometheus(scene: Scene, engine: Engine, name: str):
    expected = scene.engines["Prometheus"].alertmanager
    for alertmanager in (expected, engine.alertmanager):
        wait_until(lambda found=alertmanager: found.alerts(alertname=name), "the alert", 60)
    texts = _texts(expected, name)
    assert all(QUERIED.get(name, "") in text for text in texts)
    with suppress(TimeoutError):
        wait_until(lambda: _texts(engine.alertmanager, name) == texts, "the same texts", 60)
    assert _texts(engine.alertmanager, name) == texts


def _texts(alertmanager: Alertmanager, name: str) -> list[str]:
    """The annotations, without numbers with a unit, which differ a little."""
    return sorted(_AMOUNT.sub("", str(alert.annotations)) for alert in alertmanager.alerts(alertname=name))


@pytest.mark.parametrize("target", targets(), ids=str)
def test_every_panel_query_has_the_answer_of_prometheus(scene: Scene, target: Target):
    expression = Viewer({"instance": (scene.constant, scene.down)}).query(target.expression, target.document)
    with suppress(TimeoutError):  # a busy machine delays a sample, so that a rate ends or an alert starts again
        wait_until(lambda: _differences(scene, expression) == {}, "the same answer", 60)
    assert _differences(scene, expression) == {}


def _differences(scene: Scene, expression: str) -> dict[str, dict[str, set[Answer]]]:
    """What an engine answers but Prometheus does not, and the reverse, by engine; at the same time."""
    end = scene.end
    answers = {name: _by_labels(engine.store.instant(expression, time=end)) for name, engine in scene.engines.items()}
    expected = answers.pop("Prometheus")
    assert expected
    return {
        name: {"only here": answer.items() - expected.items(), "only in Prometheus": expected.items() - answer.items()}
        for name, answer in answers.items()
        if answer.keys() != expected.keys() or not all(_close(value, answer[key]) for key, value in expected.items())
    }


def _by_labels(found: list[Series]) -> dict[Labels, float]:
    return {
        frozenset(
            (label, value) for label, value in series.labels.items() if label not in ADDED_BY_THANOS
        ): series.values[0]
        for series in found
    }


def _close(value: float, other: float) -> bool:
    return (math.isnan(value) and math.isnan(other)) or math.isclose(value, other, rel_tol=TOLERANCE, abs_tol=1e-9)
