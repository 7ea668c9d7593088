"""``python -m tests.soak [SECONDS]``: the mixed load, as root; a report, and status 1 when something is not well."""

import sys
import tempfile
from pathlib import Path
from statistics import median

from .mixture import ROWS_LEFT, SCRAPE_CPU_SECONDS, Plan, Soak

SLOPE_KIB = 200
"""A minute, at most: a leak of one object a birth would be more than ten times that."""


def main() -> int:
    plan = Plan(seconds=int(sys.argv[1]) if sys.argv[1:] else 600)
    with tempfile.TemporaryDirectory(prefix="copy-exporter-soak-") as directory:
        soak = Soak(plan, Path(directory))
    for name, value in report(soak):
        print(f"{name:44}{value}")
    problems = soak.wrong() + [text for text, well in judged(soak) if not well]
    print("\n".join(problems) or "well: counts exact, nothing lost, nothing left behind")
    return 1 if problems else 0


def report(soak: Soak) -> list[tuple[str, str]]:
    plan, first, last = soak.plan, soak.moments[0], soak.moments[-1]
    loaded = [moment for moment in soak.moments if moment.seconds <= soak.load_seconds]
    resident = (first.resident_kib, median(moment.resident_kib for moment in loaded), last.resident_kib)
    rows = (first.map_entries, max(moment.map_entries for moment in soak.moments), last.map_entries)
    return [
        ("load, s", f"{soak.load_seconds:.0f}"),
        ("births, one in ten with exec", f"{plan.births_a_second * plan.seconds:,}"),
        ("births a second", f"{plan.births_a_second * plan.seconds / soak.load_seconds:,.0f}"),
        ("live processes", f"{plan.live:,}"),
        ("calls counted on the port", f"{soak.calls:,}"),
        ("bytes received, sent, read from a file", f"{soak.bytes:,}, {soak.sent:,}, {soak.read:,}"),
        ("scrapes", f"{len(soak.moments)}"),
        ("CPU time of a scrape under load, ms", f"{soak.scrape_cpu() * 1000:.0f}"),
        ("rows in the table: before, most, after", ", ".join(f"{entries:.0f}" for entries in rows)),
        ("resident, MiB: before, under load, after", ", ".join(f"{kib / 1024:.1f}" for kib in resident)),
        ("memory slope, second half, KiB a minute", f"{soak.memory_slope():.1f}"),
    ]


def judged(soak: Soak) -> list[tuple[str, bool]]:
    limit = SCRAPE_CPU_SECONDS * soak.plan.live / 1000
    return [
        (f"memory grows by more than {SLOPE_KIB} KiB a minute", soak.memory_slope() <= SLOPE_KIB),
        (f"more than {ROWS_LEFT} rows are left", soak.rows_left() <= ROWS_LEFT),
        (f"a scrape takes more than {limit:g} s of CPU", soak.scrape_cpu() <= limit),
    ]


if __name__ == "__main__":
    sys.exit(main())
