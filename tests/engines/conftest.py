"""Constant series, scraped by Prometheus 3, which writes to VictoriaMetrics with vmalert and to Thanos with its ruler.

Each engine evaluates the shipped rules itself: Prometheus writes only what it has scraped. Durations in the rules are
shortened, a minute to a second, so that the windows of all rates are full.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import constant_series
from tests.support.alertmanager import Alertmanager
from tests.support.engines import Query, Receive, Ruler, VictoriaMetrics, VmAlert, program
from tests.support.ports import LOOPBACK, free_port, free_ports
from tests.support.prometheus import Prometheus, QueryServer, every_second
from tests.support.rule_files import shortened_files
from tests.support.server import Server
from tests.support.wait import wait_until

from .faulty_series import ROWS as FAULTY

OPERATOR_LABELS = {"cluster": "blue", "namespace": "kafka"}
"""Labels that a scrape configuration adds."""
ENGINES = ("Prometheus", "VictoriaMetrics", "Thanos")
_SCRAPES = 75
"""More than fit into the longest window of the shortened rules, which is an hour as shipped."""
_SECONDS = 400


@dataclass(frozen=True)
class Engine:
    """Where the series of an engine are queried, where its rules are evaluated, and where its alerts go."""

    store: QueryServer
    rules: QueryServer
    alertmanager: Alertmanager

    def has_scrapes(self, instance: str) -> bool:
        """Whether it has enough of this instance. Raises AssertionError with its log when it has exited."""
        query = f'count_over_time(up{{instance="{instance}"}}[10m])'
        return self.store.ready() and self.rules.ready() and self.store.number(query) >= _SCRAPES


@dataclass(frozen=True)
class Scene:
    """The engines by name, and the instances whose panels are drawn: the constant series, and one that is down."""

    engines: Mapping[str, Engine]
    constant: str
    down: str

    @property
    def end(self) -> float:
        """The time of the newest scrape that all engines have."""
        newest = f'timestamp(up{{instance="{self.constant}"}})'
        return min(engine.store.number(newest) for engine in self.engines.values())


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("engines")
    rules = shortened_files(directory)
    with ExitStack() as stack:
        replays = [stack.enter_context(constant_series.serve(rows)) for rows in (constant_series.ROWS, FAULTY)]
        for replay in replays:
            stack.callback(replay.shutdown)
        ports = (replays[0].server_port, free_port(), replays[1].server_port)
        victoria, victoria_url = _victoria_metrics(stack, directory, rules)
        thanos, thanos_url = _thanos(stack, directory, rules)
        prometheus = _prometheus(stack, directory, rules, ports, (victoria_url, thanos_url))
        engines = dict(zip(ENGINES, (prometheus, victoria, thanos), strict=True))
        constant, down, _ = (f"{LOOPBACK}:{port}" for port in ports)
        for name, engine in engines.items():
            wait_until(lambda engine=engine: engine.has_scrapes(constant), f"scrapes in {name}", _SECONDS)
        yield Scene(engines, constant, down)


def _prometheus(
    stack: ExitStack, directory: Path, rules: Sequence[Path], ports: Iterable[int], write_urls: Iterable[str]
) -> Engine:
    alertmanager = _alertmanager(stack, directory / "prometheus")
    config: dict[str, Any] = every_second(*ports, rule_files=rules)
    config["scrape_configs"][0]["static_configs"][0]["labels"] = OPERATOR_LABELS
    config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.address]}]}]}
    only_scraped = {"source_labels": ["__name__"], "regex": "ALERTS.*|.*:.*", "action": "drop"}
    config["remote_write"] = [
        {"url": url, "write_relabel_configs": [only_scraped], "queue_config": {"batch_send_deadline": "1s"}}
        for url in write_urls
    ]
    prometheus = stack.enter_context(Prometheus(directory, config, program("prometheus")))
    _wait_for(alertmanager, prometheus)
    return Engine(prometheus, prometheus, alertmanager)


def _victoria_metrics(stack: ExitStack, directory: Path, rules: Sequence[Path]) -> tuple[Engine, str]:
    """The engine, and the URL to which Prometheus writes."""
    alertmanager = _alertmanager(stack, directory / "victoria-metrics")
    store = stack.enter_context(VictoriaMetrics(directory))
    _wait_for(alertmanager, store)
    vmalert = stack.enter_context(VmAlert(directory, store, alertmanager.address, rules))
    _wait_for(vmalert)
    return Engine(store, vmalert, alertmanager), f"{store.url}/api/v1/write"


def _thanos(stack: ExitStack, directory: Path, rules: Sequence[Path]) -> tuple[Engine, str]:
    """The engine, and the URL to which Prometheus writes."""
    alertmanager = _alertmanager(stack, directory / "thanos")
    of_receive, of_query, of_ruler = (f"{LOOPBACK}:{port}" for port in free_ports(3))
    receive = stack.enter_context(Receive(directory, of_receive))
    query = stack.enter_context(Query(directory, of_query, of_receive, of_ruler))
    _wait_for(alertmanager, receive, query)
    ruler = stack.enter_context(Ruler(directory, of_ruler, query, alertmanager.address, rules))
    _wait_for(ruler)
    return Engine(query, ruler, alertmanager), receive.write_url


def _alertmanager(stack: ExitStack, directory: Path) -> Alertmanager:
    directory.mkdir()
    return stack.enter_context(Alertmanager(directory))


def _wait_for(*servers: Server) -> None:
    for server in servers:
        wait_until(server.ready, type(server).__name__, 120)
