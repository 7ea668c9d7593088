"""What all dashboards share: identifiers, variables and links to each other."""

from collections.abc import Iterable, Mapping

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from dashboards.panels import DATASOURCE, Panel

TAG = "copy-exporter"
HOST, PROCESS, KAFKA, FLEET = "copy-host", "copy-process", "copy-kafka", "copy-fleet"
ALL = models.VariableOption(selected=True, text="All", value="$__all")


def frame(uid: str, title: str, description: str, *variables: dashboard.QueryVariable) -> dashboard.Dashboard:
    """An empty dashboard with its variables; their common tag links the dashboards to each other."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .refresh("30s")
        .time("now-30m", "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Copy behaviour")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for variable in variables:
        built.with_variable(variable)
    return built


def instances() -> dashboard.QueryVariable:
    """Hosts, by the address of their exporter."""
    return _variable("instance", "Host", "label_values(copy_exporter_build_info, instance)")


def processes() -> dashboard.QueryVariable:
    """Names of processes (comm)."""
    return _variable("process", "Process", 'label_values(copy_syscalls_total{instance=~"$instance"}, comm)')


def pids() -> dashboard.QueryVariable:
    """Process ids of that name; "All" also matches series without a pid (--process.labels=comm)."""
    of = 'label_values(copy_syscalls_total{instance=~"$instance", comm=~"$process"}, pid)'
    return _variable("pid", "Process id", of)


def ports() -> dashboard.QueryVariable:
    """Watched ports: those of the Kafka brokers that were found, and those of --watch.port."""
    of = 'label_values(copy_syscalls_total{instance=~"$instance", port!=""}, port)'
    return _variable("port", "Port", of).all_value(".+")


def topics() -> dashboard.QueryVariable:
    """Topics of the brokers."""
    of = 'label_values(copy_kafka_topic_bytes_total{instance=~"$instance"}, topic)'
    return _variable("topic", "Topic", of)


def process_link() -> dashboard.DashboardLink:
    """From a value to its process, by the labels of its series."""
    labels = {"instance": "instance", "process": "comm", "pid": "pid"}
    variables = "&".join(f"var-{name}=${{__field.labels.{label}:percentencode}}" for name, label in labels.items())
    return _to(PROCESS, "This process in depth", variables)


def process_row_link() -> dashboard.DashboardLink:
    """The same from a row of a table with the columns Host, Process and Process id."""
    columns = {"instance": "Host", "process": "Process", "pid": "Process id"}
    variables = "&".join(f'var-{name}=${{__data.fields["{column}"]:percentencode}}' for name, column in columns.items())
    return _to(PROCESS, "This process in depth", variables)


def host_link() -> dashboard.DashboardLink:
    """From a series to its host."""
    return _to(HOST, "This host", "var-instance=${__field.labels.instance:percentencode}")


def _to(uid: str, title: str, variables: str) -> dashboard.DashboardLink:
    url = f"/d/{uid}?${{__url_time_range}}&${{datasource:queryparam}}&{variables}"
    return dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url(url)


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query({"query": query, "refId": name})
        .definition(query)
        .datasource(DATASOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(ALL)
    )


def with_rows(built: dashboard.Dashboard, rows: Mapping[str, Iterable[Panel]]) -> dashboard.Dashboard:
    """Add the panels below their row titles, from left to right; each line of panels fills the width."""
    for title, panels in rows.items():
        built.with_row(dashboard.Row(title))
        for panel in panels:
            built.with_panel(panel)
    return built
