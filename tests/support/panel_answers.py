"""The answers of a Prometheus to the queries of a dashboard's panels, as a data source of Grafana hands them over."""

from typing import Any

from tests.support.dashboard_files import Viewer, panels
from tests.support.prometheus import QueryServer


def panel_answers(prometheus: QueryServer, document: str, viewer: Viewer, end: float) -> list[dict[str, Any]]:
    """Each panel with the series of its queries by letter."""
    return [
        {
            "panel": panel,
            "answers": {
                target["refId"]: _answer(prometheus, target, document, viewer, end) for target in panel["targets"]
            },
        }
        for panel in panels(document)
    ]


def _answer(
    prometheus: QueryServer, target: dict[str, Any], document: str, viewer: Viewer, end: float
) -> list[dict[str, Any]]:
    """Series with times in milliseconds."""
    query = viewer.query(target["expr"], document)
    if target.get("instant"):
        found = prometheus.get("query", query=query, time=end)["result"]
        samples = [(series["metric"], [series["value"]]) for series in found]
    else:
        start, step = end - viewer.range_seconds, viewer.step_seconds
        found = prometheus.get("query_range", query=query, start=start, end=end, step=step)["result"]
        samples = [(series["metric"], series["values"]) for series in found]
    return [
        {
            "labels": {name: value for name, value in labels.items() if name != "__name__"},
            "times": [1000 * float(time) for time, _ in values],
            "values": [float(value) for _, value in values],
        }
        for labels, values in samples
    ]
