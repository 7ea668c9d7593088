"""Every PromQL expression of the documentation has an answer from a real Prometheus."""

import re

import pytest

from tests.support.doc_queries import PAGES, doc_queries, unmarked

from . import constant_series as constants
from .conftest import Scene

COMPARISON = re.compile(r"\s*(?:==|>|<)\s*[\d.]+$")
"""An expression that ends so has an answer in the case of a fault only."""
AGES = re.compile(r"\s+offset 1d")
WINDOW = "[10s]"
"""Of rates, in the place of five minutes, most of which were before the start of the exporter."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_expression_is_hidden_from_the_tests(page):
    assert unmarked(page) == []


def test_every_expression_has_an_answer(scene: Scene):
    found = list(doc_queries())
    assert len({page for page, _ in found}) > len(constants.TOPICS)
    assert [(page, text) for page, text in found if not answer(scene, text)] == []


def test_the_formulas_of_sampling_have_the_values_of_the_constant_rates(scene: Scene):
    copying, cost, of_host, link, needed = (text for page, text in doc_queries() if page == "docs/sampling.md")
    broker = {"pid": constants.BROKER["pid"], "instance": scene.constant}
    assert answer(scene, copying, **broker) == [near(constants.BROKER_COPYING / constants.BROKER_CPU)]
    copied = constants.SENT_BY_COPY + 2 * constants.SENT_OVER_TLS + constants.RECEIVED + constants.APPENDED
    assert answer(scene, cost, **broker) == [near(2**30 * constants.BROKER_COPYING / copied)]
    of_both = constants.BROKER_COPYING + constants.COPIER_COPYING
    assert answer(scene, of_host, instance=scene.constant) == [near(of_both / constants.CPUS)]
    use = constants.NETWORK_SENT / constants.NETWORK_SPEED
    assert answer(scene, link, instance=scene.constant) == [near(use)]
    assert answer(scene, needed, instance=scene.constant) == [near(constants.BROKER_CPU / use)]


def answer(scene: Scene, expression: str, **labels: str) -> list[float]:
    """The values of the series with these labels, asked of the host with constant rates, now instead of yesterday."""
    asked = AGES.sub("", COMPARISON.sub("", expression.replace("broker1:10435", scene.constant))).replace(
        "[5m]", WINDOW
    )
    found = scene.prometheus.instant(asked, time=scene.times.end)
    return [series.values[0] for series in found if labels.items() <= series.labels.items()]


def near(expected: float) -> object:
    return pytest.approx(expected, rel=0.05)
