"""Which comparisons run, in which order, and which are left out."""

import asyncio
import threading

from exporter.web.comparison_queue import (
    MAX_WAITING,
    MAX_WAITING_PER_ADDRESS,
    ComparisonQueue,
    TooManyComparisonsError,
)
from tests.unit.web.fake_client import FakeClient

RIGHT, FLOOD = "192.0.2.1", "192.0.2.2"


class Requests:
    """Requests with comparisons that start when :meth:`finish` is called, after one that occupies the thread."""

    def __init__(self) -> None:
        self.compared: list[str] = []
        self.clients: list[FakeClient] = []
        self._tasks: list[asyncio.Task[bool]] = []
        self._queue = ComparisonQueue()
        self._release = threading.Event()
        self._tasks.append(asyncio.create_task(self._queue.run(FakeClient("first"), "", b"", self._release.wait)))

    async def add(self, address: str, name: str, count: int = 1, key: bytes = b"") -> None:
        """Without a key, each has one of its own."""
        for _ in range(count):
            client = FakeClient(address)
            self.clients.append(client)
            own_key = key or b"%d" % len(self.clients)
            run = self._queue.run(client, name, own_key, lambda: self.compared.append(f"{address} {name}") is None)
            self._tasks.append(asyncio.create_task(run))
            await asyncio.sleep(0)

    async def finish(self) -> int:
        """The number of requests that were left out."""
        self._release.set()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        return sum(isinstance(result, TooManyComparisonsError) for result in results)


def test_addresses_take_turns():
    async def flood() -> None:
        requests = Requests()
        await requests.add(FLOOD, "alice", 300)
        await requests.add(RIGHT, "alice")
        assert await requests.finish() == 300 - MAX_WAITING_PER_ADDRESS
        assert f"{RIGHT} alice" in requests.compared[:2]

    asyncio.run(flood())


def test_user_names_of_one_address_take_turns():
    async def flood() -> None:
        requests = Requests()
        await requests.add(FLOOD, "mallory", 300)
        await requests.add(FLOOD, "alice")
        await requests.finish()
        assert f"{FLOOD} alice" in requests.compared[:2]

    asyncio.run(flood())


def test_the_same_password_is_compared_once():
    async def flood() -> None:
        requests = Requests()
        await requests.add(FLOOD, "alice", 300, b"wrong")
        await requests.add(FLOOD, "alice", 1, b"right")
        assert await requests.finish() == 0
        assert requests.compared == [f"{FLOOD} alice"] * 2

    asyncio.run(flood())


def test_the_total_is_limited_and_the_address_with_most_gives_way():
    async def flood() -> None:
        requests = Requests()
        for number in range(2 * MAX_WAITING // MAX_WAITING_PER_ADDRESS):
            await requests.add(f"198.51.100.{number}", "mallory", MAX_WAITING_PER_ADDRESS)
        await requests.add(RIGHT, "alice")
        await requests.finish()
        assert len(requests.compared) == MAX_WAITING
        assert f"{RIGHT} alice" in requests.compared

    asyncio.run(flood())


def test_work_of_closed_connections_is_dropped():
    async def leave() -> None:
        requests = Requests()
        await requests.add(FLOOD, "alice", 10)
        for client in requests.clients:
            assert client.is_waiting
            client.is_open = False
        await requests.add(RIGHT, "alice")
        assert await requests.finish() == 10
        assert requests.compared == [f"{RIGHT} alice"]
        assert not any(client.is_waiting for client in requests.clients)

    asyncio.run(leave())
