"""Every command of the documentation is run by a test, or there is a reason why not."""

import pytest

from tests.support.doc_commands import HOW, By, NotRun, doc_commands
from tests.support.paths import ROOT

FOUND = sorted(set(doc_commands()))


def test_there_are_commands() -> None:
    assert len(FOUND) > 40


@pytest.mark.parametrize(("page", "command"), FOUND)
def test_it_is_known_what_runs_it(page: str, command: str) -> None:  # noqa: ARG001
    assert command in HOW, "add it to tests/support/doc_commands.py"
    how = HOW[command]
    if isinstance(how, By):
        assert (ROOT / how.test).is_file()
    if isinstance(how, NotRun):
        assert how.why


def test_no_entry_is_left_over() -> None:
    assert HOW.keys() - {command for _, command in FOUND} == set()
