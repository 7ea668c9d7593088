"""What the demo prints: tables for people, one JSON document for machines."""

import json
import platform
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from exporter.demo.claims import Claim, Verdict
from exporter.demo.experiment import Results
from exporter.demo.measurement import Measurement
from exporter.demo.methods import READ_WRITE, SENDFILE, TLS
from exporter.demo.options import format_size

_COLOURS = {Verdict.HOLDS: "green", Verdict.CONTRADICTED: "bold red", Verdict.NOT_CHECKED: "yellow"}


def print_report(results: Results, claims: Sequence[Claim], console: Console) -> None:
    """For people."""
    console.print(
        f"{format_size(results.size)} from {results.file_system} to TCP on loopback "
        f"in chunks of {format_size(results.chunk)}, counted by the probes:",
        highlight=False,
    )
    console.print(_measured(results.measurements))
    for remark in of_methods(results):
        console.print(Text(f"* {remark}"))
    for remark in of_all(results):
        console.print(Text(f"- {remark}"))
    console.print()
    console.print(_judged(claims))


def of_methods(results: Results) -> list[str]:
    """What was remarkable about a method: its figures have an asterisk."""
    return list(dict.fromkeys(f"{each.setting.method}: {each.remark}" for each in results.measurements if each.remark))


def of_all(results: Results) -> list[str]:
    """What a reader of the figures should know."""
    said = []
    if not results.can_be_cold:
        said.append(f"{results.file_system} is in memory: the file cannot be out of the page cache, nothing was cold")
    if not results.sees_disk:
        said.append("the block probe is not attached, DMA is not seen: `copy-exporter doctor` tells why")
    if results.lost:
        said.append(f"the probes lost {results.lost} counts: figures may be too low")
    said += [
        f"{each.cached >> 10}KiB of the file stayed in the page cache: {each.setting}"
        for each in results.measurements
        if each.setting.cold and each.cached
    ]
    if any(each.dma_bytes for each in results.measurements if not each.setting.cold):
        said.append("the page cache did not keep all of the file: the warm transfers read from disk, too")
    speeds = [
        f"{each.gbit_per_cpu_second:.0f} Gbit/s by {each.setting.method}"
        for each in results.measurements
        if not each.setting.cold and each.setting.method in (READ_WRITE.name, SENDFILE.name, TLS.name)
    ]
    said.append(f"one CPU of the sender would fill a network of {', '.join(speeds)} (warm cache)")
    return said


def _measured(measurements: Sequence[Measurement]) -> Table:
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
    for each in measurements:
        table.add_row(
            each.setting.method,
            each.setting.cache,
            f"{each.syscalls_per_chunk:.2f}",
            f"{each.mode_switches_per_chunk:.2f}",
            f"{each.cpu_copies_per_byte:.2f}",
            f"{each.zero_copy_share:.0%}{'*' if each.remark else ''}",
            "-" if each.dma_bytes is None else f"{each.dma_bytes / (1 << 20):.0f}",
            f"{each.cpu_seconds_per_gib:.2f}",
            f"{each.bytes_per_second / (1 << 20):.0f}",
        )
    return table


def _judged(claims: Sequence[Claim]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("the article says", ratio=3)
    table.add_column("measured", ratio=2)
    table.add_column("verdict", no_wrap=True)
    for claim in claims:
        table.add_row(claim.says, claim.measured, Text(claim.verdict.value, style=_COLOURS[claim.verdict]))
    return table


def print_json(results: Results, claims: Sequence[Claim], console: Console) -> None:
    """For machines: docs/demo.md has the members."""
    document = {
        "kernel": platform.release(),
        "file_system": results.file_system,
        "size_bytes": results.size,
        "chunk_bytes": results.chunk,
        "measurements": [_measurement(each) for each in results.measurements],
        "remarks": of_methods(results) + of_all(results),
        "claims": [
            {"name": claim.name, "says": claim.says, "measured": claim.measured, "verdict": claim.verdict.value}
            for claim in claims
        ],
    }
    console.out(json.dumps(document, indent=2), highlight=False)


def _measurement(each: Measurement) -> dict[str, Any]:
    return {
        "method": each.setting.method,
        "cache": each.setting.cache,
        "chunks": each.chunks,
        "syscalls": each.syscalls,
        "syscalls_per_chunk": each.syscalls_per_chunk,
        "mode_switches_per_chunk": each.mode_switches_per_chunk,
        "cpu_copies_per_byte": each.cpu_copies_per_byte,
        "zero_copy_share": each.zero_copy_share,
        "cached_bytes": each.cached,
        "dma_bytes": each.dma_bytes,
        "cpu_seconds": each.cpu_seconds,
        "cpu_seconds_per_gib": each.cpu_seconds_per_gib,
        "seconds": each.seconds,
        "bytes_per_second": each.bytes_per_second,
        "remark": each.remark,
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
            for row, count in sorted(each.rows.items())
        ],
    }
