"""``copy-exporter top``: the live rates of a host in a terminal (docs/top.md)."""

from exporter.top.command import run
from exporter.top.options import TopOptions

__all__ = ["TopOptions", "run"]
