"""Reads snapshots for the live view, without any effect on what scrapes show."""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence

from exporter.counting import sampler
from exporter.counting.maps import Sample, unpack_folder
from exporter.counting.sampler import Peek
from exporter.counting.self_check import PROBE, SelfCheck
from exporter.counting.series import Limits
from exporter.counting.unpacked import Unpacked
from exporter.host.boottime import boottime_ns
from exporter.host.network_devices import Devices, Traffic
from exporter.host.procfs import Procfs
from exporter.kafka.zero_copy_loss import Loss, LossDetector
from exporter.live.compute import compute_rates
from exporter.live.descriptions import Descriptions
from exporter.live.increase import increase
from exporter.live.processes import PROCESSES_MAX
from exporter.live.rates import Rates
from exporter.live.snapshot import Ended, Host, Snapshot
from exporter.live.unpacked import UnpackedRows
from exporter.model import Identity, Rows

_log = logging.getLogger(__name__)
_NO_COUNTS = Snapshot(0, 0, {}, {})


class LiveReader:
    """Rates from one reading to the next. Keeps the last reading; not for several threads at once."""

    def __init__(self, peek: Callable[[], Peek], procfs: Procfs, devices: Devices, host: Host, limits: Limits) -> None:
        """``peek`` reads the counts; ``limits`` name the processes that count in the host's totals alone."""
        self._peek = peek
        self._devices = devices
        self._host = host
        self._rows = UnpackedRows()
        self._folders = Unpacked(unpack_folder)
        self._descriptions = Descriptions(procfs, limits)
        self._losses = LossDetector(devices)
        self._self_check = SelfCheck(procfs.own())
        self._limits = limits
        self._last: Snapshot | None = None
        self._last_ended = 0

    def read(self) -> Rates | None:
        """Return the rates since the last reading; None at the first. Raises :class:`OSError` when maps cannot be read.

        The first reading also notes the CPU time of the processes that have moved most bytes so far.
        """
        before, now = self._last, self._snapshot()
        self._last = now
        self._descriptions.begin()
        if before is None:
            for identity in increase(_NO_COUNTS, now).busiest(PROCESSES_MAX):
                self._descriptions.describe(identity)
            return None
        return compute_rates(before, now, self._host, self._descriptions.describe)

    def _snapshot(self) -> Snapshot:
        peek = self._peek()
        clock_ns, time_seconds = boottime_ns(), time.time()
        processes = self._rows.update(peek.counts)
        self._self_check.observe(Sample(dict(processes)))
        return Snapshot(
            time_seconds=time_seconds,
            clock_ns=clock_ns,
            processes=processes,
            exited=peek.exited,
            ended=self._ended(peek.ended),
            exits={gone.identity: gone.comm for gone in peek.exits if not self._limits.leave_out(gone.comm)},
            devices=self._traffic(),
            links=self._devices.links,
            cpus=os.cpu_count() or 1,
            dropped_updates=sum(peek.dropped.values()),
            missed_runs=sum(run.missed for run in peek.runs),
            stalled_probes=() if self._self_check.is_counting else (PROBE,),
            brokers=peek.brokers,
            folders=self._folders.update(peek.folders),
            losses=self._find_losses(peek, processes, clock_ns) if peek.brokers else (),
        )

    def _ended(self, found: Sequence[sampler.Ended]) -> dict[Identity, Ended]:
        """Return those that have ended since the last reading; --process.exclude leaves out some."""
        new = [gone for gone in found if gone.number > self._last_ended and not self._limits.leave_out(gone.comm)]
        self._last_ended = found[-1].number if found else self._last_ended
        return {gone.identity: Ended(gone.comm, gone.rows) for gone in new}

    def _find_losses(self, peek: sampler.Peek, processes: Mapping[Identity, Rows], clock_ns: int) -> tuple[Loss, ...]:
        rows = {(identity.pid, identity.start_ticks): counts for identity, counts in processes.items()}
        broker_rows = [(broker, rows.get((broker.pid, broker.start_ticks), {})) for broker in peek.brokers]
        return self._losses.evaluate(clock_ns, broker_rows, peek.folder_bytes)

    def _traffic(self) -> Mapping[str, Traffic]:
        try:
            return self._devices.traffic()
        except OSError as error:  # the counts are there nevertheless
            _log.debug("cannot read network devices: %s", error)
            return {}
