"""The phases of start-up before requests are served. Their order matters for security and for the start time."""

import importlib
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from exporter.config import Config
from exporter.counting.maps import KernelMaps
from exporter.errors import KernelError, UsageError
from exporter.host import privileges
from exporter.host.network_devices import NetworkDevices
from exporter.host.procfs import HOST_PID_REMEDY, PID_NAMESPACE_EFFECT, Procfs
from exporter.host.signals import TerminationSignals
from exporter.kafka.inspector import Inspector
from exporter.loading import handover
from exporter.loading.handover import LoadedProbes, LoadRequest
from exporter.loading.probes import ESSENTIAL_PROBE_NAMES
from exporter.web import listen

_log = logging.getLogger(__name__)

LOADER_TIMEOUT_SECONDS = 180.0


@dataclass(frozen=True)
class PrivilegedResources:
    """What only a privileged process can open, and any process can use."""

    devices: NetworkDevices
    inspector: Inspector | None
    """None with ``--no-kafka``."""


def bind(config: Config) -> list[socket.socket]:
    """Sockets on all addresses. Raises :class:`UsageError` when an address cannot be used."""
    if config.systemd_socket:
        return listen.from_systemd()
    listen.close_those_from_systemd()
    return [listen.bind(address) for address in config.listen]


def load(config: Config, signals: TerminationSignals, meanwhile: Callable[[], None]) -> LoadedProbes:
    """Load and attach the probes; calls ``meanwhile`` while the loader compiles.

    Raises :class:`KernelError` when an essential probe cannot be attached, or any probe with ``--strict``.
    """
    request = LoadRequest(
        probes=config.probes,
        probes_if_cheap=config.probes_if_cheap,
        map_entries=config.map_entries,
        statistics=config.probe_stats,
        sampling_rate=config.sampling_rate,
        syscall_hook=config.syscall_hook,
    )
    with handover.start(request) as loader, signals.exiting_at_once(loader.kill):
        meanwhile()
        loaded = handover.receive(loader, LOADER_TIMEOUT_SECONDS)
    _check_probes(loaded, strict=config.strict)
    return loaded


def import_modules(config: Config) -> None:
    """Import what serving needs, FastAPI above all: it takes as long as the loader, and ``--user`` may not read it."""
    from exporter.web.reload import WebConfigReloader  # noqa: PLC0415

    if config.web_config_file:
        WebConfigReloader(config.web_config_file)  # an error in this file ends the start before the rest is imported
    importlib.import_module("exporter.service.run")
    from exporter.web.uvicorn_internals import preload_modules  # noqa: PLC0415

    preload_modules()


def _check_probes(loaded: LoadedProbes, *, strict: bool) -> None:
    for probe in loaded.probes:
        if probe.attached:
            continue
        problem = f"probe {probe.name} is not attached: {probe.reason}; remedy: {probe.remedy}"
        if strict or probe.name in ESSENTIAL_PROBE_NAMES:
            raise KernelError(problem)
        _log.warning(problem)


def open_privileged(config: Config) -> PrivilegedResources:
    """Open what later needs no privileges: a socket in the host's network namespace, and the inspector of brokers."""
    return PrivilegedResources(
        devices=NetworkDevices(config.procfs),
        inspector=Inspector(config.procfs, config.account.name) if config.kafka else None,
    )


def drop_privileges(config: Config, loaded: LoadedProbes) -> None:
    """Become the unprivileged user for good, with the capabilities that ``--capabilities.keep`` names.

    Keeps CAP_BPF too where maps cannot be read without it (before v5.19, commit c8644cd0efe7).
    """
    keep = list(config.keep_capabilities)
    if not privileges.works_after_drop(
        config.account, lambda: KernelMaps(loaded.maps, loaded.programs, loaded.free_slots).sample()
    ):
        _log.warning("keeping CAP_BPF: this kernel does not read eBPF maps without it")
        keep.append("CAP_BPF")
    privileges.drop(config.account, keep)
    _check_procfs(config)


def _check_procfs(config: Config) -> None:
    """Log what the unprivileged user cannot see of processes; raise :class:`UsageError` when that is everything."""
    if not os.access(os.path.join(config.procfs, "self", "stat"), os.R_OK):
        raise UsageError(
            f"--path.procfs={config.procfs} cannot be read by --user={config.account.name}; "
            "let this user search its directories"
        )
    procfs = Procfs(config.procfs)
    if not procfs.shows_host:
        _log.warning("%s shows a pid namespace: %s; remedy: %s", config.procfs, PID_NAMESPACE_EFFECT, HOST_PID_REMEDY)
    elif not any(procfs.stat(pid) for pid in (1, 2)):  # init and kthreadd, which belong to root
        _log.warning(
            "%s hides the processes of other users (hidepid): they count as pid=other, comm=unknown; "
            "remedy: --capabilities.keep CAP_SYS_PTRACE",
            config.procfs,
        )
