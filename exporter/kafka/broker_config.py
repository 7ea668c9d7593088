"""Listeners, node id and log directories from a broker's properties, with Kafka's defaults."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.kafka.broker import MAX_LISTENERS, UNKNOWN

_LISTENER = re.compile(r"(?P<name>[^:/,\s]+)://(?P<host>\[[^\]]*\]|[^,\s\[\]]*):(?P<port>[0-9]{1,5})")
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_DEFAULT_LISTENERS = "PLAINTEXT://:9092"
_DEFAULT_DIRECTORY = "/tmp/kafka-logs"
_MAX_DIRECTORIES = 100
_MAX_QUOTED = 200
_USED = ("listeners", "listener.security.protocol.map", "log.dirs", "log.dir", "node.id")
_PLACEHOLDER = "${"
"""Part of a value that a config provider replaces when the broker starts (KIP-297): the file does not contain it."""


@dataclass(frozen=True)
class ListenerConfig:
    """A listener as it is configured."""

    name: str
    protocol: str
    host: str
    """Empty: all addresses."""
    port: int
    """0: the kernel chooses one."""


@dataclass(frozen=True)
class BrokerConfig:
    """The part of a broker's configuration that the exporter needs."""

    node_id: str
    """Empty when the configuration has none."""
    listeners: tuple[ListenerConfig, ...]
    log_directories: tuple[str, ...]
    problems: tuple[str, ...]
    """What could not be understood, and is missing in the other fields."""
    old_listener: ListenerConfig | None = None
    """What ``host.name`` and ``port`` mean before Kafka 3.0, which ignores them."""
    roles: str = "broker"


def parse_broker_config(properties: Mapping[str, str]) -> BrokerConfig:
    """Read properties as Kafka does; a value that cannot be understood is left out and named in ``problems``."""
    values = {name: value.strip() for name, value in properties.items()}
    unresolved = {name for name in _USED if _PLACEHOLDER in values.get(name, "")}
    problems = [f"{name}={_quote(values[name])} is set by a config provider" for name in sorted(unresolved)]
    protocols = {} if "listener.security.protocol.map" in unresolved else _protocol_map(values)
    return BrokerConfig(
        node_id=_node_id(values),
        listeners=() if "listeners" in unresolved else _listeners(values, protocols, problems),
        log_directories=() if unresolved & {"log.dirs", "log.dir"} else _log_directories(values, problems),
        problems=tuple(problems),
        old_listener=_old_listener(values),
        roles=",".join(sorted(_items(values.get("process.roles", "")))) or "broker",
    )


def _old_listener(values: Mapping[str, str]) -> ListenerConfig | None:
    port = values.get("port", "")
    if values.get("listeners") or not re.fullmatch(r"[0-9]{1,5}", port):
        return None
    return ListenerConfig("PLAINTEXT", "PLAINTEXT", values.get("host.name", ""), int(port))


def _node_id(values: Mapping[str, str]) -> str:
    for name in ("node.id", "broker.id"):
        if re.fullmatch(r"[0-9]+", values.get(name, "")):
            return values[name]
    return ""


def _listeners(
    values: Mapping[str, str], protocols: Mapping[str, str], problems: list[str]
) -> tuple[ListenerConfig, ...]:
    listeners = []
    items = _items(values.get("listeners") or _DEFAULT_LISTENERS)
    if len(items) > MAX_LISTENERS:
        problems.append(f"listeners has more than {MAX_LISTENERS} items")
    for text in items[:MAX_LISTENERS]:
        match = _LISTENER.fullmatch(text)
        if not match or int(match["port"]) > 65535:
            problems.append(f"listeners has {_quote(text)}, which is not NAME://HOST:PORT")
            continue
        name = match["name"].upper()
        host = match["host"].strip("[]")
        listeners.append(ListenerConfig(name, protocols.get(name, UNKNOWN), host, int(match["port"])))
    return tuple(listeners)


def _protocol_map(values: Mapping[str, str]) -> dict[str, str]:
    """Protocols by listener name; without a configured map a controller's listener is PLAINTEXT (KIP-631)."""
    configured = values.get("listener.security.protocol.map", "")
    if not configured:
        controllers = [name.upper() for name in _items(values.get("controller.listener.names", ""))]
        return dict.fromkeys(controllers, "PLAINTEXT") | {protocol: protocol for protocol in _PROTOCOLS}
    pairs = (item.partition(":") for item in _items(configured))
    return {name.strip().upper(): protocol.strip().upper() for name, _, protocol in pairs}


def _log_directories(values: Mapping[str, str], problems: list[str]) -> tuple[str, ...]:
    directories = _items(values.get("log.dirs") or values.get("log.dir") or _DEFAULT_DIRECTORY)
    metadata = values.get("metadata.log.dir", "")
    if len(directories) > _MAX_DIRECTORIES:
        problems.append(f"log.dirs has more than {_MAX_DIRECTORIES} items")
        del directories[_MAX_DIRECTORIES:]
    return tuple(dict.fromkeys([*directories, *([metadata] if metadata else [])]))


def _quote(text: str) -> str:
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
