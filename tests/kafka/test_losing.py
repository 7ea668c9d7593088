"""Why zero copy is lost, as the service shows it of processes that pose as brokers and really move bytes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.kafka.zero_copy_loss import MIN_BYTES
from tests.support.exporter_process import ExporterProcess
from tests.support.fake_broker import PYTHON, FakeBroker
from tests.support.ports import free_ports
from tests.support.requirements import require_bpf
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

SIZE = 2 * MIN_BYTES
WITHOUT_SENDFILE = (PYTHON, Path(__file__).with_name("without_sendfile.py"))
LOST = "copy_kafka_zero_copy_lost"


@pytest.fixture(scope="module")
def service() -> Iterator[ExporterProcess]:
    require_bpf()
    with ExporterProcess() as started:
        yield started


@pytest.fixture
def records(tmp_path: Path) -> Path:
    file = tmp_path / "records"
    file.write_bytes(bytes(SIZE))
    return file


class Listening:
    """A poser with a plaintext and an SSL listener that the service knows."""

    def __init__(self, service: ExporterProcess, directory: Path, node_id: str, *before: str | Path) -> None:
        self.plain, self.ssl = free_ports(2)
        self._service = service
        self._node_id = node_id
        listeners = f"PLAINTEXT://127.0.0.1:{self.plain},SSL://127.0.0.1:{self.ssl}"
        (directory / "server.properties").write_text(f"node.id={node_id}\nlisteners={listeners}\n")
        self.poser = FakeBroker(directory, "server.properties", before=[str(part) for part in before])
        self.poser.do("listen", "127.0.0.1", self.plain)
        self.poser.do("listen", "127.0.0.1", self.ssl)
        wait_until(self._known, "the broker is found")

    def _known(self) -> bool:
        found = Scrape(self._service.metrics()).series("copy_kafka_listener_info", node_id=self._node_id)
        return {row["port"] for row in found} == {str(self.plain), str(self.ssl)}

    def reasons(self) -> dict[int, set[str]]:
        """By port."""
        found: dict[int, set[str]] = {self.plain: set(), self.ssl: set()}
        for row in Scrape(self._service.metrics()).series(LOST, node_id=self._node_id):
            found[int(row["port"])].add(row["reason"])
        return found


Listen = Callable[..., Listening]


@pytest.fixture
def listen(service: ExporterProcess, tmp_path: Path) -> Iterator[Listen]:
    posers: list[FakeBroker] = []

    def start(node_id: str, *before: str | Path) -> Listening:
        started = Listening(service, tmp_path, node_id, *before)
        posers.append(started.poser)
        return started

    yield start
    for poser in posers:
        poser.__exit__()


def test_zero_copy_then_copies(listen: Listen, records: Path) -> None:
    broker = listen("21")
    assert broker.poser.do("sendfile", records, SIZE) == SIZE
    assert broker.reasons() == {broker.plain: set(), broker.ssl: {"tls"}}
    assert broker.poser.do("copy", records, SIZE) == SIZE
    assert broker.reasons() == {broker.plain: {"copied"}, broker.ssl: {"tls"}}


def test_sendfile_refused(listen: Listen, records: Path) -> None:
    broker = listen("22", *WITHOUT_SENDFILE)
    assert broker.reasons()[broker.plain] == set()
    assert broker.poser.do("fall_back", records, SIZE) == SIZE
    assert broker.reasons() == {broker.plain: {"jvm_fallback"}, broker.ssl: {"tls"}}


def test_the_same_without_a_refusal(listen: Listen, records: Path) -> None:
    broker = listen("23")
    assert broker.poser.do("fall_back", records, SIZE) == SIZE
    assert broker.reasons()[broker.plain] == set()


def test_a_broker_that_ended_has_no_reason(service: ExporterProcess, listen: Listen) -> None:
    broker = listen("24")
    assert broker.reasons()[broker.ssl] == {"tls"}
    broker.poser.__exit__()
    wait_until(lambda: not Scrape(service.metrics()).series(LOST, node_id="24"), "the reason is gone")
