"""What stands for a recorded series reads the exporter's series alone, of the chosen hosts."""

import pytest

from dashboards import promql, recording
from dashboards.computed import computed, recorded
from tests.support.promql import selectors

every_rule = pytest.mark.parametrize("name", [rule.name for rule in recording.rules()])


@every_rule
def test_it_reads_no_recorded_series(name: str):
    found = selectors(computed(name))
    assert found
    assert {selector.name for selector in found} <= set(promql.LABELS)
    assert [selector for selector in found if "instance" not in selector.matchers] == []
    assert "[5m]" not in computed(name)


@every_rule
def test_the_recorded_series_comes_first_and_only_other_hosts_are_computed(name: str):
    own, *others = selectors(recorded(name))
    assert own.name == name
    assert own.matchers["instance"] == '=~"$instance"'
    assert {selector.matchers["instance"] for selector in others} == {'!~"$recorded"'}


def test_matchers_reach_the_series_that_the_rule_reads():
    found = selectors(recorded("host:copy_bytes:rate5m", 'mechanism="dma"'))
    assert {selector.name: selector.matchers["mechanism"] for selector in found} == {
        "host:copy_bytes:rate5m": '="dma"',
        "copy_host_bytes_total": '="dma"',
    }
