"""The rates of two snapshots, quantity by quantity."""

import json
from dataclasses import fields, is_dataclass

import pytest
from pydantic import TypeAdapter

from exporter.host.network_devices import Link, Traffic
from exporter.live import processes, rates
from exporter.live.compute import compute_rates
from exporter.live.network import saturates_first
from exporter.live.snapshot import Host
from exporter.model import Endpoint, Identity, Operation, Row, RowKind
from tests.support.sample_data import COPYING, DIRECT, DISK, EAGAIN, READ, RECEIVED, SENDFILE, SLOW

from .snapshots import HOST, ONE, TWO, counts, describe, snapshot

SEND = Row(RowKind.CPU_COPY, Operation.SENDTO, Endpoint.USER, Endpoint.TCP, 9092, 0)
URING = Row(RowKind.CPU_COPY, Operation.IO_URING_READ, Endpoint.PAGE_CACHE, Endpoint.USER, 0, 0)
BEFORE = snapshot(10, {}, devices={"eth0": Traffic(0, 0)}, cpus=4)


def rates_of(*numbers: tuple[Row, int, int], host: Host = HOST, seconds: int = 2) -> rates.Rates:
    now = snapshot(10 + seconds, {ONE: counts(*numbers)}, devices={"eth0": Traffic(600, 200)}, cpus=4)
    return compute_rates(BEFORE, now, host, describe)


def test_every_hop_counts_once():
    totals = rates_of((READ, 2, 200), (SEND, 2, 200), (SENDFILE, 1, 400), (DISK, 0, 100), (DIRECT, 1, 60)).totals
    assert totals.moved_bytes_per_second == 480
    assert totals.mechanisms == rates.Mechanisms(cpu=200, zero_copy=200, dma=80)
    assert totals.calls_per_second == 3


def test_other_levels_are_not_hops():
    found = rates_of((RECEIVED, 1, 100), (SLOW, 1, 100))
    assert found.totals.moved_bytes_per_second == 0
    assert found.hops == []


def test_mode_switches_are_of_system_calls_and_failed_ones():
    found = rates_of((READ, 2, 8), (EAGAIN, 3, 0), (URING, 7, 70), (DISK, 5, 10))
    assert found.totals.mode_switches_per_second == 5
    assert found.totals.calls_per_second == 4.5
    (errors,) = found.processes[0].errors
    assert errors == rates.ProcessError(syscall="recvfrom", errno="EAGAIN", errors_per_second=1.5)


def test_copies_per_byte_sent():
    process = rates_of((READ, 2, 200), (SEND, 4, 200)).processes[0]
    assert process.copies_per_byte_sent == 2
    assert rates_of((SENDFILE, 1, 400)).processes[0].copies_per_byte_sent == 0
    assert rates_of((READ, 1, 400)).processes[0].copies_per_byte_sent is None
    assert rates_of((READ, 1, 40_000), (SENDFILE, 1, 400)).processes[0].copies_per_byte_sent == 100
    assert rates_of((READ, 1, 40_001), (SENDFILE, 1, 400)).processes[0].copies_per_byte_sent is None


def test_bytes_per_call():
    assert rates_of((READ, 2, 200), (DISK, 0, 900)).processes[0].bytes_per_call == 100
    assert rates_of((DISK, 0, 900)).processes[0].bytes_per_call is None


def test_copy_time_is_a_part_of_all_cpus_or_of_one():
    found = rates_of((COPYING, 10, 10**9))
    assert found.totals.copy_cpu_ratio == 0.125
    assert found.processes[0].copy_cpu_ratio == 0.5
    unsampled = rates_of((READ, 1, 1), host=Host("host", "6.12", 0, "/metrics"))
    assert unsampled.totals.copy_cpu_ratio is None
    assert unsampled.processes[0].copy_cpu_ratio is None


def test_the_use_of_the_network_is_that_of_the_busier_direction():
    now = snapshot(12, {ONE: counts((SEND, 1, 1))}, devices={"eth0": Traffic(600, 200), "lo": Traffic(9, 9)}, cpus=4)
    known = compute_rates(
        BEFORE, snapshot(**vars_of(now), links={"eth0": Link(1000, scatter_gather=True)}), HOST, describe
    )
    assert known.totals.network_use_ratio == 0.3
    assert known.totals.sender_cpu_ratio == 0.0625
    assert known.totals.saturates_first == "network"
    assert [device.device for device in known.devices] == ["eth0"]
    unknown = compute_rates(BEFORE, now, HOST, describe)
    assert unknown.totals.network_use_ratio is None
    assert unknown.totals.saturates_first == "unknown"


def vars_of(now):
    return {
        "second": now.time_seconds,
        "processes": now.processes,
        "exited": now.exited,
        "devices": now.devices,
        "cpus": now.cpus,
    }


@pytest.mark.parametrize(
    ("network", "sender_cpu", "first"),
    [(0.5, 0.4, "network"), (0.4, 0.5, "cpu"), (None, 0.5, "unknown"), (0.5, None, "unknown"), (0, 0, "unknown")],
)
def test_what_saturates_first(network, sender_cpu, first):
    assert saturates_first(network, sender_cpu) == first


def test_rows_add_up_to_the_totals(monkeypatch):
    monkeypatch.setattr(processes, "PROCESSES_MAX", 2)
    hidden, small = Identity(3, 3), Identity(4, 4)
    many = {
        ONE: counts((SENDFILE, 1, 900)),
        TWO: counts((READ, 1, 700)),
        hidden: counts((READ, 1, 800)),
        small: counts((READ, 1, 5)),
    }
    now = snapshot(11, many, counts((READ, 1, 50)))
    found = compute_rates(BEFORE, now, HOST, lambda identity: None if identity == hidden else describe(identity))
    assert [process.pid for process in found.processes] == ["1", "other"]
    assert found.processes[-1].mechanisms.cpu == 1555
    assert sum(process.mechanisms.cpu for process in found.processes) == found.totals.mechanisms.cpu
    assert found.process_count == 4


def test_those_that_copy_most_come_first():
    now = snapshot(11, {ONE: counts((SENDFILE, 1, 900)), TWO: counts((READ, 1, 5))})
    found = compute_rates(BEFORE, now, HOST, describe).processes
    assert [process.pid for process in found] == ["2", "1", "other"]


def test_every_field_is_described_or_plain():
    """The JSON has the fields of the dataclasses, all the way down, and OpenAPI has a description for each class."""
    found = rates_of((READ, 1, 1))
    answer = json.loads(TypeAdapter(rates.Rates).dump_json(found))
    assert answer.keys() == {field.name for field in fields(rates.Rates)}
    schema = TypeAdapter(rates.Rates).json_schema()
    assert all(schema["$defs"][name]["description"] for name in schema["$defs"])
    assert schema["$defs"]["Totals"]["properties"]["mode_switches_per_second"]["description"].startswith("Two for each")
    assert {cls.__name__ for cls in vars(rates).values() if is_dataclass(cls)} - {"Rates"} == schema["$defs"].keys()
