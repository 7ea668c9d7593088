"""What the terminal can show."""

import pytest

from exporter.top.terminal import is_ascii_only


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"LANG": "C"}, True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),  # as Python leaves it
        ({"LANG": "C.UTF-8"}, False),
        ({"LANG": "de_DE.utf8"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, True),
        ({"LC_ALL": "C.UTF-8"}, False),
    ],
)
def test_the_language_decides(environment: dict[str, str], expected: bool) -> None:
    assert is_ascii_only(environment) is expected
