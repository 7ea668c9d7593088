"""copy_cpu_seconds_total, compared with the CPU time that the process reports."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from math import sqrt
from pathlib import Path

import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder

RATE = 3999
COPIED = "copy_cpu_seconds_total"
MIN_COPYING = 0.6
"""Share of the time of large reads: the rest, a tenth to a third by their size, is spent on finding pages."""
READER = """
import os, sys, time
file, buffer = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), bytearray(1 << 20)
os.write(file, buffer)
while time.process_time() < 1:
    for _ in range(100):
        os.preadv(file, [buffer], 0)
print(os.times().user + os.times().system, os.times().system, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def service() -> Iterator[ExporterProcess]:
    with ExporterProcess("--sampling.rate", str(RATE)) as started:
        yield started


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-S", "-c", READER, tmp_path / "read"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.communicate()


def error(seconds: float) -> float:
    """Four standard deviations of the sampled time."""
    return 4 * sqrt(seconds * RATE) / RATE


def test_a_reader_of_cached_pages(service: ExporterProcess, reader: subprocess.Popen[str]) -> None:
    assert reader.stdout
    total, system = map(float, reader.stdout.readline().split())
    recorder, pid = ScrapeRecorder(), str(reader.pid)
    scrape = recorder.add_text(service.metrics())
    copying = scrape.sum(COPIED, pid=pid)
    assert MIN_COPYING * system - error(system) < copying < total + error(total)
    shown = scrape.sum("copy_process_cpu_seconds_total", pid=pid)
    assert total - 0.03 <= shown <= total + 0.1
    assert scrape.sum("copy_host_cpu_seconds_total") >= copying
    assert scrape.sum("copy_host_cpus") == os.cpu_count()
    reader.communicate()
    after = recorder.add_text(service.metrics())
    assert after.sum(COPIED, pid=pid) == pytest.approx(copying, abs=3 / RATE), "its last value lingers"


def test_a_sleeping_process_copies_nothing(service: ExporterProcess, reader: subprocess.Popen[str]) -> None:
    assert reader.stdout
    reader.stdout.readline()
    pid = str(reader.pid)
    before = Scrape(service.metrics()).sum(COPIED, pid=pid)
    assert Scrape(service.metrics()).sum(COPIED, pid=pid) == before


def test_without_the_probe(start: Callable[..., ExporterProcess]) -> None:
    text = start("--no-probe.copy_time").metrics()
    assert Scrape(text).series(COPIED) == []
    assert Scrape(text).series("copy_exporter_probe_attached", probe="copy_time") == []
