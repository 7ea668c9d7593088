"""What /proc tells of a process, read through an injected root; the parsing is pure functions over text."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from exporter.model import NS_PER_TICK

_TICKS_PER_SECOND = 100
_CONTAINER = re.compile(r"[0-9a-f]{64}")
_UNIT = re.compile(r"[^/]+\.(?:service|scope)")
_INTERPRETERS = re.compile(r"(?:python|perl|ruby|node|php|bash|dash|sh)[0-9.]*")
_JAVA_OPTIONS_WITH_VALUE = {
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--limit-modules",
    "--patch-module",
    "--enable-native-access",
}
_ARGUMENTS_BYTES = 1 << 21  # a class path of hundreds of jars is long; the kernel's own limit for all is 6 MB


@dataclass(frozen=True)
class Stat:
    """From /proc/PID/stat (proc_pid_stat(5))."""

    comm: str
    """Name of the thread-group leader."""
    start_ticks: int
    """Start of the leader after boot, in ticks of 10 ms."""
    user_seconds: float
    system_seconds: float

    def is_of(self, start_ns: int) -> bool:
        """Whether this is the process whose leader started then (the kernel's ``start_boottime``)."""
        return self.start_ticks == start_ns // NS_PER_TICK


@dataclass(frozen=True)
class Self:
    """The process that asks, as /proc sees it."""

    pid: int
    """In the pid namespace of that /proc: the host's, when it is the host's."""
    stat: Stat


@dataclass(frozen=True)
class ProcessInfo:
    """What a person calls a process, and what it runs in; empty where /proc does not tell."""

    name: str = ""
    cgroup: str = ""
    container_id: str = ""
    unit: str = ""


class Procfs:
    """/proc, or where ``--path.procfs`` says that the host's is mounted."""

    def __init__(self, root: str = "/proc") -> None:
        """Take the mount point as it is: it is read when asked."""
        self._root = root

    def stat(self, pid: int) -> Stat | None:
        """None when there is no such process, or it may not be seen (hidepid)."""
        text = self._read(pid, "stat")
        return parse_stat(text) if text else None

    def own(self) -> Self | None:
        """The present process; None when /proc does not show it."""
        try:
            pid = int(os.readlink(f"{self._root}/self"))
        except (OSError, ValueError):
            return None
        stat = self.stat(pid)
        return Self(pid, stat) if stat else None

    def describe(self, pid: int, comm: str) -> ProcessInfo:
        """Name and surroundings of a process; what cannot be read stays empty."""
        cgroup = parse_cgroup(self._read(pid, "cgroup"))
        containers = _CONTAINER.findall(cgroup)
        units = _UNIT.findall(cgroup)
        return ProcessInfo(
            name=display_name(self.arguments(pid)) or comm,
            cgroup=cgroup,
            container_id=containers[-1] if containers else "",
            unit=units[-1] if units else "",
        )

    def pids(self) -> list[int]:
        """All processes that may be seen. Raises :class:`OSError` when /proc cannot be read."""
        return [int(name) for name in os.listdir(self._root) if name.isdigit()]

    def arguments(self, pid: int) -> list[str]:
        """The command line of a process; empty when it has none, or is gone."""
        return self._read(pid, "cmdline", _ARGUMENTS_BYTES).split("\0")[:-1]

    def exists(self, pid: int) -> bool:
        """Whether a process has this id, even one that /proc hides."""
        if os.path.exists(f"{self._root}/{pid}"):
            return True
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _read(self, pid: int, name: str, most: int = 65536) -> str:
        # A thousand of these a scrape: the bare calls cost half of what open() does.
        try:
            descriptor = os.open(f"{self._root}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            return os.read(descriptor, most).decode(errors="replace")
        except OSError:  # the process ended meanwhile
            return ""
        finally:
            os.close(descriptor)


def parse_stat(text: str) -> Stat:
    """One line of /proc/PID/stat; the name is in parentheses and may hold any character, also parentheses."""
    end = text.rindex(")")
    fields = text[end + 2 :].split(" ", 20)  # the third field of the manual page comes first
    return Stat(
        comm=text[text.index("(") + 1 : end],
        start_ticks=int(fields[19]),
        user_seconds=int(fields[11]) / _TICKS_PER_SECOND,
        system_seconds=int(fields[12]) / _TICKS_PER_SECOND,
    )


def parse_cgroup(text: str) -> str:
    """The path in the unified hierarchy; on a host with the old one only, that of systemd's or the first."""
    paths = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        paths[controllers] = path
    if paths.get("", "/") != "/":
        return paths[""]
    return paths.get("name=systemd", "") or next(iter(paths.values()), "")


def display_name(arguments: list[str]) -> str:
    """What a person calls the program with this command line: a JVM's main class, an interpreter's script; else empty.

    >>> display_name(["/usr/bin/java", "-Xmx1g", "-cp", "a.jar", "kafka.Kafka", "server.properties"])
    'kafka.Kafka'
    """
    if not arguments:
        return ""
    program = PurePath(arguments[0]).name
    if program == "java":
        return _java_main(arguments[1:])
    if _INTERPRETERS.fullmatch(program):
        return _script(arguments[1:])
    return ""


def java_command(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """What ``java`` with these arguments runs (main class, module or path of a jar), and what follows it."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-jar", "-m", "--module"):
            return next(rest, ""), list(rest)
        if argument in _JAVA_OPTIONS_WITH_VALUE:
            next(rest, "")
        elif not argument.startswith(("-", "@")):
            return argument, list(rest)
    return "", []


def _java_main(arguments: list[str]) -> str:
    main, _ = java_command(arguments)
    return PurePath(main).name if "/" in main else main


def _script(arguments: list[str]) -> str:
    rest = iter(arguments)
    for argument in rest:
        if argument == "-m":
            return next(rest, "")
        if argument in ("-c", "-e"):
            return ""
        if not argument.startswith("-"):
            return PurePath(argument).name
    return ""
