"""Pictures of the dashboards: a real Prometheus answers their queries, and Grafana's own components draw the panels."""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.dashboard_files import DOCUMENTS, Viewer
from tests.support.panel_answers import panel_answers
from tests.support.paths import ROOT
from tests.support.prometheus import Prometheus

_CODE = ROOT / "tests" / "dashboards" / "grafana"
_HTML = (
    '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css"><body style="margin: 0">'
    '<div id="dashboard"></div><script src="page.js"></script>'
)
_TALL = 8000
"""Pixels of the window: tables draw only the rows that are visible in it."""
_DRAWN_MS = 5000
_OF_ONE_PROCESS = {"process"}
"""Dashboards that show the chosen process; the others show all."""


@dataclass(frozen=True)
class Pictures:
    """What is drawn: the last ``seconds`` before ``end``."""

    prometheus: Prometheus
    process: Mapping[str, tuple[str, ...]]
    """The variables that choose one process."""
    seconds: int
    end: float


def draw_dashboards(browser: Browser, pictures: Pictures, widths: Sequence[int], folder: Path) -> None:
    """Write ``dashboard-NAME-WIDTH.png`` for each dashboard and width in pixels."""
    with tempfile.TemporaryDirectory(prefix="copy-exporter-page-") as name:
        page_file = _bundle(Path(name))
        for document, width in product(DOCUMENTS, widths):
            page = browser.new_page(viewport={"width": width, "height": _TALL})
            page.goto(page_file.as_uri())
            page.evaluate("drawn => window.draw(drawn)", {**_drawn(document, pictures), "width": width})
            page.wait_for_timeout(_DRAWN_MS)
            page.locator("#dashboard > div").screenshot(path=folder / f"dashboard-{document}-{width}.png")
            page.close()


def _drawn(document: str, pictures: Pictures) -> dict[str, object]:
    """What page.jsx draws, at any width."""
    chosen = pictures.process if document in _OF_ONE_PROCESS else {}
    viewer = Viewer(chosen, range_seconds=pictures.seconds)
    return {
        "asked": panel_answers(pictures.prometheus, document, viewer, pictures.end),
        "rows": [panel for panel in DOCUMENTS[document]["panels"] if panel["type"] == "row"],
        "from": 1000 * (pictures.end - pictures.seconds),
        "to": 1000 * pictures.end,
    }


def _bundle(directory: Path) -> Path:
    """The page with all its code; its file."""
    esbuild = [_CODE / "node_modules" / ".bin" / "esbuild", _CODE / "page.jsx", "--bundle", "--log-level=error"]
    options = ["--jsx=automatic", '--define:process.env.NODE_ENV="production"', "--loader:.svg=dataurl"]
    subprocess.run([*esbuild, *options, "--loader:.ttf=empty", f"--outfile={directory / 'page.js'}"], check=True)
    page = directory / "page.html"
    page.write_text(_HTML)
    return page
