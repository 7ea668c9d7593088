"""Limits of requests, on an application that answers when it is told to."""

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse

from exporter.web.limits import BODY_BYTES, HEADER_BYTES, ConcurrencyLimitMiddleware, RequestSizeLimitMiddleware


class Slow:
    """Answers all requests together."""

    def __init__(self) -> None:
        self.waiting = 0
        self.go = asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.waiting += 1
        await self.go.wait()
        await PlainTextResponse("here")(scope, receive, send)


def client(app) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")


async def scrape_together(most: int, count: int) -> list[int]:
    slow = Slow()
    async with client(ConcurrencyLimitMiddleware(slow, "/metrics", most)) as asking:
        asked = [asyncio.create_task(asking.get("/metrics")) for _ in range(count)]
        asked.append(asyncio.create_task(asking.get("/-/healthy")))
        while slow.waiting < min(most, count) + 1:
            await asyncio.sleep(0)
        slow.go.set()
        answers = [await one for one in asked]
        again = await asking.get("/metrics")
    return [answer.status_code for answer in (*answers, again)]


def test_scrapes_beyond_the_limit_are_told_to_come_again():
    assert asyncio.run(scrape_together(most=3, count=5)) == [200, 200, 200, 503, 503, 200, 200]


async def ask(**options) -> int:
    slow = Slow()
    slow.go.set()
    async with client(RequestSizeLimitMiddleware(slow)) as asking:
        return (await asking.request("GET", "/", **options)).status_code


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, 200),
        ({"content": b"x" * BODY_BYTES}, 200),
        ({"content": b"x" * (BODY_BYTES + 1)}, 413),
        ({"headers": {"content-length": "9" * 30}}, 413),
        ({"headers": {"transfer-encoding": "chunked"}}, 413),
        ({"headers": {"x": "y" * HEADER_BYTES}}, 431),
    ],
)
def test_requests_that_are_too_long(options, status):
    assert asyncio.run(ask(**options)) == status
