"""What ``--web.config.file`` says at the moment: read again when a file has changed, the last good one kept."""

import logging
import os
import ssl
from dataclasses import dataclass

from exporter.errors import UsageError
from exporter.web import tls, web_config

_log = logging.getLogger(__name__)
_Stamp = tuple[int, ...] | None


@dataclass(frozen=True)
class Settings:
    """One state of the file and of the files that it names."""

    context: ssl.SSLContext | None = None
    """None: plain HTTP."""
    users: tuple[tuple[str, str], ...] = ()
    """Names and bcrypt hashes; empty: everybody may ask."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """To be on every answer."""


_NOTHING = Settings()


def no_settings() -> Settings:
    """Without a file: plain HTTP, for everybody."""
    return _NOTHING


class FileSettings:
    """The settings of a file. For one thread."""

    def __init__(self, path: str) -> None:
        """Read all. Raises :class:`UsageError` when that cannot be used."""
        self._path = path
        self._stamps: dict[str, _Stamp] = {}
        self._settings = self._read()

    def current(self) -> Settings:
        """The newest settings that can be used."""
        if any(_stamp(file) != stamp for file, stamp in self._stamps.items()):
            self._refresh()
        return self._settings

    def _refresh(self) -> None:
        try:
            settings = self._read()
            if (settings.context is None) != (self._settings.context is None):
                raise web_config.unusable(self._path, "TLS cannot be switched on or off while running; restart")
        except UsageError as error:
            _log.error("%s; going on with what was read before", error)
        else:
            self._settings = settings
            _log.info("%s=%s: read again, as it or a file that it names has changed", web_config.FLAG, self._path)

    def _read(self) -> Settings:
        # Stamps come first: what changes while it is read is read again the next time.
        self._stamps = {file: _stamp(file) for file in {self._path, *self._stamps}}
        parsed = web_config.parse(self._path)
        named = parsed.tls_server_config
        if parsed.http_server_config.http2:
            _log.warning("%s=%s: HTTP/2 is not spoken here: http2 has no effect", web_config.FLAG, self._path)
        files = [file for file in (named.cert_file, named.key_file, named.client_ca_file) if file]
        self._stamps = {file: _stamp(file) for file in files} | {self._path: self._stamps[self._path]}
        return Settings(
            context=tls.make_context(self._path, named),
            users=tuple(parsed.basic_auth_users.items()),
            headers=tuple(
                (name.lower().encode(), value.encode()) for name, value in parsed.http_server_config.headers.items()
            ),
        )


def _stamp(file: str) -> _Stamp:
    """Changes when the file does, or the link to it; None when it is not to be seen."""
    try:
        stat = os.stat(file)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
