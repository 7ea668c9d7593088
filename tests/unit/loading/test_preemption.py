"""Whether the kernel preempts itself, by what it reports of itself."""

import os
import platform

import pytest

from exporter.kernel import preemption_mode
from exporter.loading import preemption
from exporter.loading.preemption import Preemption, kernel_preemption

DYNAMIC = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1"


@pytest.mark.parametrize(
    ("version", "preempts"),
    [
        ("#1 SMP Debian 5.10.262-1", False),
        ("#1 SMP PREEMPT Debian", True),
        ("#1 SMP PREEMPT_RT Debian", True),
    ],
)
def test_a_mode_that_is_built_in(version: str, preempts: bool) -> None:
    built_in = kernel_preemption(version)
    assert built_in.preempts is preempts
    assert built_in.mode_reader is None, "it cannot change"


@pytest.mark.parametrize(
    ("mode", "preempts"), [("none", False), ("voluntary", False), ("full", True), ("lazy", True), ("unknown", True)]
)
def test_a_mode_that_was_chosen(monkeypatch: pytest.MonkeyPatch, mode: str, preempts: bool) -> None:
    monkeypatch.setattr(preemption, "load_mode_reader", lambda: 7)
    monkeypatch.setattr(preemption, "read_mode", lambda _: mode)
    assert kernel_preemption(DYNAMIC) == Preemption(preempts, f"preempt={mode}", 7)


def test_a_mode_that_is_not_shown_may_be_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise LookupError

    monkeypatch.setattr(preemption, "load_mode_reader", refuse)
    assert kernel_preemption(DYNAMIC).preempts


def test_what_programs_return_is_a_mode_or_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    for returned, mode in (
        (0, "none"),
        (1, "voluntary"),
        (2, "full"),
        (3, "lazy"),
        (4, "unknown"),
        (2**32 - 1, "unknown"),
    ):
        monkeypatch.setattr(preemption_mode.libbpf, "run_program", lambda *_, returned=returned: returned)
        assert preemption_mode.read_mode(0) == mode


def test_this_kernel() -> None:
    found = kernel_preemption(platform.version())
    if found.mode_reader is not None:
        os.close(found.mode_reader)
    assert found.why
