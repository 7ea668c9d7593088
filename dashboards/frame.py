"""What all dashboards share: identifiers, variables and links to each other."""

from collections.abc import Iterable, Mapping

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import timeseries

from dashboards import queries as q
from dashboards.panels import DATASOURCE, Panel

TAG = "copy-exporter"
HOST, PROCESS, KAFKA, FLEET = "copy-host", "copy-process", "copy-kafka", "copy-fleet"
ALL = models.VariableOption(selected=True, text="All", value="$__all")
RUNBOOKS = "https://wiki.example.com/copy-exporter"
Variable = Builder[models.VariableModel]
_NARROW = 8
_SHOWN = models.VariableHide.DONT_HIDE
"""Written out, because importers of other programs hide a variable that does not say it."""
_LABEL, _COLUMN = "${__field.labels.%s:percentencode}", '${__data.fields["%s"]:percentencode}'
ALERTS = (
    "CopyHeavyProcess",
    "ZeroCopyLost",
    "ZeroCopyRegression",
    "SmallCopies",
    "SendfileBlocking",
    "JVMSendfileFallback",
    "CopyCpuHigh",
    "NetworkSaturatedBeforeCPU",
    "ExporterBlindDroppedUpdates",
    "ExporterBlindMissedRuns",
    "ExporterBlindProbeNotAttached",
    "ExporterBlindScrapeFailing",
    "ExporterBlindBrokerDiscovery",
    "ExporterDown",
)
"""Of dashboards/prometheus/alerts.rules.yml."""


def frame(uid: str, title: str, description: str, *variables: Variable) -> dashboard.Dashboard:
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
        .annotation(_restarts())
        .annotation(_alerts())
        .link(
            dashboard.DashboardLink("Copy behaviour")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
    )
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus").hide(_SHOWN)
    for variable in (source, *_targets(), *variables):
        built.with_variable(variable)
    return built


def _targets() -> tuple[Variable, ...]:
    """Where an exporter runs: the labels that Prometheus gives to it. Targets without a cluster match "All"."""
    of_job = 'job=~"$job"'
    return (
        _variable("job", "Job", "label_values(copy_exporter_build_info, job)"),
        _variable("cluster", "Cluster", f"label_values(copy_exporter_build_info{{{of_job}}}, cluster)"),
        _variable(
            "instance", "Host", f'label_values(copy_exporter_build_info{{{of_job}, cluster=~"$cluster"}}, instance)'
        ),
    )


def recorded_hosts() -> Variable:
    """The hosts whose series are recorded; what is shown of the others, the panels compute."""
    of = f"label_values(host:copy_bytes:rate5m{{{q.HOST}}}, instance)"
    return _variable("recorded", "Hosts with recorded series", of, everything="")


def runbooks() -> Variable:
    """Where the runbooks are."""
    built = dashboard.TextBoxVariable("runbooks").label("Address of the runbooks").hide(_SHOWN)
    return built.default_value(RUNBOOKS).current(models.VariableOption(text=RUNBOOKS, value=RUNBOOKS))


def processes() -> Variable:
    """Names of processes (comm)."""
    return _variable("process", "Process", f"label_values(copy_syscalls_total{{{q.HOST}}}, comm)")


def pids() -> Variable:
    """Process ids of that name; "All" also matches series without a pid (--process.labels=comm)."""
    return _variable("pid", "Process id", f"label_values(copy_syscalls_total{{{q.PROCESSES}}}, pid)")


def brokers() -> Variable:
    """Kafka brokers by node.id."""
    return _variable("broker", "Broker", f"label_values(copy_kafka_listener_info{{{q.HOST}}}, node_id)")


def listeners() -> Variable:
    """Listeners of the brokers by name."""
    of = f'label_values(copy_kafka_listener_info{{{q.HOST}, node_id=~"$broker"}}, listener)'
    return _variable("listener", "Listener", of)


def ports() -> Variable:
    """Ports of the chosen listeners, and those of --watch.port.

    The label listener is absent where a process counts, so that only "All" selects ports without a listener.
    """
    names = '__name__=~"copy_kafka_listener_info|copy_syscalls_total"'
    of = f'label_values({{{names}, {q.HOST}, node_id=~"$broker", listener=~"$listener", port!=""}}, port)'
    return _variable("port", "Port", of, everything="")


def topics() -> Variable:
    """Topics of the brokers."""
    of = f'label_values(copy_kafka_topic_bytes_total{{{q.HOST}, node_id=~"$broker"}}, topic)'
    return _variable("topic", "Topic", of)


def partitions() -> Variable:
    """Partitions of the topics, which have the label with --kafka.partitions alone."""
    of = f'label_values(copy_kafka_topic_bytes_total{{{q.HOST}, node_id=~"$broker", topic=~"$topic"}}, partition)'
    return _variable("partition", "Partition", of)


def _restarts() -> dashboard.AnnotationQuery:
    """A mark at the start of each exporter: counters begin at 0 there."""
    started = f"1000 * (process_start_time_seconds{{{q.HOST}}} and {q.OWN})"
    built = _annotation("Exporter starts", "blue", started).use_value_for_time(True)
    return built.title_format("copy-exporter starts").text_format("{{instance}}")


def _alerts() -> dashboard.AnnotationQuery:
    """The times at which the shipped alerts fired."""
    firing = f'ALERTS{{{q.HOST}, alertstate="firing", alertname=~"{"|".join(ALERTS)}"}}'
    return _annotation("Alerts", "red", firing).title_format("{{alertname}}").text_format("{{instance}} {{name}}")


def _annotation(name: str, color: str, expression: str) -> dashboard.AnnotationQuery:
    return dashboard.AnnotationQuery().name(name).datasource(DATASOURCE).enable(True).icon_color(color).expr(expression)


def process_link() -> dashboard.DashboardLink:
    """From a value to its process, by the labels of its series."""
    return _to(PROCESS, "This process in depth", {"instance": "instance", "process": "comm", "pid": "pid"}, _LABEL)


def row_links(*columns: str) -> dict[str, dashboard.DashboardLink]:
    """Links by column: from what a column names to its dashboard or page."""
    process = {"instance": "Host", "process": "Process", "pid": "Process id"}
    runbook = dashboard.DashboardLink("Runbook").type(models.DashboardLinkType.LINK)
    links = {
        "Host": _to(HOST, "This host", {"instance": "Host"}, _COLUMN),
        "Process": _to(PROCESS, "This process in depth", process, _COLUMN),
        "Port": _to(KAFKA, "This listener", {"instance": "Host", "port": "Port"}, _COLUMN),
        "Runbook": runbook.url(f"${{runbooks:raw}}/{_COLUMN % 'Runbook'}.md"),
    }
    return {column: links[column] for column in columns}


def host_link() -> dashboard.DashboardLink:
    """From a series to its host."""
    return _to(HOST, "This host", {"instance": "instance"}, _LABEL)


def _to(uid: str, title: str, sources: Mapping[str, str], value: str) -> dashboard.DashboardLink:
    """A link that sets variables; ``sources`` are the labels or columns of their values."""
    variables = "&".join(f"var-{name}={value % source}" for name, source in sources.items())
    url = f"/d/{uid}?${{__url_time_range}}&${{datasource:queryparam}}&{variables}"
    return dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url(url)


def _variable(name: str, label: str, query: str, everything: str = ".*") -> dashboard.QueryVariable:
    """Without ``everything``, "All" is the list of what the query finds."""
    built = (
        dashboard.QueryVariable(name)
        .label(label)
        .query({"query": query, "refId": name})
        .definition(query)
        .datasource(DATASOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(ALL)
        .hide(_SHOWN)
    )
    return built.all_value(everything) if everything else built


def with_rows(built: dashboard.Dashboard, rows: Mapping[str, Iterable[Panel]]) -> dashboard.Dashboard:
    """Add the panels below their row titles, from left to right; each line of panels fills the width."""
    for title, panels in rows.items():
        built.with_row(dashboard.Row(title))
        for panel in panels:
            _fit_legend(panel.build())
            built.with_panel(panel)
    return built


def _fit_legend(panel: models.Panel) -> None:
    """In a narrow panel the legend has one number beside each name, so that the name can be read."""
    if isinstance(panel.options, timeseries.Options) and panel.grid_pos and panel.grid_pos.w <= _NARROW:
        panel.options.legend.calcs = ["mean"]
