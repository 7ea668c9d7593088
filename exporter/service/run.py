"""The serving process after start-up: samples the maps, finds brokers and answers requests as the unprivileged user."""

import logging
import os
import socket

from exporter import __version__
from exporter.config import Config
from exporter.host.signals import TerminationSignals
from exporter.loading.handover import LoadedProbes
from exporter.metrics.collector import NetworkCollector
from exporter.service import memory
from exporter.service.sampling import live_readers, make_sampler
from exporter.service.startup import PrivilegedResources
from exporter.service.threads import BackgroundThreads
from exporter.web import server
from exporter.web.app import create_app
from exporter.web.listen import is_on_every_address, url
from exporter.web.reload import WebConfig, WebConfigReloader
from exporter.web.viewers import Viewers

_log = logging.getLogger(__name__)


def run(
    config: Config,
    sockets: list[socket.socket],
    loaded: LoadedProbes,
    privileged: PrivilegedResources,
    signals: TerminationSignals,
) -> None:
    """Serve until SIGTERM or SIGINT. Raises :class:`CopyExporterError` when maps or the web configuration fail."""
    # start-up has read the file as root; this user has to be able to read it too
    web_config = WebConfigReloader(config.web_config_file).current if config.web_config_file else WebConfig
    threads = BackgroundThreads()
    sampler = make_sampler(config, loaded, privileged, threads)
    threads.start()
    app = create_app(
        sampler,
        loaded.probes,
        (NetworkCollector(privileged.devices),),
        config,
        None if config.disable_ui else Viewers(live_readers(config, loaded, privileged, sampler)),
    )
    _announce(config, loaded, sockets, "https" if web_config().ssl_context else "http")
    memory.tune_gc()
    signals.check()
    try:
        server.run(app, sockets, config, web_config)
    finally:
        threads.stop()


def _announce(config: Config, loaded: LoadedProbes, sockets: list[socket.socket], scheme: str) -> None:
    """Log the version, the probes and the addresses."""
    attached = [probe.name for probe in loaded.probes if probe.attached]
    missing = [probe.name for probe in loaded.probes if not probe.attached]
    inexact = [probe.name for probe in loaded.probes if probe.preemptible]
    _log.info("copy-exporter %s, user id %d", __version__, os.geteuid())
    _log.info("probes attached: %s (%s)", ", ".join(attached) or "none", loaded.read_method)
    if loaded.syscall_hook:
        _log.info("system calls are counted at %s", loaded.syscall_hook)
    for name, why in loaded.left_off.items():
        if name not in attached:
            _log.info("probe %s is off: %s; --probe.%s attaches it nevertheless", name, why, name)
    if missing:
        _log.warning("probes missing: %s; `copy-exporter doctor` shows why", ", ".join(missing))
    if inexact:
        _log.warning("probes inexact on a busy CPU: %s; `copy-exporter doctor` shows why", ", ".join(inexact))
    for bound in sockets:
        others = " and on every other address of this host" if is_on_every_address(bound) else ""
        _log.info("listening on %s%s", url(bound, scheme, config.telemetry_path), others)
