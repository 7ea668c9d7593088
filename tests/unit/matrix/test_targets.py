"""The targets of the matrix: which release of a series is taken, and what it is called."""

import pytest

from tests.matrix.fetch import newest_of
from tests.matrix.runner import name_of
from tests.matrix.targets import KERNEL_BY_NAME, MODES, TARGETS


@pytest.mark.parametrize(
    ("name", "releases", "newest"),
    [
        (
            "6.1",
            ["6.1.0-9-amd64", "6.1.0-53-amd64", "6.1.0-0.deb11.54-amd64", "6.1.0-60-cloud-amd64"],
            "6.1.0-53-amd64",
        ),
        ("6.12", ["6.12.9+deb12-amd64", "6.12.100+deb12-amd64", "6.12.117+deb13-amd64"], "6.12.100+deb12-amd64"),
        ("5.10", ["5.10.0-46-amd64", "5.10.0-46-amd64-unsigned"], "5.10.0-46-amd64"),
        ("sid", ["7.2.13+deb14-amd64", "7.10.1+deb14-amd64", "7.10.2+deb14-rt-amd64"], "7.10.1+deb14-amd64"),
        ("6.1", ["6.12.100+deb12-amd64"], None),
    ],
)
def test_the_newest_release_of_a_series(name: str, releases: list[str], newest: str | None) -> None:
    assert newest_of(KERNEL_BY_NAME[name], releases) == newest


def test_targets_differ() -> None:
    assert len({target.id for target in (*TARGETS, *MODES)}) == len(TARGETS) + len(MODES)


@pytest.mark.parametrize(
    ("release", "bcc", "name"),
    [
        ("7.2.13+deb14-amd64", "", "7.2"),
        ("6.1.0-56-arm64", "", "6.1 arm64"),
        ("6.18.44-host", "0.37.0", "6.18 with BCC 0.37.0"),
    ],
)
def test_the_name_on_the_page(release: str, bcc: str, name: str) -> None:
    assert name_of(release, bcc) == name
