"""Panels as all dashboards use them: title, meaning and advice, unit, queries, and a text for when there is no data.

They return builders of the Grafana Foundation SDK, so callers can add ``.span(8)``, ``.max(1)`` and so on.
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
NO_EVENTS = "No data: this did not happen in the time range, or no exporter is scraped"
NO_KAFKA = "No data: no Kafka broker was found (run the exporter with --kafka, or with --watch.port N for a port alone)"
NO_NETWORK = "No data: no network device reports its speed (virtual devices often do not)"
OPTIONAL = "No data: this probe is off, or this kernel does not support it (copy-exporter doctor shows why)"
NO_TRAFFIC = "No data: no network device sends 256 KiB/s; traffic to clients on the same host passes none"
NOTHING_WRONG = "None"
EMPTY_CELL = "-"
"""In a table, where a row has no value. The panel's own text would not fit into a cell."""

BYTES = "bytes"
BYTE_RATE = "binBps"
CALL_RATE = "ops"
SHARE = "percentunit"
SECONDS = "s"
CORES = "suffix:cores"
COUNT = "short"
INFO = "string"

GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
_EMPTY_IS_NOT_BAD = models.SpecialValueMap(
    models.DashboardSpecialValueMapOptions(
        models.SpecialValueMatch.NULL_AND_NAN, models.ValueMappingResult(text=EMPTY_CELL, color="transparent")
    )
)
"""Without it, a cell without a value has the colour below the first threshold."""
ROW_SPAN = 24
_MIN_COLUMN = 80
"""Pixels. Grafana's own minimum hides the last columns of a table on a small screen."""

Panel = Builder[models.Panel]
AnyPanel = TypeVar("AnyPanel", timeseries.Panel, stat.Panel, bargauge.Panel, heatmap.Panel, table.Panel)


class Query(NamedTuple):
    """An expression and the legend of its lines."""

    expression: str
    legend: str = "__auto"


@dataclass(frozen=True)
class Column:
    """A numeric column of a table."""

    name: str
    unit: str
    expression: str
    steps: "Steps | None" = None


class Steps(NamedTuple):
    """Thresholds: the colour below the first bound, then the colour from each bound on."""

    first: str
    above: tuple[tuple[float, str], ...]


HIGH_IS_BAD = Steps(GREEN, ((0.7, YELLOW), (0.9, RED)))
LOW_IS_BAD = Steps(RED, ((0.5, YELLOW), (0.95, GREEN)))
ANY_IS_BAD = Steps(GREEN, ((1e-9, RED),))
NONE_IS_BAD = Steps(RED, ((1, GREEN),))
YES_OR_NO: list[models.ValueMapping] = [
    models.ValueMap(
        {"1": models.ValueMappingResult(text="yes", color=GREEN), "0": models.ValueMappingResult(text="no", color=RED)}
    )
]
"""For what is 1 or 0."""
COPIES = Steps(GREEN, ((0.5, YELLOW), (1.5, RED)))
"""CPU copies per byte sent: none by zero copy, one from memory, two by read and write."""


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """For a panel's ``.thresholds()``."""
    first = models.Threshold(value=None, color=steps.first)
    rest = [models.Threshold(value=bound, color=color) for bound, color in steps.above]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps([first, *rest])


def timeline(title: str, description: str, unit: str, *queries: Query) -> timeseries.Panel:
    """Lines over time, half a row wide."""
    panel = (
        _about(timeseries.Panel(), title, description, unit)
        .no_value(NO_EVENTS)
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
            .sort_by("Mean")
            .sort_desc(True)
        )
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING))
    )
    for number, query in enumerate(queries):
        panel.with_target(_target(query, number).range())
    return panel


def stacked(title: str, description: str, unit: str, *queries: Query) -> timeseries.Panel:
    """Lines over time, stacked."""
    panel = timeline(title, description, unit, *queries).fill_opacity(40)
    return panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))


def lines_at(panel: timeseries.Panel, steps: Steps) -> timeseries.Panel:
    """Draw the thresholds across the panel."""
    style = common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(thresholds(steps)).thresholds_style(style)


def number(title: str, description: str, unit: str, *queries: Query) -> stat.Panel:
    """The latest value, large, over a sparkline."""
    panel = (
        _about(stat.Panel(), title, description, unit)
        .no_value("No data")
        .span(8)
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
    """The latest values as bars, the largest first."""
    panel = (
        _about(bargauge.Panel(), title, description, unit)
        .no_value(NO_EVENTS)
        .min(0)
        .span(12)
        .height(8)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds(Steps(BLUE, ())))
    )
    for index, query in enumerate(queries):
        panel.with_target(_target(Query(f"sort_desc({query.expression})", query.legend), index).instant())
    return panel


def latencies(title: str, description: str, query: Query) -> heatmap.Panel:
    """A heat map of a histogram's buckets over time; the query sums buckets by ``le``."""
    panel = (
        _about(heatmap.Panel(), title, description, SECONDS)
        .no_value(NO_EVENTS)
        .span(12)
        .height(8)
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit(SECONDS))
        .color(heatmap.HeatmapColorOptions().mode(heatmap_kinds.HeatmapColorMode.SCHEME).scheme("Oranges").steps(32))
    )
    return panel.with_target(_target(query, 0).range().format(query_kinds.PromQueryFormat.HEATMAP))


def quantiles(buckets: str, legend: str, condition: str = "") -> tuple[Query, Query]:
    """The median and the 99th percentile of a histogram; ``condition`` is appended to the expressions."""
    return (
        Query(f"histogram_quantile(0.5, {buckets}){condition}", f"median, {legend}"),
        Query(f"histogram_quantile(0.99, {buckets}){condition}", f"99 %, {legend}"),
    )


def losses(title: str, description: str, selector: str) -> table.Panel:
    """Listeners of brokers that do not use zero copy, with the reason."""
    reasons = (
        f"max by (instance, cluster_id, node_id, listener, port, reason) (copy_kafka_zero_copy_lost{{{selector}}})"
    )
    labels = {
        "instance": "Host",
        "cluster_id": "Cluster id",
        "node_id": "Broker",
        "listener": "Listener",
        "port": "Port",
        "reason": "Reason",
    }
    expected = models.ValueMappingResult(text="tls (expected)", color=BLUE)
    mappings = [models.DynamicConfigValue(id_val="mappings", value=[models.ValueMap({"tls": expected})])]
    return listing(title, description, labels, facts=reasons).override_by_name("Reason", mappings)


def listing(
    title: str, description: str, labels: Mapping[str, str], columns: Sequence[Column] = (), facts: str = ""
) -> table.Panel:
    """A table with one row per set of labels; ``labels`` maps the labels to show, in order, to their headings.

    ``facts`` is an expression whose labels are shown and whose value, always the same, is not.
    """
    expressions = [column.expression for column in columns] + [facts] * bool(facts)
    values = [_value_of(index, expressions) for index in range(len(expressions))]
    headings = {**labels, **{value: column.name for value, column in zip(values, columns, strict=False)}}
    hidden = ["Time", *values[len(columns) :]]
    panel = (
        _about(table.Panel(), title, description, INFO)
        .no_value(NO_EVENTS)
        .span(ROW_SPAN)
        .height(9)
        .filterable(True)
        .min_width(_MIN_COLUMN)
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(models.DataTransformerConfig(id_val="organize", options=_organized(headings, hidden)))
        .override_by_regexp(".*", [models.DynamicConfigValue(id_val="noValue", value=EMPTY_CELL)])
    )
    for index, expression in enumerate(expressions):
        panel.with_target(_target(Query(expression), index).instant().format(query_kinds.PromQueryFormat.TABLE))
    for column in columns:
        panel.override_by_name(column.name, _properties(column))
    if columns:
        panel.sort_by([common.TableSortByFieldState().display_name(columns[0].name).desc(True)])
    return panel


def linked(panel: timeseries.Panel, link: dashboard.DashboardLink) -> None:
    """Make the lines of a panel links."""
    panel.data_links([link])


def linked_columns(panel: table.Panel, links: Mapping[str, dashboard.DashboardLink]) -> None:
    """Make the cells of these columns links."""
    for name, link in links.items():
        panel.override_by_name(name, [models.DynamicConfigValue(id_val="links", value=[link.build()])])


def _about(panel: AnyPanel, title: str, description: str, unit: str) -> AnyPanel:
    """Set what every panel has; the SDK's builders have no common base class."""
    return panel.title(title).description(description).unit(unit).datasource(DATASOURCE)


def _target(query: Query, number: int) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(DATASOURCE).ref_id(chr(ord("A") + number))
    return target.expr(query.expression).legend_format(query.legend).editor_mode(query_kinds.QueryEditorMode.CODE)


def _value_of(index: int, expressions: Sequence[str]) -> str:
    """The name that Grafana gives to the numbers of one query of a table."""
    return "Value" if len(expressions) == 1 else f"Value #{chr(ord('A') + index)}"


def _organized(headings: Mapping[str, str], hidden: Sequence[str]) -> dict[str, object]:
    return {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {name: index for index, name in enumerate(headings)},
        "renameByName": dict(headings),
    }


def _properties(column: Column) -> list[models.DynamicConfigValue]:
    properties = [models.DynamicConfigValue(id_val="unit", value=column.unit)]
    if column.steps:
        steps = thresholds(column.steps).build()
        properties.append(models.DynamicConfigValue(id_val="thresholds", value=steps))
        cell = {"type": "color-background", "mode": "basic"}
        properties.append(models.DynamicConfigValue(id_val="custom.cellOptions", value=cell))
        words = YES_OR_NO if column.steps == NONE_IS_BAD else []
        properties.append(models.DynamicConfigValue(id_val="mappings", value=[_EMPTY_IS_NOT_BAD, *words]))
    return properties
