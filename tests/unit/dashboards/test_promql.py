"""The little that the other tests know of PromQL."""

from tests.dashboards.promql import Selector, labels, selectors


def test_selectors_are_found_in_functions_joins_and_sums():
    expression = (
        '2 * sum by (instance, pid) (rate(a_total{x=~"b|c", y!=""}[4s]) or rate(b_total[5m])) / on (instance) '
        'group_left (name) max by (instance, name) (c_info{z="d{e}"} == 1) unless level:d:ratio > 1e-9 offset 1d'
    )
    assert selectors(expression) == [
        Selector("a_total", frozenset({"x", "y"}), "rate"),
        Selector("b_total", frozenset(), "rate"),
        Selector("c_info", frozenset({"z"}), "max"),
        Selector("level:d:ratio", frozenset(), ""),
    ]
    assert labels(expression) == {"instance", "pid", "name"}


def test_a_function_that_takes_nothing_is_no_metric():
    assert [one.name for one in selectors("topk(10, sum(increase(a_total[30s] @ end())))")] == ["a_total"]
