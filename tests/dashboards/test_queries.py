"""Every query of every panel and every recording rule, asked of a real Prometheus that scrapes a real exporter."""

import re

import pytest

from . import constant_series as constants
from .conftest import JOB, Scene
from .documents import DOCUMENTS, Target, Viewer, targets, variables
from .load import APPENDS, BY_HAND, BY_REFERENCE, CHUNK, FILE_BYTES, TIMES, Way
from .promql import selectors
from .test_contract import OF_PROMETHEUS, PANEL_METRICS, RECORDED, base, shown

NEEDS = {
    "copy_kafka_": "a Kafka broker",
    "copy_kernel_copied_": "a kernel that lets probes onto its copy functions",
    "copy_to_user_": "the same",
    "copy_from_user_": "the same",
    "copy_network_": "a network device that says its speed and features",
    "copy_cpu_seconds_": "a kernel with the symbols of its copy routines, and the luck to be sampled in them",
    "copy_host_cpu_seconds_": "the same",
}
"""Beginnings of metrics that a real exporter may not have everywhere, and what for."""
WHEN_SOMETHING_IS_WRONG = {"Alerts", "Probes not attached", "Brokers without zero copy, and why"}
"""Panels that are empty on a host without problems."""
ONLY_AFTER_A_REFUSAL = {"process:copy_sendfile_refused:rate5m"}
"""Recorded series that are empty on a host without problems."""
WHEN_DEVICES_SEND = {"Copy CPU per GiB/s sent", "Coverage"}
"""Panels that are empty while all traffic is on loopback."""
MIB = 2.0**20


def ask(scene: Scene, target: Target, viewer: Viewer) -> bool:
    """Whether the query has data, as Grafana would ask it; an error is one of the test."""
    expression = viewer.query(target.expression, target.document)
    end = scene.times.done
    if target.instant:
        found = scene.prometheus.instant(expression, time=end)
    else:
        found = scene.prometheus.course(expression, end - viewer.range_seconds, end, viewer.step_seconds)
    return any(one.has_data for one in found)


def names(target: Target) -> set[str]:
    return {one.name for one in selectors(target.expression)}


def absent_from(scene: Scene) -> set[str]:
    """Metrics that the real exporter does not have, of those about processes for the load's."""
    lines = [line for line in scene.exposition.splitlines() if not line.startswith("#")]
    comms = [f'comm="{sender.comm}"' for sender in scene.senders.values()]
    ours = [line for line in lines if 'comm="' not in line or any(comm in line for comm in comms)]
    there = {base(re.split("[{ ]", line)[0]) for line in ours}
    return {base(name) for name in PANEL_METRICS} - set(OF_PROMETHEUS) - there


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_every_query_has_data_where_everything_happens(scene: Scene, document: str):
    viewer = Viewer({"instance": (scene.steady, scene.down)})
    assert [str(target) for target in targets(document) if not ask(scene, target, viewer)] == []


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_every_query_has_data_of_the_real_exporter(scene: Scene, document: str):
    """All but those on metrics that it does not have here; nothing is an error, with or without a broker."""
    absent = absent_from(scene)
    assert not [name for name in absent if not name.startswith(tuple(NEEDS))]
    viewer = Viewer(
        {"instance": (scene.live, scene.down), "process": tuple(one.comm for one in scene.senders.values())}
    )
    empty = [target for target in targets(document) if not ask(scene, target, viewer)]
    asked = {target: {base(name) for name in shown(names(target))} for target in empty}
    unexplained = [
        one for one in empty if not asked[one] & absent and one.panel not in WHEN_SOMETHING_IS_WRONG | WHEN_DEVICES_SEND
    ]
    assert [str(one) for one in unexplained] == []


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_no_query_is_an_error_with_all_hosts_at_once(scene: Scene, document: str):
    everywhere = Viewer({})
    assert [str(target) for target in targets(document) if not ask(scene, target, everywhere)] == []


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_nothing_is_an_error_where_no_exporter_is(scene: Scene, document: str):
    nobody = {"process": ("nobody",), "pid": ("1",), "port": ("1",), "topic": ("none",)}
    nowhere = Viewer({"instance": ("nowhere:1",), **nobody})
    assert not [str(target) for target in targets(document) if ask(scene, target, nowhere)]


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_every_recording_rule_records(scene: Scene, name: str):
    found = scene.prometheus.course(f'{name}{{instance="{scene.steady}"}}', scene.times.parked, scene.times.done, 1)
    assert any(one.has_data for one in found)
    behind = {base(one) for one in shown({name})}
    if not behind & absent_from(scene) and name not in ONLY_AFTER_A_REFUSAL:
        found = scene.prometheus.course(f'{name}{{instance="{scene.live}"}}', scene.times.parked, scene.times.done, 1)
        assert any(one.has_data for one in found)


def test_no_rule_has_failed(scene: Scene):
    groups = scene.prometheus.get("rules")["groups"]
    assert [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"] == []


class Asked:
    """What panels show of the whole load, of one host or of all, as numbers by labels.

    Rates look back from one scrape to another, so that of the real exporter nothing is left to guess: it did what lies
    between them.
    """

    def __init__(self, scene: Scene, instance: str = "", **chosen: str) -> None:
        self._scene = scene
        values = {name: (value,) for name, value in {"instance": instance, **chosen}.items() if value}
        self._viewer = Viewer(values, window=f"{round(scene.times.seconds * 1000) + 1}ms")

    def panel(self, document: str, title: str, *by: str, letter: str = "A") -> dict[tuple[str, ...], float]:
        """Values by these labels at the end of the load."""
        target = next(one for one in targets(document) if one.panel == title and one.letter == letter)
        query = self._viewer.query(target.expression, document)
        found = self._scene.prometheus.instant(query, time=self._scene.times.done)
        return {tuple(one.labels.get(label, "") for label in by): one.values[0] for one in found}

    def number(self, document: str, title: str) -> float:
        """The only one."""
        (value,) = self.panel(document, title).values()
        return value


def near(expected: float) -> object:
    """A rate that is extrapolated, or counted a moment after it was asked for."""
    return pytest.approx(expected, rel=0.2)


def exactly(expected: float) -> object:
    """The same but for the rounding of numbers, and for the millisecond that a window is too long."""
    return pytest.approx(expected, rel=1e-3)


def of_load(scene: Scene, way: Way) -> Asked:
    """One process and its port."""
    sender = scene.senders[way.name]
    return Asked(scene, scene.live, process=sender.comm, port=sender.port)


@pytest.mark.parametrize(
    ("way", "share", "copies"), [(BY_REFERENCE, 1.0, 0.0), (BY_HAND, 0.0, 2.0)], ids=["by reference", "by hand"]
)
def test_ratios_of_the_real_exporter_are_exact(scene: Scene, way: Way, share: float, copies: float):
    asked = of_load(scene, way)
    assert asked.number("process", "Sent by zero copy") == share
    assert asked.number("kafka", "Sent by zero copy") == share
    port = scene.senders[way.name].port
    assert asked.panel("kafka", "Sent by zero copy, by listener", "port") == {(port,): share}
    recorded = f'host_port:copy_zero_copied_sent:ratio_rate5m{{instance="{scene.live}", port="{port}"}}'
    assert scene.prometheus.number(recorded) == share
    if copies:
        assert asked.number("process", "CPU copies per byte sent") == exactly(copies)
        assert asked.panel("process", "Part of its CPU copies that sendfile would save", "comm") == {
            comm(scene, way): exactly(1)
        }
    calls = {BY_REFERENCE: {"sendfile"}, BY_HAND: {"read", "write"}}[way]
    sizes = asked.panel("process", "Mean size of a call", "syscall")
    assert {call: sizes[call,] for call in calls} == dict.fromkeys(calls, exactly(CHUNK))


def test_mode_switches_of_the_real_exporter_are_exact(scene: Scene):
    """One call for each chunk by sendfile, two by hand; two switches each."""
    chunks = MIB / CHUNK
    title = "Mode switches per MiB sent"
    for way, calls in ((BY_REFERENCE, 1), (BY_HAND, 2)):
        assert of_load(scene, way).number("process", title) == exactly(2 * calls * chunks)
        per_mib = of_load(scene, way).panel("kafka", "System calls per MiB sent", "port")
        assert per_mib == {(scene.senders[way.name].port,): exactly(chunks)}


def test_rates_of_the_real_exporter_are_those_of_the_load(scene: Scene):
    """However fast a busy machine lets it go on."""
    rate = TIMES * FILE_BYTES / scene.times.seconds
    by_hand, by_reference, appends = (of_load(scene, way) for way in (BY_HAND, BY_REFERENCE, APPENDS))
    assert by_hand.panel("host", "Copied by the CPU, by process", "comm") == {comm(scene, BY_HAND): exactly(2 * rate)}
    hops = by_hand.panel("process", "CPU: hops", "source", "destination")
    assert hops["page_cache", "user"] == exactly(rate)
    assert hops["user", "tcp"] == exactly(rate)
    saved = by_hand.panel("process", "CPU copies that sendfile would save", "comm")
    assert saved == {comm(scene, BY_HAND): exactly(2 * rate)}
    assert by_hand.number("kafka", "Sent") == exactly(rate)
    referred = by_reference.panel("host", "Moved by zero copy, by process", "comm")
    assert referred == {comm(scene, BY_REFERENCE): exactly(rate)}
    assert by_reference.number("kafka", "Sent") == exactly(rate)
    assert by_reference.panel("process", "CPU copies that sendfile would save") == {}
    assert appends.number("kafka", "Received") == exactly(rate)
    appended = appends.panel("kafka", "user → page_cache: appended, by broker", "comm")
    assert appended == {comm(scene, APPENDS): exactly(rate)}
    failed = appends.panel("process", "Failed calls", "syscall", "errno")
    assert failed == {("write", "EBADF"): exactly(TIMES / scene.times.seconds)}


def comm(scene: Scene, way: Way) -> tuple[str]:
    return (scene.senders[way.name].comm,)


def test_recorded_bytes_are_those_of_the_load(scene: Scene):
    """A rate over five minutes of which the load filled a part: the bytes after the first scrape, by the window."""
    for way, mechanism in ((BY_HAND, "cpu"), (BY_REFERENCE, "zero_copy")):
        port = scene.senders[way.name].port
        expression = (
            f'host_port:copy_sent_bytes:rate5m{{instance="{scene.live}", port="{port}", mechanism="{mechanism}"}}'
        )
        assert scene.prometheus.number(expression) * 300 == near(TIMES * FILE_BYTES)


def test_names_of_processes_are_joined(scene: Scene):
    pid = scene.senders[BY_HAND.name].pid
    rows = of_load(scene, BY_HAND).panel("process", "What runs here", "pid", "name")
    assert (pid, "tests.dashboards.sender") in rows


def test_kafka_panels_say_what_a_broker_does(scene: Scene):
    asked = Asked(scene, scene.steady)
    plain, secure = ("PLAINTEXT", "9092"), ("SSL", "9093")
    share = constants.SENT_BY_ZERO_COPY / (constants.SENT_BY_ZERO_COPY + constants.SENT_BY_COPY)
    shares = {plain: exactly(share), secure: 0}
    assert asked.panel("kafka", "Sent by zero copy, by listener", "listener", "port") == shares
    assert asked.panel("kafka", "Listeners", "protocol", "port", letter="B") == shares
    sent_plainly = constants.SENT_BY_ZERO_COPY + constants.SENT_BY_COPY
    sent = {plain: near(sent_plainly), secure: near(constants.SENT_OVER_TLS)}
    assert asked.panel("kafka", "Listeners", "protocol", "port", letter="A") == sent
    of_broker = constants.SENT_BY_ZERO_COPY / (sent_plainly + constants.SENT_OVER_TLS)
    assert asked.panel("kafka", "Sent by zero copy, by broker", "node_id") == {("1",): exactly(of_broker)}
    assert asked.panel("kafka", "Why zero copy is lost", "port", "reason") == {("9093", "tls"): 1}
    assert asked.number("kafka", "Listeners without zero copy") == 1
    calls = (constants.SENDFILE_CALLS + constants.OTHER_SENDS) / (sent_plainly / MIB)
    assert asked.panel("kafka", "System calls per MiB sent", "port")["9092",] == exactly(calls)


def test_topic_panels_say_what_each_topic_does(scene: Scene):
    asked = Asked(scene, scene.steady)
    titles = {
        "Zero copy, by topic": constants.BY_ZERO_COPY,
        "Read with a copy, by topic": constants.READ_WITH_COPY,
        "Written, by topic": constants.WRITTEN,
        "Disk reads, by topic": constants.FROM_DISK_READ,
    }
    for topic, rates in constants.TOPICS.items():
        for title, bytes_of in titles.items():
            assert asked.panel("kafka", title, "topic")[topic,] == near(rates[bytes_of])
        zero_copy, disk = rates[constants.BY_ZERO_COPY], rates[constants.FROM_DISK_READ]
        read = zero_copy + rates[constants.READ_WITH_COPY]
        assert asked.panel("kafka", "Read by zero copy, by topic", "topic")[topic,] == exactly(zero_copy / read)
        misses = asked.panel("kafka", "Part of the reads that come from disk", "topic")
        assert misses[topic,] == exactly(disk / read)
    (chosen,) = Asked(scene, scene.steady, topic="orders").panel("kafka", "Written, by topic", "topic")
    assert chosen == ("orders",)


def test_saturation_panels_set_cpu_against_the_network(scene: Scene):
    asked = Asked(scene, scene.steady)
    use = constants.NETWORK_SENT / constants.NETWORK_SPEED
    assert asked.panel("kafka", "CPU time of brokers, and of their copying", "comm") == {
        ("java",): near(constants.BROKER_CPU)
    }
    needed = constants.BROKER_CPU / use
    title = "CPUs that brokers would need to fill the network"
    assert asked.panel("kafka", title, "instance") == {(scene.steady,): near(needed)}
    assert asked.number("kafka", "Saturates first") == near(needed / constants.CPUS)
    coverage = (constants.SENT_BY_ZERO_COPY + constants.SENT_BY_COPY + constants.SENT_OVER_TLS) / constants.NETWORK_SENT
    assert asked.number("kafka", "Coverage") == exactly(coverage)


def test_the_fleet_says_who_is_down(scene: Scene):
    everywhere = Asked(scene)
    assert everywhere.panel("fleet", "Exporters down", "instance", "job") == {(scene.down, JOB): 0}
    assert everywhere.number("fleet", "Exporters") == 2
    assert everywhere.number("fleet", "Number of exporters down") == 1


def test_a_host_that_is_well_is_told_from_one_that_is_not(scene: Scene):
    well, ill = (Asked(scene, instance) for instance in (scene.live, scene.steady))
    assert well.number("host", "Events lost in the last hour") == 0
    assert well.number("host", "Collectors succeed") == 1
    assert ill.number("host", "Events lost in the last hour") > 0
    assert ill.number("host", "Probes not attached") == 1
    assert ill.number("host", "Fullest map") == exactly(60000 / 65536)


def test_a_variable_offers_what_there_is(scene: Scene):
    """As Grafana asks for the values of a variable: by the label's values of matching series."""
    for document in DOCUMENTS:
        for name, values in offered(scene, document).items():
            assert values, f"{document}: {name}"
    offers = offered(scene, "kafka")
    assert {"9092", "9093"} | {sender.port for sender in scene.senders.values()} == set(offers["port"])
    assert set(offers["topic"]) == set(constants.TOPICS)


def offered(scene: Scene, document: str) -> dict[str, list[str]]:
    everywhere = Viewer({})
    asked = {
        name: re.fullmatch(r"label_values\((.+), (\w+)\)", everywhere.query(variable["query"]["query"], document))
        for name, variable in variables(document).items()
        if variable["type"] == "query"
    }
    return {
        name: scene.prometheus.get(f"label/{found[2]}/values", **{"match[]": found[1]})
        for name, found in asked.items()
        if found
    }
