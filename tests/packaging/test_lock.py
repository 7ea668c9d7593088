"""The packages of the image and of the Debian package: every dependency is pinned by version and hash."""

import re
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT

LOCKS = {name: (ROOT / "deploy" / name / "requirements.txt").read_text() for name in ("image", "deb")}
PINNED = {name: dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)) for name, text in LOCKS.items()}
locks = pytest.mark.parametrize("lock", LOCKS)
DEPENDENCIES = [each for each in map(Requirement, requires("copy-exporter") or ()) if not each.marker]


@locks
@pytest.mark.parametrize("dependency", DEPENDENCIES, ids=lambda dependency: dependency.name)
def test_every_dependency_is_pinned(lock: str, dependency: Requirement) -> None:
    assert dependency.name.lower() in PINNED[lock], "run: make lock"
    assert PINNED[lock][dependency.name.lower()] in dependency.specifier, "run: make lock"


@locks
def test_every_pin_has_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", LOCKS[lock].strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_only_the_debian_package_has_the_live_view_of_top() -> None:
    assert "textual" not in PINNED["image"]
    assert "textual" in PINNED["deb"]
