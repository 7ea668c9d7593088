"""Tell running brokers apart that have the same cluster id and node id, as copied compose files do."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from exporter.kafka.broker import Broker, Node

_LINGER_SECONDS = 300.0
"""Ids stay shared for this time after their brokers have exited, as the totals of brokers do: whichever of them returns
first has the identity that it had."""


def shared_nodes(brokers: Sequence[Broker], before: Mapping[Node, float], now: float) -> dict[Node, float]:
    """The ids that several brokers have or had, with the time when a broker last had them.

    ``before``: the result of the last call. ``now``: seconds, of a clock that never decreases.
    """
    lingering = {node: seen for node, seen in before.items() if now - seen <= _LINGER_SECONDS}
    counts = Counter(_ids(broker) for broker in brokers)
    return lingering | {node: now for node, count in counts.items() if count > 1 or node in lingering}


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
