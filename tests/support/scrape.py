"""One exposition in OpenMetrics, parsed."""

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

Key = tuple[str, frozenset[tuple[str, str]]]
"""A sample's name and labels."""


def has_labels(labels: frozenset[tuple[str, str]], wanted: dict[str, str]) -> bool:
    return wanted.items() <= dict(labels).items()


class Scrape:
    """One exposition in OpenMetrics."""

    def __init__(self, text: str) -> None:
        """Parse with prometheus-client's strict parser. Raises AssertionError when a series appears twice."""
        self.values: dict[Key, float] = {}
        self.created: dict[Key, float] = {}
        self.counters: set[Key] = set()
        for family in text_string_to_metric_families(text):
            self._add(family)

    def _add(self, family: Metric) -> None:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in self.values, f"{key} appears twice"
            self.values[key] = sample.value
            if sample.name.endswith("_created"):
                self.created[f"{family.name}_total", key[1]] = sample.value
            elif family.type == "counter" or sample.name.endswith(("_bucket", "_count")):
                self.counters.add(key)

    def sum(self, metric: str, **labels: str) -> float:
        """The sum over all series of a metric that have these labels."""
        return sum(value for (name, own), value in self.values.items() if name == metric and has_labels(own, labels))

    def series(self, metric: str, **labels: str) -> list[dict[str, str]]:
        """The labels of each series of a metric that has these labels."""
        return [dict(own) for name, own in self.values if name == metric and has_labels(own, labels)]
