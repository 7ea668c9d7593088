"""The flags of ``copy-exporter top``."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from exporter.errors import UsageError

DEFAULT_URL = "http://127.0.0.1:10435/"
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[\w.-]+|[0-9a-fA-F:.]+(%[\w.-]+)?")


@dataclass(frozen=True)
class Target:
    """The address of an exporter."""

    scheme: str
    host: str
    port: int
    path: str
    """Before the exporter's own paths, where a proxy has it below one; does not end with a slash."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}/"


@dataclass(frozen=True)
class TopOptions:
    """What ``top`` shows, and how."""

    target: Target | None
    """None for the local exporter, or probes of its own where none runs."""
    user: str
    password_file: str
    ca_file: str
    once: bool
    json: bool


def parse_url(_flag: str, text: str) -> Target:
    """Parse ``http://HOST:PORT/``."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:  # a port that is not a number, or brackets without an address
        raise _unusable(text) from None
    if not text.isprintable() or not _is_usable(url):
        raise _unusable(text)
    return Target(url.scheme, url.hostname or "", port or _PORTS[url.scheme], url.path.rstrip("/"))


def _is_usable(url: SplitResult) -> bool:
    if url.scheme not in _PORTS or not _HOST.fullmatch(url.hostname or ""):
        return False
    return url.port != 0 and "@" not in url.netloc and not url.query and not url.fragment


def _unusable(text: str) -> UsageError:
    where = re.sub(r"//[^/]*@", "//", text)  # no password in an error
    return UsageError(
        f"URL {where} is not the URL of an exporter; write {DEFAULT_URL} or https://HOST:PORT/, and a user as --user"
    )
