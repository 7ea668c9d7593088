"""What the image installs is pinned, by version and hash, for all that pyproject.toml asks for."""

import re
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT

LOCK = (ROOT / "deploy/image/requirements.txt").read_text()
PINNED = dict(re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.MULTILINE))
WANTED = [one for one in map(Requirement, requires("copy-exporter") or ()) if not one.marker]


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_every_dependency_is_pinned(wanted: Requirement) -> None:
    assert wanted.name.lower() in PINNED, "run: make lock"
    assert PINNED[wanted.name.lower()] in wanted.specifier, "run: make lock"


def test_every_pin_has_hashes() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
