"""The cost of a sample of the CPU clock, which gives the share of a CPU at any sampling rate."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.figures import Section, figure, number
from bench.workload import build
from exporter.kernel.libbpf import program_info
from exporter.loading.handover import LoadedProbes, LoadRequest, load
from exporter.model import DEFAULT_SAMPLING_RATE

RATE = 10_000
MILLISECONDS = 300
_COPIED, _TIMES = 1 << 20, 2000
_REQUEST = LoadRequest(
    probes=("syscalls", "exits", "copy_time"), map_entries={"counts": 1024}, statistics=True, sampling_rate=RATE
)


def sampling(directory: Path, rounds: int, progress: Callable[[], object] = lambda: None) -> Section:
    """Measure ``rounds`` rounds with and without samples."""
    interruptions = build("interruptions", directory)
    without, samples, program = [], [], []
    for _ in range(rounds):
        without.append(_interruptions(interruptions)[1])
        loaded = load(_REQUEST, 60)
        try:
            samples.append(_interruptions(interruptions))
            _copy()
            program.append(_program_ns(loaded))
        finally:
            loaded.close()
        progress()
    interrupted = figure([median for median, _ in samples])
    run = figure(program)
    per_cent = 100 * DEFAULT_SAMPLING_RATE * (interrupted.median + run.median) / 1e9
    values = {
        "interruption by a sample, ns": interrupted.median,
        "of it the BPF program, ns": run.median,
        f"share of each CPU at {DEFAULT_SAMPLING_RATE} samples per second, per cent": per_cent,
    }
    return Section(
        title="Samples of the CPU clock",
        columns=("figure", "measured"),
        rows=tuple((name, number(value)) for name, value in values.items()),
        notes=(
            f"At {RATE:,} samples per second: {figure([count for _, count in samples]).median:,.0f} interruptions in "
            f"{MILLISECONDS} ms, {figure(without).median:,.0f} without samples; median of {rounds} rounds.",
        ),
        figures=values,
    )


def _interruptions(program: Path) -> tuple[int, int]:
    """The median in ns and the number of the interruptions of a program that keeps a CPU busy."""
    answer = subprocess.run([program, str(MILLISECONDS)], check=True, capture_output=True, text=True)
    median, count = answer.stdout.split()
    return int(median), int(count)


def _copy() -> None:
    with open(os.memfd_create("copied"), "r+b", buffering=0) as file:
        file.truncate(_COPIED)
        for _ in range(_TIMES):
            os.pread(file.fileno(), _COPIED, 0)


def _program_ns(loaded: LoadedProbes) -> float:
    """Nanoseconds per run of the BPF program, as the kernel measures it."""
    info = program_info(loaded.programs["copy_time"][0])
    return info.run_time_ns / max(1, info.run_count)
