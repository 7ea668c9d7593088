"""Addresses that it listens on: several, IPv6, and sockets of systemd."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.exporter_process import COMMAND, SERVE, ExporterProcess, refused
from tests.support.ports import free_port

FLAG = "--web.systemd-socket"
# What systemd does before it starts a service: descriptors from 3 on, their number, and the pid that they are for.
_HAND_OVER = """
import os, sys
count, command = int(sys.argv[1]), sys.argv[2:]
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()))
for number in range(3, 3 + count):
    os.set_inheritable(number, True)
os.execv(command[0], command)
"""


def test_several_addresses(start: Callable[..., ExporterProcess]) -> None:
    ports = free_port("::1"), free_port()
    flags = [f"--web.listen-address=[::1]:{ports[0]}", f"--web.listen-address=127.0.0.1:{ports[1]}"]
    service = start(*flags)
    for url in (service.url, f"http://[::1]:{ports[0]}", f"http://127.0.0.1:{ports[1]}"):
        assert httpx.get(f"{url}/-/healthy").status_code == 200
    assert f'listening on http://[::1]:{ports[0]}/metrics"' in service.log()


@pytest.mark.parametrize("address", ["", "[::]"])
def test_all_addresses_are_of_both_families(start: Callable[..., ExporterProcess], address: str) -> None:
    port = free_port()
    service = start(f"--web.listen-address={address}:{port}")
    assert f"listening on http://127.0.0.1:{port}/metrics and on every other address" in service.log()
    for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"):
        assert httpx.get(f"http://{host}:{port}/-/healthy").status_code == 200


def handed(sockets: list[socket.socket], tmp_path: Path) -> tuple[str | Path, ...]:
    """To put before a command, which then starts as systemd would start it, with these sockets."""
    program = tmp_path / "hand_over.py"
    redirections = " ".join(f"{number}<&{listener.fileno()}" for number, listener in enumerate(sockets, 3))
    program.write_text(_HAND_OVER)
    line = f'exec {sys.executable} {program} {len(sockets)} "$@" {redirections}'
    for listener in sockets:
        os.set_inheritable(listener.fileno(), True)
    return ("bash", "-c", line, "bash")


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[list[socket.socket]]:
    """Their numbers are out of the way of the numbers that systemd uses."""
    made = [socket.create_server(("127.0.0.1", 0)), socket.create_server(("::1", 0), family=socket.AF_INET6)]
    made.append(socket.socket(socket.AF_UNIX))
    made[2].bind(str(tmp_path / "socket"))
    made[2].listen()
    numbered = [socket.socket(fileno=os.dup2(listener.fileno(), 100 + number)) for number, listener in enumerate(made)]
    for listener in made:
        listener.close()
    yield numbered
    for listener in numbered:
        listener.close()


def test_sockets_of_systemd(sockets: list[socket.socket], tmp_path: Path) -> None:
    pass_fds = [listener.fileno() for listener in sockets]
    command = (*handed(sockets, tmp_path), COMMAND, "serve", FLAG)
    with ExporterProcess(command=command, pass_fds=pass_fds, listen=False) as service:
        assert service.port == sockets[0].getsockname()[1]
        assert httpx.get(f"http://[::1]:{sockets[1].getsockname()[1]}/metrics").status_code == 200
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(tmp_path / "socket"))) as client:
            assert 'copy_exporter_scrape_success{collector="processes"} 1\n' in client.get("http://here/metrics").text
        environment = Path(f"/proc/{service.pid}/environ").read_bytes()
        assert b"LISTEN_FDS=3" in environment, "that was systemd's way"


def test_sockets_that_nobody_asked_for_are_closed(sockets: list[socket.socket], tmp_path: Path) -> None:
    inodes = {f"socket:[{os.fstat(listener.fileno()).st_ino}]" for listener in sockets}
    pass_fds = [listener.fileno() for listener in sockets]
    with ExporterProcess(command=(*handed(sockets, tmp_path), *SERVE), pass_fds=pass_fds) as service:
        opened = {os.readlink(entry) for entry in Path(f"/proc/{service.pid}/fd").iterdir()}
    assert opened
    assert not opened & inodes


def test_systemd_socket_activate() -> None:
    """The real tool starts the service at the first connection, which is then served."""
    port = free_port()
    command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", *map(str, SERVE), FLAG]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=90) as client:
                assert client.get(f"http://127.0.0.1:{port}/-/ready").status_code == 200
        finally:
            process.terminate()
    assert process.returncode == 0


def test_no_socket_of_systemd() -> None:
    status, line = refused("serve", FLAG)
    assert (status, FLAG in line, "copy-exporter.socket" in line) == (2, True, True)


@pytest.mark.parametrize("kind", ["file", "connected"])
def test_descriptors_that_are_not_listening_sockets(kind: str, tmp_path: Path) -> None:
    left, right = socket.socketpair()
    with left, right, (tmp_path / "file").open("w") as file:
        number = file.fileno() if kind == "file" else left.fileno()
        program = tmp_path / "hand_over.py"
        program.write_text(_HAND_OVER)
        line = f"{sys.executable} {program} 1 {COMMAND} serve {FLAG} 3<&{number}"
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, pass_fds=[number], timeout=60, check=False
        )
    assert done.returncode == 2
    assert "descriptor 3" in done.stderr
    assert "ListenStream=" in done.stderr
    assert done.stderr.count("\n") == 1
