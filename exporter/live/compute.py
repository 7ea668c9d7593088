"""From two snapshots to rates. Pure: no clock, no input or output."""

from exporter import __version__
from exporter.live import rates
from exporter.live.increase import Additions, increase
from exporter.live.kafka import kafka_rates
from exporter.live.network import device_rates, network_use, saturates_first
from exporter.live.processes import Describe, Listed, list_processes, process_rates, sender_cpus
from exporter.live.snapshot import Host, Snapshot
from exporter.live.tally import tally
from exporter.model import MECHANISMS
from exporter.revision import REVISION

_NS_PER_SECOND = 1e9


def compute_rates(before: Snapshot, now: Snapshot, host: Host, describe: Describe) -> rates.Rates:
    """Return the rates from ``before`` to ``now``; ``describe`` is called for the busiest processes."""
    seconds = (now.clock_ns - before.clock_ns) / _NS_PER_SECOND
    counted = increase(before, now)
    listed = list_processes(counted, describe)
    devices = device_rates(before, now, seconds)
    cpus = sender_cpus(listed, seconds)
    return rates.Rates(
        time_seconds=now.time_seconds,
        interval_seconds=seconds,
        host=_host(host, now),
        health=_health(host, now),
        totals=_totals(
            counted.total,
            seconds,
            copying_cpus=now.cpus if host.samples_copy_time else None,
            sender_cpu=None if cpus is None else cpus / now.cpus,
            network=network_use(devices),
        ),
        hops=_hops(counted.total, seconds),
        devices=devices,
        process_count=len(now.processes),
        processes=_processes(listed, seconds, samples_copy_time=host.samples_copy_time),
        kafka=kafka_rates(before, now, counted, seconds),
    )


def _host(host: Host, now: Snapshot) -> rates.HostInfo:
    return rates.HostInfo(
        name=host.name,
        kernel=host.kernel,
        cpus=now.cpus,
        version=__version__,
        revision=REVISION,
        started_seconds=host.started_seconds,
        metrics_path=host.metrics_path,
    )


def _health(host: Host, now: Snapshot) -> rates.Health:
    return rates.Health(
        probes=[
            rates.Probe(
                name=probe.name,
                attached=probe.attached,
                attach_method=probe.attach_method,
                hook=probe.hook,
                reason=probe.reason,
                remedy=probe.remedy,
            )
            for probe in host.probes
        ],
        dropped_updates=now.dropped_updates,
        missed_runs=now.missed_runs,
        stalled_probes=list(now.stalled_probes),
    )


def _totals(
    total: Additions, seconds: float, *, copying_cpus: int | None, sender_cpu: float | None, network: float | None
) -> rates.Totals:
    """``copying_cpus``: the CPUs that copy time is a part of; None when it is not sampled."""
    sums = tally(total)
    return rates.Totals(
        moved_bytes_per_second=sums.moved / seconds,
        mechanisms=sums.mechanisms(seconds),
        calls_per_second=sums.calls / seconds,
        mode_switches_per_second=sums.mode_switches(seconds),
        copy_cpu_ratio=sums.copying_cpus(seconds) / copying_cpus if copying_cpus else None,
        sender_cpu_ratio=sender_cpu,
        network_use_ratio=network,
        saturates_first=saturates_first(network, sender_cpu),
    )


def _hops(total: Additions, seconds: float) -> list[rates.Hop]:
    moved: dict[tuple[str, str, str], int] = {}
    for row, (_, amount) in total.items():
        if row.kind in MECHANISMS:
            hop = row.source.name.lower(), row.destination.name.lower(), MECHANISMS[row.kind]
            moved[hop] = moved.get(hop, 0) + amount
    return [
        rates.Hop(source=source, destination=destination, mechanism=mechanism, bytes_per_second=amount / seconds)
        for (source, destination, mechanism), amount in sorted(moved.items(), key=lambda item: -item[1])
        if amount
    ]


def _processes(listed: list[Listed], seconds: float, *, samples_copy_time: bool) -> list[rates.Process]:
    return [process_rates(process, seconds, samples_copy_time=samples_copy_time) for process in listed]
