"""Reads processes from /proc (proc(5)). The parsers are pure functions over text."""

import os
import re
from dataclasses import dataclass, replace

from exporter.host.boottime import boottime_offset_ns
from exporter.host.label_text import label_text
from exporter.host.program_names import display_name
from exporter.model import NS_PER_TICK

_TICKS_PER_SECOND = 100
_CONTAINER = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{32}-[0-9]{1,20})(?![0-9a-f])")
"""64 digits in most runtimes; a task and a number in Amazon ECS."""
_ABOVE_ROOT = re.compile(r"^(?:/\.\.)+(?=/|$)")
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO of the kernel (include/linux/proc_ns.h)."""
PID_NAMESPACE_EFFECT = "processes count as pid=other, comm=unknown, and brokers are not recognized"
HOST_PID_REMEDY = "share the host's pid namespace (hostPID: true, --pid=host)"
_KTHREADD = 2
_PF_KTHREAD = 0x00200000
_UNIT = re.compile(r"[^/]+\.(?:service|scope)")
_ARGUMENTS_BYTES = 1 << 21  # enough for a class path of hundreds of jars; the kernel's own limit is 6 MB
MAX_ARGUMENTS = 1000
"""A process may have 600,000, and every one would be looked at."""


@dataclass(frozen=True)
class Stat:
    """Fields of /proc/PID/stat (proc_pid_stat(5))."""

    comm: str
    """Name of the process: that of its main thread."""
    start_ticks: int
    """Start of the main thread after boot, in ticks of 10 ms."""
    user_seconds: float
    system_seconds: float
    is_kernel_thread: bool = False
    start_slack_ticks: int = 0
    """1 when ``start_ticks`` may be one too many: the offset of a time namespace need not be in whole ticks."""

    def started_at(self, start_ns: int) -> bool:
        """Whether the main thread started ``start_ns`` nanoseconds after boot (the kernel's ``start_boottime``)."""
        return 0 <= self.start_ticks - start_ns // NS_PER_TICK <= self.start_slack_ticks


@dataclass(frozen=True)
class OwnProcess:
    """The calling process, as /proc shows it."""

    pid: int
    """In the pid namespace that /proc was mounted for."""
    stat: Stat


@dataclass(frozen=True)
class ProcessInfo:
    """The name that people know a process by, and what it runs in. A field is empty if /proc does not show it."""

    name: str = ""
    cgroup: str = ""
    container_id: str = ""
    unit: str = ""


class Procfs:
    """A mounted /proc. A process that has exited or is hidden (hidepid) gives empty values."""

    def __init__(self, root: str = "/proc") -> None:
        """``root``: the mount point."""
        self._root = root
        offset_ns = boottime_offset_ns()
        self._offset_ticks = offset_ns // NS_PER_TICK
        self._slack_ticks = int(offset_ns % NS_PER_TICK > 0)

    @property
    def shows_host(self) -> bool:
        """Whether process ids are those of the initial pid namespace, by which the kernel counts."""
        try:
            if os.readlink("/proc/self/ns/pid") == _INITIAL_PID_NAMESPACE:
                return True
        except OSError:
            pass
        kthreadd = self.stat(_KTHREADD)  # the host's /proc, mounted in a container
        return bool(kthreadd and kthreadd.is_kernel_thread)

    def stat(self, pid: int) -> Stat | None:
        """The process's stat; None if there is no such process, or it is hidden."""
        text = self._read(pid, "stat")
        if not text:
            return None
        stat = parse_stat(text)
        if not self._offset_ticks and not self._slack_ticks:
            return stat
        return replace(stat, start_ticks=stat.start_ticks - self._offset_ticks, start_slack_ticks=self._slack_ticks)

    def thread_cpu_seconds(self, pid: int, tid: int) -> float | None:
        """The CPU time of a thread; None if there is no such thread, or it is hidden."""
        text = self._read(pid, f"task/{tid}/stat")
        if not text:
            return None
        stat = parse_stat(text)
        return stat.user_seconds + stat.system_seconds

    def own(self) -> OwnProcess | None:
        """The calling process; None if this /proc does not show it."""
        try:
            pid = int(os.readlink(f"{self._root}/self"))
        except (OSError, ValueError):
            return None
        stat = self.stat(pid)
        return OwnProcess(pid, stat) if stat else None

    def describe(self, pid: int, comm: str) -> ProcessInfo:
        """Name, control group, container and unit of a process; ``comm`` is the name to fall back on."""
        cgroup = parse_cgroup(self._read(pid, "cgroup"))
        containers = _CONTAINER.findall(cgroup)
        units = _UNIT.findall(cgroup)
        return ProcessInfo(
            name=label_text(display_name(self.arguments(pid)) or comm),  # an argument can have megabytes
            cgroup=label_text(cgroup),
            container_id=containers[-1] if containers else "",
            unit=units[-1] if units else "",
        )

    def pids(self) -> list[int]:
        """The ids of all visible processes. Raises :class:`OSError` when /proc cannot be read."""
        return [int(name) for name in os.listdir(self._root) if name.isdigit()]

    def arguments(self, pid: int) -> list[str]:
        """The first 1,000 arguments of a process; empty if it has none or has exited."""
        return self._read(pid, "cmdline", _ARGUMENTS_BYTES).split("\0", MAX_ARGUMENTS)[:-1]

    def owner(self, pid: int) -> int:
        """The user id of a process; -1 if there is no such process."""
        try:
            return os.stat(f"{self._root}/{pid}").st_uid
        except OSError:
            return -1

    def exists(self, pid: int) -> bool:
        """Whether there is a process with this id, hidden ones included."""
        if os.path.exists(f"{self._root}/{pid}"):
            return True
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _read(self, pid: int, name: str, max_bytes: int = 65536) -> str:
        # Called a thousand times per scrape: these calls take half the time of open().
        try:
            descriptor = os.open(f"{self._root}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            return os.read(descriptor, max_bytes).decode(errors="replace")
        except OSError:  # the process has exited since
            return ""
        finally:
            os.close(descriptor)


def parse_stat(text: str) -> Stat:
    """Parse /proc/PID/stat. The name is in parentheses and may contain any character, parentheses included."""
    end = text.rindex(")")
    fields = text[end + 2 :].split(" ", 20)  # begins with field 3 of the manual page
    return Stat(
        comm=text[text.index("(") + 1 : end],
        start_ticks=int(fields[19]),
        user_seconds=int(fields[11]) / _TICKS_PER_SECOND,
        system_seconds=int(fields[12]) / _TICKS_PER_SECOND,
        is_kernel_thread=bool(int(fields[6]) & _PF_KTHREAD),
    )


def parse_cgroup(text: str) -> str:
    """The path in the unified hierarchy of control groups; else that in systemd's hierarchy; else the first.

    In a control group namespace, the path of a process outside of it begins with ``/..``, which is left out.
    """
    paths = {}
    for line in text.split("\n"):  # the one character that a name cannot contain
        _, _, controllers_and_path = line.partition(":")
        controllers, separator, path = controllers_and_path.partition(":")
        if separator:
            paths[controllers] = _ABOVE_ROOT.sub("", path) or "/"
    if paths.get("", "/") != "/":
        return paths[""]
    return paths.get("name=systemd", "") or next(iter(paths.values()), "")
