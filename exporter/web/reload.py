"""The web configuration in effect: ``--web.config.file`` and its certificates, read again when a file changes."""

import logging
import os
import ssl
from dataclasses import dataclass

from exporter.errors import UsageError
from exporter.web import tls, web_config

_log = logging.getLogger(__name__)
_Version = tuple[int, ...] | None


@dataclass(frozen=True)
class WebConfig:
    """What the service applies to connections and requests. The defaults are plain HTTP without passwords."""

    ssl_context: ssl.SSLContext | None = None
    """None for plain HTTP."""
    users: tuple[tuple[str, str], ...] = ()
    """Names and bcrypt hashes. When empty, no password is needed."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Added to every answer."""


class WebConfigReloader:
    """Reads a file again when it, or a file that it names, has changed. Only for one thread."""

    def __init__(self, path: str) -> None:
        """Read all files. Raises :class:`UsageError` when one cannot be used."""
        self._path = path
        self._versions: dict[str, _Version] = {}
        self._current = self._read()

    def current(self) -> WebConfig:
        """The newest configuration that can be used."""
        if any(_version(file) != version for file, version in self._versions.items()):
            self._reload()
        return self._current

    def _reload(self) -> None:
        try:
            new = self._read()
            if (new.ssl_context is None) != (self._current.ssl_context is None):
                raise web_config.config_error(
                    self._path, "TLS cannot be turned on or off at run time; restart the exporter"
                )
        except UsageError as error:
            _log.error("%s; the previous configuration stays in effect", error)
        else:
            self._current = new
            _log.info("%s=%s: reloaded, because a file has changed", web_config.FLAG, self._path)

    def _read(self) -> WebConfig:
        # The versions come first: a file that changes while it is read is read again at the next call.
        self._versions = {file: _version(file) for file in {self._path, *self._versions}}
        content = web_config.parse(self._path)
        if content.http_server_config.http2:
            _log.warning("%s=%s: http2 has no effect: only HTTP/1.1 is supported", web_config.FLAG, self._path)
        tls_config = content.tls_server_config
        files = [file for file in (tls_config.cert_file, tls_config.key_file, tls_config.client_ca_file) if file]
        self._versions = {file: _version(file) for file in files} | {self._path: self._versions[self._path]}
        return WebConfig(
            ssl_context=tls.make_context(self._path, tls_config),
            users=tuple(content.basic_auth_users.items()),
            headers=tuple(
                (name.lower().encode(), value.encode()) for name, value in content.http_server_config.headers.items()
            ),
        )


def _version(file: str) -> _Version:
    """A value that changes when the file, or a link to it, changes; None when the file cannot be seen."""
    try:
        stat = os.stat(file)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
