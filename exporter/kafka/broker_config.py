"""What a broker's properties say of its listeners, its node id and its log directories, Kafka's defaults included."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.kafka.broker import UNKNOWN

_LISTENER = re.compile(r"(?P<name>[^:/,\s]+)://(?P<host>\[[^\]]*\]|[^:\[\]]*):(?P<port>[0-9]{1,5})")
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_DEFAULT_LISTENERS = "PLAINTEXT://:9092"
_DEFAULT_DIRECTORY = "/tmp/kafka-logs"
_OURS = ("listeners", "listener.security.protocol.map", "log.dirs", "log.dir", "node.id")
_TO_BE_FILLED_IN = "${"
"""A value that a config provider fills in when the broker starts (KIP-297): nobody else knows it."""


@dataclass(frozen=True)
class Endpoint:
    """A listener as it is configured."""

    name: str
    protocol: str
    host: str
    """Empty: all addresses."""
    port: int
    """0: one that the kernel chooses."""


@dataclass(frozen=True)
class Settings:
    """The part of a broker's configuration that matters here."""

    node_id: str
    """Empty when it is not told."""
    listeners: tuple[Endpoint, ...]
    log_directories: tuple[str, ...]
    problems: tuple[str, ...]


def read_settings(properties: Mapping[str, str]) -> Settings:
    """From properties, as Kafka understands them; what cannot be understood is left out and named in ``problems``."""
    told = {name: value.strip() for name, value in properties.items()}
    hidden = {name for name in _OURS if _TO_BE_FILLED_IN in told.get(name, "")}
    problems = [f"{name}={told[name]} is filled in by a config provider" for name in sorted(hidden)]
    protocols = {} if "listener.security.protocol.map" in hidden else _protocol_map(told)
    return Settings(
        node_id=_node_id(told),
        listeners=() if "listeners" in hidden else _listeners(told, protocols, problems),
        log_directories=() if hidden & {"log.dirs", "log.dir"} else _log_directories(told),
        problems=tuple(problems),
    )


def _node_id(given: Mapping[str, str]) -> str:
    for name in ("node.id", "broker.id"):
        if re.fullmatch(r"[0-9]+", given.get(name, "")):
            return given[name]
    return ""


def _listeners(given: Mapping[str, str], protocols: Mapping[str, str], problems: list[str]) -> tuple[Endpoint, ...]:
    found = []
    for text in _items(given.get("listeners") or _DEFAULT_LISTENERS):
        match = _LISTENER.fullmatch(text)
        if not match or int(match["port"]) > 65535:
            problems.append(f"listeners has {text}, which is not NAME://HOST:PORT")
            continue
        name = match["name"].upper()
        found.append(Endpoint(name, protocols.get(name, UNKNOWN), match["host"].strip("[]"), int(match["port"])))
    return tuple(found)


def _protocol_map(given: Mapping[str, str]) -> dict[str, str]:
    """Listener names to protocols; without a map of its own a controller's listener is PLAINTEXT (KIP-631)."""
    written = given.get("listener.security.protocol.map", "")
    if not written:
        controllers = [name.upper() for name in _items(given.get("controller.listener.names", ""))]
        return dict.fromkeys(controllers, "PLAINTEXT") | {protocol: protocol for protocol in _PROTOCOLS}
    pairs = (item.partition(":") for item in _items(written))
    return {name.strip().upper(): protocol.strip().upper() for name, _, protocol in pairs}


def _log_directories(given: Mapping[str, str]) -> tuple[str, ...]:
    directories = _items(given.get("log.dirs") or given.get("log.dir") or _DEFAULT_DIRECTORY)
    metadata = given.get("metadata.log.dir", "")
    return tuple(dict.fromkeys([*directories, *([metadata] if metadata else [])]))


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
