"""What a user of the live page sees and does."""

import re
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.service.web_config_files import PASSWORD, USER, WebConfigFiles
from tests.support.exporter_process import ExporterProcess
from tests.support.scrape import Scrape
from tests.support.sender import Sender

from .conftest import COMM, FILE_BYTES, INTERVAL_SECONDS, OpenPage

Open = Callable[..., OpenPage]
RATE = FILE_BYTES / INTERVAL_SECONDS
"""Bytes per second that the sender moves when nothing holds it up."""
ROWS = "#processes tbody tr:not([hidden])"
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
PR_SET_NAME = 15


def amount(text: str) -> float:
    """Bytes of a text such as ``2.0 MiB``."""
    match = re.match(r"([\d.]+) (B|KiB|MiB|GiB)", text)
    assert match, text
    return float(match[1]) * UNITS[match[2]]


def row_of(page: Page, name: str) -> Locator:
    return page.locator(ROWS, has_text=name)


def sent(service: ExporterProcess, sender: Sender) -> float:
    scrape = Scrape(service.metrics())
    return scrape.sum("copy_bytes_total", pid=sender.pid, mechanism="zero_copy", destination="tcp")


def test_numbers_are_those_of_the_metrics(service: ExporterProcess, sender: Sender, open_page: Open) -> None:
    page = open_page(service.url).page
    cell = row_of(page, COMM).locator("td").nth(3)
    expect(cell).to_contain_text("MiB")
    before = sent(service, sender)
    page.wait_for_timeout(3000)
    shown, after = amount(cell.inner_text()), sent(service, sender)
    assert (after - before) / 3 == pytest.approx(shown, rel=0.5)
    assert shown <= 1.2 * RATE
    expect(page.locator("#headline")).to_contain_text("moved:")
    expect(page.locator("#health")).to_contain_text("nothing lost")


def test_arrows_follow_the_rate(service: ExporterProcess, open_page: Open) -> None:
    page = open_page(service.url).page
    row_of(page, COMM).click()
    flow = page.locator('path.flow[data-edge="page_cache socket zero_copy"]')
    expect(flow).to_have_count(1)
    drawn = flow.evaluate(
        """flow => ({width: Number(flow.getAttribute("stroke-width")), speed: Number(flow.dataset.speed),
        rate: Number(flow.dataset.bytesPerSecond), playback: flow.getAnimations()[0].playbackRate})"""
    )
    assert 5 < drawn["width"] < 26
    assert drawn["playback"] == pytest.approx(drawn["speed"] / 24, rel=0.01)
    widths = page.evaluate(
        """async () => { const {magnitude} = await import("/ui/format.js");
        return [2 ** 9, 2 ** 10, 2 ** 20, 2 ** 30, 100 * 2 ** 30, 2 ** 50].map(magnitude); }"""
    )
    assert widths[:2] == [0, 0]
    assert widths == sorted(widths)
    assert widths[4:] == [1, 1]


def test_still_pictures_for_those_who_ask(service: ExporterProcess, open_page: Open) -> None:
    page = open_page(service.url, reduced_motion="reduce").page
    expect(page.locator("path.flow").first).to_be_attached()
    assert page.evaluate("document.getAnimations().length") == 0


def test_sort_and_filter(service: ExporterProcess, open_page: Open) -> None:
    page = open_page(service.url).page
    button = page.get_by_role("button", name="zero copy/s")
    button.click()
    header = page.locator("#processes th", has=button)
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(page.locator(ROWS).first).to_contain_text(COMM)
    button.click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    page.get_by_label("Filter").fill("KNOWN-LO")
    expect(page.locator(ROWS)).to_have_count(1)
    page.get_by_label("Filter").fill("no such process")
    expect(page.locator(ROWS)).to_have_count(0)


def test_one_process_by_keyboard(service: ExporterProcess, sender: Sender, open_page: Open) -> None:
    page = open_page(service.url).page
    page.get_by_label("Filter").fill(COMM)
    button = row_of(page, COMM).get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#picture-title")).to_contain_text(f"process {sender.pid}")
    expect(page.locator("#detail")).to_contain_text("page_cache → tcp")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(2500)  # two more readings
    expect(button).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#picture-title")).to_have_text("All processes")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_accessible(service: ExporterProcess, open_page: Open, scheme: str, width: int) -> None:
    opened = open_page(service.url, color_scheme=scheme, viewport={"width": width, "height": 800})
    page = opened.page
    row_of(page, COMM).get_by_role("button").click()
    expect(page.locator("#detail table").first).to_be_visible()
    results = Axe().run(page)
    assert not results.response["violations"], results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not opened.problems


def test_no_request_to_another_host(service: ExporterProcess, open_page: Open) -> None:
    opened = open_page(service.url)
    assert {urlsplit(url).netloc for url in opened.requests} == {urlsplit(service.url).netloc}
    assert not opened.problems


def test_hostile_names_are_text(service: ExporterProcess, open_page: Open) -> None:
    name = "<b>&\"'<i>"
    program = f"""
import ctypes, os, time
ctypes.CDLL(None).prctl({PR_SET_NAME}, {name.encode()!r})
file = os.open("/etc/passwd", os.O_RDONLY)
while True:
    os.pread(file, 4096, 0)
    time.sleep(0.002)
"""
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            opened = open_page(service.url)
            opened.page.get_by_label("Filter").fill(str(process.pid))
            expect(opened.page.locator(ROWS)).to_contain_text(name, timeout=20_000)
            assert opened.page.locator("#processes tbody b, #processes tbody i").count() == 0
        finally:
            process.kill()


def test_tls_and_password(sender: Sender, open_page: Open) -> None:
    with WebConfigFiles() as files:
        config = files.write_config({USER: PASSWORD}, cert_file="cert.pem", key_file="key.pem")
        client = {"verify": files.client_context(), "auth": (USER, PASSWORD)}
        with ExporterProcess(*sender.flags, "--web.config.file", str(config), client=client) as service:
            credentials = {"username": USER, "password": PASSWORD}
            page = open_page(service.url, ignore_https_errors=True, http_credentials=credentials).page
            expect(row_of(page, COMM)).to_have_count(1)


def test_the_exporter_restarts_under_an_open_page(sender: Sender, open_page: Open) -> None:
    with ExporterProcess(*sender.flags) as first:
        address = f"127.0.0.1:{first.port}"
        page = open_page(first.url).page
    expect(page.locator("#connection")).to_contain_text("Trying again", timeout=10_000)
    with ExporterProcess(*sender.flags, "--web.listen-address", address, listen=False):
        expect(page.locator("#connection")).to_be_hidden(timeout=30_000)
        expect(row_of(page, COMM)).to_have_count(1)
