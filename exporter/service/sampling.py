"""What reads the counts of the loaded probes: the sampler with its threads, and readers of the live rates."""

import platform
import time
from collections.abc import Callable, Iterable

from exporter.config import Config
from exporter.counting.attribution import Attribution
from exporter.counting.maps import KernelMaps
from exporter.counting.sampler import Sampler
from exporter.errors import KernelError
from exporter.host.procfs import Procfs
from exporter.kafka.discovery import Discovery, DiscoverySettings
from exporter.kafka.listener_cpu import ListenerCpuCounter
from exporter.kafka.topics import TopicCounter, TopicLimits
from exporter.kafka.tracker import KafkaTracker
from exporter.kafka.zero_copy_loss import LossDetector
from exporter.live.reader import LiveReader
from exporter.live.snapshot import Host
from exporter.loading.handover import LoadedProbes
from exporter.service.exactness import ExactnessWatch
from exporter.service.startup import PrivilegedResources
from exporter.service.threads import BackgroundThreads


def make_sampler(
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
    exactness = ExactnessWatch(kernel_maps.runs, kernel_maps.dropped, loaded.mode_reader, loaded.probes)
    threads.add("exactness", exactness.watch_until)
    threads.add("network", privileged.devices.refresh_until)
    return sampler


def live_readers(
    config: Config, loaded: LoadedProbes, privileged: PrivilegedResources, sampler: Sampler
) -> Callable[[], LiveReader]:
    """Return what makes a reader of the live rates."""
    host = Host(
        name=platform.node(),
        kernel=platform.release(),
        started_seconds=time.time(),
        metrics_path=config.telemetry_path,
        probes=tuple(loaded.probes),
    )
    procfs = Procfs(config.procfs)
    return lambda: LiveReader(sampler.peek, procfs, privileged.devices, host, config.limits)


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
    topics = TopicCounter(
        TopicLimits(config.kafka_topics_max, 2 * config.limits.brokers_max), by_partition=config.kafka_partitions
    )
    cpu = ListenerCpuCounter(Procfs(config.procfs).thread_cpu_seconds)
    return KafkaTracker(kernel_maps, discovery, topics, LossDetector(privileged.devices), cpu)
