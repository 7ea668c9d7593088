import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from exporter.demo.children import Child, connected, run_child
from exporter.errors import CopyExporterError

PATIENCE = 20


def child(program: str) -> Child:
    """One that runs this program, with its socket as ``control``."""
    prelude = "import socket, sys; control = socket.socket(fileno=int(sys.argv[1]))\n"
    return Child("the demo's sender", (sys.executable, "-c", prelude + program))


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
    with far, run_child("sender", (near.fileno(), payload), "sendfile", 1 << 30, 4096) as sender:
        near.close()
        assert sender.report(PATIENCE) == {"ready": True}
        yield sender


def test_a_killed_sender_is_reported(sender):
    os.kill(sender.pid, signal.SIGKILL)
    sender.start()
    with pytest.raises(CopyExporterError, match=r"^the demo's sender was killed by SIGKILL before it finished$"):
        sender.report(PATIENCE)


def test_a_stopped_sender_is_late(sender):
    os.kill(sender.pid, signal.SIGSTOP)
    sender.start()
    with pytest.raises(CopyExporterError, match=r"^the demo's sender did not answer within 1 s$"):
        sender.report(1)


def test_a_failing_sender_says_why(sender):
    sender.start()
    with pytest.raises(
        CopyExporterError, match=r"^the demo's sender failed: the file or the connection ended too early$"
    ):
        sender.report(PATIENCE)


def test_a_sink_that_ends_is_noticed_by_the_sender(payload):
    near, far = connected()
    os.ftruncate(payload, 64 << 20)
    with run_child("sender", (near.fileno(), payload), "read+write", 64 << 20, 4096) as sender:
        near.close()
        sender.report(PATIENCE)
        sender.start()
        far.recv(1)
        far.close()
        with pytest.raises(CopyExporterError, match=r"failed: .*(Broken pipe|Connection reset)"):
            sender.report(PATIENCE)


def test_a_sender_that_ends_leaves_the_sink_short():
    near, far = connected()
    with run_child("sink", (far.fileno(),), 1000, 0) as sink:
        far.close()
        near.send(bytes(10))
        near.close()
        assert sink.report(PATIENCE)["received"] == 10


def test_the_last_line_of_a_broken_child():
    with (
        child("raise ValueError('no')") as broken,
        pytest.raises(CopyExporterError, match=r"sender exited with status 1 before it finished: ValueError: no"),
    ):
        broken.report(PATIENCE)


def test_children_end_with_us():
    with child("control.recv(1)") as waiting:
        pid = waiting.pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_waiting_child_ends_when_its_parent_does(payload):
    near, far = connected()
    with near, far:
        orphan = run_child("sender", (near.fileno(), payload), "sendfile", 4096, 4096)
    assert orphan.report(PATIENCE) == {"ready": True}
    orphan.channel.shutdown(socket.SHUT_RDWR)
    for _ in range(100):
        if Path(f"/proc/{orphan.pid}/stat").read_text().split(")")[1].split()[0] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("the sender is still there")
    with orphan:
        pass


def test_ctrl_c_in_the_terminal_is_not_for_children():
    with child("control.recv(1)") as waiting:
        assert os.getpgid(waiting.pid) != os.getpgid(0)
