"""Descriptors that a ring of io_uring holds: the files stay open until the ring is closed."""

import os
import select

import pytest

from exporter.kernel import held_links
from exporter.kernel.held_links import hold
from tests.support.wait import wait_until


def test_files_stay_open_as_long_as_the_ring() -> None:
    reading, writing = os.pipe()
    held = hold([writing])
    try:
        if held == (writing,):
            pytest.skip("not in this kernel: io_uring is not allowed")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(writing)
        assert not select.select([reading], [], [], 0)[0], "the pipe has a writer"
    finally:
        for descriptor in held:
            os.close(descriptor)
    wait_until(lambda: select.select([reading], [], [], 0)[0], "the kernel to close the file")
    os.close(reading)


def test_they_are_returned_where_io_uring_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(held_links.libc, "call", refuse)
    assert hold([5, 6]) == (5, 6)
    assert hold([]) == ()
