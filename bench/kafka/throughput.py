"""A broker's throughput, by Kafka's own tools, in turns with and without the exporter beside it."""

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure, Section, Target, figure
from bench.footprint import OURS
from bench.kafka.running import Broker, wait_until
from bench.rounds import tracing_programs, wait_for_quiet
from bench.served import Served, samples

RECORD, RECORDS = 10_240, 104_858
PAYLOAD_GIB = RECORD * RECORDS / (1 << 30)
LOSS_MAX = 0.02
_TOPIC, _SCRATCH = "bench-read", "bench-written"
_PRODUCED = re.compile(r"records sent, [0-9.]+ records/sec \(([0-9.]+) MB/sec\)")
_TICKS = os.sysconf("SC_CLK_TCK")
FIGURES = {
    "produce": "producer, MB/s",
    "produce_cpu": "broker's CPU s/GiB, written",
    "consume": "consumer, MB/s",
    "consume_cpu": "broker's CPU s/GiB, read",
}


@dataclass
class Arm:
    """What was measured with the exporter, or without it: one value a round."""

    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in FIGURES})


@dataclass
class Arms:
    """Both, and in how many rounds somebody else's programs were loaded."""

    without: Arm = field(default_factory=Arm)
    beside: Arm = field(default_factory=Arm)
    disturbed: int = 0

    def ratio(self, name: str) -> Figure:
        """With the exporter to without it, round by round."""
        pairs = zip(self.beside.values[name], self.without.values[name], strict=True)
        return figure([beside / without for beside, without in pairs])


def throughput(broker: Broker, rounds: int, report: Callable[[str], object] = lambda _: None) -> Section:
    """The section of the report: in every other round the exporter comes first."""
    for topic in (_TOPIC, _SCRATCH):
        broker.create_topic(topic, retention_bytes=2 << 30)
    broker.produce(_TOPIC, RECORDS, RECORD)
    _measure(broker, Arm())  # compilers and caches are warm then
    arms, residents = Arms(), tracing_programs()
    for number in range(rounds):
        wait_for_quiet(residents)  # for our own, which go away a little after they are closed
        others = tracing_programs()
        turns = [(arms.without, nullcontext), (arms.beside, lambda: beside(broker))]
        for arm, context in turns if number % 2 else reversed(turns):
            with context():
                _measure(broker, arm)
        wait_for_quiet(residents)
        arms.disturbed += bool(others or tracing_programs())
        report(f"{number + 1} of {rounds}")
    return _section(arms, rounds)


def beside(broker: Broker) -> AbstractContextManager[object]:
    """The exporter, once it has found the broker."""
    exporter = Served(*OURS, good="\ncopy_scrape_success 1")
    mine = f'pid="{broker.pid}"'
    wait_until(
        lambda: any(mine in line for line in samples(exporter.scrape(), "copy_kafka_listener_info")),
        "a broker that is found",
        30,
    )
    return exporter


def _measure(broker: Broker, arm: Arm) -> None:
    before = cpu_seconds(broker.pid)
    match = _PRODUCED.search(broker.produce(_SCRATCH, RECORDS, RECORD).splitlines()[-1])
    between = cpu_seconds(broker.pid)
    last = broker.consume(_TOPIC, RECORDS).strip().splitlines()[-1]
    after = cpu_seconds(broker.pid)
    if not match:
        raise RuntimeError("ProducerPerformance did not say how fast it was")
    arm.values["produce"].append(float(match[1]))
    arm.values["produce_cpu"].append((between - before) / PAYLOAD_GIB)
    arm.values["consume"].append(float(last.split(",")[8]))  # fetch.MB.sec
    arm.values["consume_cpu"].append((after - between) / PAYLOAD_GIB)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _section(arms: Arms, rounds: int) -> Section:
    ratios = {name: arms.ratio(name) for name in FIGURES}
    rows = [
        (title, *(_three(figure(arm.values[name])) for arm in (arms.without, arms.beside)), _three(ratios[name]))
        for name, title in FIGURES.items()
    ]
    return Section(
        title="A Kafka broker without and with the exporter beside it",
        columns=("", "without", "with", "with / without"),
        rows=tuple(rows),
        targets=tuple(
            Target(f"{FIGURES[name]}: part that is lost", 1 - ratios[name].median, LOSS_MAX)
            for name in ("produce", "consume")
        ),
        notes=(
            f"Median (quartiles) of {rounds} rounds of {RECORDS} records of {RECORD} bytes; in {arms.disturbed} of "
            "them somebody else had tracing programs loaded.",
        ),
        figures=dict(ratios),
    )


def _three(value: Figure) -> str:
    return f"{value.median:.3g} ({value.low:.3g} to {value.high:.3g})"
