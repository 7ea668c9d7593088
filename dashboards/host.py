"""Copy behaviour of hosts: which processes copy, over which hops, and what it costs."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard

from dashboards import frame, health
from dashboards import queries as q
from dashboards.computed import computed
from dashboards.panels import (
    BYTE_RATE,
    CALL_RATE,
    COPIES,
    CORES,
    COUNT,
    HIGH_IS_BAD,
    NO_NETWORK,
    NO_TRAFFIC,
    NONE_IS_BAD,
    OPTIONAL,
    SHARE,
    Column,
    Panel,
    Query,
    bars,
    lines_at,
    linked,
    linked_columns,
    listing,
    number,
    stacked,
    thresholds,
    timeline,
)
from exporter.metrics.catalog import OPTIONAL_FAMILIES

BYTES_OF_HOST = "copy_host_bytes_total"
_HOP = "{{source}} → {{destination}}"
_RATES = {"bytes": BYTE_RATE, "seconds": CORES}
"""Units of the rates of counters, by the unit of the counter; those without one count calls."""


def build() -> dashboard.Dashboard:
    """The dashboard."""
    built = frame.frame(
        frame.HOST,
        "Copy behaviour: host",
        "Which bytes of a host the CPU copies, which move by zero copy and which by DMA; which processes do it, "
        "and what it costs. Generated from copy-exporter's code.",
        frame.processes(),
    )
    rows = {
        "Summary": _summary(),
        "By process": _by_process(),
        "Hops and system calls": _hops(),
        "CPU and network": _cost(),
        "In the kernel's copy functions": _kernel(),
        "Is the data complete? Health of the exporter": (*health.summary(), *health.details()),
    }
    return frame.with_rows(built, rows)


def _summary() -> Iterator[Panel]:
    sent = q.moved("instance", q.HOST, q.TO_NETWORK, metric=BYTES_OF_HOST)
    yield number(
        "Copied by the CPU",
        "Bytes per second that the CPU copied for system calls. A byte that is read and then sent is copied twice.",
        BYTE_RATE,
        Query(q.total(BYTES_OF_HOST, "instance", q.CPU, q.HOST), "{{instance}}"),
    )
    yield number(
        "Moved by zero copy",
        "Bytes per second that sendfile, splice, MSG_ZEROCOPY and similar calls moved without a copy.",
        BYTE_RATE,
        Query(q.total(BYTES_OF_HOST, "instance", q.ZERO_COPY, q.HOST), "{{instance}}"),
    )
    yield number(
        "Moved by DMA",
        "Bytes per second that disks moved by DMA, into the page cache or with O_DIRECT straight to the process. If it "
        "is high where a warm cache is expected, the page cache is too small for what is read.",
        BYTE_RATE,
        Query(q.total(BYTES_OF_HOST, "instance", q.DMA, q.HOST), "{{instance}}"),
    )
    yield number(
        "Sent by zero copy",
        "The part of the bytes sent to TCP and UDP that went by zero copy. Near 0 on a host that serves files: see the "
        "processes below. TLS in user space, and data that is made in memory, cannot use zero copy.",
        SHARE,
        Query(q.zero_copy_share("instance", q.HOST, q.TO_NETWORK, metric=BYTES_OF_HOST), "{{instance}}"),
    ).max(1)
    copied = q.total(BYTES_OF_HOST, "instance", q.CPU, q.HOST, 'source!~"tcp|udp"')
    yield number(
        "CPU copies per byte sent",
        "All bytes that the CPU copied, divided by those sent to TCP and UDP: 0 for sendfile, 1 from memory, 2 for "
        "read and write. More: data passes through pipes, sockets or files on the way.",
        COUNT,
        Query(q.per(copied, sent), "{{instance}}"),
    ).thresholds(thresholds(COPIES))
    yield number(
        "Mode switches",
        "Two for each system call that moves data, failed ones included. Many for few bytes: small reads and writes.",
        CALL_RATE,
        Query(q.mode_switches("instance", q.HOST, prefix="copy_host"), "{{instance}}"),
    )


def _by_process() -> Iterator[Panel]:
    yield _top_processes(
        "Copied by the CPU, by process",
        "The ten processes that copied most in this time range; click a line for its details. A process that sends "
        "files could use sendfile instead, unless it encrypts or changes the data.",
        q.CPU,
    )
    yield _top_processes(
        "Moved by zero copy, by process",
        "The ten processes that moved most by zero copy. A process that drops here and rises in the panel beside it "
        "has lost zero copy.",
        q.ZERO_COPY,
    )
    named = f"max by ({q.PROCESS_LABELS}, name, unit, container_id) (copy_process_info{{{q.PROCESSES}}})"
    table = listing(
        "Processes that copy most",
        "The twenty that copied most in this time range. Start with those that copy much, move little by zero copy and "
        "make many mode switches. pid other: many short-lived processes, or those beyond --process.max.",
        {
            "instance": "Host",
            "comm": "Process",
            "pid": "Process id",
            "name": "Name",
            "unit": "Unit",
            "container_id": "Container",
        },
        _process_columns(),
        facts=f"{named} and on ({q.PROCESS_LABELS}) {_copying_most()}",
    )
    linked_columns(table, frame.row_links("Process"))
    yield table
    yield _top_processes(
        "Moved by DMA, by process",
        "Disk reads on behalf of a process: page-cache misses and O_DIRECT. The kernel writes back later, on behalf of "
        "no process.",
        q.DMA,
    )
    wasteful = timeline(
        "Mode switches per MiB moved, by process",
        "Of the twenty that copied most, those that move at least 256 KiB/s. sendfile of 64 KiB takes 32. Thousands "
        "mean small calls: use larger buffers, batches (readv, sendmmsg), or io_uring.",
        COUNT,
        Query(f"{q.switches_per_mib(q.PROCESS_LABELS, q.PROCESSES)} and {_copying_most()}", q.PROCESS_LEGEND),
    )
    linked(wasteful, frame.process_link())
    yield wasteful


def _top_processes(title: str, description: str, mechanism: str) -> Panel:
    top = q.top("copy_bytes_total", q.PROCESS_LABELS, mechanism, q.PROCESSES)
    panel = timeline(title, description, BYTE_RATE, Query(top, q.PROCESS_LEGEND))
    linked(panel, frame.process_link())
    return panel


def _process_columns() -> list[Column]:
    headings = {"CPU copy": q.CPU, "Zero copy": q.ZERO_COPY, "DMA": q.DMA}
    columns = [
        Column(
            heading,
            BYTE_RATE,
            f"{q.total('copy_bytes_total', q.PROCESS_LABELS, mechanism, q.PROCESSES)} and {_copying_most()}",
        )
        for heading, mechanism in headings.items()
    ]
    switches = f"{q.mode_switches(q.PROCESS_LABELS, q.PROCESSES)} and {_copying_most()}"
    return [*columns, Column("Mode switches", CALL_RATE, switches)]


def _copying_most() -> str:
    return q.largest("copy_bytes_total", q.PROCESS_LABELS, q.CPU, q.PROCESSES, count=20)


def _hops() -> Iterator[Panel]:
    hops = "source, destination"
    yield bars(
        "Hops, now",
        "The ten largest, by mechanism, source and destination of the bytes. page_cache → user and user → tcp of the "
        "same size: read and write, which sendfile would replace. disk → page_cache: cache misses.",
        BYTE_RATE,
        Query(f"topk(10, {q.total(BYTES_OF_HOST, f'mechanism, {hops}', q.HOST)})", q.HOP_LEGEND),
    )
    yield stacked(
        "Bytes by mechanism",
        "All bytes of the host. Zero copy that turns into CPU copies needs an explanation: TLS was enabled, a JVM "
        "fell back, data is read from tiered storage.",
        BYTE_RATE,
        Query(q.total(BYTES_OF_HOST, "instance, mechanism", q.HOST), "{{mechanism}}, {{instance}}"),
    )
    yield timeline(
        "Hops of the CPU",
        "Bytes that the CPU copied, by source and destination. pseudo: procfs and similar; device: character devices.",
        BYTE_RATE,
        Query(q.total(BYTES_OF_HOST, f"instance, {hops}", q.CPU, q.HOST), f"{_HOP}, {{{{instance}}}}"),
    )
    yield timeline(
        "System calls",
        "Successful calls that move data, by name. io_uring_* are requests of io_uring; they do not switch the mode.",
        CALL_RATE,
        Query(q.total("copy_host_syscalls_total", "instance, syscall", q.HOST), "{{syscall}}, {{instance}}"),
    )
    yield timeline(
        "Mode switches per MiB moved",
        "The whole host, while it moves at least 256 KiB/s. It falls when calls get larger or bytes move by sendfile. "
        "The same by process is above.",
        COUNT,
        Query(q.switches_per_mib("instance", q.HOST, prefix="copy_host"), "{{instance}}"),
    )
    errors = q.total("copy_host_syscall_errors_total", "instance, syscall, errno", q.HOST)
    yield timeline(
        "Failed calls",
        "By call and error. EAGAIN is how non-blocking programs wait. sendfile with EINVAL or EOPNOTSUPP: a file "
        "system or socket refuses it, and the program falls back to copying.",
        CALL_RATE,
        Query(errors, "{{syscall}} {{errno}}, {{instance}}"),
    )
    lost = q.total("copy_zero_copy_lost_bytes_total", f"{q.PROCESS_LABELS}, port, reason", q.PROCESSES)
    yield (
        timeline(
            "Copied by sendfile and splice, and why",
            "Bytes that could have been passed by reference. kernel_tls: the kernel encrypts or decrypts them. The "
            "port is there where it is watched.",
            BYTE_RATE,
            Query(lost, "{{reason}}: " + q.PROCESS_LEGEND + " port {{port}}"),
        )
        .span(24)
        .no_value("None: no sendfile or splice of a process copies because of kernel TLS")
    )


def _cost() -> Iterator[Panel]:
    cpu = timeline(
        "CPU time in copies, by process",
        "In the kernel's copy routines, sampled: the CPUs that copying keeps busy. Compare with the panel "
        "beside it: below a tenth of the process's CPU time, zero copy will not make it much faster.",
        CORES,
        Query(q.top("copy_cpu_seconds_total", q.PROCESS_LABELS, q.PROCESSES), q.PROCESS_LEGEND),
    )
    linked(cpu, frame.process_link())
    yield cpu
    cpu_time = q.total("copy_process_cpu_seconds_total", q.PROCESS_LABELS, q.PROCESSES)
    yield timeline(
        "CPU time of the same processes",
        "User and system mode together, of the twenty processes that copied most.",
        CORES,
        Query(f"{cpu_time} and {_copying_most()}", q.PROCESS_LEGEND),
    )
    use = timeline(
        "Network: part of its speed in use",
        "The busier direction of each device against its speed. Above 70 % the network saturates before the CPU: "
        "fewer copies would not send more bytes, but would still free CPU time.",
        SHARE,
        Query(computed("device:copy_network_utilisation:ratio_rate5m"), "{{device}}, {{instance}}"),
    ).no_value(NO_NETWORK)
    yield lines_at(use.max(1), HIGH_IS_BAD)
    transmitted = "copy_network_transmit_bytes_total"
    wire = q.total(transmitted, "instance", q.HOST, 'device!="lo"')
    yield timeline(
        "Copy CPU per GiB/s sent",
        "CPUs that the kernel's copy routines keep busy, divided by what all network devices send. Multiply by the "
        "speed of the network to see whether CPU or network saturates first.",
        CORES,
        Query(
            f"{2**30} * {q.total('copy_cpu_seconds_total', 'instance', q.HOST)} / ({wire} >= {q.MOVES_ENOUGH})",
            "{{instance}}",
        ),
    ).no_value(NO_TRAFFIC)
    yield (
        timeline(
            "Network: bytes",
            "What each device sent and received: all processes and protocols, headers included.",
            BYTE_RATE,
            *(
                Query(q.total(metric, "instance, device", q.HOST), f"{verb}: {{{{device}}}}, {{{{instance}}}}")
                for metric, verb in ((transmitted, "sent"), ("copy_network_receive_bytes_total", "received"))
            ),
        )
        .no_value(NO_NETWORK)
        .span(12)
    )
    gather = f"min by (instance, device) (copy_network_scatter_gather{{{q.HOST}}})"
    speed = f"max by (instance, device) (copy_network_speed_bytes{{{q.HOST}}})"
    yield (
        listing(
            "Network devices",
            "No scatter-gather: the kernel copies what was sent by zero copy before it reaches the device; "
            "run `ethtool -K DEVICE sg on`. No speed: a virtual device.",
            {"instance": "Host", "device": "Device"},
            [Column("Scatter-gather", COUNT, gather, NONE_IS_BAD), Column("Speed", BYTE_RATE, speed)],
        )
        .span(12)
        .height(8)
        .no_value(NO_NETWORK)
    )


def _kernel() -> Iterator[Panel]:
    yield (
        timeline(
            "Copied in the kernel's copy functions",
            "Counted below the system calls, whatever asked for the copy. Much more than the CPU-copied bytes above: "
            "something copies without a system call, for example io_uring or the kernel itself.",
            BYTE_RATE,
            Query(q.total("copy_kernel_copied_bytes_total", "instance, source, destination", q.HOST), _HOP),
        )
        .span(24)
        .no_value(OPTIONAL)
    )
    alone = OPTIONAL_FAMILIES[-1] if len(OPTIONAL_FAMILIES) % 2 else None
    for family in OPTIONAL_FAMILIES:
        yield (
            timeline(
                family.name.removesuffix("_total"),
                f"{family.help} By process; by default only on some kernels, on others with --probe.{family.probe}.",
                _RATES.get(family.unit, CALL_RATE),
                Query(q.top(family.name, q.PROCESS_LABELS, q.PROCESSES), q.PROCESS_LEGEND),
            )
            .span(24 if family is alone else 12)
            .no_value(OPTIONAL)
        )
