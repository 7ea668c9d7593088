"""Enough of PromQL to find the series that an expression selects, the labels it works with, and what it aggregates."""

import re
from typing import NamedTuple

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_NUMBER = re.compile(r"(?<![\w:])\d+(?:\.\d+)?(?:e[+-]?\d+|[smhd])?\b")
_LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_AGGREGATION = re.compile(
    r"\b(?:sum|avg|min|max|count|group|quantile|stddev|stdvar)\s*(?:(?P<modifier>by|without)\s*\((?P<labels>[^)]*)\))?\s*\("
)
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)\s*(?:\{(?P<matchers>[^}]*)\})?(?P<call>\s*\()?")
_MATCHER = re.compile(r'(\w+)\s*((?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*")')
_KEYWORDS = {"and", "or", "unless", "bool", "offset", "group_left", "group_right", "on", "by", "without", "ignoring"}


class Selector(NamedTuple):
    """A metric in an expression."""

    name: str
    matchers: dict[str, str]
    """By label: the operator and the quoted value."""
    function: str = ""
    """The function or aggregation that it is the direct argument of."""

    @property
    def base_name(self) -> str:
        """The name of the family: without the suffix of a histogram's series."""
        return re.sub(r"_(bucket|sum|count)$", "", self.name)


def selectors(expression: str) -> list[Selector]:
    """Every metric that an expression selects."""
    return [selector for selector, _ in _located(expression)]


def labels(expression: str) -> set[str]:
    """Every label that an expression groups or joins by."""
    found = _LABELS.findall(_blank(_STRING, expression))
    return {label.strip() for listed in found for label in listed.split(",") if label.strip()}


def aggregated(expression: str, label: str) -> list[Selector]:
    """The metrics of which an aggregation puts series together that differ in this label."""
    text = _blank(_STRING, expression)
    regions = [
        range(found.end(), _closing(text, found.end()))
        for found in _AGGREGATION.finditer(text)
        if not _keeps(found, label)
    ]
    return [selector for selector, position in _located(expression) if any(position in region for region in regions)]


def _located(expression: str) -> list[tuple[Selector, int]]:
    text = expression
    for pattern in (_STRING, _LABELS, _RANGE, _NUMBER):
        text = _blank(pattern, text)
    return [
        (Selector(found["name"], _matchers(expression, found), _function(text[: found.start()])), found.start())
        for found in _SELECTOR.finditer(text)
        if found["name"] not in _KEYWORDS and not found["call"]
    ]


def _blank(pattern: re.Pattern[str], text: str) -> str:
    """Spaces in the place of what matches, so that positions stay the same."""
    return pattern.sub(lambda found: " " * len(found[0]), text)


def _matchers(expression: str, found: re.Match[str]) -> dict[str, str]:
    start, end = found.span("matchers")
    return dict(_MATCHER.findall(expression[start:end])) if found["matchers"] else {}


def _function(before: str) -> str:
    called = re.search(r"(\w+)\s*\(\s*$", before)
    return called[1] if called else ""


def _keeps(aggregation: re.Match[str], label: str) -> bool:
    listed = label in (aggregation["labels"] or "").replace(" ", "").split(",")
    return listed == (aggregation["modifier"] != "without")


def _closing(text: str, start: int) -> int:
    """The position of the parenthesis that closes the one before ``start``."""
    depth = 1
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if not depth:
            return position
    raise AssertionError(f"unbalanced parentheses: {text}")
