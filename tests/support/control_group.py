"""A control group of the tests' own, below which a systemd can make others."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.wait import wait_until


def hierarchy() -> Path:
    """Where the unified hierarchy of control groups (version 2) is mounted."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return next(Path(words[1]) for words in mounts if words[2] == "cgroup2")


@contextmanager
def control_group(name: str) -> Iterator[tuple[str, ...]]:
    """Make a control group; what to put before a command that is to run in it. Removes it with all below it."""
    directory = hierarchy() / name
    directory.mkdir()
    try:
        yield ("sh", "-ec", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(directory))
    finally:
        wait_until(lambda: _removed(directory), f"the end of the processes in {directory}")


def _removed(directory: Path) -> bool:
    """Processes that are still exiting keep their control group."""
    for path in sorted((path for path in directory.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):
            path.rmdir()
    with suppress(OSError):
        directory.rmdir()
    return not directory.exists()
