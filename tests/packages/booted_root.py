"""A Debian in a directory, started by its own systemd in namespaces: nothing of it reaches this host."""

import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.support.control_group import control_group
from tests.support.paths import ROOT
from tests.support.wait import wait_until

_NAMESPACES = ("--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup")
_ENVIRONMENT = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
_MOUNT = """
mount --make-rprivate /
mount --bind "$0" "$0"
cd "$0"
mount -t proc proc proc
"""
_DOWNLOAD = (
    _MOUNT
    + """
exec chroot . "$@"
"""
)
_BOOT = (
    _MOUNT
    + """
ip link set lo up
mount -t sysfs sysfs sys
mount -t tracefs tracefs sys/kernel/tracing
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs tmpfs run
pivot_root . mnt
umount --lazy /mnt
exec env -i container=test /lib/systemd/systemd --system --unit=multi-user.target --show-status=no
"""
)


class BootedRoot:
    """A minimal Debian of a suite in ``directory``; a context manager that ends all its processes."""

    def __init__(self, suite: str, directory: Path) -> None:
        """Make it, with systemd; the network is reached until it is started."""
        self.directory = directory
        self._stack = ExitStack()
        subprocess.run([ROOT / "deploy/debian-root", suite, directory], check=True)
        settings = directory / "run/secrets"
        settings.mkdir()
        subprocess.run([ROOT / "deploy/package-settings", settings], cwd=ROOT, check=True)
        (settings / "apt").rename(directory / "etc/apt/apt.conf.d/99-host")
        (directory / "etc/dpkg/dpkg.cfg.d/throw-away").write_text("force-unsafe-io\n")
        (directory / "etc/apt/apt.conf.d/99-keep").write_text(
            'Binary::apt-get::APT::Keep-Downloaded-Packages "true";\n'
        )
        self.prepare("apt-get", "update", "-qq")
        self.prepare("apt-get", "install", "-y", "-qq", "--no-install-recommends", "systemd")

    def prepare(self, *command: str) -> None:
        """Run a command in the directory before the start, with the network of the host."""
        unshare = ("unshare", "--fork", "--pid", "--kill-child", "--mount")
        environment = (*_ENVIRONMENT, "PIP_CONFIG_FILE=/run/secrets/pip")
        subprocess.run([*unshare, "sh", "-ec", _DOWNLOAD, self.directory, *environment, *command], check=True)

    def __enter__(self) -> Self:
        """Start its systemd, and wait until that answers."""
        unshare = ("unshare", "--fork", "--kill-child", *_NAMESPACES)
        in_control_group = self._stack.enter_context(control_group(f"copy-exporter-root-{os.getpid()}"))
        process = subprocess.Popen([*in_control_group, *unshare, "sh", "-ec", _BOOT, self.directory])
        self._stack.callback(process.wait)
        self._stack.callback(process.send_signal, signal.SIGKILL)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: process.poll() is not None or children.read_text(), "the first process")
        assert process.poll() is None
        self._first = children.read_text().split()[0]
        wait_until(lambda: self.status("systemctl", "list-units") == 0, "systemd", 60)
        return self

    def __exit__(self, *problem: object) -> None:
        self._stack.close()

    def run(self, *command: str) -> str:
        """Run a command in it, which must succeed; its output."""
        done = self._run(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def status(self, *command: str) -> int:
        """Run a command in it; its exit status."""
        return self._run(*command).returncode

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        enter = ("nsenter", "--target", self._first, *_NAMESPACES, *_ENVIRONMENT)
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False, timeout=600)
