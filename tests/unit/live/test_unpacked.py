"""Only what has changed is unpacked, and the result is what the map has."""

from exporter.counting.unpacked import Unpacked
from exporter.live.unpacked import UnpackedRows
from exporter.model import ROW_LAYOUT, SLOT_LAYOUT, Count, Endpoint, Identity, Operation, Row, RowKind


def key(pid: int, operation: Operation = Operation.READ) -> bytes:
    return ROW_LAYOUT.part().pack(pid * 10, pid, 0, 0, operation, Endpoint.PAGE_CACHE, Endpoint.USER, RowKind.CPU_COPY)


def value(events: int) -> bytes:
    return SLOT_LAYOUT.part("events", "amount", "since_ns").pack(events, events * 2, 5)


def row(operation: Operation = Operation.READ) -> Row:
    return Row(RowKind.CPU_COPY, operation, Endpoint.PAGE_CACHE, Endpoint.USER, 0, 0)


def test_rows_of_processes_that_do_not_count_are_the_same_object():
    unpacked = UnpackedRows()
    first = unpacked.update({key(1): value(1), key(2): value(1)})
    second = unpacked.update({key(1): value(1), key(2): value(3), key(2, Operation.WRITE): value(4)})
    one, two = Identity(10, 1), Identity(20, 2)
    assert first == {one: {row(): Count(1, 2, 5)}, two: {row(): Count(1, 2, 5)}}
    assert second[one] is first[one]
    assert second[two] == {row(): Count(3, 6, 5), row(Operation.WRITE): Count(4, 8, 5)}


def test_deleted_rows_go_with_their_process():
    unpacked = UnpackedRows()
    unpacked.update({key(1): value(1), key(1, Operation.WRITE): value(1), key(2): value(1)})
    assert unpacked.update({key(1): value(1)}) == {Identity(10, 1): {row(): Count(1, 2, 5)}}
    assert unpacked.update({}) == {}


def test_entries_that_do_not_change_are_the_same_object():
    calls = []

    def unpack(key: bytes, value: bytes) -> bytes:
        calls.append(key)
        return value + key

    unpacked = Unpacked(unpack)
    assert unpacked.update({b"a": b"1", b"b": b"1"}) == {b"a": b"1a", b"b": b"1b"}
    assert unpacked.update({b"a": b"1", b"b": b"2"}) == {b"a": b"1a", b"b": b"2b"}
    assert calls == [b"a", b"b", b"b"]
