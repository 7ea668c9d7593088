"""The serving process after start-up: samples the maps, finds brokers and answers requests as the unprivileged user."""

import logging
import os
import platform
import socket
import time
from collections.abc import Iterable

from exporter import __version__
from exporter.config import Config
from exporter.counting.attribution import Attribution
from exporter.counting.maps import KernelMaps
from exporter.counting.sampler import Sampler
from exporter.errors import KernelError
from exporter.host.procfs import Procfs
from exporter.host.signals import TerminationSignals
from exporter.kafka.discovery import Discovery, DiscoverySettings
from exporter.kafka.topics import TopicCounter
from exporter.kafka.tracker import KafkaTracker
from exporter.kafka.zero_copy_loss import LossDetector
from exporter.live.reader import LiveReader
from exporter.live.snapshot import Host
from exporter.loading.handover import LoadedProbes
from exporter.metrics.collector import NetworkCollector
from exporter.service import memory
from exporter.service.exactness import ExactnessWatch
from exporter.service.startup import PrivilegedResources
from exporter.service.threads import BackgroundThreads
from exporter.web import server
from exporter.web.app import create_app
from exporter.web.listen import url
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
    sampler = _make_sampler(config, loaded, privileged, threads)
    threads.start()
    app = create_app(
        sampler,
        loaded.probes,
        (NetworkCollector(privileged.devices),),
        config,
        None if config.disable_ui else _viewers(config, loaded, privileged, sampler),
    )
    _announce(config, loaded, sockets, "https" if web_config().ssl_context else "http")
    memory.tune_gc()
    signals.check()
    try:
        server.run(app, sockets, config, web_config)
    finally:
        threads.stop()


def _make_sampler(
    config: Config, loaded: LoadedProbes, privileged: PrivilegedResources, threads: BackgroundThreads
) -> Sampler:
    """The sampler of the loaded maps. Adds the threads that keep it and its sources up to date."""
    try:
        kernel_maps = KernelMaps(loaded.maps, loaded.programs, loaded.free_slots)
        kernel_maps.watch_ports(config.ports)
        kafka = _track_kafka(config, kernel_maps, privileged, threads)
        sampler = Sampler(kernel_maps, Procfs(config.procfs), Attribution(config.limits), kafka=kafka)
        sampler.drain()
    except OSError as error:
        raise KernelError(f"cannot read the probes' maps: {error.strerror}; try --capabilities.keep CAP_BPF") from None
    threads.add("drain", sampler.drain_until)
    threads.add("exactness", ExactnessWatch(kernel_maps.runs, loaded.mode_reader, loaded.probes).watch_until)
    threads.add("network", privileged.devices.refresh_until)
    return sampler


def _viewers(config: Config, loaded: LoadedProbes, privileged: PrivilegedResources, sampler: Sampler) -> Viewers:
    host = Host(
        name=platform.node(),
        kernel=platform.release(),
        started_seconds=time.time(),
        metrics_path=config.telemetry_path,
        probes=tuple(loaded.probes),
    )
    procfs = Procfs(config.procfs)
    return Viewers(lambda: LiveReader(sampler.peek, procfs, privileged.devices, host, config.limits))


def _track_kafka(
    config: Config, kernel_maps: KernelMaps, privileged: PrivilegedResources, threads: BackgroundThreads
) -> KafkaTracker | None:
    if privileged.inspector is None:
        return None

    def watch(ports: Iterable[int], pids: Iterable[int]) -> None:
        kernel_maps.watch_ports(ports)
        kernel_maps.watch_brokers(pids)

    settings = DiscoverySettings(config.ports, config.limits.brokers_max, config.kafka_ports_max)
    discovery = Discovery(Procfs(config.procfs), privileged.inspector.inspect, watch, settings)
    threads.add("brokers", discovery.scan_until)
    topics = TopicCounter(config.kafka_topics_max, by_partition=config.kafka_partitions)
    return KafkaTracker(kernel_maps, discovery, topics, LossDetector(privileged.devices))


def _announce(config: Config, loaded: LoadedProbes, sockets: list[socket.socket], scheme: str) -> None:
    """Log the version, the probes and the addresses."""
    attached = [probe.name for probe in loaded.probes if probe.attached]
    missing = [probe.name for probe in loaded.probes if not probe.attached]
    inexact = [probe.name for probe in loaded.probes if probe.preemptible]
    _log.info("copy-exporter %s, user id %d", __version__, os.geteuid())
    _log.info("probes attached: %s (%s)", ", ".join(attached) or "none", loaded.read_method)
    if loaded.syscall_hook:
        _log.info("system calls are counted at %s", loaded.syscall_hook)
    if missing:
        _log.warning("probes missing: %s; `copy-exporter doctor` shows why", ", ".join(missing))
    if inexact:
        _log.warning("probes inexact on a busy CPU: %s; `copy-exporter doctor` shows why", ", ".join(inexact))
    for bound in sockets:
        _log.info("listening on %s", url(bound, scheme, config.telemetry_path))
