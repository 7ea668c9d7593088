"""What the loader leaves behind, and the error when it fails."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.errors import KernelError
from exporter.kernel import libbpf
from exporter.kernel.probe_maps import MAPS
from exporter.loading.handover import LOADER, LoadedProbes, LoadRequest, load
from exporter.loading.probes import DEFAULT_PROBE_NAMES
from exporter.model import Row, RowKind, Rows

from .probe_fixture import ProbeFixture, attached_probes

REQUEST = LoadRequest(probes=DEFAULT_PROBE_NAMES, map_entries={"counts": 1024})


def program_ids(loaded: LoadedProbes) -> list[int]:
    return [_id(descriptor, "prog_id") for programs in loaded.programs.values() for descriptor in programs]


def _id(descriptor: int, name: str) -> int:
    lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    return int(dict(line.split(":\t") for line in lines)[name])


def is_loaded(program_id: int) -> bool:
    descriptor = libbpf.library().bpf_prog_get_fd_by_id(program_id)
    if descriptor >= 0:
        os.close(descriptor)
    return bool(descriptor >= 0)


def unsampled(rows: Rows) -> set[Row]:
    """The rows without copy time, which two sets of clocks sample at different times."""
    return {row for row in rows if row.kind is not RowKind.COPY_TIME}


def test_two_at_once_count_the_same(probes: ProbeFixture, workload: Callable[..., Path]) -> None:
    with attached_probes() as other:
        finished = probes.run(workload("endpoints"), "pipes")
        assert unsampled(other.rows(finished.pid)) == unsampled(finished.rows)
        assert other.finished(finished.pid).calls == finished.calls


def test_nothing_stays_when_the_descriptors_are_closed(probes: ProbeFixture) -> None:
    ours = program_ids(probes.loaded)
    loaded = load(REQUEST, timeout=60)
    ids = program_ids(loaded)
    assert [is_loaded(number) for number in ids] == [True] * len(DEFAULT_PROBE_NAMES)
    loaded.close()
    wait = time.monotonic() + 10  # the kernel frees them a grace period later
    while any(is_loaded(number) for number in ids):
        assert time.monotonic() < wait
    assert [is_loaded(number) for number in ours] == [True] * len(DEFAULT_PROBE_NAMES)


def test_only_the_requested_probes(probes: ProbeFixture) -> None:
    assert probes
    loaded = load(LoadRequest(probes=("exits",), map_entries={"counts": 1024}), timeout=60)
    loaded.close()
    assert [probe.name for probe in loaded.probes] == ["exits"]
    assert list(loaded.programs) == ["exits"]
    assert loaded.maps.keys() == {name for name, spec in MAPS.items() if spec.access}


def refusal(code: str, timeout: float = 30) -> str:
    with pytest.raises(KernelError) as refused:
        load(REQUEST, timeout, (sys.executable, "-c", code))
    assert "\n" not in str(refused.value)
    return str(refused.value)


SEND_MESSAGE = "import sys, socket; socket.socket(fileno=int(sys.argv[1])).sendall({message!r})"


def test_a_loader_that_dies() -> None:
    reason = refusal("import sys; print('no luck\\ntoday', file=sys.stderr); sys.exit(3)")
    assert reason == "the loader exited with status 3 before it finished: today"


def test_a_loader_that_is_killed() -> None:
    assert refusal("import os; os.kill(os.getpid(), 9)") == "the loader was killed by SIGKILL before it finished"


def test_a_loader_that_hangs() -> None:
    reason = refusal("import time; time.sleep(600)", timeout=0.5)
    assert reason == "the loader did not answer within 0.5 s"


@pytest.mark.parametrize("message", [b"garbage", b"[]", b'{"maps": 3}', b'{"surprise": 1}', b"\xff"])
def test_a_loader_that_reports_nonsense(message: bytes) -> None:
    assert refusal(SEND_MESSAGE.format(message=message)).startswith("the loader's report is invalid: ")


def test_a_loader_that_reports_an_error() -> None:
    assert refusal(SEND_MESSAGE.format(message=b'{"error": "no such luck"}')) == "no such luck"


def test_a_loader_that_promises_descriptors_and_ends() -> None:
    reason = refusal(SEND_MESSAGE.format(message=b'{"maps": ["counts"]}'))
    assert reason == "the loader exited with status 0 before it finished"


OTHER_LAYOUT = """
from exporter.loading import loader
from exporter.kernel.probe_maps import MAPS
members = MAPS["folders"].value.members
parent = members.pop("parent")
members["parent"] = parent
loader.main()
"""


def test_a_layout_that_differs_from_the_c() -> None:
    """As when probes and Python are of different versions: one line, instead of wrong counts."""
    assert refusal(OTHER_LAYOUT).startswith(
        "struct folder in map folders: name is 256 bytes at offset 264 in the C, but "
    )


MANY = """
import os, socket, sys
from exporter.loading.handover import LoadReport, send
events = [os.open(os.devnull, os.O_RDONLY) for _ in range(600)]  # the first stands for the program that frees slots
send(socket.socket(fileno=int(sys.argv[1])), LoadReport(links=len(events) - 1), events)
"""


def test_events_of_more_cpus_than_a_message_has_room_for() -> None:
    loaded = load(REQUEST, 30, (sys.executable, "-c", MANY))
    opened = {os.readlink(f"/proc/self/fd/{descriptor}") for descriptor in loaded.links}
    loaded.close()
    assert len(set(loaded.links)) == 599
    assert opened == {os.devnull}


def test_a_loader_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        load(REQUEST, 30, ("/nonexistent",))


def test_the_other_bcc(probes: ProbeFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert probes
    (tmp_path / "bcc.py").write_text('"""Lattices."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KernelError) as refused:
        load(REQUEST, 60, LOADER)
    assert str(refused.value) == (
        f"{tmp_path}/bcc.py is not BCC but PyPI's unrelated package of that name: pip uninstall bcc, "
        "then apt-get install python3-bpfcc"
    )


def test_the_receiver_has_only_the_maps_that_it_needs(probes: ProbeFixture) -> None:
    """And it cannot reset the count of lost updates."""
    assert probes.loaded.maps.keys().isdisjoint({"hints", "free_slots", "sendfile_starts", "multishots"})
    with pytest.raises(PermissionError):
        libbpf.write_element(probes.loaded.maps["dropped"], bytes(4), bytes(8))
    assert probes.maps.dropped()
