"""How the loader hands its work to the serving process: a report and descriptors, over a socket pair.

The report is one message of JSON; the descriptors follow in messages of at most 253 (SCM_MAX_FD of the kernel), in the
order that the report gives.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.errors import KernelError
from exporter.model import DEFAULT_SAMPLING_RATE, ProbeState

LOADER = (sys.executable, "-P", "-m", "exporter.loading.loader")  # -P: nothing of the working directory runs as root

_FDS_PER_MESSAGE = 253
_REPORT_BYTES = 1 << 16


class LoadRequest(BaseModel):
    """What the serving process asks of the loader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probes: tuple[str, ...]
    map_entries: int
    statistics: bool = False
    sampling_rate: int = DEFAULT_SAMPLING_RATE
    """Samples a second and CPU; at least 1."""


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


def load(order: LoadRequest, timeout: float, command: Sequence[str] = LOADER) -> LoadedProbes:
    """Run the loader and take over what it made; ``timeout`` is in seconds.

    Raises :class:`KernelError` with the reason when it dies, is not done in time, or reports nonsense.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # in memory: no directory needs to be there to write into
    with ours, theirs, open(os.memfd_create("complaints"), "w+b") as complaints:
        process = subprocess.Popen(
            [*command, str(theirs.fileno()), order.model_dump_json()],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        )
        theirs.close()
        try:
            return _receive(ours, timeout)
        except EOFError:
            status = process.wait()
            raise KernelError(f"the loader {_ending(status)} before it was done{_last_line(complaints)}") from None
        finally:
            process.kill()
            process.wait()


def _receive(channel: socket.socket, timeout: float) -> LoadedProbes:
    channel.settimeout(timeout)
    descriptors: list[int] = []
    try:
        report = _report(channel)
        expected = len(report.maps) + len(report.programs) + report.keepers
        while len(descriptors) < expected:
            data, received, _, _ = socket.recv_fds(channel, 1, _FDS_PER_MESSAGE)
            descriptors += received
            if not data:
                raise EOFError
        return _handover(report, descriptors)
    except TimeoutError:
        _close(descriptors)
        raise KernelError(f"the loader was not done within {timeout:g} s and was stopped") from None
    except EOFError:
        _close(descriptors)
        raise


def _report(channel: socket.socket) -> LoadReport:
    message = channel.recv(_REPORT_BYTES)
    if not message:
        raise EOFError
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


def _ending(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1]}" if said else ""
