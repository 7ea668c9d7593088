"""CPU time by listener: of whichever threads serve it, never decreasing."""

from exporter.kafka.broker import UNKNOWN, Broker, Facts, Listener, Node
from exporter.kafka.listener_cpu import ListenerCpuCounter
from exporter.kafka.listener_traffic import ListenerKey
from exporter.model import NS_PER_TICK, Identity, Thread

SECOND_NS = 1_000_000_000
LISTENERS = (Listener("PLAIN", "PLAINTEXT", 9092), Listener("TLS", "SSL", 9093))
NODE = Node(UNKNOWN, "1")
PLAIN, TLS = (ListenerKey(NODE, listener.name, str(listener.port)) for listener in LISTENERS)


def broker(pid: int = 7) -> Broker:
    return Broker(pid, 100, "java", Facts("1", LISTENERS))


def thread(tid: int, pid: int = 7) -> Thread:
    return Thread(Identity(100 * NS_PER_TICK, pid), tid)


class Threads:
    """The CPU seconds of threads, by thread id."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = {int(name.removeprefix("t")): value for name, value in seconds.items()}

    def of(self, _pid: int, tid: int) -> float | None:
        return self.seconds.get(tid)


def test_threads_of_a_listener_are_added_up() -> None:
    threads = Threads(t1=5.0, t2=1.0, t3=100.0)
    counter = ListenerCpuCounter(threads.of)
    ports = {thread(1): 9092, thread(2): 9092, thread(3): 9093}
    counter.count(ports, [broker()], 0)
    assert counter.totals() == {PLAIN: 0.0, TLS: 0.0}, "what they used before they were seen is not of this time"
    threads.seconds = {1: 5.5, 2: 2.0, 3: 104.0}
    counter.count(ports, [broker()], SECOND_NS)
    assert counter.totals() == {PLAIN: 1.5, TLS: 4.0}


def test_threads_that_end_and_ids_that_are_used_again() -> None:
    threads = Threads(t1=5.0)
    counter = ListenerCpuCounter(threads.of)
    counter.count({thread(1): 9092}, [broker()], 0)
    threads.seconds = {1: 6.0}
    counter.count({thread(1): 9092}, [broker()], 1)
    threads.seconds = {}
    counter.count({thread(1): 9092}, [broker()], 2)
    threads.seconds = {1: 0.5}
    counter.count({thread(1): 9092}, [broker()], 3)
    threads.seconds = {1: 0.7}
    counter.count({thread(1): 9092}, [broker()], 4)
    assert round(counter.totals()[PLAIN], 6) == 1.2


def test_ports_without_a_listener_and_processes_that_are_no_brokers() -> None:
    counter = ListenerCpuCounter(Threads(t1=5.0, t2=5.0).of)
    counter.count({thread(1): 12345, thread(2, pid=8): 9092}, [broker()], 0)
    assert counter.totals() == {}


def test_totals_continue_after_a_restart_and_end_five_minutes_after_the_broker() -> None:
    threads = Threads(t1=5.0, t2=0.0)
    counter = ListenerCpuCounter(threads.of)
    counter.count({thread(1): 9092}, [broker()], 0)
    threads.seconds[1] = 7.0
    counter.count({thread(1): 9092}, [broker()], SECOND_NS)
    counter.count({thread(1): 9092, thread(2, pid=8): 9092}, [broker(8)], 2 * SECOND_NS)
    threads.seconds[2] = 1.0
    counter.count({thread(2, pid=8): 9092}, [broker(8)], 3 * SECOND_NS)
    assert counter.totals() == {PLAIN: 3.0}
    counter.count({}, [], 304 * SECOND_NS)
    assert counter.totals() == {}


def test_many_nodes_add_no_totals_above_the_limit() -> None:
    counter = ListenerCpuCounter(lambda _pid, _tid: 1.0)
    brokers = [Broker(pid, 100, "java", Facts(f"{pid}", LISTENERS)) for pid in range(1, 302)]
    counter.count({thread(pid, pid): 9092 for pid in range(1, 302)}, brokers, 0)
    assert len(counter.totals()) == 201
