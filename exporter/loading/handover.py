"""What passes between the serving process and the loader: a request, then a report and descriptors over a socket pair.

The report is one message of JSON. The descriptors follow in its order, in messages of at most 253 (SCM_MAX_FD of the
kernel).
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.errors import KernelError
from exporter.host.child_process import ChildFailedError, ChildProcess, python_module
from exporter.model import DEFAULT_SAMPLING_RATE, ProbeState

LOADER = python_module("exporter.loading.loader")

_FDS_PER_MESSAGE = 253
_REPORT_BYTES = 1 << 16


class LoadRequest(BaseModel):
    """What the loader has to load."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probes: tuple[str, ...]
    map_entries: dict[str, int] = {}
    """Sizes of maps, by name, that are not those of :data:`exporter.kernel.probe_maps.MAPS`."""
    statistics: bool = False
    """Whether the kernel measures the run time of the probes."""
    sampling_rate: int = DEFAULT_SAMPLING_RATE
    """Samples per second per CPU; at least 1."""


class LoadReport(BaseModel):
    """What the loader did. The descriptors of ``maps``, of ``programs`` and of the links follow, in this order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probes: tuple[ProbeState, ...] = ()
    maps: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    links: int = 0
    """The number of descriptors that only have to stay open: links, perf events, and the switch of run statistics."""
    read_method: str = ""
    """How the probes read kernel structures, in a few words."""
    error: str = ""
    """Why nothing was loaded; then all else is empty."""


@dataclass(frozen=True)
class LoadedProbes:
    """The descriptors of everything that was loaded. The kernel detaches the probes when the last one is closed."""

    probes: tuple[ProbeState, ...]
    maps: dict[str, int]
    programs: dict[str, int]
    links: tuple[int, ...]
    read_method: str

    def close(self) -> None:
        """Detach all probes."""
        for descriptor in (*self.maps.values(), *self.programs.values(), *self.links):
            os.close(descriptor)


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
        while len(descriptors) < len(report.maps) + len(report.programs) + report.links:
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


def _loaded(report: LoadReport, descriptors: list[int]) -> LoadedProbes:
    maps = len(report.maps)
    programs = maps + len(report.programs)
    return LoadedProbes(
        probes=report.probes,
        maps=dict(zip(report.maps, descriptors[:maps], strict=True)),
        programs=dict(zip(report.programs, descriptors[maps:programs], strict=True)),
        links=tuple(descriptors[programs:]),
        read_method=report.read_method,
    )


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
