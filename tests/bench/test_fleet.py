"""A small simulated fleet: every target is scraped, its counters grow, and the rules drop series."""

import gzip
from pathlib import Path

import pytest

from bench.fleet import SETTINGS, Cost, growing_expositions, rules_of, simulate
from bench.series import record, size

EXPOSITION = 'a_total{x="1"} 5\na_created{x="1"} 1.5\nb_total 7\nb 8\n# EOF\n'


def test_only_counters_grow() -> None:
    first, second = (gzip.decompress(body).decode() for body in growing_expositions(EXPOSITION, 2))
    assert first == EXPOSITION
    assert second == EXPOSITION.replace("b_total 7", "b_total 4103")


def test_rules_are_looked_up() -> None:
    assert [rule["action"] for setting in SETTINGS for rule in rules_of(setting.job)] == ["drop", "drop", "keep"]


def test_sizes(tmp_path: Path) -> None:
    """By name there are fewer series."""
    every, by_name = (size(record(tmp_path, flags, (40, 4, 5), 1)[0]) for flags in ((), ("--process.labels", "comm")))
    assert every.of_processes >= 40 * 10
    assert every.series > by_name.series > by_name.of_processes >= 4 * 10
    assert every.created > by_name.created > 0


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> list[Cost]:
    return [simulate(tmp_path_factory.mktemp("fleet"), setting, 4, 1, 4) for setting in (SETTINGS[0], SETTINGS[-1])]


def test_a_fleet(costs: list[Cost]) -> None:
    everything, totals = costs
    assert everything.up == totals.up == 1
    assert everything.series > 4 * 100 * 10
    assert totals.series < everything.series / 10
    assert everything.samples_per_second == everything.series
    assert everything.resident_mib > 10
