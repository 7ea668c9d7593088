"""Statistics, and what a section of the report is made of: plain data, without a kernel."""

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
    """Of one value or more."""
    if len(values) == 1:
        return Figure(values[0], values[0], values[0])
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return Figure(middle, low, high)


def added(values: Sequence[float], base: Sequence[float]) -> Figure:
    """What was added: differences between the measurements of one round, so that a slow spell is in both."""
    return figure([value - below for value, below in zip(values, base, strict=True)])


@dataclass(frozen=True)
class Target:
    """A promise of the design, and what was measured."""

    promise: str
    measured: float
    limit: float
    unit: str = ""

    @property
    def kept(self) -> bool:
        """Whether the measured is within the limit."""
        return self.measured <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        """What the table of targets shows."""
        verdict = "pass" if self.kept else "FAIL"
        return self.promise, f"{number(self.measured)}{self.unit}", f"{number(self.limit)}{self.unit}", verdict


@dataclass(frozen=True)
class Section:
    """One table of the report."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    """The same for machines: plain values and :class:`Figure`."""

    def plain(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "title": self.title,
            "figures": {
                name: asdict(value) if isinstance(value, Figure) else value for name, value in self.figures.items()
            },
            "targets": [asdict(target) | {"kept": target.kept} for target in self.targets],
            "notes": list(self.notes),
        }


def number(value: float) -> str:
    """Three digits, or all in front of the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table to be read as it is and pasted as it is."""
    lines = [columns, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    padded = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rule = "-|-".join("-" * width for width in widths)
    return "\n".join([f"| {padded[0]} |", f"|-{rule}-|", *(f"| {line} |" for line in padded[1:])])
