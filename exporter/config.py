"""The configuration: made once at the edge from flags, frozen, and read by nobody's back door."""

import re
from dataclasses import dataclass

from exporter.counting.attribution import Limits
from exporter.errors import UsageError
from exporter.host.capabilities import CAPABILITIES

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\[\]:]*):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    """Empty: on all addresses."""
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Config:
    """Everything that flags decide."""

    listen: tuple[Address, ...]
    systemd_socket: bool
    telemetry_path: str
    web_config_file: str
    max_requests: int
    procfs: str
    ports: tuple[int, ...]
    limits: Limits
    probes: tuple[str, ...]
    map_entries: int
    strict: bool
    user: str
    keep_capabilities: tuple[str, ...]
    probe_stats: bool
    sampling_rate: int
    """Samples a second and CPU."""
    kafka: bool
    kafka_topics_max: int
    kafka_partitions: bool

    @property
    def enabled_flags(self) -> frozenset[str]:
        """Return those flags that bring metric families and are on."""
        flags = {"--kafka": self.kafka, "--probe.stats": self.probe_stats}
        return frozenset(flag for flag, is_on in flags.items() if is_on)


def parse_address(flag: str, text: str) -> Address:
    """``:10435``, ``127.0.0.1:10435``, ``[::1]:10435``."""
    match = _ADDRESS.fullmatch(text)
    if not match or int(match["port"]) > 65535:
        raise UsageError(f"{flag}={text} is not HOST:PORT; write 127.0.0.1:10435, [::1]:10435 or :10435 for all")
    return Address(match["host"].strip("[]"), int(match["port"]))


def parse_duration(flag: str, text: str) -> int:
    """``2m``, ``90s``, ``1m30s`` in nanoseconds."""
    if text != "0" and not re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        raise UsageError(f"{flag}={text} is not a duration; write 90s, 2m or 1h30m")
    return round(sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)) * 1e9)


def parse_regex(flag: str, text: str) -> re.Pattern[str]:
    """A regular expression that is searched in the name of a process."""
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{flag}={text} is not a regular expression: {error}; escape it, or use ^name$") from None


def parse_whole_number(flag: str, text: str, least: int, most: int) -> int:
    """A whole number within bounds."""
    if not re.fullmatch(r"[0-9]+", text):
        raise UsageError(f"{flag}={text} is not a whole number; give one from {least} to {most}")
    digits = text.lstrip("0") or "0"  # Python reads at most 4300 of them
    if len(digits) > len(str(most)) or not least <= int(digits) <= most:
        raise UsageError(f"{flag}={text} is out of range; give a number from {least} to {most}")
    return int(digits)


def parse_labels(flag: str, text: str) -> bool:
    """Which labels tell processes apart; True: ``comm`` alone."""
    labels = {"pid,comm": False, "comm,pid": False, "comm": True}
    if text not in labels:
        raise UsageError(f"{flag}={text} is not known; give pid,comm or comm")
    return labels[text]


def parse_path(flag: str, text: str) -> str:
    """An absolute path of the HTTP server that is not taken."""
    taken = ("/", "/docs", "/openapi.json", "/-/healthy", "/-/ready")
    if not re.fullmatch(r"(/[\w.~-]+)+", text) or text in taken:
        raise UsageError(f"{flag}={text} is no path to serve metrics under; give one like /metrics")
    return text


def parse_capabilities(flag: str, text: str) -> tuple[str, ...]:
    """``none``, or names separated by commas."""
    if text == "none":
        return ()
    names = tuple(name.strip().upper() for name in text.split(","))
    for name in names:
        if name not in CAPABILITIES:
            raise UsageError(f"{flag}={text}: {name} is not one of none, {', '.join(CAPABILITIES)}")
    return names
