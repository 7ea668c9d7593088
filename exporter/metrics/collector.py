"""Reads at each scrape, and turns what was read into the metrics of the catalog."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from prometheus_client import Metric, registry

from exporter.counting.sampler import Reading
from exporter.counting.series import Series
from exporter.host.boottime import boottime_ns
from exporter.host.label_text import label_text
from exporter.host.network_devices import Devices
from exporter.metrics import catalog
from exporter.metrics.catalog.exporter import ExporterReading, Scrape
from exporter.metrics.catalog.network import read_network
from exporter.metrics.family import NS_PER_SECOND
from exporter.metrics.rows import RowMetrics, histogram_metric, merge_series
from exporter.metrics.text_format import WrittenMetric
from exporter.metrics.values import ValueMetrics
from exporter.model import ProbeState

_log = logging.getLogger(__name__)


class Collector(Protocol):
    """Collects some of the families; it succeeds or fails as a whole, see ``copy_exporter_scrape_success``."""

    @property
    def name(self) -> str:
        """The label ``collector``."""
        ...

    def metrics(self) -> list[WrittenMetric]:
        """Read, and return all metrics. Raises any exception when they cannot be read or made."""
        ...


class CopyCollector(registry.Collector):
    """Collects fresh metrics at each scrape. A collector that fails leaves out its own families alone."""

    def __init__(
        self,
        collectors: Sequence[Collector],
        probes: Collection[ProbeState],
        stalled_probes: Callable[[], Collection[str]],
        errors: dict[str, str],
    ) -> None:
        """``stalled_probes``: the attached probes that have stopped counting, as of the last reading.

        ``errors``: why collectors failed at their last scrape, by name. Registries share it, to log a failure once.
        """
        self._collectors = collectors
        self._probes = probes
        self._stalled_probes = stalled_probes
        self._errors = errors
        self._values = ValueMetrics(catalog.EXPORTER_FAMILIES)

    def describe(self) -> list[Metric]:
        """Return nothing: series come and go with processes."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of each collector, then those of the exporter itself."""
        scrapes = {}
        for collector in self._collectors:
            started = time.perf_counter()
            metrics = self._collect(collector)
            scrapes[collector.name] = Scrape(metrics is not None, time.perf_counter() - started)
            pending = deque(metrics or ())
            del metrics
            while pending:  # its memory is free when it is written, and serves the next
                yield pending.popleft()
        exporter = ExporterReading(self._probes, self._stalled_probes(), scrapes)
        yield from self._values.metrics(exporter)

    def _collect(self, collector: Collector) -> list[WrittenMetric] | None:
        try:
            metrics = collector.metrics()
        except Exception as error:
            if collector.name not in self._errors:
                message = label_text(f"{type(error).__name__}: {error}")  # it may quote what could not be parsed
                self._errors[collector.name] = message
                _log.error("collector %s failed, its metrics are missing: %s", collector.name, message)
                _log.debug("collector %s failed", collector.name, exc_info=True)
            return None
        self._errors.pop(collector.name, None)
        return metrics


class ProcessesCollector:
    """What the probes' maps have counted, and /proc and Kafka's folders beside it."""

    name = "processes"

    def __init__(self, read: Callable[[], Reading], *, flags: Collection[str] = (), created: bool = False) -> None:
        """``flags``: those that are on. ``created``: add `_created`, which only OpenMetrics has."""
        self._read = read
        self._lock = threading.Lock()
        self._values = ValueMetrics(
            family for family in catalog.READING_FAMILIES if not family.flag or family.flag in flags
        )
        # Read once: `_created` must not move with each step of the wall clock.
        self._booted = time.time() - boottime_ns() / NS_PER_SECOND if created else None
        self._host_totals = RowMetrics(catalog.HOST_TOTALS)
        self._rows = RowMetrics(catalog.ROW_FAMILIES, self._booted)

    def metrics(self) -> list[WrittenMetric]:
        """Read the maps. Raises :class:`OSError` when they cannot be read."""
        with self._lock:  # compressed and plain scrapes share the kept labels
            reading = self._read()
            series = merge_series(reading.snapshot.series)
            return [
                *self._host_totals.metrics([Series("", "", 0, reading.snapshot.host)]),
                *self._rows.metrics(series),
                *(histogram_metric(family, series, self._booted) for family in catalog.HISTOGRAMS),
                *self._values.metrics(reading),
            ]


class NetworkCollector:
    """What network devices moved, their speed and whether they can gather."""

    name = "network"

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._values = ValueMetrics(catalog.NETWORK_FAMILIES)

    def metrics(self) -> list[WrittenMetric]:
        """Read the devices. Raises :class:`OSError` when they cannot be read."""
        return self._values.metrics(read_network(self._devices))
