"""What a scrape says, and what a Prometheus would have made of all of them."""

from collections import defaultdict
from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

Key = tuple[str, frozenset[tuple[str, str]]]
_ROUNDED_UP = 1 + 1e-9
"""Sums of seconds are sums of fractions."""
_SAME_SECONDS = 0.01
"""Two times of creation closer than this are one: they are told in the wall clock, which is adjusted."""


def labelled(labels: frozenset[tuple[str, str]], wanted: dict[str, str]) -> bool:
    return wanted.items() <= dict(labels).items()


class Scrape:
    """One exposition in OpenMetrics."""

    def __init__(self, text: str) -> None:
        """Parse with prometheus-client's strict parser; no series comes twice."""
        self.values: dict[Key, float] = {}
        self.created: dict[Key, float] = {}
        self.counters: set[Key] = set()
        for family in text_string_to_metric_families(text):
            self._add(family)

    def _add(self, family: Metric) -> None:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in self.values, f"{key} comes twice"
            self.values[key] = sample.value
            if sample.name.endswith("_created"):
                self.created[f"{family.name}_total", key[1]] = sample.value
            elif family.type == "counter" or sample.name.endswith(("_bucket", "_count")):
                self.counters.add(key)

    def sum(self, metric: str, **labels: str) -> float:
        """Of all series of a metric that have these labels."""
        return sum(value for (name, own), value in self.values.items() if name == metric and labelled(own, labels))

    def series(self, metric: str, **labels: str) -> list[dict[str, str]]:
        """The labels of each series of a metric that has these."""
        return [dict(own) for name, own in self.values if name == metric and labelled(own, labels)]


class Prometheus:
    """Sums what a Prometheus that scrapes from the start can know: first values and increases.

    Each scrape that it is fed must go on from the one before: no counter decreases unless another process has taken the
    series over (then it says another time of creation), a series that ended does not come back as if nothing had been,
    and what the processes have together is never more than what the host has.
    """

    def __init__(self) -> None:
        self._last: Scrape | None = None
        self._known: dict[Key, float] = {}
        self._increases: dict[Key, float] = defaultdict(float)

    def feed(self, text: str) -> Scrape:
        """Take in the next exposition."""
        return self.take(Scrape(text))

    def take(self, scrape: Scrape) -> Scrape:
        """Take in the next scrape."""
        for key in scrape.counters:
            self._increases[key] += self._increase(key, scrape)
        self._known |= scrape.created
        self._last = scrape
        self._check_sums(scrape)
        return scrape

    def feed_all(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.feed(text)

    def total(self, metric: str, **labels: str) -> float:
        """First values and increases of all series that ever had these labels."""
        return sum(value for (name, own), value in self._increases.items() if name == metric and labelled(own, labels))

    def names(self, metric: str, label: str, **labels: str) -> set[str]:
        """Values that a label had in series that ever counted."""
        return {
            dict(own)[label]
            for (name, own), value in self._increases.items()
            if name == metric and value and labelled(own, labels)
        }

    def _increase(self, key: Key, scrape: Scrape) -> float:
        now = scrape.values[key]
        before = self._last.values.get(key) if self._last else None
        goes_on = key not in scrape.created or self._same_creation(key, scrape)
        if before is not None and goes_on:
            assert now >= before, f"{key} went from {before} to {now}"
            return now - before
        assert before is not None or key not in self._known or not goes_on, f"{key} came back as it was"
        return now

    def _same_creation(self, key: Key, scrape: Scrape) -> bool:
        return key in self._known and abs(self._known[key] - scrape.created[key]) < _SAME_SECONDS

    def _check_sums(self, scrape: Scrape) -> None:
        processes: dict[Key, float] = defaultdict(float)
        for (name, own), value in self._increases.items():
            labels = dict(own)
            if "comm" in labels:
                rest = frozenset((label, text) for label, text in labels.items() if label not in ("pid", "comm"))
                processes[name.replace("copy_", "copy_host_", 1), rest] += value
        for key, value in processes.items():
            if key in scrape.values:
                assert value <= scrape.values[key] * _ROUNDED_UP, (
                    f"{key}: processes have {value}, the host {scrape.values[key]}"
                )
