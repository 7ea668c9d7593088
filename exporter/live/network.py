"""The rates of network devices, and what saturates first. Pure: no input or output."""

from exporter.host.label_text import label_text
from exporter.live.rates import Device
from exporter.live.snapshot import Snapshot

UNKNOWN = "unknown"


def device_rates(before: Snapshot, now: Snapshot, seconds: float) -> list[Device]:
    """Return the rates of the devices that are in both snapshots."""
    devices = []
    for name in now.devices.keys() & before.devices.keys():
        traffic, earlier, link = now.devices[name], before.devices[name], now.links.get(name)
        devices.append(
            Device(
                device=label_text(name),
                # a device that was removed and made again counts from zero
                transmit_bytes_per_second=max(0, traffic.transmitted - earlier.transmitted) / seconds,
                receive_bytes_per_second=max(0, traffic.received - earlier.received) / seconds,
                speed_bytes_per_second=link.speed_bytes if link else None,
                scatter_gather=link.scatter_gather if link else None,
            )
        )
    return sorted(devices, key=lambda device: device.device)


def network_use(devices: list[Device]) -> float | None:
    """Return the use of the busiest device, in its busier direction; None when no speed is known."""
    uses = [
        max(device.transmit_bytes_per_second, device.receive_bytes_per_second) / device.speed_bytes_per_second
        for device in devices
        if device.speed_bytes_per_second
    ]
    return max(uses, default=None)


def saturates_first(network: float | None, sender_cpu: float | None) -> str:
    """Return which of the two would be used up first if all rates grew by the same factor."""
    if network is None or sender_cpu is None or network == sender_cpu:
        return UNKNOWN
    return "network" if network > sender_cpu else "cpu"
