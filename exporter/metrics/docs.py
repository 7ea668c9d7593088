"""``python -m exporter.metrics.docs`` prints docs/metrics.md, made from the catalog."""

from exporter.kernel.probe_maps import MAPS, Map
from exporter.loading.probes import CHEAP_PROBE_NAMES
from exporter.metrics.catalog import FAMILIES, OPTIONAL_FAMILIES
from exporter.metrics.family import Family
from exporter.model import Endpoint

_INTRODUCTION = f"""\
# Metrics

Made from `exporter/metrics/catalog/` by `make docs`; a test fails when the two differ.

**Labels of a process.** `pid` is the process id in the initial pid namespace. `comm` is the present name of the
thread-group leader. `pid="other"` holds the counts of processes that never had series of their own: those that ended
before a scrape saw them, those beyond `--process.max`, and those whose id has series of an exited process. Beyond
`--process.comms.max` names, one that has not moved for an hour gives way; should it return, its series start from zero:
a reset. Kernel threads count in the totals of the host alone. When a process changes its name (exec, prctl), its new
series start from zero, and the old ones stay for `--process.linger`. So every byte is in exactly one per-process
series, and in the total of the host. With `--process.labels=comm` there is no label `pid`.

**Totals of the host.** `copy_host_*` are the families of the same name without `pid`, `comm` and `port`. They never
decrease, whatever processes and ports come and go.

**Labels of a hop.** `source` and `destination` are among `{" ".join(endpoint.name.lower() for endpoint in Endpoint)}`.
`mechanism` is `cpu` (the CPU copied the bytes), `zero_copy` (they were passed by reference) or `dma` (a device moved
them). `syscall` is the system call by its kernel name, `io_uring_` with the name of a request, or empty for what the
block layer reads for a process. `port` is the local TCP port of the socket if the port is watched (`--watch.port`, or a
Kafka broker's), else empty. Series with a port that is not watched any more stay for `--process.linger`, then end.

`copy_bytes_total` counts once per hop: a byte that is read and sent counts twice. Sum it over `mechanism` only if that
is what you want. What exactly counts as copied, by system call, is in [accounting.md](accounting.md). In OpenMetrics,
counters of processes have `_created`: the time since when they count.

The column *needs* names the probe that counts a family, or the flag that has to be on. `--kafka` is on by default.

| metric | type | unit | labels | needs | meaning |
|---|---|---|---|---|---|
"""
_MAPS = """
## Maps of the probes

These are the values of the label `map`. Each flag sets the maximum number of entries of one map. A full map loses
updates, which `copy_exporter_dropped_updates_total` counts. Only the entries of maps that scrapes read anyway are
exposed: no map is read only to count its entries.

| map | holds | flag | default | lost when full | entries are exposed |
|---|---|---|---|---|---|
"""


def page() -> str:
    """Return the text of docs/metrics.md."""
    own = "\nThe exporter also exposes `process_*` of its own process, as prometheus-client has them.\n"
    maps = "".join(_map_row(spec) for spec in MAPS.values() if spec.flag)
    return _INTRODUCTION + "".join(map(_row, FAMILIES)) + own + _MAPS + maps


def _row(family: Family) -> str:
    cells = (f"`{family.name}`", family.type, family.unit, " ".join(family.labels), _needs(family), family.help)
    return f"| {' | '.join(cells)} |\n"


def _map_row(spec: Map) -> str:
    exposed = "yes" if spec.value else "no"
    return f"| `{spec.name}` | {spec.holds} | `{spec.flag}` | {spec.entries} | {spec.lost} | {exposed} |\n"


def _needs(family: Family) -> str:
    if family in OPTIONAL_FAMILIES:
        by_default = " or by default (kernel-level.md)" if family.probe in CHEAP_PROBE_NAMES else ""
        return f"`--probe.{family.probe}`{by_default}"
    return f"`{family.flag}`" if family.flag else family.probe


if __name__ == "__main__":
    print(page(), end="")
