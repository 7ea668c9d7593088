"""Network devices in memory, behind the interface of :class:`exporter.host.network_devices.Network`."""

from dataclasses import dataclass, field

from exporter.host.network_devices import Link, Traffic


@dataclass
class SampleNetworkDevices:
    """Loopback, a network card, a removed device, one whose driver reports nothing, and one added since the refresh."""

    links: dict[str, Link] = field(
        default_factory=lambda: {
            "lo": Link(None, True),
            "eth0": Link(1.25e9, False),
            "gone": Link(1.25e8, True),
            "mute": Link(None, None),
        }
    )
    readable: bool = True

    def traffic(self) -> dict[str, Traffic]:
        if not self.readable:
            raise FileNotFoundError(2, "No such file or directory", "/proc/1/net/dev")
        return {
            "lo": Traffic(3, 3),
            "eth0": Traffic(received=1 << 40, transmitted=5),
            "mute": Traffic(0, 0),
            "new": Traffic(7, 8),
        }
