from dataclasses import replace

import pytest

from exporter.demo.measurement import Measurement, Setting, counted_between
from exporter.model import Endpoint, Operation, RowKind

from .sample_measurements import (
    CHUNKS,
    FILE_TO_USER,
    FROM_DISK,
    READ_WRITE,
    SENDFILE,
    SIZE,
    USER_TO_TCP,
    count,
    measurement,
    row,
)


def test_copying():
    transfer = measurement("read+write", READ_WRITE, cold=True)
    assert (transfer.chunks, transfer.syscalls) == (CHUNKS, 2 * CHUNKS)
    assert (transfer.syscalls_per_chunk, transfer.mode_switches_per_chunk) == (2, 4)
    assert (transfer.cpu_copies_per_byte, transfer.zero_copy_share) == (2, 0)
    assert transfer.dma_bytes == SIZE


def test_passing():
    transfer = measurement("sendfile", SENDFILE)
    assert (transfer.syscalls_per_chunk, transfer.mode_switches_per_chunk) == (1, 2)
    assert (transfer.cpu_copies_per_byte, transfer.zero_copy_share) == (0, 1)
    assert transfer.dma_bytes == 0


def test_a_pipe_on_the_way_passes_each_byte_into_the_socket_once():
    into = row(RowKind.ZERO_COPY, Operation.SPLICE, (Endpoint.PAGE_CACHE, Endpoint.PIPE))
    out_of = row(RowKind.ZERO_COPY, Operation.SPLICE, (Endpoint.PIPE, Endpoint.TCP))
    transfer = measurement("splice", {into: count(CHUNKS, SIZE), out_of: count(CHUNKS, SIZE)})
    assert (transfer.syscalls_per_chunk, transfer.zero_copy_share) == (2, 1)


def test_errors_switch_modes_too():
    failed = row(RowKind.ERROR, Operation.SENDTO, (Endpoint.UNKNOWN, Endpoint.UNKNOWN), errno_or_bucket=105)
    transfer = measurement("send MSG_ZEROCOPY", {**SENDFILE, failed: count(CHUNKS)})
    assert transfer.mode_switches_per_chunk == 4


def test_rates():
    transfer = measurement("sendfile", SENDFILE)
    assert transfer.bytes_per_second == SIZE / 0.5
    assert transfer.cpu_seconds_per_gib == 0.25 * 128
    assert transfer.gbit_per_cpu_second == pytest.approx(SIZE * 8 / 1e9 / 0.25)


def test_the_last_chunk_may_be_smaller():
    transfer = Measurement(
        Setting("sendfile", False), payload=1001, chunk=500, rows={}, cached=0, sees_disk=True, seconds=1, cpu_seconds=0
    )
    assert transfer.chunks == 3
    assert transfer.gbit_per_cpu_second == 0


def test_what_was_cached_before_is_not_expected_from_disk():
    transfer = measurement("sendfile", SENDFILE, cold=True)
    assert transfer.dma_per_uncached_byte == 1
    assert replace(transfer, cached=SIZE // 2).dma_per_uncached_byte == 2
    assert measurement("sendfile", SENDFILE).dma_per_uncached_byte is None
    assert measurement("sendfile", SENDFILE, cold=True, sees_disk=False).dma_per_uncached_byte is None


def test_dma_is_unknown_without_the_probe():
    assert measurement("sendfile", SENDFILE, sees_disk=False).dma_bytes is None


def test_the_increase_is_counted():
    before = {row(): count(10, 100), row(operation=Operation.WRITE, hop=USER_TO_TCP): count(1, 7)}
    after = {row(): count(15, 160), row(operation=Operation.WRITE, hop=USER_TO_TCP): count(1, 7), **SENDFILE}
    assert counted_between(before, after) == {row(): count(5, 60), **SENDFILE}


@pytest.mark.parametrize(
    "other",
    [
        row(operation=Operation.RECVFROM, hop=(Endpoint.UNIX, Endpoint.USER)),
        row(operation=Operation.SENDTO, hop=(Endpoint.USER, Endpoint.UNIX)),
        row(operation=Operation.READ, hop=(Endpoint.DEVICE, Endpoint.USER)),
        row(RowKind.KERNEL_COPY, Operation.NONE, (Endpoint.TCP, Endpoint.USER)),
        row(RowKind.DURATION, Operation.SENDFILE, FILE_TO_USER, errno_or_bucket=3),
        row(RowKind.DMA, Operation.READ, FROM_DISK),
    ],
)
def test_control_traffic_and_other_kinds_are_left_out(other):
    assert counted_between({}, {other: count(3, 300)}) == {}


def test_calls_without_bytes_count():
    empty = row(operation=Operation.RECVMSG, hop=(Endpoint.TCP, Endpoint.USER))
    assert counted_between({}, {empty: count(2)}) == {empty: count(2)}
