"""The configuration of ``serve``: one frozen object, made once from the flags."""

import re
from dataclasses import dataclass

from exporter.counting.series import Limits
from exporter.errors import UsageError
from exporter.host.capabilities import CAPABILITIES
from exporter.host.privileges import Account, find_user
from exporter.host.surroundings import absolute

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\[\]:]*):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Address:
    """An address to listen on."""

    host: str
    """Empty for all addresses."""
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Config:
    """The value of every flag."""

    listen: tuple[Address, ...]
    systemd_socket: bool
    telemetry_path: str
    web_config_file: str
    max_requests: int
    disable_ui: bool
    """Serve a plain page instead of the live page and its API."""
    procfs: str
    ports: tuple[int, ...]
    limits: Limits
    probes: tuple[str, ...]
    probes_if_cheap: tuple[str, ...]
    """Those that no flag sets: on where they cost little and lose no runs."""
    map_entries: dict[str, int]
    """Sizes of maps, by name."""
    strict: bool
    account: Account
    """The user to run as after start-up."""
    keep_capabilities: tuple[str, ...]
    syscall_hook: str
    """One of :data:`exporter.model.SYSCALL_HOOKS`."""
    probe_stats: bool
    sampling_rate: int
    """Samples per second per CPU."""
    kafka: bool
    kafka_topics_max: int
    kafka_ports_max: int
    kafka_partitions: bool

    @property
    def enabled_flags(self) -> frozenset[str]:
        """Return those flags that bring metric families and are on."""
        flags = {"--kafka": self.kafka, "--probe.stats": self.probe_stats}
        return frozenset(flag for flag, is_on in flags.items() if is_on)


def parse_address(flag: str, text: str) -> Address:
    """Parse ``:10435``, ``127.0.0.1:10435`` or ``[::1]:10435``."""
    match = _ADDRESS.fullmatch(text)
    if not match or int(match["port"]) > 65535:
        raise UsageError(f"{flag}={text} is not HOST:PORT; write 127.0.0.1:10435, [::1]:10435 or :10435 for all")
    return Address(match["host"].strip("[]"), int(match["port"]))


def parse_duration(flag: str, text: str) -> int:
    """Parse ``2m``, ``90s`` or ``1m30s`` to nanoseconds."""
    if text != "0" and not re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        raise UsageError(f"{flag}={text} is not a duration; write 90s, 2m or 1h30m")
    return round(sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)) * 1e9)


def parse_regex(flag: str, text: str) -> re.Pattern[str]:
    """Compile a regular expression."""
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{flag}={text} is not a regular expression: {error}; escape it, or use ^name$") from None


def parse_whole_number(flag: str, text: str, min_value: int, max_value: int) -> int:
    """Parse a whole number between ``min_value`` and ``max_value``, both included."""
    digits = text.lstrip("0") or "0"  # int() rejects more than 4300 of them
    valid = re.fullmatch("[0-9]+", text) and len(digits) <= len(str(max_value))
    if not valid or not min_value <= int(digits) <= max_value:
        raise UsageError(f"{flag}={text} must be a whole number between {min_value} and {max_value}")
    return int(digits)


def parse_labels(flag: str, text: str) -> bool:
    """Parse the labels of a process; True for ``comm`` alone."""
    labels = {"pid,comm": False, "comm,pid": False, "comm": True}
    if text not in labels:
        raise UsageError(f"{flag}={text} must be pid,comm or comm")
    return labels[text]


def parse_path(flag: str, text: str) -> str:
    """Parse a path of the HTTP server that no other page has."""
    taken = ("/", "/openapi.json", "/-/healthy", "/-/ready")
    if not re.fullmatch(r"(/[\w.~-]+)+", text) or text in taken or text.startswith(("/api/", "/ui/")):
        raise UsageError(f"{flag}={text} is not a valid metrics path; use one like /metrics")
    return text


def parse_file(flag: str, text: str) -> str:
    """Return the absolute path of a file or directory; an empty one stays empty."""
    return absolute(flag, text) if text else ""


def parse_user(_flag: str, text: str) -> Account:
    """Find a user by name or number."""
    return find_user(text)


def parse_capabilities(flag: str, text: str) -> tuple[str, ...]:
    """Parse ``none`` or names separated by commas."""
    if text == "none":
        return ()
    names = tuple(name.strip().upper() for name in text.split(","))
    for name in names:
        if name not in CAPABILITIES:
            raise UsageError(f"{flag}={text}: {name} must be none or one of {', '.join(CAPABILITIES)}")
    return names
