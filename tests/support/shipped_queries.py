"""Every PromQL query that is shipped: of panels, rules, alerts and runbooks."""

from tests.support.dashboard_files import targets
from tests.support.promql import Selector, selectors
from tests.support.rule_files import ALERTS, recorded, rules, runbook_queries, runbooks


def shipped_queries() -> dict[str, str]:
    """Expressions by where they are."""
    return {**{str(target): target.expression for target in targets()}, **recorded(), **_alerts(), **_runbooks()}


def _alerts() -> dict[str, str]:
    found = {}
    for rule in rules(ALERTS):
        name = f"alert {rule.name}"
        found[name] = rule.expression
        found |= {f"{name}, annotation {number}": text for number, text in enumerate(rule.annotation_queries, 1)}
    return found


def _runbooks() -> dict[str, str]:
    return {
        f"runbook {name}, query {number}": text
        for name in runbooks()
        for number, text in enumerate(runbook_queries(name), 1)
    }


def selectors_behind(expression: str) -> list[Selector]:
    """The selectors of families that an expression reads, directly or through recorded series."""
    found: list[Selector] = []
    for selector in selectors(expression):
        text = recorded().get(selector.name)
        found += [selector] if text is None else selectors_behind(text)
    return found
