"""Numbers, and text that is safe to print."""

import pytest

from exporter.top.text import count, fit, percent, printable, rate, size


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"),
        (0.0, "0 B"),
        (1023.4, "1023 B"),
        (1023.6, "1.0 KiB"),
        (1.5 * 2**20, "1.5 MiB"),
        (100.4 * 2**30, "100 GiB"),
        (5000.0 * 2**40, "5000 TiB"),
    ],
)
def test_size(value: float | None, shown: str) -> None:
    assert size(value) == shown
    assert rate(value) == (shown if value is None else f"{shown}/s")


def test_count() -> None:
    assert [count(value) for value in (None, 0.0, 2.0, 9.96, 10.4, 1234567.0)] == [
        *("unknown", "0", "2.0", "10.0", "10", "1,234,567")
    ]


def test_percent() -> None:
    assert [percent(value) for value in (None, 0.0, 0.015, 0.5, 1.0)] == ["unknown", "0%", "1.5%", "50%", "100%"]


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    hostile = "a\x1b]0;title\x07\x9b31m\n\u202eb"
    assert printable(hostile, ascii_only=False) == "a?]0;title??31m??b"
    assert printable("brökêr", ascii_only=False) == "brökêr"
    assert printable("brökêr", ascii_only=True) == "br?k?r"


def test_text_in_cells() -> None:
    assert fit("abc", 5) == "abc  "
    assert fit("abc", 5, right=True) == "  abc"
    assert fit("abcdef", 5) == "abcd~"
    assert fit("日本語", 5) == "日本~"
    assert fit("日本語", 4) == "日 ~"
