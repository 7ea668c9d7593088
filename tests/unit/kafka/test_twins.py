"""Running brokers with the same ids."""

from exporter.kafka.broker import Broker, Facts, Node
from exporter.kafka.twins import shared_nodes, tell_apart

ONE = Node("c", "1")


def broker(pid: int, node_id: str = "1", directory_id: str = "") -> Broker:
    return Broker(pid, 100, "java", Facts(node_id, cluster_id="c", directory_id=directory_id))


def node_ids(*brokers: Broker) -> list[str]:
    return [known.node.node_id for known in tell_apart(brokers, shared_nodes(brokers, frozenset()))]


def test_brokers_with_ids_of_their_own_have_no_discriminator() -> None:
    assert node_ids(broker(7), broker(8, "2")) == ["1", "2"]


def test_the_discriminator_is_the_directory_id() -> None:
    assert node_ids(broker(7, directory_id="a"), broker(8, directory_id="b")) == ["1@a", "1@b"]


def test_the_discriminator_is_the_process_id_where_directories_are_copies_or_have_no_id() -> None:
    copies = (broker(7, directory_id="a"), broker(8, directory_id="a"), broker(9, directory_id="b"), broker(10))
    assert node_ids(*copies) == ["1@7", "1@8", "1@b", "1@10"]


def test_the_discriminator_stays_while_one_of_them_runs() -> None:
    shared = shared_nodes([broker(7), broker(8)], frozenset())
    assert shared == {ONE}
    assert shared_nodes([broker(7)], shared) == {ONE}, "the other one may restart"
    assert shared_nodes([broker(9, "2")], shared) == frozenset()
    (alone,) = tell_apart(tell_apart([broker(7)], shared), frozenset())
    assert alone.node == ONE
