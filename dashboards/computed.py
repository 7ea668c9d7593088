"""What the recording rules record, computed by a panel's own query from the exporter's series.

So the dashboards work before the rules are loaded, and on hosts that another Prometheus records.
"""

import re
from functools import cache

from dashboards import queries as q
from dashboards.promql import LABELS
from dashboards.recording import rules

_FAMILIES = "|".join(sorted(LABELS, key=len, reverse=True))
_SERIES = re.compile(rf"\b(\w+:\w+:\w+|{_FAMILIES})\b(?:\{{([^}}]*)\}})?")
_NOT_RECORDED = 'instance!~"$recorded"'
"""The variable has the hosts with recorded series: for these, the second half of a query selects nothing."""


def recorded(name: str, *matchers: str) -> str:
    """A recorded series of the chosen hosts; computed for those hosts that have none."""
    own = f"{name}{{{', '.join((q.HOST, *matchers))}}}"
    return f"({q.once(own)} or {q.once(_computed(name, q.HOST, _NOT_RECORDED, *matchers))})"


def computed(name: str) -> str:
    """The same as a recorded series of the chosen hosts, over Grafana's window."""
    return f"({q.once(_computed(name, q.HOST).replace('[5m]', '[$__rate_interval]'))})"


def _computed(name: str, *matchers: str) -> str:
    """Its rule, with the matchers on every series that the rule reads."""

    def written(found: re.Match[str]) -> str:
        scope = [text for text in (found[2], *matchers) if text]
        return f"({_computed(found[1], *scope)})" if ":" in found[1] else f"{found[1]}{{{', '.join(scope)}}}"

    return _SERIES.sub(written, _rules()[name])


@cache
def _rules() -> dict[str, str]:
    return {rule.name: re.sub(r"\s+", " ", rule.value.expression) for rule in rules()}
