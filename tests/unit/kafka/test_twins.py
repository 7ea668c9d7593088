"""Running brokers with the same ids."""

from exporter.kafka.broker import Broker, Facts, Node
from exporter.kafka.twins import shared_nodes, tell_apart

ONE = Node("c", "1")


def broker(pid: int, node_id: str = "1", directory_id: str = "") -> Broker:
    return Broker(pid, 100, "java", Facts(node_id, cluster_id="c", directory_id=directory_id))


def node_ids(*brokers: Broker) -> list[str]:
    return [known.node.node_id for known in tell_apart(brokers, shared_nodes(brokers, {}, 0).keys())]


def test_brokers_with_ids_of_their_own_have_no_discriminator() -> None:
    assert node_ids(broker(7), broker(8, "2")) == ["1", "2"]


def test_the_discriminator_is_the_directory_id() -> None:
    assert node_ids(broker(7, directory_id="a"), broker(8, directory_id="b")) == ["1@a", "1@b"]


def test_the_discriminator_is_the_process_id_where_directories_are_copies_or_have_no_id() -> None:
    copies = (broker(7, directory_id="a"), broker(8, directory_id="a"), broker(9, directory_id="b"), broker(10))
    assert node_ids(*copies) == ["1@7", "1@8", "1@b", "1@10"]


def test_the_discriminator_stays_while_one_of_them_runs() -> None:
    shared = shared_nodes([broker(7), broker(8)], {}, 0)
    assert shared == {ONE: 0}
    assert shared_nodes([broker(7)], shared, 100) == {ONE: 100}, "the other one may restart"


def test_the_discriminator_stays_when_both_have_exited_as_long_as_totals_do() -> None:
    shared = shared_nodes([broker(7), broker(8)], {}, 0)
    for now in (100, 300):
        assert shared_nodes([], shared, now) == {ONE: 0}
    returned = shared_nodes([broker(9, directory_id="a")], shared, 300)
    (alone,) = tell_apart([broker(9, directory_id="a")], returned.keys())
    assert (returned, alone.node.node_id) == ({ONE: 300}, "1@a")
    assert shared_nodes([broker(9)], shared, 301) == {}
    (afterwards,) = tell_apart([alone], set())
    assert afterwards.node == ONE
