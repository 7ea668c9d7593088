"""What the inspector responds when the facts are too long or cannot be found."""

import pytest

from exporter.kafka import questions
from exporter.kafka.broker import Facts


def test_facts_that_do_not_fit_into_a_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_inspect", lambda _procfs, _pid: Facts(problems=("x" * (1 << 16),)))
    response = questions.respond("/proc", 7)
    assert Facts.decode(response).problems == ("the facts from its configuration exceed 64 KiB",)


def test_an_unexpected_error_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_procfs: str, _pid: int) -> Facts:
        raise RecursionError("x" * 5000)

    monkeypatch.setattr(questions, "_inspect", fail)
    (problem,) = Facts.decode(questions.respond("/proc", 7)).problems
    assert problem.startswith("RecursionError: xxx")
    assert len(problem) == 1000
