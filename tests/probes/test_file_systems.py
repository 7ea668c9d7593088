"""The file systems of this kernel: each has pages, or is in a list of those that do not."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.kernel.file_systems import TABLES
from exporter.model import Endpoint
from tests.support.filesystems import command

from .probe_fixture import ProbeFixture
from .test_endpoints import reads_from

MODULES = ("9p", "binfmt_misc", "ceph", "cifs", "configfs", "efivarfs", "fuse", "nfs", "nfsd", "nfsv4", "overlay")
PAGES_ALTHOUGH_WITHOUT_A_DEVICE = {
    "devtmpfs",  # tmpfs by another name; so is rootfs
    "rootfs",
    "ubifs",
    "jffs2",
    "ecryptfs",
    "zfs",
}
NO_REGULAR_FILES = {"autofs", "bdev", "binder", "dax", "devpts", "pipefs", "sockfs"}


def test_every_file_system_without_a_device_is_known() -> None:
    """A type that fails here goes into a table of exporter/kernel/file_systems.py, or into one of the lists above."""
    for module in MODULES if shutil.which("modprobe") else ():
        subprocess.run(["modprobe", "--quiet", module], check=False)
    listed = [line.split("\t") for line in Path("/proc/filesystems").read_text().splitlines()]
    without_device = {name for nodev, name in listed if nodev}
    known = {name for table in TABLES.values() for name in table}
    assert without_device - known - PAGES_ALTHOUGH_WITHOUT_A_DEVICE - NO_REGULAR_FILES == set()


@pytest.fixture
def nfsd(tmp_path: Path) -> Iterator[Path]:
    command("mount", "-t", "nfsd", "test", tmp_path)
    yield tmp_path
    command("umount", tmp_path)


@pytest.mark.probe("syscalls")
def test_the_files_of_the_nfs_server(probes: ProbeFixture, workload: Callable[..., Path], nfsd: Path) -> None:
    finished = probes.run(workload("endpoints"), "reads", nfsd / "export_features")
    assert finished.calls == reads_from(Endpoint.PSEUDO)
