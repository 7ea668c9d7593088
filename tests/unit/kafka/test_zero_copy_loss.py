"""Why zero copy is lost, from counts alone: what is evidence, what must not raise an alarm, and for how long."""

import errno

import pytest

from exporter.host.network_devices import Link, Traffic
from exporter.kafka.broker import Broker, Facts, Listener
from exporter.kafka.zero_copy_loss import MIN_BYTES, WINDOW_NS, Loss, Losses
from exporter.model import Count, Endpoint, Operation, Row, RowKind, Rows

MIB = 1 << 20
PORT, OTHER_PORT = 9092, 9094


ANSWERS = Row(RowKind.CPU_COPY, Operation.WRITE, Endpoint.USER, Endpoint.TCP, PORT, 0)
SENDFILES = Row(RowKind.ZERO_COPY, Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP, PORT, 0)
WRITES = ANSWERS._replace(operation=Operation.WRITEV)
WRITES_ELSEWHERE = WRITES._replace(port=OTHER_PORT)
FILE_READS = Row(RowKind.CPU_COPY, Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER, 0, 0)
PRODUCED = Row(RowKind.CPU_COPY, Operation.READ, Endpoint.TCP, Endpoint.USER, PORT, 0)


def failed(call: Operation, number: int) -> Row:
    return Row(RowKind.ERROR, call, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, number)


def counts(**named: tuple[int, int]) -> Rows:
    """Of rows by their name here: calls and MiB."""
    return {globals()[name]: Count(events, round(mib * MIB), 0) for name, (events, mib) in named.items()}


def broker(protocol: str = "PLAINTEXT", pid: int = 7) -> Broker:
    listeners = (Listener("A", protocol, PORT), Listener("B", "PLAINTEXT", OTHER_PORT))
    return Broker(pid, 100, "java", Facts("1", listeners))


def loss(reason: str) -> Loss:
    """Of the broker's first listener."""
    return Loss(7, "java", "1", "A", PORT, reason)


class Cards:
    """Network cards, and what they have sent so far."""

    def __init__(self, **gathers: bool) -> None:
        self.links = {device: Link(None, gather) for device, gather in gathers.items()}
        self.sent = dict.fromkeys(gathers, 0)

    def traffic(self) -> dict[str, Traffic]:
        return {device: Traffic(0, sent) for device, sent in self.sent.items()}


def reasons(rows: Rows, protocol: str = "PLAINTEXT", port: int = PORT) -> list[str]:
    losses = Losses(Cards(eth0=True)).look(0, [(broker(protocol), rows)])
    return [loss.reason for loss in losses if loss.port == port]


HEALTHY = counts(SENDFILES=(2000, 900), ANSWERS=(9000, 1), FILE_READS=(500, 40))


def test_zero_copy_has_no_reason():
    assert reasons(HEALTHY) == []


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_tls_is_known_without_traffic(protocol):
    assert reasons({}, protocol) == ["tls"]
    assert reasons({}, "SASL_PLAINTEXT") == []


def test_tls_needs_no_other_reason():
    rows = counts(WRITES=(6400, 100), FILE_READS=(6400, 100)) | {
        failed(Operation.SENDFILE, errno.EINVAL): Count(9, 0, 0)
    }
    assert reasons(rows, "SSL") == ["tls"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_sendfile_refused_and_records_copied(number):
    rows = counts(WRITES=(640, 100)) | {failed(Operation.SENDFILE, number): Count(1, 0, 0)}
    assert reasons(rows) == ["jvm_fallback"]
    assert reasons(rows, port=OTHER_PORT) == []


def test_copy_file_range_refused_before_each_sendfile_is_normal():
    assert reasons(HEALTHY | {failed(Operation.COPY_FILE_RANGE, errno.EINVAL): Count(2000, 0, 0)}) == []


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EPIPE, errno.ECONNRESET, errno.EINTR])
def test_connections_that_block_or_end_are_normal(number):
    assert reasons(HEALTHY | {failed(Operation.SENDFILE, number): Count(100_000, 0, 0)}) == []


def test_one_refused_call_with_zero_copy_going_on_is_none():
    assert reasons(HEALTHY | {failed(Operation.SENDFILE, errno.EINVAL): Count(1, 0, 0)}) == []


def test_files_read_and_written_to_the_port():
    assert reasons(counts(WRITES=(6400, 100), FILE_READS=(6400, 100))) == ["copied"]
    assert reasons(counts(WRITES=(6400, 100), SENDFILES=(900, 800), FILE_READS=(6400, 100))) == ["copied"]


def test_a_small_part_that_is_copied_is_none():
    assert reasons(counts(WRITES=(3200, 50), SENDFILES=(9000, 4000), FILE_READS=(6400, 100))) == []


def test_acknowledgements_alone_are_none():
    """A broker that mostly takes: millions of small answers, and a log cleaner that reads."""
    assert reasons(counts(ANSWERS=(5_000_000, 300), PRODUCED=(200_000, 9000), FILE_READS=(9000, 9000))) == []


def test_what_was_never_in_a_file_here_is_not_said_to_be():
    """Big answers made in memory, as those to requests for metadata are."""
    assert reasons(counts(WRITES=(100, 100))) == []


def test_little_is_nothing():
    just_under = (MIN_BYTES - 1) / MIB
    assert reasons(counts(WRITES=(0, just_under), FILE_READS=(1, 100))) == []
    assert reasons(counts(WRITES=(0, MIN_BYTES / MIB), FILE_READS=(1, 100))) == ["copied"]


def test_ports_are_apart():
    rows = HEALTHY | counts(WRITES_ELSEWHERE=(6400, 100), FILE_READS=(6400, 140))
    assert (reasons(rows), reasons(rows, port=OTHER_PORT)) == ([], ["copied"])


def test_a_card_that_cannot_gather_what_was_sent():
    cards = Cards(eth0=False, eth1=True)
    losses = Losses(cards)
    assert losses.look(0, [(broker(), {})]) == ()
    cards.sent = {"eth0": 900 * MIB, "eth1": 900 * MIB}
    assert losses.look(1, [(broker(), HEALTHY)]) == (loss("scatter_gather"),)


def test_a_card_that_carried_something_else():
    cards = Cards(eth0=False, eth1=True)
    losses = Losses(cards)
    losses.look(0, [(broker(), {})])
    cards.sent = {"eth0": 100 * MIB, "eth1": 900 * MIB}
    assert losses.look(1, [(broker(), HEALTHY)]) == ()


def test_a_reason_ends_when_its_window_does():
    losses = Losses(Cards())
    copied = counts(WRITES=(6400, 100), FILE_READS=(6400, 100))
    assert losses.look(0, [(broker(), {})]) == ()
    minute = WINDOW_NS // 5
    for moment in range(1, 6):
        assert losses.look(moment * minute, [(broker(), copied)]) == (loss("copied"),), moment
    assert losses.look(6 * minute, [(broker(), copied)]) == ()


def test_frequent_scrapes_do_not_shorten_the_window():
    losses = Losses(Cards())
    copied = counts(WRITES=(6400, 100), FILE_READS=(6400, 100))
    losses.look(0, [(broker(), {})])
    second = 1_000_000_000
    found = [losses.look(moment * second, [(broker(), copied)]) for moment in range(1, 400)]
    assert found.index(()) == pytest.approx(WINDOW_NS / second, abs=20)
    assert len(losses._moments) < 25


def test_another_process_under_the_same_number_begins_anew():
    losses = Losses(Cards())
    many = counts(WRITES=(64000, 1000), FILE_READS=(64000, 1000))
    losses.look(0, [(broker(), many)])
    again = Broker(7, 101, "java", broker().facts)
    assert losses.look(1, [(again, counts(SENDFILES=(1, 1)))]) == ()
    assert losses.look(2, [(again, counts(WRITES=(6400, 100), FILE_READS=(6400, 100)))]) == (loss("copied"),)


def test_cards_that_cannot_be_read_take_nothing_else_away():
    cards = Cards(eth0=False)
    cards.traffic = lambda: (_ for _ in ()).throw(FileNotFoundError(2, "gone"))  # type: ignore[method-assign]
    assert Losses(cards).look(0, [(broker("SSL"), {})]) == (loss("tls"),)
