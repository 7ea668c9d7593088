"""One browser; an exporter and a process that sends at a known rate, for all tests that do not restart them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from exporter.demo.methods import SENDFILE
from tests.support.exporter_process import ExporterProcess
from tests.support.requirements import require_bpf
from tests.support.sender import Sender

CHROMIUM = "/usr/bin/chromium"
FILE_BYTES = 2 << 20
INTERVAL_SECONDS = 0.1
COMM = "known-load"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert Path(CHROMIUM).exists(), "chromium is not installed: make test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    """Sends 2 MiB every tenth of a second by sendfile, as long as the tests run."""
    require_bpf()
    file = tmp_path_factory.mktemp("load") / "file"
    file.write_bytes(bytes(FILE_BYTES))
    with Sender(SENDFILE, file, COMM) as sender:
        sender.start()
        sender.move(1_000_000, INTERVAL_SECONDS)
        threading.Thread(target=_discard, args=(sender,), daemon=True).start()
        yield sender


def _discard(sender: Sender) -> None:
    buffer = bytearray(1 << 20)
    try:
        while sender.far.recv_into(buffer):
            pass
    except OSError:  # the sender has been closed
        return


@pytest.fixture(scope="module")
def service(sender: Sender) -> Iterator[ExporterProcess]:
    with ExporterProcess(*sender.flags) as service:
        yield service


class OpenPage:
    """A page, with what it requested and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.problems: list[str] = []
        page.on("request", self._requested)
        page.on("console", self._logged)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def open(self, url: str) -> None:
        """Load the page and wait for two readings, so that rates are known."""
        self.page.goto(url)
        self.page.wait_for_selector("#processes tbody tr", timeout=30_000)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., OpenPage]]:
    """Open a page in a context of its own, with these options of :meth:`playwright.sync_api.Browser.new_context`."""
    with ExitStack() as stack:

        def open_url(url: str, **options: Any) -> OpenPage:
            context = stack.enter_context(browser.new_context(**options))
            opened = OpenPage(context.new_page())
            opened.open(url)
            return opened

        yield open_url
