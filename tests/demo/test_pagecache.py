import os
import tempfile

import pytest

from exporter.demo.children import connected
from exporter.demo.pagecache import cached_bytes, drop

SIZE = (4 << 20) + 1
ROUNDED = (4 << 20) + 4096


@pytest.fixture
def file():
    with tempfile.TemporaryFile(dir="/var/tmp") as file:
        file.write(os.urandom(SIZE))
        file.flush()
        yield file.fileno()


def test_what_was_just_written_is_cached_and_can_be_dropped(file):
    assert cached_bytes(file, SIZE) == ROUNDED
    assert drop(file, SIZE) == 0
    assert cached_bytes(file, SIZE) == 0
    assert os.pread(file, 10, 0)
    assert cached_bytes(file, SIZE) > 0


def test_pages_that_a_socket_has_passed_on_are_dropped(file):
    near, far = connected()
    with near, far:
        for offset in range(0, SIZE, 64 << 10):
            sent = os.sendfile(near.fileno(), file, offset, 64 << 10)
            while sent:
                sent -= len(far.recv(sent))
    assert drop(file, SIZE) == 0


def test_pages_in_use_stay(file):
    near, far = connected()
    with near, far:
        os.sendfile(near.fileno(), file, 0, 64 << 10)
        assert drop(file, SIZE) >= 64 << 10


def test_the_allowed_cpus_are_left_as_they_were(file):
    before = os.sched_getaffinity(0)
    drop(file, SIZE)
    assert os.sched_getaffinity(0) == before
