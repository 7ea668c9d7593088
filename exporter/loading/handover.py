"""How the loader hands its work to the serving process: a report and descriptors, over a socket pair.

The report is one message of JSON; the descriptors follow in messages of at most 253 (SCM_MAX_FD of the kernel), in the
order that the report gives.
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
    """What the serving process asks of the loader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probes: tuple[str, ...]
    map_entries: dict[str, int] = {}
    """Sizes of maps, by name, that are not those of :data:`exporter.probe_maps.MAPS`."""
    statistics: bool = False
    sampling_rate: int = DEFAULT_SAMPLING_RATE
    """Samples per second per CPU; at least 1."""


class LoadReport(BaseModel):
    """What the loader did: ``maps`` and ``programs`` name the descriptors that follow, then come the links."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probes: tuple[ProbeState, ...] = ()
    maps: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    keepers: int = 0
    """Descriptors that are only to be kept open: links, and the switch of the run statistics."""
    reading: str = ""
    """How the probes read kernel structures."""
    error: str = ""
    """Why there is nothing; all else is empty then."""


@dataclass(frozen=True)
class LoadedProbes:
    """What the serving process holds, and with it the probes: they detach when the last descriptor is closed."""

    probes: tuple[ProbeState, ...]
    maps: dict[str, int]
    programs: dict[str, int]
    keepers: tuple[int, ...]
    reading: str

    def close(self) -> None:
        """Detach all."""
        for descriptor in (*self.maps.values(), *self.programs.values(), *self.keepers):
            os.close(descriptor)


def send(channel: socket.socket, report: LoadReport, descriptors: list[int]) -> None:
    """The loader's side."""
    channel.sendall(report.model_dump_json().encode())
    for start in range(0, len(descriptors), _FDS_PER_MESSAGE):
        socket.send_fds(channel, [b"d"], descriptors[start : start + _FDS_PER_MESSAGE])


def start(order: LoadRequest, command: Sequence[str] = LOADER) -> ChildProcess:
    """Start the loader; :func:`receive` takes over what it makes."""
    return ChildProcess("the loader", command, order.model_dump_json())


def receive(loader: ChildProcess, timeout: float) -> LoadedProbes:
    """Take over what the loader made; ``timeout`` in seconds.

    Raises :class:`KernelError` with the reason when the loader exits early, is late, or sends an invalid report.
    """
    descriptors: list[int] = []
    try:
        report = _report(loader.receive(_REPORT_BYTES, timeout))
        while len(descriptors) < len(report.maps) + len(report.programs) + report.keepers:
            _, received = loader.receive_descriptors(1, _FDS_PER_MESSAGE, timeout)
            descriptors += received
        return _handover(report, descriptors)
    except ChildFailedError as error:
        _close(descriptors)
        raise KernelError(str(error)) from None


def load(order: LoadRequest, timeout: float, command: Sequence[str] = LOADER) -> LoadedProbes:
    """Run the loader and take over what it made, as :func:`receive`."""
    with start(order, command) as loader:
        return receive(loader, timeout)


def _report(message: bytes) -> LoadReport:
    try:
        report = LoadReport.model_validate_json(message)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise KernelError(f"the loader's report is not understood: {where or 'report'}: {problem['msg']}") from None
    if report.error:
        raise KernelError(report.error)
    return report


def _handover(report: LoadReport, descriptors: list[int]) -> LoadedProbes:
    maps = len(report.maps)
    programs = maps + len(report.programs)
    return LoadedProbes(
        probes=report.probes,
        maps=dict(zip(report.maps, descriptors[:maps], strict=True)),
        programs=dict(zip(report.programs, descriptors[maps:programs], strict=True)),
        keepers=tuple(descriptors[programs:]),
        reading=report.reading,
    )


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
