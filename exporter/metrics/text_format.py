"""The text formats, written fast: the same samples as prometheus-client's own writers, in a fraction of the time.

A scrape of a big host is a hundred thousand lines and more. So the collectors give what a line consists of
(:class:`WrittenMetric`): the labels of a process, whose text is made once for all of its lines, and those of a row,
whose text is made once for all processes. A test compares every sample with what prometheus-client writes for the
same registry.

Python gives back the memory of small objects only when all others near them are gone too. So what is kept after a large
scrape depends on how many there were at once: the lines are written in groups.
"""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any

from prometheus_client import Metric
from prometheus_client.registry import CollectorRegistry
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from exporter.host.label_text import label_text
from exporter.metrics.family import Family

OPTIONAL_LABELS = ("pid", "partition")
"""Labels that are left out when they are empty: a flag takes them away (--process.labels, --kafka.partitions)."""
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})
_ENTRY_MEMBERS = 4
_LINES_AT_ONCE = 1024


def _written(pairs: Iterable[tuple[str, str]]) -> str:
    return ",".join([f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs])


class Labels:
    """Some labels of a sample, and the text that they are written as. Every value passes :func:`label_text`."""

    __slots__ = ("_names", "_values", "comma", "text")

    def __init__(self, names: Sequence[str], values: Sequence[str]) -> None:
        """Names and values, in the order in which they are to be written."""
        self._names = names
        self._values = values
        self.text = _written(self.pairs)
        self.comma = "," if self.text else ""
        """What separates the text from other labels."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names and values as they are written."""
        return [
            (name, label_text(value))
            for name, value in zip(self._names, self._values, strict=True)
            if value or name not in OPTIONAL_LABELS
        ]


NO_LABELS = Labels((), ())
Entry = tuple[str, Labels, Labels, str | int]
"""A sample: its name, its first labels, those that follow, and the number, a whole one or as it is written."""


class WrittenMetric(Metric):
    """A metric for :func:`encode`; other writers find the same in ``samples``."""

    def __init__(self, family: Family) -> None:
        """Without the base class's, which makes a list of samples."""
        self.name = family.name.removesuffix("_total")
        self.documentation = family.help
        self.unit = ""
        self.type = family.type
        self._parts: list[Any] = []
        """The members of all entries, one after the other: a tuple for each would take three times the memory."""

    def add(self, *entry: *Entry) -> None:
        """Add a sample."""
        self._parts.extend(entry)

    def __len__(self) -> int:
        """How many samples it has."""
        return len(self._parts) // _ENTRY_MEMBERS

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Entry]:
        """The samples, or those between two positions."""
        parts = iter(self._parts[start * _ENTRY_MEMBERS : None if end is None else end * _ENTRY_MEMBERS])
        return zip(parts, parts, parts, parts, strict=True)

    @property
    def samples(self) -> list[Sample]:  # type: ignore[override]
        """The samples, as prometheus-client has them."""
        return [
            Sample(name, dict(first.pairs + following.pairs), float(number))
            for name, first, following, number in self.entries()
        ]


def number_text(number: float) -> str:
    """The number as both formats have it. Whole numbers stay exact beyond 2^53."""
    text = repr(number)
    return floatToGoString(number) if text[-1] in "fn" else text  # type: ignore[no-untyped-call]  # inf, nan


def encode(registry: CollectorRegistry, *, openmetrics: bool) -> bytes:
    """Everything in the registry, in OpenMetrics or in the Prometheus text format."""
    text = BytesIO()
    for metric in registry.collect():
        name = metric.name + ("_total" if metric.type == "counter" and not openmetrics else "")
        text.write(f"# HELP {name} {_help(metric, openmetrics)}\n# TYPE {name} {metric.type}\n".encode())
        if isinstance(metric, WrittenMetric):
            _write_entries(metric, text)
        else:
            text.write("".join(_sample_lines(metric.samples)).encode())
    if openmetrics:
        text.write(b"# EOF\n")
    return text.getvalue()


def _write_entries(metric: WrittenMetric, text: BytesIO) -> None:
    for start in range(0, len(metric), _LINES_AT_ONCE):
        text.write("".join(_lines(metric.entries(start, start + _LINES_AT_ONCE))).encode())


def _help(metric: Metric, openmetrics: bool) -> str:
    return metric.documentation.translate(_ESCAPES if openmetrics else _HELP_ESCAPES)


def _lines(entries: Iterable[Entry]) -> list[str]:
    return [
        f"{name}{{{first.text}{first.comma}{following.text}}} {number}\n"
        if following.text
        else f"{name}{_in_braces(first.text)} {number}\n"
        for name, first, following, number in entries
    ]


def _sample_lines(samples: Iterable[Sample]) -> Iterator[str]:
    for name, labels, value, *_ in samples:
        yield f"{name}{_in_braces(_written(labels.items()))} {number_text(value)}\n"


def _in_braces(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""
