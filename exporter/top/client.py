"""Reads the live rates of a running exporter: the stream of /api/v1/live, as the live page does."""

import base64
import http.client
import socket
import ssl
from contextlib import suppress

from exporter.errors import CopyExporterError, UsageError
from exporter.top.options import Target, TopOptions
from exporter.top.text import printable

_PATH = "/api/v1/live/stream"
_SECONDS = 10.0
"""How long the exporter may send nothing, and may take to accept a connection."""
_COMMENTS_MAX = 3
"""The exporter sends a comment each 3 s while it has no reading."""
_LINE_MAX = 16 << 20
_REASON_MAX = 200


class UnreachableError(CopyExporterError):
    """The exporter does not answer, or does not answer as it should."""


class NotListeningError(UnreachableError):
    """No process listens at the address."""


class Client:
    """One viewer of an exporter. Connects at the first reading, and again at the first one after an error."""

    def __init__(self, target: Target, options: TopOptions) -> None:
        """Read the files of the options. Raises :class:`UsageError`."""
        self._target = target
        self._headers = {"accept": "text/event-stream", **_authorization(options)}
        self._has_user = bool(options.user)
        self._tls = _tls(options) if target.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None

    def read(self) -> bytes:
        """Return the next rates as JSON. Raises :class:`UnreachableError`."""
        try:
            return self._next(self._response or self._open())
        except UnreachableError:
            self.close()
            raise
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self.close()
            raise _explain(error, self._target) from None

    def close(self) -> None:
        """Disconnect; a reading in another thread ends."""
        if self._connection and self._connection.sock:
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        for opened in (self._response, self._connection):
            if opened:
                opened.close()
        self._connection = self._response = None

    def _open(self) -> http.client.HTTPResponse:
        host, port = self._target.host, self._target.port
        if self._tls:
            self._connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=self._tls)
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
        self._connection.connect()
        sock = self._connection.sock
        self._connection.request("GET", self._target.path + _PATH, headers=self._headers)
        response = self._response = self._connection.getresponse()
        self._connection.sock = sock  # http.client forgets it if the server is to close it; close() needs it
        if response.status != http.client.OK:
            raise UnreachableError(self._refusal(response))
        if response.getheader("content-type", "").partition(";")[0] != "text/event-stream":
            raise UnreachableError(f"{self._target} is not an exporter with live rates; check the URL")
        return response

    def _next(self, response: http.client.HTTPResponse) -> bytes:
        comments = 0
        while line := response.readline(_LINE_MAX):
            if line.startswith(b"data: "):
                return line[len(b"data: ") :]
            comments += line.startswith(b":")
            if comments >= _COMMENTS_MAX:
                raise UnreachableError(f"{self._target} cannot read its probes; its log has the reason")
        raise UnreachableError(f"{self._target} closed the connection")

    def _refusal(self, response: http.client.HTTPResponse) -> str:
        if response.status == http.client.UNAUTHORIZED:
            if self._has_user:
                return f"{self._target} refuses this user or password; check --user and --password-file"
            return f"{self._target} refuses clients without a password; give --user and --password-file"
        if response.status == http.client.NOT_FOUND:
            return f"{self._target} has no live rates: it runs with --web.disable-ui, or is not copy-exporter"
        body = response.read(_REASON_MAX).decode(errors="replace").strip().partition("\n")[0]
        is_text = response.getheader("content-type", "").startswith("text/plain")
        reason = printable(body if body and is_text else response.reason, ascii_only=False)
        return f"{self._target} answers with status {response.status}: {reason}"


def _authorization(options: TopOptions) -> dict[str, str]:
    if bool(options.user) != bool(options.password_file):
        given, missing = ("--user", "--password-file") if options.user else ("--password-file", "--user")
        raise UsageError(f"{given} needs {missing}; give both, or none")
    if not options.user:
        return {}
    try:
        with open(options.password_file, encoding="utf-8") as file:
            password = file.read().removesuffix("\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"--password-file={options.password_file} cannot be read: {reason}") from None
    token = base64.b64encode(f"{options.user}:{password}".encode()).decode()
    return {"authorization": f"Basic {token}"}


def _tls(options: TopOptions) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options.ca_file or None)
    except ssl.SSLError:
        raise UsageError(f"--ca-file={options.ca_file} is not a file of certificates in PEM format") from None
    except OSError as error:
        raise UsageError(f"--ca-file={options.ca_file} cannot be read: {error.strerror}") from None


def _explain(error: Exception, target: Target) -> UnreachableError:
    """The error as one line, with what to do."""
    if isinstance(error, ConnectionRefusedError):
        return NotListeningError(f"no process listens at {target}; start copy-exporter serve there, or check the URL")
    if isinstance(error, ssl.SSLError):
        return UnreachableError(f"{target} {_tls_problem(error)}")
    if isinstance(error, (http.client.RemoteDisconnected, http.client.BadStatusLine, ConnectionResetError)):
        other = "; if it uses TLS, write the URL with https://" if target.scheme == "http" else ""
        return UnreachableError(f"{target} closed the connection without an answer{other}")
    return UnreachableError(f"{target} {_problem(error, target)}")


def _tls_problem(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted ({error.verify_message}); give its authority as --ca-file"
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "does not use TLS; write the URL with http://"
    return f"refuses the TLS connection: {error.reason or error}"


def _problem(error: Exception, target: Target) -> str:
    if isinstance(error, TimeoutError):
        return f"has not answered for {_SECONDS:g} s"
    if isinstance(error, socket.gaierror):
        return f"is not reachable: the host name {target.host} is not known; check the URL"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return f"cannot be reached: {reason}"
