"""Runs a command under another kernel, in an emulated virtual machine on a read-only view of a root file system."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

from .fetch import Installed

VNG = Path(sys.executable).with_name("vng")
MEMORY = "2G"
DISK_BYTES = 2 << 30


@dataclass(frozen=True)
class Mode:
    """What a virtual machine is for."""

    cpus: int
    preemption: str
    """Where the kernel offers a choice."""
    qemu_options: tuple[str, ...] = ()


EXACT_COUNTS = Mode(cpus=2, preemption="full")
INSTRUCTIONS = Mode(cpus=1, preemption="voluntary", qemu_options=("-icount shift=0,sleep=off",))
"""The clock of the virtual machine counts instructions: one is a nanosecond."""
HOST_ROOT = Path("/")
_CONSOLE_LINES = 15


class VirtualMachineError(Exception):
    """The command did not finish; the message ends with the last lines of the console."""


def run_in_vm(
    installed: Installed,
    command: Sequence[str | Path],
    shared: Path,
    deadline: float,
    *,
    root: Path = HOST_ROOT,
    mode: Mode = EXACT_COUNTS,
) -> int:
    """Boot a kernel and run a command as root; its exit status.

    ``shared`` is a directory that the command may write to, under the same path; the console goes to the file
    ``console`` in it. The virtual machine has an empty disk at /dev/vda. Raises :class:`VirtualMachineError` when the
    command has not finished after ``deadline`` seconds.
    """
    script = shared / "script"
    status = shared / "status"  # vng reports the status only where the virtual machine has its own init
    status.unlink(missing_ok=True)
    script.write_text(f"#!/bin/sh\n{shlex.join(str(word) for word in command)}\necho $? >{shlex.quote(str(status))}\n")
    script.chmod(0o755)
    disk = shared / "disk"
    with disk.open("wb") as image:
        image.truncate(DISK_BYTES)
    console = shared / "console"
    try:
        with console.open("wb") as output:
            finished = _finishes(_vng(installed, script, disk, root, mode), output.fileno(), deadline)
    finally:
        disk.unlink()
    if not status.exists():
        problem = "stopped before its script finished" if finished else f"did not finish in {deadline:g} s"
        last = "\n".join(console.read_text(errors="replace").splitlines()[-_CONSOLE_LINES:])
        raise VirtualMachineError(
            f"the virtual machine with kernel {installed.release} {problem}; its console ends with:\n{last}"
        )
    return int(status.read_text())


def _vng(installed: Installed, script: Path, disk: Path, root: Path, mode: Mode) -> list[str | Path]:
    """The command of virtme-ng: its script takes no arguments, and only ``--verbose`` shows the script's output."""
    command: list[str | Path] = [VNG, "--disable-kvm", "--force-9p", "--verbose", "--run", installed.image]
    command += ["--memory", MEMORY, "--cpus", str(mode.cpus), "--rwdir", f"{disk.parent}={disk.parent}", "--disk", disk]
    if root != HOST_ROOT:
        command += ["--arch", installed.kernel.architecture, "--root", root, "--busybox", root / "usr/bin/busybox"]
    # separate page tables for the kernel would cost an emulated TLB at each system call
    command += ["--append", "mitigations=off", "--append", f"preempt={mode.preemption}"]
    # run-in-vm.sh mounts these again by name, with a cache: vng's own root file system asks the host at each read.
    exports = {"usr": root / "usr", "repository": ROOT, "modules": installed.directory / "lib/modules"}
    for name, path in exports.items():
        export = f"-fsdev local,id={name},path={path},security_model=none,readonly=on,multidevs=remap"
        command.append(f"--qemu-opts={export} -device virtio-9p-pci,fsdev={name},mount_tag={name}")
    command += [f"--qemu-opts={option}" for option in mode.qemu_options]
    return [*command, "--", script]


def _finishes(command: Sequence[str | Path], output: int, deadline: float) -> bool:
    """Run vng; whether it exits in time. All of its processes are gone afterwards."""
    environment = os.environ | {"PATH": f"{VNG.parent}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment
    )
    try:
        process.wait(deadline)
    except subprocess.TimeoutExpired:
        return False
    finally:
        _kill_session(process)
    return True


def _kill_session(process: "subprocess.Popen[bytes]") -> None:
    """Kill vng and its descendants: a shell, virtme-run and QEMU are in the session that it leads."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
