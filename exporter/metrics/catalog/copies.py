"""What the probes count of each process: system calls, bytes and copy time."""

from exporter.metrics.family import NS_PER_SECOND, PROCESS, RowFamily, RowHistogram
from exporter.model import DURATION_BUCKETS_NS, MECHANISMS, RowKind

_HOP = ("source", "destination")

SYSCALLS = RowFamily(
    name="copy_syscalls_total",
    type="counter",
    labels=(*PROCESS, "syscall", *_HOP, "port"),
    help="System calls that moved data and succeeded, those of 0 bytes included; io_uring_* are requests of io_uring.",
    probe="syscalls",
    kinds=tuple(MECHANISMS),
    number="events",
    has_operation=True,
    has_host_total=True,
)
SYSCALL_ERRORS = RowFamily(
    name="copy_syscall_errors_total",
    type="counter",
    labels=(*PROCESS, "syscall", "errno"),
    help="System calls that move data and returned an error; mode switches are twice the sum of both families "
    "without io_uring_*.",
    probe="syscalls",
    kinds=(RowKind.ERROR,),
    number="events",
    has_host_total=True,
)
BYTES = RowFamily(
    name="copy_bytes_total",
    type="counter",
    labels=(*PROCESS, "mechanism", "syscall", *_HOP, "port"),
    help="Bytes moved from source to destination: copied by the CPU (cpu), passed by reference (zero_copy) or moved by "
    "a device (dma). It counts once per hop: a byte that is read and sent counts twice. syscall is empty for what the "
    "block layer reads for a process, without reads that an I/O limit of a cgroup delayed.",
    unit="bytes",
    probe="syscalls",
    kinds=tuple(MECHANISMS),
    number="amount",
    has_host_total=True,
)
LOST_BYTES = RowFamily(
    name="copy_zero_copy_lost_bytes_total",
    type="counter",
    labels=(*PROCESS, "port", "reason"),
    help="Bytes that sendfile and splice copied to or from a TCP socket, and why. kernel_tls: the kernel encrypts or "
    "decrypts them. They are a part of copy_bytes_total with mechanism cpu.",
    unit="bytes",
    probe="syscalls",
    kinds=(RowKind.CPU_COPY,),
    number="amount",
    has_copy_reason=True,
)
CPU_SECONDS = RowFamily(
    name="copy_cpu_seconds_total",
    type="counter",
    labels=PROCESS,
    help="CPU time inside the kernel's copy routines, by samples (docs/sampling.md).",
    unit="seconds",
    probe="copy_time",
    kinds=(RowKind.COPY_TIME,),
    number="amount",
    scale=NS_PER_SECOND,
    has_host_total=True,
)
CIPHER_SECONDS = RowFamily(
    name="copy_cipher_seconds_total",
    type="counter",
    labels=PROCESS,
    help="CPU time inside the kernel's cipher routines, by samples: kernel TLS, and other ciphers and random numbers "
    "that the kernel computes for the process (docs/sampling.md). No part of copy_cpu_seconds_total.",
    unit="seconds",
    probe="copy_time",
    kinds=(RowKind.CIPHER_TIME,),
    number="amount",
    scale=NS_PER_SECOND,
)
KERNEL_COPIED_BYTES = RowFamily(
    name="copy_kernel_copied_bytes_total",
    type="counter",
    labels=(*PROCESS, *_HOP),
    help="Bytes seen in the kernel's own copy functions, whatever system call asked for them: never add them to "
    "copy_bytes_total.",
    unit="bytes",
    probe="sockets",
    kinds=(RowKind.KERNEL_COPY,),
    number="amount",
)
TO_USER_BYTES = RowFamily(
    name="copy_to_user_bytes_total",
    type="counter",
    labels=PROCESS,
    help="Bytes that the kernel's own copy_to_user was asked to copy.",
    unit="bytes",
    probe="usercopy",
    kinds=(RowKind.TO_USER,),
    number="amount",
)
TO_USER_CALLS = RowFamily(
    name="copy_to_user_calls_total",
    type="counter",
    labels=PROCESS,
    help="Calls of the kernel's own copy_to_user.",
    probe="usercopy",
    kinds=(RowKind.TO_USER,),
    number="events",
)
FROM_USER_BYTES = RowFamily(
    name="copy_from_user_bytes_total",
    type="counter",
    labels=PROCESS,
    help="Bytes that the kernel's own copy_from_user was asked to copy.",
    unit="bytes",
    probe="usercopy",
    kinds=(RowKind.FROM_USER,),
    number="amount",
)
FROM_USER_CALLS = RowFamily(
    name="copy_from_user_calls_total",
    type="counter",
    labels=PROCESS,
    help="Calls of the kernel's own copy_from_user.",
    probe="usercopy",
    kinds=(RowKind.FROM_USER,),
    number="events",
)
SENDFILE_DURATION = RowHistogram(
    name="copy_sendfile_duration_seconds",
    type="histogram",
    labels=PROCESS,
    help="Time that successful sendfile calls took: a slow one waited for the disk or for the peer.",
    unit="seconds",
    probe="sendfile",
    kind=RowKind.DURATION,
    bounds=DURATION_BUCKETS_NS,
    scale=NS_PER_SECOND,
)

ROW_FAMILIES = (
    SYSCALLS,
    SYSCALL_ERRORS,
    BYTES,
    LOST_BYTES,
    CPU_SECONDS,
    CIPHER_SECONDS,
    KERNEL_COPIED_BYTES,
    TO_USER_BYTES,
    TO_USER_CALLS,
    FROM_USER_BYTES,
    FROM_USER_CALLS,
)
HOST_TOTALS = tuple(family.host_total() for family in ROW_FAMILIES if family.has_host_total)
HISTOGRAMS = (SENDFILE_DURATION,)
