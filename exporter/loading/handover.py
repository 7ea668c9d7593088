"""What passes between the serving process and the loader: a request, then a report and descriptors over a socket pair.

The report is one message of JSON. The descriptors follow in its order, in messages of at most 253 (SCM_MAX_FD of the
kernel).
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice

from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.errors import KernelError
from exporter.host.child_process import ChildFailedError, ChildProcess, python_module
from exporter.kernel import held_links
from exporter.model import DEFAULT_SAMPLING_RATE, SYSCALL_HOOKS, ProbeState

LOADER = python_module("exporter.loading.loader")

_FDS_PER_MESSAGE = 253
_REPORT_BYTES = 1 << 16


class LoadRequest(BaseModel):
    """What the loader has to load."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probes: tuple[str, ...]
    probes_if_cheap: tuple[str, ...] = ()
    """Probes to attach only where they cost little and lose no runs (:mod:`exporter.loading.cheap_probes`)."""
    map_entries: dict[str, int] = {}
    """Sizes of maps, by name, that are not those of :data:`exporter.kernel.probe_maps.MAPS`."""
    statistics: bool = False
    """Whether the kernel measures the run time of the probes."""
    sampling_rate: int = DEFAULT_SAMPLING_RATE
    """Samples per second per CPU; at least 1."""
    syscall_hook: str = SYSCALL_HOOKS[0]
    """One of :data:`exporter.model.SYSCALL_HOOKS`."""


class LoadReport(BaseModel):
    """What the loader did.

    Descriptors follow in this order: maps, programs, the program that frees slots, that which reads the mode of
    preemption, links, slow links.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    probes: tuple[ProbeState, ...] = ()
    left_off: dict[str, str] = {}
    """Why probes are off by default on this kernel that are on by default on others."""
    maps: tuple[str, ...] = ()
    programs: dict[str, int] = {}
    """How many programs each probe has."""
    mode_readers: int = 0
    """1 where the kernel's mode of preemption can change, else 0."""
    links: int = 0
    """The number of descriptors that only have to stay open: links, perf events, and the switch of run statistics."""
    slow_links: int = 0
    """The number of links that take the kernel long to detach (:mod:`exporter.kernel.held_links`)."""
    read_method: str = ""
    """How the probes read kernel structures, in a few words."""
    syscall_hook: str = ""
    """Where system calls are counted, and why there; empty when they are not."""
    error: str = ""
    """Why nothing was loaded; then all else is empty."""


@dataclass(frozen=True)
class LoadedProbes:
    """The descriptors of everything that was loaded. The kernel detaches the probes when the last one is closed."""

    probes: tuple[ProbeState, ...]
    left_off: dict[str, str]
    """Why probes are off by default on this kernel that are on by default on others."""
    maps: dict[str, int]
    programs: dict[str, tuple[int, ...]]
    free_slots: int
    """The program that makes slots of counts free."""
    mode_reader: int | None
    """The program that reads the kernel's mode of preemption; None where it cannot change."""
    links: tuple[int, ...]
    read_method: str
    syscall_hook: str

    def close(self) -> None:
        """Detach all probes."""
        programs = [*chain(*self.programs.values()), self.free_slots]
        if self.mode_reader is not None:
            programs.append(self.mode_reader)
        _close([*self.links, *programs, *self.maps.values()])


def send(channel: socket.socket, report: LoadReport, descriptors: list[int]) -> None:
    """Send the report and the descriptors, which are in its order; the loader calls this."""
    channel.sendall(report.model_dump_json().encode())
    for start in range(0, len(descriptors), _FDS_PER_MESSAGE):
        socket.send_fds(channel, [b"d"], descriptors[start : start + _FDS_PER_MESSAGE])


def start(request: LoadRequest, command: Sequence[str] = LOADER) -> ChildProcess:
    """Start the loader; :func:`receive` takes over what it makes."""
    return ChildProcess("the loader", command, request.model_dump_json())


def receive(loader: ChildProcess, timeout: float) -> LoadedProbes:
    """Take over what the loader made; ``timeout`` in seconds.

    Raises :class:`KernelError` with the reason when the loader exits early, is late, or sends an invalid report.
    """
    descriptors: list[int] = []
    try:
        report = _report(loader.receive(_REPORT_BYTES, timeout))
        while len(descriptors) < _descriptors_of(report):
            _, received = loader.receive_descriptors(1, _FDS_PER_MESSAGE, timeout)
            descriptors += received
        return _loaded(report, descriptors)
    except ChildFailedError as error:
        _close(descriptors)
        raise KernelError(str(error)) from None


def load(request: LoadRequest, timeout: float, command: Sequence[str] = LOADER) -> LoadedProbes:
    """Run the loader and take over what it made, as :func:`receive`."""
    with start(request, command) as loader:
        return receive(loader, timeout)


def _report(message: bytes) -> LoadReport:
    try:
        report = LoadReport.model_validate_json(message)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise KernelError(f"the loader's report is invalid: {where or 'report'}: {problem['msg']}") from None
    if report.error:
        raise KernelError(report.error)
    return report


def _descriptors_of(report: LoadReport) -> int:
    programs = sum(report.programs.values()) + 1 + report.mode_readers
    return len(report.maps) + programs + report.links + report.slow_links


def _loaded(report: LoadReport, descriptors: list[int]) -> LoadedProbes:
    following = iter(descriptors)

    def take(count: int) -> tuple[int, ...]:
        return tuple(islice(following, count))

    return LoadedProbes(
        probes=report.probes,
        left_off=report.left_off,
        maps=dict(zip(report.maps, take(len(report.maps)), strict=True)),
        programs={name: take(count) for name, count in report.programs.items()},
        free_slots=next(following),
        mode_reader=next(iter(take(report.mode_readers)), None),
        links=(*take(report.links), *held_links.hold(take(report.slow_links))),
        read_method=report.read_method,
        syscall_hook=report.syscall_hook,
    )


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
