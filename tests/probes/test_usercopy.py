"""copy_to_user and copy_from_user: calls and bytes of copies of known length."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation, Row, RowKind

from .probe_fixture import ProbeFixture, added_between, attached_probes

pytestmark = pytest.mark.probe("usercopy")

TIMES = 40
"""Twice this number has as many digits: that matters because arguments are copied too."""
VERSION = len(Path("/proc/version").read_bytes())
HOOKS_LOADER = Path(__file__).with_name("hooks_loader.py")


def hooks(probes: ProbeFixture) -> set[tuple[str, str]]:
    return {(probe.hook, probe.attach_method) for probe in probes.loaded.probes if probe.name == "usercopy"}


@pytest.fixture(scope="module", params=["fentry", "kprobe"])
def by_attach_method(all_probes: ProbeFixture, request: pytest.FixtureRequest) -> Iterator[ProbeFixture]:
    """The probes on __check_object_size, by one attach method."""
    all_probes.require("usercopy")
    wanted = {("__check_object_size", request.param)}
    if hooks(all_probes) == wanted:
        yield all_probes
        return
    command = (sys.executable, str(HOOKS_LOADER), request.param)
    with attached_probes(command=command, probes=("exits", "usercopy")) as probes:
        probes.require("usercopy")
        assert hooks(probes) == wanted
        yield probes


def usercopy(kind: RowKind) -> Row:
    return Row(kind, Operation.NONE, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 0)


def added(probes: ProbeFixture, *argv: str | Path) -> dict[RowKind, tuple[int, int]]:
    """Calls and bytes that :data:`TIMES` more repetitions add. Both runs have the copies of starting a program."""
    few, many = probes.run(*argv, TIMES).rows, probes.run(*argv, 2 * TIMES).rows
    counts = added_between(few, many)
    return {kind: counts.get(usercopy(kind), (0, 0)) for kind in (RowKind.TO_USER, RowKind.FROM_USER)}


@pytest.fixture(scope="module")
def levels(workload: Callable[..., Path]) -> Path:
    return workload("levels")


def test_copies_of_computed_length(by_attach_method: ProbeFixture, levels: Path) -> None:
    """A sequential file requests everything that it has; the iterator takes the 5 bytes that fit."""
    assert added(by_attach_method, levels, "computed") == {
        RowKind.TO_USER: (2 * TIMES, (VERSION + 21) * TIMES),
        RowKind.FROM_USER: (2 * TIMES, (9 + 21) * TIMES),
    }


def test_copies_of_constant_length_pass_no_check(by_attach_method: ProbeFixture, levels: Path) -> None:
    assert added(by_attach_method, levels, "constant") == {RowKind.TO_USER: (0, 0), RowKind.FROM_USER: (0, 0)}


def test_page_cache_and_pipes_are_copied_elsewhere(by_attach_method: ProbeFixture, levels: Path, disk: Path) -> None:
    assert added(by_attach_method, levels, "pages", disk / "pages") == {
        RowKind.TO_USER: (0, 0),
        RowKind.FROM_USER: (0, 0),
    }


def test_on_by_default_only_where_fentry_loses_nothing(all_probes: ProbeFixture) -> None:
    all_probes.require("usercopy")
    state = all_probes.state("usercopy")
    exact = state.attach_method == "fentry" and not state.preemptible
    assert ("usercopy" in all_probes.loaded.left_off) is not exact
