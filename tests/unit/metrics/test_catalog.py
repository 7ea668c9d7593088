"""The catalog of metrics: complete, consistent, and the same as the golden files and docs/metrics.md."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from exporter.cli import serve
from exporter.config import Config
from exporter.loading.probes import PROBE_NAMES
from exporter.metrics import docs
from exporter.metrics.catalog import FAMILIES, HISTOGRAMS, HOST_TOTALS, ROW_FAMILIES
from exporter.metrics.family import NOT_OF_HOST, PROCESS
from exporter.metrics.text_format import OPTIONAL_LABELS
from exporter.model import RowKind
from tests.unit.metrics.small_host import registry_of, small_host

DOCS = Path(__file__).parents[3] / "docs"
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.prom"))
BY_NAME = {family.name: family for family in FAMILIES}
_TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)


def test_each_family_has_a_name_of_its_own():
    assert len(BY_NAME) == len(FAMILIES)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_the_golden_files_have_the_families_of_the_catalog(golden):
    types = {(name.removesuffix("_total"), kind) for name, kind in _TYPE.findall(golden.read_text())}
    assert types == {(family.name.removesuffix("_total"), family.type) for family in FAMILIES}


def test_each_family_has_a_sample_with_its_labels():
    metrics = {metric.name: metric for metric in registry_of(small_host()).collect()}
    assert metrics.keys() == {name.removesuffix("_total") for name in BY_NAME}
    for family in FAMILIES:
        found = [set(sample.labels) - {"le"} for sample in metrics[family.name.removesuffix("_total")].samples]
        assert found, family.name
        assert set(family.labels) in found, family.name
        assert all(set(family.labels) - labels <= {*OPTIONAL_LABELS} for labels in found), family.name


def test_host_totals_have_no_label_that_comes_and_goes():
    host_families = [family for family in FAMILIES if family.name.startswith("copy_host_")]
    assert len(host_families) > len(HOST_TOTALS) > 0
    for family in host_families:
        assert not NOT_OF_HOST & set(family.labels), family.name
    assert {*PROCESS, "port"} == NOT_OF_HOST


def test_host_totals_are_those_of_calls_errors_bytes_and_copy_time():
    assert [family.name for family in HOST_TOTALS] == [
        "copy_host_syscalls_total",
        "copy_host_syscall_errors_total",
        "copy_host_bytes_total",
        "copy_host_cpu_seconds_total",
    ]
    for total in HOST_TOTALS:
        assert total.name.replace("copy_host_", "copy_") in BY_NAME


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_follow_the_conventions_of_prometheus(family):
    assert (family.type == "counter") == family.name.endswith("_total")
    assert family.unit in ("", "bytes", "seconds")
    unit = re.search(r"_(bytes|seconds)(?:_total)?$", family.name)
    assert family.unit == (unit[1] if unit else "")
    assert "type" not in family.labels
    assert family.help.endswith("."), "a sentence"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_what_a_family_needs_exists(family):
    options = {option for parameter in serve.params for option in parameter.opts}
    assert family.probe in ("", *PROBE_NAMES)
    assert family.flag in ("", *options)


def test_the_configuration_knows_each_flag_that_a_family_needs():
    all_on = SimpleNamespace(kafka=True, probe_stats=True)
    assert Config.enabled_flags.fget(all_on) == {family.flag for family in FAMILIES} - {""}


def test_each_kind_of_row_is_in_a_family():
    taken = {kind for family in ROW_FAMILIES for kind in family.kinds} | {family.kind for family in HISTOGRAMS}
    assert taken == set(RowKind)


def test_the_page_in_docs_is_made_from_the_catalog():
    assert (DOCS / "metrics.md").read_text() == docs.page(), "run make docs"
