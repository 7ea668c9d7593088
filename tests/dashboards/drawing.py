"""Draws a dashboard from its JSON and a Prometheus, panel by panel where Grafana would put it; it is not Grafana.

Queries, units, legends and thresholds are those of the JSON, numbers those of the server. It has no links.
"""

import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import dates
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from tests.support.prometheus import Prometheus

from .documents import DOCUMENTS, Viewer

WIDE, HIGH = 0.56, 0.4
"""Inches of one cell of the grid of 24 columns."""
COLORS = plt.get_cmap("tab10").colors
NAMED = {"green": "#56a64b", "yellow": "#e0b400", "red": "#e02f44", "blue": "#3274d9"}
INK, FAINT, PAPER = "#24292e", "#8a8f98", "#ffffff"
MOST_LINES, MOST_ROWS = 8, 9


@dataclass(frozen=True)
class View:
    """Whom to ask, for whom, and about when."""

    prometheus: Prometheus
    viewer: Viewer
    start: float
    end: float


@dataclass(frozen=True)
class Line:
    """What one series of a query has to show."""

    name: str
    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]


def draw(document: str, rows: Sequence[str], view: View, title: str, path: Path) -> None:
    """Draw these rows of a dashboard, with ``title`` above."""
    chosen = list(_chosen(document, rows))
    top = min(panel["gridPos"]["y"] for panel in chosen)
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in chosen) - top + 2
    figure = plt.figure(figsize=(24 * WIDE, height * HIGH), facecolor="#f4f5f5")
    figure.text(0.006, 1 - 1 / height, title, fontsize=9, color=INK, va="center")
    for panel in chosen:
        place = panel["gridPos"]
        y = height - 2 - (place["y"] - top) - place["h"]
        box = (place["x"] / 24, y / height, place["w"] / 24, place["h"] / height)
        if panel["type"] == "row":
            figure.text(0.006, box[1] + 0.4 / height, panel["title"], fontsize=11, weight="bold", color=INK)
        else:
            _draw_panel(figure, box, panel, list(_asked(document, panel, view)))
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _chosen(document: str, rows: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The panels below these headings, and the headings, moved up to close the gaps."""
    gap, inside, last = 0, False, 0
    for panel in DOCUMENTS[document]["panels"]:
        if panel["type"] == "row":
            inside = panel["title"] in rows
            if inside:
                gap = panel["gridPos"]["y"] - last
        if inside:
            place = {**panel["gridPos"], "y": panel["gridPos"]["y"] - gap}
            last = max(last, place["y"] + place["h"])
            yield {**panel, "gridPos": place}


def _asked(document: str, panel: dict[str, Any], view: View) -> Iterator[list[Line]]:
    for target in panel["targets"]:
        query = view.viewer.query(target["expr"], document)
        if target.get("instant"):
            found = view.prometheus.get("query", query=query, time=view.end)["result"]
            samples = [(one["metric"], [one["value"]]) for one in found]
        else:
            span = {"start": view.start, "end": view.end, "step": view.viewer.step_seconds}
            found = view.prometheus.get("query_range", query=query, **span)["result"]
            samples = [(one["metric"], one["values"]) for one in found]
        yield [_line(target["legendFormat"], labels, values) for labels, values in samples]


def _line(legend: str, labels: dict[str, str], values: list[tuple[float, str]]) -> Line:
    name = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)
    return Line(name, labels, [time for time, _ in values], [float(value) for _, value in values])


def _draw_panel(
    figure: Any, box: tuple[float, float, float, float], panel: dict[str, Any], asked: list[list[Line]]
) -> None:
    width, height = figure.get_size_inches()
    edge, head = 0.06 / width, 0.34 / height
    left, bottom, wide, high = box[0] + edge, box[1] + 0.06 / height, box[2] - 2 * edge, box[3] - 0.12 / height
    paper = plt.Rectangle((left, bottom), wide, high, facecolor=PAPER, edgecolor="#dcdfe3", zorder=-1)
    figure.add_artist(paper)
    figure.text(left + 0.1 / width, bottom + high - head * 0.6, panel["title"], fontsize=8.5, weight="bold", color=INK)
    inner = (left, bottom, wide, high - head)
    if not any(asked):
        text = "\n".join(textwrap.wrap(panel["fieldConfig"]["defaults"]["noValue"], int(13 * wide * width)))
        figure.text(left + wide / 2, bottom + high / 2, text, fontsize=7.5, color=FAINT, ha="center", va="center")
        return
    KINDS[panel["type"]](figure, inner, panel, asked)


def _axes(figure: Any, inner: tuple[float, float, float, float], left: float, low: float) -> Axes:
    width, height = figure.get_size_inches()
    x, y, wide, high = inner
    axes = figure.add_axes(
        (x + left / width, y + low / height, wide - (left + 0.15) / width, high - (low + 0.05) / height)
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=6.5, colors=INK, length=2)
    axes.grid(color="#eceef0", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def _timeseries(figure: Any, inner: Any, panel: dict[str, Any], asked: list[list[Line]]) -> None:
    lines = sorted((line for lines in asked for line in lines), key=lambda line: -sum(_numbers(line)))
    shown = lines[:MOST_LINES]
    axes = _axes(figure, inner, 0.65, 0.32 + 0.145 * len(shown))
    unit = panel["fieldConfig"]["defaults"]["unit"]
    stacked = panel["fieldConfig"]["defaults"]["custom"].get("stacking", {}).get("mode") == "normal"
    if stacked:
        _stack(axes, shown)
    else:
        for number, line in enumerate(shown):
            axes.plot([_day(time) for time in line.times], line.values, color=COLORS[number % 10], linewidth=1.2)
    axes.set_ylim(0, panel["fieldConfig"]["defaults"].get("max", max(axes.get_ylim()[1], 1e-9)) * 1.03)
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S"))
    axes.xaxis.set_major_locator(plt.MaxNLocator(5))
    axes.yaxis.set_major_formatter(lambda value, _: told(value, unit))
    axes.yaxis.set_major_locator(_ticks(unit, axes.get_ylim()[1]))
    _legend(figure, inner, shown, unit, len(lines))


def _stack(axes: Axes, lines: list[Line]) -> None:
    times = sorted({time for line in lines for time in line.times})
    courses = [dict(zip(line.times, line.values, strict=True)) for line in lines]
    heights = [[course.get(time, 0.0) for time in times] for course in courses]
    axes.stackplot([_day(time) for time in times], heights, colors=COLORS, alpha=0.65)


def _legend(figure: Any, inner: Any, lines: list[Line], unit: str, count: int) -> None:
    width, height = figure.get_size_inches()
    for number, line in enumerate(lines):
        y = inner[1] + (0.06 + 0.145 * (len(lines) - 1 - number)) / height
        numbers = _numbers(line) or [math.nan]
        text = f"{line.name}   mean {told(sum(numbers) / len(numbers), unit)}   max {told(max(numbers), unit)}"
        if number == len(lines) - 1 and count > len(lines):
            text += f"   (and {count - len(lines)} more)"
        figure.text(inner[0] + 0.12 / width, y, "━", fontsize=7, color=COLORS[number % 10])
        figure.text(inner[0] + 0.34 / width, y, text, fontsize=6.8, color=INK)


def _stat(figure: Any, inner: Any, panel: dict[str, Any], asked: list[list[Line]]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    lines = [line for lines in asked for line in lines]
    value = _numbers(lines[0])[-1] if _numbers(lines[0]) else math.nan
    text, color = told(value, defaults["unit"]), _color(value, defaults["thresholds"]["steps"])
    for mapping in defaults.get("mappings", []):
        low, high = (mapping["options"].get(end) for end in ("from", "to"))
        if (low is None or value >= low) and (high is None or value <= high):
            text, color = mapping["options"]["result"]["text"], NAMED[mapping["options"]["result"]["color"]]
    axes = _axes(figure, inner, 0.05, 0.05)
    axes.axis("off")
    axes.fill_between([_day(time) for time in lines[0].times], lines[0].values, color=color, alpha=0.12)
    axes.set_ylim(0, max([*_numbers(lines[0]), 1e-9]) * 1.6)
    x, y, wide, high = inner
    figure.text(x + wide / 2, y + high / 2, text, fontsize=17, color=color, ha="center", va="center", weight="bold")


def _bars(figure: Any, inner: Any, panel: dict[str, Any], asked: list[list[Line]]) -> None:
    lines = sorted((line for lines in asked for line in lines), key=lambda line: line.values[-1])[-MOST_ROWS - 3 :]
    axes = _axes(figure, inner, 2.2, 0.25)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.barh([line.name for line in lines], [line.values[-1] for line in lines], color=NAMED["blue"], height=0.6)
    axes.xaxis.set_major_formatter(lambda value, _: told(value, unit))
    axes.xaxis.set_major_locator(_ticks(unit, axes.get_xlim()[1]))


def _ticks(unit: str, most: float) -> Any:
    """About five; of bytes at powers of two."""
    if unit in ("binBps", "bytes"):
        return plt.MultipleLocator(2.0 ** math.ceil(math.log2(most / 5)))
    return plt.MaxNLocator(5)


def _table(figure: Any, inner: Any, panel: dict[str, Any], asked: list[list[Line]]) -> None:
    headings = panel["transformations"][1]["options"]["renameByName"]
    labels = [name for name in headings if not name.startswith("Value")]
    columns = [heading for name, heading in headings.items() if name.startswith("Value")]
    units = {one["matcher"]["options"]: one["properties"][0]["value"] for one in panel["fieldConfig"]["overrides"]}
    rows = _merged(labels, columns, asked)
    rows.sort(key=lambda row: -float(row.get(columns[0]) or 0))
    shown = [label for label in labels if any(row.get(label) for row in rows)]
    cells = [
        [*(str(row.get(label, ""))[:34] for label in shown)]
        + [told(float(row[name]), units[name]) if name in row else "" for name in columns]
        for row in rows[:MOST_ROWS]
    ]
    axes = _axes(figure, inner, 0.08, 0.05)
    axes.axis("off")
    drawn = axes.table(
        cellText=cells,
        colLabels=[*(headings[label] for label in shown), *columns],
        loc="upper left",
        cellLoc="left",
        edges="horizontal",
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(7)
    drawn.auto_set_column_width(range(len(shown) + len(columns)))
    for cell in drawn.get_celld().values():
        cell.set_edgecolor("#e4e7eb")


def _merged(labels: list[str], columns: list[str], asked: list[list[Line]]) -> list[dict[str, Any]]:
    """Rows that agree in all labels that they share are one, as Grafana's transformation has it."""
    rows: list[dict[str, Any]] = []
    for column, lines in zip(columns, asked, strict=True):
        for line in lines:
            own = {label: line.labels[label] for label in labels if label in line.labels}
            row = next((row for row in rows if all(row.get(one, value) == value for one, value in own.items())), None)
            if row is None:
                rows.append(row := {})
            row |= own | {column: line.values[-1]}
    return [row for row in rows if columns[0] in row]


def _heatmap(figure: Any, inner: Any, _: dict[str, Any], asked: list[list[Line]]) -> None:
    lines = sorted(asked[0], key=lambda line: float(line.labels["le"]))
    axes = _axes(figure, inner, 0.65, 0.25)
    times = sorted({time for line in lines for time in line.times})
    courses = [dict(zip(line.times, line.values, strict=True)) for line in lines]
    upto = [[course.get(time, 0.0) for time in times] for course in courses]
    cells = [
        upto[0],
        *([high - low for high, low in zip(*pair, strict=True)] for pair in zip(upto[1:], upto[:-1], strict=True)),
    ]
    axes.pcolormesh([_day(time) for time in times], range(len(lines)), cells, cmap="Oranges", shading="nearest")
    bounds = [float(line.labels["le"]) for line in lines]
    axes.set_yticks(range(len(lines)), ["more" if math.isinf(one) else f"≤ {told(one, 's')}" for one in bounds])
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S"))
    axes.xaxis.set_major_locator(plt.MaxNLocator(4))


KINDS = {"timeseries": _timeseries, "stat": _stat, "bargauge": _bars, "table": _table, "heatmap": _heatmap}


def _numbers(line: Line) -> list[float]:
    return [value for value in line.values if not math.isnan(value)]


def _day(time: float) -> float:
    return dates.date2num(dates.num2date(time / 86400))


def _color(value: float, steps: list[dict[str, Any]]) -> str:
    return NAMED[[step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]]


def told(value: float, unit: str) -> str:
    """A number as Grafana would write it, about."""
    if math.isnan(value):
        return "none"
    if unit in ("binBps", "bytes"):
        return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB")) + ("/s" if unit == "binBps" else "")
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s":
        return _scaled(value * 1e6, 1000, ("µs", "ms", "s"))
    if unit.startswith("suffix:"):
        return f"{value:.3g}{unit.removeprefix('suffix:')}"
    return _scaled(value, 1000, ("", "K", "M", "G")) + {"ops": " ops/s", "eps": " evt/s"}.get(unit, "")


def _scaled(value: float, base: int, units: Sequence[str]) -> str:
    step = 0
    while abs(value) >= base and step < len(units) - 1:
        value, step = value / base, step + 1
    return f"{value:.3g} {units[step]}".strip()
