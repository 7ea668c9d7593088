"""Run a script under another kernel: a virtual machine, emulated, on a read-only view of this host's root."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .archive import REPOSITORY
from .fetch import Installed

VNG = Path(sys.executable).with_name("vng")
MEMORY = "2G"
CPUS = 2
DISK_BYTES = 2 << 30
BOOT_OPTIONS = (
    "mitigations=off",  # page tables of the kernel's own would cost an emulated TLB at each system call
    "preempt=full",  # where the kernel lets it be chosen: what is exact there is exact with less
)
HOST = Path("/")
_LINES_OF_CONSOLE = 15


class BootError(Exception):
    """The virtual machine did not do its work; the message ends with the last lines of its console."""


def run(installed: Installed, command: Sequence[str | Path], shared: Path, deadline: float, root: Path = HOST) -> int:
    """Run a command as root inside; its exit status.

    ``shared`` is a directory that it may write to, under the same path; its console goes to the file ``console`` there.
    There is a disk of its own, empty, at /dev/vda. Raises :class:`BootError` when the command has not ended after
    ``deadline`` seconds.
    """
    script = shared / "script"
    status = shared / "status"  # vng tells it only where the guest has its own init
    status.unlink(missing_ok=True)
    script.write_text(f"#!/bin/sh\n{shlex.join(str(word) for word in command)}\necho $? >{shlex.quote(str(status))}\n")
    script.chmod(0o755)
    disk = shared / "disk"
    with disk.open("wb") as image:
        image.truncate(DISK_BYTES)
    console = shared / "console"
    try:
        with console.open("wb") as output:
            hangs = not _ended(_vng(installed, script, shared, disk, root), output.fileno(), deadline)
    finally:
        disk.unlink()
    if not status.exists():
        problem = f"was not done after {deadline:g} s" if hangs else "ended before its script did"
        last = "\n".join(console.read_text(errors="replace").splitlines()[-_LINES_OF_CONSOLE:])
        raise BootError(f"the machine with kernel {installed.release} {problem}; its console ends with:\n{last}")
    return int(status.read_text())


def _vng(installed: Installed, script: Path, shared: Path, disk: Path, root: Path) -> list[str | Path]:
    """The script takes no arguments, and its output is on the console only with ``--verbose``."""
    command: list[str | Path] = [VNG, "--disable-kvm", "--force-9p", "--verbose", "--run", installed.image]
    command += ["--memory", MEMORY, "--cpus", str(CPUS), "--rwdir", f"{shared}={shared}", "--disk", disk]
    if root != HOST:
        command += ["--arch", installed.kernel.architecture, "--root", root, "--busybox", root / "usr/bin/busybox"]
    for option in BOOT_OPTIONS:
        command += ["--append", option]
    # What the guest mounts anew by these names, to keep what it has read: vng's own root asks the host each time.
    exports = {"usr": root / "usr", "repository": REPOSITORY, "modules": installed.directory / "lib/modules"}
    for name, path in exports.items():
        export = f"-fsdev local,id={name},path={path},security_model=none,readonly=on,multidevs=remap"
        command.append(f"--qemu-opts={export} -device virtio-9p-pci,fsdev={name},mount_tag={name}")
    return [*command, "--", script]


def _ended(command: Sequence[str | Path], output: int, deadline: float) -> bool:
    """Whether it ended by itself in time; whatever is left of it does not stay."""
    environment = os.environ | {"PATH": f"{VNG.parent}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment
    )
    try:
        process.wait(deadline)
    except subprocess.TimeoutExpired:
        return False
    finally:
        _end_session(process)
    return True


def _end_session(process: "subprocess.Popen[bytes]") -> None:
    """vng starts a shell, that virtme-run, and that QEMU: all of them are in the session of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
