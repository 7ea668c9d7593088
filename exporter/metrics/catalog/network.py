"""Network devices of the host."""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.host.network_devices import Devices, Link, Traffic
from exporter.metrics.family import ValueFamily, Values


@dataclass(frozen=True)
class NetworkReading:
    """What one scrape shows of the devices."""

    traffic: Mapping[str, Traffic]
    links: Mapping[str, Link]
    """As the drivers were last asked, of the devices in ``traffic``."""


def read_network(devices: Devices) -> NetworkReading:
    """Read the present numbers. Raises :class:`OSError` when they cannot be read."""
    traffic = devices.traffic()
    return NetworkReading(traffic, {device: link for device, link in devices.links.items() if device in traffic})


def _transmitted(reading: NetworkReading) -> Values:
    return (((device,), traffic.transmitted) for device, traffic in reading.traffic.items())


def _received(reading: NetworkReading) -> Values:
    return (((device,), traffic.received) for device, traffic in reading.traffic.items())


def _speed(reading: NetworkReading) -> Values:
    return (((device,), link.speed_bytes) for device, link in reading.links.items() if link.speed_bytes is not None)


def _scatter_gather(reading: NetworkReading) -> Values:
    return (
        ((device,), int(link.scatter_gather))
        for device, link in reading.links.items()
        if link.scatter_gather is not None
    )


TRANSMIT_BYTES = ValueFamily(
    name="copy_network_transmit_bytes_total",
    type="counter",
    labels=("device",),
    help="Bytes that a network device sent.",
    unit="bytes",
    values=_transmitted,
)
RECEIVE_BYTES = ValueFamily(
    name="copy_network_receive_bytes_total",
    type="counter",
    labels=("device",),
    help="Bytes that a network device received.",
    unit="bytes",
    values=_received,
)
SPEED_BYTES = ValueFamily(
    name="copy_network_speed_bytes",
    type="gauge",
    labels=("device",),
    help="Bytes per second that the link of a network device can carry in each direction; absent where the driver does "
    "not know it, and for devices without a wire (loopback, veth, tun, bridge, macvlan, ipvlan).",
    unit="bytes",
    values=_speed,
)
SCATTER_GATHER = ValueFamily(
    name="copy_network_scatter_gather",
    type="gauge",
    labels=("device",),
    help="1 when a network device takes packets in pieces; 0 when it cannot, and zero copy is copied after all.",
    values=_scatter_gather,
)

NETWORK_FAMILIES = (TRANSMIT_BYTES, RECEIVE_BYTES, SPEED_BYTES, SCATTER_GATHER)
