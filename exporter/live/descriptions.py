"""Names and CPU times of processes, from /proc; only of those that are asked for."""

from exporter.counting.series import Limits
from exporter.host.procfs import ProcessInfo, Procfs
from exporter.live.snapshot import Description
from exporter.model import Identity


class Descriptions:
    """What /proc shows, with the CPU time since the reading before."""

    def __init__(self, procfs: Procfs, limits: Limits) -> None:
        self._procfs = procfs
        self._limits = limits
        self._infos: dict[Identity, tuple[str, ProcessInfo]] = {}
        self._cpu_seconds: dict[Identity, float] = {}
        self._kept_infos: dict[Identity, tuple[str, ProcessInfo]] = {}
        self._kept_cpu_seconds: dict[Identity, float] = {}

    def begin(self) -> None:
        """Begin a reading: what the last one did not ask for is forgotten."""
        self._kept_infos, self._infos = self._infos, {}
        self._kept_cpu_seconds, self._cpu_seconds = self._cpu_seconds, {}

    def describe(self, identity: Identity) -> Description | None:
        """Return what /proc shows; None when the process has exited, is hidden, or --process.exclude matches it."""
        stat = self._procfs.stat(identity.pid)
        if not stat or not stat.started_at(identity.start) or self._limits.leave_out(stat.comm):
            return None
        known_comm, info = self._kept_infos.get(identity, ("", None))
        if info is None or known_comm != stat.comm:
            info = self._procfs.describe(identity.pid, stat.comm)
        self._infos[identity] = stat.comm, info
        now = stat.user_seconds + stat.system_seconds
        before = self._kept_cpu_seconds.get(identity)
        self._cpu_seconds[identity] = now
        return Description(stat.comm, info, None if before is None else now - before)
