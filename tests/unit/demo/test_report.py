import io
import json
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from exporter.demo.claims import judge
from exporter.demo.report import general_notes, method_notes, print_json, print_report
from exporter.model import Endpoint, Operation, RowKind

from .sample_measurements import (
    CHUNKS,
    DISK_READ,
    SENDFILE,
    SIZE,
    confirming_measurements,
    count,
    measurement,
    results,
    row,
)

DOCUMENTED = (Path(__file__).parents[3] / "docs" / "demo.md").read_text()


def printed(show, measured) -> str:
    out = io.StringIO()
    show(measured, judge(measured.measurements), Console(file=out, width=80))
    return out.getvalue()


def test_the_table_fits_into_80_columns_and_has_every_run():
    measured = results([measurement("send MSG_ZEROCOPY", SENDFILE, cold=True, note="x"), *confirming_measurements()])
    lines = printed(print_report, measured).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines if line.startswith("sendfile") and "halves" not in line][:2] == [
        ["sendfile", "cold", "1.00", "2.00", "0.00", "100%", "8", "32.00", "16"],
        ["sendfile", "warm", "1.00", "2.00", "0.00", "100%", "0", "32.00", "16"],
    ]
    assert "100%*" in next(line for line in lines if line.startswith("send MSG_ZEROCOPY"))


def test_notes():
    plain = results(confirming_measurements())
    assert method_notes(plain) == []
    assert general_notes(plain) == [
        "one CPU of the sender would fill a network of 0 Gbit/s by read+write, 0 Gbit/s by sendfile, "
        "0 Gbit/s by TLS in user space (warm cache)"
    ]
    odd = results(
        [
            measurement("sendfile", {**SENDFILE, **DISK_READ}, note="hm"),
            replace(measurement("sendfile", SENDFILE, cold=True, note="hm"), cached=4096),
        ],
        file_system="tmpfs",
        can_be_cold=False,
        sees_disk=False,
        lost=3,
    )
    notes = general_notes(odd)
    assert method_notes(odd) == ["sendfile: hm"]
    assert notes[0].startswith("tmpfs is in memory")
    assert notes[1].startswith("the block probe is not attached")
    assert notes[2] == "the probes lost 3 counts: figures may be too low"
    assert notes[3] == "4KiB of the file stayed in the page cache: sendfile, cold cache"
    assert notes[4].startswith("the page cache did not keep all of the file")


def test_json_is_all_that_is_printed():
    failed = row(RowKind.ERROR, Operation.SENDFILE, (Endpoint.UNKNOWN, Endpoint.UNKNOWN), errno_or_bucket=4)
    measured = results([measurement("sendfile", {**SENDFILE, failed: count(1)}, cold=True), *confirming_measurements()])
    document = json.loads(printed(print_json, measured))
    assert list(document) == [
        "kernel",
        "file_system",
        "size_bytes",
        "chunk_bytes",
        "measurements",
        "notes",
        "claims",
    ]
    first = document["measurements"][0]
    kernel_facts = {name: value for name, value in first.items() if name != "counts"}
    assert kernel_facts == {
        "method": "sendfile",
        "cache": "cold",
        "chunks": CHUNKS,
        "syscalls": CHUNKS + 1,
        "syscalls_per_chunk": 1 + 1 / CHUNKS,
        "mode_switches_per_chunk": 2 + 2 / CHUNKS,
        "cpu_copies_per_byte": 0,
        "zero_copy_share": 1,
        "cached_bytes": 0,
        "dma_bytes": SIZE,
        "cpu_seconds": 0.25,
        "cpu_seconds_per_gib": 32,
        "seconds": 0.5,
        "bytes_per_second": SIZE / 0.5,
        "note": "",
    }
    assert first["counts"][0] == {
        "kind": "error",
        "syscall": "sendfile",
        "source": "unknown",
        "destination": "unknown",
        "errno": 4,
        "calls": 1,
        "bytes": 0,
    }
    for name in (*document, *first, *first["counts"][0]):
        assert f"`{name}`" in DOCUMENTED
    assert [set(claim) for claim in document["claims"]] == [{"name", "says", "measured", "verdict"}] * 4
    for claim in document["claims"]:
        assert f"    {claim['says']}  " in DOCUMENTED
