"""The probes, attached once for all tests, and the workloads, compiled once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.loading.probes import PROBE_NAMES
from tests.support.compiler import compile_c
from tests.support.filesystems import command, file_system
from tests.support.ports import free_port
from tests.support.requirements import require_bpf

from .probe_fixture import Ground, loaded

WORKLOADS = Path(__file__).parent / "workloads"


@pytest.fixture(scope="session")
def premises() -> None:
    require_bpf()


@pytest.fixture(scope="package")
def ground(premises: None) -> Iterator[Ground]:  # noqa: ARG001
    yield from loaded()


@pytest.fixture(scope="package")
def deep(premises: None) -> Iterator[Ground]:  # noqa: ARG001
    """Every probe of the table, those that are off by default too."""
    yield from loaded(probes=PROBE_NAMES)


@pytest.fixture(scope="session")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile ``workloads/NAME.c``, statically: the dynamic loader's reads are not in the truth."""
    directory = tmp_path_factory.mktemp("workloads")

    def build(name: str, *flags: str) -> Path:
        program = directory / "-".join([name, *(flag.strip("-") for flag in flags)])
        return compile_c(WORKLOADS / f"{name}.c", program, "-O1", "-Wno-stringop-overread", "-static", *flags)

    return build


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory on ext4, with a disk below, whatever temporary files are on."""
    directory = tmp_path_factory.mktemp("disk")
    if command("stat", "--file-system", "--format=%T", directory) == "ext2/ext3":
        yield directory
        return
    with file_system("ext4", directory) as (_, mounted):
        yield mounted


@pytest.fixture
def port(ground: Ground) -> Iterator[int]:
    """One to watch; afterwards none is."""
    yield free_port()
    ground.reader.watch_ports([])
