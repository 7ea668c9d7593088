"""Instructions per call: the table, the page and the comparison with budgets, without a kernel."""

import pytest

from bench.instructions import ALL, EMPTY, OPERATIONS
from bench.variants import NOTHING
from tests.matrix import instructions
from tests.matrix.instructions import Counts, accept, problems, read_budgets, replace_block, table, tolerance

HOOK = "pipe_read: fexit pipe_read"
COUNTS = Counts(
    "6.12.1-test",
    {
        NOTHING.name: dict.fromkeys(OPERATIONS, 1341.4),
        EMPTY: dict.fromkeys(OPERATIONS, 1474.4),
        ALL: dict.fromkeys(OPERATIONS, 2564.2),
        HOOK: {**dict.fromkeys(OPERATIONS, 1341.4), "sendfile": 1337.1},
    },
)


def test_differences_are_against_the_empty_program() -> None:
    assert COUNTS.differences() == {
        ALL: dict.fromkeys(OPERATIONS, 1090),
        HOOK: {**dict.fromkeys(OPERATIONS, -133), "sendfile": -137},
    }


def test_the_table_has_the_call_itself_and_what_was_added() -> None:
    lines = table(COUNTS).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert cells == [
        ["attached", *OPERATIONS.values()],
        [NOTHING.name, *["1,341"] * len(OPERATIONS)],
        [EMPTY, *["+133"] * len(OPERATIONS)],
        [ALL, *["+1,223"] * len(OPERATIONS)],
    ]
    assert lines[0] == "6.12.1-test:"
    assert lines[-1] == f"These add nothing to any of the calls: `{HOOK}`."


def test_the_tables_replace_what_is_between_the_markers() -> None:
    page = "before\n<!-- begin: make instructions -->\nold\n<!-- end: make instructions -->\nafter\n"
    once = replace_block(page, [COUNTS])
    assert once.startswith("before\n<!-- begin: make instructions -->\n\n6.12.1-test:")
    assert once.endswith("\n<!-- end: make instructions -->\nafter\n")
    assert "old" not in once
    assert replace_block(once, [COUNTS]) == once


@pytest.mark.parametrize(
    ("release", "operation", "budget", "accepted"),
    [
        ("6.12.1-test", "getppid", 0, 3),
        ("6.12.1-test", "read_file", -133, 3),
        ("6.12.1-test", "poll", -1090, 10.9),
        ("6.12.1-test", "send_tcp", 300, 10),
        ("6.12.1-test", "sendfile", 2500, 25),
        ("6.1.0-1-test", "sendfile", 2500, 160),
        ("6.1.0-1-test", "receive_tcp", 300, 3),
    ],
)
def test_the_tolerance(release: str, operation: str, budget: int, accepted: float) -> None:
    assert tolerance(release, operation, budget) == pytest.approx(accepted)


def budgets(**differences: int) -> dict[str, dict[str, int]]:
    """The budgets that :data:`COUNTS` meets, but for these."""
    measured = COUNTS.differences()
    return {**measured, HOOK: {**measured[HOOK], **differences}}


def test_a_budget_is_exceeded_beyond_the_tolerance_only() -> None:
    assert not list(problems(COUNTS, budgets(poll=-136)))
    assert list(problems(COUNTS, budgets(poll=-137))) == [f"{HOOK}: poll: -133 instructions, the budget is -137"]


def test_fewer_instructions_than_the_budget_are_accepted() -> None:
    assert not list(problems(COUNTS, budgets(poll=500)))


def test_variants_and_budgets_have_to_correspond() -> None:
    other = {ALL: COUNTS.differences()[ALL], "gone": dict.fromkeys(OPERATIONS, 0)}
    assert list(problems(COUNTS, other)) == ["gone has a budget but was not attached", f"{HOOK} has no budget"]


def test_accepted_counts_become_the_budget_of_their_release(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(instructions, "BUDGETS", tmp_path / "budgets.json")
    assert read_budgets() == {}
    accept(COUNTS)
    accept(Counts("6.1.0-test", COUNTS.calls))
    assert read_budgets() == dict.fromkeys(("6.1.0-test", "6.12.1-test"), COUNTS.differences())
