"""Every PromQL query that is shipped: of panels, rules, alerts and runbooks."""

from tests.support.dashboard_files import targets
from tests.support.promql import Selector, selectors
from tests.support.rule_files import ALERTS, alert_names, recorded, rules, runbook_queries


def shipped_queries() -> dict[str, str]:
    """Expressions by where they are."""
    return {**{str(target): target.expression for target in targets()}, **recorded(), **_alerts(), **_runbooks()}


def _alerts() -> dict[str, str]:
    found = {}
    for rule in rules(ALERTS):
        name = f"alert {rule.name} {rule.reason}".strip()
        found[name] = rule.expression
        found |= {f"{name}, annotation {number}": text for number, text in enumerate(rule.annotation_queries, 1)}
    return found


def _runbooks() -> dict[str, str]:
    return {
        f"runbook {alert}, query {number}": text
        for alert in alert_names()
        for number, text in enumerate(runbook_queries(alert), 1)
    }


def selectors_behind(expression: str) -> list[Selector]:
    """The selectors of families that an expression reads, directly or through recorded series."""
    found: list[Selector] = []
    for selector in selectors(expression):
        text = recorded().get(selector.name)
        found += [selector] if text is None else selectors_behind(text)
    return found
