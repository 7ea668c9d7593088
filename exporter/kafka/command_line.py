"""Whether a command line runs a Kafka broker, and what it says of the configuration."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.host.procfs import java_command

_MAIN_CLASSES = {"kafka.Kafka", "io.confluent.support.metrics.SupportedKafka"}
_OVERRIDE = "--override"


@dataclass(frozen=True)
class BrokerCommand:
    """The arguments of ``kafka.Kafka``."""

    file: str
    """Path of the configuration, as the broker was given it; empty without one."""
    overrides: dict[str, str] = field(default_factory=dict)
    """Properties that hold whatever the file says."""


def broker_command(arguments: Sequence[str]) -> BrokerCommand | None:
    """None when this is not the command line of a broker: the shell script that starts one is not.

    >>> broker_command(["java", "-Xmx1g", "kafka.Kafka", "a.properties", "--override", "node.id=3"])
    BrokerCommand(file='a.properties', overrides={'node.id': '3'})
    """
    main, rest = java_command(arguments[1:])
    if main not in _MAIN_CLASSES:
        return None
    if not rest or rest[0].startswith("--"):
        return BrokerCommand("", _overrides(rest))
    return BrokerCommand(rest[0], _overrides(rest[1:]))


def _overrides(arguments: Sequence[str]) -> dict[str, str]:
    given = {}
    rest = iter(arguments)
    for argument in rest:
        if argument == _OVERRIDE:
            name, _, value = next(rest, "").partition("=")
            given[name] = value
        elif argument.startswith(f"{_OVERRIDE}="):
            name, _, value = argument.removeprefix(f"{_OVERRIDE}=").partition("=")
            given[name] = value
    return given
