"""Runs ``top``: finds where the rates come from, and shows them once or in the live view."""

import os
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from exporter.errors import CopyExporterError
from exporter.host import capabilities
from exporter.live.rates import Rates
from exporter.top import terminal
from exporter.top.client import Client, NotListeningError, UnreachableError
from exporter.top.options import DEFAULT_URL, TopOptions, parse_url
from exporter.top.report import once

_JSON = TypeAdapter(Rates)
_NO_TEXTUAL = (
    "the live view needs Textual: install copy-exporter with its extra top (pip install '.[top]'), or use --once"
)


class Source(Protocol):
    """Where the rates come from."""

    def read(self) -> bytes:
        """Return the next rates as JSON. Raises :class:`CopyExporterError`."""

    def close(self) -> None:
        """End it."""


def run(options: TopOptions, start_probes: Callable[[], Source]) -> int:
    """Show the live rates; returns the exit status. ``start_probes`` makes a source with probes of its own."""
    is_live = not (options.once or options.json) and terminal.is_interactive()
    if is_live:
        _require_textual()
    source, body = _open(options, start_probes)
    with closing(source):
        rates = _parse(body)
        if is_live:
            from exporter.top.app import show  # noqa: PLC0415  # needs the extra

            show(rates, lambda: _parse(source.read()))
            return 0
        ascii_only = terminal.is_ascii_only()
        lines = once(rates, terminal.width(), ascii_only=ascii_only)
        return _print(_JSON.dump_json(rates, indent=2).decode() if options.json else "\n".join(lines))


def _require_textual() -> None:
    try:
        import textual  # noqa: F401, PLC0415
    except ImportError:
        raise CopyExporterError(_NO_TEXTUAL) from None


def _open(options: TopOptions, start_probes: Callable[[], Source]) -> tuple[Source, bytes]:
    """Return the source, and its first rates."""
    client = Client(options.target or parse_url("", DEFAULT_URL), options)
    try:
        return client, client.read()
    except NotListeningError:
        if options.target:
            raise
    if not capabilities.can_load():
        raise CopyExporterError(
            f"no exporter runs at {DEFAULT_URL}; start copy-exporter serve, give the URL of another exporter, or run "
            "top as root to attach probes of its own"
        )
    print(f"copy-exporter: no exporter runs at {DEFAULT_URL}: attaching probes until top ends", file=sys.stderr)
    source = start_probes()
    try:
        return source, source.read()
    except BaseException:
        source.close()
        raise


def _parse(body: bytes) -> Rates:
    try:
        return _JSON.validate_json(body)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise UnreachableError(
            f"the exporter's rates are not those of this version ({field or 'no JSON'}); use top of the same version"
        ) from None


def _print(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has read enough; Python would report it again when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise CopyExporterError(f"cannot write to standard output: {error.strerror}") from None
    return 0
