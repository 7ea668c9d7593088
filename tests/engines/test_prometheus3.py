"""Prometheus 3 and its promtool: with its defaults, and with the features that change what it stores of an exporter."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from exporter.demo.methods import SENDFILE
from tests.alerts.load import MIB, PacedSender
from tests.support.engines import program
from tests.support.exporter_process import ExporterProcess
from tests.support.prometheus import Prometheus, every_second
from tests.support.requirements import require_bpf
from tests.support.rule_files import CASES, RULE_FILES, promtool
from tests.support.wait import wait_until

pytestmark = pytest.mark.engines
BUCKETS = "copy_sendfile_duration_seconds_bucket"
CREATED = '{__name__=~"copy_.+_created"}'


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExporterProcess]:
    """A real one, on a host on which a process sends by sendfile."""
    require_bpf()
    with ExitStack() as stack:
        sender = stack.enter_context(PacedSender(SENDFILE, 10 * MIB, tmp_path_factory.mktemp("sender")))
        exporter = stack.enter_context(ExporterProcess("--no-kafka", *sender.flags))
        sender.start()
        yield exporter


@contextmanager
def prometheus(directory: Path, exporter: ExporterProcess, *flags: str, **options: object) -> Iterator[Prometheus]:
    """A Prometheus 3 that has scraped the exporter, without a warning."""
    config = every_second(exporter.port, rule_files=RULE_FILES, **options)
    with Prometheus(directory, config, program("prometheus"), flags) as server:
        wait_until(server.ready, "Prometheus", 60)
        server.wait_for_scrapes(5)
        yield server
        assert [line for line in server.log().splitlines() if "level=WARN" in line or "level=ERROR" in line] == []


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_promtool_has_no_remark_about_the_rules(path: Path):
    promtool("check", "rules", "--lint=all", "--lint-fatal", path, program=program("promtool"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_promtool_passes_the_cases(path: Path):
    assert "SUCCESS" in promtool("test", "rules", path, program=program("promtool"))


def test_by_default_it_stores_buckets_and_creation_times(exporter: ExporterProcess, tmp_path: Path):
    with prometheus(tmp_path, exporter) as server:
        assert server.number("sum(up)") == 1
        assert server.instant(BUCKETS)
        assert server.instant(CREATED)


def test_creation_times_become_zeros_instead_of_series(exporter: ExporterProcess, tmp_path: Path):
    with prometheus(tmp_path, exporter, "--enable-feature=created-timestamp-zero-ingestion") as server:
        assert server.instant(CREATED) == []
        assert server.instant("min_over_time(copy_bytes_total[1h]) == 0 and copy_bytes_total > 0")


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"scrape_native_histograms": True}, True),
        ({"convert_classic_histograms_to_nhcb": True}, False),
        ({"convert_classic_histograms_to_nhcb": True, "always_scrape_classic_histograms": True}, True),
    ],
    ids=["native", "converted", "both"],
)
def test_conversion_to_native_histograms_removes_the_buckets(
    exporter: ExporterProcess, tmp_path: Path, options: dict[str, bool], kept: bool
):
    with prometheus(tmp_path, exporter, **options) as server:
        assert bool(server.instant(BUCKETS)) == kept
