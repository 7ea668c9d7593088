import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from exporter.demo.children import Child, connected
from exporter.errors import CopyExporterError

PATIENCE = 20


def child(program: str) -> Child:
    """One that runs this as its program, the control socket being ``control``."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    prelude = f"import socket, sys; control = socket.socket(fileno={theirs.fileno()})\n"
    with theirs:
        return Child("sender", [sys.executable, "-c", prelude + program], ours, (theirs.fileno(),))


@pytest.fixture
def payload(tmp_path):
    with open(tmp_path / "file", "w+b") as file:
        file.write(bytes(1 << 20))
        file.flush()
        yield file.fileno()


@pytest.fixture
def sender(payload):
    """A real one, ready; the other end of its connection is open and reads nothing."""
    near, far = connected()
    with far, Child.start("sender", (near.fileno(), payload), "sendfile", 1 << 30, 4096) as sender:
        near.close()
        assert sender.report(PATIENCE) == {"ready": True}
        yield sender


def test_a_killed_sender_is_told(sender):
    os.kill(sender.pid, signal.SIGKILL)
    sender.go_on()
    with pytest.raises(CopyExporterError, match=r"^the demo's sender was killed by SIGKILL before it was done$"):
        sender.report(PATIENCE)


def test_a_stopped_sender_is_not_waited_for_forever(sender):
    os.kill(sender.pid, signal.SIGSTOP)
    sender.go_on()
    with pytest.raises(CopyExporterError, match=r"^the demo's sender was not done within 1 s$"):
        sender.report(1)


def test_a_failing_sender_says_why(sender):
    sender.go_on()
    with pytest.raises(
        CopyExporterError, match=r"^the demo's sender failed: the file or the connection ended too early$"
    ):
        sender.report(PATIENCE)


def test_a_sink_that_ends_is_noticed_by_the_sender(payload):
    near, far = connected()
    os.ftruncate(payload, 64 << 20)
    with Child.start("sender", (near.fileno(), payload), "read+write", 64 << 20, 4096) as sender:
        near.close()
        sender.report(PATIENCE)
        sender.go_on()
        far.recv(1)
        far.close()
        with pytest.raises(CopyExporterError, match=r"failed: .*(Broken pipe|Connection reset)"):
            sender.report(PATIENCE)


def test_a_sender_that_ends_leaves_the_sink_short():
    near, far = connected()
    with Child.start("sink", (far.fileno(),), 1000, 0) as sink:
        far.close()
        near.send(bytes(10))
        near.close()
        assert sink.report(PATIENCE)["received"] == 10


def test_the_last_words_of_a_broken_child():
    with (
        child("raise ValueError('no')") as broken,
        pytest.raises(CopyExporterError, match=r"sender ended with status 1 \(ValueError: no\) before it was done"),
    ):
        broken.report(PATIENCE)


def test_children_end_with_us():
    with child("control.recv(1)") as parked:
        pid = parked.pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_parked_child_ends_when_its_parent_does(payload):
    near, far = connected()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far, theirs:
        command = [sys.executable, "-m", "exporter.demo.sender"]
        arguments = [theirs.fileno(), near.fileno(), payload, "sendfile", 4096, 4096]
        descriptors = (theirs.fileno(), near.fileno(), payload)
        orphan = Child("sender", [*command, *map(str, arguments)], ours, descriptors)
    assert orphan.report(PATIENCE) == {"ready": True}
    ours.shutdown(socket.SHUT_RDWR)
    for _ in range(100):
        if Path(f"/proc/{orphan.pid}/stat").read_text().split(")")[1].split()[0] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("the sender is still there")
    with orphan:
        pass


def test_ctrl_c_in_the_terminal_is_not_for_children():
    with child("control.recv(1)") as parked:
        assert os.getpgid(parked.pid) != os.getpgid(0)
