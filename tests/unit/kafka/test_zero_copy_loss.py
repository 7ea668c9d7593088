"""Reasons for lost zero copy: what is evidence, what must not raise an alarm, and when a reason ends."""

import errno

import pytest

from exporter.host.network_devices import Link, Traffic
from exporter.kafka.broker import Broker, Facts, Listener, Node
from exporter.kafka.zero_copy_loss import MIN_BYTES, WINDOW_NS, FolderBytes, Loss, LossDetector
from exporter.model import Count, Endpoint, Operation, Row, RowKind, Rows

MIB = 1 << 20
PORT, OTHER_PORT = 9092, 9094


ACKNOWLEDGEMENTS = Row(RowKind.CPU_COPY, Operation.WRITE, Endpoint.USER, Endpoint.TCP, PORT, 0)
SENDFILES = Row(RowKind.ZERO_COPY, Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP, PORT, 0)
WRITES = ACKNOWLEDGEMENTS._replace(operation=Operation.WRITEV)
WRITES_ELSEWHERE = WRITES._replace(port=OTHER_PORT)
FILE_READS = Row(RowKind.CPU_COPY, Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER, 0, 0)
FROM_REMOTE = Row(RowKind.CPU_COPY, Operation.READ, Endpoint.TCP, Endpoint.USER, 0, 0)
PRODUCED = Row(RowKind.CPU_COPY, Operation.READ, Endpoint.TCP, Endpoint.USER, PORT, 0)


def failed(call: Operation, number: int) -> Row:
    return Row(RowKind.ERROR, call, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, number)


def counts(**named: tuple[int, int]) -> Rows:
    """Counts by the name of a row above: calls and MiB."""
    return {globals()[name]: Count(events, round(mib * MIB), 0) for name, (events, mib) in named.items()}


def broker(protocol: str = "PLAINTEXT", pid: int = 7) -> Broker:
    listeners = (Listener("A", protocol, PORT), Listener("B", "PLAINTEXT", OTHER_PORT))
    return Broker(pid, 100, "java", Facts("1", listeners))


def loss(reason: str) -> Loss:
    """A loss of the broker's first listener."""
    return Loss(7, "java", Node("unknown", "1"), "A", PORT, reason)


class Devices:
    """Network devices, and what they have sent so far."""

    def __init__(self, **scatter_gather: bool) -> None:
        self.links = {device: Link(None, supported) for device, supported in scatter_gather.items()}
        self.sent = dict.fromkeys(scatter_gather, 0)

    def traffic(self) -> dict[str, Traffic]:
        return {device: Traffic(0, sent) for device, sent in self.sent.items()}


def look(detector: LossDetector, at_ns: int, rows: Rows, of: Broker, fetched: int = 0) -> tuple[Loss, ...]:
    """Evaluate a broker with these rows; its reads of files are those of threads that serve clients."""
    reads = rows[FILE_READS].amount if FILE_READS in rows else 0
    return detector.evaluate(at_ns, [(of, rows)], {(of.pid, of.start_ticks): FolderBytes(reads, fetched)})


def reasons(rows: Rows, protocol: str = "PLAINTEXT", port: int = PORT, fetched: int = 0) -> list[str]:
    detector = LossDetector(Devices(eth0=True))
    look(detector, 0, {}, broker(protocol))
    return [loss.reason for loss in look(detector, 1, rows, broker(protocol), fetched) if loss.port == port]


HEALTHY = counts(SENDFILES=(2000, 900), ACKNOWLEDGEMENTS=(9000, 1), FILE_READS=(500, 40))


def test_zero_copy_has_no_reason() -> None:
    assert reasons(HEALTHY) == []


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_tls_is_known_without_traffic(protocol: str) -> None:
    assert reasons({}, protocol) == ["tls"]
    assert reasons({}, "SASL_PLAINTEXT") == []


def test_tls_is_the_only_reason_of_a_tls_listener() -> None:
    rows = counts(WRITES=(6400, 100), FILE_READS=(6400, 100)) | {
        failed(Operation.SENDFILE, errno.EINVAL): Count(9, 0, 0)
    }
    assert reasons(rows, "SSL") == ["tls"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_sendfile_refused_and_records_copied(number: int) -> None:
    rows = counts(WRITES=(640, 100)) | {failed(Operation.SENDFILE, number): Count(1, 0, 0)}
    assert reasons(rows) == ["jvm_fallback"]
    assert reasons(rows, port=OTHER_PORT) == []


def test_copy_file_range_refused_before_each_sendfile_is_normal() -> None:
    assert reasons(HEALTHY | {failed(Operation.COPY_FILE_RANGE, errno.EINVAL): Count(2000, 0, 0)}) == []


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EPIPE, errno.ECONNRESET, errno.EINTR])
def test_errors_of_full_or_closed_sockets_are_normal(number: int) -> None:
    assert reasons(HEALTHY | {failed(Operation.SENDFILE, number): Count(100_000, 0, 0)}) == []


def test_one_refused_sendfile_beside_zero_copy_is_not_a_loss() -> None:
    assert reasons(HEALTHY | {failed(Operation.SENDFILE, errno.EINVAL): Count(1, 0, 0)}) == []


def test_files_read_and_written_to_the_port() -> None:
    assert reasons(counts(WRITES=(6400, 100), FILE_READS=(6400, 100))) == ["copied"]
    assert reasons(counts(WRITES=(6400, 100), SENDFILES=(900, 800), FILE_READS=(6400, 100))) == ["copied"]


def test_a_small_copied_share_is_not_a_loss() -> None:
    assert reasons(counts(WRITES=(3200, 50), SENDFILES=(9000, 4000), FILE_READS=(6400, 100))) == []


def test_acknowledgements_are_not_a_loss() -> None:
    """A broker that mostly receives: millions of small responses."""
    assert reasons(counts(ACKNOWLEDGEMENTS=(5_000_000, 300), PRODUCED=(200_000, 9000), FILE_READS=(9000, 9))) == []


def test_responses_without_file_reads_are_not_a_loss() -> None:
    """Large responses made in memory, such as metadata."""
    assert reasons(counts(WRITES=(100, 100))) == []


def test_less_than_the_minimum_is_not_a_loss() -> None:
    just_under = (MIN_BYTES - 1) / MIB
    assert reasons(counts(WRITES=(0, just_under), FILE_READS=(1, 100))) == []
    assert reasons(counts(WRITES=(0, MIN_BYTES / MIB), FILE_READS=(1, 100))) == ["copied"]


def test_ports_are_evaluated_separately() -> None:
    rows = HEALTHY | counts(WRITES_ELSEWHERE=(6400, 100), FILE_READS=(6400, 140))
    assert (reasons(rows), reasons(rows, port=OTHER_PORT)) == ([], ["copied"])


def test_a_device_without_scatter_gather() -> None:
    devices = Devices(eth0=False, eth1=True)
    detector = LossDetector(devices)
    assert look(detector, 0, {}, broker()) == ()
    devices.sent = {"eth0": 900 * MIB, "eth1": 900 * MIB}
    assert look(detector, 1, HEALTHY, broker()) == (loss("scatter_gather"),)


def test_a_device_without_scatter_gather_that_sent_too_little() -> None:
    devices = Devices(eth0=False, eth1=True)
    detector = LossDetector(devices)
    look(detector, 0, {}, broker())
    devices.sent = {"eth0": 100 * MIB, "eth1": 900 * MIB}
    assert look(detector, 1, HEALTHY, broker()) == ()


def test_a_reason_ends_with_its_window() -> None:
    detector = LossDetector(Devices())
    copied = counts(WRITES=(6400, 100), FILE_READS=(6400, 100))
    assert look(detector, 0, {}, broker()) == ()
    minute = WINDOW_NS // 5
    for minutes in range(1, 6):
        assert look(detector, minutes * minute, copied, broker()) == (loss("copied"),), minutes
    assert look(detector, 6 * minute, copied, broker()) == ()


def test_frequent_scrapes_do_not_shorten_the_window() -> None:
    detector = LossDetector(Devices())
    copied = counts(WRITES=(6400, 100), FILE_READS=(6400, 100))
    look(detector, 0, {}, broker())
    second = 1_000_000_000
    found = [look(detector, seconds * second, copied, broker()) for seconds in range(1, 400)]
    assert found.index(()) == pytest.approx(WINDOW_NS / second, abs=20)
    assert len(detector._samples) < 25


def test_another_process_with_the_same_id_starts_from_zero() -> None:
    detector = LossDetector(Devices())
    many_copied = counts(WRITES=(64000, 1000), FILE_READS=(64000, 1000))
    look(detector, 0, many_copied, broker())
    restarted = Broker(7, 101, "java", broker().facts)
    assert look(detector, 1, counts(SENDFILES=(1, 1)), restarted) == ()
    assert look(detector, 2, counts(WRITES=(6400, 100), FILE_READS=(6400, 100)), restarted) == (loss("copied"),)


def test_unreadable_devices_do_not_hide_other_reasons() -> None:
    devices = Devices(eth0=False)
    devices.traffic = lambda: (_ for _ in ()).throw(FileNotFoundError(2, "gone"))  # type: ignore[method-assign]
    assert LossDetector(devices).evaluate(0, [(broker("SSL"), {})], {}) == (loss("tls"),)


def test_a_port_that_sends_by_sendfile_is_not_tls() -> None:
    assert reasons(counts(SENDFILES=(2000, 900)), "SSL") == []
    assert reasons(counts(ACKNOWLEDGEMENTS=(9000, 1)), "SSL") == ["tls"]


def test_acknowledgements_do_not_hide_converted_records() -> None:
    """50,000 acknowledgements of 40 bytes beside 42.6 MB that old clients read."""
    rows = counts(ACKNOWLEDGEMENTS=(50_000, 2), WRITES=(700, 42.6), FILE_READS=(700, 42.6))
    assert reasons(rows) == ["copied"]


def test_the_log_cleaner_beside_metadata_answers_is_not_a_loss() -> None:
    """Its reads are not those of threads that serve clients."""
    assert reasons(counts(WRITES=(300, 31.9))) == []


def test_what_a_tls_listener_reads_is_not_read_for_a_plaintext_one() -> None:
    rows = counts(WRITES=(6400, 100), WRITES_ELSEWHERE=(300, 31.9), FILE_READS=(6400, 100))
    assert reasons(rows, "SSL", OTHER_PORT) == []


def test_records_of_a_remote_tier() -> None:
    rows = counts(WRITES=(300, 84), FROM_REMOTE=(5000, 84))
    assert reasons(rows) == ["remote"]
    assert reasons(rows, fetched=80 * MIB) == [], "what a follower fetches from its leaders it writes"
