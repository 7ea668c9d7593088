"""The Debian package in a fresh root of each release: installed, started, scraped, upgraded, removed and purged."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import __version__
from exporter.loading.probes import DEFAULT_PROBE_NAMES
from exporter.revision import REVISION
from tests.support.paths import ROOT
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

from .booted_root import BootedRoot

SUITES = ("bookworm", "trixie", "sid")
DEFAULTS = "etc/default/copy-exporter"
_SCRAPE = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"accept": "application/openmetrics-text; version=1.0.0"})
print(urllib.request.urlopen(request, timeout=60).read().decode(), end="")
"""
_INSTALL = ("apt-get", "install", "-y", "-qq", "--no-install-recommends")
_COMPLETE = """
. /usr/share/bash-completion/completions/copy-exporter
COMP_WORDS=(copy-exporter serve --kafka.top) COMP_CWORD=2
_copy_exporter
echo "${COMPREPLY[@]}"
"""
pytestmark = [pytest.mark.packages, pytest.mark.timeout(1500)]


def build(suite: str, folder: Path) -> Path:
    subprocess.run([ROOT / "deploy/deb/build", suite, folder], check=True)
    (package,) = folder.glob("*.deb")
    return package


def field(package: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "-f", package, name], check=True, capture_output=True, text=True).stdout.strip()


def newer(package: Path, folder: Path) -> Path:
    """The same package with a higher version, as a later release would have."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {__version__}.1-1", control.read_text(), flags=re.MULTILINE))
    made = folder / "newer.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made], check=True, stdout=subprocess.DEVNULL
    )
    shutil.rmtree(tree)
    return made


@pytest.fixture(scope="module", params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def package(suite: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(suite, tmp_path_factory.mktemp("package"))


@pytest.fixture
def root(suite: str, package: Path, tmp_path: Path) -> Iterator[BootedRoot]:
    """A Debian of the suite that has downloaded what the package needs, and has both versions of it at /."""
    made = BootedRoot(suite, tmp_path / "root")
    shutil.copy(package, made.directory / "copy-exporter.deb")
    newer(package, tmp_path).rename(made.directory / "newer.deb")
    made.prepare(*_INSTALL, "--download-only", "/copy-exporter.deb")
    with made:
        yield made
    shutil.rmtree(made.directory)


def scrape(root: BootedRoot, port: int = 10435) -> Scrape:
    return Scrape(root.run("python3", "-c", _SCRAPE, f"http://127.0.0.1:{port}/metrics"))


def wait_for_service(root: BootedRoot, port: int = 10435) -> None:
    url = f"http://127.0.0.1:{port}/-/ready"
    wait_until(lambda: root.status("python3", "-c", _SCRAPE, url) == 0, root.directory.name, 60)


def main_pid(root: BootedRoot) -> str:
    return root.run("systemctl", "show", "--property=MainPID", "--value", "copy-exporter").strip()


@pytest.fixture
def checkout(suite: str, tmp_path: Path) -> Iterator[BootedRoot]:
    """A Debian of the suite with this checkout at /checkout, where `make setup` has been run."""
    made = BootedRoot(suite, tmp_path / "root")
    subprocess.run(["git", "clone", "--quiet", ROOT, made.directory / "checkout"], check=True)
    made.prepare(*_INSTALL, "make")
    made.prepare("make", "--directory", "/checkout", "setup")
    with made:
        yield made
    shutil.rmtree(made.directory)


def test_make_run(checkout: BootedRoot) -> None:
    run = ("make", "--directory", "/checkout", "run", "ARGS=--web.listen-address 127.0.0.1:9998")
    checkout.run("systemd-run", "--unit=make-run", *run)
    wait_for_service(checkout, 9998)
    served = scrape(checkout, 9998)
    assert served.sum("copy_exporter_scrape_success", collector="processes") == 1
    assert {name for name in DEFAULT_PROBE_NAMES if not served.sum("copy_exporter_probe_attached", probe=name)} == set()
    checkout.run("systemctl", "stop", "make-run")


def test_life(root: BootedRoot, package: Path) -> None:
    """Install, serve, scrape, configure, upgrade, remove, purge."""
    root.run(*_INSTALL, "/copy-exporter.deb")
    minor = int(root.run("python3", "-c", "import sys; print(sys.version_info.minor)"))
    depends = field(package, "Depends")
    assert {f"python3 (>= 3.{minor}~)", f"python3 (<< 3.{minor + 1}~)"} <= set(depends.split(", "))
    assert {"libbpf1", "linux-libc-dev", "python3-bpfcc"} <= set(depends.split(", "))

    assert root.run("systemctl", "is-enabled", "copy-exporter.service").strip() == "enabled"
    assert root.status("systemctl", "is-enabled", "copy-exporter.socket") != 0
    wait_for_service(root)
    first = scrape(root)
    assert first.sum("copy_exporter_build_info", version=__version__, revision=REVISION) == 1
    assert {name for name in DEFAULT_PROBE_NAMES if not first.sum("copy_exporter_probe_attached", probe=name)} == set()
    assert first.sum("copy_exporter_scrape_success", collector="processes") == 1
    assert root.run("stat", "--format=%u", f"/proc/{main_pid(root)}").strip() not in ("0", "65534")
    assert json.loads(root.run("copy-exporter", "doctor", "--json"))["ok"] is True
    assert "probes attached" in root.run("copy-exporter", "top", "--once")
    assert root.run("copy-exporter", "--version").split()[1:] == [__version__, "(revision", f"{REVISION})"]
    assert "--kafka.topics.max" in root.run("bash", "-c", _COMPLETE).split()
    assert ".TH COPY" in root.run("zcat", "/usr/share/man/man8/copy-exporter.8.gz")
    assert root.run("dpkg", "--verify", "copy-exporter") == ""
    owned = set(root.run("dpkg", "-L", "copy-exporter").split("\n"))
    assert [path for path in root.run("find", "/opt/copy-exporter").split("\n") if path not in owned] == []

    (root.directory / DEFAULTS).write_text("OPTIONS=--web.listen-address 127.0.0.1:9999\n")
    root.run("systemctl", "restart", "copy-exporter")
    wait_for_service(root, 9999)
    before = main_pid(root)
    root.run(*_INSTALL, "/newer.deb")
    wait_for_service(root, 9999)
    assert main_pid(root) not in (before, "0")
    assert root.run("dpkg-query", "--show", "--showformat=${Version}", "copy-exporter") == f"{__version__}.1-1"
    assert scrape(root, 9999).sum("copy_exporter_scrape_success", collector="processes") == 1

    root.run("apt-get", "remove", "-y", "-qq", "copy-exporter")
    assert root.status("systemctl", "is-active", "copy-exporter") != 0
    assert not (root.directory / "opt/copy-exporter").exists()
    assert not (root.directory / "usr/bin/copy-exporter").is_symlink()
    assert (root.directory / DEFAULTS).exists()
    root.run("apt-get", "purge", "-y", "-qq", "copy-exporter")
    assert not (root.directory / DEFAULTS).exists()
    left = root.run("find", "/etc", "/usr", "/var/lib", "-name", "*copy-exporter*")
    assert left == ""
