"""Names of folders, and the partitions that they belong to."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.partition_folders import parse_folder

UNIQUE = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("t-0", ("t", 0)),
        ("my.topic-with_dashes-2-17", ("my.topic-with_dashes-2", 17)),
        ("__consumer_offsets-49", ("__consumer_offsets", 49)),
        ("__cluster_metadata-0", ("__cluster_metadata", 0)),
        (f"t-3.{UNIQUE}-delete", ("t", 3)),
        (f"a.b-3.{UNIQUE}-future", ("a.b", 3)),
        (f"t-3.{UNIQUE}-stray", ("t", 3)),
        (f"t.{UNIQUE}-delete-5", (f"t.{UNIQUE}-delete", 5)),
        ("remote-log-index-cache", None),
        ("libs", None),
        ("-0", None),
        ("t-", None),
        ("t-0x", None),
        ("täglich-0", None),
        ("", None),
    ],
)
def test_folder_names(name: str, expected: tuple[str, int] | None) -> None:
    assert parse_folder(name) == expected


NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=249)
SUFFIXES = st.sampled_from(["", f".{UNIQUE}-delete", f".{UNIQUE}-future", f".{UNIQUE}-stray"])


@given(NAMES, st.integers(0, 2**31 - 1), SUFFIXES)
def test_every_valid_folder_name_is_parsed(topic: str, partition: int, suffix: str) -> None:
    assert parse_folder(f"{topic}-{partition}{suffix}") == (topic, partition)


@given(st.text())
def test_any_name_is_accepted(name: str) -> None:
    parse_folder(name)
