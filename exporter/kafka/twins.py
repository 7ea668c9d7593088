"""Tell running brokers apart that have the same cluster id and node id, as copied compose files do."""

from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import replace

from exporter.kafka.broker import Broker, Node


def shared_nodes(brokers: Sequence[Broker], before: Set[Node]) -> frozenset[Node]:
    """The ids that several running brokers have, or had ``before`` and one still has."""
    counts = Counter(_ids(broker) for broker in brokers)
    return frozenset(node for node, count in counts.items() if count > 1 or node in before)


def tell_apart(brokers: Sequence[Broker], shared: Set[Node]) -> tuple[Broker, ...]:
    """The same brokers, with a discriminator if their ids are ``shared``.

    It is the directory id, which outlives a restart, or the process id where brokers share that id too.
    """
    directories: defaultdict[tuple[Node, str], int] = defaultdict(int)
    for broker in brokers:
        directories[_ids(broker), broker.facts.directory_id] += 1
    return tuple(
        replace(broker, discriminator=_discriminator(broker, directories) if _ids(broker) in shared else "")
        for broker in brokers
    )


def _discriminator(broker: Broker, directories: defaultdict[tuple[Node, str], int]) -> str:
    directory_id = broker.facts.directory_id
    is_unique = directory_id and directories[_ids(broker), directory_id] == 1
    return directory_id if is_unique else str(broker.pid)


def _ids(broker: Broker) -> Node:
    return replace(broker, discriminator="").node
