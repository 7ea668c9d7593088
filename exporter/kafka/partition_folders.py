"""The folders of partitions: ``TOPIC-PARTITION`` in a log directory of a broker. Pure: no input or output."""

import re
from collections.abc import Collection
from typing import NamedTuple

from exporter.kafka.broker import Facts
from exporter.model import ROLES_MAX, Folder, FolderTransfer

_PARTITION_FOLDER = re.compile(
    r"(?P<topic>[a-zA-Z0-9._-]{1,249})-(?P<partition>[0-9]{1,10})(?:\.[0-9a-f]{32}-(?:delete|future|stray))?"
)
"""Also one that is to be deleted or that moves to another log directory."""
_NOT_FROM_DISK = [
    role * len(FolderTransfer) + transfer
    for role in range(ROLES_MAX)
    for transfer in FolderTransfer
    if transfer is not FolderTransfer.DMA_READ
]


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int


def parse_folder(name: str) -> Partition | None:
    """Topic and partition; None when the folder does not belong to a partition.

    >>> parse_folder("my.topic-2-17")
    Partition(topic='my.topic-2', number=17)
    """
    match = _PARTITION_FOLDER.fullmatch(name)
    return Partition(match["topic"], int(match["partition"])) if match else None


def is_partition_folder(name: str) -> bool:
    """Whether a folder of a log directory has this name only if it belongs to a partition."""
    return parse_folder(name) is not None


def find_partition(folder: Folder, facts: Facts, seen: Collection[Partition] = ()) -> Partition | None:
    """The partition of a folder; None when it has none.

    ``seen``: partitions whose folders the broker has used. On overlayfs the block layer reads a file of another file
    system, whose folder has the same name: it has disk reads alone, and is a partition's if that name was seen.
    """
    if folder.file._replace(inode=folder.parent) in facts.log_directories:
        return parse_folder(folder.name)
    for link in facts.linked_folders:
        if link.target == folder.file:
            return parse_folder(link.name)
    if facts.on_overlay and not any(folder.moved[index] for index in _NOT_FROM_DISK):
        partition = parse_folder(folder.name)
        return partition if partition in seen else None
    return None
