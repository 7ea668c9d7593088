"""What a process inherits from its starter: made what it should be, before anything depends on it.

Whoever starts the exporter as root may stand in a directory of another user, and may have an environment that another
program has filled. Neither must decide what root compiles, imports or leaves open.
"""

import os
import resource
import signal
import site
import sys
from contextlib import suppress

from exporter.errors import KernelError, UsageError
from exporter.kernel import libc

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = ("LANG", "LC_ALL", "LC_CTYPE", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
_HARMLESS = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
_FROM_SYSTEMD = ("LISTEN_FDS", "LISTEN_PID")
_FIRST_FROM_SYSTEMD = 3
_PR_SET_DUMPABLE = 4
_OPEN_FILES = 65_536
_OPEN_FILES_MIN = 60
"""The service has about 45 open when nobody scrapes."""
_PROCESSES_MIN = 64
"""Threads count as processes; the service has about 40 when many clients scrape."""
_ADDRESS_SPACE_MIN = 1 << 30
"""The compiler's libraries and the maps; nothing of this size is ever resident."""


class _Start:
    """Where the process was started; relative names in flags are below it."""

    directory: str | None = None
    """None: where it is now; empty: it was deleted."""


def reset() -> None:
    """Take nothing from the starter but the language, the terminal and the sockets of systemd.

    Raises :class:`KernelError` when a limit of the starter is too low and cannot be raised.
    """
    _forget_environment()
    _Start.directory = _present_directory()
    os.chdir("/")
    _open_standard_descriptors()
    _close_inherited_descriptors()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.umask(0o077)
    _raise_limits()
    forbid_tracing()


def absolute(flag: str, path: str) -> str:
    """The absolute form of a path that a user gave, as seen from where the process was started."""
    if os.path.isabs(path):
        return path
    start = _present_directory() if _Start.directory is None else _Start.directory
    if start:
        return os.path.join(start, path)
    raise UsageError(f"{flag}={path} is relative to a directory that does not exist any more; give an absolute path")


def environment_of_children() -> dict[str, str]:
    """The environment of child processes, built from nothing. They import what this process imports."""
    path = [folder for folder in sys.path if os.path.isabs(folder)]
    harmless = {name: os.environ[name] for name in _HARMLESS if name in os.environ}
    return {"PATH": PATH, "LANG": "C.UTF-8", "PYTHONNOUSERSITE": "1", "PYTHONPATH": os.pathsep.join(path), **harmless}


def forbid_tracing() -> None:
    """Let no other process of the same user trace this one or read its memory. An exec undoes this."""
    libc.prctl(_PR_SET_DUMPABLE, 0)


def _present_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _open_standard_descriptors() -> None:
    """Give 0 to 2 to /dev/null where they are closed: else a socket would get the number of standard error."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115


def _close_inherited_descriptors() -> None:
    passed = 0
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        with suppress(ValueError):
            passed = max(0, int(os.environ.get("LISTEN_FDS", "0")))
    os.closerange(_FIRST_FROM_SYSTEMD + passed, max(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1 << 20))


def _forget_environment() -> None:
    """Keep what is harmless. What the loader and Python have read already takes a new start."""
    is_too_late = _imports_from_home() or any(
        name.startswith(("LD_", "PYTHON")) and name not in _HARMLESS for name in os.environ
    )
    kept = {name: os.environ[name] for name in (*_KEPT, *_HARMLESS, *_FROM_SYSTEMD) if name in os.environ}
    os.environ.clear()
    os.environ.update(kept, PATH=PATH)
    if is_too_late:
        options = ("-P",) if _is_installed_in_home() else ("-P", "-s")
        os.execv(sys.executable, (sys.executable, *options, "-m", "exporter", *sys.argv[1:]))


def _imports_from_home() -> bool:
    """Whether Python looks below $HOME too, before it looks into the system; not if this module is there itself."""
    return site.getusersitepackages() in sys.path and not _is_installed_in_home()


def _is_installed_in_home() -> bool:
    return os.path.realpath(__file__).startswith(os.path.realpath(site.getusersitepackages()) + os.sep)


def _raise_limits() -> None:
    _raise(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)  # also files in memory, such as the errors of children
    _require("-n", "open files", _raise(resource.RLIMIT_NOFILE, _OPEN_FILES), _OPEN_FILES_MIN)
    _require("-u", "processes", _raise(resource.RLIMIT_NPROC, resource.RLIM_INFINITY), _PROCESSES_MIN)
    _require("-t", "CPU seconds", _raise(resource.RLIMIT_CPU, resource.RLIM_INFINITY), resource.RLIM_INFINITY)
    for flag, what, limit in (("-v", "address space", resource.RLIMIT_AS), ("-d", "data", resource.RLIMIT_DATA)):
        _require(flag, f"KiB of {what}", _raise(limit, resource.RLIM_INFINITY), _ADDRESS_SPACE_MIN, unit=1024)


def _raise(limit: int, wanted: int) -> int:
    """Raise a limit as far as is permitted; returns what it is then."""
    soft, hard = resource.getrlimit(limit)
    for value in (wanted, hard):
        if _below(soft, value):
            with suppress(ValueError, OSError):
                resource.setrlimit(limit, (value, value if _below(hard, value) else hard))
                return value
    return soft


def _below(number: int, other: int) -> bool:
    if number == resource.RLIM_INFINITY:
        return False
    return other == resource.RLIM_INFINITY or number < other


def _require(flag: str, what: str, limit: int, minimum: int, unit: int = 1) -> None:
    """``unit`` is what the shell's ulimit counts in."""
    if _below(limit, minimum):
        least = "unlimited" if minimum == resource.RLIM_INFINITY else f"at least {minimum // unit}"
        raise KernelError(
            f"the limit of {what} is {limit // unit}, and cannot be raised: start with {least} "
            f"(ulimit {flag} {least.removeprefix('at least ')}), or as root"
        )
