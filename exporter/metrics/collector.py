"""From a reading to metric families: translates, and nothing else."""

import errno
import logging
import os
import platform
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from prometheus_client.registry import Collector

from exporter import __version__, logs
from exporter.counting.attribution import Series
from exporter.counting.sampler import Reading
from exporter.metrics import catalog
from exporter.metrics.catalog import Metric
from exporter.metrics.kafka import kafka_families
from exporter.metrics.text_format import Family, Labels, Sample, family_of
from exporter.model import DURATION_BUCKETS_NS, Count, Operation, ProbeState, Row, RowKind
from exporter.revision import REVISION

_log = logging.getLogger(__name__)

_NS = 1e9
_EVENTS, _AMOUNT = 0, 1  # positions in model.Count
_SYSCALLS, _ERRORS, _CPU, _ZERO, _DMA, _COPY_TIME = range(6)  # positions in catalog.BY_PROCESS and OF_HOST
_KERNEL, _TO_USER_BYTES, _TO_USER_CALLS, _FROM_USER_BYTES, _FROM_USER_CALLS = range(6, 11)
_SHOWN_AS: dict[RowKind, tuple[tuple[int, int], ...]] = {
    RowKind.ERROR: ((_ERRORS, _EVENTS),),
    RowKind.CPU_COPY: ((_SYSCALLS, _EVENTS), (_CPU, _AMOUNT)),
    RowKind.ZERO_COPY: ((_SYSCALLS, _EVENTS), (_ZERO, _AMOUNT)),
    RowKind.DMA: ((_SYSCALLS, _EVENTS), (_DMA, _AMOUNT)),
    RowKind.KERNEL_COPY: ((_KERNEL, _AMOUNT),),
    RowKind.DURATION: (),
    RowKind.TO_USER: ((_TO_USER_BYTES, _AMOUNT), (_TO_USER_CALLS, _EVENTS)),
    RowKind.FROM_USER: ((_FROM_USER_BYTES, _AMOUNT), (_FROM_USER_CALLS, _EVENTS)),
    RowKind.COPY_TIME: ((_COPY_TIME, _AMOUNT),),
}
"""Which families a row appears in, and with which of its numbers."""

_Shown = list[tuple[int, Labels, int]]
"""How a row is shown: position of the family, labels, and which of the row's numbers."""


class CopyCollector(Collector):
    """Fresh families at each scrape, from whatever reads the probes."""

    def __init__(
        self,
        read: Callable[[], Reading],
        probes: Iterable[ProbeState],
        *,
        run_statistics: bool = False,
        created: bool = False,
    ) -> None:
        """``created``: with the time since when each series counts, which OpenMetrics has room for."""
        self._read = read
        self._probes = tuple(probes)
        self._run_statistics = run_statistics
        # Asked once: the time since when a series counts is not to move with every step of the clock.
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) if created else None
        self._by_process = _RowFamilies(catalog.BY_PROCESS, booted)
        self._of_host = _RowFamilies(catalog.OF_HOST, None)
        self._booted = booted

    def describe(self) -> list[Family]:
        """Nothing: series come and go with processes."""
        return []

    def collect(self) -> Iterator[Family]:
        """All families; without the probes' counts when their maps cannot be read."""
        start = time.perf_counter()
        try:
            reading = self._read()
        except OSError as error:
            _log.error("scrape failed: cannot read the probes' maps: %s", error)
            reading = None
        if reading:
            yield from self._counted(reading)
            yield from _health(reading, self._run_statistics)
        yield _probes_attached(self._probes, reading.silent if reading else frozenset())
        yield _gauge(catalog.SCRAPE_SUCCESS, float(reading is not None))
        yield _gauge(catalog.SCRAPE_DURATION, time.perf_counter() - start)
        yield family_of(catalog.LOG_LINES_LOST, [(Labels((), ()), logs.lost_lines())])
        yield _build_info()
        yield _gauge(catalog.CPUS, os.cpu_count() or 1)

    def _counted(self, reading: Reading) -> Iterator[Family]:
        series = reading.snapshot.series
        yield from self._of_host.families([Series("", "", 0, reading.snapshot.host)])
        yield from self._by_process.families(series)
        yield _sendfile_durations(series, self._booted)
        yield _process_info(series)
        yield _process_cpu(series)
        yield from kafka_families(reading.kafka, by_comm=reading.snapshot.by_comm)


class _RowFamilies:
    """The families whose series are rows, with the labels of the last scrape kept for the next."""

    def __init__(self, metrics: tuple[Metric, ...], booted: float | None) -> None:
        """``booted``: seconds since the epoch; None to do without the time since when a series counts."""
        self._metrics = metrics
        self._created = [f"{metric.name.removesuffix('_total')}_created" for metric in metrics]
        self._booted = booted
        self._kept: dict[tuple[str, str], dict[Row, _Shown]] = {}

    def families(self, series: Iterable[Series]) -> list[Family]:
        """One family a metric, also when it is empty."""
        families = [family_of(metric) for metric in self._metrics]
        kept: dict[tuple[str, str], dict[Row, _Shown]] = {}
        for one in series:
            shown = kept[one.pid, one.comm] = self._kept.get((one.pid, one.comm), {})
            created = None if self._booted is None else self._booted + one.since_ns / _NS
            for position, labels, value in _samples(one, shown, self._show):
                samples = families[position].samples
                shown_as = value / _NS if position == _COPY_TIME else value
                samples.append(Sample(self._metrics[position].name, labels, shown_as))
                if created is not None:
                    samples.append(Sample(self._created[position], labels, created))
        self._kept = kept
        return families

    def _show(self, one: Series, row: Row) -> _Shown:
        return [
            (position, _labels(self._metrics[position], one, row), number)
            for position, number in _SHOWN_AS[row.kind]
            # the block layer's reads are no system calls; the host's totals have no kernel copies
            if position < len(self._metrics) and not (position == _SYSCALLS and row.operation is Operation.NONE)
        ]


def _samples(
    one: Series, kept: dict[Row, _Shown], show: Callable[[Series, Row], _Shown]
) -> Iterator[tuple[int, Labels, int]]:
    """Rows as samples; those that no label tells apart, like calls with and without zero copy, come as one."""
    merged: dict[tuple[int, str], tuple[Labels, int]] = {}
    for row, count in one.rows.items():
        shown = kept.get(row)
        if shown is None:
            shown = kept[row] = show(one, row)
        for position, labels, number in shown:
            place = (position, labels.text)
            before = merged.get(place)
            merged[place] = (labels, count[number] + before[1] if before else count[number])
    for (position, _), (labels, value) in merged.items():
        yield position, labels, value


def _labels(metric: Metric, one: Series, row: Row) -> Labels:
    values = {
        "pid": one.pid,
        "comm": one.comm,
        "syscall": row.operation.name.lower(),
        "source": row.source.name.lower(),
        "destination": row.destination.name.lower(),
        "port": str(row.port or ""),
        "errno": errno.errorcode.get(row.errno_or_bucket, str(row.errno_or_bucket)),
    }
    return _without_empty_pid(metric, tuple(values[label] for label in metric.labels))


def _without_empty_pid(metric: Metric, values: tuple[str, ...]) -> Labels:
    """With ``--process.labels=comm`` there is no label ``pid``."""
    if metric.labels[:1] == ("pid",) and not values[0]:
        return Labels(metric.labels[1:], values[1:])
    return Labels(metric.labels, values)


def _sendfile_durations(series: Iterable[Series], booted: float | None) -> Family:
    metric = catalog.SENDFILE_DURATION
    family = family_of(metric)
    for one in series:
        counts = {row.errno_or_bucket: count for row, count in one.rows.items() if row.kind is RowKind.DURATION}
        if counts:
            family.samples.extend(_histogram(metric, one, counts, booted))
    return family


def _histogram(metric: Metric, one: Series, counts: dict[int, Count], booted: float | None) -> Iterator[Sample]:
    bounds = [f"{bound / _NS:.9f}".rstrip("0") for bound in DURATION_BUCKETS_NS] + ["+Inf"]
    buckets = Metric(metric.name, metric.kind, (*metric.labels, "le"), metric.help)
    total = 0
    for position, bound in enumerate(bounds):
        total += counts[position].events if position in counts else 0
        yield Sample(f"{metric.name}_bucket", _without_empty_pid(buckets, (one.pid, one.comm, bound)), total)
    labels = _without_empty_pid(metric, (one.pid, one.comm))
    yield Sample(f"{metric.name}_count", labels, total)
    yield Sample(f"{metric.name}_sum", labels, sum(count.amount for count in counts.values()) / _NS)
    if booted is not None:
        yield Sample(f"{metric.name}_created", labels, booted + one.since_ns / _NS)


def _process_info(series: Iterable[Series]) -> Family:
    metric = catalog.PROCESS_INFO
    rows = [
        (Labels(metric.labels, (one.pid, one.comm, info.name, info.cgroup, info.container_id, info.unit)), 1)
        for one in series
        if (info := one.info)
    ]
    return family_of(metric, rows)


def _process_cpu(series: Iterable[Series]) -> Family:
    metric = catalog.PROCESS_CPU
    rows = [
        (Labels(metric.labels, (one.pid, one.comm, mode)), seconds)
        for one in series
        if (stat := one.stat)
        for mode, seconds in (("user", stat.user_seconds), ("system", stat.system_seconds))
    ]
    return family_of(metric, rows)


def _health(reading: Reading, run_statistics: bool) -> Iterator[Family]:
    runs, maps, snapshot = reading.runs, reading.maps, reading.snapshot
    yield _by_label(catalog.PROBE_MISSED, {run.probe: run.missed for run in runs})
    if run_statistics:
        yield _by_label(catalog.PROBE_RUNS, {run.probe: run.runs for run in runs})
        yield _by_label(catalog.PROBE_SECONDS, {run.probe: run.seconds for run in runs})
    yield _by_label(catalog.MAP_ENTRIES, {use.name: use.entries for use in maps})
    yield _by_label(catalog.MAP_MAX_ENTRIES, {use.name: use.max_entries for use in maps})
    yield _by_label(catalog.DROPPED, reading.dropped)
    states = {"own": snapshot.own, "lingering": snapshot.lingering, "other": snapshot.other}
    yield _by_label(catalog.PROCESSES, states)


def _probes_attached(probes: Iterable[ProbeState], silent: Collection[str]) -> Family:
    metric = catalog.PROBE_ATTACHED
    rows = [
        (Labels(metric.labels, (one.name, one.hook, one.mechanism)), int(one.attached and one.name not in silent))
        for one in probes
    ]
    return family_of(metric, rows)


def _build_info() -> Family:
    metric = catalog.BUILD_INFO
    return family_of(metric, [(Labels(metric.labels, (__version__, REVISION, platform.python_version())), 1)])


def _by_label(metric: Metric, values: Mapping[str, float]) -> Family:
    return family_of(metric, [(Labels(metric.labels, (label,)), value) for label, value in values.items()])


def _gauge(metric: Metric, value: float) -> Family:
    return family_of(metric, [(Labels((), ()), value)])
