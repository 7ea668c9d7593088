"""The web configuration in effect, while its files change."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from exporter.errors import UsageError
from exporter.web.reload import WebConfig, WebConfigReloader

HASHES = ("$2y$10$hLqFl9jSjoAAy95Z/zw8Ye8wkdMBM8c5Bn1ptYqP/AXyV0.oy0S8m", "$2y$10$" + "a" * 53)
TLS = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """Write the file; its path."""

    def write_file(text: str) -> str:
        (tmp_path / "web.yml").write_text(text)
        return str(tmp_path / "web.yml")

    return write_file


def user(bcrypt_hash: str) -> str:
    return f"basic_auth_users: {{alice: {bcrypt_hash}}}\n"


def issue(directory: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    issued.private_key_pem.write_to_path(directory / "key.pem")


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_an_empty_file_is_the_default(write):
    assert WebConfigReloader(write("")).current() == WebConfig()


def test_users_and_headers_change(write):
    reloader = WebConfigReloader(write(user(HASHES[0])))
    assert reloader.current() is reloader.current()
    assert reloader.current().users == (("alice", HASHES[0]),)
    write(user(HASHES[1]) + "http_server_config: {headers: {X-Frame-Options: deny}}")
    assert reloader.current() == WebConfig(None, (("alice", HASHES[1]),), ((b"x-frame-options", b"deny"),))


def test_an_unusable_file_changes_nothing_and_is_logged_once(write, caplog):
    reloader = WebConfigReloader(write(user(HASHES[0])))
    before = reloader.current()
    write("basic_auth_users: [")
    assert [reloader.current() for _ in range(3)] == [before] * 3
    (error,) = errors(caplog)
    assert "is not YAML" in error
    assert error.endswith("the previous configuration stays in effect")
    write(user(HASHES[1]))
    assert reloader.current().users == (("alice", HASHES[1]),)


def test_an_unusable_file_ends_the_start(write):
    with pytest.raises(UsageError, match="is not YAML"):
        WebConfigReloader(write("basic_auth_users: ["))


def test_certificates_change(write, tmp_path, caplog):
    issue(tmp_path)
    reloader = WebConfigReloader(write(TLS))
    first = reloader.current().ssl_context
    assert first
    key = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "key.pem").write_text("not a key")
    assert reloader.current().ssl_context is first
    assert "are not a certificate and its private key" in errors(caplog)[0]
    (tmp_path / "key.pem").write_bytes(key)
    issue(tmp_path)
    assert reloader.current().ssl_context not in (None, first)


@pytest.mark.parametrize(("before", "after"), [("", TLS), (TLS, "")])
def test_tls_is_neither_turned_on_nor_off(write, tmp_path, caplog, before, after):
    issue(tmp_path)
    reloader = WebConfigReloader(write(before))
    config = reloader.current()
    write(after)
    assert reloader.current() is config
    (error,) = errors(caplog)
    assert "restart the exporter" in error


def test_http2_has_no_effect(write, caplog):
    WebConfigReloader(write("http_server_config: {http2: true}"))
    assert "only HTTP/1.1 is supported" in caplog.text
