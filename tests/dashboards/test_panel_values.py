"""The numbers that panels show are those of the load."""

import pytest

from tests.support.dashboard_files import Viewer, targets
from tests.support.prometheus import JOB
from tests.support.sender import CHUNK

from . import constant_series as constants
from .conftest import Scene
from .load import APPENDS, BY_COPY, BY_ZERO_COPY, FILE_BYTES, TIMES, Load

MIB = 2.0**20


class Panels:
    """The numbers that panels show of the whole load, for one host or for all.

    Rates look back from the last scrape to the one before the load, so those of the real exporter are exact.
    """

    def __init__(self, scene: Scene, instance: str = "", **chosen: str) -> None:
        """``chosen``: values of the dashboards' variables."""
        self._scene = scene
        values = {name: (value,) for name, value in {"instance": instance, **chosen}.items() if value}
        self._viewer = Viewer(values, window=f"{round(scene.times.seconds * 1000) + 1}ms")

    def values(self, document: str, title: str, *by: str, letter: str = "A") -> dict[tuple[str, ...], float]:
        """Values at the end of the load, by these labels."""
        (target,) = [found for found in targets(document) if (found.panel, found.letter) == (title, letter)]
        query = self._viewer.query(target.expression, document)
        found = self._scene.prometheus.instant(query, time=self._scene.times.end)
        return {tuple(series.labels.get(label, "") for label in by): series.values[0] for series in found}

    def number(self, document: str, title: str) -> float:
        """The only value."""
        (value,) = self.values(document, title).values()
        return value


def near(expected: float) -> object:
    """For a rate that is extrapolated, or whose counter grew between scrape and query."""
    return pytest.approx(expected, rel=0.2)


def exactly(expected: float) -> object:
    """For a rate that differs by rounding alone, and by the millisecond that the window is too long."""
    return pytest.approx(expected, rel=1e-3)


def of_load(scene: Scene, load: Load) -> Panels:
    """The panels with one process and its port chosen."""
    process = scene.processes[load.name]
    return Panels(scene, scene.live, process=process.comm, port=process.port)


def comm(scene: Scene, load: Load) -> tuple[str]:
    return (scene.processes[load.name].comm,)


@pytest.mark.parametrize(
    ("load", "share", "calls"), [(BY_ZERO_COPY, 1.0, {"sendfile"}), (BY_COPY, 0.0, {"read", "write"})]
)
def test_ratios_of_the_real_exporter_are_exact(scene: Scene, load: Load, share: float, calls: set[str]):
    panels, port = of_load(scene, load), scene.processes[load.name].port
    assert panels.number("process", "Sent by zero copy") == share
    assert panels.number("kafka", "Plaintext zero copy") == share
    assert panels.values("kafka", "Sent by zero copy, by listener", "port") == {(port,): share}
    recorded_share = f'host_port:copy_zero_copied_sent:ratio_rate5m{{instance="{scene.live}", port="{port}"}}'
    assert scene.prometheus.number(recorded_share) == share
    sizes = panels.values("process", "Mean size of a call", "syscall")
    assert {call: sizes[call,] for call in calls} == dict.fromkeys(calls, exactly(CHUNK))


def test_read_and_write_copy_each_byte_twice_and_sendfile_would_save_both(scene: Scene):
    panels = of_load(scene, BY_COPY)
    assert panels.number("process", "CPU copies per byte sent") == exactly(2)
    title = "Avoidable part of copies"
    assert panels.values("process", title, "comm") == {comm(scene, BY_COPY): exactly(1)}


@pytest.mark.parametrize(("load", "calls"), [(BY_ZERO_COPY, 1), (BY_COPY, 2)])
def test_mode_switches_of_the_real_exporter_are_exact(scene: Scene, load: Load, calls: int):
    """One call per chunk by sendfile, two by read and write; two mode switches per call."""
    panels, chunks = of_load(scene, load), MIB / CHUNK
    assert panels.number("process", "Mode switches/MiB sent") == exactly(2 * calls * chunks)
    per_mib = panels.values("kafka", "System calls per MiB sent", "port")
    assert per_mib == {(scene.processes[load.name].port,): exactly(chunks)}


def test_rates_of_the_real_exporter_are_those_of_the_load(scene: Scene):
    rate = TIMES * FILE_BYTES / scene.times.seconds
    by_copy, by_zero_copy, appends = (of_load(scene, load) for load in (BY_COPY, BY_ZERO_COPY, APPENDS))
    assert by_copy.values("host", "Copied by the CPU, by process", "comm") == {comm(scene, BY_COPY): exactly(2 * rate)}
    hops = by_copy.values("process", "CPU: hops", "source", "destination")
    assert hops["page_cache", "user"] == exactly(rate)
    assert hops["user", "tcp"] == exactly(rate)
    saved = by_copy.values("process", "Avoidable CPU copies", "comm")
    assert saved == {comm(scene, BY_COPY): exactly(2 * rate)}
    assert by_copy.number("kafka", "Sent") == exactly(rate)
    moved = by_zero_copy.values("host", "Moved by zero copy, by process", "comm")
    assert moved == {comm(scene, BY_ZERO_COPY): exactly(rate)}
    assert by_zero_copy.number("kafka", "Sent") == exactly(rate)
    assert by_zero_copy.values("process", "Avoidable CPU copies") == {}
    assert appends.number("kafka", "Received") == exactly(rate)
    appended = appends.values("kafka", "user → page_cache: appended, by broker", "comm")
    assert appended == {comm(scene, APPENDS): exactly(rate)}
    failed = appends.values("process", "Failed calls", "syscall", "errno")
    assert failed == {("write", "EBADF"): exactly(TIMES / scene.times.seconds)}


def test_recorded_bytes_are_those_of_the_load(scene: Scene):
    """A rate over five minutes, of which the load filled a part: the bytes after the first scrape, by the window."""
    for load, mechanism in ((BY_COPY, "cpu"), (BY_ZERO_COPY, "zero_copy")):
        matchers = f'instance="{scene.live}", port="{scene.processes[load.name].port}", mechanism="{mechanism}"'
        rate = scene.prometheus.number(f"host_port:copy_sent_bytes:rate5m{{{matchers}}}")
        assert rate * 300 == near(TIMES * FILE_BYTES)


def test_names_of_processes_are_joined(scene: Scene):
    rows = of_load(scene, BY_COPY).values("process", "What runs here", "pid", "name")
    assert (scene.processes[BY_COPY.name].pid, "tests.support.sender_process") in rows


def test_kafka_panels_show_what_a_broker_does(scene: Scene):
    panels = Panels(scene, scene.constant)
    plain, tls = ("PLAINTEXT", "9092"), ("SSL", "9093")
    sent_plain = constants.SENT_BY_ZERO_COPY + constants.SENT_BY_COPY
    shares = {plain: exactly(constants.SENT_BY_ZERO_COPY / sent_plain), tls: 0}
    assert panels.values("kafka", "Sent by zero copy, by listener", "listener", "port") == shares
    assert panels.values("kafka", "Listeners", "protocol", "port", letter="B") == {plain: shares[plain]}
    assert panels.number("kafka", "Plaintext zero copy") == shares[plain]
    controller = {("PLAINTEXT", "9094"): near(constants.SENT_BY_CONTROLLER)}
    sent = {plain: near(sent_plain), tls: near(constants.SENT_OVER_TLS), **controller}
    assert panels.values("kafka", "Listeners", "protocol", "port", letter="A") == sent
    of_broker = constants.SENT_BY_ZERO_COPY / (sent_plain + constants.SENT_OVER_TLS)
    assert panels.values("kafka", "Sent by zero copy, by broker", "node_id") == {("1",): exactly(of_broker)}
    assert panels.values("kafka", "Why zero copy is lost", "listener", "port", "reason") == {("SSL", "9093", "tls"): 1}
    assert panels.number("kafka", "Zero copy lost") == panels.number("fleet", "Zero copy lost") == 0
    assert panels.number("kafka", "TLS listeners") == panels.number("fleet", "TLS listeners") == 1
    assert panels.number("kafka", "Brokers") == 1
    calls = (constants.SENDFILE_CALLS + constants.OTHER_SENDS) / (sent_plain / MIB)
    per_mib = panels.values("kafka", "System calls per MiB sent", "port")
    assert per_mib["9092",] == exactly(calls)
    assert set(per_mib) == {("9092",), ("9093",)}


def test_topic_panels_show_what_each_topic_does(scene: Scene):
    panels = Panels(scene, scene.constant)
    titles = {
        "Zero copy by topic": constants.BY_ZERO_COPY,
        "Copied reads by topic": constants.READ_WITH_COPY,
        "Written by topic": constants.WRITTEN,
        "Disk reads by topic": constants.FROM_DISK_READ,
    }
    for topic, rates in constants.TOPICS.items():
        for title, labels in titles.items():
            assert panels.values("kafka", title, "topic")[topic,] == near(rates[labels])
        zero_copy, disk = rates[constants.BY_ZERO_COPY], rates[constants.FROM_DISK_READ]
        read = zero_copy + rates[constants.READ_WITH_COPY]
        assert panels.values("kafka", "Zero-copy part by topic", "topic")[topic,] == exactly(zero_copy / read)
        misses = panels.values("kafka", "Disk part by topic", "topic")
        assert misses[topic,] == exactly(disk / read)
    chosen = Panels(scene, scene.constant, topic="orders").values("kafka", "Written by topic", "topic")
    assert set(chosen) == {("orders",)}


def test_who_moves_bytes_and_what_listeners_cost(scene: Scene):
    panels = Panels(scene, scene.constant)
    moved = panels.values("kafka", "Who moves bytes", "role", "operation", "mechanism")
    written = sum(rates[constants.WRITTEN] for rates in constants.TOPICS.values())
    assert moved["network", "write", "cpu"] == near(written)
    assert panels.values("kafka", "CPU time by listener", "listener") == {
        (name,): near(cpus) for name, cpus in constants.LISTENER_CPU.items()
    }
    ratio = panels.values("kafka", "Written per received byte", "node_id")
    assert ratio == {("1",): near(written / constants.RECEIVED)}


def test_saturation_panels_compare_cpu_and_network(scene: Scene):
    panels = Panels(scene, scene.constant)
    use = constants.NETWORK_SENT / constants.NETWORK_SPEED
    cpu = panels.values("kafka", "CPU time of brokers", "comm")
    assert cpu == {("java",): near(constants.BROKER_CPU)}
    needed = constants.BROKER_CPU / use
    title = "CPUs to fill the network"
    assert panels.values("kafka", title, "instance") == {(scene.constant,): near(needed)}
    assert panels.number("kafka", "Saturates first") == near(needed / constants.CPUS)
    sent = constants.SENT_BY_ZERO_COPY + constants.SENT_BY_COPY + constants.SENT_OVER_TLS
    assert panels.number("kafka", "Coverage") == exactly(sent / constants.NETWORK_SENT)


def test_the_fleet_shows_which_exporter_is_down(scene: Scene):
    everywhere = Panels(scene)
    assert everywhere.values("fleet", "Exporters down", "instance", "job") == {(scene.down, JOB): 0}
    assert everywhere.number("fleet", "Exporters") == 2
    assert everywhere.number("fleet", "Exporters silent") == 1


def test_health_panels_distinguish_a_host_with_faults(scene: Scene):
    well, faulty = (Panels(scene, instance) for instance in (scene.live, scene.constant))
    assert well.number("host", "Events lost, last hour") == 0
    assert well.number("host", "Collectors succeed") == 1
    assert faulty.number("host", "Events lost, last hour") > 0
    assert faulty.number("host", "Probes not attached") == 1
    assert faulty.number("host", "Fullest map") == exactly(60000 / 65536)
