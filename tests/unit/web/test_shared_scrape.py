"""Concurrent scrapes share expositions, and each has the counts of its own time."""

import asyncio
import gzip
import threading
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.web.shared_scrape import SharedScrape


class CountingCollector(Collector):
    """Counts its collections, each of which waits until :attr:`release` is set."""

    def __init__(self) -> None:
        self.collections = 0
        self.release = threading.Event()

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        self.collections += 1
        number = self.collections
        assert self.release.wait(10)
        yield GaugeMetricFamily("collections", "Number of this collection.", number)


def shared(collector: Collector, *, gzipped: bool = False) -> SharedScrape:
    registry = CollectorRegistry()
    registry.register(collector)
    return SharedScrape(registry, openmetrics=False, gzipped=gzipped)


async def concurrent_bodies() -> tuple[list[bytes], int]:
    """The first request starts a collection; ten more arrive while it runs."""
    collector = CountingCollector()
    scrape = shared(collector)
    requests = [asyncio.create_task(scrape.body())]
    while not collector.collections:
        await asyncio.sleep(0.01)
    requests += [asyncio.create_task(scrape.body()) for _ in range(10)]
    await asyncio.sleep(0.05)
    collector.release.set()
    return list(await asyncio.gather(*requests)), collector.collections


def test_requests_during_a_collection_share_the_next_one():
    bodies, collections = asyncio.run(concurrent_bodies())
    assert collections == 2
    assert [b"\ncollections 1\n" in body for body in bodies] == [True] + [False] * 10
    assert [b"\ncollections 2\n" in body for body in bodies] == [False] + [True] * 10


async def body_after_a_disconnect() -> bytes:
    """One of two requests that share a collection is cancelled."""
    collector = CountingCollector()
    scrape = shared(collector)
    disconnected, waiting = (asyncio.create_task(scrape.body()) for _ in range(2))
    while not collector.collections:
        await asyncio.sleep(0.01)
    disconnected.cancel()
    collector.release.set()
    return await waiting


def test_a_client_that_disconnects_does_not_cancel_the_others():
    assert b"\ncollections 1\n" in asyncio.run(body_after_a_disconnect())


def test_gzip():
    collector = CountingCollector()
    collector.release.set()
    body = asyncio.run(shared(collector, gzipped=True).body())
    assert gzip.decompress(body).endswith(b"\ncollections 1\n")
