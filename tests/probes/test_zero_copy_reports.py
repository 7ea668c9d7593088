"""What the kernel reports on the error queue after MSG_ZEROCOPY over veth (docs/accounting.md says when it copied)."""

import sys
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation
from tests.support.requirements import skip_for_kernel

from .probe_fixture import ProbeFixture, zero_copy

pytestmark = pytest.mark.probe("syscalls")

_BYTES = 10 << 20
_NO_WIRES = 77
_TWO_HOSTS = """
ip link add left type veth peer name right || exit 77
mkfifo "$1/ready"
unshare --net sh -c 'echo >"$0/ready"; exec sleep 60' "$1" & there=$!
read -r _ <"$1/ready"
ip link set right netns $there
ip addr add 10.9.0.1/24 dev left
ip link set left up
ethtool --offload left sg "$2" >&2
inside() { nsenter --target $there --net "$@"; }
inside ip addr add 10.9.0.2/24 dev right
inside ip link set right up
inside "$3" -c "$4" >"$1/ready" &
read -r _ <"$1/ready"
exec "$3" -c "$5
import os, signal
os.kill($there, signal.SIGKILL)"
"""
_RECEIVER = """
import socket
listener = socket.create_server(("10.9.0.2", 5555))
print(flush=True)
connection, _ = listener.accept()
while connection.recv(1 << 20):
    pass
"""
_SENDER = f"""
import select, socket, struct
SO_ZEROCOPY, MSG_ZEROCOPY, ERROR_QUEUE = 60, 0x4000000, socket.MSG_ERRQUEUE
connection = socket.create_connection(("10.9.0.2", 5555))
connection.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
data, sent, calls, reported, codes = bytes(1 << 20), 0, 0, 0, set()
while sent < {_BYTES}:
    sent += connection.send(data, MSG_ZEROCOPY)
    calls += 1
events = select.poll()
events.register(connection, 0)
while reported < calls:
    events.poll(10000)
    for _, _, report in connection.recvmsg(0, 512, ERROR_QUEUE)[1]:
        *_, code, _, first, last = struct.unpack_from("=IBBBBII", report)
        reported += last - first + 1
        codes.add(code)
print(sent, calls, *codes)
"""


@pytest.mark.parametrize(("scatter_gather", "code"), [("on", 1), ("off", 0)])
def test_reports_over_veth(probes: ProbeFixture, tmp_path: Path, scatter_gather: str, code: int) -> None:
    """1 is SO_EE_CODE_ZEROCOPY_COPIED. Without scatter-gather the kernel copies too, but reports only some of it."""
    words = ("unshare", "--net", "sh", "-ec", _TWO_HOSTS, "sh", tmp_path, scatter_gather, sys.executable)
    with probes.start(*words, _RECEIVER, _SENDER) as process:
        output, _ = process.communicate(timeout=60)
    if process.returncode == _NO_WIRES:
        skip_for_kernel("veth devices")
    assert process.returncode == 0
    sent, calls, *codes = map(int, output.split())
    assert sent == _BYTES
    assert code in codes
    assert scatter_gather == "off" or codes == [code]
    row = zero_copy(Operation.SENDTO, Endpoint.USER, Endpoint.TCP)
    assert probes.result(process).calls[row] == (calls, sent)
