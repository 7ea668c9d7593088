"""The demo for real: the known workload is the demo's own, the truth is arithmetic."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from rich.console import Console

from exporter.counting.maps import KernelMaps, Sample
from exporter.demo import DemoOptions, run
from exporter.demo.experiment import run_experiment
from exporter.errors import CopyExporterError, KernelError
from exporter.host.signals import TerminationSignals
from exporter.loading.handover import LoadRequest, load

SIZE = 8 << 20
CHUNK = 64 << 10
CHUNKS = SIZE // CHUNK
TLS_RECORDS = SIZE >> 14
TLS_RECORD_OVERHEAD = 5 + 8 + 16  # header, explicit nonce, tag of AES-GCM in TLS 1.2 (RFC 5246, 5288)

FILE_TO_USER = ("page_cache", "user")
USER_TO_TCP = ("user", "tcp")
TRUTH = {
    "read+write": {
        ("cpu_copy", "read", *FILE_TO_USER): (CHUNKS, SIZE),
        ("cpu_copy", "write", *USER_TO_TCP): (CHUNKS, SIZE),
    },
    "readv+writev": {
        ("cpu_copy", "readv", *FILE_TO_USER): (CHUNKS, SIZE),
        ("cpu_copy", "writev", *USER_TO_TCP): (CHUNKS, SIZE),
    },
    "mmap+write": {("cpu_copy", "write", *USER_TO_TCP): (CHUNKS, SIZE)},
    "sendfile": {("zero_copy", "sendfile", "page_cache", "tcp"): (CHUNKS, SIZE)},
    "splice": {
        ("zero_copy", "splice", "page_cache", "pipe"): (CHUNKS, SIZE),
        ("zero_copy", "splice", "pipe", "tcp"): (CHUNKS, SIZE),
    },
    "send MSG_ZEROCOPY": {("zero_copy", "sendto", *USER_TO_TCP): (CHUNKS, SIZE)},
    "TLS in user space": {
        ("cpu_copy", "read", *FILE_TO_USER): (CHUNKS, SIZE),
        ("cpu_copy", "write", *USER_TO_TCP): (TLS_RECORDS, SIZE + TLS_RECORDS * TLS_RECORD_OVERHEAD),
    },
}
REAPED = ("cpu_copy", "recvmsg", "tcp", "user")
COPIES = {"read+write": 2, "readv+writev": 2, "mmap+write": 1, "sendfile": 0, "splice": 0, "send MSG_ZEROCOPY": 0}
BY_REFERENCE = ("sendfile", "splice", "send MSG_ZEROCOPY")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="loading eBPF programs needs root")
pytestmark = needs_root


@pytest.fixture(scope="module")
def directory():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def document(directory):
    out = io.StringIO()
    options = DemoOptions(size=SIZE, chunk=CHUNK, json=True, directory=directory)
    status = run(options, Console(file=out))
    document = json.loads(out.getvalue())
    assert (status, list(directory.iterdir())) == (0, [])
    return document


def transfers(document, method):
    found = [transfer for transfer in document["measurements"] if transfer["method"] == method]
    expected = ["warm"] if document["file_system"] == "tmpfs" else ["cold", "warm"]
    assert [transfer["cache"] for transfer in found] == expected
    return found


@pytest.mark.parametrize("method", TRUTH)
def test_calls_and_bytes_are_exact(document, method):
    for transfer in transfers(document, method):
        rows = {
            (row["kind"], row["syscall"], row["source"], row["destination"]): (row["calls"], row["bytes"])
            for row in transfer["counts"]
            if row["kind"] != "dma"
        }
        if method == "send MSG_ZEROCOPY":
            calls, moved = rows.pop(REAPED)
            assert 0 < calls <= CHUNKS
            assert moved == 0
        assert rows == TRUTH[method]


@pytest.mark.parametrize("method", COPIES)
def test_cpu_copies(document, method):
    assert [transfer["cpu_copies_per_byte"] for transfer in transfers(document, method)] == pytest.approx(
        [COPIES[method]] * len(transfers(document, method)), abs=0
    )


@pytest.mark.parametrize("method", TRUTH)
def test_zero_copy_share(document, method):
    for transfer in transfers(document, method):
        assert transfer["zero_copy_share"] == (1 if method in BY_REFERENCE else 0)


@pytest.mark.parametrize("method", TRUTH)
def test_the_disk_is_read_when_cold_and_only_then(document, method):
    for transfer in transfers(document, method):
        if transfer["cache"] == "warm":
            assert transfer["dma_bytes"] == 0
        else:
            assert transfer["cached_bytes"] == 0
            assert SIZE <= transfer["dma_bytes"] <= SIZE * 1.02


def test_times_are_measured(document):
    for transfer in document["measurements"]:
        assert 0 < transfer["cpu_seconds"] < 30
        assert 0 < transfer["seconds"] < 30


def test_the_kernel_reports_copies_on_loopback(document):
    assert [bool(transfer["note"]) for transfer in transfers(document, "send MSG_ZEROCOPY")] == [True, True]


def test_all_claims_hold(document):
    assert {claim["name"]: claim["verdict"] for claim in document["claims"]} == {
        "mode_switches": "holds",
        "cpu_copies": "holds",
        "dma": "holds",
        "tls": "holds",
    }
    assert not any("lost" in note for note in document["notes"])


def test_in_memory_nothing_is_cold():
    out = io.StringIO()
    assert run(DemoOptions(size=1 << 20, directory=Path("/dev/shm")), Console(file=out, width=80)) == 0
    assert "tmpfs is in memory" in out.getvalue()
    assert "not checked" in out.getvalue()
    assert " cold " not in out.getvalue().split("*")[0]


class SenderKiller(KernelMaps):
    """Kills the sender as soon as it waits for the start, at the reading before the transfer."""

    def sample(self) -> Sample:
        sample = super().sample()
        for identity in sample.processes:
            if is_sender(identity.pid, os.getpid()):
                os.kill(identity.pid, signal.SIGKILL)
        return sample


class Blind(KernelMaps):
    """Sees no process."""

    def sample(self) -> Sample:
        return Sample()


@pytest.fixture(scope="module")
def loaded():
    loaded = load(LoadRequest(probes=("syscalls", "exits")), timeout=60)
    yield loaded
    loaded.close()


@pytest.mark.parametrize(
    ("reader", "error", "complaint"),
    [
        (
            SenderKiller,
            CopyExporterError,
            r"^the demo's sender was killed by SIGKILL before it finished \(read\+write, warm cache\)$",
        ),
        (Blind, KernelError, r"--pid=host\) \(read\+write, warm cache\)$"),
    ],
)
def test_trouble_ends_it_with_one_line(loaded, directory, reader, error, complaint):
    options, before = DemoOptions(size=SIZE, directory=directory), children(os.getpid())
    with pytest.raises(error, match=complaint):
        run_experiment(
            options,
            reader(loaded.maps, loaded.programs, loaded.free_slots),
            False,
            lambda *_: None,
            TerminationSignals(),
        )
    assert children(os.getpid()) == before
    assert list(directory.iterdir()) == []


def is_sender(pid: int, parent: int) -> bool:
    return pid in children(parent) and b"exporter.demo.sender" in Path(f"/proc/{pid}/cmdline").read_bytes()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("json_too", [False, True])
def test_interrupted(directory, number, json_too):
    program = (
        "import sys; from pathlib import Path; from rich.console import Console; from exporter.demo import *\n"
        f"sys.exit(run(DemoOptions(size=64 << 20, json={json_too}, directory=Path({str(directory)!r})), Console()))"
    )
    demo = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )
    while not any(is_sender(child, demo.pid) for child in children(demo.pid)):
        assert demo.poll() is None
        time.sleep(0.05)
    started = children(demo.pid)
    os.killpg(demo.pid, number)
    out, said = demo.communicate(timeout=120)
    assert (demo.returncode, out) == (130, "")
    assert said == "the demo was interrupted; its file and its processes are removed\n"
    assert not any(Path(f"/proc/{child}").exists() for child in started)
    assert list(directory.iterdir()) == []
