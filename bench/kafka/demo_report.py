"""The tables of the demo: what the exporter counted in each step, and of the broker by listener and by topic."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from tests.support.scrape import Scrape

_MIB, _GIB = 1 << 20, 1 << 30
_BYTES = "copy_bytes_total"
_TOPIC_BYTES = "copy_kafka_topic_bytes_total"
_TOPIC_COLUMNS = {
    ("write", "cpu"): "written by CPU\nMiB",
    ("read", "cpu"): "read by CPU\nMiB",
    ("read", "zero_copy"): "sent by zero copy\nMiB",
    ("read", "dma"): "read from disk\nMiB",
}
"""Headings by operation and mechanism."""


@dataclass(frozen=True)
class Step:
    """An action of the broker's clients, and the scrapes before and after it."""

    title: str
    pid: str
    """Of the broker."""
    payload: int
    """Bytes of the records."""
    before: Scrape
    after: Scrape

    def increase(self, metric: str, **labels: str) -> float:
        """The increase of the broker's series of a metric with these labels, added up."""
        return self.after.sum(metric, pid=self.pid, **labels) - self.before.sum(metric, pid=self.pid, **labels)

    def row(self) -> tuple[str, ...]:
        """The cells of the table of steps."""
        switches = 2 * (self.increase("copy_syscalls_total") + self.increase("copy_syscall_errors_total"))
        return (
            self.title,
            f"{self.payload / _MIB:.0f}",
            f"{self.increase(_BYTES, mechanism='cpu') / self.payload:.2f}",
            f"{self.increase(_BYTES, mechanism='zero_copy') / self.payload:.2f}",
            f"{self.increase(_BYTES, mechanism='dma') / _MIB:.0f}",
            f"{switches / (self.payload / _MIB):.0f}",
            f"{1000 * self.increase('copy_cpu_seconds_total') / (self.payload / _GIB):.0f}",
        )


def print_report(console: Console, kafka_version: str, steps: Sequence[Step]) -> None:
    """Print a table of the steps, and tables of the listeners and topics after the last one."""
    pid, last = steps[-1].pid, steps[-1].after
    console.print(f"Apache Kafka {kafka_version} under the load of its own tools:", highlight=False)
    headings = ("CPU copies\n/ byte", "zero copied\n/ byte", "DMA\nMiB", "mode switches\n/ MiB", "copy CPU\nms / GiB")
    table = _table("\nstep", "payload\nMiB", *headings)
    for step in steps:
        table.add_row(*step.row())
    console.print(table)
    console.print(_listeners(last, pid))
    node_id = last.series("copy_kafka_listener_info", pid=pid)[0]["node_id"]
    console.print(_topics(last, node_id))


def _listeners(scrape: Scrape, pid: str) -> Table:
    sent = ("sent by CPU\nMiB", "sent by zero copy\nMiB", "zero copy,\nof all sent")
    table = _table("\nlistener", "\nprotocol", "\nport", "received\nMiB", *sent, "mode switches\n/ MiB")
    for listener in scrape.series("copy_kafka_listener_info", pid=pid):
        labels = {"pid": pid, "port": listener["port"]}
        received = scrape.sum(_BYTES, mechanism="cpu", source="tcp", **labels)
        copied = scrape.sum(_BYTES, mechanism="cpu", destination="tcp", **labels)
        zero_copied = scrape.sum(_BYTES, mechanism="zero_copy", destination="tcp", **labels)
        share = f"{zero_copied / (zero_copied + copied):.1%}" if zero_copied + copied else "-"
        moved_mib = (received + copied + zero_copied) / _MIB
        switches = f"{2 * scrape.sum('copy_syscalls_total', **labels) / moved_mib:.0f}" if moved_mib > 1 else "-"
        sums = (f"{bytes_ / _MIB:.1f}" for bytes_ in (received, copied, zero_copied))
        table.add_row(listener["listener"], listener["protocol"], listener["port"], *sums, share, switches)
    return table


def _topics(scrape: Scrape, node_id: str) -> Table:
    table = _table("\ntopic", *_TOPIC_COLUMNS.values())
    for topic in dict.fromkeys(labels["topic"] for labels in scrape.series(_TOPIC_BYTES, node_id=node_id)):
        labels = {"node_id": node_id, "topic": topic}
        sums = (
            scrape.sum(_TOPIC_BYTES, **labels, operation=operation, mechanism=mechanism)
            for operation, mechanism in _TOPIC_COLUMNS
        )
        table.add_row(topic, *(f"{bytes_ / _MIB:.1f}" for bytes_ in sums))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
