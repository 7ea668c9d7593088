"""Measurements as the probes return them on a host with a disk, written by hand."""

from exporter.demo.experiment import Results
from exporter.demo.measurement import Measurement, Setting
from exporter.model import Count, Endpoint, Operation, Row, RowKind, Rows

SIZE = 8 << 20
CHUNK = 64 << 10
CHUNKS = SIZE // CHUNK

FILE_TO_USER = (Endpoint.PAGE_CACHE, Endpoint.USER)
USER_TO_TCP = (Endpoint.USER, Endpoint.TCP)
FILE_TO_TCP = (Endpoint.PAGE_CACHE, Endpoint.TCP)
FROM_DISK = (Endpoint.DISK, Endpoint.PAGE_CACHE)


def row(
    kind: RowKind = RowKind.CPU_COPY,
    operation: Operation = Operation.READ,
    hop: tuple[Endpoint, Endpoint] = FILE_TO_USER,
    errno_or_bucket: int = 0,
) -> Row:
    return Row(kind, operation, *hop, port=0, errno_or_bucket=errno_or_bucket)


def count(events: int, amount: int = 0) -> Count:
    return Count(events, amount, since_ns=1)


DISK_READ = {row(RowKind.DMA, Operation.NONE, FROM_DISK): count(5, SIZE)}
READ_WRITE = {
    row(): count(CHUNKS, SIZE),
    row(operation=Operation.WRITE, hop=USER_TO_TCP): count(CHUNKS, SIZE),
}
SENDFILE = {row(RowKind.ZERO_COPY, Operation.SENDFILE, FILE_TO_TCP): count(CHUNKS, SIZE)}
TLS = {
    row(): count(CHUNKS, SIZE),
    row(operation=Operation.WRITE, hop=USER_TO_TCP): count(4 * CHUNKS, SIZE + 29 * 4 * CHUNKS),
}


def measurement(method: str, rows: Rows, cold: bool = False, sees_disk: bool = True, note: str = "") -> Measurement:
    return Measurement(
        setting=Setting(method, cold),
        payload=SIZE,
        chunk=CHUNK,
        rows=rows | (DISK_READ if cold else {}),
        cached=0 if cold else SIZE,
        sees_disk=sees_disk,
        seconds=0.5,
        cpu_seconds=0.25,
        note=note,
    )


def confirming_measurements() -> list[Measurement]:
    """Measurements that confirm every claim."""
    return [
        measurement(method, rows, cold)
        for method, rows in (("read+write", READ_WRITE), ("sendfile", SENDFILE), ("TLS in user space", TLS))
        for cold in (True, False)
    ]


def results(measurements: list[Measurement], **changes: object) -> Results:
    facts = {
        "size": SIZE,
        "chunk": CHUNK,
        "file_system": "ext4",
        "sees_disk": True,
        "can_be_cold": True,
        "measurements": tuple(measurements),
        "lost": 0,
    }
    return Results(**(facts | changes))
