"""``python -m bench.kafka.screenshots``: pictures beside a real broker under load, for the docs.

The live page is photographed as it is, and ``copy-exporter top`` as Textual draws it. The panels of the dashboards are
drawn by Grafana's own components (bench/kafka/dashboard_pictures.py).
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bench.kafka.dashboard_pictures import Pictures, draw_dashboards
from bench.kafka.java import Java
from bench.kafka.kafka_jars import JarsUnavailableError, fetch_jars
from bench.kafka.loaded_broker import loaded_broker
from bench.kafka.top_picture import drawn_top, photograph
from tests.support.prometheus import Prometheus, every_second
from tests.support.rule_files import RULE_FILES
from tests.support.wait import wait_until

CHROMIUM = "/usr/bin/chromium"
DOCS = Path(__file__).parents[2] / "docs"
WARM_UP_SECONDS = 60
DASHBOARD_SECONDS = 180
"""How much of the load the dashboards show."""
WIDTH, HEIGHT = 1280, 1000


def main() -> int:
    """Take the pictures; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.kafka.screenshots")
    parser.add_argument("--widths", type=int, nargs="+", default=[1500], help="of the dashboards, in pixels")
    parser.add_argument("--folder", type=Path, default=DOCS, help="where to write the pictures")
    arguments = parser.parse_args()
    try:
        java = Java(fetch_jars())
    except JarsUnavailableError as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="copy-exporter-pictures-") as name,
        loaded_broker(java) as (server, exporter),
        Prometheus(Path(name), every_second(int(exporter.url.rpartition(":")[2]), rule_files=RULE_FILES)) as prometheus,
    ):
        wait_until(prometheus.ready, "Prometheus")
        time.sleep(WARM_UP_SECONDS)
        top = drawn_top(exporter.url)  # before Playwright, which has an event loop of its own
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            photograph(browser, top, arguments.folder / "top.png")
            _take_live_page(browser, exporter.url, arguments.folder / "live-page.png")
            time.sleep(DASHBOARD_SECONDS - 2 * WARM_UP_SECONDS)
            process = {"process": ("java",), "pid": (str(server.pid),)}
            pictures = Pictures(prometheus, process, DASHBOARD_SECONDS, time.time())
            draw_dashboards(browser, pictures, arguments.widths, arguments.folder)
    return 0


def _take_live_page(browser: Browser, url: str, file: Path) -> None:
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto(url)
    _take(page, file)
    page.close()


def _take(page: Page, file: Path) -> None:
    """Wait until both listeners send, then write what the page shows."""
    page.wait_for_timeout(1000 * WARM_UP_SECONDS)
    sent = page.locator("#listeners tbody td:nth-child(4)", has_text=re.compile("[MG]iB"))
    sent.nth(1).wait_for(timeout=120_000)
    page.screenshot(path=file)


if __name__ == "__main__":
    sys.exit(main())
