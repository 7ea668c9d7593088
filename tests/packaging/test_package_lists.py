"""The Debian packages that the Makefile installs, resolved against each release. Nothing is installed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import CACHE, ROOT

SUITES = ("bookworm", "trixie", "sid")
LISTS = ("RUN_PACKAGES", "TEST_PACKAGES", "IMAGE_PACKAGES", "BENCH_PACKAGES", "GRAFANA_PACKAGES", "MATRIX_PACKAGES")
SOMETIMES = ("kubernetes-client", "npm")
"""Installed where the host does not have the program already."""
RUN_PROGRAMS = ("bash", "env", "find", "id", "test")
THIS_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def listed(*names: str) -> set[str]:
    variables = " ".join(f"$({name})" for name in names)
    command = ["make", "--no-print-directory", "--eval", f"print-list: ; @echo {variables}", "print-list"]
    return set(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split())


@pytest.fixture(scope="module", params=SUITES)
def apt(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """apt-get with the package lists of a release, on a host where nothing is installed."""
    folder = CACHE / f"apt-{request.param}"
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    target = "$(CODENAME) $(REPO_URI)"
    query = ["apt-get", "indextargets", "--format", target, "Created-By: Packages", "Origin: Debian"]
    targets = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    (codename,) = re.findall(r"^VERSION_CODENAME=(.*)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    mirror = next(line.split()[1] for line in targets if line.startswith(f"{codename} "))
    (folder / "sources.list").write_text(f"deb {mirror} {request.param} main\n")
    options = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": folder,
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    command = ("apt-get", *(f"-o{name}={value}" for name, value in options.items()))
    subprocess.run([*command, "-qq", "update"], check=True)
    return command


def test_a_release_has_the_packages(apt: tuple[str, ...]) -> None:
    packages = {*listed(*LISTS), *SOMETIMES}
    command = [*apt, "--simulate", "--no-install-recommends", "install", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(re.findall(r"^Inst (\S+)", done.stdout, re.MULTILINE)) >= packages


@pytest.fixture
def path_without_apt(tmp_path: Path) -> Path:
    for name in RUN_PROGRAMS:
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def install(path: Path, *packages: str) -> subprocess.CompletedProcess[str]:
    command = [ROOT / "deploy/install-packages", *packages]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def test_without_apt_what_works_is_not_asked_for(path_without_apt: Path) -> None:
    done = install(path_without_apt, *sorted(listed("RUN_PACKAGES")))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_apt_what_is_missing_is_named(path_without_apt: Path) -> None:
    done = install(path_without_apt, *sorted(listed("RUN_PACKAGES")), "strace", "maven")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "what Debian calls strace maven, then" in line
    assert "dnf install libbpf kernel-headers python3-bcc" in line


@pytest.mark.parametrize(("python", "made_again"), [("python3.0", True), (THIS_PYTHON, False)])
def test_the_environment_is_made_again_for_another_python(tmp_path: Path, python: str, made_again: bool) -> None:
    """As after an upgrade of the host, when the interpreter of the environment is gone."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy2(ROOT / name, tmp_path)
    (tmp_path / ".venv/lib" / python).mkdir(parents=True)
    (tmp_path / ".venv/.run").touch()
    command = ["make", "--dry-run", "run"]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert ("venv --clear" in printed, "pip install" in printed) == (made_again, made_again)
