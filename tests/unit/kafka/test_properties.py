"""Java's .properties files."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.properties import parse_properties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", {"a": "b"}),
        ("  a  =  b  ", {"a": "b  "}),
        ("a:b\n! no\n # no\n\nc d", {"a": "b", "c": "d"}),
        ("a", {"a": ""}),
        ("a\\=b = c\\\\", {"a=b": "c\\"}),
        ("a = b\\\n    c\\\r\n  d", {"a": "bcd"}),
        ("a=1\na=2", {"a": "2"}),
        ("a\\ b=\\u0041\\t\\x", {"a b": "A\tx"}),
        ("a=b=c:d", {"a": "b=c:d"}),
        ("a=b\\\n# continued", {"a": "b# continued"}),
        ("a=b\\", {"a": "b"}),
        ("a=\\u12", {"a": "u12"}),
    ],
)
def test_properties(text: str, expected: dict[str, str]) -> None:
    """By the grammar of java.util.Properties.load."""
    assert parse_properties(text) == expected


SAFE = string.ascii_letters + string.digits + ".-_"
ESCAPABLE = SAFE + " =:#!\\\t\n"


def escaped(text: str) -> str:
    """A key or value as java.util.Properties.store writes it."""
    return "".join(f"\\u{ord(character):04x}" if character not in SAFE else character for character in text)


@given(st.dictionaries(st.text(ESCAPABLE, min_size=1), st.text(ESCAPABLE)))
def test_reads_what_java_stores(properties: dict[str, str]) -> None:
    text = "\n".join(f"{escaped(key)}={escaped(value)}" for key, value in properties.items())
    assert parse_properties(text) == properties
