"""The identity that a broker has written into its log directories: ``meta.properties``.

It is there whatever the configuration says: generated node ids and values of config providers included.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.kafka.properties import parse_properties

FILE_NAME = "meta.properties"


@dataclass(frozen=True)
class DirectoryIdentity:
    """The content of one ``meta.properties``. A value that it does not have is empty."""

    cluster_id: str = ""
    node_id: str = ""
    directory_id: str = ""
    """Since Kafka 3.7: of this directory alone."""


def parse_meta_properties(text: str) -> DirectoryIdentity:
    """Read ``meta.properties`` of version 0 (ZooKeeper: ``broker.id``) or 1 (KRaft: ``node.id``)."""
    values = parse_properties(text)
    return DirectoryIdentity(
        _value(values, "cluster.id"),
        _value(values, "node.id") or _value(values, "broker.id"),
        _value(values, "directory.id"),
    )


def first_identity(identities: Iterable[DirectoryIdentity]) -> DirectoryIdentity:
    """The identity of a broker with these directories: the first that is known of each value."""
    known = list(identities)
    return DirectoryIdentity(
        next((identity.cluster_id for identity in known if identity.cluster_id), ""),
        next((identity.node_id for identity in known if identity.node_id), ""),
        next((identity.directory_id for identity in known if identity.directory_id), ""),
    )


def _value(values: Mapping[str, str], name: str) -> str:
    return values.get(name, "").strip()[:100]
