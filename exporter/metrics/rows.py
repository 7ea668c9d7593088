"""From the rows of each process to the samples of the families that count rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import IntEnum

from exporter.counting.rows import add_rows
from exporter.counting.series import Series
from exporter.host.label_text import label_text
from exporter.kernel.errno_names import errno_name
from exporter.metrics.family import NS_PER_SECOND, PROCESS, RowFamily, RowHistogram
from exporter.metrics.text_format import NO_LABELS, Entry, Labels, WrittenMetric, number_text
from exporter.model import MECHANISMS, CopyReason, Count, Operation, Row

_LABEL_VALUES: dict[str, Callable[[Row], str]] = {
    "mechanism": lambda row: MECHANISMS[row.kind],
    "syscall": lambda row: row.operation.name.lower() if row.operation else "",
    "reason": lambda row: CopyReason(row.errno_or_bucket).name.lower(),
    "errno": lambda row: errno_name(row.errno_or_bucket),
}
"""The labels of rows that are not the member of the row that has their name."""
_MAX_KNOWN_ROWS = 16384
"""Any port may be watched for a while, so that their number has no other limit."""


def _label_value(label: str, row: Row) -> str:
    if label in _LABEL_VALUES:
        return _LABEL_VALUES[label](row)
    member = getattr(row, label)
    return member.name.lower() if isinstance(member, IntEnum) else str(member or "")


class _Target:
    """The sample of each process that a row is added to. Rows that no label distinguishes share one."""

    __slots__ = ("labels", "name", "position", "scale")

    def __init__(self, position: int, family: RowFamily, labels: Labels) -> None:
        """``position``: of the family among those of the :class:`RowMetrics`; ``labels``: all but the process's."""
        self.position = position
        self.name = family.name
        self.scale = family.scale
        self.labels = labels


def merge_series(all_series: Iterable[Series]) -> list[Series]:
    """Return one series for each process that the labels distinguish: names that come to one label are added up."""
    merged: dict[tuple[str, str], Series] = {}
    for series in all_series:
        process = label_text(series.pid), label_text(series.comm)
        merged[process] = _added_up(merged[process], series) if process in merged else series
    return list(merged.values())


def _added_up(series: Series, other: Series) -> Series:
    rows = dict(series.rows)
    add_rows(rows, other.rows)
    return replace(series, rows=rows, since_ns=min(series.since_ns, other.since_ns))


class RowMetrics:
    """The metrics of row families."""

    def __init__(self, families: Sequence[RowFamily], booted: float | None = None) -> None:
        """``booted``: the time of the boot, in seconds since the epoch; None to leave out ``_created``."""
        self._families = families
        self._created_names = [f"{family.name.removesuffix('_total')}_created" for family in families]
        self._booted = booted
        self._targets: dict[tuple[int, str], _Target] = {}
        self._targets_of: dict[Row, list[tuple[_Target, int]]] = {}
        """Where a row of any process is added, and which of its numbers (an index into :class:`Count`)."""

    def metrics(self, all_series: Iterable[Series]) -> list[WrittenMetric]:
        """Return one metric for each family, also when it has no samples."""
        if len(self._targets_of) > _MAX_KNOWN_ROWS:
            self._targets_of.clear()
            self._targets.clear()
        metrics = [WrittenMetric(family) for family in self._families]
        adds = [metric.add for metric in metrics]
        has_process = self._families[0].labels[: len(PROCESS)] == PROCESS
        for series in all_series:
            process = _process_labels(series) if has_process else NO_LABELS
            created = _created(self._booted, series)
            for target, total in self._totals(series).items():
                position, labels = target.position, target.labels
                number = _scaled(total, target.scale)
                adds[position](target.name, process, labels, number)
                if created:
                    adds[position](self._created_names[position], process, labels, created)
        return metrics

    def _totals(self, series: Series) -> dict[_Target, int]:
        totals: dict[_Target, int] = {}
        known = self._targets_of
        for row, count in series.rows.items():
            addends = known.get(row)
            if addends is None:
                addends = self._add_targets(row)
            for target, number in addends:
                totals[target] = totals.get(target, 0) + count[number]
        return totals

    def _add_targets(self, row: Row) -> list[tuple[_Target, int]]:
        targets = []
        for position, family in enumerate(self._families):
            if _takes(family, row):
                names = [label for label in family.labels if label not in PROCESS]
                labels = Labels(names, [_label_value(label, row) for label in names])
                target = self._targets.setdefault((position, labels.text), _Target(position, family, labels))
                targets.append((target, Count._fields.index(family.number)))
        self._targets_of[row] = targets
        return targets


def _takes(family: RowFamily, row: Row) -> bool:
    return (
        row.kind in family.kinds
        and (row.operation is not Operation.NONE or not family.has_operation)
        and (row.errno_or_bucket > 0 or not family.has_copy_reason)
    )


def _process_labels(series: Series) -> Labels:
    return Labels(PROCESS, (series.pid, series.comm))


def _created(booted: float | None, series: Series) -> str:
    return "" if booted is None else repr(booted + series.since_ns / NS_PER_SECOND)


def _scaled(number: int, scale: int) -> str | int:
    return number if scale == 1 else number_text(number / scale)  # no float where none is needed: bytes stay exact


def histogram_metric(family: RowHistogram, all_series: Iterable[Series], booted: float | None) -> WrittenMetric:
    """Return the metric of a histogram; ``booted`` as for :class:`RowMetrics`."""
    metric = WrittenMetric(family)
    for series in all_series:
        counts = [(row.errno_or_bucket, count) for row, count in series.rows.items() if row.kind is family.kind]
        if counts:
            for entry in _histogram_entries(family, _process_labels(series), counts, _created(booted, series)):
                metric.add(*entry)
    return metric


def _histogram_entries(
    family: RowHistogram, process: Labels, counts: list[tuple[int, Count]], created: str
) -> Iterator[Entry]:
    bounds = [f"{bound / family.scale:.9f}".rstrip("0") for bound in family.bounds] + ["+Inf"]
    events: Counter[int] = Counter()
    for bucket, count in counts:
        events[bucket] += count.events
    total = 0
    for bucket, bound in enumerate(bounds):
        total += events[bucket]
        yield f"{family.name}_bucket", process, Labels(("le",), (bound,)), repr(total)
    yield f"{family.name}_count", process, NO_LABELS, repr(total)
    yield f"{family.name}_sum", process, NO_LABELS, _scaled(sum(count.amount for _, count in counts), family.scale)
    if created:
        yield f"{family.name}_created", process, NO_LABELS, created
