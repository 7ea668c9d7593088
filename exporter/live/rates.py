"""The rates of a host at one moment: the answer of ``/api/v1/live`` and what other views are drawn from."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

_CONFIG = ConfigDict(use_attribute_docstrings=True)


@dataclass(frozen=True, config=_CONFIG)
class HostInfo:
    """The host and its exporter."""

    name: str
    kernel: str
    cpus: int
    """CPUs that are online."""
    version: str
    """Of the exporter."""
    revision: str
    """Of the exporter's source, in git."""
    started_seconds: float
    """Start of the exporter, in seconds since the epoch."""
    metrics_path: str
    """Path of the metrics on this server."""


@dataclass(frozen=True, config=_CONFIG)
class Probe:
    """A probe and what became of it at start-up."""

    name: str
    attached: bool
    attach_method: str
    hook: str
    reason: str
    """Why it is not attached; empty when it is."""
    remedy: str


@dataclass(frozen=True, config=_CONFIG)
class Health:
    """Whether the counts are complete."""

    probes: list[Probe]
    dropped_updates: int
    """Updates lost since the start because a map was full."""
    missed_runs: int
    """Events since the start that the kernel skipped a probe for."""
    stalled_probes: list[str]
    """Probes that are attached and have stopped counting."""


@dataclass(frozen=True, config=_CONFIG)
class Mechanisms:
    """Bytes per second by mechanism; each hop counts once."""

    cpu: float
    """Copied by the CPU."""
    zero_copy: float
    """Passed by reference."""
    dma: float
    """Moved by a device."""


@dataclass(frozen=True, config=_CONFIG)
class Totals:
    """The whole host."""

    moved_bytes_per_second: float
    """The sum of the mechanisms: all bytes over all hops."""
    mechanisms: Mechanisms
    calls_per_second: float
    """Successful system calls that move data, and requests of io_uring."""
    mode_switches_per_second: float
    """Two for each system call that moves data, failed ones included; none for requests of io_uring."""
    copy_cpu_ratio: float | None
    """CPU time in the kernel's copy routines, 1 for all CPUs; null when it is not sampled."""
    sender_cpu_ratio: float | None
    """CPU time of the listed processes that send by TCP or UDP, 1 for all CPUs; null when it is not known."""
    network_use_ratio: float | None
    """The busier direction of the busiest network device, 1 for its speed; null when no device has a known speed."""
    saturates_first: str
    """`network` or `cpu`, whichever of network_use_ratio and sender_cpu_ratio is larger; else `unknown`."""


@dataclass(frozen=True, config=_CONFIG)
class Hop:
    """Bytes from one endpoint to another, of the whole host."""

    source: str
    destination: str
    mechanism: str
    """`cpu`, `zero_copy` or `dma`."""
    bytes_per_second: float


@dataclass(frozen=True, config=_CONFIG)
class Device:
    """A network device."""

    device: str
    transmit_bytes_per_second: float
    receive_bytes_per_second: float
    speed_bytes_per_second: float | None
    """Of the link, in each direction; null when the driver does not report it."""
    scatter_gather: bool | None
    """Whether the device takes packets in pieces; without, zero copy is copied after all. null when not known."""


@dataclass(frozen=True, config=_CONFIG)
class ProcessHop:
    """A hop of one process, by one system call."""

    syscall: str
    """Empty for what the block layer reads for a process."""
    source: str
    destination: str
    mechanism: str
    port: int | None
    """The local TCP port, when it is watched."""
    calls_per_second: float
    bytes_per_second: float


@dataclass(frozen=True, config=_CONFIG)
class ProcessError:
    """System calls of one process that returned an error."""

    syscall: str
    errno: str
    errors_per_second: float


@dataclass(frozen=True, config=_CONFIG)
class Process:
    """One process, those of a name that have ended, or all that are not listed: the rows add up to the totals."""

    pid: str
    """`ended` for processes of one name that ended in the interval, `other` for all that are not listed."""
    comm: str
    name: str
    """What a person calls the process: the main class of a JVM, the script of an interpreter, else its comm."""
    unit: str
    container_id: str
    cgroup: str
    mechanisms: Mechanisms
    calls_per_second: float
    mode_switches_per_second: float
    bytes_per_call: float | None
    """Bytes that a successful call moves; null without calls."""
    copies_per_byte_sent: float | None
    """Bytes copied by the CPU per byte that reaches a socket; null above 100, for a process that hardly sends."""
    copy_cpu_ratio: float | None
    """CPU time in the kernel's copy routines, 1 for one CPU; null when it is not sampled."""
    hops: list[ProcessHop]
    """Largest first."""
    errors: list[ProcessError]


@dataclass(frozen=True, config=_CONFIG)
class Broker:
    """A running Kafka broker or controller."""

    pid: str
    comm: str
    cluster_id: str
    node_id: str


@dataclass(frozen=True, config=_CONFIG)
class Sent:
    """Bytes per second that a listener sends."""

    cpu: float
    zero_copy: float


@dataclass(frozen=True, config=_CONFIG)
class Written:
    """Bytes per second that are written to a topic's files."""

    cpu: float


@dataclass(frozen=True, config=_CONFIG)
class Listener:
    """A listener of a broker."""

    cluster_id: str
    node_id: str
    pid: str
    listener: str
    protocol: str
    port: int
    sent: Sent
    received_bytes_per_second: float
    zero_copy_ratio: float | None
    """The part of the bytes sent that went by zero copy; null when nothing is sent."""
    reason: str
    """Why it sends without zero copy (docs/kafka.md), several joined by commas; empty when it does not."""


@dataclass(frozen=True, config=_CONFIG)
class Topic:
    """A partition of a topic."""

    cluster_id: str
    node_id: str
    topic: str
    partition: str
    read: Mechanisms
    written: Written


@dataclass(frozen=True, config=_CONFIG)
class Kafka:
    """The Kafka brokers of the host."""

    brokers: list[Broker]
    listeners: list[Listener]
    topics: list[Topic]
    """Those of which most bytes are read and written, largest first."""


@dataclass(frozen=True, config=_CONFIG)
class Rates:
    """What the host moves, as rates between two readings."""

    time_seconds: float
    """Time of the later reading, since the epoch."""
    interval_seconds: float
    """Time between the two readings."""
    host: HostInfo
    health: Health
    totals: Totals
    hops: list[Hop]
    """Largest first."""
    devices: list[Device]
    process_count: int
    """Processes that have counted anything since their start."""
    processes: list[Process]
    """Those that moved most bytes in the interval, by bytes that the CPU copied; the last one is `other`."""
    kafka: Kafka
