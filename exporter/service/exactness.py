"""Warns when counts stop being exact: a map loses updates, or the kernel skips runs of a probe, or preempts itself."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from exporter.kernel.preemption_mode import read_mode
from exporter.kernel.probe_maps import MAPS
from exporter.model import EXACT_PREEMPTION_MODES, ProbeRuns, ProbeState

_log = logging.getLogger(__name__)

INTERVAL_SECONDS = 10.0
_ON_FUNCTIONS = ("fentry", "fexit", "fentry.syscalls", "fexit.syscalls")


class ExactnessWatch:
    """Compares lost updates, missed runs and the mode of preemption with what they were before."""

    def __init__(
        self,
        read_runs: Callable[[], Iterable[ProbeRuns]],
        read_dropped: Callable[[], Mapping[str, int]],
        mode_reader: int | None,
        probes: Sequence[ProbeState],
    ) -> None:
        """``read_dropped`` returns lost updates by map.

        ``mode_reader``: the program that reads the mode; None where it cannot change.
        """
        self._read_runs = read_runs
        self._missed: dict[str, int] = {}
        self._read_dropped = read_dropped
        self._lossy: set[str] = set()
        self._exact = [probe.name for probe in probes if not probe.preemptible and probe.attach_method in _ON_FUNCTIONS]
        self._mode_reader = mode_reader if self._exact else None

    def watch_until(self, stopped: threading.Event) -> None:
        """Check every few seconds, until ``stopped`` is set."""
        while not stopped.wait(INTERVAL_SECONDS):
            self.check()

    def check(self) -> None:
        """Log a warning about each map and probe that has lost counts for the first time, and once about the mode."""
        self._check_maps()
        self._check_runs()
        self._check_mode()

    def _check_maps(self) -> None:
        lost = {name: dropped for name, dropped in self._read_dropped().items() if dropped}
        for name in lost.keys() - self._lossy:
            _log.warning(
                "map %s has lost %d updates (%s), because %s: raise %s; "
                "copy_exporter_dropped_updates_total has their number",
                *(name, lost[name], MAPS[name].lost, MAPS[name].cause, MAPS[name].flag),
            )
        self._lossy |= lost.keys()

    def _check_runs(self) -> None:
        for runs in self._read_runs():
            if runs.missed and not self._missed.get(runs.probe):
                _log.warning(
                    "probe %s: the kernel has skipped %d runs: counts are too low; "
                    "copy_exporter_probe_missed_runs_total has their number",
                    runs.probe,
                    runs.missed,
                )
            self._missed[runs.probe] = runs.missed

    def _check_mode(self) -> None:
        if self._mode_reader is not None and (mode := read_mode(self._mode_reader)) not in EXACT_PREEMPTION_MODES:
            self._mode_reader = None
            _log.warning(
                "the kernel now preempts itself (preempt=%s): the probes %s may lose counts; "
                "restart copy-exporter, which then chooses other hooks",
                mode,
                ", ".join(self._exact),
            )
