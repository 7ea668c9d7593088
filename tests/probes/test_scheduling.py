"""Moments in which no ordinary task preempts this one, with and without privileges."""

import os
import resource

import pytest

from exporter.host.privileges import find_user, works_after_drop
from exporter.kernel.scheduling import permit, unpreempted
from tests.support.requirements import require_root, skip_for_kernel


def becomes_realtime() -> None:
    """Raise :class:`OSError` if it does not."""
    before = os.sched_getscheduler(0), os.nice(0)
    with unpreempted():
        if os.sched_getscheduler(0) != os.SCHED_FIFO:
            raise OSError("not real-time")
    assert (os.sched_getscheduler(0), os.nice(0)) == before


@pytest.fixture(scope="module", autouse=True)
def _root() -> None:
    require_root()


def test_root() -> None:
    becomes_realtime()


def test_a_process_that_dropped_root_still_may() -> None:
    child = os.fork()
    if child == 0:  # limits are the whole process's
        permit()
        os._exit(resource.getrlimit(resource.RLIMIT_RTPRIO)[0])
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        skip_for_kernel("CAP_SYS_RESOURCE")
    assert works_after_drop(find_user("nobody"), becomes_realtime)


def test_without_permission_the_policy_stays() -> None:
    def forbidden() -> None:
        resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
        with unpreempted():
            assert os.sched_getscheduler(0) == os.SCHED_OTHER

    assert works_after_drop(find_user("nobody"), forbidden)
