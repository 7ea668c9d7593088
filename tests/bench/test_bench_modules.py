"""Every variant attaches once, and every program of the bench runs: small, for that it works at all."""

import pytest

from bench import rounds
from bench.alternatives import alternatives, possible
from bench.crowd import births, crowd
from bench.footprint import ours
from bench.overhead import VARIANTS, WORKS
from bench.sampling import sampling
from bench.served import samples, total
from bench.workload import Workload

pytestmark = pytest.mark.filterwarnings("ignore:not a bytes object")  # BCC's own

EXPOSITION = '# TYPE a counter\na_total{x="1"} 2\na_total{x="2"} 3\na_total_more 4\nb 5\n'


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    with Workload(tmp_path_factory.mktemp("bench")) as running:
        yield running


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(rounds, "BATCHES", dict.fromkeys(rounds.BATCHES, 3))
    monkeypatch.setattr(rounds, "QUIET_WAIT", 0.05)


@pytest.mark.parametrize("work", rounds.BATCHES)
def test_the_workload_does_each_work(workload, work):
    assert 10 < workload.measure(work, 3) < 1e6


def test_an_unknown_work_is_not_measured_as_something_else(tmp_path):
    with Workload(tmp_path) as workload, pytest.raises(RuntimeError, match="dance"):
        workload.measure("dance", 0)


def test_a_round_measures_every_variant_of_the_overhead(workload):
    measured = rounds.interleave(workload, VARIANTS, tuple(WORKS), rounds=1)
    assert {len(values) for values in measured.values.values()} == {1}
    assert set(measured.values) == {(variant.name, work) for variant in VARIANTS for work in WORKS}


def test_every_alternative_is_measured_on_its_own_work(workload):
    section = alternatives(workload, rounds=1)
    assert len(section.rows) == sum(len(choice.ways) for choice in possible())
    assert set(section.figures) == {f"{choice.what}: {way.name}" for choice in possible() for way in choice.ways}


def test_samples_cost_something(tmp_path):
    section = sampling(tmp_path, rounds=1)
    interrupted, program, per_cent = section.figures.values()
    assert 100 < interrupted < 1e6
    assert 10 < program < 1e5
    assert per_cent == pytest.approx(99 * (interrupted + program) / 1e7)


def test_a_crowd_is_there_for_as_long_as_it_is_wanted(tmp_path):
    with crowd(tmp_path, processes=3, rows=10):
        pass


def test_births_go_on_for_their_time(tmp_path):
    with births(tmp_path, rate=100, seconds=1):
        pass


def test_samples_are_told_apart_by_their_whole_name():
    assert samples(EXPOSITION, "a_total") == ['a_total{x="1"} 2', 'a_total{x="2"} 3']
    assert len(samples(EXPOSITION)) == 4
    assert total(EXPOSITION, "a_total") == 5


def test_the_service_is_looked_at_from_outside():
    with ours() as served:
        assert 0 < served.startup_seconds < 30
        assert 0 < served.scrape_seconds(scrapes=2, pause=0) < 5
        assert 0 <= served.idle_share(0.1) < 1
        assert 10 < served.resident_mib() < 500
        assert samples(served.scrape(), "copy_exporter_scrape_success") == [
            'copy_exporter_scrape_success{collector="processes"} 1',
            'copy_exporter_scrape_success{collector="network"} 1',
        ]
