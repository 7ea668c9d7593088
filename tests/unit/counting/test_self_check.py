"""Whether the exporter notices that nothing is counted any more."""

import pytest

from exporter.counting.attribution import Attribution, Limits
from exporter.counting.sampler import Sampler
from tests.support.sample_data import READ, World


def sampler_of(world: World) -> Sampler:
    return Sampler(world, world, Attribution(Limits()), lambda: world.now_ns)  # type: ignore[arg-type]


@pytest.fixture
def world():
    world = World(own_pid=7)
    world.count(world.start(7, "copy-exporter"), READ)
    world.count(world.start(8, "sleeper"), READ)
    return world


def test_counts_that_stand_still_are_trouble_until_they_move_again(world, caplog):
    sampler, mine = sampler_of(world), world.alive(7)
    for _ in range(5):
        world.count(mine, READ)
        assert sampler.read().silent == frozenset()
    assert [bool(sampler.read().silent) for _ in range(5)] == [False, False, True, True, True]
    assert "restart" in sampler.trouble
    assert len(caplog.records) == 1, "said once"
    world.count(mine, READ)
    assert sampler.read().silent == frozenset()
    assert sampler.trouble == ""


def test_another_with_the_same_id_tells_nothing(world):
    """In a container without the host's pid namespace, /proc tells an id that belongs to somebody else."""
    sampler = sampler_of(world)
    world.end(world.alive(7))
    world.count(world.start(7, "somebody"), READ)
    for _ in range(5):
        assert sampler.read().silent == frozenset()


@pytest.mark.parametrize("own_pid", [0, 9])
def test_no_id_or_no_counts(own_pid):
    world = World(own_pid=own_pid)
    world.start(9, "copy-exporter")
    sampler = sampler_of(world)
    for _ in range(5):
        assert sampler.read().silent == frozenset()
