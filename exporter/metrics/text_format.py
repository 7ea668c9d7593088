"""The text formats, written fast: the same samples as prometheus-client's own writers, in a fifth of the time.

A scrape of a big host is ten thousand lines and more, most of whose labels were on the last scrape too. So labels carry
their rendered text (:class:`Labels`), made once and kept by the collector. A test compares every sample with what
prometheus-client writes for the same registry.
"""

from collections.abc import Iterator, Sequence

from prometheus_client import Metric
from prometheus_client.registry import CollectorRegistry
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from exporter.host.label_text import MAX_CHARACTERS, label_text
from exporter.metrics.family import Family

OPTIONAL_LABELS = ("pid", "partition")
"""Labels that are left out when they are empty: a flag takes them away (--process.labels, --kafka.partitions)."""
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Labels(dict[str, str]):
    """Labels of a sample, with the text that they are written as. Every value passes :func:`label_text`."""

    __slots__ = ("text",)

    def __init__(self, names: Sequence[str], values: Sequence[str]) -> None:
        """Names and values, in the order in which they are to be written."""
        super().__init__(zip(names, values, strict=True))
        if "" in values:
            for name in OPTIONAL_LABELS:
                if self.get(name) == "":
                    del self[name]
        self.text = _written(self)
        if len(self.text) > MAX_CHARACTERS or not self.text.isascii():  # otherwise each value is fit as it is
            self.update([(name, label_text(value)) for name, value in self.items()])
            self.text = _written(self)


def metric_of(family: Family) -> Metric:
    """Return a metric without samples."""
    return Metric(family.name.removesuffix("_total"), family.help, family.type)


def encode(registry: CollectorRegistry, *, openmetrics: bool) -> bytes:
    """Everything in the registry, in OpenMetrics or in the Prometheus text format."""
    lines: list[str] = []
    for metric in registry.collect():
        name = metric.name + ("_total" if metric.type == "counter" and not openmetrics else "")
        lines.append(f"# HELP {name} {_help(metric, openmetrics)}\n# TYPE {name} {metric.type}\n")
        lines.extend(_lines(metric))
    if openmetrics:
        lines.append("# EOF\n")
    return "".join(lines).encode()


def _help(metric: Metric, openmetrics: bool) -> str:
    return metric.documentation.translate(_ESCAPES if openmetrics else _HELP_ESCAPES)


def _lines(metric: Metric) -> Iterator[str]:
    for name, labels, value, *_ in metric.samples:
        text = labels.text if type(labels) is Labels else _written(labels)
        number = repr(value)
        if number[-1] in "fn":  # inf, nan
            number = floatToGoString(value)  # type: ignore[no-untyped-call]
        yield f"{name}{text} {number}\n"


def _written(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join([f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items()]) + "}"


__all__ = ["Labels", "Metric", "Sample", "encode", "metric_of"]
