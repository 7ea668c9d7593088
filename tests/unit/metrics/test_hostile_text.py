"""Hostile text in every label of the catalog: one bad value never costs the scrape."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.counting.series import Series
from exporter.host.label_text import MAX_CHARACTERS
from exporter.metrics import catalog
from exporter.metrics.family import RowFamily, RowHistogram, ValueFamily
from exporter.metrics.rows import RowMetrics, histogram_metric, merge_series
from exporter.metrics.text_format import Metric, encode
from exporter.metrics.values import ValueMetrics
from exporter.model import CopyReason, Count, Endpoint, Operation, Row

HOSTILE = ("\ud800", "\ufffd", "a\rb\vc\x1cd\x85e\u2028f", 'x"} 1\n# EOF\n', "\\", "\x00", "y" * 131_000, "y" * 131_001)
DIFFERENT = len(HOSTILE) - 1
"""The first two come to the same label."""


def hostile_series(family: RowFamily | RowHistogram) -> list[Series]:
    """A process of each hostile name. The other labels of rows are members of enumerations."""
    kind = family.kind if isinstance(family, RowHistogram) else family.kinds[0]
    row = Row(kind, Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP, 0, CopyReason.KERNEL_TLS)
    return merge_series(Series("1", text, 1, {row: Count(3, 3, 1)}) for text in HOSTILE)


def hostile_metric(family: catalog.Family, label: str) -> Metric:
    """The metric of a family whose label has each hostile text."""
    if isinstance(family, RowHistogram):
        return histogram_metric(family, hostile_series(family), None)
    if isinstance(family, RowFamily):
        return RowMetrics([family]).metrics(hostile_series(family))[0]
    assert isinstance(family, ValueFamily)
    rows = [tuple(text if name == label else "x" for name in family.labels) for text in HOSTILE]
    return ValueMetrics([replace(family, values=lambda _: [(row, 3) for row in rows])]).metrics(None)[0]


class OneMetric:
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> list[Metric]:
        return [self._metric]


LABELS = [
    (family, label)
    for family in catalog.FAMILIES
    for label in family.labels
    if not isinstance(family, RowFamily | RowHistogram) or label == "comm"
]


@pytest.mark.parametrize(("family", "label"), LABELS, ids=lambda value: getattr(value, "name", value))
def test_each_label_takes_hostile_text(family: catalog.Family, label: str) -> None:
    registry = CollectorRegistry()
    registry.register(OneMetric(hostile_metric(family, label)))  # type: ignore[arg-type]
    for parse, openmetrics in ((parse_text, False), (parse_openmetrics, True)):
        text = encode(registry, openmetrics=openmetrics).decode()
        (metric,) = parse(text)
        samples = [s for s in metric.samples if s.name == family.name or s.name.endswith("_count")]
        shown = {sample.labels[label]: sample.value for sample in samples}
        assert len(shown) == len(samples) == DIFFERENT
        assert max(map(len, shown)) == MAX_CHARACTERS
        others = {value for text, value in shown.items() if text != "\ufffd"}
        added_up = family.type != "gauge"
        assert shown["\ufffd"] == (2 if added_up else 1) * others.pop()
        assert not others
