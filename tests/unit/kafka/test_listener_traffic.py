"""Totals of listeners: exact, never decreasing, and continued by the next process of a broker."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import Broker, Facts, Listener, Node
from exporter.kafka.listener_traffic import OTHER, RECEIVED, SENT, Amount, ListenerCounter, ListenerKey, Traffic
from exporter.model import NS_PER_TICK, Count, Endpoint, Identity, Operation, Row, RowKind, Rows

SECOND_NS = 1_000_000_000
NODE = Node("c", "1")
KEY = ListenerKey(NODE, "A", "9092")
SENDFILE = Row(RowKind.ZERO_COPY, Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP, 9092, 0)
WRITE = Row(RowKind.CPU_COPY, Operation.WRITE, Endpoint.USER, Endpoint.TCP, 9092, 0)
READ = Row(RowKind.CPU_COPY, Operation.READ, Endpoint.TCP, Endpoint.USER, 9092, 0)
ELSEWHERE = WRITE._replace(port=9999)
BY_ZERO_COPY, BY_COPY, RECEIVED_BY_COPY = Traffic(SENT, "zero_copy"), Traffic(SENT, "cpu"), Traffic(RECEIVED, "cpu")


def identity(pid: int) -> Identity:
    return Identity(100 * NS_PER_TICK, pid)


def broker(pid: int = 7, *listeners: Listener, cluster_id: str = "c") -> Broker:
    return Broker(pid, 100, "java", Facts("1", listeners or (Listener("A", "PLAINTEXT", 9092),), cluster_id=cluster_id))


def rows(**amounts: int) -> Rows:
    named = {"sendfile": SENDFILE, "write": WRITE, "read": READ, "elsewhere": ELSEWHERE}
    return {named[name]: Count(2, amount, 1) for name, amount in amounts.items()}


def test_bytes_by_direction_and_mechanism() -> None:
    counter = ListenerCounter()
    counter.count({identity(7): rows(sendfile=10, write=4, read=3, elsewhere=99)}, (), [broker()], 0)
    assert counter.totals() == {
        KEY: {BY_COPY: Amount(4, 2), BY_ZERO_COPY: Amount(10, 2), RECEIVED_BY_COPY: Amount(3, 2)}
    }


def test_a_listener_without_traffic_begins_at_zero() -> None:
    counter = ListenerCounter()
    counter.count({}, (), [broker()], 0)
    assert counter.totals() == {KEY: {BY_COPY: Amount(), BY_ZERO_COPY: Amount(), RECEIVED_BY_COPY: Amount()}}


def test_only_increases_are_counted() -> None:
    counter = ListenerCounter()
    for sent in (4, 9, 9):
        counter.count({identity(7): rows(write=sent)}, (), [broker()], 0)
    assert counter.totals()[KEY][BY_COPY] == Amount(9, 2)


def test_rows_whose_slots_were_freed_begin_at_zero() -> None:
    counter = ListenerCounter()
    counter.count({identity(7): rows(write=9)}, (), [broker()], 0)
    counter.count({identity(7): {}}, (), [broker()], 0)
    counter.count({identity(7): rows(write=1)}, (), [broker()], 0)
    assert counter.totals()[KEY][BY_COPY] == Amount(10, 4)


def test_totals_continue_after_a_restart_with_the_last_bytes_of_the_process_that_exited() -> None:
    counter = ListenerCounter()
    counter.count({identity(7): rows(write=5)}, (), [broker()], 0)
    counter.count({identity(7): rows(write=7)}, {identity(7)}, [], SECOND_NS)
    counter.count({identity(7): rows(write=1)}, {identity(7)}, [], 2 * SECOND_NS)  # what came late
    counter.count({identity(8): rows(write=2)}, (), [broker(8)], 299 * SECOND_NS)
    counter.end_totals(299 * SECOND_NS)
    assert counter.totals()[KEY][BY_COPY].bytes == 10


def test_totals_end_after_the_broker() -> None:
    counter = ListenerCounter()
    counter.count({identity(7): rows(write=5)}, (), [broker()], 0)
    counter.count({}, (), [], 301 * SECOND_NS)
    counter.end_totals(301 * SECOND_NS)
    assert counter.totals() == {}


def test_two_brokers_on_one_port() -> None:
    counter = ListenerCounter()
    brokers = [broker(), broker(8, cluster_id="d")]
    counter.count({identity(7): rows(write=5), identity(8): rows(sendfile=9)}, (), brokers, 0)
    totals = counter.totals()
    assert (totals[KEY][BY_COPY].bytes, totals[KEY][BY_ZERO_COPY].bytes) == (5, 0)
    assert totals[KEY._replace(node=Node("d", "1"))][BY_ZERO_COPY].bytes == 9


def test_names_without_end() -> None:
    counter = ListenerCounter()
    for number in range(300):
        named = broker(7, Listener(f"L{number}", "PLAINTEXT", 9092))
        counter.count({identity(7): rows(write=number + 1)}, (), [named], 0)
    totals = counter.totals()
    assert len(totals) == 101
    assert sum(listener.get(BY_COPY, Amount()).bytes for listener in totals.values()) == 300
    assert totals[ListenerKey(Node(OTHER, OTHER), OTHER, "")][BY_COPY].bytes == 200


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans(), st.booleans()), max_size=40))
def test_every_byte_is_counted_once(steps: list[tuple[int, bool, bool]]) -> None:
    """Rows grow, slots are freed and brokers restart: the total is exact."""
    counter, pid, sent, truth = ListenerCounter(), 1, 0, 0
    for moved, restart, freed in steps:
        sent += moved
        truth += moved
        counter.count({identity(pid): rows(write=sent)}, {identity(pid)} if restart else (), [broker(pid)], 0)
        assert counter.totals()[KEY][BY_COPY].bytes == truth
        if restart:
            pid, sent = pid + 1, 0
        elif freed:
            counter.count({identity(pid): {}}, (), [broker(pid)], 0)
            sent = 0
