"""``copy-exporter demo``: the zero-copy experiment on this host, measured by the probes (docs/demo.md).

The sender and the sink are modules of this package that run as processes. They import what is imported here.
"""

from typing import TYPE_CHECKING

from exporter.demo.options import DemoOptions, parse_size

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["DemoOptions", "parse_size", "run"]


def run(options: DemoOptions, console: "Console") -> int:
    """Measure, print to ``console``, and return the exit status: 1 if a claim is contradicted, 130 if interrupted.

    Raises :class:`exporter.errors.CopyExporterError` when the experiment cannot be run.
    """
    from exporter.demo.command import run_demo  # noqa: PLC0415  # the children need no rich, pydantic or ctypes

    return run_demo(options, console)
