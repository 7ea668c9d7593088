"""Recognize the command line of a Kafka broker, and find the configuration that it names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath

from exporter.host.program_names import java_command

_MAIN_CLASSES = {
    "kafka.Kafka",
    "io.confluent.support.metrics.SupportedKafka",
    "com.cloudera.kafka.wrap.Kafka",
}
_LAUNCHER = "org.tanukisoftware.wrapper."
"""Classes of the Java Service Wrapper, whose first argument is the main class."""
_NATIVE_IMAGE = "kafka.Kafka"
COMMS = frozenset({"java", "jsvc", _NATIVE_IMAGE})
"""Names of processes that may be brokers."""
_NO_BROKER = {"--version", "--help"}
_OVERRIDE = "--override"


@dataclass(frozen=True)
class BrokerCommand:
    """The arguments of ``kafka.Kafka``."""

    file: str
    """Path of the configuration file as written on the command line; empty without one."""
    overrides: dict[str, str] = field(default_factory=dict)
    """Properties that replace those of the file."""


def parse_broker_command(arguments: Sequence[str]) -> BrokerCommand | None:
    """The broker's arguments; None for any other command line, that of the shell script that starts a broker included.

    >>> parse_broker_command(["java", "-Xmx1g", "kafka.Kafka", "a.properties", "--override", "node.id=3"])
    BrokerCommand(file='a.properties', overrides={'node.id': '3'})
    """
    if arguments and PurePath(arguments[0]).name == _NATIVE_IMAGE:
        return _native_command(arguments[1:])
    main, rest = java_command(arguments[1:])
    if main.startswith(_LAUNCHER) and rest:
        main, *rest = rest
    if main.rpartition("/")[2] not in _MAIN_CLASSES or _NO_BROKER.intersection(rest):
        return None
    if not rest or rest[0].startswith("--"):
        return BrokerCommand("", _overrides(rest))
    return BrokerCommand(rest[0], _overrides(rest[1:]))


def _native_command(arguments: Sequence[str]) -> BrokerCommand | None:
    """Of the native image: ``start --config FILE``."""
    if arguments[:1] != ["start"]:
        return None
    options = dict(pairwise(arguments))
    return BrokerCommand(options.get("--config", ""), _overrides(arguments[1:]))


def _overrides(arguments: Sequence[str]) -> dict[str, str]:
    properties = {}
    rest = iter(arguments)
    for argument in rest:
        if argument == _OVERRIDE:
            name, _, value = next(rest, "").partition("=")
            properties[name] = value
        elif argument.startswith(f"{_OVERRIDE}="):
            name, _, value = argument.removeprefix(f"{_OVERRIDE}=").partition("=")
            properties[name] = value
    return properties
