"""``python -m bench [--json FILE] [--rounds N]``: everything, in one run, as root."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.alternatives import alternatives
from bench.figures import Section, markdown
from bench.footprint import footprint, unattended
from bench.overhead import overhead
from bench.sampling import sampling
from bench.variants import compiled
from bench.workload import Workload

BUSY = 0.5
STARTS, SCRAPES, UNATTENDED_SECONDS, BIRTHS = 5, 20, 10, 1000


def main() -> int:
    """Print the report; the exit status says whether all targets are met."""
    arguments = _arguments()
    if os.geteuid():
        print("bench: attaching probes needs root: sudo make bench", file=sys.stderr)
        return 1
    started = time.monotonic()
    busy = os.getloadavg()[0]
    print(
        f"Linux {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs, load {busy:.1f} before", flush=True
    )
    if busy > BUSY:
        print("bench: the host is busy: start-up, in wall-clock time, will look worse than it is", file=sys.stderr)
    sections = []
    for section in run(arguments.rounds):
        sections.append(section)
        show(section)
    show_targets(sections)
    print(f"{time.monotonic() - started:.0f} s in all")
    if arguments.json:
        arguments.json.write_text(json.dumps([section.plain() for section in sections], indent=2) + "\n")
    return 0 if all(target.kept for section in sections for target in section.targets) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what docs/performance.md reports.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--rounds", type=int, default=30, help="through all that can be attached (default: %(default)s)"
    )
    return parser.parse_args()


def run(rounds: int) -> Iterator[Section]:
    """One section after the other."""
    with tempfile.TemporaryDirectory(prefix="copy-exporter-bench-") as name:
        directory = Path(name)
        compiled()
        with Workload(directory) as workload:
            yield _with_progress("overhead", rounds, lambda step: overhead(workload, rounds, step))
        with Workload(directory) as workload:
            half = max(1, rounds // 2)
            yield _with_progress("alternatives", half, lambda step: alternatives(workload, half, step))
        third = max(1, rounds // 3)
        yield _with_progress("sampling", third, lambda step: sampling(directory, third, step))
        yield _with_progress("footprint", STARTS + 3, lambda step: footprint(directory, SCRAPES, STARTS, step))
        yield _with_progress("unattended", 1, lambda step: unattended(directory, UNATTENDED_SECONDS, BIRTHS, step))


def _with_progress(name: str, steps: int, measure: Callable[[Callable[[], object]], Section]) -> Section:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=steps)
        return measure(lambda: bar.advance(task))


def show(section: Section) -> None:
    """One table and its notes, in Markdown."""
    print(f"\n## {section.title}\n\n{markdown(section.columns, section.rows)}")
    for note in filter(None, section.notes):
        print(f"\n{note}", flush=True)


def show_targets(sections: list[Section]) -> None:
    """All targets in one table."""
    rows = [target.row() for section in sections for target in section.targets]
    print(f"\n## Targets\n\n{markdown(('target', 'measured', 'at most', 'verdict'), rows)}\n")


if __name__ == "__main__":
    sys.exit(main())
