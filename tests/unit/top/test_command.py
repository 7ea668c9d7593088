"""The command: where the rates come from, and what is printed without a terminal."""

import builtins
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from exporter.errors import CopyExporterError, KernelError
from exporter.host import capabilities
from exporter.live.rates import Rates
from exporter.top import command, terminal
from exporter.top.client import NotListeningError, UnreachableError
from exporter.top.command import run
from exporter.top.options import TopOptions

from .sample_rates import MIB, host, process
from .servers import EVENTS, free_target, server

RATES = host(process("4411", "mover", cpu=2.0 * MIB))
BODY = TypeAdapter(Rates).dump_json(RATES)
ONCE = TopOptions(target=None, user="", password_file="", ca_file="", once=True, json=False)


class Source:
    """Rates without an exporter."""

    def __init__(self, body: bytes | CopyExporterError = BODY) -> None:
        self.body = body
        self.is_closed = False

    def read(self) -> bytes:
        if isinstance(self.body, CopyExporterError):
            raise self.body
        return self.body

    def close(self) -> None:
        self.is_closed = True


def no_probes() -> Source:
    raise AssertionError("no probes are wanted")


@pytest.fixture
def _nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "DEFAULT_URL", str(free_target()))


def can_load(monkeypatch: pytest.MonkeyPatch, *, answer: bool) -> None:
    monkeypatch.setattr(capabilities, "can_load", lambda: answer)


def test_json_is_what_the_exporter_sends(capsys: pytest.CaptureFixture[str]) -> None:
    with server(EVENTS + b"data: " + BODY + b"\n\n") as (target, _):
        assert run(replace(ONCE, target=target, json=True), no_probes) == 0
    assert json.loads(capsys.readouterr().out) == asdict(RATES)


def test_without_a_terminal_it_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    with server(EVENTS + b"data: " + BODY + b"\n\n") as (target, _):
        assert run(replace(ONCE, target=target, once=False), no_probes) == 0
    assert "mover" in capsys.readouterr().out


@pytest.mark.usefixtures("_nothing_listens")
def test_probes_of_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    can_load(monkeypatch, answer=True)
    source = Source()
    assert run(ONCE, lambda: source) == 0
    assert source.is_closed
    output = capsys.readouterr()
    assert "mover" in output.out
    assert "attaching probes until top ends" in output.err


@pytest.mark.usefixtures("_nothing_listens")
def test_probes_that_cannot_be_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    can_load(monkeypatch, answer=True)
    source = Source(KernelError("no BTF"))
    with pytest.raises(KernelError, match="no BTF"):
        run(ONCE, lambda: source)
    assert source.is_closed


@pytest.mark.usefixtures("_nothing_listens")
def test_without_privileges(monkeypatch: pytest.MonkeyPatch) -> None:
    can_load(monkeypatch, answer=False)
    with pytest.raises(CopyExporterError, match=r"no exporter runs at .*; start copy-exporter serve, give the URL"):
        run(ONCE, no_probes)


def test_an_exporter_that_is_named_has_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    can_load(monkeypatch, answer=True)
    with pytest.raises(NotListeningError):
        run(replace(ONCE, target=free_target()), no_probes)


@pytest.mark.parametrize(("body", "field"), [(b"no\n\n", "no JSON"), (b'{"host": {}}\n\n', "time_seconds")])
def test_rates_of_another_version(body: bytes, field: str) -> None:
    with (
        server(EVENTS + b"data: " + body) as (target, _),
        pytest.raises(UnreachableError, match=f"not those of this version \\({field}\\)"),
    ):
        run(replace(ONCE, target=target), no_probes)


def test_without_textual(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import: Callable[..., Any] = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "textual":
            raise ModuleNotFoundError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(terminal, "is_interactive", lambda: True)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(CopyExporterError, match=r"needs Textual: install copy-exporter with its extra top .*--once"):
        run(replace(ONCE, once=False), no_probes)
