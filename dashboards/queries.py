"""PromQL that panels share: rates over Grafana's window, and ratios of them.

``by`` is a list of labels as PromQL writes it; ``scope`` are matchers as they stand between braces.
"""

HOST = 'job=~"$job", cluster=~"$cluster", instance=~"$instance"'
OWN = f"on (instance, job) group by (instance, job) (copy_exporter_build_info{{{HOST}}})"
"""The targets that are a copy-exporter, for metrics that others have too."""
PROCESSES = f'{HOST}, comm=~"$process"'
PROCESS = f'{PROCESSES}, pid=~"$pid"'
PORTS = f'{HOST}, port=~"$port"'
TOPICS = f'{HOST}, node_id=~"$broker", topic=~"$topic", partition=~"$partition"'

PROCESS_LABELS = "instance, comm, pid"
PORT_LABELS = "instance, port"
PROCESS_LEGEND = "{{comm}} {{pid}} {{instance}}"
"""No punctuation: a process may have no pid (--process.labels=comm)."""
HOP_LEGEND = "{{mechanism}}: {{source}} → {{destination}}"

CPU, ZERO_COPY, DMA = (f'mechanism="{mechanism}"' for mechanism in ("cpu", "zero_copy", "dma"))
SERVING = 'role=~"network|unknown|"'
"""Reads for clients: not those of the log cleaner and the like. An exporter of an older version has no roles."""
NOT_DMA = 'mechanism=~"cpu|zero_copy"'
TO_NETWORK = 'destination=~"tcp|udp"'
MODE_SWITCHING = 'syscall!~"io_uring_.*"'
"""Requests of io_uring are not system calls and do not switch the mode."""
MIB = 2**20
MOVES_ENOUGH = 2**18
"""Bytes per second, 256 KiB, below which calls per MiB and the part by zero copy say nothing."""


def once(expression: str) -> str:
    """The series of an exporter that two jobs scrape as one, which sums would count twice."""
    return f"max without (job) ({expression})"


def rate(metric: str, *scope: str) -> str:
    """Increase per second, over Grafana's window."""
    return once(f"rate({metric}{{{', '.join(scope)}}}[$__rate_interval])")


def gauge(metric: str, *scope: str) -> str:
    """Present values."""
    return once(f"{metric}{{{', '.join(scope)}}}")


def recent(metric: str, *scope: str) -> str:
    """The series that existed in the window of rates: after a failed scrape a gauge is missing, but a rate is not."""
    return once(f"last_over_time({metric}{{{', '.join(scope)}}}[$__rate_interval])")


def total(metric: str, by: str, *scope: str) -> str:
    """Rate of a counter, summed."""
    return f"sum by ({by}) ({rate(metric, *scope)})"


def moved(by: str, *scope: str, metric: str = "copy_bytes_total") -> str:
    """Bytes per second by CPU copy and zero copy together."""
    return total(metric, by, NOT_DMA, *scope)


def mode_switches(by: str, *scope: str, prefix: str = "copy") -> str:
    """Mode switches per second: two for each system call that moved data or failed to."""
    calls = rate(f"{prefix}_syscalls_total", *scope, MODE_SWITCHING)
    errors = rate(f"{prefix}_syscall_errors_total", *scope, MODE_SWITCHING)
    return f"2 * sum by ({by}) ({calls} or {errors})"


def share(part: str, whole: str) -> str:
    """Part of a whole: 0 where the part is absent, without a value where the whole is 0."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def switches_per_mib(by: str, *scope: str, prefix: str = "copy") -> str:
    """Mode switches per MiB moved, of those that move enough bytes for it to mean anything."""
    calls = mode_switches(by, *scope, prefix=prefix)
    return f"{MIB} * {calls} / ({moved(by, *scope, metric=f'{prefix}_bytes_total')} >= {MOVES_ENOUGH})"


def zero_copy_share(by: str, *scope: str, metric: str = "copy_bytes_total") -> str:
    """The part of the bytes that went by zero copy."""
    return share(total(metric, by, ZERO_COPY, *scope), moved(by, *scope, metric=metric))


def busy(expression: str, sent: str) -> str:
    """Where enough is sent for a ratio to mean anything."""
    return f"({expression} and {sent} >= {MOVES_ENOUGH})"


def per(amount: str, divisor: str) -> str:
    """Amount per unit of the divisor, without a value where the divisor is 0."""
    return f"{amount} / ({divisor} > 0)"


def top(metric: str, by: str, *scope: str, count: int = 10) -> str:
    """Rates of those that counted most over the whole time range, so that lines do not come and go."""
    return f"{total(metric, by, *scope)} and {largest(metric, by, *scope, count=count)}"


def largest(metric: str, by: str, *scope: str, count: int) -> str:
    """The series that counted most over the whole time range."""
    counted = once(f"increase({metric}{{{', '.join(scope)}}}[$__range] @ end())")
    return f"topk({count}, sum by ({by}) ({counted}))"


def with_broker(expression: str) -> str:
    """Add the label ``broker`` for legends, which is absent where no broker is known; ``expression`` has node_id."""
    return f'label_replace({expression}, "broker", "broker $1", "node_id", "(.+)")'


def smaller(left: str, right: str) -> str:
    """The smaller of two that have the same labels, without a value where one is absent."""
    return f"(({left} <= {right}) or ({right} < {left}))"
