"""Every variant attaches once and every benchmark runs once, with few repetitions."""

import time
from contextlib import suppress
from pathlib import Path

import pytest

from bench import instructions, interleave, tracing_programs
from bench.alternatives import alternatives, supported
from bench.exposition import samples, total
from bench.overhead import OPERATIONS, VARIANTS
from bench.processes import IDLE_PROCESSES, idle_processes, short_lived_processes
from bench.resource_usage import start_copy_exporter
from bench.sampling import sampling
from bench.workload import Workload
from tests.support.wait import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:not a bytes object")  # BCC's own

EXPOSITION = '# TYPE a counter\na_total{x="1"} 2\na_total{x="2"} 3\na_total_more 4\nb 5\n'


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    with Workload(tmp_path_factory.mktemp("bench")) as running:
        yield running


@pytest.fixture(autouse=True)
def _few_repetitions(monkeypatch):
    monkeypatch.setattr(interleave, "BATCHES", dict.fromkeys(interleave.BATCHES, 3))
    monkeypatch.setattr(tracing_programs, "WAIT_SECONDS", 0.05)


@pytest.mark.parametrize("operation", interleave.BATCHES | instructions.OPERATIONS)
def test_the_workload_times_each_operation(workload, operation):
    assert 10 < workload.measure(operation, 3) < 1e6


def test_an_unknown_operation_is_an_error(tmp_path):
    with Workload(tmp_path) as workload, pytest.raises(RuntimeError, match="dance"):
        workload.measure("dance", 0)


def test_a_round_measures_every_variant_of_the_overhead(workload):
    measured = interleave.interleave(workload, VARIANTS, tuple(OPERATIONS), rounds=1)
    assert {len(values) for values in measured.values.values()} == {1}
    assert set(measured.values) == {(variant.name, operation) for variant in VARIANTS for operation in OPERATIONS}


def test_every_variant_of_every_comparison_is_measured(workload):
    section = alternatives(workload, rounds=1)
    pairs = [(comparison, variant) for comparison in supported() for variant in comparison.variants]
    assert len(section.rows) == len(pairs)
    assert set(section.figures) == {f"{comparison.subject}: {variant.name}" for comparison, variant in pairs}


def test_samples_cost_something(tmp_path):
    section = sampling(tmp_path, rounds=1)
    interrupted, program, per_cent = section.figures.values()
    assert 100 < interrupted < 1e6
    assert 10 < program < 1e5
    assert per_cent == pytest.approx(99 * (interrupted + program) / 1e7)


def processes_of(program: Path) -> int:
    found = 0
    for path in Path("/proc").glob("[0-9]*/exe"):
        with suppress(OSError):
            found += path.readlink() == program
    return found


def test_idle_processes_live_as_long_as_the_context(tmp_path):
    program = tmp_path / IDLE_PROCESSES
    with idle_processes(tmp_path, processes=3, rows=10):
        assert processes_of(program) == 4
    wait_until(lambda: processes_of(program) == 0, "the end of the processes")


def test_short_lived_processes_start_during_their_time(tmp_path):
    began = time.monotonic()
    with short_lived_processes(tmp_path, per_second=100, seconds=1):
        pass
    assert time.monotonic() - began >= 1


def test_samples_are_selected_by_their_whole_name():
    assert samples(EXPOSITION, "a_total") == ['a_total{x="1"} 2', 'a_total{x="2"} 3']
    assert len(samples(EXPOSITION)) == 4
    assert total(EXPOSITION, "a_total") == 5


def test_the_exporter_is_measured_from_outside():
    with start_copy_exporter() as exporter:
        assert 0 < exporter.startup_seconds < 30
        assert 0 < exporter.scrape_seconds(scrapes=2, pause=0) < 5
        assert 0 <= exporter.cpu_share(0.1) < 1
        assert 10 < exporter.resident_mib() < 500
        assert samples(exporter.scrape(), "copy_exporter_scrape_success") == [
            'copy_exporter_scrape_success{collector="processes"} 1',
            'copy_exporter_scrape_success{collector="network"} 1',
        ]
