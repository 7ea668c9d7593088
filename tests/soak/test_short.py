"""`make soak` in short: what is counted under load is exact, and nothing of the load stays behind."""

from pathlib import Path

import pytest

from .mixture import ROWS_LEFT, SCRAPE_CPU_SECONDS, Plan, Soak

pytestmark = pytest.mark.timeout(300)
GROWTH_KIB = 8 * 1024
RESIDENT_KIB = 90 * 1024


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Soak:
    """1,000 births a second beside 5,000 processes, 64 threads, files and sendfile."""
    return Soak(Plan(seconds=20), tmp_path_factory.mktemp("soak"))


def test_counts_are_exact(soak: Soak) -> None:
    assert soak.calls > 20 * 1000 + 5000
    assert soak.wrong() == []


def test_memory_stays(soak: Soak) -> None:
    assert soak.growth() < GROWTH_KIB
    assert max(moment.resident_kib for moment in soak.moments) < RESIDENT_KIB


def test_rows_go(soak: Soak) -> None:
    assert max(moment.map_entries for moment in soak.moments) > 2 * soak.plan.live
    assert soak.rows_left() < ROWS_LEFT


def test_scrapes_take_their_time_and_no_more(soak: Soak) -> None:
    assert soak.scrape_cpu() < SCRAPE_CPU_SECONDS * soak.plan.live / 1000


def test_threads_at_full_speed(tmp_path: Path) -> None:
    soak = Soak(Plan(seconds=3, births_a_second=1, live=1, pause_us=0), tmp_path)
    assert soak.calls > 100_000
    assert soak.wrong() == []
