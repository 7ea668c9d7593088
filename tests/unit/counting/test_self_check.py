"""Whether the exporter notices that a probe has stopped counting."""

import pytest

from exporter.counting.attribution import Attribution
from exporter.counting.sampler import Sampler
from exporter.counting.series import Limits
from tests.support.sample_data import READ, SampleHost


def sampler_of(host: SampleHost) -> Sampler:
    return Sampler(host, host, Attribution(Limits()), lambda: host.now_ns)  # type: ignore[arg-type]


@pytest.fixture
def host():
    host = SampleHost(own_pid=7)
    host.count(host.start(7, "copy-exporter"), READ)
    host.count(host.start(8, "sleeper"), READ)
    return host


def test_counts_that_stand_still_are_an_error_until_they_move_again(host, caplog):
    sampler, mine = sampler_of(host), host.alive(7)
    for _ in range(5):
        host.count(mine, READ)
        sampler.read()
        assert sampler.stalled_probes == frozenset()
    assert [bool(sampler.read() and sampler.stalled_probes) for _ in range(5)] == [False, False, True, True, True]
    assert "restart" in sampler.last_error
    assert len(caplog.records) == 1, "logged once"
    host.count(mine, READ)
    sampler.read()
    assert sampler.stalled_probes == frozenset()
    assert sampler.last_error == ""


def test_another_process_with_the_same_id_is_ignored(host):
    """In a container without the host's pid namespace, /proc shows an id that belongs to another process."""
    sampler = sampler_of(host)
    host.end(host.alive(7))
    host.count(host.start(7, "another"), READ)
    for _ in range(5):
        sampler.read()
        assert sampler.stalled_probes == frozenset()


@pytest.mark.parametrize("own_pid", [0, 9])
def test_no_id_or_no_counts(own_pid):
    host = SampleHost(own_pid=own_pid)
    host.start(9, "copy-exporter")
    sampler = sampler_of(host)
    for _ in range(5):
        sampler.read()
        assert sampler.stalled_probes == frozenset()
