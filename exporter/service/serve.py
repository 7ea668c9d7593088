"""Start-up of the service, in the order that privileges ask for: bind, load, give up root, listen."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.config import Config
from exporter.counting.attribution import Attribution
from exporter.counting.maps import KernelMaps
from exporter.counting.sampler import Sampler
from exporter.errors import KernelError, UsageError
from exporter.host import privileges
from exporter.host.network_devices import Network
from exporter.host.procfs import Procfs
from exporter.host.signals import TerminationSignals
from exporter.kafka.discovery import Discovery
from exporter.kafka.inspector import Inspector
from exporter.kafka.topics import TopicCounter
from exporter.kafka.tracker import KafkaTracker
from exporter.kafka.zero_copy_loss import LossDetector
from exporter.loading import handover
from exporter.loading.handover import LoadedProbes, LoadRequest
from exporter.loading.probes import PROBES
from exporter.service import memory
from exporter.web.listen import bind, from_systemd, url

if TYPE_CHECKING:
    from exporter.web.reload import WebConfig

_log = logging.getLogger(__name__)

LOADER_TIMEOUT_SECONDS = 180.0
_ESSENTIAL = {probe.name for probe in PROBES if probe.essential}


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. Raises :class:`CopyExporterError` when that cannot begin."""
    with TerminationSignals() as signals:
        _serve(config, signals)


def _serve(config: Config, signals: TerminationSignals) -> None:
    memory.tune_malloc()
    account = privileges.find_user(config.user)
    sockets = from_systemd() if config.systemd_socket else [bind(address) for address in config.listen]
    if config.web_config_file:
        load_web_config(config)
    loaded = load(config)
    from exporter.metrics.collector import NetworkCollector  # noqa: PLC0415  # see load()
    from exporter.web import server  # noqa: PLC0415
    from exporter.web.app import create_app  # noqa: PLC0415

    check_probes(loaded, strict=config.strict)
    finder = Inspector(config.procfs, config.user) if config.kafka else None
    network = Network(config.procfs)
    give_up_root(config, loaded, account)
    check_procfs(config)
    web_config = load_web_config(config)  # again, as the user that reads it from now on
    stopped = threading.Event()
    sampler = make_sampler(config, loaded, finder, network, stopped)
    threading.Thread(target=sampler.drain_until, args=(stopped,), name="drain", daemon=True).start()
    threading.Thread(target=network.refresh_until, args=(stopped,), name="network", daemon=True).start()
    app = create_app(
        sampler,
        loaded.probes,
        (NetworkCollector(network),),
        telemetry_path=config.telemetry_path,
        flags=config.enabled_flags,
    )
    announce(config, loaded, sockets, "https" if web_config().ssl_context else "http")
    memory.tune_gc()
    signals.check()
    try:
        server.run(app, sockets, config, web_config)
    finally:
        stopped.set()


def load(config: Config) -> LoadedProbes:
    """Load and attach the probes."""
    order = LoadRequest(
        probes=config.probes,
        map_entries=config.map_entries,
        statistics=config.probe_stats,
        sampling_rate=config.sampling_rate,
    )
    with ThreadPoolExecutor(1) as executor:
        loading = executor.submit(handover.load, order, LOADER_TIMEOUT_SECONDS)
        # They take as long as the loader: FastAPI's modules come in while that compiles.
        import exporter.metrics.collector  # noqa: PLC0415
        import exporter.web.app  # noqa: PLC0415
        import exporter.web.server  # noqa: PLC0415
        import exporter.web.uvicorn_internals  # noqa: PLC0415

        exporter.web.uvicorn_internals.preload_modules()
        return loading.result()


def load_web_config(config: Config) -> "Callable[[], WebConfig]":
    """Return a function for the configuration in effect. Raises :class:`UsageError` when the file cannot be used."""
    from exporter.web.reload import WebConfig, WebConfigReloader  # noqa: PLC0415  # this import is slow

    return WebConfigReloader(config.web_config_file).current if config.web_config_file else WebConfig


def check_probes(loaded: LoadedProbes, *, strict: bool) -> None:
    """Log what is missing; :class:`KernelError` when nothing is left to serve, or with ``--strict``."""
    for probe in loaded.probes:
        if probe.attached:
            continue
        problem = f"probe {probe.name} is not attached: {probe.reason}; remedy: {probe.remedy}"
        if strict or probe.name in _ESSENTIAL:
            raise KernelError(problem)
        _log.warning(problem)


def give_up_root(config: Config, loaded: LoadedProbes, account: privileges.Account) -> None:
    """Become the unprivileged user, without capabilities but CAP_BPF where maps cannot be read else (before v5.19)."""
    keep = list(config.keep_capabilities)
    if not privileges.works_after_drop(account, lambda: KernelMaps(loaded.maps, loaded.programs).sample()):
        _log.warning("this kernel reads eBPF maps only with CAP_BPF: keeping it")
        keep.append("CAP_BPF")
    privileges.drop(account, keep)


def check_procfs(config: Config) -> None:
    """What may be seen of processes from now on; :class:`UsageError` when it is nothing at all."""
    if not os.access(os.path.join(config.procfs, "self", "stat"), os.R_OK):
        raise UsageError(f"--path.procfs={config.procfs} cannot be read by --user={config.user}; open its directories")
    procfs = Procfs(config.procfs)
    if not any(procfs.stat(pid) for pid in (1, 2)):  # init, kthreadd: others' on every host
        _log.warning(
            "%s hides the processes of others (hidepid): they count as pid=other, comm=unknown; "
            "remedy: --capabilities.keep CAP_SYS_PTRACE",
            config.procfs,
        )


def make_sampler(
    config: Config, loaded: LoadedProbes, finder: Inspector | None, network: Network, stopped: threading.Event
) -> Sampler:
    """The sampler over the handed-over maps, with the ports watched, and brokers looked for until ``stopped``."""
    try:
        reader = KernelMaps(loaded.maps, loaded.programs)
        reader.watch_ports(config.ports)
        kafka = watch_brokers(config, reader, finder, network, stopped) if finder else None
        sampler = Sampler(reader, Procfs(config.procfs), Attribution(config.limits), kafka=kafka)
        sampler.drain()
    except OSError as error:
        raise KernelError(
            f"the probes' maps cannot be read: {error.strerror}; try --capabilities.keep CAP_BPF"
        ) from None
    return sampler


def watch_brokers(
    config: Config, reader: KernelMaps, finder: Inspector, network: Network, stopped: threading.Event
) -> KafkaTracker:
    """Look for brokers until ``stopped``, and count theirs apart."""

    def watch(ports: Iterable[int], pids: Iterable[int]) -> None:
        reader.watch_ports(ports)
        reader.watch_brokers(pids)

    watcher = Discovery(Procfs(config.procfs), finder.inspect, watch, config.ports)
    threading.Thread(target=watcher.scan_until, args=(stopped,), name="brokers", daemon=True).start()
    topics = TopicCounter(config.kafka_topics_max, by_partition=config.kafka_partitions)
    return KafkaTracker(reader, watcher.brokers, topics, LossDetector(network))


def announce(config: Config, loaded: LoadedProbes, sockets: list[socket.socket], scheme: str) -> None:
    """Say where to look and what is counted."""
    attached = [probe.name for probe in loaded.probes if probe.attached]
    missing = [probe.name for probe in loaded.probes if not probe.attached]
    _log.info("copy-exporter %s, user id %d", __version__, os.geteuid())
    _log.info("probes attached: %s (%s)", ", ".join(attached) or "none", loaded.reading)
    if missing:
        _log.warning("probes missing: %s; `copy-exporter doctor` tells why", ", ".join(missing))
    inexact = [probe.name for probe in loaded.probes if probe.preemptible]
    if inexact:
        _log.warning("probes inexact on a busy CPU: %s; `copy-exporter doctor` tells why", ", ".join(inexact))
    for bound in sockets:
        _log.info("listening on %s", url(bound, scheme, config.telemetry_path))
