"""A picture of ``copy-exporter top``, as Textual draws it."""

import asyncio
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser
from pydantic import TypeAdapter

from exporter.live.rates import Rates
from exporter.top.app import TopApp
from exporter.top.client import Client
from exporter.top.options import TopOptions, parse_url

COLUMNS, LINES = 130, 24
READINGS = 5
_RATES = TypeAdapter(Rates)


def drawn_top(url: str) -> str:
    """The picture of ``copy-exporter top URL`` after some seconds, as SVG."""
    target = parse_url("URL", url)
    options = TopOptions(target, user="", password_file="", ca_file="", once=False, json=False)
    with closing(Client(target, options)) as client:
        return asyncio.run(_drawn(client))


async def _drawn(client: Client) -> str:
    def read() -> Rates:
        return _RATES.validate_json(client.read())

    app = TopApp(read(), read, ascii_only=False)
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        await pilot.pause(READINGS)
        return app.export_screenshot(title="copy-exporter top")


def photograph(browser: Browser, svg: str, file: Path) -> None:
    """Write an SVG as PNG, with the fonts of this host."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.route("**/*", lambda route: route.abort())
    page.set_content(svg)
    page.locator("svg").screenshot(path=file)
    page.close()
