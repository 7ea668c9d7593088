import os
from pathlib import Path

import pytest

from exporter.demo.payload import Payload, file_system_of
from exporter.errors import CopyExporterError, UsageError

MOUNTINFO = """\
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:20 / /proc rw,nosuid - proc proc rw
30 21 0:27 / /var rw shared:4 - xfs /dev/vdb rw
31 30 0:28 / /var/tmp rw shared:5 master:1 - tmpfs tmpfs rw
32 31 0:29 / /var/tmp rw - btrfs /dev/vdc rw
33 31 0:30 / /mnt/a\rb\x1cc\u2028d rw - ext4 /dev/vdd rw
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/home", "ext4"),
        ("/", "ext4"),
        ("/var/lib", "xfs"),
        ("/var/tmp/x", "btrfs"),
        ("/variable", "ext4"),
        ("/mnt/a\rb\x1cc\u2028d", "ext4"),
    ],
)
def test_the_last_and_deepest_mount_counts(directory, kind):
    assert file_system_of(Path(directory), MOUNTINFO) == kind


@pytest.fixture
def filled(tmp_path):
    with Payload(tmp_path, (2 << 20) + 7) as payload:
        parts: list[float] = []
        payload.fill(parts.append)
        assert parts == sorted(parts)
        yield payload


def test_the_file_is_complete_and_has_no_name(filled, tmp_path):
    assert os.fstat(filled.descriptor).st_size == filled.size
    assert list(tmp_path.iterdir()) == []


def test_the_content_cannot_be_compressed(filled):
    import zlib

    content = os.pread(filled.descriptor, filled.size, 0)
    assert len(zlib.compress(content)) >= filled.size


def test_it_is_gone_afterwards(tmp_path):
    with Payload(tmp_path, 1000) as payload:
        descriptor = payload.descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_file_in_memory_is_never_cold():
    with Payload(Path("/dev/shm"), 1000) as payload:
        assert (payload.file_system, payload.can_be_cold) == ("tmpfs", False)


def test_no_room(tmp_path):
    with pytest.raises(
        UsageError, match=rf"^--size=1024TiB does not fit into {tmp_path}; it must be at most [0-9]+MiB$"
    ):
        Payload(tmp_path, 1 << 50)


def test_no_such_directory(tmp_path):
    with pytest.raises(
        CopyExporterError, match=r"cannot create a file of 1KiB in .*/nowhere: No such file or directory"
    ):
        Payload(tmp_path / "nowhere", 1024)
