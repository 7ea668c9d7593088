"""From bytes that are copied to an alert in Alertmanager: exporter, Prometheus and Alertmanager as they are shipped.

The rules are the shipped files, in which a minute has become a second.
"""

import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest

from exporter.demo.methods import READ_WRITE, SENDFILE
from tests.support.alertmanager import Alert, Alertmanager
from tests.support.exporter_process import ExporterProcess
from tests.support.prometheus import Prometheus
from tests.support.requirements import require_bpf
from tests.support.wait import wait_until

from .load import MIB, Sender
from .rulefiles import ALERTS, RECORDING, recorded_names
from .topic_broker import TopicBroker

JOB = "copy-exporter"
COPIED = 400 * MIB
"""Bytes a second that one process copies twice, which is heavily, and the one that receives them once, which is not."""
BY_REFERENCE = 40 * MIB
ENCRYPTED = 40 * MIB
"""Copied, too, from a port that is a broker's listener with TLS."""
PATIENCE = 90
WINDOW = 8
"""A rate is over the five seconds up to its evaluation, of scrapes up to a second old; three of them are averaged."""
AGREEMENT = 0.15
NOT_HERE = ("device:", "process:copy_sendfile_refused:")
"""Recorded series that need a network device with a known speed, or a kernel that refuses sendfile."""
_DURATION = re.compile(r"(?<=\[)\d+[mhd](?=\])|(?<=for: )\d+[mhd]|(?<=offset )\d+[mhd]")
_SECONDS = {"m": 1, "h": 60, "d": 1440}


Sends = TypeVar("Sends", Sender, TopicBroker)


def shortened(rules: str) -> str:
    """The same rules in which a minute is a second."""
    return _DURATION.sub(lambda found: f"{int(found[0][:-1]) * _SECONDS[found[0][-1]]}s", rules)


@dataclass
class Truth(Generic[Sends]):
    """What somebody had sent, and when."""

    sender: Sends
    seen: list[tuple[float, int]]

    def look(self) -> None:
        self.seen.append((time.time(), self.sender.sent()))

    def rate(self, start: float, end: float) -> float:
        """Bytes a second between the sights nearest to these times."""
        first, last = (min(self.seen, key=lambda one: abs(one[0] - moment)) for moment in (start, end))
        return (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else math.inf


@dataclass
class Scene:
    prometheus: Prometheus
    alertmanager: Alertmanager
    service: ExporterProcess
    copying: Truth[Sender]
    by_reference: Truth[Sender]
    topic: Truth[TopicBroker]
    encrypted: Sender

    @property
    def instance(self) -> str:
        return f"127.0.0.1:{self.service.port}"

    def look(self) -> None:
        self.copying.look()
        self.by_reference.look()
        self.topic.sender.serve()
        self.topic.look()

    def disagreement(self, recorded: str, truth: Truth[Any]) -> float:
        """Part by which a recorded rate is beside the truth, over the same few seconds."""
        now = time.time()
        return self.prometheus.number(f"avg_over_time({recorded}[3s])") / truth.rate(now - WINDOW, now - 1) - 1

    def firing(self, name: str, **labels: str) -> Alert:
        """The one alert of this name and labels, as soon as Alertmanager has it."""
        found: list[Alert] = []

        def fires() -> bool:
            self.look()
            found[:] = self.alertmanager.alerts(alertname=name, instance=self.instance, **labels)
            return bool(found)

        try:
            wait_until(fires, f"{name} in Alertmanager", PATIENCE)
        except AssertionError as slow:
            pace = self.copying.rate(time.time() - PATIENCE, time.time()) / MIB
            raise AssertionError(f"{slow}, at {pace:.0f} MiB/s where {COPIED // MIB} were to be sent") from None
        (alert,) = found
        return alert


def configuration(target: str, alertmanager: str, directory: Path) -> dict[str, object]:
    for path in (RECORDING, ALERTS):
        (directory / path.name).write_text(shortened(path.read_text()))
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(directory / path.name) for path in (RECORDING, ALERTS)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [target]}]}],
    }


@pytest.fixture(scope="module")
def _urgent() -> Iterator[None]:
    """What is started from here on goes before others' load: an alert needs its pace kept and its scrapes in time."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    yield
    os.setpriority(os.PRIO_PROCESS, 0, usual)


@pytest.fixture(scope="module")
def scene(_urgent: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    require_bpf()
    directory = tmp_path_factory.mktemp("alerts")
    with ExitStack() as stack:
        copying = stack.enter_context(Sender(READ_WRITE, COPIED, directory))
        by_reference = stack.enter_context(Sender(SENDFILE, BY_REFERENCE, directory))
        encrypted = stack.enter_context(Sender(READ_WRITE, ENCRYPTED, directory / "encrypted"))
        watched = [flag for sender in (copying, by_reference, encrypted) for flag in sender.flags]
        service = stack.enter_context(ExporterProcess(*watched))
        broker = stack.enter_context(TopicBroker(directory, encrypted.port))
        alertmanager = stack.enter_context(Alertmanager(directory))
        config = configuration(f"127.0.0.1:{service.port}", alertmanager.address, directory)
        prometheus = stack.enter_context(Prometheus(directory, config))
        wait_until(lambda: alertmanager.ready() and prometheus.ready(), "Prometheus and Alertmanager")
        copying.begin()
        by_reference.begin()
        encrypted.begin()
        truths = Truth(copying, []), Truth(by_reference, []), Truth(broker, [])
        yield Scene(prometheus, alertmanager, service, *truths, encrypted)


def test_a_minute_becomes_a_second_and_nothing_else_changes():
    assert shortened("for: 10m offset 1d rate(x[5m]) a:b:rate5m [1h] 10m > 10 * 5") == (
        "for: 10s offset 1440s rate(x[5s]) a:b:rate5m [60s] 10m > 10 * 5"
    )
    for path in (RECORDING, ALERTS):
        windows = set(_DURATION.findall(path.read_text()))
        assert windows <= {"5m", "10m", "1h", "1d"}
        assert not _DURATION.findall(shortened(path.read_text()))


def test_a_process_that_copies_heavily_is_named_in_alertmanager(scene: Scene):
    pid = scene.copying.sender.pid
    alert = scene.firing("CopyHeavyProcess", pid=pid)
    assert alert.labels["severity"] == "warning"
    assert alert.labels["name"] == "tests.alerts.sender"
    who = f"tests.alerts.sender (pid {pid}) on {scene.instance}: the CPU copies "
    assert re.fullmatch(re.escape(who) + r"[\d.]+[MG]iB/s for it", alert.annotations["summary"])
    hop = rf"(read, page_cache to user|write, user to tcp on port {scene.copying.sender.port})"
    assert re.match(rf"Largest part: {hop} \([\d.]+MiB/s\)\. Next: ", alert.annotations["description"])
    assert alert.annotations["runbook_url"] == "docs/runbooks/CopyHeavyProcess.md"


def test_a_plaintext_port_that_copies_is_named_in_alertmanager(scene: Scene):
    sender = scene.copying.sender
    alert = scene.firing("ZeroCopyLost", port=sender.port)
    assert alert.labels.keys() == {"alertname", "severity", "job", "instance", "port"}
    assert alert.annotations["summary"] == (
        f"tests.alerts.sender (pid {sender.pid}) on {scene.instance}, port {sender.port}: "
        "only 0% of the bytes sent use zero copy"
    )
    assert re.match(r"The port sends [\d.]+MiB/s and is not known to be encrypted", alert.annotations["description"])


def test_recorded_rates_are_those_of_the_load(scene: Scene):
    copying, by_reference = scene.copying.sender, scene.by_reference.sender
    sent, received = "host_port:copy_sent_bytes:rate5m", "host_port:copy_received_bytes:rate5m"
    pairs = {
        f'{sent}{{port="{copying.port}", mechanism="cpu"}}': scene.copying,
        f'{sent}{{port="{by_reference.port}", mechanism="zero_copy"}}': scene.by_reference,
        f'{received}{{port="{copying.far_port}", mechanism="cpu"}}': scene.copying,
        f'{received}{{port="{by_reference.far_port}", mechanism="cpu"}}': scene.by_reference,
        f'topic:copy_kafka_topic_bytes:rate5m{{topic="{TopicBroker.topic}", mechanism="zero_copy"}}': scene.topic,
    }

    def disagreements() -> dict[str, float]:
        """Of those that have not agreed yet: others' load may hold up a sender or a scrape for a while."""
        scene.look()
        for recorded, truth in list(pairs.items()):
            if abs(scene.disagreement(recorded, truth)) < AGREEMENT:
                del pairs[recorded]
        return {recorded: scene.disagreement(recorded, truth) for recorded, truth in pairs.items()}

    end = time.time() + PATIENCE
    while (wrong := disagreements()) and time.time() < end:
        time.sleep(0.05)
    assert wrong == {}


def test_recorded_ratios_are_those_of_the_methods(scene: Scene):
    ratio = 'host_port:copy_zero_copied_sent:ratio_rate5m{port="%s"}'
    switches = 'process:copy_mode_switches_per_mib:ratio_rate5m{pid="%s"}'
    for truth, zero_copied in ((scene.copying, 0), (scene.by_reference, 1)):
        assert scene.prometheus.number(ratio % truth.sender.port) == zero_copied
        # By calls of 64 KiB: 16 calls a MiB that is moved, two mode switches each.
        assert scene.prometheus.number(switches % truth.sender.pid) == pytest.approx(32, rel=0.05)
    topic = f'topic:copy_kafka_topic_zero_copied:ratio_rate5m{{topic="{TopicBroker.topic}"}}'
    assert scene.prometheus.number(topic) == 1


def test_no_rule_fails_and_all_that_can_have_data_here_have_it(scene: Scene):
    groups = scene.prometheus.get("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"} == {}
    empty = {name for name in recorded_names() if not scene.prometheus.instant(name)}
    assert {name for name in empty if not name.startswith(NOT_HERE)} == set()


def test_who_sends_by_reference_and_who_receives_raise_no_alert(scene: Scene):
    """Looked at when the others have fired: these had the same time for it."""
    sender = scene.by_reference.sender
    wait_until(lambda: alive_for(scene, 25), "enough time", PATIENCE)
    assert scene.alertmanager.alerts(port=sender.port) == []
    assert scene.alertmanager.alerts(pid=sender.pid) == []
    assert scene.alertmanager.alerts(pid=sender.sink_pid) == []
    assert scene.alertmanager.alerts(pid=scene.copying.sender.sink_pid) == []
    for reason in ("probe_not_attached", "scrape_failing"):
        assert scene.alertmanager.alerts(alertname="ExporterBlind", reason=reason) == []
    assert scene.alertmanager.alerts(alertname="ExporterDown") == []


def test_a_listener_with_tls_copies_as_it_must(scene: Scene):
    port = scene.encrypted.port
    wait_until(lambda: alive_for(scene, 25), "enough time", PATIENCE)
    assert scene.prometheus.number(f'copy_kafka_listener_info{{protocol="SSL", port="{port}"}}') == 1
    assert scene.prometheus.number(f'host_port:copy_zero_copied_sent:ratio_rate5m{{port="{port}"}}') == 0
    assert scene.prometheus.number(f'sum(host_port:copy_sent_bytes:rate5m{{port="{port}"}})') > 10 * MIB
    assert scene.alertmanager.alerts(port=port) == []


def alive_for(scene: Scene, seconds: int) -> bool:
    return scene.prometheus.number(f'count_over_time(up{{job="{JOB}"}}[5m])') >= seconds


def test_an_exporter_that_ends_is_down_and_its_other_alerts_are_over(scene: Scene):
    scene.service.kill()
    alert = scene.firing("ExporterDown")
    assert alert.annotations["summary"] == f"copy-exporter on {scene.instance} cannot be scraped"
    pending = 'ALERTS{alertname=~"CopyHeavyProcess|ZeroCopyLost"}'
    wait_until(lambda: not scene.prometheus.instant(pending), "the others to end", PATIENCE)
