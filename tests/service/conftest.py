"""Programs compiled once per session; connections, exporters and movers for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.compiler import compile_c
from tests.support.exporter_process import ExporterProcess
from tests.support.requirements import require_bpf
from tests.support.watched_connection import WatchedConnection

from .movers import Mover

WORKLOADS = Path(__file__).parent / "workloads"


@pytest.fixture(scope="session", autouse=True)
def _privileged() -> None:
    require_bpf()


@pytest.fixture(scope="session")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compile ``workloads/NAME.c``."""
    directory = tmp_path_factory.mktemp("workloads")

    def build(name: str) -> Path:
        return compile_c(WORKLOADS / f"{name}.c", directory / name, "-static")

    return build


@pytest.fixture(scope="session")
def mover(workload: Callable[[str], Path]) -> Path:
    return workload("mover")


@pytest.fixture
def connection() -> Iterator[WatchedConnection]:
    with closing(WatchedConnection()) as opened:
        yield opened


@pytest.fixture
def start(connection: WatchedConnection) -> Iterator[Callable[..., ExporterProcess]]:
    """Start exporters that count the connection's port separately; they stop with the test."""
    with ExitStack() as stack:
        yield lambda *flags, **options: stack.enter_context(ExporterProcess(*connection.flags, *flags, **options))


@pytest.fixture
def move(connection: WatchedConnection, mover: Path) -> Iterator[Callable[..., Mover]]:
    """Start movers; they exit with the test."""
    with ExitStack() as stack:

        def begin(*before: str, program: Path = mover) -> Mover:
            started = Mover(connection, program, *before)
            stack.callback(started.end)
            return started

        yield begin
