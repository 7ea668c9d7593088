"""The rates of processes, those that copy most first. Pure: no input or output."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from exporter.host.label_text import label_text
from exporter.host.procfs import ProcessInfo
from exporter.kernel.errno_names import errno_name
from exporter.live.increase import Additions, Increase
from exporter.live.rates import Process, ProcessError, ProcessHop
from exporter.live.snapshot import Description
from exporter.live.tally import Tally, tally
from exporter.model import MECHANISMS, Identity, Row, RowKind

PROCESSES_MAX = 50
"""How many processes are listed by themselves."""
ENDED_MAX = 10
"""How many names of ended processes are listed."""
ENDED = "ended"
OTHER = "other"
_OTHER_PROCESSES = Description(OTHER, ProcessInfo(), None)

Describe = Callable[[Identity], Description | None]
"""Describes a process; None when it has exited, is hidden, or is to count in the host's totals alone."""


@dataclass(frozen=True)
class Listed:
    """A process that is listed by itself, those of a name that have ended, or all others together."""

    pid: str
    description: Description
    additions: Additions
    sums: Tally


def list_processes(counted: Increase, describe: Describe) -> list[Listed]:
    """Return the busiest processes and names of ended ones by the bytes that the CPU copied, then all others as one."""
    described = {identity: describe(identity) for identity in counted.busiest(PROCESSES_MAX)}
    shown = {identity: description for identity, description in described.items() if description}
    listed = [
        _listed(str(identity.pid), description, counted.processes[identity]) for identity, description in shown.items()
    ]
    ended = {comm: counted.ended[comm] for comm in counted.busiest_ended(ENDED_MAX)}
    listed += [
        _listed(ENDED, Description(comm, ProcessInfo(name=comm), None), additions) for comm, additions in ended.items()
    ]
    listed.sort(key=lambda process: (process.sums.cpu, process.sums.moved), reverse=True)
    rest = counted.without(process.additions for process in listed)
    return [*listed, _listed(OTHER, _OTHER_PROCESSES, rest)]


def process_rates(process: Listed, seconds: float, *, samples_copy_time: bool) -> Process:
    """Return the rates of one process."""
    sums, info = process.sums, process.description.info
    return Process(
        pid=process.pid,
        comm=label_text(process.description.comm),
        name=label_text(info.name),
        unit=label_text(info.unit),
        container_id=label_text(info.container_id),
        cgroup=label_text(info.cgroup),
        mechanisms=sums.mechanisms(seconds),
        calls_per_second=sums.calls / seconds,
        mode_switches_per_second=sums.mode_switches(seconds),
        bytes_per_call=sums.bytes_per_call,
        copies_per_byte_sent=sums.copies_per_byte_sent,
        copy_cpu_ratio=sums.copying_cpus(seconds) if samples_copy_time else None,
        hops=sorted(_hops(process.additions, seconds), key=lambda hop: hop.bytes_per_second, reverse=True),
        errors=list(_errors(process.additions, seconds)),
    )


def sender_cpus(processes: Iterable[Listed], seconds: float) -> float | None:
    """Return how many CPUs the processes that send by TCP or UDP keep busy; None when that is not known of any."""
    senders = [process.description.cpu_seconds for process in processes if process.sums.sent_to_network > 0]
    known = [cpu_seconds for cpu_seconds in senders if cpu_seconds is not None]
    return sum(known) / seconds if known else None


def _listed(pid: str, description: Description, additions: Additions) -> Listed:
    return Listed(pid, description, additions, tally(additions))


def _hops(additions: Additions, seconds: float) -> Iterator[ProcessHop]:
    for row, (events, amount) in additions.items():
        if row.kind in MECHANISMS:
            yield ProcessHop(
                syscall=_syscall(row),
                source=row.source.name.lower(),
                destination=row.destination.name.lower(),
                mechanism=MECHANISMS[row.kind],
                port=row.port or None,
                calls_per_second=events / seconds if row.operation else 0,
                bytes_per_second=amount / seconds,
            )


def _errors(additions: Additions, seconds: float) -> Iterator[ProcessError]:
    for row, (events, _) in additions.items():
        if row.kind is RowKind.ERROR:
            name = errno_name(row.errno_or_bucket)
            yield ProcessError(syscall=_syscall(row), errno=name, errors_per_second=events / seconds)


def _syscall(row: Row) -> str:
    return row.operation.name.lower() if row.operation else ""
