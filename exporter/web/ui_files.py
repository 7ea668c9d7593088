"""The files of the live page, with headers that let a browser load nothing else."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Header, Response

_INDEX = "index.html"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # the browser asks each time, by the ETag: a new release is there at once
}


@dataclass(frozen=True)
class _File:
    body: bytes
    media_type: str
    etag: str

    def answer(self, if_none_match: str) -> Response:
        headers = {**_HEADERS, "etag": self.etag}
        if self.etag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


def _read(path: Path) -> _File:
    body = path.read_bytes()
    return _File(body, _MEDIA_TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


# Read when the module is imported: the user that the service becomes later may not be able to read them.
_FILES = {path.name: _read(path) for path in Path(__file__).with_name("ui").iterdir() if path.suffix in _MEDIA_TYPES}


def add_routes(app: FastAPI) -> None:
    """Serve the page at ``/`` and its other files below ``/ui/``."""

    @app.get("/", include_in_schema=False)
    async def page(if_none_match: Annotated[str, Header()] = "") -> Response:
        return _FILES[_INDEX].answer(if_none_match)

    @app.get("/ui/{name}", include_in_schema=False)
    async def file(name: str, if_none_match: Annotated[str, Header()] = "") -> Response:
        found = _FILES.get(name)
        return found.answer(if_none_match) if found else Response("Not found\n", 404, media_type="text/plain")
