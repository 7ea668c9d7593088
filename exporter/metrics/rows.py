"""From the rows of each process to the samples of the families that count rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import IntEnum

from exporter.counting.rows import add_rows
from exporter.counting.series import Series
from exporter.host.label_text import label_text
from exporter.kernel.errno_names import errno_name
from exporter.metrics.family import NS_PER_SECOND, RowFamily, RowHistogram
from exporter.metrics.text_format import Labels, Metric, Sample, metric_of
from exporter.model import MECHANISMS, CopyReason, Count, Operation, Row

_LABEL_VALUES: dict[str, Callable[[Series, Row], str]] = {
    "pid": lambda series, _: series.pid,
    "comm": lambda series, _: series.comm,
    "mechanism": lambda _, row: MECHANISMS[row.kind],
    "syscall": lambda _, row: row.operation.name.lower() if row.operation else "",
    "reason": lambda _, row: CopyReason(row.errno_or_bucket).name.lower(),
    "errno": lambda _, row: errno_name(row.errno_or_bucket),
}
"""The labels that are not the member of the row that has their name."""


def _label_value(label: str, series: Series, row: Row) -> str:
    if label in _LABEL_VALUES:
        return _LABEL_VALUES[label](series, row)
    member = getattr(row, label)
    return member.name.lower() if isinstance(member, IntEnum) else str(member or "")


class _Target:
    """The sample that a row is added to. Rows that no label distinguishes share one."""

    __slots__ = ("family", "labels", "position")

    def __init__(self, position: int, family: RowFamily, labels: Labels) -> None:
        """``position``: of the family among those of the :class:`RowMetrics`."""
        self.position = position
        self.family = family
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


_Targets = dict[Row, list[tuple[_Target, int]]]
"""Where the rows of one process are added, and which of their numbers (an index into :class:`Count`)."""


class RowMetrics:
    """The metrics of row families. Labels of one scrape are kept for the next, which has most of them too."""

    def __init__(self, families: Sequence[RowFamily], booted: float | None = None) -> None:
        """``booted``: the time of the boot, in seconds since the epoch; None to leave out ``_created``."""
        self._families = families
        self._created_names = [f"{family.name.removesuffix('_total')}_created" for family in families]
        self._booted = booted
        self._kept: dict[tuple[str, str], _Targets] = {}

    def metrics(self, all_series: Iterable[Series]) -> list[Metric]:
        """Return one metric for each family, also when it has no samples."""
        metrics = [metric_of(family) for family in self._families]
        samples = [metric.samples for metric in metrics]
        kept: dict[tuple[str, str], _Targets] = {}
        for series in all_series:
            targets = kept[series.pid, series.comm] = self._kept.get((series.pid, series.comm), {})
            self._append(samples, self._totals(series, targets), series.since_ns)
        self._kept = kept
        return metrics

    def _totals(self, series: Series, targets: _Targets) -> dict[_Target, int]:
        totals: dict[_Target, int] = {}
        for row, count in series.rows.items():
            addends = targets.get(row)
            if addends is None:
                addends = targets[row] = list(self._targets_of(row, series, targets))
            for target, number in addends:
                totals[target] = totals.get(target, 0) + count[number]
        return totals

    def _append(self, samples: list[list[Sample]], totals: dict[_Target, int], since_ns: int) -> None:
        created = None if self._booted is None else self._booted + since_ns / NS_PER_SECOND
        for target, total in totals.items():
            position, labels, family = target.position, target.labels, target.family
            samples[position].append(Sample(family.name, labels, _scaled(total, family.scale)))
            if created is not None:
                samples[position].append(Sample(self._created_names[position], labels, created))

    def _targets_of(self, row: Row, series: Series, targets: _Targets) -> Iterator[tuple[_Target, int]]:
        for position, family in enumerate(self._families):
            if _takes(family, row):
                values = [_label_value(label, series, row) for label in family.labels]
                target = _Target(position, family, Labels(family.labels, values))
                yield _shared(target, targets), Count._fields.index(family.number)


def _takes(family: RowFamily, row: Row) -> bool:
    return (
        row.kind in family.kinds
        and (row.operation is not Operation.NONE or not family.has_operation)
        and (row.errno_or_bucket > 0 or not family.has_copy_reason)
    )


def _shared(target: _Target, targets: _Targets) -> _Target:
    """Return the target of an earlier row with the same labels, if there is one."""
    for addends in targets.values():
        for other, _ in addends:
            if other.position == target.position and other.labels == target.labels:
                return other
    return target


def _scaled(number: int, scale: int) -> float:
    return number if scale == 1 else number / scale  # no float where it is not needed: bytes stay exact beyond 2^53


def histogram_metric(family: RowHistogram, all_series: Iterable[Series], booted: float | None) -> Metric:
    """Return the metric of a histogram; ``booted`` as for :class:`RowMetrics`."""
    metric = metric_of(family)
    for series in all_series:
        counts = [(row.errno_or_bucket, count) for row, count in series.rows.items() if row.kind is family.kind]
        if counts:
            created = None if booted is None else booted + series.since_ns / NS_PER_SECOND
            metric.samples.extend(_histogram_samples(family, (series.pid, series.comm), counts, created))
    return metric


def _histogram_samples(
    family: RowHistogram, process: tuple[str, str], counts: list[tuple[int, Count]], created: float | None
) -> Iterator[Sample]:
    bounds = [f"{bound / family.scale:.9f}".rstrip("0") for bound in family.bounds] + ["+Inf"]
    events: Counter[int] = Counter()
    for bucket, count in counts:
        events[bucket] += count.events
    total = 0
    for bucket, bound in enumerate(bounds):
        total += events[bucket]
        yield Sample(f"{family.name}_bucket", Labels((*family.labels, "le"), (*process, bound)), total)
    labels = Labels(family.labels, process)
    yield Sample(f"{family.name}_count", labels, total)
    yield Sample(f"{family.name}_sum", labels, _scaled(sum(count.amount for _, count in counts), family.scale))
    if created is not None:
        yield Sample(f"{family.name}_created", labels, created)
