"""The entry point of ``copy-exporter``: first takes nothing from the starter, then runs the command line."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler prints a traceback of what is being imported


def main() -> None:
    """Run ``copy-exporter``."""
    from exporter.errors import CopyExporterError  # noqa: PLC0415
    from exporter.host import surroundings  # noqa: PLC0415  # this imports little, and what follows much

    try:
        surroundings.reset()
    except CopyExporterError as error:
        print(f"copy-exporter: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    from exporter.cli import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
