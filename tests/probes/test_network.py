"""Network devices of another network namespace, whose procfs is given: it is entered once, at the start."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.host import ethtool
from exporter.host.network_devices import Link, NetworkDevices
from tests.support.requirements import skip_for_kernel

WIRES = """
ip link add left type veth peer name right
ip link set left up
ip link set right up
ip link add link left name sub type macvlan
ip link add link left name tap type macvtap
ip link set sub up
ip link set tap up
ethtool --offload right sg off >&2
echo
cat
"""


DEVICES = {"lo", "left", "right", "sub", "tap"}


@pytest.fixture(scope="module")
def elsewhere(bpf: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:  # noqa: ARG001
    """A procfs whose process 1 is in a network namespace with two connected devices, and two above one of them."""
    command = ["unshare", "--net", "sh", "-ec", WIRES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as inside:
        assert inside.stdout
        if inside.stdout.readline() != b"\n":
            skip_for_kernel("veth devices")
        procfs = tmp_path_factory.mktemp("procfs")
        (procfs / "1").symlink_to(f"/proc/{inside.pid}")
        (procfs / "self").symlink_to("/proc/self")
        yield procfs
        inside.communicate()


@pytest.fixture
def network(elsewhere: Path) -> Iterator[NetworkDevices]:
    with closing(NetworkDevices(str(elsewhere))) as opened:
        opened.refresh()
        yield opened


def test_only_devices_of_that_namespace(network: NetworkDevices) -> None:
    assert set(network.traffic()) == set(network.links) == DEVICES
    assert set(network.traffic()) != set(os.listdir("/sys/class/net"))


def test_this_process_stays_in_its_namespace(elsewhere: Path) -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    threads = threading.active_count()  # others of the suite may be there
    with closing(NetworkDevices(str(elsewhere))):
        assert os.readlink("/proc/thread-self/ns/net") == before
        assert threading.active_count() <= threads


@pytest.mark.parametrize("device", ["left", "sub", "tap"])
def test_a_speed_that_a_driver_invents_is_not_shown(network: NetworkDevices, device: str) -> None:
    assert network.links[device] == Link(speed_bytes=None, scatter_gather=True)
    assert network._socket
    assert ethtool.speed(network._socket, device), "the kernel tells one"


def test_a_device_without_scatter_gather(network: NetworkDevices) -> None:
    assert network.links["right"].scatter_gather is False


def test_a_device_that_is_gone(network: NetworkDevices) -> None:
    of = network._socket
    assert of
    assert (ethtool.speed(of, "gone"), ethtool.scatter_gather(of, "gone"), ethtool.driver(of, "gone")) == (None,) * 3


def test_a_namespace_that_cannot_be_entered(elsewhere: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "1" / "net").mkdir(parents=True)
    (tmp_path / "1" / "net" / "dev").symlink_to(elsewhere / "1" / "net" / "dev")
    (tmp_path / "self").symlink_to("/proc/self")
    with closing(NetworkDevices(str(tmp_path))) as network:
        network.refresh()
        assert network.links == {}
        assert set(network.traffic()) == DEVICES
    assert "copy_network_speed_bytes and copy_network_scatter_gather are missing" in caplog.text
