"""The ids that a broker has written into its log directories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.meta_properties import DirectoryIdentity, first_identity, parse_meta_properties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#\nversion=1\ncluster.id=c\nnode.id=5\ndirectory.id=d\n", DirectoryIdentity("c", "5", "d")),
        ("version=0\ncluster.id=c\nbroker.id=1001\n", DirectoryIdentity("c", "1001")),
        ("version=1\n", DirectoryIdentity()),
        ("", DirectoryIdentity()),
    ],
)
def test_versions(text: str, expected: DirectoryIdentity) -> None:
    assert parse_meta_properties(text) == expected


@given(st.text())
def test_any_text_is_accepted(text: str) -> None:
    assert len(parse_meta_properties(text).cluster_id) <= 100


def test_a_directory_without_ids_does_not_hide_those_of_another() -> None:
    known = [DirectoryIdentity(), DirectoryIdentity("c", "1", "first"), DirectoryIdentity("c", "1", "second")]
    assert first_identity(known) == known[1]
    assert first_identity([]) == DirectoryIdentity()
