"""The probes, attached once for all tests, and the workloads, compiled once.

A test that compares counts with a known truth is marked with the probes that it tests, ``pytest.mark.probe("block")``.
``docs/kernels.md`` is made from these marks: they are in the JUnit file, as the property ``probe`` of each test.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.loading.probes import PROBE_NAMES
from tests.support.compiler import compile_c
from tests.support.filesystems import command, on_disk
from tests.support.ports import free_port
from tests.support.requirements import require_bpf

from .probe_fixture import ATTACHED, ProbeFixture, attached_probes

WORKLOADS = Path(__file__).parent / "workloads"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "probe(*names): compares the counts of these probes with a known truth")


def marked_probes(item: pytest.Item) -> list[str]:
    """The names of the probes that a test is marked with."""
    return [name for marker in item.iter_markers("probe") for name in marker.args]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.user_properties += [("probe", name) for name in marked_probes(item)]


@pytest.fixture(scope="session")
def bpf() -> None:
    """Skips the test where no probes can be loaded."""
    require_bpf()


@pytest.fixture(scope="package")
def probes(bpf: None) -> Iterator[ProbeFixture]:  # noqa: ARG001
    with attached_probes() as attached:
        yield attached


@pytest.fixture(scope="package")
def all_probes(bpf: None) -> Iterator[ProbeFixture]:  # noqa: ARG001
    """Every probe of the table, also those that are off by default."""
    with attached_probes(probes=PROBE_NAMES) as attached:
        yield attached


@pytest.fixture(autouse=True)
def _maps_have_room() -> None:
    for attached in ATTACHED:
        attached.free_rows()


@pytest.fixture(scope="session")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles ``workloads/NAME.c``, statically: the reads of a dynamic loader would count too."""
    directory = tmp_path_factory.mktemp("workloads")

    def build(name: str, *flags: str) -> Path:
        program = directory / "-".join([name, *(flag.strip("-") for flag in flags)])
        return compile_c(WORKLOADS / f"{name}.c", program, "-O1", "-Wno-stringop-overread", "-static", *flags)

    return build


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory on ext4 with a disk below, whatever file system temporary files are on."""
    with on_disk(tmp_path_factory.mktemp("disk")) as directory:
        yield directory


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Mount overlayfs that reads and writes in a directory; returns where."""
    mounted = tmp_path / "overlay"
    mounted.mkdir()

    def mount(directory: Path) -> Path:
        for name in ("lower", "upper", "work"):
            (directory / name).mkdir()
        lower, upper, work = (f"{name}dir={directory / name}" for name in ("lower", "upper", "work"))
        command("mount", "-t", "overlay", "-o", f"{lower},{upper},{work}", "test", mounted)
        return mounted

    yield mount
    command("umount", mounted)


@pytest.fixture
def port(probes: ProbeFixture) -> Iterator[int]:
    """A free port to watch. Afterwards no port is watched."""
    yield free_port()
    probes.maps.watch_ports([])
