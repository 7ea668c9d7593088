"""copy_to_user and copy_from_user: calls and bytes of copies whose lengths are known."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation, Row, RowKind

from .probe_fixture import Ground, loaded, since

PROBES = ("copy_to_user", "copy_from_user")
TIMES = 40
"""And twice as many: written with as many digits, for arguments are copied too."""
VERSION = len(Path("/proc/version").read_bytes())
HOOKS_LOADER = Path(__file__).with_name("hooks_loader.py")


def hooks(ground: Ground) -> set[tuple[str, str]]:
    return {(probe.hook, probe.attach_method) for probe in ground.handover.probes if probe.name in PROBES}


@pytest.fixture(scope="module", params=["fentry", "kprobe"])
def by_attach_method(deep: Ground, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """The probes on the function that nearly every copy passes, by one way to attach them."""
    deep.needs(*PROBES)
    wanted = {("__check_object_size", request.param)}
    if hooks(deep) == wanted:
        yield deep
        return
    command = (sys.executable, str(HOOKS_LOADER), request.param)
    for ground in loaded(command=command, probes=("exits", *PROBES)):
        ground.needs(*PROBES)
        assert hooks(ground) == wanted
        yield ground


def usercopy(kind: RowKind) -> Row:
    return Row(kind, Operation.NONE, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 0)


def added(ground: Ground, *argv: str | Path) -> dict[RowKind, tuple[int, int]]:
    """Calls and bytes of :data:`TIMES` times more: what starting a program copies is in both runs."""
    few, many = ground.run(*argv, TIMES).rows, ground.run(*argv, 2 * TIMES).rows
    counts = since(few, many)
    return {kind: counts.get(usercopy(kind), (0, 0)) for kind in (RowKind.TO_USER, RowKind.FROM_USER)}


@pytest.fixture(scope="module")
def levels(workload: Callable[..., Path]) -> Path:
    return workload("levels")


def test_copies_of_computed_length(by_attach_method: Ground, levels: Path) -> None:
    """A sequential file asks for all that it has, and the iterator takes the 5 bytes that it has room for."""
    assert added(by_attach_method, levels, "computed") == {
        RowKind.TO_USER: (2 * TIMES, (VERSION + 21) * TIMES),
        RowKind.FROM_USER: (2 * TIMES, (9 + 21) * TIMES),
    }


def test_copies_of_constant_length_pass_no_check(by_attach_method: Ground, levels: Path) -> None:
    assert added(by_attach_method, levels, "constant") == {RowKind.TO_USER: (0, 0), RowKind.FROM_USER: (0, 0)}


def test_page_cache_and_pipes_are_copied_elsewhere(by_attach_method: Ground, levels: Path, disk: Path) -> None:
    assert added(by_attach_method, levels, "pages", disk / "pages") == {
        RowKind.TO_USER: (0, 0),
        RowKind.FROM_USER: (0, 0),
    }
