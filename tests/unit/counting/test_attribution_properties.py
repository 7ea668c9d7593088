"""Random processes and scrapes: nothing is lost, nothing counts twice, nothing decreases, everything is bounded."""

from collections.abc import Mapping

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exporter.counting.attribution import Attribution
from exporter.counting.sampler import Sampler
from exporter.counting.series import Limits
from exporter.kafka.broker import Broker, Facts
from exporter.kafka.tracker import KafkaSnapshot
from exporter.model import KERNEL, Identity, Rows
from tests.support.sample_data import EAGAIN, READ, SECOND_NS, SENDFILE, SampleHost

PIDS = st.integers(1, 4)
COMMS = st.sampled_from(["java", "cat", "sh", "dd"])
ROWS = st.sampled_from([READ, SENDFILE, EAGAIN])


def total(rows: Rows) -> int:
    return sum(count.amount + count.events for count in rows.values())


class Host(RuleBasedStateMachine):
    @initialize(
        process_max=st.integers(0, 5), brokers_max=st.integers(0, 2), comms_max=st.integers(0, 3), by_comm=st.booleans()
    )
    def begin(self, process_max: int, brokers_max: int, comms_max: int, by_comm: bool) -> None:
        self.host = SampleHost()
        self.limits = Limits(process_max, brokers_max, comms_max, 5 * SECOND_NS, by_comm)
        attribution = Attribution(self.limits)
        self.sampler = Sampler(self.host, self.host, attribution, lambda: self.host.now_ns, self)  # type: ignore[arg-type]
        self.broker_pids: set[int] = set()
        self.shown: dict[tuple[str, str], tuple[int, int]] = {}
        self.attributed = 0
        self.of_kernel = 0
        self.ended: dict[Identity, int] = {}

    @rule(pid=PIDS, comm=COMMS)
    def process_starts(self, pid: int, comm: str) -> None:
        if self.host.alive(pid) is None:
            self.host.start(pid, comm)

    @rule(pid=PIDS, row=ROWS, amount=st.integers(0, 1000))
    def process_counts(self, pid: int, row: object, amount: int) -> None:
        if identity := self.host.alive(pid):
            self.host.count(identity, row, amount)  # type: ignore[arg-type]

    @rule(pid=PIDS, comm=COMMS)
    def process_takes_a_name(self, pid: int, comm: str) -> None:
        if identity := self.host.alive(pid):
            self.host.comms[identity] = comm

    @rule(pid=PIDS)
    def process_ends(self, pid: int) -> None:
        if identity := self.host.alive(pid):
            has_counted = identity in self.host.rows
            self.host.end(identity)
            if has_counted:
                self.sampler.drain()
                self.ended[identity] = self.host.now_ns

    def count_listeners(self, _processes: object, _finalized: object, _now_ns: int) -> None:
        pass

    def count_if_due(self, now_ns: int) -> None:
        pass

    def take_snapshot(self, processes: Mapping[Identity, Rows], _now_ns: int) -> KafkaSnapshot:
        brokers = (process for process in processes if process.pid in self.broker_pids)
        return KafkaSnapshot(tuple(Broker(broker.pid, broker.start_ticks, "java", Facts()) for broker in brokers))

    @rule(pid=PIDS, amount=st.integers(0, 1000))
    def an_ended_process_counts_late(self, pid: int, amount: int) -> None:
        ended = [identity for identity in self.ended if identity.pid == pid]
        if ended and self.host.now_ns - self.ended[ended[-1]] < 9 * SECOND_NS:
            self.host.count(ended[-1], READ, amount)

    @rule(pid=PIDS)
    def process_is_found_to_be_a_broker(self, pid: int) -> None:
        self.broker_pids.add(pid)

    @rule(amount=st.integers(0, 1000))
    def kernel_thread_counts(self, amount: int) -> None:
        self.host.count(KERNEL, READ, amount)
        self.of_kernel += amount + 1

    @rule(seconds=st.sampled_from([0, 1, 4, 61, 3601]))
    def time_passes(self, seconds: int) -> None:
        self.host.now_ns += seconds * SECOND_NS

    @rule()
    def drain(self) -> None:
        self.sampler.drain()

    @rule()
    def scrape(self) -> None:
        snapshot = self.sampler.read().snapshot
        assert total(snapshot.host) == total(self.host.truth)
        for series in snapshot.series:
            before, since = self.shown.get((series.pid, series.comm), (0, series.since_ns))
            if since != series.since_ns:  # another process, or a series that had ended: it counts from zero
                before = 0
            assert total(series.rows) >= before, "a counter decreased"
            self.attributed += total(series.rows) - before
            self.shown[series.pid, series.comm] = (total(series.rows), series.since_ns)
        # Each byte was in exactly one per-process series, once every process is known.
        assert self.attributed + self.of_kernel == total(self.host.truth)
        assert snapshot.tracked + snapshot.exited <= self.limits.process_max + self.limits.brokers_max
        shared = {series.comm for series in snapshot.series if not series.pid.isdigit()}
        assert len(shared) <= self.limits.comms_max + 1

    @precondition(lambda self: hasattr(self, "host"))
    @invariant()
    def ended_processes_leave_nothing_behind_after_a_drain(self) -> None:
        pending = {gone.identity for gone in self.host.exits}
        left: set[Identity] = self.host.rows.keys() - self.host.comms.keys() - pending - {KERNEL} - self.ended.keys()
        assert not left


Host.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestHost = Host.TestCase
