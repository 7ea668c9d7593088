"""The files of the live page: types, headers, and answers to a browser that has them already."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

import exporter
from exporter.web import ui_files

UI = Path(exporter.__file__).parent / "web/ui"


def get(path: str, **headers: str) -> httpx.Response:
    app = FastAPI()
    ui_files.add_routes(app)

    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exporter") as client:
            return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return asyncio.run(request())


@pytest.mark.parametrize("path", ["/", *(f"/ui/{file.name}" for file in UI.iterdir())])
def test_every_file_is_served(path):
    answer = get(path)
    assert answer.status_code == 200
    assert answer.content == (UI / (path.removeprefix("/ui/").lstrip("/") or "index.html")).read_bytes()
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    assert "set-cookie" not in answer.headers


def test_a_browser_that_has_the_file_gets_304():
    etag = get("/").headers["etag"]
    answer = get("/", if_none_match=etag)
    assert (answer.status_code, answer.content) == (304, b"")
    assert get("/", if_none_match='"other"').status_code == 200


@pytest.mark.parametrize("path", ["/ui/nothing.js", "/ui/../ui_files.py", "/ui/%2e%2e%2fui_files.py", "/ui/"])
def test_nothing_else_is_served(path):
    assert get(path).status_code == 404


def test_the_files_name_no_other_host():
    for file in UI.iterdir():
        hosts = re.findall(r"https?://[^\s\"'<)]+", file.read_text())
        assert [host for host in hosts if not host.startswith("http://www.w3.org/")] == [], file.name
