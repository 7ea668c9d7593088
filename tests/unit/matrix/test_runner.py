"""The tests that the matrix selects exist: a renamed test would not be run any more, or stop pytest."""

import ast

import pytest

from tests.matrix.runner import TESTS, TESTS_OF_ANOTHER_ARCHITECTURE
from tests.support.paths import ROOT

SELECTED = sorted({argument.rpartition("=")[2] for argument in (*TESTS, *TESTS_OF_ANOTHER_ARCHITECTURE)})


@pytest.mark.parametrize("selected", SELECTED)
def test_selected_tests_exist(selected: str) -> None:
    path, _, name = selected.partition("::")
    assert (ROOT / path).exists()
    if name:
        functions = [
            node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)
        ]
        assert [function for function in functions if function.startswith(name)]
