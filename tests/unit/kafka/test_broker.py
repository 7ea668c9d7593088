"""Facts of a broker as the inspector sends them."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import Facts, LinkedFolder, Listener
from exporter.model import FileId

FACTS = Facts(
    "5",
    (Listener("SSL", "SSL", 9093),),
    (FileId(8, 11), FileId(8, 12)),
    (LinkedFolder("t-0", FileId(9, 2)),),
    problems=("x: Permission denied",),
    cluster_id="c",
)


def test_facts_are_decoded_as_they_were_encoded() -> None:
    assert Facts.decode(FACTS.encode()) == FACTS
    assert Facts.decode(Facts().encode()) == Facts()


def test_ids_do_not_change_while_a_broker_runs() -> None:
    facts = replace(FACTS, fingerprint="f")
    for fingerprint in ("f", "other"):
        now = facts.since_start(Facts("6", (), (), fingerprint=fingerprint, cluster_id="x", directory_id="d"))
        assert (now.node_id, now.cluster_id, now.directory_id) == ("5", "c", "d")


@pytest.mark.parametrize(
    "changed",
    [
        {"listeners": [{"name": "SSL", "protocol": "SSL", "port": 0}]},
        {"listeners": [{"name": "SSL", "protocol": "SSL", "port": 65536}]},
        {"listeners": [{"name": "SSL", "protocol": "SSL", "port": "9093"}]},
        {"listeners": [{"name": "SSL"}]},
        {"listeners": 1},
        {"log_directories": ["x"]},
        {"log_directories": [[8, "x"]]},
        {"linked_folders": [["t-0", 1]]},
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
