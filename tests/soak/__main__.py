"""``python -m tests.soak [SECONDS]``: runs the mixed load, and misbehaving clients, as root.

It prints a report, and exits with 1 if a check fails.
"""

import sys
import tempfile
from pathlib import Path
from statistics import median

from .mixed_load import MAX_ROWS_LEFT, SCRAPE_CPU_SECONDS, Plan, Soak

MAX_KIB_PER_MINUTE = 200
"""Limit for the growth of memory: a leak of one object per birth would be more than ten times this."""

MAX_LOG_KIB = 1000
"""10 lines a minute from each place that logs what a client does."""


def main() -> int:
    plan = Plan(seconds=int(sys.argv[1]) if sys.argv[1:] else 600, misbehaving_clients=True)
    with tempfile.TemporaryDirectory(prefix="copy-exporter-soak-") as directory:
        soak = Soak(plan, Path(directory))
    for name, value in report(soak):
        print(f"{name:44}{value}")
    problems = soak.wrong_counts() + [problem for problem, ok in checks(soak) if not ok]
    print("\n".join(problems) or "ok: counts are exact, no update was lost, no row and no memory remains")
    return 1 if problems else 0


def report(soak: Soak) -> list[tuple[str, str]]:
    plan, first, last = soak.plan, soak.snapshots[0], soak.snapshots[-1]
    loaded = [snapshot for snapshot in soak.snapshots if snapshot.seconds <= soak.load_seconds]
    resident = (first.resident_kib, median(snapshot.resident_kib for snapshot in loaded), last.resident_kib)
    rows = (first.map_entries, max(snapshot.map_entries for snapshot in soak.snapshots), last.map_entries)
    return [
        ("load, s", f"{soak.load_seconds:.0f}"),
        ("births, one in ten with exec", f"{plan.births_per_second * plan.seconds:,}"),
        ("births per second", f"{plan.births_per_second * plan.seconds / soak.load_seconds:,.0f}"),
        ("live processes", f"{plan.live:,}"),
        ("calls counted on the port", f"{soak.calls:,}"),
        ("bytes received, sent, read from a file", f"{soak.bytes:,}, {soak.sent:,}, {soak.read:,}"),
        ("scrapes", f"{len(soak.snapshots)}"),
        ("longest scrape, s", f"{soak.longest_scrape():.1f}"),
        ("connections of misbehaving clients", f"{sum(soak.bad_connections.values()):,}"),
        ("log, KiB", f"{len(soak.log) / 1024:.0f}"),
        ("CPU time of a scrape under load, ms", f"{soak.scrape_cpu() * 1000:.0f}"),
        ("rows in the map: before, highest, after", ", ".join(f"{entries:.0f}" for entries in rows)),
        ("resident, MiB: before, under load, after", ", ".join(f"{kib / 1024:.1f}" for kib in resident)),
        ("memory growth, second half, KiB per minute", f"{soak.memory_slope():.1f}"),
    ]


def checks(soak: Soak) -> list[tuple[str, bool]]:
    limit = SCRAPE_CPU_SECONDS * soak.plan.live / 1000
    return [
        (f"memory grows by more than {MAX_KIB_PER_MINUTE} KiB per minute", soak.memory_slope() <= MAX_KIB_PER_MINUTE),
        (f"more than {MAX_ROWS_LEFT} rows remain", soak.rows_left() <= MAX_ROWS_LEFT),
        (f"the log has more than {MAX_LOG_KIB} KiB", len(soak.log) <= MAX_LOG_KIB * 1024),
        (f"a scrape takes more than {limit:g} s of CPU", soak.scrape_cpu() <= limit),
    ]


if __name__ == "__main__":
    sys.exit(main())
