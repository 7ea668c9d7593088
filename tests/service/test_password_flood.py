"""Hundreds of connections with wrong passwords, which take 0.2 s each to compare, do not disturb the right client."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import bcrypt
import httpx
import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.paths import ROOT
from tests.support.process_usage import resident_kib
from tests.support.wait import wait_until

from .web_config_files import PASSWORD, USER, WebConfigFiles, bcrypt_hash

COST = 12
CONNECTIONS = 330
SCRAPES = 10
GUESSES = 60
"""At the same time, from one address: more than three times as many as may wait."""
MAX_SECONDS = 5.0
"""On a machine that compares a password in :data:`COMPARISON_SECONDS` during the flood; else in proportion."""
COMPARISON_SECONDS = 0.5
MAX_GROWTH_KIB = 30 * 1024
SAME_ADDRESS, OTHER_ADDRESS = "127.0.0.1", "127.0.0.2"


@contextmanager
def flood(service: ExporterProcess, address: str, name: str, passwords: str) -> Iterator[None]:
    """Wrong passwords until the end of the context."""
    command = [sys.executable, "-m", "tests.support.password_flood", str(service.port), str(CONNECTIONS), address, name]
    with subprocess.Popen([*command, passwords], cwd=ROOT) as process:
        try:
            wait_until(lambda: len(sockets(service)) > CONNECTIONS / 4, "the flood")
            time.sleep(1)
            yield
        finally:
            process.terminate()


def sockets(service: ExporterProcess) -> list[str]:
    """Descriptors of the service that are sockets."""
    done = subprocess.run(["ls", "-l", f"/proc/{service.pid}/fd"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "socket:" in line]


@pytest.fixture
def service(start: Callable[..., ExporterProcess]) -> Iterator[ExporterProcess]:
    """Its own client is not authenticated, so nothing is remembered at the start of a test."""
    with WebConfigFiles() as files:
        files.config.write_text(json.dumps({"basic_auth_users": {USER: bcrypt_hash(PASSWORD, COST)}}))
        yield start("--web.config.file", str(files.config), ready_status=401)


def scrape_during_flood(service: ExporterProcess) -> None:
    """Scrapes with connections of their own are right, and the service does not grow."""
    memory = resident_kib(service.pid)
    seconds, comparison = [], comparison_seconds()
    for path in ["/metrics", "/-/healthy"] * (SCRAPES // 2):
        start = time.monotonic()
        answer = httpx.get(service.url + path, auth=(USER, PASSWORD), timeout=60)
        seconds.append(time.monotonic() - start)
        assert answer.status_code == 200, answer.text
        assert resident_kib(service.pid) < memory + MAX_GROWTH_KIB
    print("seconds:", [round(value, 2) for value in seconds], f"{comparison=:.2f}")
    assert max(seconds) < MAX_SECONDS * max(1, comparison / COMPARISON_SECONDS)


def comparison_seconds() -> float:
    """How long a comparison takes at present."""
    hashed = bcrypt_hash(PASSWORD, COST).encode()
    start = time.monotonic()
    bcrypt.checkpw(b"wrong", hashed)
    return time.monotonic() - start


@pytest.mark.parametrize("address", [SAME_ADDRESS, OTHER_ADDRESS])
@pytest.mark.parametrize("passwords", ["one", "many"])
def test_a_remembered_password(service: ExporterProcess, address: str, passwords: str) -> None:
    assert httpx.get(service.url, auth=(USER, PASSWORD), timeout=60).status_code == 200
    with flood(service, address, USER, passwords):
        scrape_during_flood(service)
    assert "Traceback" not in service.log()


@pytest.mark.parametrize(
    ("address", "name", "passwords"),
    [
        (SAME_ADDRESS, USER, "one"),
        (SAME_ADDRESS, "mallory", "many"),
        (OTHER_ADDRESS, USER, "many"),
        (OTHER_ADDRESS, "mallory{}", "many"),
    ],
)
def test_a_first_login(service: ExporterProcess, address: str, name: str, passwords: str) -> None:
    """From the address of the flood it is protected against other names, and against one wrong password."""
    with flood(service, address, name, passwords):
        scrape_during_flood(service)
    assert "Traceback" not in service.log()


def test_surplus_comparisons_get_429(service: ExporterProcess) -> None:
    def guess(number: int) -> httpx.Response:
        return httpx.get(service.url, auth=(USER, f"no{number}"), timeout=60)

    with ThreadPoolExecutor(GUESSES) as threads:
        answers = list(threads.map(guess, range(GUESSES)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= GUESSES // 4
    assert {answer.headers["retry-after"] for answer in refused} == {"5"}
    assert {answer.status_code for answer in answers} == {401, 429}
    assert httpx.get(service.url, auth=(USER, PASSWORD), timeout=60).status_code == 200
