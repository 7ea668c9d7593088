"""The serving process, from its start to its end."""

from exporter.config import Config
from exporter.host.signals import TerminationSignals
from exporter.service import memory
from exporter.service.startup import bind, drop_privileges, import_modules, load, open_privileged


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. Raises :class:`CopyExporterError` when the service cannot start."""
    memory.tune_malloc()
    with TerminationSignals() as signals:
        sockets = bind(config)
        loaded = load(config, signals, lambda: import_modules(config))
        privileged = open_privileged(config)
        drop_privileges(config, loaded)
        from exporter.service.run import run  # noqa: PLC0415  # imported while the loader compiled

        run(config, sockets, loaded, privileged, signals)
