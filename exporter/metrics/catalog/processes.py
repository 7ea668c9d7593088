"""What /proc shows of each process that has series of its own."""

from exporter.counting.sampler import Reading
from exporter.metrics.family import PROCESS, ValueFamily, Values


def _info(reading: Reading) -> Values:
    for series in reading.snapshot.series:
        if info := series.info:
            yield (series.pid, series.comm, info.name, info.cgroup, info.container_id, info.unit), 1


def _cpu_seconds(reading: Reading) -> Values:
    for series in reading.snapshot.series:
        if stat := series.stat:
            yield (series.pid, series.comm, "user"), stat.user_seconds
            yield (series.pid, series.comm, "system"), stat.system_seconds


PROCESS_INFO = ValueFamily(
    name="copy_process_info",
    type="gauge",
    labels=(*PROCESS, "name", "cgroup", "container_id", "unit"),
    help="1; name is what a person calls the process, the other labels are what it runs in.",
    values=_info,
)
PROCESS_CPU_SECONDS = ValueFamily(
    name="copy_process_cpu_seconds_total",
    type="counter",
    labels=(*PROCESS, "mode"),
    help="CPU time of the process since its start, in user and in system mode.",
    unit="seconds",
    values=_cpu_seconds,
)

PROCESS_FAMILIES = (PROCESS_INFO, PROCESS_CPU_SECONDS)
