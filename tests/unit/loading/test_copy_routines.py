"""The list of the kernel's copy routines."""

from exporter.loading.copy_routines import COPY_ROUTINES


def test_each_routine_is_listed_once():
    assert len(set(COPY_ROUTINES)) == len(COPY_ROUTINES)
