"""``copy-exporter demo``: the article's experiment on this host, measured by the probes.

The sender and the sink are modules of this package in processes of their own: what is imported here, they import too.
"""

from typing import TYPE_CHECKING

from exporter.demo.options import DemoOptions, parse_size

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["DemoOptions", "parse_size", "run"]


def run(options: DemoOptions, console: "Console") -> int:
    """Measure, print to ``console``, and return the exit status: 1 when a claim is contradicted, 130 when interrupted.

    Raises :class:`exporter.errors.CopyExporterError` with the line to print when the experiment cannot be made.
    """
    from exporter.demo.command import run_demo  # noqa: PLC0415  # the children do without rich, pydantic and ctypes

    return run_demo(options, console)
