"""Enough of PromQL to find the metrics of an expression, their matchers, and the labels that it works with."""

import re
from typing import NamedTuple

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)\s*(?:\{(?P<matchers>[^}]*)\})?(?P<after>\s*\(|\[)?")
_MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)")
_WORDS = {"and", "or", "unless", "bool", "offset", "group_left", "group_right", "on", "by", "without", "ignoring"}
_NUMBER = re.compile(r"(?<![\w:])\d+(?:\.\d+)?(?:e[+-]?\d+|[smhd])?\b")


class Selector(NamedTuple):
    """A metric in an expression."""

    name: str
    matched: frozenset[str]
    """Labels that it is selected by."""
    function: str
    """What it stands in, directly."""


def selectors(expression: str) -> list[Selector]:
    """Every metric that an expression names."""
    text = _NUMBER.sub(" ", _LABELS.sub(" ", _STRING.sub('""', expression)))
    text = re.sub(r"\[[^\]]*\]", "", text)
    return [
        Selector(found["name"], frozenset(_matched(found["matchers"] or "")), _function(text, found))
        for found in _SELECTOR.finditer(text)
        if found["name"] not in _WORDS and not (found["after"] or "").strip().startswith("(")
    ]


def labels(expression: str) -> set[str]:
    """Every label that an expression groups or joins by."""
    text = _STRING.sub('""', expression)
    return {name.strip() for names in _LABELS.findall(text) for name in names.split(",") if name.strip()}


def _matched(matchers: str) -> list[str]:
    return [name for name, _ in _MATCHER.findall(matchers)]


def _function(text: str, found: re.Match[str]) -> str:
    before = re.search(r"(\w+)\s*\(\s*$", text[: found.start("name")])
    return before[1] if before else ""
