"""Share a limited number of watched ports among brokers."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from exporter.kafka.broker import Broker


def allot_ports(brokers: Sequence[Broker], max_ports: int) -> tuple[Broker, ...]:
    """The same brokers, with listeners on at most ``max_ports`` ports in all.

    Each broker gets its first port before any gets a second.
    """
    rounds = zip_longest(*(dict.fromkeys(one.port for one in broker.facts.listeners) for broker in brokers))
    ports = dict.fromkeys(port for turn in rounds for port in turn if port is not None)
    allotted = set(list(ports)[:max_ports])
    return tuple(_with_ports(broker, allotted) for broker in brokers)


def _with_ports(broker: Broker, ports: set[int]) -> Broker:
    listeners = tuple(listener for listener in broker.facts.listeners if listener.port in ports)
    if listeners == broker.facts.listeners:
        return broker
    return replace(broker, facts=replace(broker.facts, listeners=listeners))
