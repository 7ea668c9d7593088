"""What is published works where there is no checkout: built, installed in a clean environment, run, and scraped."""

import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

from packaging.version import Version

from exporter import __version__
from exporter.revision import REVISION
from tests.support.exporter_process import ExporterProcess
from tests.support.paths import ROOT
from tests.support.scrape import Scrape

SOURCES = {str(path.relative_to(ROOT)) for path in (ROOT / "probes").rglob("*") if path.is_file()}


def run(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([command, *arguments], cwd="/", capture_output=True, text=True, check=False)


def test_the_wheel_has_the_c_files_and_the_revision(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {*(f"exporter/{name}" for name in SOURCES), "exporter/web/ui/index.html"} <= set(archive.namelist())
        assert archive.read("exporter/REVISION").decode().strip() == REVISION
        assert Version(wheel.name.split("-")[1]) == Version(__version__)
        assert not [name for name in archive.namelist() if name.startswith(("tests", "bench"))]


def test_the_sdist_has_what_it_is_built_from(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert SOURCES | {"exporter/REVISION", "hatch_build.py", "pyproject.toml", "LICENSE"} <= names


def test_the_revision_is_the_one_that_git_names() -> None:
    said = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "rev-parse", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == REVISION


def test_version(installed: Path) -> None:
    assert run(installed, "--version").stdout.split()[1:] == [__version__, "(revision", f"{REVISION})"]


def test_doctor(installed: Path) -> None:
    done = run(installed, "doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True


def test_scrape(installed: Path) -> None:
    with ExporterProcess(command=("env", "--chdir=/", installed, "serve")) as service:
        scrape = Scrape(service.metrics())
        assert scrape.sum("copy_exporter_build_info", version=__version__, revision=REVISION) == 1
        before = scrape.sum("copy_syscalls_total", pid=str(os.getpid()), syscall="write", destination="device")
        Path("/dev/null").write_bytes(b"x")
        scrape = Scrape(service.metrics())
        now = scrape.sum("copy_syscalls_total", pid=str(os.getpid()), syscall="write", destination="device")
        assert now == before + 1
