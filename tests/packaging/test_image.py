"""The image of this checkout, built on a base image made here and run with the rights of deploy/README.md."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exporter import __version__
from exporter.revision import REVISION
from tests.support.exporter_process import ExporterProcess
from tests.support.namespaces import WITH_TRACEFS
from tests.support.paths import CACHE, ROOT
from tests.support.ports import free_port
from tests.support.scrape import Scrape
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, MAX_BYTES, WatchedConnection

TAG = "localhost/copy-exporter:test"
BUILDAH = ("buildah", "--root", CACHE / "containers", "--runroot", CACHE / "containers.run")
RIGHTS = ("--isolation", "chroot", "--cap-add", "CAP_BPF,CAP_PERFMON,CAP_DAC_READ_SEARCH,CAP_SYSLOG")
TRACEFS = "/sys/kernel/tracing"
pytestmark = pytest.mark.timeout(600)


def buildah(*arguments: str | Path) -> str:
    return subprocess.run([*BUILDAH, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    subprocess.run([ROOT / "deploy/image/build", TAG], check=True)
    return TAG


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[str]:
    """A container of the image. Debian 12's seccomp profile predates CAP_BPF and forbids bpf() without root."""
    made = buildah("from", "--pull-never", "--security-opt", "seccomp=unconfined", image)
    yield made
    buildah("rm", made)


def config(image: str) -> dict[str, object]:
    return dict(json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"])


def test_labels_user_and_health_check(image: str) -> None:
    settings = config(image)
    labels = settings["Labels"]
    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.revision"] == REVISION
    assert settings["User"] == "65534:65534"
    assert "/-/healthy" in str(settings["Healthcheck"])


def test_the_image_contains_nothing_of_the_host(container: str) -> None:
    """No configuration of this host's package managers, and no architecture in the Dockerfile."""
    root = Path(buildah("mount", container))
    assert not (root / "etc/pip.conf").exists()
    assert not (root / "etc/apt/apt.conf.d/99-host").exists()
    assert not list((root / "run/secrets").glob("*"))
    assert not re.search("amd64|x86|arm64|aarch64", (ROOT / "Dockerfile").read_text())


def test_doctor(container: str) -> None:
    answer = json.loads(buildah("run", *RIGHTS, container, "copy-exporter", "doctor", "--json"))
    assert answer["ok"] is True
    findings = {check["name"]: check["why"] for check in answer["checks"]}
    assert findings["privileges for start-up"].startswith("user id 65534 with CAP_BPF")


def test_without_capabilities_it_names_them(container: str) -> None:
    command = [*BUILDAH, "run", "--isolation", "chroot", container, "copy-exporter", "serve"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "with CAP_BPF and CAP_PERFMON, in a container too" in done.stderr


def process(port: int) -> Path:
    """/proc/PID of the service that listens on this port."""
    for directory in Path("/proc").glob("[0-9]*"):
        arguments = [b""]
        with suppress(FileNotFoundError, ProcessLookupError):  # other processes of the host end at any time
            arguments = (directory / "cmdline").read_bytes().split(b"\0")
        if arguments[0].startswith(b"/opt/copy-exporter/") and f"127.0.0.1:{port}".encode() in arguments:
            return directory
    raise AssertionError("no such process")


def test_scrape(container: str) -> None:
    """Counts of processes outside the container are exact, every probe is attached, and no capability is left."""
    connection = WatchedConnection()
    address = f"127.0.0.1:{free_port()}"
    run = ("run", *RIGHTS, "--volume", f"{TRACEFS}:{TRACEFS}:ro", container, "copy-exporter", "serve")
    with ExporterProcess(
        *connection.flags, "--web.listen-address", address, command=(*WITH_TRACEFS, *BUILDAH, *run)
    ) as service:
        moved = connection.peek(1, 1000, MAX_BYTES)
        scrape = Scrape(service.metrics())
        assert scrape.sum(BYTES, port=connection.label) == moved
        assert scrape.sum(BYTES, mechanism="cpu", port=connection.label, pid=str(os.getpid())) == moved
        assert scrape.sum("copy_exporter_build_info", revision=REVISION) == 1
        assert scrape.sum("copy_exporter_probe_attached", probe="sendfile") == 1
        found = process(int(address.rpartition(":")[2]))
        status = dict(line.split(":\t", 1) for line in (found / "status").read_text().splitlines())
        assert status["Uid"].split() == ["65534"] * 4
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"
    wait_until(lambda: not found.exists(), "the end of the service in the container")
    connection.close()
