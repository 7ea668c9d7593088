"""A bounded queue for comparisons of passwords, which take 0.2 s of CPU each, fair between clients and user names."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

MAX_WAITING = 64
"""Comparisons of all clients that wait."""
MAX_WAITING_PER_ADDRESS = 16
_REMEMBERED_TURNS = 256


class Client(Protocol):
    """The connection that a comparison is for."""

    address: str
    is_waiting: bool

    @property
    def is_open(self) -> bool:
        """Whether an answer can still be sent."""
        ...


class TooManyComparisonsError(Exception):
    """The comparison was left out, because too many are waiting or because its client has disconnected."""


@dataclass(eq=False)
class _Comparison:
    address: str
    name: str
    key: bytes
    clients: list[Client]
    compare: Callable[[], bool]
    result: asyncio.Future[bool | None]
    """None when it was left out."""


class ComparisonQueue:
    """Runs comparisons one at a time: guessing takes at most one CPU. Clients with the same password share one.

    Addresses take turns, and the user names of one address do. When too many wait, the newest of the user name and the
    address with most of them is left out. Names are treated the same whether or not a user has them.
    """

    def __init__(self) -> None:
        self._waiting: list[_Comparison] = []  # oldest first
        self._unfinished: dict[tuple[str, bytes], _Comparison] = {}
        """By address and key."""
        self._turns: OrderedDict[tuple[str, ...], int] = OrderedDict()
        """When an address, or an address and a name, had its last turn."""
        self._turn = 0
        self._running: asyncio.Task[None] | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")

    async def run(self, client: Client, name: str, key: bytes, compare: Callable[[], bool]) -> bool:
        """The result of ``compare``, which runs in another thread. Comparisons with the same key have the same result.

        Raises :class:`TooManyComparisonsError`.
        """
        comparison = self._unfinished.get((client.address, key))
        if comparison is None:
            comparison = self._add(client, name, key, compare)
        else:
            comparison.clients.append(client)
        try:
            result = await asyncio.shield(comparison.result)
        finally:
            client.is_waiting = False
        if result is None:
            raise TooManyComparisonsError
        return result

    def _add(self, client: Client, name: str, key: bytes, compare: Callable[[], bool]) -> _Comparison:
        result = asyncio.get_running_loop().create_future()
        comparison = _Comparison(client.address, name, key, [client], compare, result)
        self._unfinished[client.address, key] = comparison
        self._waiting.append(comparison)
        client.is_waiting = True
        self._drop_unwanted()
        self._drop_surplus()
        if self._waiting and (self._running is None or self._running.done()):
            self._running = asyncio.create_task(self._run_all())
        return comparison

    async def _run_all(self) -> None:
        while comparison := self._take_next():
            result = await asyncio.get_running_loop().run_in_executor(self._executor, comparison.compare)
            self._finish(comparison, result)

    def _take_next(self) -> _Comparison | None:
        self._drop_unwanted()
        if not self._waiting:
            return None
        chosen = min(self._waiting, key=self._last_turns)
        self._waiting.remove(chosen)
        self._turn += 1
        for key in _keys(chosen):
            self._turns[key] = self._turn
            self._turns.move_to_end(key)
        while len(self._turns) > _REMEMBERED_TURNS:
            self._turns.popitem(last=False)
        return chosen

    def _last_turns(self, comparison: _Comparison) -> tuple[int, ...]:
        return tuple(self._turns.get(key, 0) for key in _keys(comparison))

    def _drop_unwanted(self) -> None:
        for comparison in list(self._waiting):
            if not any(client.is_open for client in comparison.clients):
                self._drop(comparison)

    def _drop_surplus(self) -> None:
        addresses = Counter(comparison.address for comparison in self._waiting)
        ((address, count),) = addresses.most_common(1) or [("", 0)]
        if count <= MAX_WAITING_PER_ADDRESS and len(self._waiting) <= MAX_WAITING:
            return
        candidates = [comparison for comparison in self._waiting if comparison.address == address]
        ((name, _),) = Counter(comparison.name for comparison in candidates).most_common(1)
        self._drop([comparison for comparison in candidates if comparison.name == name][-1])

    def _drop(self, comparison: _Comparison) -> None:
        self._waiting.remove(comparison)
        self._finish(comparison, None)

    def _finish(self, comparison: _Comparison, result: bool | None) -> None:
        del self._unfinished[comparison.address, comparison.key]
        if not comparison.result.done():
            comparison.result.set_result(result)


def _keys(comparison: _Comparison) -> tuple[tuple[str, ...], ...]:
    """What takes turns: addresses, and below them user names."""
    return (comparison.address,), (comparison.address, comparison.name)
