"""Ten thousand short-lived processes, born as fast as the machine goes while scrapes go on."""

import time
from collections.abc import Callable
from pathlib import Path

from .movers import BYTES, CALLS, Tap, agree, births, born_bytes
from .running import Service, wait_until
from .scraped import Prometheus, Scrape

COUNT = 10_000
LINGER_SECONDS = 2


def entries(scrape: Scrape) -> float:
    return scrape.sum("copy_map_entries", map="counts")


def test_ten_thousand_births(start: Callable[..., Service], workload: Callable[[str], Path], tap: Tap) -> None:
    service, prometheus = start("--process.linger", f"{LINGER_SECONDS}s"), Prometheus()
    before = entries(prometheus.feed(service.metrics()))
    texts = []
    with births(workload("births"), tap, COUNT) as parent:
        while parent.poll() is None:
            texts.append(service.metrics())
    assert parent.returncode == 0
    prometheus.feed_all(texts)
    agree(service, prometheus, tap, COUNT, born_bytes(COUNT))

    def settled() -> bool:
        scrape = prometheus.feed(service.metrics())
        return {one["pid"] for one in scrape.series(BYTES, port=tap.label)} <= {"other"}

    wait_until(settled, "the births' own series end")
    wait_until(lambda: entries(Scrape(service.metrics())) < before + 1000, "the births' rows leave the map")
    agree(service, prometheus, tap, COUNT, born_bytes(COUNT))
    assert len(prometheus.names(CALLS, "comm", port=tap.label)) == 1


def test_births_that_nobody_scrapes(start: Callable[..., Service], workload: Callable[[str], Path], tap: Tap) -> None:
    """Two rows each: those that have ended make room although no scrape looks."""
    service, prometheus = start("--map.entries", "6000"), Prometheus()
    rounds, a_second = 8, 1000
    for _ in range(rounds):
        began = time.monotonic()
        with births(workload("births"), tap, a_second) as parent:
            pass
        assert parent.returncode == 0
        time.sleep(max(0, began + 1 - time.monotonic()))  # a pace, not a wait: more a second need a bigger map
    agree(service, prometheus, tap, rounds * a_second, rounds * born_bytes(a_second))


def test_births_under_many_names(start: Callable[..., Service], workload: Callable[[str], Path], tap: Tap) -> None:
    """Names are limited: what comes later counts under comm="other", and nothing is lost or moved for it."""
    flags = ("--process.comms.max", "5", "--process.max", "0", "--process.include", "^born-")
    service, prometheus, count = start(*flags), Prometheus(), 2000
    texts = []
    with births(workload("births"), tap, count, names=20) as parent:
        while parent.poll() is None:
            texts.append(service.metrics())
    assert parent.returncode == 0
    prometheus.feed_all(texts)
    agree(service, prometheus, tap, count, born_bytes(count))
    names = prometheus.names(CALLS, "comm", port=tap.label)
    assert len(names) == 6
    assert "other" in names
    assert prometheus.names(CALLS, "pid", port=tap.label) == {"other"}
    assert prometheus.total(CALLS, port=tap.label, comm=min(names)) == count / 20
