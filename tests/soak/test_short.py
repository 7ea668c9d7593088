"""`make soak` for 20 seconds: counts under load are exact, and the load leaves no rows and no memory behind."""

from pathlib import Path

import pytest

from .mixed_load import MAX_ROWS_LEFT, SCRAPE_CPU_SECONDS, Plan, Soak

pytestmark = pytest.mark.timeout(300)
MAX_GROWTH_KIB = 8 * 1024
MAX_RESIDENT_KIB = 90 * 1024


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Soak:
    """1,000 births per second beside 5,000 processes, 64 threads, files and sendfile."""
    return Soak(Plan(seconds=20), tmp_path_factory.mktemp("soak"))


def test_counts_are_exact(soak: Soak) -> None:
    assert soak.calls > 20 * 1000 + 5000
    assert soak.wrong_counts() == []


def test_memory_does_not_grow(soak: Soak) -> None:
    assert soak.growth() < MAX_GROWTH_KIB
    assert max(snapshot.resident_kib for snapshot in soak.snapshots) < MAX_RESIDENT_KIB


def test_rows_are_removed(soak: Soak) -> None:
    assert max(snapshot.map_entries for snapshot in soak.snapshots) > 2 * soak.plan.live
    assert soak.rows_left() < MAX_ROWS_LEFT


def test_scrapes_stay_cheap(soak: Soak) -> None:
    assert soak.scrape_cpu() < SCRAPE_CPU_SECONDS * soak.plan.live / 1000


def test_threads_at_full_speed(tmp_path: Path) -> None:
    soak = Soak(Plan(seconds=3, births_per_second=1, live=1, pause_us=0), tmp_path)
    assert soak.calls > 100_000
    assert soak.wrong_counts() == []
