"""Statistics, and the sections of a report as plain data."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A median of repeated measurements, with the quartiles around it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.0f} ({self.low:.0f} to {self.high:.0f})"


def figure(values: Sequence[float]) -> Figure:
    """The median and quartiles of one or more values."""
    if len(values) == 1:
        return Figure(values[0], values[0], values[0])
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return Figure(middle, low, high)


def differences(values: Sequence[float], base: Sequence[float]) -> Figure:
    """The differences between two measurements of the same round, so that a slow phase of the host is in both."""
    return figure([value - below for value, below in zip(values, base, strict=True)])


@dataclass(frozen=True)
class Target:
    """A limit that the exporter is meant to keep, and what was measured."""

    name: str
    measured: float
    limit: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the measured value is within the limit."""
        return self.measured <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        """The row of the table of targets."""
        verdict = "pass" if self.met else "FAIL"
        return self.name, f"{number(self.measured)}{self.unit}", f"{number(self.limit)}{self.unit}", verdict


@dataclass(frozen=True)
class Section:
    """One table of the report."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    """The measured values for ``--json``: numbers and :class:`Figure`."""

    def as_json(self) -> dict[str, Any]:
        """The section for ``--json``."""
        return {
            "title": self.title,
            "figures": {
                name: asdict(value) if isinstance(value, Figure) else value for name, value in self.figures.items()
            },
            "targets": [asdict(target) | {"met": target.met} for target in self.targets],
            "notes": list(self.notes),
        }


def number(value: float) -> str:
    """A number with three significant digits, or with all digits before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    lines = [columns, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    padded = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rule = "-|-".join("-" * width for width in widths)
    return "\n".join([f"| {padded[0]} |", f"|-{rule}-|", *(f"| {line} |" for line in padded[1:])])
