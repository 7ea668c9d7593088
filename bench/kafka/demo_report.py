"""The tables of the demo: what each step took, and what the broker did by listener and by topic."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from bench.kafka.scraped import Scraped

_MIB, _GIB = 1 << 20, 1 << 30
_ZERO, _CPU = "copy_zero_copied_bytes_total", "copy_cpu_copied_bytes_total"
_TOPIC = "copy_kafka_topic_{}_bytes_total"


@dataclass(frozen=True)
class Step:
    """Something that clients of the broker do, and the metrics before and after it."""

    title: str
    pid: str
    """Of the broker."""
    payload: int
    """Bytes of the records."""
    before: Scraped
    after: Scraped

    def added(self, metric: str) -> float:
        """By how much the broker's sum has grown."""
        return self.after.sum(metric, pid=self.pid) - self.before.sum(metric, pid=self.pid)

    def row(self) -> tuple[str, ...]:
        """What the table shows."""
        switches = 2 * (self.added("copy_syscalls_total") + self.added("copy_syscall_errors_total"))
        return (
            self.title,
            f"{self.payload / _MIB:.0f}",
            f"{self.added(_CPU) / self.payload:.2f}",
            f"{self.added(_ZERO) / self.payload:.2f}",
            f"{self.added('copy_dma_copied_bytes_total') / _MIB:.0f}",
            f"{switches / (self.payload / _MIB):.0f}",
            f"{1000 * self.added('copy_cpu_seconds_total') / (self.payload / _GIB):.0f}",
        )


def show(console: Console, version: str, steps: Sequence[Step]) -> None:
    """All tables."""
    pid, last = steps[-1].pid, steps[-1].after
    console.print(f"Apache Kafka {version} under its own load, counted by the probes:", highlight=False)
    headings = ("CPU copies\n/ byte", "zero copied\n/ byte", "DMA\nMiB", "mode switches\n/ MiB", "copy CPU\nms / GiB")
    table = _table("\nstep", "payload\nMiB", *headings)
    for step in steps:
        table.add_row(*step.row())
    console.print(table)
    console.print(_listeners(pid, last))
    node_id = last.series("copy_kafka_listener_info", pid=pid)[0]["node_id"]
    console.print(_topics(last, node_id))


def _listeners(pid: str, seen: Scraped) -> Table:
    sent = ("sent by CPU\nMiB", "sent by zero copy\nMiB", "of all\nsent")
    table = _table("\nlistener", "\nprotocol", "\nport", "received\nMiB", *sent, "mode switches\n/ MiB")
    for one in seen.series("copy_kafka_listener_info", pid=pid):
        port = {"pid": pid, "port": one["port"]}
        received = seen.sum(_CPU, source="tcp", **port)
        copied, passed = (seen.sum(metric, destination="tcp", **port) for metric in (_CPU, _ZERO))
        share = f"{passed / (passed + copied):.1%}" if passed + copied else "-"
        moved = (received + copied + passed) / _MIB
        switches = f"{2 * seen.sum('copy_syscalls_total', **port) / moved:.0f}" if moved > 1 else "-"
        sums = (f"{bytes_ / _MIB:.1f}" for bytes_ in (received, copied, passed))
        table.add_row(one["listener"], one["protocol"], one["port"], *sums, share, switches)
    return table


def _topics(seen: Scraped, node_id: str) -> Table:
    ways = {
        "cpu_copied_written": "written by CPU\nMiB",
        "cpu_copied_read": "read by CPU\nMiB",
        "zero_copied": "sent by zero copy\nMiB",
        "dma_read": "read from disk\nMiB",
    }
    table = _table("\ntopic", *ways.values())
    for topic in seen.series(_TOPIC.format("zero_copied"), node_id=node_id):
        table.add_row(topic["topic"], *(f"{seen.sum(_TOPIC.format(way), **topic) / _MIB:.1f}" for way in ways))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
