"""From copied bytes to an alert in Alertmanager: exporter, Prometheus and Alertmanager with the shipped rules.

Durations in the rules are shortened: a minute becomes a second.
"""

import math
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import pytest

from exporter.demo.methods import READ_WRITE, SENDFILE
from tests.support.alertmanager import Alert, Alertmanager
from tests.support.exporter_process import ExporterProcess
from tests.support.ports import LOOPBACK
from tests.support.prometheus import JOB, Prometheus, every_second
from tests.support.requirements import require_bpf
from tests.support.rule_files import DURATION, RULE_FILES, recorded, shortened, shortened_files
from tests.support.wait import wait_until

from .load import MIB, PacedSender
from .topic_broker import TopicBroker

COPIED = 400 * MIB
"""Bytes per second: copied twice by the sender, which is heavy, and once by the receiver, which is not."""
BY_ZERO_COPY = 40 * MIB
OVER_TLS = 40 * MIB
"""Bytes per second that are copied too, from the port of a broker's TLS listener."""
TIMEOUT_SECONDS = 90
WINDOW_SECONDS = 8
"""Rates cover the five seconds before their evaluation, with scrapes up to a second old; three of them are averaged."""
TOLERANCE = 0.15
MAY_BE_EMPTY = (
    "device:",
    "process:copy_sendfile_refused:",
    "listener:copy_kafka_cpu_copied_sent_bytes_per_call:",
)
"""Recorded series that need a network device with a known speed, a kernel that refuses sendfile, or a broker that
copies what it sends."""
MIN_SCRAPES = 25
"""After so many scrapes, an alert that is going to fire has fired."""


@dataclass
class BytesOverTime:
    """How many bytes a process of the load had moved at which times."""

    moved: Callable[[], int]
    samples: list[tuple[float, int]] = field(default_factory=list)

    def sample(self) -> None:
        self.samples.append((time.time(), self.moved()))

    def rate(self, start: float, end: float) -> float:
        """Bytes per second between the samples nearest to these times."""
        first, last = (min(self.samples, key=lambda sample: abs(sample[0] - moment)) for moment in (start, end))
        return (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else math.inf


@dataclass
class Scene:
    """The servers, and the processes of the load."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    exporter: ExporterProcess
    copying: PacedSender
    by_zero_copy: PacedSender
    over_tls: PacedSender
    broker: TopicBroker

    def __post_init__(self) -> None:
        self.copied = BytesOverTime(self.copying.moved)
        self.zero_copied = BytesOverTime(self.by_zero_copy.moved)
        self.of_topic = BytesOverTime(self.broker.sent)

    @property
    def instance(self) -> str:
        return f"{LOOPBACK}:{self.exporter.port}"

    def sample(self) -> None:
        """Let the broker send, and sample what has been moved."""
        self.broker.serve()
        for series in (self.copied, self.zero_copied, self.of_topic):
            series.sample()

    def deviation(self, recorded_rate: str, truth: BytesOverTime) -> float:
        """The relative error of a recorded rate, over the same seconds."""
        now = time.time()
        rate = self.prometheus.number(f"avg_over_time({recorded_rate}[3s])")
        return rate / truth.rate(now - WINDOW_SECONDS, now - 1) - 1

    def firing(self, name: str, **labels: str) -> Alert:
        """The one alert of this name and labels, as soon as Alertmanager has it."""
        found: list[Alert] = []

        def fires() -> bool:
            self.sample()
            found[:] = self.alertmanager.alerts(alertname=name, instance=self.instance, **labels)
            return bool(found)

        try:
            wait_until(fires, f"{name} in Alertmanager", TIMEOUT_SECONDS)
        except TimeoutError as late:
            rate = self.copied.rate(time.time() - TIMEOUT_SECONDS, time.time()) / MIB
            raise AssertionError(f"{late}; sent {rate:.0f} MiB/s of {COPIED // MIB} MiB/s") from None
        (alert,) = found
        return alert

    def wait_for_scrapes(self) -> None:
        query = f'count_over_time(up{{job="{JOB}"}}[5m])'
        wait_until(lambda: self.prometheus.number(query) >= MIN_SCRAPES, "enough scrapes", TIMEOUT_SECONDS)


@pytest.fixture(scope="module")
def _high_priority() -> Iterator[None]:
    """Processes that are started from here on run before other load: senders must keep pace, scrapes be in time."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    yield
    os.setpriority(os.PRIO_PROCESS, 0, usual)


@pytest.fixture(scope="module")
def scene(_high_priority: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    require_bpf()
    directory = tmp_path_factory.mktemp("alerts")
    with ExitStack() as stack:
        senders = [
            stack.enter_context(PacedSender(method, rate, directory / name))
            for name, method, rate in (
                ("copying", READ_WRITE, COPIED),
                ("by_zero_copy", SENDFILE, BY_ZERO_COPY),
                ("over_tls", READ_WRITE, OVER_TLS),
            )
        ]
        exporter = stack.enter_context(ExporterProcess(*(flag for sender in senders for flag in sender.flags)))
        broker = stack.enter_context(TopicBroker(directory, senders[-1].port))
        alertmanager = stack.enter_context(Alertmanager(directory))
        config = every_second(exporter.port, rule_files=shortened_files(directory))
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.address]}]}]}
        prometheus = stack.enter_context(Prometheus(directory, config))
        wait_until(lambda: alertmanager.ready() and prometheus.ready(), "Prometheus and Alertmanager")
        for sender in senders:
            sender.start()
        yield Scene(prometheus, alertmanager, exporter, *senders, broker)


def test_only_durations_are_shortened():
    assert shortened("for: 10m offset 1d rate(x[5m]) a:b:rate5m [1h] 10m > 10 * 5") == (
        "for: 10s offset 1440s rate(x[5s]) a:b:rate5m [60s] 10m > 10 * 5"
    )
    for path in RULE_FILES:
        durations = set(DURATION.findall(path.read_text()))
        assert durations
        assert durations <= {"5m", "10m", "1h", "1d"}
        assert DURATION.findall(shortened(path.read_text())) == []


def test_a_process_that_copies_heavily_is_named_in_alertmanager(scene: Scene):
    pid = scene.copying.pid
    alert = scene.firing("CopyHeavyProcess", pid=pid)
    assert alert.labels["severity"] == "warning"
    assert alert.labels["name"] == "tests.support.sender_process"
    process = re.escape(f"tests.support.sender_process (pid {pid}) on {scene.instance}")
    assert re.fullmatch(rf"{process}: the CPU copies [\d.]+[MG]iB/s for it", alert.annotations["summary"])
    hop = rf"(read, page_cache to user|write, user to tcp on port {scene.copying.port})"
    assert re.match(rf"Largest part: {hop} \([\d.]+MiB/s\)\. Next: ", alert.annotations["description"])
    assert alert.annotations["runbook_url"] == "docs/runbooks/CopyHeavyProcess.md"


def test_a_plaintext_port_that_copies_is_named_in_alertmanager(scene: Scene):
    port = scene.copying.port
    alert = scene.firing("ZeroCopyLost", port=port)
    assert alert.labels.keys() == {"alertname", "severity", "job", "instance", "port"}
    assert alert.annotations["summary"] == (
        f"tests.support.sender_process (pid {scene.copying.pid}) on {scene.instance}, port {port}: "
        "only 0% of the bytes sent use zero copy"
    )
    assert re.match(r"The port sends [\d.]+MiB/s and is not known to be encrypted\.", alert.annotations["description"])


def test_recorded_rates_are_those_of_the_load(scene: Scene):
    copying, by_zero_copy = scene.copying, scene.by_zero_copy
    sent, received = "host_port:copy_sent_bytes:rate5m", "host_port:copy_received_bytes:rate5m"
    pending = {
        f'{sent}{{port="{copying.port}", mechanism="cpu"}}': scene.copied,
        f'{sent}{{port="{by_zero_copy.port}", mechanism="zero_copy"}}': scene.zero_copied,
        f'{received}{{port="{copying.far_port}", mechanism="cpu"}}': scene.copied,
        f'{received}{{port="{by_zero_copy.far_port}", mechanism="cpu"}}': scene.zero_copied,
        f'topic:copy_kafka_topic_bytes:rate5m{{topic="{TopicBroker.topic}", mechanism="zero_copy"}}': scene.of_topic,
    }

    def all_have_agreed() -> bool:
        """Each once: other load on the machine may delay a sender or a scrape for a while."""
        scene.sample()
        for rate, truth in list(pending.items()):
            if abs(scene.deviation(rate, truth)) < TOLERANCE:
                del pending[rate]
        return not pending

    with suppress(TimeoutError):
        wait_until(all_have_agreed, "agreement", TIMEOUT_SECONDS)
    assert {rate: scene.deviation(rate, truth) for rate, truth in pending.items()} == {}


def test_recorded_ratios_are_those_of_the_methods(scene: Scene):
    for sender, zero_copied in ((scene.copying, 0), (scene.by_zero_copy, 1)):
        share = f'host_port:copy_zero_copied_sent:ratio_rate5m{{port="{sender.port}"}}'
        assert scene.prometheus.number(share) == zero_copied
        # 16 calls of 64 KiB per MiB moved, and two mode switches per call.
        switches = f'process:copy_mode_switches_per_mib:ratio_rate5m{{pid="{sender.pid}"}}'
        assert scene.prometheus.number(switches) == pytest.approx(32, rel=0.05)
    topic = f'topic:copy_kafka_topic_zero_copied:ratio_rate5m{{topic="{TopicBroker.topic}"}}'
    assert scene.prometheus.number(topic) == 1


def test_no_rule_fails_and_all_record(scene: Scene):
    rules = [rule for group in scene.prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert rules
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"} == {}
    empty = {name for name in recorded() if not scene.prometheus.instant(name)}
    assert {name for name in empty if not name.startswith(MAY_BE_EMPTY)} == set()


def test_zero_copy_and_receiving_raise_no_alert(scene: Scene):
    """Checked when the other alerts have fired, so these had the same time to fire."""
    scene.wait_for_scrapes()
    assert scene.alertmanager.alerts(port=scene.by_zero_copy.port) == []
    for pid in (scene.by_zero_copy.pid, scene.by_zero_copy.sink_pid, scene.copying.sink_pid):
        assert scene.alertmanager.alerts(pid=pid) == []
    for name in ("ExporterBlindProbeNotAttached", "ExporterBlindScrapeFailing"):
        assert scene.alertmanager.alerts(alertname=name) == []
    assert scene.alertmanager.alerts(alertname="ExporterDown") == []


def test_a_tls_listener_that_copies_raises_no_alert(scene: Scene):
    port = scene.over_tls.port
    scene.wait_for_scrapes()
    assert scene.prometheus.number(f'copy_kafka_listener_info{{protocol="SSL", port="{port}"}}') == 1
    assert scene.prometheus.number(f'host_port:copy_zero_copied_sent:ratio_rate5m{{port="{port}"}}') == 0
    sent = scene.prometheus.number(f'host_port:copy_sent_bytes:rate5m{{port="{port}", mechanism="cpu"}}')
    assert sent > 10 * MIB
    assert scene.alertmanager.alerts(port=port) == []


def test_an_exporter_that_exits_is_reported_and_its_other_alerts_end(scene: Scene):
    scene.exporter.kill()
    alert = scene.firing("ExporterDown")
    assert alert.annotations["summary"] == f"copy-exporter on {scene.instance} cannot be scraped"
    others = 'ALERTS{alertname=~"CopyHeavyProcess|ZeroCopyLost"}'
    wait_until(lambda: not scene.prometheus.instant(others), "the other alerts to end", TIMEOUT_SECONDS)
