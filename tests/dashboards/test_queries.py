"""Every query of every panel and every recording rule, asked of a real Prometheus that scrapes a real exporter."""

import re

import pytest

from exporter.metrics.catalog import FAMILIES, OPTIONAL_FAMILIES
from tests.support.dashboard_files import DOCUMENTS, Target, Viewer, targets, variables
from tests.support.prometheus import JOB, Prometheus
from tests.support.rule_files import recorded
from tests.support.shipped_queries import selectors_behind

from . import constant_series as constants
from .conftest import CLUSTER, Scene

DMA_BYTES = "bytes by DMA"
OLDEST_SECONDS = 300
"""How long the exporter has run at most, when the load begins."""
MAY_BE_ABSENT = {
    "copy_kafka_": "a Kafka broker",
    "copy_exporter_broker_discovery_": "--kafka",
    "copy_zero_copy_lost_": "a process that sends by kernel TLS",
    "copy_kernel_copied_": "a kernel that supports probes on its copy functions",
    **{family.name: "a probe that is off by default" for family in OPTIONAL_FAMILIES},
    "copy_network_": "a network device that reports its speed and features",
    "copy_cpu_seconds_": "a kernel with the symbols of its copy routines, and a sample in them",
    "copy_host_cpu_seconds_": "the same",
    "copy_cipher_seconds_": "a process that the kernel encrypts for",
    DMA_BYTES: "a file on a disk",
}
"""What a real exporter may not have, by the start of its name, and what it needs."""
ONLY_AFTER_A_FAULT = {
    "Alerts",
    "Probes not attached",
    "Brokers without zero copy, and why",
    "process:copy_sendfile_refused:rate5m",
}
"""Panels and recorded series that are empty on a host without faults."""
ONLY_WITH_NETWORK_TRAFFIC = {"Copy CPU per GiB/s sent", "Coverage"}
"""Panels that are empty while all traffic is on loopback."""


def has_data(scene: Scene, target: Target, viewer: Viewer, prometheus: Prometheus | None = None) -> bool:
    """Whether the query has data, asked as Grafana asks it; an error fails the test."""
    asked = prometheus or scene.prometheus
    expression = viewer.query(target.expression, target.document)
    end = scene.times.end
    if target.instant:
        found = asked.instant(expression, time=end)
    else:
        found = asked.range_query(expression, end - viewer.range_seconds, end, viewer.step_seconds)
    return any(series.has_data for series in found)


def needs(expression: str) -> set[str]:
    """The families that a query reads, and whether it reads bytes by DMA."""
    found = selectors_behind(expression)
    dma = {DMA_BYTES for selector in found if selector.matchers.get("mechanism") == '="dma"'}
    return {selector.base_name for selector in found} | dma


def absent_from(scene: Scene) -> set[str]:
    """What the real exporter does not have; of families about processes, what it does not have for the load."""
    lines = [line for line in scene.exposition.splitlines() if not line.startswith("#")]
    comms = [f'comm="{process.comm}"' for process in scene.processes.values()]
    ours = [line for line in lines if 'comm="' not in line or any(comm in line for comm in comms)]
    present = {re.sub("_(bucket|sum|count)$", "", re.split("[{ ]", line)[0]) for line in ours}
    present |= {DMA_BYTES for line in ours if line.startswith("copy_bytes_total") and 'mechanism="dma"' in line}
    return {DMA_BYTES, *(family.name for family in FAMILIES)} - present


def live_viewer(scene: Scene) -> Viewer:
    comms = tuple(process.comm for process in scene.processes.values())
    return Viewer({"instance": (scene.live, scene.down), "process": comms})


def test_the_real_exporter_lacks_only_what_needs_another_host(scene: Scene):
    assert [name for name in absent_from(scene) if not name.startswith(tuple(MAY_BE_ABSENT))] == []


def test_no_constant_series_is_served_twice():
    """Of two samples with one time, Prometheus stores one; Prometheus 3 also logs a warning."""
    series = [line.rpartition(" ")[0] for line in constants.exposition(1).splitlines()]
    assert sorted(set(series)) == sorted(series)


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_every_query_has_data_of_the_constant_series(scene: Scene, document: str):
    viewer = Viewer({"instance": (scene.constant, scene.down)})
    assert [str(target) for target in targets(document) if not has_data(scene, target, viewer)] == []


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_every_query_has_data_of_the_real_exporter(scene: Scene, document: str):
    """All but those that need what it does not have here."""
    absent, viewer = absent_from(scene), live_viewer(scene)
    may_be_empty = ONLY_AFTER_A_FAULT | ONLY_WITH_NETWORK_TRAFFIC
    expected = [
        target
        for target in targets(document)
        if not needs(target.expression) & absent and target.panel not in may_be_empty
    ]
    assert expected
    assert [str(target) for target in expected if not has_data(scene, target, viewer)] == []


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_every_query_has_data_with_all_hosts_at_once(scene: Scene, document: str):
    assert [str(target) for target in targets(document) if not has_data(scene, target, Viewer({}))] == []


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_every_query_has_data_without_the_rules(scene: Scene, document: str):
    """The variable of hosts with recorded series is empty then; alerts are rules."""
    viewer = Viewer({"recorded": ("none",)})
    empty = [found for found in targets(document) if not has_data(scene, found, viewer, scene.without_rules)]
    assert [str(target) for target in empty if target.panel != "Alerts"] == []


def test_what_stands_for_recorded_series_has_their_values(scene: Scene):
    """The other half of each query, asked of the same server at the same time, by which names no rule records."""
    compared = [target for target in targets("fleet") if "$recorded" in target.expression]
    assert compared
    for target in compared:
        by_rule, by_panel = (
            Viewer({"instance": (scene.constant,), **hosts}).query(target.expression, "fleet")
            for hosts in ({}, {"recorded": ("none",)})
        )
        computed = by_label(scene, re.sub(r"\b(\w+:\w+:\w+)\{", r"absent_\1{", by_panel))
        recorded_values = by_label(scene, by_rule)
        assert recorded_values, target
        assert computed == pytest.approx(recorded_values, rel=0.2), target


def by_label(scene: Scene, expression: str) -> dict[frozenset[tuple[str, str]], float]:
    """Values at the end of the load, by all labels but the name."""
    found = scene.prometheus.instant(expression, time=scene.times.end)
    return {
        frozenset(series.labels.items() - {("__name__", series.labels.get("__name__"))}): series.values[0]
        for series in found
    }


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_no_query_fails_without_an_exporter(scene: Scene, document: str):
    absent = {"process": ("none",), "pid": ("1",), "port": ("1",), "topic": ("none",)}
    viewer = Viewer({"instance": ("none:1",), **absent})
    assert [str(target) for target in targets(document) if has_data(scene, target, viewer)] == []


@pytest.mark.parametrize("name", sorted(recorded()))
def test_every_recording_rule_records(scene: Scene, name: str):
    def has_values(instance: str) -> bool:
        query = f'{name}{{instance="{instance}"}}'
        found = scene.prometheus.range_query(query, scene.times.start, scene.times.end, 1)
        return any(series.has_data for series in found)

    assert has_values(scene.constant)
    if name not in ONLY_AFTER_A_FAULT and not needs(name) & absent_from(scene):
        assert has_values(scene.live)


def test_no_rule_has_failed(scene: Scene):
    rules = [rule for group in scene.prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert rules
    assert [rule for rule in rules if rule["health"] != "ok"] == []


def test_variables_offer_the_values_that_exist(scene: Scene):
    """Asked as Grafana asks for the values of a variable: the label's values of the matching series."""
    for document in DOCUMENTS:
        for name, values in offered(scene, document).items():
            assert values, f"{document}: {name}"
    offers = offered(scene, "kafka")
    assert set(offers["port"]) == {"9092", "9093", "9094"} | {process.port for process in scene.processes.values()}
    assert set(offers["topic"]) == {*constants.TOPICS, constants.UNREAD_TOPIC}
    assert (set(offers["broker"]), set(offers["listener"])) == ({"1"}, {"PLAINTEXT", "SSL", "CONTROLLER"})
    assert (offers["job"], offers["cluster"]) == ([JOB], [CLUSTER])
    assert offers["partition"] == ["7"]


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_annotations_mark_the_start_of_the_exporter_and_its_alerts(scene: Scene, document: str):
    """A start is at the time that is the value, in milliseconds. No alert has fired yet."""
    starts, alerts = (annotation["expr"] for annotation in DOCUMENTS[document]["annotations"]["list"])
    live, constant = (Viewer({"instance": (instance,)}) for instance in (scene.live, scene.constant))
    started = scene.prometheus.number(live.query(starts, document)) / 1000
    assert 0 < scene.times.start - started < OLDEST_SECONDS
    firing = constant.query(alerts, document)
    assert scene.prometheus.instant(firing, time=scene.times.end) == []
    pending = firing.replace('alertstate="firing"', 'alertstate="pending"')
    assert scene.prometheus.instant(pending, time=scene.times.end) != []


def test_a_listener_chooses_its_port(scene: Scene):
    """Ports without a listener belong to "All" alone."""
    assert offered(scene, "kafka", listener=("SSL",))["port"] == ["9093"]
    assert offered(scene, "kafka", broker=("2",))["port"] == []


def offered(scene: Scene, document: str, **chosen: tuple[str, ...]) -> dict[str, list[str]]:
    found = {}
    for name, variable in variables(document).items():
        if variable["type"] == "query":
            query = Viewer(chosen).query(variable["query"]["query"], document)
            series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()  # type: ignore[union-attr]
            found[name] = scene.prometheus.get(f"label/{label}/values", **{"match[]": series})
    return found
