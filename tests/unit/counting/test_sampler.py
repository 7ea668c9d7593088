"""What the live view finds of processes that have ended."""

from types import SimpleNamespace

from exporter.counting.attribution import Attribution
from exporter.counting.sampler import Sampler
from exporter.counting.series import Limits
from tests.support.sample_data import SECOND_NS, SampleHost


def test_ended_processes_are_kept_for_some_seconds():
    host = SampleHost()
    maps = SimpleNamespace(
        take_exits=host.take_exits,
        sample=host.sample,
        forget=host.forget,
        reclaim=host.reclaim,
        packed_counts=dict,
        exits=list,
        dropped=host.dropped,
        runs=host.runs,
    )
    sampler = Sampler(maps, host, Attribution(Limits()), lambda: host.now_ns)  # type: ignore[arg-type]
    process = host.start(7, "cat")
    host.count(process)
    host.end(process)
    sampler.drain()
    host.now_ns += 5 * SECOND_NS
    sampler.drain()
    assert [gone.identity for gone in sampler.peek().ended] == [process]
    host.now_ns += 6 * SECOND_NS
    sampler.drain()
    assert sampler.peek().ended == ()
