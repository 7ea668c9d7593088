"""``make picture``: docs/dashboard-host.png, dashboards drawn from a minute of a real load; see drawing.py.

A real exporter and a real Prometheus; four processes that move 10 MiB/s each over loopback, one of which falls back
from sendfile to read and write in the middle.
"""

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.service.running import Service, wait_until
from tests.support.prometheus import Prometheus

from .conftest import configuration
from .documents import ROOT, Viewer
from .drawing import View, draw
from .load import APPENDS, BY_HAND, BY_REFERENCE, FALLS_BACK, SECONDS, Sender, cold_file

DURATION = 60
TITLE = (
    "Not a screenshot of Grafana: {document}.json drawn by `make picture` with matplotlib, from its own queries to a "
    "real Prometheus\nthat scraped a real exporter each second. Load over loopback: sendfile, read+write, "
    "receive+append at 10 MiB/s each; `falls-back` goes from sendfile to read+write."
)
PICTURES = {
    "host": ("At a glance", "Who", "How"),
    "kafka": ("Is zero copy alive?", "By listener and broker"),
}


def main(folder: Path) -> None:
    """Take the pictures."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ways = (BY_REFERENCE, BY_HAND, APPENDS, FALLS_BACK)
        times = round(DURATION / SECONDS)
        senders = [stack.enter_context(Sender(way, cold_file(directory, way.name), times)) for way in ways]
        watched = [flag for sender in senders for flag in ("--port", sender.port)]
        service = stack.enter_context(Service("--no-kafka", *watched))
        host = f"127.0.0.1:{service.port}"
        prometheus = stack.enter_context(Prometheus(directory, configuration(host)))
        wait_until(prometheus.ready, "Prometheus")
        for sender in senders:
            sender.begin()
        time.sleep(5)
        for sender in senders:
            sender.go_on()
        time.sleep(DURATION - 3)
        end = time.time()
        chosen = {"instance": (host,), "process": tuple(sender.comm for sender in senders)}
        viewer = Viewer(chosen, step_seconds=1, range_seconds=DURATION - 5)
        for document, rows in PICTURES.items():
            title = TITLE.format(document=document)
            view = View(prometheus, viewer, end - viewer.range_seconds, end)
            draw(document, rows, view, title, folder / f"dashboard-{document}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs")
