"""The packages of the image are pinned by version and hash, for every dependency in pyproject.toml."""

import re
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT

LOCK = (ROOT / "deploy/image/requirements.txt").read_text()
PINNED = dict(re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.MULTILINE))
DEPENDENCIES = [each for each in map(Requirement, requires("copy-exporter") or ()) if not each.marker]


@pytest.mark.parametrize("dependency", DEPENDENCIES, ids=lambda dependency: dependency.name)
def test_every_dependency_is_pinned(dependency: Requirement) -> None:
    assert dependency.name.lower() in PINNED, "run: make lock"
    assert PINNED[dependency.name.lower()] in dependency.specifier, "run: make lock"


def test_every_pin_has_hashes() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_image_has_no_extras() -> None:
    assert "textual" not in PINNED
