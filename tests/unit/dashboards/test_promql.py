"""The parser of PromQL that the tests of queries use."""

import pytest

from tests.support.promql import Selector, aggregated, labels, selectors


def test_selectors_are_found_in_functions_joins_and_sums():
    expression = (
        '2 * sum by (instance, pid) (rate(a_total{x=~"b|c", y!=""}[4s]) or rate(b_total[5m])) / on (instance) '
        'group_left (name) max by (instance, name) (c_info{z="d{e}"} == 1) unless level:d:ratio > 1e-9 offset 1d'
    )
    assert selectors(expression) == [
        Selector("a_total", {"x": '=~"b|c"', "y": '!=""'}, "rate"),
        Selector("b_total", {}, "rate"),
        Selector("c_info", {"z": '="d{e}"'}, "max"),
        Selector("level:d:ratio", {}, ""),
    ]
    assert labels(expression) == {"instance", "pid", "name"}


def test_a_function_without_arguments_is_not_a_metric():
    assert selectors("topk(10, sum(increase(a_total[30s] @ end())))") == [Selector("a_total", {}, "increase")]


def test_series_of_a_histogram_have_the_name_of_their_family():
    assert {selector.base_name for selector in selectors("a_seconds_bucket + a_seconds_sum + b")} == {"a_seconds", "b"}


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("sum(rate(a[5m]))", ["a"]),
        ("sum by (x) (a)", ["a"]),
        ("sum by (x, m) (a)", []),
        ("sum without (x) (a)", []),
        ("sum without (m, x) (a)", ["a"]),
        ("topk(3, a) / max by (m) (b)", []),
        ("sum by (x) (sum by (x, m) (a) * on (x) group_left (y) b) / c", ["a", "b"]),
        ('a{m=")"} / (sum(b) > 0)', ["b"]),
    ],
)
def test_aggregations_over_a_label_are_found(expression: str, names: list[str]):
    assert [selector.name for selector in aggregated(expression, "m")] == names
