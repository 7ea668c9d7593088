"""Panels as all dashboards have them: title, what it means and what to do, unit, queries, a word without data.

They are builders of the Grafana Foundation SDK, so callers go on with ``.span(8)``, ``.max(1)`` and so on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_kinds
from grafana_foundation_sdk.models import prometheus as query_kinds

DATASOURCE = kinds.DataSourceRef(type_val="prometheus", uid="${datasource}")
NONE = "No data: nothing of this happened in this time, or no exporter is scraped"
NO_KAFKA = "No data: no Kafka broker was found here (exporter with --kafka; by port alone: --watch.port N)"
NO_NETWORK = "No data: no network device here says its speed (virtual ones often do not)"
OPTIONAL = "No data: this probe is off unless asked for, or this kernel does not allow it (copy-exporter doctor)"
NOTHING_WRONG = "None: nothing to do"

BYTES = "bytes"
BYTE_RATE = "binBps"
CALL_RATE = "ops"
SHARE = "percentunit"
SECONDS = "s"
CORES = "suffix: cores"
COUNT = "short"
INFO = "string"

GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
ROW_SPAN = 24

Panel = Builder[models.Panel]
AnyPanel = TypeVar("AnyPanel", timeseries.Panel, stat.Panel, bargauge.Panel, heatmap.Panel, table.Panel)


class Query(NamedTuple):
    """An expression and how its lines are called."""

    expression: str
    legend: str = "__auto"


@dataclass(frozen=True)
class Column:
    """A column of numbers in a table."""

    name: str
    unit: str
    expression: str
    steps: "Steps | None" = None


class Steps(NamedTuple):
    """Thresholds: the colour below the first bound, then bound by bound."""

    first: str
    above: tuple[tuple[float, str], ...]


HIGH_IS_BAD = Steps(GREEN, ((0.7, YELLOW), (0.9, RED)))
LOW_IS_BAD = Steps(RED, ((0.5, YELLOW), (0.95, GREEN)))
ANY_IS_BAD = Steps(GREEN, ((1e-9, RED),))
NONE_IS_BAD = Steps(RED, ((1, GREEN),))
COPIES = Steps(GREEN, ((0.5, YELLOW), (1.5, RED)))
"""CPU copies of each byte sent: none by zero copy, one from memory, two by read and write."""


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """For a panel's ``.thresholds()``."""
    first = models.Threshold(value=None, color=steps.first)
    rest = [models.Threshold(value=bound, color=color) for bound, color in steps.above]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps([first, *rest])


def timeline(title: str, description: str, unit: str, *queries: Query) -> timeseries.Panel:
    """Lines over time, half a row wide."""
    panel = (
        _about(timeseries.Panel(), title, description, unit)
        .no_value(NONE)
        .min(0)
        .span(12)
        .height(8)
        .line_width(1)
        .fill_opacity(10)
        .show_points(kinds.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(kinds.LegendDisplayMode.TABLE)
            .placement(kinds.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["mean", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING))
    )
    for number, query in enumerate(queries):
        panel.with_target(_target(query, number).range())
    return panel


def stacked(title: str, description: str, unit: str, *queries: Query) -> timeseries.Panel:
    """The same, one upon the other."""
    panel = timeline(title, description, unit, *queries).fill_opacity(40)
    return panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))


def lines_at(panel: timeseries.Panel, steps: Steps) -> timeseries.Panel:
    """Draw the thresholds across it."""
    style = common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(thresholds(steps)).thresholds_style(style)


def number(title: str, description: str, unit: str, *queries: Query) -> stat.Panel:
    """The present value, large, with its course behind it."""
    panel = (
        _about(stat.Panel(), title, description, unit)
        .no_value("No data")
        .span(4)
        .height(4)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(kinds.BigValueColorMode.VALUE)
        .graph_mode(kinds.BigValueGraphMode.AREA)
        .thresholds(thresholds(Steps(BLUE, ())))
    )
    for index, query in enumerate(queries):
        panel.with_target(_target(query, index).range())
    return panel


def bars(title: str, description: str, unit: str, *queries: Query) -> bargauge.Panel:
    """Present values side by side as bars."""
    panel = (
        _about(bargauge.Panel(), title, description, unit)
        .no_value(NONE)
        .min(0)
        .span(12)
        .height(8)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds(Steps(BLUE, ())))
    )
    for index, query in enumerate(queries):
        panel.with_target(_target(query, index).instant())
    return panel


def latencies(title: str, description: str, query: Query) -> heatmap.Panel:
    """A histogram's buckets over time; the query sums buckets by ``le``."""
    panel = (
        _about(heatmap.Panel(), title, description, SECONDS)
        .no_value(NONE)
        .span(12)
        .height(8)
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit(SECONDS))
        .color(heatmap.HeatmapColorOptions().mode(heatmap_kinds.HeatmapColorMode.SCHEME).scheme("Oranges").steps(32))
    )
    return panel.with_target(_target(query, 0).range().format(query_kinds.PromQueryFormat.HEATMAP))


def quantiles(buckets: str, who: str, among: str = "") -> tuple[Query, Query]:
    """Lines for the middle of a histogram and for its 99 %; ``among`` is put behind the expressions."""
    return (
        Query(f"histogram_quantile(0.5, {buckets}){among}", f"half, {who}"),
        Query(f"histogram_quantile(0.99, {buckets}){among}", f"99 %, {who}"),
    )


def losses(title: str, description: str, selector: str) -> table.Panel:
    """Brokers' listeners that have lost zero copy, and why."""
    reasons = f"max by (instance, node_id, port, reason) (copy_kafka_zero_copy_lost_info{{{selector}}})"
    labels = {"instance": "Host", "node_id": "Broker", "port": "Port", "reason": "Reason"}
    return listing(title, description, labels, [Column("Lost", COUNT, reasons, ANY_IS_BAD)])


def listing(title: str, description: str, labels: Mapping[str, str], columns: Sequence[Column]) -> table.Panel:
    """One row for each set of labels; ``labels`` gives their headings in order, others are left out."""
    names = {_value_of(index, columns): column.name for index, column in enumerate(columns)}
    shown = {**labels, **names}
    panel = (
        _about(table.Panel(), title, description, columns[0].unit)
        .no_value(NONE)
        .span(ROW_SPAN)
        .height(9)
        .filterable(True)
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(models.DataTransformerConfig(id_val="organize", options=_organized(shown)))
    )
    for index, column in enumerate(columns):
        query = _target(Query(column.expression), index)
        panel.with_target(query.instant().format(query_kinds.PromQueryFormat.TABLE))
        panel.override_by_name(column.name, _properties(column))
    return panel


def linked(panel: timeseries.Panel | table.Panel, link: dashboard.DashboardLink) -> None:
    """Let a click on a value lead elsewhere."""
    panel.data_links([link])


def _about(panel: AnyPanel, title: str, description: str, unit: str) -> AnyPanel:
    """What every panel has; the SDK's builders have nothing in common."""
    return panel.title(title).description(description).unit(unit).datasource(DATASOURCE)


def _target(query: Query, number: int) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(DATASOURCE).ref_id(chr(ord("A") + number))
    return target.expr(query.expression).legend_format(query.legend).editor_mode(query_kinds.QueryEditorMode.CODE)


def _value_of(index: int, columns: Sequence[Column]) -> str:
    """How Grafana calls the numbers of one query of a table."""
    return "Value" if len(columns) == 1 else f"Value #{chr(ord('A') + index)}"


def _organized(shown: Mapping[str, str]) -> dict[str, object]:
    return {
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, name in enumerate(shown)},
        "renameByName": dict(shown),
    }


def _properties(column: Column) -> list[models.DynamicConfigValue]:
    properties = [models.DynamicConfigValue(id_val="unit", value=column.unit)]
    if column.steps:
        steps = thresholds(column.steps).build()
        properties.append(models.DynamicConfigValue(id_val="thresholds", value=steps))
        cell = {"type": "color-background", "mode": "basic"}
        properties.append(models.DynamicConfigValue(id_val="custom.cellOptions", value=cell))
    return properties
