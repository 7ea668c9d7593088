"""File systems on loop devices, made for a test."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.requirements import skip_for_kernel

MKFS = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "ext4 with blocks of 1 KiB": ("mkfs.ext4", "-q", "-F", "-b", "1024"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
    "btrfs over two disks": ("mkfs.btrfs", "-q", "-f", "-d", "raid0", "-m", "raid0"),
}


def command(*argv: str | Path) -> str:
    """Run a command that prepares a test; its output. Skips the test if the command is missing or fails."""
    try:
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    except FileNotFoundError:
        pytest.skip(f"{argv[0]} is not installed")
    except subprocess.CalledProcessError as error:
        skip_for_kernel(f"{argv[0]}: {error.stderr.strip().splitlines()[0]}")


@contextmanager
def loop_device(image: Path, size: int) -> Iterator[Path]:
    """A block device of ``size`` bytes, backed by the file ``image``."""
    with image.open("wb") as backing:
        backing.truncate(size)
    device = command("losetup", "--find", "--show", image)
    try:
        yield Path(device)
    finally:
        command("losetup", "--detach", device)
        image.unlink()


@contextmanager
def file_system(kind: str, directory: Path, size: int = 384 << 20) -> Iterator[tuple[Sequence[Path], Path]]:
    """Make and mount one of :data:`MKFS`; its devices, and the directory in which it is mounted."""
    with ExitStack() as stack:
        disks = 2 if "two" in kind else 1
        devices = [stack.enter_context(loop_device(directory / f"disk{n}", size)) for n in range(disks)]
        command(*MKFS[kind], *devices)
        mounted_at = directory / "mounted"
        mounted_at.mkdir()
        command("mount", devices[0], mounted_at)
        stack.callback(command, "umount", mounted_at)
        yield devices, mounted_at


@contextmanager
def on_disk(directory: Path, size: int = 384 << 20) -> Iterator[Path]:
    """``directory``, or one on an ext4 mounted in it, if its own file system is another."""
    if command("stat", "--file-system", "--format=%T", directory) == "ext2/ext3":
        yield directory
        return
    with file_system("ext4", directory, size) as (_, mounted):
        yield mounted
