"""Consecutive scrapes of one exporter, checked against each other and added up."""

from collections import defaultdict
from collections.abc import Iterable

from tests.support.scrape import Key, Scrape, has_labels

_ROUNDING = 1 + 1e-9
"""Sums of seconds are sums of fractions."""
_SAME_SECONDS = 0.01
"""Two creation times closer than this are the same: they are in wall-clock time, which is adjusted."""


class ScrapeRecorder:
    """Adds up what a Prometheus that scrapes from the start would know: first values and increases.

    Each scrape must continue the one before. No counter decreases, unless another process has taken over the series,
    which then has another creation time. A series that ended does not return with its old creation time. The sum over
    all processes never exceeds the host's total. Raises AssertionError otherwise.
    """

    def __init__(self) -> None:
        self._last: Scrape | None = None
        self._known: dict[Key, float] = {}
        self._increases: dict[Key, float] = defaultdict(float)

    def add_text(self, text: str) -> Scrape:
        """Add the next scrape, as text in OpenMetrics."""
        return self.add(Scrape(text))

    def add(self, scrape: Scrape) -> Scrape:
        """Add the next scrape."""
        for key in scrape.counters:
            self._increases[key] += self._increase(key, scrape)
        self._known |= scrape.created
        self._last = scrape
        self._check_sums(scrape)
        return scrape

    def add_texts(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.add_text(text)

    def total(self, metric: str, **labels: str) -> float:
        """The sum of first values and increases over all series that ever had these labels."""
        return sum(
            value for (name, own), value in self._increases.items() if name == metric and has_labels(own, labels)
        )

    def names(self, metric: str, label: str, **labels: str) -> set[str]:
        """The values of a label in all series that ever increased."""
        return {
            dict(own)[label]
            for (name, own), value in self._increases.items()
            if name == metric and value and has_labels(own, labels)
        }

    def _increase(self, key: Key, scrape: Scrape) -> float:
        now = scrape.values[key]
        before = self._last.values.get(key) if self._last else None
        continues = key not in scrape.created or self._same_creation(key, scrape)
        if before is not None and continues:
            assert now >= before, f"{key} went from {before} to {now}"
            return now - before
        assert before is not None or key not in self._known or not continues, (
            f"{key} returned with its old creation time"
        )
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
                assert value <= scrape.values[key] * _ROUNDING, (
                    f"{key}: the processes have {value}, the host has {scrape.values[key]}"
                )
