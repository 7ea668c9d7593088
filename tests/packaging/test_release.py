"""The tag of a release names the version that the program has, and the changelog has a section for it."""

import re
import subprocess

from exporter import __version__
from tests.support.paths import ROOT


def test_a_tag_of_this_commit_is_the_version() -> None:
    command = ["git", "-c", f"safe.directory={ROOT}", "tag", "--points-at", "HEAD", "v*"]
    tags = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert [tag for tag in tags if tag != f"v{__version__}"] == []
    if tags:
        assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_manifests_have_the_version() -> None:
    chart = (ROOT / "deploy/helm/copy-exporter/Chart.yaml").read_text()
    assert re.findall(r"^(?:version|appVersion): (.*)$", chart, re.MULTILINE) == [__version__, __version__]
    assert f"newTag: {__version__}\n" in (ROOT / "deploy/kubernetes/kustomization.yaml").read_text()
