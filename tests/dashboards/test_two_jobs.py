"""Two jobs that scrape one host: with "All" jobs, every panel shows what it shows of one of them."""

from collections.abc import Iterator

import pytest

from tests.support.dashboard_files import DOCUMENTS, Target, Viewer, targets
from tests.support.ports import LOOPBACK
from tests.support.prometheus import JOB, Prometheus, every_second
from tests.support.rule_files import RULE_FILES
from tests.support.wait import wait_until

from . import constant_series as constants

SCRAPES = 14
OF_TARGETS = {"Alerts", "Exporters down"}
"""Panels about targets, of which there are two; an alert names its job."""
Answer = dict[frozenset[tuple[str, str]], float]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    server = constants.serve()
    config = every_second(server.server_port, rule_files=RULE_FILES)
    config["scrape_configs"] = [
        {"job_name": name, "static_configs": [{"targets": [f"{LOOPBACK}:{server.server_port}"]}]}
        for name in (JOB, "another")
    ]
    with Prometheus(tmp_path_factory.mktemp("jobs"), config) as started:
        wait_until(started.ready, "Prometheus")
        started.wait_for_scrapes(SCRAPES)
        yield started
    server.shutdown()
    server.server_close()


def answer(prometheus: Prometheus, target: Target, time: float, **chosen: tuple[str, ...]) -> Answer:
    """Values by labels, the job left out."""
    query = Viewer(chosen).query(target.expression, target.document)
    found = [series for series in prometheus.instant(query, time=time) if series.has_data]
    labels = [frozenset(series.labels.items() - {("job", series.labels.get("job"))}) for series in found]
    assert len(set(labels)) == len(labels), f"{target} has a line per job"
    return dict(zip(labels, (series.values[0] for series in found), strict=True))


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_all_jobs_count_once(prometheus: Prometheus, document: str) -> None:
    time = prometheus.number("max(timestamp(up))")
    asked = [target for target in targets(document) if target.panel not in OF_TARGETS]
    different = {}
    for target in asked:
        one, every = answer(prometheus, target, time, job=(JOB,)), answer(prometheus, target, time)
        if every.keys() != one.keys() or every != pytest.approx(one, rel=0.2, abs=1e-9):
            different[str(target)] = (len(one), len(every), *list(one.values())[:1], *list(every.values())[:1])
    assert different == {}
    assert len([target for target in asked if answer(prometheus, target, time)]) > len(asked) / 2
