"""Network devices in memory."""

from dataclasses import dataclass, field

from exporter.host.network_devices import Link, Traffic


@dataclass
class SampleNetworkDevices:
    """A host with loopback, a network card, and one that came since its driver was last asked."""

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
