"""The client: readings in order, and one clear line for whatever else a server sends."""

import base64
from contextlib import closing
from pathlib import Path

import pytest

from exporter.errors import UsageError
from exporter.top.client import Client, NotListeningError, UnreachableError
from exporter.top.options import Target, TopOptions, parse_url

from .servers import EVENTS, free_target, server

NO_OPTIONS = TopOptions(target=None, user="", password_file="", ca_file="", once=True, json=False)


def read_error(target: Target) -> str:
    with closing(Client(target, NO_OPTIONS)) as client, pytest.raises(UnreachableError) as error:
        client.read()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_readings() -> None:
    stream = EVENTS + b'retry: 2000\n\nevent: live\ndata: {"a": 1}\n\n:\n\nevent: live\ndata: {"a": 2}\n\n'
    with server(stream) as (target, requests), closing(Client(target, NO_OPTIONS)) as client:
        assert [client.read(), client.read()] == [b'{"a": 1}\n', b'{"a": 2}\n']
        with pytest.raises(UnreachableError, match="closed the connection"):
            client.read()
    assert requests[0].startswith(b"GET /api/v1/live/stream HTTP/1.1\r\n")


def test_it_connects_again_after_an_error() -> None:
    stream = EVENTS + b"data: 1\n\n"
    with server(b"", stream) as (target, _), closing(Client(target, NO_OPTIONS)) as client:
        with pytest.raises(UnreachableError):
            client.read()
        assert client.read() == b"1\n"


def test_nothing_listens() -> None:
    with closing(Client(free_target(), NO_OPTIONS)) as client, pytest.raises(NotListeningError):
        client.read()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "closed the connection without an answer; if it uses TLS, write the URL with https://"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "closed the connection without an answer"),
        (
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "it runs with --web.disable-ui, or is not copy-exporter",
        ),
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", "give --user and --password-file"),
        (b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", "answers with status 302: Found"),
        (
            b"HTTP/1.1 503 Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 18\r\n\r\nToo many \x1bviewers\n",
            "answers with status 503: Too many ?viewers",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n",
            "is not an exporter with live rates",
        ),
        (EVENTS + b":\n\n:\n\n:\n\n", "cannot read its probes; its log has the reason"),
        (EVENTS, "closed the connection"),
    ],
)
def test_other_answers(answer: bytes, problem: str) -> None:
    with server(answer) as (target, _):
        assert problem in read_error(target)


def test_a_name_that_is_not_known() -> None:
    assert "is not known" in read_error(parse_url("URL", "http://name.invalid/"))


def test_no_tls_at_this_port() -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n") as (target, _):
        assert "does not use TLS; write the URL with http://" in read_error(
            parse_url("URL", str(target).replace("http", "https"))
        )


def test_user_and_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("in wonder:länd\n")
    options = TopOptions(None, "alice", str(file), "", once=True, json=False)
    with server(EVENTS + b"data: 1\n\n") as (target, requests), closing(Client(target, options)) as client:
        client.read()
    assert base64.b64encode("alice:in wonder:länd".encode()) in requests[0]


@pytest.mark.parametrize(
    ("user", "password_file", "ca_file", "problem"),
    [
        ("alice", "", "", "--user needs --password-file"),
        ("", "/nowhere", "", "--password-file needs --user"),
        ("alice", "/nowhere", "", "--password-file=/nowhere cannot be read: No such file or directory"),
        ("alice", "/dev/null", "/nowhere", "--ca-file=/nowhere cannot be read: No such file or directory"),
        ("", "", "/etc/hostname", "--ca-file=/etc/hostname is not a file of certificates in PEM format"),
    ],
)
def test_files_that_cannot_be_used(user: str, password_file: str, ca_file: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Client(parse_url("URL", "https://localhost/"), TopOptions(None, user, password_file, ca_file, True, False))
