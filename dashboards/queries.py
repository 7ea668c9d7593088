"""PromQL that panels share: rates of the metrics of :mod:`exporter.metrics.catalog`, and what is made of them.

``by`` is a list of labels as PromQL has it, ``scope`` matchers as they stand between braces.
"""

HOST = 'instance=~"$instance"'
PROCESSES = f'{HOST}, comm=~"$process"'
PROCESS = f'{PROCESSES}, pid=~"$pid"'
PORTS = f'{HOST}, port=~"$port"'
TOPICS = f'{HOST}, topic=~"$topic"'

OF_PROCESS = "instance, comm, pid"
OF_PORT = "instance, port"
TO_NETWORK = 'destination=~"tcp|udp"'
CALLS_OF_THEIR_OWN = 'syscall!~"io_uring_.*"'
"""Requests of io_uring are no system calls, and switch no mode."""
MIB = 2**20


def rate(metric: str, *scope: str) -> str:
    """By second, over Grafana's window."""
    return f"rate({metric}{{{', '.join(scope)}}}[$__rate_interval])"


def lately(metric: str, *scope: str) -> str:
    """Which series there were in the window of rates: a scrape that failed takes away a gauge, but no rate."""
    return f"last_over_time({metric}{{{', '.join(scope)}}}[$__rate_interval])"


def total(metric: str, by: str, *scope: str) -> str:
    """Rate of a counter, summed."""
    return f"sum by ({by}) ({rate(metric, *scope)})"


def together(by: str, first: str, second: str) -> str:
    """The sum of two rates, of which one may be missing."""
    first, second = (f'label_replace({one}, "part", "{name}", "", "")' for name, one in (("a", first), ("b", second)))
    return f"sum by ({by}) ({first} or {second})"


def moved(by: str, *scope: str, of: str = "copy") -> str:
    """Bytes a second through system calls: copied by the CPU and by reference; ``of="copy_host"`` for host totals."""
    cpu, zero = (rate(f"{of}_{mechanism}_copied_bytes_total", *scope) for mechanism in ("cpu", "zero"))
    return together(by, cpu, zero)


def mode_switches(by: str, *scope: str, of: str = "copy") -> str:
    """Mode switches a second: two for each system call that moved data or failed to."""
    calls = rate(f"{of}_syscalls_total", *scope, CALLS_OF_THEIR_OWN)
    errors = rate(f"{of}_syscall_errors_total", *scope, CALLS_OF_THEIR_OWN)
    return f"2 * sum by ({by}) ({calls} or {errors})"


def share(part: str, whole: str) -> str:
    """Part of a whole; 0 where there is none of it, nothing where the whole is idle."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def zero_copy_share(by: str, *scope: str, of: str = "copy") -> str:
    """Which part of the bytes went by reference."""
    return share(total(f"{of}_zero_copied_bytes_total", by, *scope), moved(by, *scope, of=of))


def per(amount: str, whole: str) -> str:
    """Amount for each of something, nothing where that is idle."""
    return f"{amount} / ({whole} > 0)"


def top(metric: str, by: str, *scope: str, count: int = 10) -> str:
    """Rates of those that counted most over the whole time that is shown, so that lines do not come and go."""
    busiest = f"topk({count}, sum by ({by}) (increase({metric}{{{', '.join(scope)}}}[$__range] @ end())))"
    return f"{total(metric, by, *scope)} and {busiest}"


def smaller(left: str, right: str) -> str:
    """The smaller of two that have the same labels; nothing where one is missing."""
    return f"(({left} <= {right}) or ({right} < {left}))"
