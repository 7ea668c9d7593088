"""Network devices as metric families."""

import logging
from collections.abc import Iterator, Mapping

from prometheus_client.registry import Collector

from exporter.host.network_devices import Devices
from exporter.metrics import catalog
from exporter.metrics.catalog import Metric
from exporter.metrics.text_format import Family, Labels, family_of

_log = logging.getLogger(__name__)


class NetworkCollector(Collector):
    """Fresh numbers at each scrape; speeds as they were last asked for."""

    def __init__(self, network: Devices) -> None:
        self._network = network
        self._complained = False

    def describe(self) -> list[Family]:
        """Nothing: devices come and go."""
        return []

    def collect(self) -> Iterator[Family]:
        """All four families; none when the devices cannot be read, which is said once."""
        try:
            traffic = self._network.traffic()
        except OSError as error:
            if not self._complained:
                _log.warning("copy_network_* are missing: %s", error)
            self._complained = True
            return
        links = {device: link for device, link in self._network.links.items() if device in traffic}
        transmitted = {device: one.transmitted for device, one in traffic.items()}
        received = {device: one.received for device, one in traffic.items()}
        yield _by_device(catalog.NETWORK_TRANSMIT, transmitted)
        yield _by_device(catalog.NETWORK_RECEIVE, received)
        yield _by_device(catalog.NETWORK_SPEED, _known({one: links[one].speed_bytes for one in links}))
        yield _by_device(catalog.NETWORK_SCATTER_GATHER, _known({one: links[one].scatter_gather for one in links}))


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {device: value + 0 for device, value in values.items() if value is not None}  # + 0: a number of a bool


def _by_device(metric: Metric, values: Mapping[str, float]) -> Family:
    return family_of(metric, [(Labels(metric.labels, (device,)), value) for device, value in values.items()])
