"""Runs a command under another kernel, in an emulated virtual machine on a read-only view of a root file system."""

import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.progress import announce

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
_COMPLAINT = re.compile(r"BUG:|WARNING:|rcu:.* stall|soft lockup|blocked for more than|Kernel panic|Out of memory")
_COMPLAINT_LINES = 40


class VirtualMachineError(Exception):
    """The command did not finish; the message has what the kernel complained of, or the last lines of the console."""


def run_in_vm(
    installed: Installed,
    command: Sequence[str | Path],
    shared: Path,
    deadline: float,
    *,
    silence: float = math.inf,
    root: Path = HOST_ROOT,
    mode: Mode = EXACT_COUNTS,
) -> int:
    """Boot a kernel and run a command as root; its exit status.

    ``shared`` is a directory that the command may write to, under the same path; the console goes to the file
    ``console`` in it. The virtual machine has an empty disk at /dev/vda. Raises :class:`VirtualMachineError` when the
    command has not finished after ``deadline`` seconds, or has written nothing into ``shared`` for ``silence`` seconds.
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
    announce(f"booting kernel {installed.release} in a virtual machine: minutes, at most {deadline / 60:.0f}")
    try:
        with console.open("wb") as output:
            problem = run_until_it_hangs(
                _vng(installed, script, disk, root, mode), output.fileno(), shared, deadline, silence
            )
    finally:
        disk.unlink()
    if not status.exists():
        reason = problem or "stopped before its script finished"
        raise VirtualMachineError(
            f"the virtual machine with kernel {installed.release} {reason}; from its console:\n{complaint(console)}"
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


def run_until_it_hangs(
    command: Sequence[str | Path], output: int, shared: Path, deadline: float, silence: float
) -> str:
    """Run vng; why it was killed, or nothing. All of its processes are gone afterwards."""
    environment = os.environ | {"PATH": f"{VNG.parent}:{os.environ['PATH']}"}
    started = time.time()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment
    )
    try:
        while True:
            try:
                process.wait(1)
                return ""
            except subprocess.TimeoutExpired:
                now = time.time()
            if now - started > deadline:
                return f"did not finish in {deadline:g} s"
            if now - max(started, _last_written(shared)) > silence:
                return f"wrote nothing for {silence:g} s"
    finally:
        _kill_session(process)


def _last_written(shared: Path) -> float:
    """When the command last wrote a file. The kernel's console and the disk do not count."""
    return max(path.stat().st_mtime for path in shared.iterdir() if path.name not in ("console", "disk"))


def complaint(console: Path) -> str:
    """The kernel's first complaint; the last lines where there is none."""
    lines = console.read_text(errors="replace").splitlines()
    first = next((number for number, line in enumerate(lines) if _COMPLAINT.search(line)), -_COMPLAINT_LINES)
    return "\n".join(lines[first:][:_COMPLAINT_LINES])


def _kill_session(process: "subprocess.Popen[bytes]") -> None:
    """Kill vng and its descendants: a shell, virtme-run and QEMU are in the session that it leads."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
