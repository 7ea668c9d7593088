"""``python -m bench.kafka.screenshots``: pictures of the live page beside a real broker under load, for the docs."""

import re
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.kafka.demo import RECORD_BYTES
from bench.kafka.java import Java
from bench.kafka.kafka_jars import JarsUnavailableError, fetch_jars
from bench.kafka.kafka_server import KafkaServer
from bench.kafka.throughput import start_exporter

CHROMIUM = "/usr/bin/chromium"
DOCS = Path(__file__).parents[2] / "docs"
TOPIC = "orders"
RECORDS = 40_000
WARM_UP_SECONDS = 60
WIDTH, HEIGHT = 1280, 1000


def main() -> int:
    """Take ``docs/live-page.png``; returns the exit status."""
    try:
        java = Java(fetch_jars())
    except JarsUnavailableError as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="copy-exporter-kafka-") as name,
        KafkaServer(java, Path(name)) as server,
        start_exporter(server) as exporter,
        sync_playwright() as playwright,
    ):
        server.create_topic(TOPIC)
        server.produce(TOPIC, RECORDS, RECORD_BYTES)
        stopped = threading.Event()
        clients = [threading.Thread(target=_consume, args=(server, port, stopped)) for port in (0, server.ssl_port)]
        clients.append(threading.Thread(target=_produce, args=(server, stopped)))
        for client in clients:
            client.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(exporter.url)
            _take(page, DOCS / "live-page.png")
        finally:
            stopped.set()
            browser.close()
            for client in clients:
                client.join()
    return 0


def _take(page: Page, file: Path) -> None:
    """Wait until both listeners send, then write what the page shows."""
    page.wait_for_timeout(1000 * WARM_UP_SECONDS)
    sent = page.locator("#listeners tbody td:nth-child(4)", has_text=re.compile("[MG]iB"))
    sent.nth(1).wait_for(timeout=120_000)
    page.screenshot(path=file)


def _consume(server: KafkaServer, port: int, stopped: threading.Event) -> None:
    while not stopped.is_set():
        server.consume(TOPIC, RECORDS, port)


def _produce(server: KafkaServer, stopped: threading.Event) -> None:
    while not stopped.is_set():
        server.produce(TOPIC, RECORDS // 20, RECORD_BYTES)


if __name__ == "__main__":
    sys.exit(main())
