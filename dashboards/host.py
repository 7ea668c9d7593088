"""Copy behaviour of hosts: who copies, how, and what it costs."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard

from dashboards import frame, health
from dashboards import queries as q
from dashboards.panels import (
    BYTE_RATE,
    CALL_RATE,
    COPIES,
    CORES,
    COUNT,
    HIGH_IS_BAD,
    NO_NETWORK,
    NONE_IS_BAD,
    OPTIONAL,
    SHARE,
    Column,
    Panel,
    Query,
    bars,
    lines_at,
    linked,
    listing,
    number,
    stacked,
    thresholds,
    timeline,
)

_PROCESS = "{{comm}} {{pid}}, {{instance}}"
_HOP = "{{source}} → {{destination}}"


def build() -> dashboard.Dashboard:
    """The dashboard."""
    built = frame.frame(
        frame.HOST,
        "Copy behaviour: host",
        "Which bytes of a host the CPU copies, which pass by reference and which come by DMA; who does it, "
        "and what it costs. Made from copy-exporter's code.",
        frame.instances(),
        frame.processes(),
    )
    rows = {
        "At a glance": _glance(),
        "Who": _who(),
        "How": _how(),
        "What it costs": _cost(),
        "In the kernel's copy functions (optional probes)": _kernel(),
        "Can this be believed? The exporter's own health": (*health.verdict(), *health.details()),
    }
    return frame.filled(built, rows)


def _glance() -> Iterator[Panel]:
    of = "copy_host"
    yield number(
        "Copied by the CPU",
        "Bytes a second that the CPU copied for system calls. A byte that is read and then sent is copied twice.",
        BYTE_RATE,
        Query(q.total("copy_host_cpu_copied_bytes_total", "instance", q.HOST), "{{instance}}"),
    )
    yield number(
        "Passed by reference",
        "Bytes a second that went by zero copy: sendfile, splice, MSG_ZEROCOPY and their like.",
        BYTE_RATE,
        Query(q.total("copy_host_zero_copied_bytes_total", "instance", q.HOST), "{{instance}}"),
    )
    yield number(
        "Moved by DMA",
        "Bytes a second that disks brought by DMA, into the page cache or with O_DIRECT straight to the "
        "process. High with a warm cache expected: the cache is too small for what is read.",
        BYTE_RATE,
        Query(q.total("copy_host_dma_copied_bytes_total", "instance", q.HOST), "{{instance}}"),
    )
    yield number(
        "Sent by zero copy",
        "Part of the bytes handed to TCP and UDP that went by reference. Near 0 on a host that serves files: see by "
        "which process, below; TLS in user space and data made in memory cannot do better.",
        SHARE,
        Query(q.zero_copy_share("instance", q.HOST, q.TO_NETWORK, of=of), "{{instance}}"),
    ).max(1)
    yield number(
        "CPU copies of each byte sent",
        "All bytes that the CPU copied, by those handed to TCP and UDP: 0 for sendfile, 1 from memory, 2 for "
        "read and write. More: data moves through pipes, sockets or files on the way.",
        COUNT,
        Query(
            q.per(
                q.total("copy_host_cpu_copied_bytes_total", "instance", q.HOST, 'source!~"tcp|udp"'),
                q.moved("instance", q.HOST, q.TO_NETWORK, of=of),
            ),
            "{{instance}}",
        ),
    ).thresholds(thresholds(COPIES))
    yield number(
        "Mode switches",
        "Two for each system call that moves data, failed ones included. Many for few bytes: small reads and writes.",
        CALL_RATE,
        Query(q.mode_switches("instance", q.HOST, of=of), "{{instance}}"),
    )


def _who() -> Iterator[Panel]:
    copiers = timeline(
        "Copied by the CPU, by process",
        "The ten processes that copied most in this time; click a line to see one in depth. A sender that "
        "stands here could be served by sendfile, unless it encrypts or makes its data.",
        BYTE_RATE,
        Query(q.top("copy_cpu_copied_bytes_total", q.OF_PROCESS, q.PROCESSES), _PROCESS),
    )
    linked(copiers, frame.process_link())
    yield copiers
    referrers = timeline(
        "Passed by reference, by process",
        "The ten that moved most by zero copy. A process that falls from here into the panel beside it has lost zero "
        "copy.",
        BYTE_RATE,
        Query(q.top("copy_zero_copied_bytes_total", q.OF_PROCESS, q.PROCESSES), _PROCESS),
    )
    linked(referrers, frame.process_link())
    yield referrers
    table = listing(
        "Processes that copy most",
        "The twenty that copied most in this time, with what they are. Much copied, little by reference and "
        "many mode switches: the first place to look. pid other: many short ones, or those beyond --process.max.",
        {
            "instance": "Host",
            "comm": "Process",
            "pid": "Process id",
            "name": "Runs",
            "unit": "Unit",
            "container_id": "Container",
        },
        _process_columns(),
    )
    linked(table, frame.process_row_link())
    yield table
    readers = timeline(
        "Moved by DMA, by process",
        "Disk reads on behalf of a process: page-cache misses and O_DIRECT. Write-back is done by the kernel "
        "later and is nobody's.",
        BYTE_RATE,
        Query(q.top("copy_dma_copied_bytes_total", q.OF_PROCESS, q.PROCESSES), _PROCESS),
    )
    linked(readers, frame.process_link())
    yield readers
    wasteful = timeline(
        "Mode switches for each MiB moved, by process",
        "Among the twenty that copied most. sendfile of 64 KiB takes 32; thousands mean that calls are small: larger "
        "buffers, batches (readv, sendmmsg), or io_uring.",
        COUNT,
        Query(f"{_switches_per_mib(q.OF_PROCESS, q.PROCESSES)} and {_busiest()}", _PROCESS),
    )
    linked(wasteful, frame.process_link())
    yield wasteful


def _process_columns() -> list[Column]:
    named = f"max by ({q.OF_PROCESS}, name, unit, container_id) (copy_process_info{{{q.PROCESSES}}})"
    rates = {
        "CPU-copied": "copy_cpu_copied_bytes_total",
        "By reference": "copy_zero_copied_bytes_total",
        "By DMA": "copy_dma_copied_bytes_total",
    }
    columns = [
        Column(heading, BYTE_RATE, f"{q.total(metric, q.OF_PROCESS, q.PROCESSES)} and {_busiest()}")
        for heading, metric in rates.items()
    ]
    switches = f"{q.mode_switches(q.OF_PROCESS, q.PROCESSES)} and {_busiest()}"
    known = f"{named} and on ({q.OF_PROCESS}) {_busiest()}"
    return [*columns, Column("Mode switches", CALL_RATE, switches), Column("Known", COUNT, known)]


def _busiest() -> str:
    return (
        f"topk(20, sum by ({q.OF_PROCESS}) (increase(copy_cpu_copied_bytes_total{{{q.PROCESSES}}}[$__range] @ end())))"
    )


def _switches_per_mib(by: str, *scope: str, of: str = "copy") -> str:
    return f"{q.MIB} * {q.per(q.mode_switches(by, *scope, of=of), q.moved(by, *scope, of=of))}"


def _how() -> Iterator[Panel]:
    hops = "source, destination"
    mechanisms = {"CPU": "cpu", "zero copy": "zero", "DMA": "dma"}
    yield bars(
        "Hop by hop, now",
        "From where to where bytes go, and by what. page_cache → user and user → tcp of the same size: read "
        "and write, which sendfile would replace. disk → page_cache: cache misses.",
        BYTE_RATE,
        *(
            Query(q.total(f"copy_host_{metric}_copied_bytes_total", hops, q.HOST), f"{name}: {_HOP}")
            for name, metric in mechanisms.items()
        ),
    )
    yield stacked(
        "CPU, zero copy and DMA",
        "All bytes of the host by mechanism. Zero copy that turns into CPU copies is what to look for: TLS switched "
        "on, a JVM that fell back, a tiered read.",
        BYTE_RATE,
        *(
            Query(q.total(f"copy_host_{metric}_copied_bytes_total", "instance", q.HOST), f"{name}, {{{{instance}}}}")
            for name, metric in mechanisms.items()
        ),
    )
    yield timeline(
        "Hops of the CPU",
        "Bytes that the CPU copied, by source and destination. pseudo is procfs and its like, device "
        "character devices.",
        BYTE_RATE,
        Query(q.total("copy_host_cpu_copied_bytes_total", f"instance, {hops}", q.HOST), f"{_HOP}, {{{{instance}}}}"),
    )
    yield timeline(
        "System calls",
        "Successful calls that move data, by name; io_uring_* are requests of io_uring and switch no mode.",
        CALL_RATE,
        Query(q.total("copy_host_syscalls_total", "instance, syscall", q.HOST), "{{syscall}}, {{instance}}"),
    )
    yield timeline(
        "Mode switches for each MiB moved",
        "The whole host. It falls when calls get larger or bytes pass by sendfile. The same by process is above.",
        COUNT,
        Query(_switches_per_mib("instance", q.HOST, of="copy_host"), "{{instance}}"),
    )
    yield timeline(
        "Failed calls",
        "By call and error. EAGAIN is how non-blocking programs wait. sendfile with EINVAL or ENOTSUP: a file "
        "system or socket that refuses it, and the program falls back to copying.",
        CALL_RATE,
        Query(
            q.total("copy_host_syscall_errors_total", "instance, syscall, errno", q.HOST),
            "{{syscall}} {{errno}}, {{instance}}",
        ),
    )


def _cost() -> Iterator[Panel]:
    cpu = timeline(
        "CPU time in the kernel's copy routines, by process",
        "Sampled: what copying costs in CPUs. Compare with the panel beside it: below a tenth of the process's time, "
        "zero copy will not make it much faster.",
        CORES,
        Query(q.top("copy_cpu_seconds_total", q.OF_PROCESS, q.PROCESSES), _PROCESS),
    )
    linked(cpu, frame.process_link())
    yield cpu
    yield timeline(
        "CPU time of the same processes",
        "User and system mode together, of the twenty processes that copied most.",
        CORES,
        Query(f"{q.total('copy_process_cpu_seconds_total', q.OF_PROCESS, q.PROCESSES)} and {_busiest()}", _PROCESS),
    )
    use = timeline(
        "Network: part of its speed in use",
        "The busier direction of each device against its speed. Above 70 % the network saturates before the "
        "CPU does, and saving copies will not send more bytes; it still frees CPU.",
        SHARE,
        Query(f"device:copy_network_utilisation:ratio_rate5m{{{q.HOST}}}", "{{device}}, {{instance}}"),
    ).no_value(NO_NETWORK)
    yield lines_at(use.max(1), HIGH_IS_BAD)
    yield timeline(
        "Copy CPU for each GiB/s sent",
        "CPUs that the kernel's copy routines keep busy, by what all network devices send. By this slope and the "
        "speed of the network you can tell which of the two saturates first.",
        CORES,
        Query(
            f"{2**30} * "
            + q.per(
                q.total("copy_cpu_seconds_total", "instance", q.HOST),
                q.total("copy_network_transmit_bytes_total", "instance", q.HOST, 'device!="lo"'),
            ),
            "{{instance}}",
        ),
    ).no_value(NO_NETWORK)
    yield (
        timeline(
            "Network: bytes",
            "What each device sent and received, all processes and protocols, headers included.",
            BYTE_RATE,
            Query(
                q.total("copy_network_transmit_bytes_total", "instance, device", q.HOST),
                "sent: {{device}}, {{instance}}",
            ),
            Query(
                q.total("copy_network_receive_bytes_total", "instance, device", q.HOST),
                "received: {{device}}, {{instance}}",
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
            "Scatter-gather 0: the kernel copies what was sent by reference after all, before it reaches the device; "
            "`ethtool -K DEVICE sg on`. No speed: a virtual device.",
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
            "Seen below the system calls, whatever asked for it: io_uring, the kernel itself. Much more than "
            "the CPU-copied bytes above: something copies without a system call of its own.",
            BYTE_RATE,
            Query(q.total("copy_kernel_copied_bytes_total", "instance, source, destination", q.HOST), _HOP),
        )
        .span(8)
        .no_value(OPTIONAL)
    )
    for verb, of in (("to", "copy_to_user"), ("from", "copy_from_user")):
        yield (
            timeline(
                f"{of}",
                f"Bytes that the kernel's {of} was asked to copy, by process: mostly small structures {verb} "
                f"user space. "
                "Megabytes a second here are worth a profile of that process.",
                BYTE_RATE,
                Query(q.top(f"{of}_bytes_total", q.OF_PROCESS, q.PROCESSES), _PROCESS),
            )
            .span(8)
            .no_value(OPTIONAL)
        )
