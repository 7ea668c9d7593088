"""How memory is asked for: a service that scrapes for months gives back what a scrape took."""

import gc

from exporter.kernel import libc

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # mallopt(3)
_MMAP_BYTES = 128 * 1024
_OBJECTS_PER_SCRAPE = 200_000


def tune_malloc() -> None:
    """Let glibc keep one heap for all threads, and give large buffers back at once; to be called before other threads.

    By itself it makes a heap for each thread that serves a scrape, and after the first large buffer it keeps such
    buffers in there: memory grew for hours (``make soak``). Other C libraries have no such switches.
    """
    if libc.has("mallopt"):
        libc.call("mallopt", _M_ARENA_MAX, 1)
        libc.call("mallopt", _M_MMAP_THRESHOLD, _MMAP_BYTES)


def tune_gc() -> None:
    """Keep Python from looking through a scrape's objects: tens of thousands, none in a cycle, a third of its time."""
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_SCRAPE)
