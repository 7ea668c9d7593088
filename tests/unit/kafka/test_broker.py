"""Facts of a broker as the inspector sends them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import Facts, Listener

FACTS = Facts("5", (Listener("SSL", "SSL", 9093),), (11, 12), complete=True, problems=("x: Permission denied",))


def test_facts_are_decoded_as_they_were_encoded() -> None:
    assert Facts.decode(FACTS.encode()) == FACTS
    assert Facts.decode(Facts().encode()) == Facts()


@pytest.mark.parametrize(
    "changed",
    [
        {"listeners": [{"name": "SSL", "protocol": "SSL", "port": 0}]},
        {"listeners": [{"name": "SSL", "protocol": "SSL", "port": 65536}]},
        {"listeners": [{"name": "SSL", "protocol": "SSL", "port": "9093"}]},
        {"listeners": [{"name": "SSL"}]},
        {"listeners": 1},
        {"log_directories": ["x"]},
        {"problems": None},
    ],
)
def test_facts_with_invalid_fields(changed: dict[str, object]) -> None:
    fields = json.loads(FACTS.encode()) | changed
    with pytest.raises(ValueError, match="invalid facts of a broker"):
        Facts.decode(json.dumps(fields).encode())


@given(st.binary())
def test_arbitrary_bytes_are_not_facts(message: bytes) -> None:
    with pytest.raises(ValueError, match="invalid facts of a broker"):
        Facts.decode(message)


@pytest.mark.parametrize("message", [b"[" * 100_000, b"{}", b"null", b'"x"'])
def test_json_without_the_fields_is_not_facts(message: bytes) -> None:
    with pytest.raises(ValueError, match="invalid facts of a broker"):
        Facts.decode(message)
