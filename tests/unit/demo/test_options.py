from pathlib import Path

import pytest

from exporter.demo import DemoOptions, parse_size
from exporter.demo.options import format_size
from exporter.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [("65536", 65536), ("64KiB", 65536), ("64 KiB", 65536), ("256MiB", 256 << 20), ("1GiB", 1 << 30), ("0", 0)],
)
def test_sizes_as_people_write_them(text, size):
    assert parse_size("--size", text) == size


@pytest.mark.parametrize("text", ["", "many", "64kb", "1.5GiB", "-1", "64KiBs", "0x10", "9" * 16, "64\n", "٦٤"])
def test_what_is_not_a_size_is_named(text):
    with pytest.raises(UsageError) as caught:
        parse_size("--size", text)
    assert str(caught.value).startswith(f"--size={text!r} is not a size; ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 1000, 1024, 65536, 1536 << 10, 256 << 20, 3 << 30, (1 << 40) + 1])
def test_a_size_is_written_as_it_is_read(size):
    assert parse_size("--size", format_size(size)) == size


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"chunk": 1023}, "--chunk=1023 must be between 1KiB and 64MiB"),
        ({"chunk": 128 << 20}, "--chunk=128MiB must be between 1KiB and 64MiB"),
        ({"size": 1 << 10}, "--size=1KiB must be at least one chunk (64KiB)"),
    ],
)
def test_values_that_cannot_be_used(values, complaint):
    with pytest.raises(UsageError) as caught:
        DemoOptions(**values)
    assert str(caught.value) == complaint
    assert caught.value.exit_status == 2


def test_defaults_are_on_a_disk():
    assert DemoOptions() == DemoOptions(size=256 << 20, chunk=64 << 10, json=False, directory=Path("/var/tmp"))
