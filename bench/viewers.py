"""What viewers of the live page cost: CPU time of the exporter, by the number of viewers."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from bench.figures import Section, Target
from bench.processes import idle_processes
from bench.resource_usage import PROCESSES, start_copy_exporter

ROWS = 10
VIEWERS = (0, 1, 10)
_EVERY_SECONDS = {"idle": 0, "each counting in all its rows every second": 1}


def viewers_usage(directory: Path, seconds: int, progress: Callable[[], object] = lambda: None) -> Section:
    """Measure the CPU time of an exporter with viewers, in per cent of one CPU."""
    usage = {
        (processes, viewers): _per_cent(directory, every_seconds, viewers, seconds, progress)
        for processes, every_seconds in _EVERY_SECONDS.items()
        for viewers in VIEWERS
    }
    return Section(
        title=f"CPU time with viewers of the live page, {PROCESSES:,} processes, in per cent of one CPU",
        columns=(f"{PROCESSES:,} processes with {ROWS} rows", *(f"{viewers} viewers" for viewers in VIEWERS)),
        rows=tuple(
            (processes, *(f"{usage[processes, viewers]:.2f}" for viewers in VIEWERS)) for processes in _EVERY_SECONDS
        ),
        targets=(
            Target(
                "CPU time with 10 viewers, more than without",
                max(usage[processes, VIEWERS[-1]] - usage[processes, 0] for processes in _EVERY_SECONDS),
                5,
                " %",
            ),
        ),
        notes=(f"Each over {seconds} s, without scrapes.",),
        figures={f"{processes}: {viewers} viewers": value for (processes, viewers), value in usage.items()},
    )


def _per_cent(directory: Path, every_seconds: int, viewers: int, seconds: int, progress: Callable[[], object]) -> float:
    with start_copy_exporter() as exporter, idle_processes(directory, PROCESSES, ROWS, every_seconds=every_seconds):
        with exporter.viewers(viewers) if viewers else nullcontext():
            share = exporter.cpu_share(seconds)
        progress()
        return share * 100
