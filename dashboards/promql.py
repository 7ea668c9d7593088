"""PromQL whose labels are known, so that `without (...)` can list every label that a sum drops.

Rules sum `without`, not `by`: labels that a scrape configuration adds to a target (cluster, namespace, pod) survive.
"""

import textwrap
from dataclasses import dataclass

from exporter.metrics.catalog import FAMILIES

_LINE = 100
"""Characters of an expression that stays on one line."""
LABELS = {family.name: family.labels for family in FAMILIES}
LABELS |= {f"{family.name}_bucket": (*family.labels, "le") for family in FAMILIES if family.type == "histogram"}
"""The labels of the series of each name."""


@dataclass(frozen=True)
class Vector:
    """An expression, and the labels that copy-exporter gives to its series; the target's labels come on top."""

    expression: str
    labels: tuple[str, ...]

    def __add__(self, other: "Vector") -> "Vector":
        """Both series sets as one, for an aggregation over them; no series may be in both."""
        return Vector(f"{self.expression}\nor {other.expression}", tuple(dict.fromkeys(self.labels + other.labels)))

    def times(self, factor: int) -> "Vector":
        """Multiplied by a number."""
        return Vector(f"{factor} * {self.expression}", self.labels)


def series(name: str, *matchers: str) -> Vector:
    """The series of a family; of a histogram by the name of its buckets."""
    return select(Vector(name, LABELS[name]), *matchers)


def select(vector: Vector, *matchers: str) -> Vector:
    """The series of a name that match."""
    return Vector(f"{vector.expression}{{{', '.join(matchers)}}}", vector.labels) if matchers else vector


def rate(name: str, *matchers: str, window: str = "5m") -> Vector:
    """Increase of a counter per second."""
    found = series(name, *matchers)
    return Vector(f"rate({found.expression}[{window}])", found.labels)


def aggregate(operator: str, vector: Vector, *keep: str) -> Vector:
    """One series for each set of values of the labels in ``keep`` and of the target's labels."""
    dropped = [label for label in vector.labels if label not in keep]
    if not dropped:
        return vector
    return Vector(_wrapped(f"{operator} without ({', '.join(dropped)}) (", vector.expression, ")"), keep)


def total(vector: Vector, *keep: str) -> Vector:
    """The sum, see :func:`aggregate`."""
    return aggregate("sum", vector, *keep)


def quotient(amount: Vector, divisor: Vector) -> Vector:
    """``amount / divisor``, without a value where the divisor is 0."""
    break_or_space = "\n" if len(amount.expression + divisor.expression) > _LINE else " "
    return Vector(f"{amount.expression}{break_or_space}/ ({divisor.expression} > 0)", amount.labels)


def share(part: Vector, whole: Vector) -> Vector:
    """Part of a whole: 0 where the part is absent, without a value where the whole is 0."""
    known = _wrapped("(", f"{part.expression}\nor 0 * {whole.expression}", ")")
    return Vector(f"{known}\n/ {_wrapped('(', whole.expression, ' > 0)')}", whole.labels)


def _wrapped(before: str, expression: str, after: str) -> str:
    if "\n" not in expression and len(before + expression + after) <= _LINE:
        return before + expression + after
    return f"{before}\n{textwrap.indent(expression, '  ')}\n{after.strip()}"
