"""The version is set in one step, a tag is the version of its commit, and no later commit has a released version."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from exporter import __version__
from tests.support.paths import ROOT

FILES = {
    "exporter/__init__.py": 1,
    "deploy/helm/copy-exporter/Chart.yaml": 2,
    "deploy/kubernetes/kustomization.yaml": 1,
}
"""How often each file has the version."""


def tags(*selection: str) -> set[str]:
    command = ["git", "-c", f"safe.directory={ROOT}", "tag", "--list", *selection]
    return set(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that have the version, and the program that sets it."""
    for name in (*FILES, "deploy/version"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def version(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([directory / "deploy/version", *arguments], capture_output=True, text=True, check=False)


def test_a_tag_of_this_commit_is_the_version() -> None:
    here = tags("--points-at", "HEAD", "v*")
    assert here <= {f"v{__version__}"}
    if here:
        assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_only_the_tagged_commit_has_the_version_of_a_release() -> None:
    released = tags(f"v{__version__}")
    assert released == released & tags("--points-at", "HEAD"), "run: make version NEW=the next one, with -dev0"


def test_a_version_that_the_changelog_dates_is_its_newest() -> None:
    sections = re.findall(r"^## \[(.*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert __version__ not in sections[1:]


def test_the_manifests_have_the_version() -> None:
    chart = (ROOT / "deploy/helm/copy-exporter/Chart.yaml").read_text()
    assert re.findall(r"^(?:version|appVersion): (.*)$", chart, re.MULTILINE) == [__version__, __version__]
    assert f"newTag: {__version__}\n" in (ROOT / "deploy/kubernetes/kustomization.yaml").read_text()


def test_the_version_is_printed() -> None:
    assert version(ROOT).stdout == f"{__version__}\n"


@pytest.mark.parametrize("new", ["12.0.345", "12.0.345-dev0"])
def test_the_version_is_set_everywhere(copy: Path, new: str) -> None:
    assert version(copy, new).returncode == 0
    assert {name: (copy / name).read_text().count(new) for name in FILES} == FILES
    assert version(copy).stdout == f"{new}\n"


@pytest.mark.parametrize("new", ["1.0", "v1.0.0", "1.0.0rc1", "1.0.0 "])
def test_another_form_is_refused(copy: Path, new: str) -> None:
    """Each of them means something else, or nothing, to one of pip, dpkg, helm and buildah."""
    done = version(copy, new)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert version(copy).stdout == f"{__version__}\n"
