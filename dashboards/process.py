"""Copy behaviour of one process: hops, calls, waiting, and what zero copy would save."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard

from dashboards import frame
from dashboards import queries as q
from dashboards.panels import (
    BYTE_RATE,
    BYTES,
    CALL_RATE,
    COPIES,
    CORES,
    COUNT,
    OPTIONAL,
    SECONDS,
    SHARE,
    Panel,
    Query,
    latencies,
    linked_columns,
    listing,
    number,
    quantiles,
    stacked,
    thresholds,
    timeline,
)

NO_SENDFILE = "No data: no sendfile in this time range, or its probe is not attached (copy-exporter doctor)"
NO_SAVING = "Nothing: no bytes move from files to the network through user space"
NO_COPY_CPU = "No data: CPU sampling is off, or this kernel does not support it (copy-exporter doctor)"

_BYTES = "copy_bytes_total"
_HOP = "{{source}} → {{destination}}"
_NOT_DIRECT = ('source!="disk"', 'destination!="disk"')


def build() -> dashboard.Dashboard:
    """The dashboard."""
    built = frame.frame(
        frame.PROCESS,
        "Copy behaviour: process",
        "One process in detail: the hops of its bytes, the calls, what it waits for, and what zero copy would save. "
        "Generated from copy-exporter's code.",
        frame.processes(),
        frame.pids(),
    )
    rows = {
        "Summary": _summary(),
        "What zero copy would save": _savings(),
        "Hops": _hops(),
        "Calls": _calls(),
        "Time in sendfile": _sendfile(),
        "CPU": _cpu(),
    }
    return frame.with_rows(built, rows)


def _summary() -> Iterator[Panel]:
    sent = q.moved("instance", q.PROCESS, q.TO_NETWORK)
    yield number(
        "Copied by the CPU",
        "Bytes per second that the CPU copied for the system calls of these processes.",
        BYTE_RATE,
        Query(q.total(_BYTES, "instance", q.CPU, q.PROCESS), "{{instance}}"),
    )
    yield number(
        "Moved by zero copy",
        "Bytes per second. A file server that shows nothing here copies every byte: see below what zero copy would "
        "save.",
        BYTE_RATE,
        Query(q.total(_BYTES, "instance", q.ZERO_COPY, q.PROCESS), "{{instance}}"),
    )
    yield number(
        "Moved by DMA",
        "Disk reads on its behalf: page-cache misses, and O_DIRECT.",
        BYTE_RATE,
        Query(q.total(_BYTES, "instance", q.DMA, q.PROCESS), "{{instance}}"),
    )
    yield (
        number(
            "Sent by zero copy",
            "The part of the bytes sent to TCP and UDP that went by zero copy. TLS in user space, and data that is "
            "made in memory, cannot use it.",
            SHARE,
            Query(q.zero_copy_share("instance", q.PROCESS, q.TO_NETWORK), "{{instance}}"),
        ).max(1)
    )
    copies = q.total(_BYTES, "instance", q.CPU, q.PROCESS, 'source!~"tcp|udp"')
    yield number(
        "CPU copies per byte sent",
        "0 for sendfile, 1 from memory, 2 for read and write. Received bytes are not included.",
        COUNT,
        Query(q.per(copies, sent), "{{instance}}"),
    ).thresholds(thresholds(COPIES))
    yield number(
        "Mode switches/MiB sent",
        "All its calls that move data, failed ones included, divided by what it sent to TCP and UDP. With chunks of "
        "64 KiB sendfile takes 32, read and write 64. Far more: its buffers are small.",
        COUNT,
        Query(f"{q.MIB} * {q.per(q.mode_switches('instance', q.PROCESS), sent)}", "{{instance}}"),
    )


def _savings() -> Iterator[Panel]:
    from_files = q.total(_BYTES, q.PROCESS_LABELS, q.CPU, q.PROCESS, 'source="page_cache"', 'destination="user"')
    from_memory = q.total(_BYTES, q.PROCESS_LABELS, q.CPU, q.PROCESS, 'source="user"', q.TO_NETWORK)
    replaceable = f"2 * {q.smaller(from_files, from_memory)}"
    all_copied = q.total(_BYTES, q.PROCESS_LABELS, q.CPU, q.PROCESS)
    yield (
        timeline(
            "Avoidable CPU copies",
            "What sendfile would save: of the bytes read from the page cache and those sent from user space the "
            "smaller number, twice. An upper bound: it assumes that the same bytes are sent unchanged, which TLS or "
            "compression in user space prevent.",
            BYTE_RATE,
            Query(replaceable, q.PROCESS_LEGEND),
        )
        .span(8)
        .no_value(NO_SAVING)
    )
    yield (
        timeline(
            "Avoidable part of copies",
            "The same, divided by all bytes that the CPU copies for it. Near 1: it does little but read files and send "
            "them; sendfile or splice would remove nearly all of its copying.",
            SHARE,
            Query(q.per(replaceable, all_copied), q.PROCESS_LEGEND),
        )
        .max(1)
        .span(8)
        .no_value(NO_SAVING)
    )
    copy_cpu = q.total("copy_cpu_seconds_total", q.PROCESS_LABELS, q.PROCESS)
    yield (
        timeline(
            "Avoidable CPU time",
            "What sendfile would save: that part of the sampled CPU time in the kernel's copy routines. Compare it "
            "with the process's CPU time below before you rewrite a program.",
            CORES,
            Query(f"{copy_cpu} * {q.per(replaceable, all_copied)}", q.PROCESS_LEGEND),
        )
        .span(8)
        .no_value(NO_SAVING)
    )


def _hops() -> Iterator[Panel]:
    mechanisms = {
        "CPU": (q.CPU, "page_cache → user with as much user → tcp: files are read and written to sockets."),
        "Zero copy": (q.ZERO_COPY, "page_cache → tcp: sendfile; page_cache → pipe and pipe → tcp: splice."),
        "DMA": (q.DMA, "disk → page_cache: page-cache misses. disk ↔ user: O_DIRECT."),
    }
    for title, (mechanism, text) in mechanisms.items():
        rates = q.total(_BYTES, "source, destination", mechanism, q.PROCESS)
        panel = stacked(f"{title}: hops", f"Bytes by source and destination. {text}", BYTE_RATE, Query(rates, _HOP))
        yield panel.span(8)
    yield stacked(
        "By watched port",
        "What was sent from and received on the ports that the exporter watches: those of Kafka brokers, and those of "
        "--watch.port.",
        BYTE_RATE,
        Query(q.moved("port, destination", q.PROCESS, 'port!=""'), "{{port}} → {{destination}}"),
    ).no_value("No data: this process uses no watched port (run the exporter with --watch.port N)")
    yield timeline(
        "Below the system calls",
        "Copies counted in the kernel's own functions, copy_to_user and copy_from_user. Much more than the hops above: "
        "io_uring, or many calls other than reads and writes.",
        BYTE_RATE,
        Query(q.total("copy_kernel_copied_bytes_total", "source, destination", q.PROCESS), f"kernel: {_HOP}"),
        Query(q.total("copy_to_user_bytes_total", "instance", q.PROCESS), "copy_to_user"),
        Query(q.total("copy_from_user_bytes_total", "instance", q.PROCESS), "copy_from_user"),
    ).no_value(OPTIONAL)


def _calls() -> Iterator[Panel]:
    yield timeline(
        "Successful calls",
        "Calls that move data, those of 0 bytes included. io_uring_* are requests of io_uring.",
        CALL_RATE,
        Query(q.total("copy_syscalls_total", "syscall", q.PROCESS), "{{syscall}}"),
    )
    sizes = q.per(q.moved("syscall", q.PROCESS), q.total("copy_syscalls_total", "syscall", q.PROCESS, *_NOT_DIRECT))
    yield timeline(
        "Mean size of a call",
        "Bytes that one call moved, without O_DIRECT. Below a few KiB the mode switches cost more than the copies: use "
        "larger buffers, or readv, sendmmsg or io_uring to batch.",
        BYTES,
        Query(sizes, "{{syscall}}"),
    )
    yield timeline(
        "Failed calls",
        "EAGAIN is how non-blocking programs wait; many with few successful calls are a busy loop. sendfile with "
        "EINVAL, ENOSYS or EOPNOTSUPP is refused, and the program falls back to copying. JDK 21 and later try "
        "copy_file_range before each sendfile and get EINVAL.",
        CALL_RATE,
        Query(q.total("copy_syscall_errors_total", "syscall, errno", q.PROCESS), "{{syscall}} {{errno}}"),
    )
    yield timeline(
        "Mode switches",
        "Two for each system call, failed ones included. Requests of io_uring make none.",
        CALL_RATE,
        Query(q.mode_switches(q.PROCESS_LABELS, q.PROCESS), q.PROCESS_LEGEND),
    )
    sizes_of_functions = [
        Query(
            q.per(*(q.total(f"{function}_{what}_total", "instance", q.PROCESS) for what in ("bytes", "calls"))),
            function,
        )
        for function in ("copy_to_user", "copy_from_user")
    ]
    yield (
        timeline(
            "Mean size of copy_to_user and copy_from_user",
            "Bytes that one call of the kernel's own copy functions was asked to copy: mostly structures of system "
            "calls.",
            BYTES,
            *sizes_of_functions,
        )
        .span(24)
        .no_value(OPTIONAL)
    )
    named = f"max by ({q.PROCESS_LABELS}, name, cgroup, container_id, unit) (copy_process_info{{{q.PROCESS}}})"
    programs = (
        listing(
            "What runs here",
            "The program behind the process name, and its unit, container and control group: they show who runs it.",
            {
                "instance": "Host",
                "comm": "Process",
                "pid": "Process id",
                "name": "Name",
                "unit": "Unit",
                "container_id": "Container",
                "cgroup": "Control group",
            },
            facts=named,
        )
        .span(24)
        .height(6)
    )
    linked_columns(programs, frame.row_links("Host"))
    yield programs


def _sendfile() -> Iterator[Panel]:
    buckets = q.total("copy_sendfile_duration_seconds_bucket", f"{q.PROCESS_LABELS}, le", q.PROCESS)
    panels = (
        timeline(
            "Duration of sendfile",
            "Median and 99th percentile. A slow call waited for the disk (see DMA above: a page-cache miss on the "
            "network thread) or, on a blocking socket, for the peer. Buckets end at powers of 4; values between are "
            "interpolated.",
            SECONDS,
            *quantiles(buckets, q.PROCESS_LEGEND),
        ),
        latencies(
            "All sendfile calls",
            "How many calls took how long. Two bands: data in the page cache, and data read from disk.",
            Query(q.total("copy_sendfile_duration_seconds_bucket", "le", q.PROCESS), "{{le}}"),
        ),
        timeline(
            "Threads busy in sendfile",
            "Seconds in sendfile per second: 1 is one thread that does nothing else. Near the number of network "
            "threads, they are the limit: add threads, or memory for the page cache.",
            COUNT,
            Query(q.total("copy_sendfile_duration_seconds_sum", q.PROCESS_LABELS, q.PROCESS), q.PROCESS_LEGEND),
        ),
    )
    for panel in panels:
        yield panel.span(8).no_value(NO_SENDFILE)


def _cpu() -> Iterator[Panel]:
    yield stacked(
        "CPU time",
        "CPUs that the process keeps busy, in user and in system mode. Copying is a part of the system time.",
        CORES,
        Query(q.total("copy_process_cpu_seconds_total", "instance, mode", q.PROCESS), "{{mode}}, {{instance}}"),
    ).span(8)
    copying = q.total("copy_cpu_seconds_total", q.PROCESS_LABELS, q.PROCESS)
    yield (
        timeline(
            "CPU time in copies",
            "In the kernel's copy routines; sampled, so a short burst may be missed. Zero copy cannot save more. "
            "Beside it the time in the kernel's cipher routines, which kernel TLS needs.",
            CORES,
            Query(copying, q.PROCESS_LEGEND),
            Query(q.total("copy_cipher_seconds_total", q.PROCESS_LABELS, q.PROCESS), "ciphers: " + q.PROCESS_LEGEND),
        )
        .span(8)
        .no_value(NO_COPY_CPU)
    )
    all_cpu = q.total("copy_process_cpu_seconds_total", q.PROCESS_LABELS, q.PROCESS)
    yield (
        timeline(
            "Part of CPU time copying",
            "Below a tenth, zero copy would hardly be noticed. Above a third, it is worth the work.",
            SHARE,
            Query(q.per(copying, all_cpu), q.PROCESS_LEGEND),
        )
        .max(1)
        .span(8)
        .no_value(NO_COPY_CPU)
    )
