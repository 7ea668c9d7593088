"""What ``--once`` prints, and the text of the other views."""

from dataclasses import replace

from exporter.live.rates import Device, Health
from exporter.top.report import details, headline, once, summary

from .sample_rates import FROM_DISK, MIB, READ, SENDFILE, host, kafka, process

HOST = host(
    process("4411", "python3", cpu=2.0 * MIB, zero_copy=8.0 * MIB, name="sender.py", hops=[SENDFILE, READ, FROM_DISK]),
    process("other", "other"),
)


def test_the_headline() -> None:
    assert headline(HOST.totals) == (
        "10.0 MiB/s moved: 80% by zero copy, 20% copied by the CPU, 0% from or to disks. Copying takes 10% of the "
        "CPUs; the network is used to 40%: it saturates first. 12,345 mode switches/s."
    )
    unknown = replace(HOST.totals, copy_cpu_ratio=None, network_use_ratio=None, saturates_first="unknown")
    assert "copying takes is unknown; the use of the network is unknown." in headline(unknown)
    assert headline(replace(HOST.totals, moved_bytes_per_second=0.0)) == "Nothing moves at the moment."


def test_losses_are_in_the_summary() -> None:
    health = Health(probes=[], dropped_updates=3, missed_runs=4, stalled_probes=["syscalls"])
    device = Device("eth0", 0.0, 0.0, None, scatter_gather=False)
    text = " ".join(summary(replace(HOST, health=health, devices=[device]), 60, ascii_only=True))
    assert "3.0 updates dropped, 4.0 runs missed, stopped counting: syscalls." in text
    assert "eth0 has no scatter-gather" in text


def test_a_time_that_is_none() -> None:
    assert "at an unknown time" in summary(replace(HOST, time_seconds=1e300), 140, ascii_only=True)[0]


def test_once() -> None:
    lines = once(HOST, 140, ascii_only=True)
    assert lines[0].startswith("broker-1 at ")
    assert lines[0].endswith("Linux 6.12, 2 CPUs, copy-exporter 0.1.0, 1 of 1 probes attached, nothing lost.")
    assert [line.split()[:2] for line in lines[4:7]] == [
        ["process", "pid"],
        ["python3", "sender.py"],
        ["other", "other"],
    ]
    assert lines[-1] == "1 of 1,234 processes are shown: those that move most."


def test_once_beside_a_broker() -> None:
    text = "\n".join(once(replace(HOST, kafka=kafka()), 140, ascii_only=True))
    assert "PLAINTEXT :9092" in text
    assert "orders 0" in text


def test_each_width_and_language() -> None:
    hostile = kafka(node_id="\x1b[1m", topic="ü\n")
    rates = replace(HOST, kafka=hostile)
    for width in range(40, 150):
        lines = once(rates, width, ascii_only=True)
        assert all(line.isascii() and line.isprintable() for line in lines)
        assert max(map(len, lines)) <= width


def test_details() -> None:
    lines = [line.text for line in details(HOST.processes[0], 110, ascii_only=True)]
    assert lines[:3] == [
        "python3 sender.py, process 4411",
        "control group: /",
        "16 calls/s, 32 mode switches/s, 0.25 copies per byte sent",
    ]
    assert "call           from        to          port  mechanism          calls/s      bytes" in lines
    assert "sendfile       page_cache  tcp         9092  zero copy               16  8.0 MiB/s" in lines
    assert "read  EAGAIN       3.0" in lines
    assert any("|====" in line for line in lines)


def test_details_of_a_process_in_a_container() -> None:
    row = replace(HOST.processes[0], unit="kafka.service", container_id="abc", hops=[], errors=[])
    lines = [line.text for line in details(row, 110, ascii_only=True)]
    assert lines[1:4] == ["unit: kafka.service", "container: abc", "control group: /"]
    assert "Nothing moves." in lines
