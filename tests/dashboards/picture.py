"""``make picture``: docs/dashboard-host.png and docs/dashboard-kafka.png, drawn from 90 s of real load each.

A real exporter and a real Prometheus. The host: processes that move 10 MiB/s each over loopback; one falls back from
sendfile to read and write. The broker: Apache Kafka with two topics, one read over plaintext, the other over TLS.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.kafka.artifacts import jars
from bench.kafka.running import Broker, Java
from tests.service.running import Service, wait_until
from tests.support.prometheus import Prometheus

from .conftest import configuration
from .documents import ROOT, Viewer
from .drawing import View, draw
from .load import APPENDS, BY_HAND, BY_REFERENCE, FALLS_BACK, SECONDS, Sender, cold_file

DURATION = 90
INTERVAL = 3
TITLE = (
    "Not a screenshot of Grafana: {document}.json drawn by `make picture` with matplotlib, from its own queries to a\n"
    "real Prometheus that scraped a real exporter every 3 s. {load}"
)
SENDERS = "Load over loopback: sendfile, read+write and receive+append at 10 MiB/s, and one that falls back."
KAFKA = "Load: Apache Kafka's own tools, up to 20 MiB/s into and out of two topics, one over plaintext, one over TLS."
HOST_ROWS = ("At a glance", "Who")
KAFKA_ROWS = ("Is zero copy alive?", "By listener and broker", "By topic")


def of_host(stack: ExitStack, directory: Path, path: Path) -> None:
    """The dashboard of the host, for the processes of the load."""
    ways = (BY_REFERENCE, BY_HAND, APPENDS, FALLS_BACK)
    times = round(DURATION / SECONDS)
    senders = [stack.enter_context(Sender(way, cold_file(directory, way.name), times)) for way in ways]
    watched = [flag for sender in senders for flag in ("--port", sender.port)]
    with scraped(directory, "--no-kafka", *watched) as (prometheus, host):
        for sender in senders:
            sender.begin()
        time.sleep(10)
        for sender in senders:
            sender.go_on()
        time.sleep(DURATION - 3)
        view = view_of(prometheus, host, process=tuple(sender.comm for sender in senders))
        draw("host", HOST_ROWS, view, TITLE.format(document="host", load=SENDERS), path)


def of_broker(stack: ExitStack, directory: Path, path: Path) -> None:
    """The dashboard of brokers, for a real one."""
    java = Java(jars())
    broker = stack.enter_context(Broker(java, directory))
    with scraped(directory) as (prometheus, host):
        for topic, port in (("invoices", broker.plain), ("page-views", broker.ssl)):
            broker.create_topic(topic)
            for command in tools(java, broker, topic, port):
                started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                stack.callback(started.wait)
                stack.callback(started.kill)
        time.sleep(DURATION + 10)
        view = view_of(prometheus, host, port=(str(broker.plain), str(broker.ssl)), topic=("invoices", "page-views"))
        draw("kafka", KAFKA_ROWS, view, TITLE.format(document="kafka", load=KAFKA), path)


def tools(java: Java, broker: Broker, topic: str, port: int) -> Iterator[list[str]]:
    """A producer on the plaintext listener and a consumer on this one."""
    records = str(2**31 - 1)
    yield java.command(
        "org.apache.kafka.tools.ProducerPerformance",
        *("--topic", topic, "--num-records", records, "--record-size", "10240", "--throughput", "2048"),
        *(
            "--producer.config",
            str(broker.client(broker.plain)),
            "--producer-props",
            "batch.size=524288",
            "linger.ms=10",
        ),
    )
    yield java.command(
        "org.apache.kafka.tools.ConsumerPerformance",
        *("--bootstrap-server", f"127.0.0.1:{port}", "--topic", topic, "--messages", records, "--timeout", "60000"),
        *("--consumer.config", str(broker.client(port))),
    )


@contextmanager
def scraped(directory: Path, *flags: str) -> Iterator[tuple[Prometheus, str]]:
    """A Prometheus, and the address of the exporter with these flags that it scrapes."""
    with Service(*flags) as service:
        host = f"127.0.0.1:{service.port}"
        with Prometheus(directory, configuration(host, every=f"{INTERVAL}s")) as prometheus:
            wait_until(prometheus.ready, "Prometheus")
            yield prometheus, host


def view_of(prometheus: Prometheus, host: str, **chosen: tuple[str, ...]) -> View:
    """The last minute and a half, up to a scrape."""
    viewer = Viewer({"instance": (host,), **chosen}, INTERVAL, step_seconds=1, range_seconds=DURATION - 10)
    (scrape,) = prometheus.get("query", query="timestamp(up == 1)", time=time.time())["result"]
    end = float(scrape["value"][1])
    return View(prometheus, viewer, end - viewer.range_seconds, end)


def main(folder: Path, names: list[str]) -> None:
    """Take these pictures, or all."""
    for name, take in {"host": of_host, "kafka": of_broker}.items():
        if not names or name in names:
            with ExitStack() as stack:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                take(stack, directory, folder / f"dashboard-{name}.png")


if __name__ == "__main__":
    main(ROOT / "docs", sys.argv[1:])
