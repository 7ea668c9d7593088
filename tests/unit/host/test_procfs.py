"""Reading /proc: texts as the kernel writes them, and a directory that looks like /proc."""

import os
from pathlib import Path

import pytest

from exporter.host import procfs
from exporter.host.boottime import parse_offsets
from exporter.host.procfs import ProcessInfo, Procfs, parse_cgroup, parse_stat

STAT = (
    "{pid} ({comm}) S 1 1 1 0 -1 4194560 100 0 0 0 {user} {system} 0 0 20 0 1 0 {start} 1000 10 18446744073709551615\n"
)
CONTAINER = "0123456789abcdef" * 4


def stat_line(comm: str) -> str:
    return STAT.format(pid=7, comm=comm, user=250, system=50, start=123456)


@pytest.mark.parametrize("comm", ["cat", "a b", "a) R 1 (b", "(sd-pam)", "", "new\nline", ")"])
def test_stat_of_any_name(comm):
    stat = parse_stat(stat_line(comm))
    assert (stat.comm, stat.start_ticks, stat.user_seconds, stat.system_seconds) == (comm, 123456, 2.5, 0.5)


def test_the_start_distinguishes_a_process_from_its_successor():
    stat = parse_stat(stat_line("cat"))
    assert stat.started_at(1_234_567_891_234)
    assert not stat.started_at(1_234_577_891_234)


def test_this_very_process():
    stat = Procfs().stat(os.getpid())
    assert stat is not None
    assert stat.comm == Path("/proc/self/comm").read_text().rstrip("\n")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("0::/system.slice/kafka.service\n", "/system.slice/kafka.service"),
        ("12:cpu:/a\n1:name=systemd:/system.slice/x.service\n0::/\n", "/system.slice/x.service"),
        ("4:memory:/docker/abc\n", "/docker/abc"),
        ("0::/with:colon\n", "/with:colon"),
        ("4:memory:/x\n0::/a\rb\vc\fd\x1ce\x85f\u2028g\n", "/a\rb\vc\fd\x1ce\x85f\u2028g"),
        ("0::/cut off\n1:name", "/cut off"),
        ("0::/../../kubepods.slice/a.scope\n", "/kubepods.slice/a.scope"),
        ("0::/../..\n", "/"),
        ("0::/..hidden/a\n", "/..hidden/a"),
        ("", ""),
    ],
)
def test_cgroup(text, path):
    assert parse_cgroup(text) == path


def test_a_process_in_a_container(tmp_path):
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "stat").write_text(stat_line("java"))
    (folder / "cmdline").write_bytes(b"java\0kafka.Kafka\0")
    (folder / "cgroup").write_text(f"0::/kubepods.slice/pod1.slice/cri-containerd-{CONTAINER}.scope\n")
    proc = Procfs(str(tmp_path))
    assert proc.describe(7, "java") == ProcessInfo(
        name="kafka.Kafka",
        cgroup=f"/kubepods.slice/pod1.slice/cri-containerd-{CONTAINER}.scope",
        container_id=CONTAINER,
        unit=f"cri-containerd-{CONTAINER}.scope",
    )


@pytest.mark.parametrize(
    ("path", "container"),
    [
        ("/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890", True),
        ("/ecs/0123456789abcdef0123456789abcdef", False),
        (f"/docker/{CONTAINER}", True),
        (f"/docker/{CONTAINER}0", False),
        ("/kubepods/pod01234567-89ab-cdef-0123-456789abcdef", False),
    ],
)
def test_containers(tmp_path, path, container):
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "cgroup").write_text(f"0::{path}\n")
    assert Procfs(str(tmp_path)).describe(7, "x").container_id == (path.rsplit("/", 1)[1] if container else "")


def test_starts_in_a_time_namespace(tmp_path, monkeypatch):
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "stat").write_text(stat_line("cat"))
    for offset_ns, start_ns in ((86_400_000_000_000, 1_148_160_000_000), (-5_005_000_000, 1_239_566_000_000)):
        monkeypatch.setattr(procfs, "boottime_offset_ns", lambda offset_ns=offset_ns: offset_ns)
        folder.joinpath("stat").write_text(
            STAT.format(pid=7, comm="cat", user=0, system=0, start=(start_ns + offset_ns) // 10**7)
        )
        stat = Procfs(str(tmp_path)).stat(7)
        assert stat
        assert stat.started_at(start_ns)
        assert not stat.started_at(start_ns + 20_000_000)


def test_offsets_of_a_time_namespace():
    assert parse_offsets("monotonic           5         0\nboottime        86400        7\n") == 86_400_000_000_007
    assert parse_offsets("") == 0


def test_a_kernel_thread():
    assert not parse_stat(stat_line("cat")).is_kernel_thread
    assert parse_stat(stat_line("kthreadd").replace("4194560", "2129984")).is_kernel_thread


def test_long_text_is_cut(tmp_path):
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "cmdline").write_bytes(b"java\0" + b"x" * 131_000 + b"\0")
    (folder / "cgroup").write_text("0::" + "/y" * 30_000)
    info = Procfs(str(tmp_path)).describe(7, "java")
    assert (len(info.name), len(info.cgroup)) == (256, 256)


def test_arguments_without_number(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cmdline").write_bytes(b"java\0" + 600_000 * b"-a\0")
    arguments = Procfs(str(tmp_path)).arguments(7)
    assert (len(arguments), set(arguments[1:])) == (1000, {"-a"})


def test_a_process_that_is_not_there(tmp_path):
    proc = Procfs(str(tmp_path))
    assert proc.stat(7) is None
    assert proc.describe(7, "cat") == ProcessInfo(name="cat")
    assert not proc.exists(2**22 + 1)
    assert proc.exists(1), "hidden from us, but there"
