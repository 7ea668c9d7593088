"""The output of the demo: tables, or one JSON document."""

import json
import platform
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from exporter.demo.claims import ARTICLE, ARTICLE_URL, Claim, Verdict
from exporter.demo.experiment import Results
from exporter.demo.measurement import Measurement
from exporter.demo.methods import READ_WRITE, SENDFILE, TLS
from exporter.demo.options import format_size

_COLOURS = {Verdict.HOLDS: "green", Verdict.CONTRADICTED: "bold red", Verdict.NOT_CHECKED: "yellow"}


def print_report(results: Results, claims: Sequence[Claim], console: Console) -> None:
    """Print the tables."""
    console.print(
        f"{format_size(results.size)} from {results.file_system} to TCP on loopback "
        f"in chunks of {format_size(results.chunk)}, counted by the probes:",
        highlight=False,
    )
    console.print(_measurement_table(results.measurements))
    for note in method_notes(results):
        console.print(Text(f"* {note}"))
    for note in general_notes(results):
        console.print(Text(f"- {note}"))
    console.print()
    console.print(_claim_table(claims))
    console.print(Text(f"The article: {ARTICLE}\n{ARTICLE_URL}"))


def method_notes(results: Results) -> list[str]:
    """Notes on a method, whose figures have an asterisk."""
    noted = (measurement for measurement in results.measurements if measurement.note)
    return list(dict.fromkeys(f"{measurement.setting.method}: {measurement.note}" for measurement in noted))


def general_notes(results: Results) -> list[str]:
    """Notes on all figures."""
    notes = []
    if not results.can_be_cold:
        notes.append(f"{results.file_system} is in memory: the file is always in the page cache, so no cache was cold")
    if not results.sees_disk:
        notes.append("the block probe is not attached, so DMA is not counted: `copy-exporter doctor` shows why")
    if results.lost:
        notes.append(f"the probes lost {results.lost} counts: figures may be too low")
    cold = [measurement for measurement in results.measurements if measurement.setting.cold]
    warm = [measurement for measurement in results.measurements if not measurement.setting.cold]
    notes += [
        f"{measurement.cached >> 10}KiB of the file stayed in the page cache: {measurement.setting}"
        for measurement in cold
        if measurement.cached
    ]
    if any(measurement.dma_bytes for measurement in warm):
        notes.append("the page cache did not keep all of the file: the warm transfers read from disk, too")
    speeds = [
        f"{measurement.gbit_per_cpu_second:.0f} Gbit/s by {measurement.setting.method}"
        for measurement in warm
        if measurement.setting.method in (READ_WRITE.name, SENDFILE.name, TLS.name)
    ]
    notes.append(f"one CPU of the sender would fill a network of {', '.join(speeds)} (warm cache)")
    return notes


def _measurement_table(measurements: Sequence[Measurement]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("\n\nmethod", no_wrap=True)
    table.add_column("\npage\ncache")
    for heading in (
        "\nsyscalls\n/ chunk",
        "mode\nswitches\n/ chunk",
        "CPU\ncopies\n/ byte",
        "\nzero\ncopy",
        "\nDMA\nMiB",
        "\nCPU s\n/ GiB",
        "\n\nMiB/s",
    ):
        table.add_column(heading, justify="right")
    for measurement in measurements:
        table.add_row(
            measurement.setting.method,
            measurement.setting.cache,
            f"{measurement.syscalls_per_chunk:.2f}",
            f"{measurement.mode_switches_per_chunk:.2f}",
            f"{measurement.cpu_copies_per_byte:.2f}",
            f"{measurement.zero_copy_share:.0%}{'*' if measurement.note else ''}",
            "-" if measurement.dma_bytes is None else f"{measurement.dma_bytes / (1 << 20):.0f}",
            f"{measurement.cpu_seconds_per_gib:.2f}",
            f"{measurement.bytes_per_second / (1 << 20):.0f}",
        )
    return table


def _claim_table(claims: Sequence[Claim]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("the article says", ratio=3)
    table.add_column("measured", ratio=2)
    table.add_column("verdict", no_wrap=True)
    for claim in claims:
        table.add_row(claim.says, claim.measured, Text(claim.verdict.value, style=_COLOURS[claim.verdict]))
    return table


def print_json(results: Results, claims: Sequence[Claim], console: Console) -> None:
    """Print one JSON document; docs/demo.md explains its members."""
    document = {
        "kernel": platform.release(),
        "file_system": results.file_system,
        "size_bytes": results.size,
        "chunk_bytes": results.chunk,
        "measurements": [_measurement_members(measurement) for measurement in results.measurements],
        "notes": method_notes(results) + general_notes(results),
        "claims": [
            {"name": claim.name, "says": claim.says, "measured": claim.measured, "verdict": claim.verdict.value}
            for claim in claims
        ],
    }
    console.out(json.dumps(document, indent=2), highlight=False)


def _measurement_members(measurement: Measurement) -> dict[str, Any]:
    return {
        "method": measurement.setting.method,
        "cache": measurement.setting.cache,
        "chunks": measurement.chunks,
        "syscalls": measurement.syscalls,
        "syscalls_per_chunk": measurement.syscalls_per_chunk,
        "mode_switches_per_chunk": measurement.mode_switches_per_chunk,
        "cpu_copies_per_byte": measurement.cpu_copies_per_byte,
        "zero_copy_share": measurement.zero_copy_share,
        "cached_bytes": measurement.cached,
        "dma_bytes": measurement.dma_bytes,
        "cpu_seconds": measurement.cpu_seconds,
        "cpu_seconds_per_gib": measurement.cpu_seconds_per_gib,
        "seconds": measurement.seconds,
        "bytes_per_second": measurement.bytes_per_second,
        "note": measurement.note,
        "counts": [
            {
                "kind": row.kind.name.lower(),
                "syscall": row.operation.name.lower(),
                "source": row.source.name.lower(),
                "destination": row.destination.name.lower(),
                "errno": row.errno_or_bucket,
                "calls": count.events,
                "bytes": count.amount,
            }
            for row, count in sorted(measurement.rows.items())
        ],
    }
