"""From a reading to the samples of the families that compute them."""

from collections.abc import Iterable
from typing import Generic

from exporter.metrics.family import T, ValueFamily
from exporter.metrics.text_format import NO_LABELS, Labels, WrittenMetric, number_text

_Kept = dict[tuple[str, ...], Labels]
"""The labels of one family, by their values as they were read."""


class ValueMetrics(Generic[T]):
    """The metrics of value families. Labels of one scrape are kept for the next, which has most of them too."""

    def __init__(self, families: Iterable[ValueFamily[T]]) -> None:
        self._families = tuple(families)
        self._kept: dict[str, _Kept] = {family.name: {} for family in self._families}

    def metrics(self, reading: T) -> list[WrittenMetric]:
        """Return one metric for each family, also when it has no samples."""
        return [self._metric(family, reading) for family in self._families]

    def _metric(self, family: ValueFamily[T], reading: T) -> WrittenMetric:
        """Samples that come to the same labels are added up, if they are counters; a gauge is shown once."""
        before, kept = self._kept[family.name], _Kept()
        numbers: dict[str, tuple[Labels, float]] = {}
        for values, number in family.values(reading):
            labels = kept[values] = before.get(values) or Labels(family.labels, values)
            text = labels.text
            earlier = numbers[text][1] if text in numbers and family.type == "counter" else 0
            numbers[text] = labels, earlier + number
        self._kept[family.name] = kept
        metric = WrittenMetric(family)
        for labels, number in numbers.values():
            metric.add(family.name, labels, NO_LABELS, number_text(number))
        return metric
