"""A broker's throughput by Kafka's own tools, measured in turns with and without the exporter on the same host."""

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from bench.exposition import samples
from bench.figures import Figure, Section, Target, figure
from bench.kafka.kafka_server import KafkaServer
from bench.resource_usage import COPY_EXPORTER
from bench.running_exporter import RunningExporter
from bench.tracing_programs import tracing_programs, wait_for_removal
from tests.support.wait import wait_until

RECORD_BYTES, RECORDS = 10_240, 104_858
PAYLOAD_GIB = RECORD_BYTES * RECORDS / (1 << 30)
MAX_LOSS = 0.02
_READ_TOPIC, _WRITTEN_TOPIC = "bench-read", "bench-written"
_PRODUCED = re.compile(r"records sent, [0-9.]+ records/sec \(([0-9.]+) MB/sec\)")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
FIGURES = {
    "produce": "producer, MB/s",
    "produce_cpu": "broker's CPU s/GiB, written",
    "consume": "consumer, MB/s",
    "consume_cpu": "broker's CPU s/GiB, read",
}


@dataclass
class Measurements:
    """One value per round for each figure."""

    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in FIGURES})


@dataclass
class Comparison:
    """Measurements with and without the exporter."""

    without_exporter: Measurements = field(default_factory=Measurements)
    with_exporter: Measurements = field(default_factory=Measurements)
    disturbed_rounds: int = 0
    """Rounds in which other programs had tracing programs loaded."""

    def ratio(self, name: str) -> Figure:
        """The ratio of a figure with the exporter to that without it, round by round."""
        pairs = zip(self.with_exporter.values[name], self.without_exporter.values[name], strict=True)
        return figure([with_exporter / without for with_exporter, without in pairs])


def throughput(server: KafkaServer, rounds: int) -> Section:
    """Measure ``rounds`` rounds; in every other one the exporter comes first."""
    for topic in (_READ_TOPIC, _WRITTEN_TOPIC):
        server.create_topic(topic, retention_bytes=2 << 30)
    server.produce(_READ_TOPIC, RECORDS, RECORD_BYTES)
    _measure(server, Measurements())  # warms up compilers and caches
    comparison, existing = Comparison(), tracing_programs()
    for number in range(rounds):
        wait_for_removal(existing)  # the kernel removes our own programs a little after they are closed
        others = tracing_programs()
        turns: list[tuple[Measurements, Callable[[], AbstractContextManager[object]]]] = [
            (comparison.without_exporter, nullcontext),
            (comparison.with_exporter, lambda: start_exporter(server)),
        ]
        for measurements, context in turns if number % 2 else reversed(turns):
            with context():
                _measure(server, measurements)
        wait_for_removal(existing)
        comparison.disturbed_rounds += bool(others or tracing_programs())
    return _section(comparison, rounds)


def start_exporter(server: KafkaServer) -> RunningExporter:
    """The exporter, once it has found the broker."""
    exporter = RunningExporter(*COPY_EXPORTER, ready='\ncopy_exporter_scrape_success{collector="processes"} 1')
    pid = f'pid="{server.pid}"'
    wait_until(
        lambda: any(pid in line for line in samples(exporter.scrape(), "copy_kafka_listener_info")),
        "the broker is found",
    )
    return exporter


def _measure(server: KafkaServer, measurements: Measurements) -> None:
    before = cpu_seconds(server.pid)
    match = _PRODUCED.search(server.produce(_WRITTEN_TOPIC, RECORDS, RECORD_BYTES).splitlines()[-1])
    between = cpu_seconds(server.pid)
    last_line = server.consume(_READ_TOPIC, RECORDS).strip().splitlines()[-1]
    after = cpu_seconds(server.pid)
    if not match:
        raise RuntimeError("ProducerPerformance did not print its throughput")
    measurements.values["produce"].append(float(match[1]))
    measurements.values["produce_cpu"].append((between - before) / PAYLOAD_GIB)
    measurements.values["consume"].append(float(last_line.split(",")[8]))  # fetch.MB.sec
    measurements.values["consume_cpu"].append((after - between) / PAYLOAD_GIB)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def _section(comparison: Comparison, rounds: int) -> Section:
    ratios = {name: comparison.ratio(name) for name in FIGURES}
    both = (comparison.without_exporter, comparison.with_exporter)
    rows = [
        (title, *(_cell(figure(measurements.values[name])) for measurements in both), _cell(ratios[name]))
        for name, title in FIGURES.items()
    ]
    return Section(
        title="A Kafka broker without and with the exporter on its host",
        columns=("", "without", "with", "with / without"),
        rows=tuple(rows),
        targets=tuple(
            Target(f"{FIGURES[name]}: lost share", 1 - ratios[name].median, MAX_LOSS) for name in ("produce", "consume")
        ),
        notes=(
            f"Median (quartiles) of {rounds} rounds of {RECORDS} records of {RECORD_BYTES} bytes. In "
            f"{comparison.disturbed_rounds} of them other programs had tracing programs loaded.",
        ),
        figures=dict(ratios),
    )


def _cell(value: Figure) -> str:
    return f"{value.median:.3g} ({value.low:.3g} to {value.high:.3g})"
