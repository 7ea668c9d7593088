"""The application: metrics, health, landing page, OpenAPI."""

import html
from collections.abc import Iterable
from typing import Annotated

from fastapi import FastAPI, Header, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, ProcessCollector

from exporter import __version__
from exporter.config import Config
from exporter.counting.sampler import Sampler
from exporter.metrics.collector import Collector, CopyCollector, ProcessesCollector
from exporter.model import ProbeState
from exporter.web import live_api, ui_files
from exporter.web.middleware import HeadMiddleware
from exporter.web.negotiation import accepts_gzip, choose_format
from exporter.web.shared_scrape import SharedScrape, SlicedResponse
from exporter.web.viewers import Viewers


def create_app(
    sampler: Sampler,
    probes: Iterable[ProbeState],
    collectors: Iterable[Collector],
    config: Config,
    viewers: Viewers | None,
) -> FastAPI:
    """Return the application for a sampler that another thread drains.

    ``collectors`` add families that no probe counts. ``viewers``: None for a plain page instead of the live one.
    """
    probe_states, other_collectors = tuple(probes), tuple(collectors)
    app = FastAPI(
        title="copy-exporter",
        version=__version__,
        summary="Which bytes the CPU copies and which are moved by zero copy, for every process, for Prometheus.",
        docs_url=None,  # FastAPI's pages load scripts from another host
        redoc_url=None,
        redirect_slashes=False,  # Starlette redirects to the host that the client names, and to http behind a proxy
    )
    app.add_middleware(HeadMiddleware)
    errors: dict[str, str] = {}
    scrapes = {
        (openmetrics, gzipped): SharedScrape(registry, openmetrics=openmetrics, gzipped=gzipped)
        for openmetrics in (False, True)
        for processes in [ProcessesCollector(sampler.read, flags=config.enabled_flags, created=openmetrics)]
        for registry in [_registry(sampler, probe_states, (processes, *other_collectors), errors)]
        for gzipped in (False, True)
    }

    # All handlers are coroutines: FastAPI runs plain functions in threads of its own, and such a thread keeps the
    # process alive after a signal has ended the event loop. SharedScrape reads the maps in a thread of asyncio.
    @app.get(
        config.telemetry_path,
        response_class=PlainTextResponse,
        summary="All metrics",
        responses={503: {"description": "Too many concurrent scrapes", "content": {"text/plain": {}}}},
    )
    async def metrics(
        accept: Annotated[str, Header()] = "", accept_encoding: Annotated[str, Header()] = ""
    ) -> Response:
        openmetrics, content_type = choose_format(accept)
        gzipped = accepts_gzip(accept_encoding)
        headers = {"content-type": content_type, "vary": "Accept, Accept-Encoding"}
        if gzipped:
            headers["content-encoding"] = "gzip"
        return SlicedResponse(await scrapes[openmetrics, gzipped].body(), headers=headers)

    @app.get("/-/healthy", response_class=PlainTextResponse, summary="The process is running")
    async def healthy() -> str:
        return "copy-exporter is healthy\n"

    @app.get(
        "/-/ready",
        response_class=PlainTextResponse,
        summary="The probes count, and their maps can be read",
        responses={503: {"description": "Not ready, with the reason", "content": {"text/plain": {}}}},
    )
    async def ready() -> Response:
        if error := sampler.last_error or errors.get(ProcessesCollector.name):
            return PlainTextResponse(f"not ready: {error}\n", status_code=503)
        return PlainTextResponse("copy-exporter is ready\n")

    if viewers is None:
        _add_landing_page(app, probe_states, config.telemetry_path)
    else:
        ui_files.add_routes(app)
        live_api.add_routes(app, viewers)
    return app


def _add_landing_page(app: FastAPI, probes: tuple[ProbeState, ...], telemetry_path: str) -> None:
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def landing_page() -> str:
        return _landing_page(probes, telemetry_path)


def _registry(
    sampler: Sampler,
    probes: tuple[ProbeState, ...],
    collectors: tuple[Collector, ...],
    errors: dict[str, str],
) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(CopyCollector(collectors, probes, lambda: sampler.stalled_probes, errors))
    ProcessCollector(registry=registry)
    return registry


def _landing_page(probes: tuple[ProbeState, ...], telemetry_path: str) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(probe.name)}</td><td>{html.escape(probe.attach_method)} {html.escape(probe.hook)}</td>"
        f"<td>{'attached' if probe.attached else html.escape(f'missing: {probe.reason}')}</td></tr>"
        for probe in probes
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>copy-exporter</title>
<style>body {{ font-family: sans-serif; margin: 2rem }} td, th {{ padding: .2rem 1rem; text-align: left }}</style>
</head><body><h1>copy-exporter {__version__}</h1>
<p>Which bytes the CPU copies and which are moved by zero copy, for every process of this host.</p>
<ul><li><a href="{telemetry_path}">Metrics</a></li><li><a href="/-/ready">Readiness</a></li>
<li><a href="/-/healthy">Health</a></li><li><a href="/openapi.json">HTTP API (OpenAPI)</a></li></ul>
<table><tr><th>Probe</th><th>Hook</th><th>State</th></tr>{rows}</table>
</body></html>
"""
