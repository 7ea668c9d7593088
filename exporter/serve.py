"""Start-up of the service, in the order that privileges ask for: bind, load, give up root, listen."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from exporter import __version__, handover, privileges
from exporter.attribution import Attribution
from exporter.config import Address, Config
from exporter.errors import KernelError, UsageError
from exporter.handover import Handover, LoaderOrder
from exporter.kafka.broker import Broker
from exporter.kafka.finder import Finder
from exporter.kafka.watcher import Watcher
from exporter.probe_table import PROBES
from exporter.procfs import Procfs
from exporter.reader import Reader
from exporter.sampler import Sampler

_log = logging.getLogger(__name__)

_OBJECTS_A_SCRAPE = 200_000
LOADER_TIMEOUT_SECONDS = 180.0
FAREWELL_SECONDS = 2
"""How long a scrape that is under way at the end may take; a client that does not take its answer is left."""
_ESSENTIAL = {probe.name for probe in PROBES if probe.essential}


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. Raises :class:`CopyExporterError` when that cannot begin."""
    # An end that was asked for is a good one. uvicorn puts its own handler in this one's place and then calls this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    account = privileges.find_user(config.user)
    sockets = [bind(address) for address in config.listen]
    order = LoaderOrder(
        probes=config.probes,
        map_entries=config.map_entries,
        statistics=config.probe_stats,
        sampling_rate=config.sampling_rate,
    )
    with ThreadPoolExecutor(1) as executor:
        loading = executor.submit(handover.load, order, LOADER_TIMEOUT_SECONDS)
        # Each takes a third of a second: FastAPI's modules come in while the loader compiles.
        import uvicorn  # noqa: PLC0415

        from exporter.web import create_app  # noqa: PLC0415

        rehearse()
        loaded = loading.result()
    check_probes(loaded, strict=config.strict)
    finder = Finder(config.procfs, config.user) if config.kafka else None
    give_up_root(config, loaded, account)
    check_procfs(config)
    stopped = threading.Event()
    sampler = make_sampler(config, loaded, finder, stopped)
    threading.Thread(target=sampler.drain_until, args=(stopped,), name="drain", daemon=True).start()
    app = create_app(sampler, loaded.probes, telemetry_path=config.telemetry_path, run_statistics=config.probe_stats)
    announce(config, loaded, sockets)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=FAREWELL_SECONDS
        )
    )
    # A scrape makes tens of thousands of objects, none in a cycle: looking through them took a third of its time.
    gc.freeze()
    gc.set_threshold(_OBJECTS_A_SCRAPE)
    try:
        server.run(sockets=sockets)
    finally:
        stopped.set()


def rehearse() -> None:
    """Start, serve one request to nobody, end: what frameworks import only then, ``--user`` may be unable to read."""
    import uvicorn  # noqa: PLC0415
    from fastapi import FastAPI  # noqa: PLC0415

    app = FastAPI()
    app.get("/")(lambda: "")
    stage = uvicorn.Config(app, log_config=None)
    stage.load()
    stage.get_loop_factory()
    request = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    asyncio.run(_perform(app, {"type": "lifespan", "state": {}}, "lifespan.startup", "lifespan.shutdown"))
    asyncio.run(_perform(app, request, "http.request"))


async def _perform(app: Callable[..., Awaitable[None]], scope: dict[str, Any], *messages: str) -> None:
    """Let an ASGI application receive ``messages``, and send to nobody."""
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return {"type": next(left)}

    async def send(_: MutableMapping[str, Any]) -> None:
        pass

    await app(scope, receive, send)


def bind(address: Address) -> socket.socket:
    """A socket on the address that does not listen yet; :class:`UsageError` when it is not to be had."""
    flag = f"--web.listen-address={address}"
    try:
        family, _, _, _, where = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if not address.host and socket.has_dualstack_ipv6():
            family, where = socket.AF_INET6, ("::", address.port, 0, 0)
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(address.host)))
        bound.bind(where)
        bound.listen(0)  # two that only bind would both succeed
    except (OSError, UnicodeError) as error:  # the latter: a name that DNS cannot hold
        problem = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{flag}: {problem}; stop what listens there, or give another address") from None
    return bound


def check_probes(loaded: Handover, *, strict: bool) -> None:
    """Log what is missing; :class:`KernelError` when nothing is left to serve, or with ``--strict``."""
    for probe in loaded.probes:
        if probe.attached:
            continue
        problem = f"probe {probe.name} is not attached: {probe.reason}; remedy: {probe.remedy}"
        if strict or probe.name in _ESSENTIAL:
            raise KernelError(problem)
        _log.warning(problem)


def give_up_root(config: Config, loaded: Handover, account: privileges.Account) -> None:
    """Become the unprivileged user, without capabilities but CAP_BPF where maps cannot be read else (before v5.19)."""
    keep = list(config.keep_capabilities)
    if not privileges.works_after_drop(account, lambda: Reader(loaded.maps, loaded.programs).sample()):
        _log.warning("this kernel reads eBPF maps only with CAP_BPF: keeping it")
        keep.append("CAP_BPF")
    privileges.drop(account, keep)


def check_procfs(config: Config) -> None:
    """What may be seen of processes from now on; :class:`UsageError` when it is nothing at all."""
    if not os.access(os.path.join(config.procfs, "self", "stat"), os.R_OK):
        raise UsageError(f"--path.procfs={config.procfs} cannot be read by --user={config.user}; open its directories")
    procfs = Procfs(config.procfs)
    if not any(procfs.stat(pid) for pid in (1, 2)):  # init, kthreadd: others' on every host
        _log.warning(
            "%s hides the processes of others (hidepid): they count as pid=other, comm=unknown; "
            "remedy: --capabilities.keep CAP_SYS_PTRACE",
            config.procfs,
        )


def make_sampler(config: Config, loaded: Handover, finder: Finder | None, stopped: threading.Event) -> Sampler:
    """The sampler over the handed-over maps, with the ports watched, and brokers looked for until ``stopped``."""
    procfs = Procfs(config.procfs)
    brokers: Callable[[], tuple[Broker, ...]] = tuple
    try:
        reader = Reader(loaded.maps, loaded.programs)
        reader.watch_ports(config.ports)
        if finder:
            watcher = Watcher(procfs, finder.ask, lambda ports, _: reader.watch_ports(ports), config.ports)
            threading.Thread(target=watcher.look_until, args=(stopped,), name="brokers", daemon=True).start()
            brokers = watcher.current
        sampler = Sampler(reader, procfs, Attribution(config.limits), brokers=brokers)
        sampler.drain()
    except OSError as error:
        raise KernelError(
            f"the probes' maps cannot be read: {error.strerror}; try --capabilities.keep CAP_BPF"
        ) from None
    return sampler


def announce(config: Config, loaded: Handover, sockets: list[socket.socket]) -> None:
    """Say where to look and what is counted."""
    attached = [probe.name for probe in loaded.probes if probe.attached]
    missing = [probe.name for probe in loaded.probes if not probe.attached]
    _log.info("copy-exporter %s, user id %d", __version__, os.geteuid())
    _log.info("probes attached: %s (%s)", ", ".join(attached) or "none", loaded.reading)
    if missing:
        _log.warning("probes missing: %s; `copy-exporter doctor` tells why", ", ".join(missing))
    inexact = [probe.name for probe in loaded.probes if probe.preemptible]
    if inexact:
        _log.warning("probes inexact on a busy CPU: %s; `copy-exporter doctor` tells why", ", ".join(inexact))
    for bound in sockets:
        host, port = bound.getsockname()[:2]
        host = "localhost" if host in ("::", "0.0.0.0") else f"[{host}]" if ":" in host else host
        _log.info("listening on http://%s:%d%s", host, port, config.telemetry_path)
