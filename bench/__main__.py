"""``python -m bench [--json FILE] [--rounds N]``: measures everything in one run, as root."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.alternatives import alternatives
from bench.figures import Section, markdown
from bench.overhead import overhead
from bench.resource_usage import many_processes, resource_usage, unscraped_usage
from bench.sampling import sampling
from bench.variants import compiled
from bench.viewers import viewers_usage
from bench.workload import Workload

MAX_LOAD = 0.5
STARTS, SCRAPES, UNSCRAPED_SECONDS, BIRTHS_PER_SECOND = 5, 20, 10, 1000


def main() -> int:
    """Print the report; the exit status is 0 if all targets are met."""
    arguments = _arguments()
    if os.geteuid():
        print("bench: attaching probes needs root: sudo make bench", file=sys.stderr)
        return 1
    started = time.monotonic()
    load = os.getloadavg()[0]
    print(
        f"Linux {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f} before", flush=True
    )
    if load > MAX_LOAD:
        print("bench: the host is busy: the wall-clock time of the start will be too long", file=sys.stderr)
    sections = []
    for section in run(arguments.rounds):
        sections.append(section)
        show(section)
    show_targets(sections)
    print(f"{time.monotonic() - started:.0f} s in total")
    if arguments.json:
        arguments.json.write_text(json.dumps([section.as_json() for section in sections], indent=2) + "\n")
    return 0 if all(target.met for section in sections for target in section.targets) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what docs/performance.md reports.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--rounds", type=int, default=30, help="rounds through all variants (default: %(default)s)")
    return parser.parse_args()


def run(rounds: int) -> Iterator[Section]:
    """Measure one section after the other."""
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
        yield _with_progress("resources", STARTS + 3, lambda step: resource_usage(directory, SCRAPES, STARTS, step))
        yield _with_progress("processes", 2, lambda step: many_processes(directory, SCRAPES, step))
        unscraped = partial(unscraped_usage, directory, UNSCRAPED_SECONDS, BIRTHS_PER_SECOND)
        yield _with_progress("unscraped", 1, unscraped)
        yield _with_progress("viewers", 6, lambda step: viewers_usage(directory, UNSCRAPED_SECONDS, step))


def _with_progress(name: str, steps: int, measure: Callable[[Callable[[], object]], Section]) -> Section:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=steps)
        return measure(lambda: bar.advance(task))


def show(section: Section) -> None:
    """Print a section as Markdown."""
    print(f"\n## {section.title}\n\n{markdown(section.columns, section.rows)}")
    for note in filter(None, section.notes):
        print(f"\n{note}", flush=True)


def show_targets(sections: list[Section]) -> None:
    """Print the targets of all sections as one table."""
    rows = [target.row() for section in sections for target in section.targets]
    print(f"\n## Targets\n\n{markdown(('target', 'measured', 'at most', 'verdict'), rows)}\n")


if __name__ == "__main__":
    sys.exit(main())
