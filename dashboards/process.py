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
    LOW_IS_BAD,
    OPTIONAL,
    SECONDS,
    SHARE,
    Column,
    Panel,
    Query,
    latencies,
    listing,
    number,
    quantiles,
    stacked,
    thresholds,
    timeline,
)

NO_SENDFILE = "No data: no sendfile in this time, or the sendfile probe is not attached (copy-exporter doctor)"
NO_SAVING = "Nothing: no bytes go from files to the network through user space"
NO_COPY_CPU = "No data: CPU sampling is off or this kernel does not allow it (copy-exporter doctor)"

_WHO = "{{comm}} {{pid}}, {{instance}}"
_HOP = "{{source}} → {{destination}}"
_FROM_FILES = ('source="page_cache"', 'destination="user"')
_FROM_MEMORY = ('source="user"', q.TO_NETWORK)
_NOT_DIRECT = ('source!="disk"', 'destination!="disk"')


def build() -> dashboard.Dashboard:
    """The dashboard."""
    built = frame.frame(
        frame.PROCESS,
        "Copy behaviour: process",
        "One process in depth: which way its bytes go, by which calls, what it waits for, and what zero copy "
        "would save. Made from copy-exporter's code.",
        frame.instances(),
        frame.processes(),
        frame.pids(),
    )
    rows = {
        "At a glance": _glance(),
        "What zero copy would save": _saved(),
        "Hops": _hops(),
        "Calls": _calls(),
        "sendfile: does it wait?": _sendfile(),
        "CPU": _cpu(),
    }
    return frame.filled(built, rows)


def _glance() -> Iterator[Panel]:
    yield number(
        "Copied by the CPU",
        "Bytes a second that the CPU copied for these processes' system calls.",
        BYTE_RATE,
        Query(q.total("copy_cpu_copied_bytes_total", "instance", q.PROCESS), "{{instance}}"),
    )
    yield number(
        "Passed by reference",
        "Bytes a second by zero copy. A server of files that shows nothing here copies every byte: see what would be "
        "saved, below.",
        BYTE_RATE,
        Query(q.total("copy_zero_copied_bytes_total", "instance", q.PROCESS), "{{instance}}"),
    )
    yield number(
        "Moved by DMA",
        "Disk reads on its behalf: page-cache misses, and O_DIRECT.",
        BYTE_RATE,
        Query(q.total("copy_dma_copied_bytes_total", "instance", q.PROCESS), "{{instance}}"),
    )
    yield (
        number(
            "Sent by zero copy",
            "Part of the bytes handed to TCP and UDP that went by reference. TLS in user space and data made "
            "in memory cannot be sent so.",
            SHARE,
            Query(q.zero_copy_share("instance", q.PROCESS, q.TO_NETWORK), "{{instance}}"),
        )
        .max(1)
        .thresholds(thresholds(LOW_IS_BAD))
    )
    copies = q.total("copy_cpu_copied_bytes_total", "instance", q.PROCESS, 'source!~"tcp|udp"')
    yield number(
        "CPU copies of each byte sent",
        "0 for sendfile, 1 from memory, 2 for read and write. Received bytes are left out.",
        COUNT,
        Query(q.per(copies, q.moved("instance", q.PROCESS, q.TO_NETWORK)), "{{instance}}"),
    ).thresholds(thresholds(COPIES))
    switches = q.mode_switches("instance", q.PROCESS)
    yield number(
        "Mode switches for each MiB sent",
        "All its calls that move data, failed ones too, by what it handed to TCP and UDP. In 64 KiB chunks sendfile "
        "takes 32, read and write 64. Far more: its buffers are small.",
        COUNT,
        Query(f"{q.MIB} * {q.per(switches, q.moved('instance', q.PROCESS, q.TO_NETWORK))}", "{{instance}}"),
    )


def _saved() -> Iterator[Panel]:
    replaceable = _replaceable("instance, comm, pid")
    yield (
        timeline(
            "CPU copies that sendfile would save",
            "Bytes read from the page cache and bytes sent from user space, the smaller of both, twice. An "
            "upper bound: it supposes that the same bytes go out unchanged, which TLS or compression in user "
            "space would not allow.",
            BYTE_RATE,
            Query(f"2 * {replaceable}", _WHO),
        )
        .span(8)
        .no_value(NO_SAVING)
    )
    part = _replaceable("instance, comm, pid")
    all_copied = q.total("copy_cpu_copied_bytes_total", q.OF_PROCESS, q.PROCESS)
    yield (
        timeline(
            "Part of its CPU copies",
            "The same, of all that the CPU copies for it. Near 1: it does little but pass files on, by hand; "
            "sendfile or splice would take nearly all of its copying away.",
            SHARE,
            Query(q.per(f"2 * {part}", all_copied), _WHO),
        )
        .max(1)
        .span(8)
        .no_value(NO_SAVING)
    )
    copy_cpu = q.total("copy_cpu_seconds_total", q.OF_PROCESS, q.PROCESS)
    yield (
        timeline(
            "CPU time that would be free",
            "That part of the sampled CPU time in the kernel's copy routines. Set it against the process's "
            "CPU time below before anyone rewrites a program.",
            CORES,
            Query(f"{copy_cpu} * {q.per(f'2 * {part}', all_copied)}", _WHO),
        )
        .span(8)
        .no_value(NO_SAVING)
    )


def _replaceable(by: str) -> str:
    read = q.total("copy_cpu_copied_bytes_total", by, q.PROCESS, *_FROM_FILES)
    sent = q.total("copy_cpu_copied_bytes_total", by, q.PROCESS, *_FROM_MEMORY)
    return q.smaller(read, sent)


def _hops() -> Iterator[Panel]:
    texts = {
        "CPU": ("cpu", "page_cache → user with as much user → tcp: files are passed on by hand."),
        "Zero copy": ("zero", "page_cache → tcp: sendfile; page_cache → pipe and pipe → tcp: splice."),
        "DMA": ("dma", "disk → page_cache: it reads what is not cached. disk ↔ user: O_DIRECT."),
    }
    for title, (metric, text) in texts.items():
        rates = q.total(f"copy_{metric}_copied_bytes_total", "source, destination", q.PROCESS)
        yield stacked(f"{title}: hops", f"Bytes by source and destination. {text}", BYTE_RATE, Query(rates, _HOP)).span(
            8
        )
    ports = q.moved("port, destination", q.PROCESS, 'port!=""')
    yield stacked(
        "By watched port",
        "Bytes sent from and received on the ports that are watched: those of Kafka brokers, and --watch.port.",
        BYTE_RATE,
        Query(ports, "{{port}} → {{destination}}"),
    ).no_value("No data: this process has none of the watched ports (exporter with --watch.port N)")
    yield timeline(
        "Below the system calls (optional probes)",
        "Copies seen in the kernel's own functions, copy_to_user and copy_from_user. Much more than the hops above: "
        "io_uring, or many calls that are no reads or writes.",
        BYTE_RATE,
        Query(q.total("copy_kernel_copied_bytes_total", "source, destination", q.PROCESS), f"kernel: {_HOP}"),
        Query(q.total("copy_to_user_bytes_total", "instance", q.PROCESS), "copy_to_user"),
        Query(q.total("copy_from_user_bytes_total", "instance", q.PROCESS), "copy_from_user"),
    ).no_value(OPTIONAL)


def _calls() -> Iterator[Panel]:
    calls = q.total("copy_syscalls_total", "syscall", q.PROCESS)
    yield timeline(
        "Successful calls",
        "Calls that move data, those of 0 bytes included; io_uring_* are requests of io_uring.",
        CALL_RATE,
        Query(calls, "{{syscall}}"),
    )
    sizes = q.per(q.moved("syscall", q.PROCESS), q.total("copy_syscalls_total", "syscall", q.PROCESS, *_NOT_DIRECT))
    yield timeline(
        "Mean size of a call",
        "What one call moved, O_DIRECT left out. Under a few KiB the switches cost more than the copies: larger "
        "buffers, or readv, sendmmsg, io_uring to batch.",
        BYTES,
        Query(sizes, "{{syscall}}"),
    )
    yield timeline(
        "Failed calls",
        "EAGAIN is how non-blocking programs wait; much of it beside few calls is a busy loop. sendfile with EINVAL, "
        "ENOSYS or ENOTSUP: refused, and the program falls back to copying. copy_file_range EINVAL before "
        "each sendfile is how JDK 21 and later ask.",
        CALL_RATE,
        Query(q.total("copy_syscall_errors_total", "syscall, errno", q.PROCESS), "{{syscall}} {{errno}}"),
    )
    yield timeline(
        "Mode switches",
        "Two for each system call, failed ones too; requests of io_uring have none.",
        CALL_RATE,
        Query(q.mode_switches(q.OF_PROCESS, q.PROCESS), _WHO),
    )
    user_calls = [
        Query(
            q.per(
                q.total(f"{of}_bytes_total", "instance", q.PROCESS), q.total(f"{of}_calls_total", "instance", q.PROCESS)
            ),
            of,
        )
        for of in ("copy_to_user", "copy_from_user")
    ]
    yield timeline(
        "Mean size of copy_to_user and copy_from_user (optional probes)",
        "What one call of the kernel's own copy functions was asked to copy: mostly structures of system calls.",
        BYTES,
        *user_calls,
    ).no_value(OPTIONAL)
    named = f"max by ({q.OF_PROCESS}, name, cgroup, container_id, unit) (copy_process_info{{{q.PROCESS}}})"
    yield (
        listing(
            "What it is",
            "What runs under this name, and in which unit, container and control group: whom to ask.",
            {
                "instance": "Host",
                "comm": "Process",
                "pid": "Process id",
                "name": "Runs",
                "unit": "Unit",
                "container_id": "Container",
                "cgroup": "Control group",
            },
            [Column("Known", COUNT, named)],
        )
        .span(12)
        .height(8)
    )


def _sendfile() -> Iterator[Panel]:
    buckets = q.total("copy_sendfile_duration_seconds_bucket", f"{q.OF_PROCESS}, le", q.PROCESS)
    yield (
        timeline(
            "Time of a sendfile",
            "Half of the calls, and 99 % of them, took less. Slow ones waited for the disk (see DMA above: a "
            "page-cache miss on the network thread) or, on a blocking socket, for the peer. Buckets end at "
            "powers of 4: between them it is interpolated.",
            SECONDS,
            *quantiles(buckets, _WHO),
        )
        .span(8)
        .no_value(NO_SENDFILE)
    )
    yield (
        latencies(
            "All of them",
            "How many calls took how long. Two bands: cached and not cached.",
            Query(q.total("copy_sendfile_duration_seconds_bucket", "le", q.PROCESS), "{{le}}"),
        )
        .span(8)
        .no_value(NO_SENDFILE)
    )
    yield (
        timeline(
            "Threads held by sendfile",
            "Seconds in sendfile a second: 1 is one thread that does nothing else. Near the number of network "
            "threads, they are the limit: more of them, or more page cache.",
            COUNT,
            Query(q.total("copy_sendfile_duration_seconds_sum", q.OF_PROCESS, q.PROCESS), _WHO),
        )
        .span(8)
        .no_value(NO_SENDFILE)
    )


def _cpu() -> Iterator[Panel]:
    yield stacked(
        "CPU time",
        "CPUs that the process keeps busy, in user and in system mode. Copying is a part of the system time.",
        CORES,
        Query(q.total("copy_process_cpu_seconds_total", "instance, mode", q.PROCESS), "{{mode}}, {{instance}}"),
    ).span(8)
    copying = q.total("copy_cpu_seconds_total", q.OF_PROCESS, q.PROCESS)
    yield (
        timeline(
            "CPU time in the kernel's copy routines",
            "Sampled, so a short burst may be missed. This is the most that zero copy could free.",
            CORES,
            Query(copying, _WHO),
        )
        .span(8)
        .no_value(NO_COPY_CPU)
    )
    whole = q.total("copy_process_cpu_seconds_total", q.OF_PROCESS, q.PROCESS)
    yield (
        timeline(
            "Copying, as a part of its CPU time",
            "Below a tenth: zero copy would hardly be noticed. Above a third: worth the work.",
            SHARE,
            Query(q.per(copying, whole), _WHO),
        )
        .max(1)
        .span(8)
        .no_value(NO_COPY_CPU)
    )
