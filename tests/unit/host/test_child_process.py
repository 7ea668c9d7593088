"""Child processes: messages, descriptors, and the reason for an early end."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from exporter.host.child_process import ChildFailedError, ChildProcess

PRELUDE = "import os, socket, sys, time; control = socket.socket(fileno=int(sys.argv[1]))\n"
SECONDS = 20


def child(program: str, *arguments: object, **options: tuple[int, ...]) -> ChildProcess:
    return ChildProcess("the helper", (sys.executable, "-c", PRELUDE + program), *arguments, **options)


def failure(program: str, timeout: float = SECONDS) -> str:
    with child(program) as running, pytest.raises(ChildFailedError) as caught:
        running.receive(100, timeout)
    return str(caught.value)


def test_messages_both_ways() -> None:
    with child("control.send(control.recv(100).upper() + sys.argv[2].encode())", 7) as running:
        running.send(b"question")
        assert running.receive(100, SECONDS) == b"QUESTION7"


def test_descriptors_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    program = "socket.send_fds(control, [b'd'], [int(sys.argv[2])] * 3)"
    with path.open() as file, child(program, descriptors=(file.fileno(),)) as running:
        message, received = running.receive_descriptors(1, 3, SECONDS)
    targets = {os.readlink(f"/proc/self/fd/{descriptor}") for descriptor in received}
    for descriptor in received:
        os.close(descriptor)
    assert (message, len(set(received)), targets) == (b"d", 3, {str(path)})


def test_an_exit_is_reported_with_the_last_line() -> None:
    program = "print('first\\nlast\\n\\n', file=sys.stderr); sys.exit(3)"
    assert failure(program) == "the helper exited with status 3 before it finished: last"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGRTMIN + 1])
def test_a_signal_is_reported(number: int) -> None:
    name = "SIGKILL" if number == signal.SIGKILL else f"signal {number}"
    assert failure(f"os.kill(os.getpid(), {int(number)})") == f"the helper was killed by {name} before it finished"


def test_a_late_child_is_reported() -> None:
    assert failure("time.sleep(600)", timeout=0.1) == "the helper did not answer within 0.1 s"


def test_a_message_to_an_exited_child_is_not_an_error() -> None:
    with child("") as running:
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        running.send(b"question")
        with pytest.raises(ChildFailedError, match="exited with status 0"):
            running.receive(100, SECONDS)


def test_it_has_ended_afterwards() -> None:
    with child("time.sleep(600)") as running:
        assert os.getpgid(running.pid) == running.pid, "Ctrl-C in the terminal would reach it"
    assert not Path(f"/proc/{running.pid}").exists()


def test_a_program_that_is_not_there() -> None:
    opened = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        ChildProcess("the helper", ("/nonexistent",))
    assert len(os.listdir("/proc/self/fd")) == opened


def test_the_socket_keeps_messages_apart() -> None:
    with child("control.send(b'one'); control.send(b'two'); control.recv(1)") as running:
        assert [running.receive(100, SECONDS) for _ in range(2)] == [b"one", b"two"]
        assert running.channel.type == socket.SOCK_SEQPACKET
