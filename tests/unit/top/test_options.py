"""URLs of exporters."""

import pytest

from exporter.errors import UsageError
from exporter.top.options import DEFAULT_URL, parse_url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (DEFAULT_URL, DEFAULT_URL),
        ("http://broker-1", "http://broker-1:80/"),
        ("https://broker-1.example/", "https://broker-1.example:443/"),
        ("https://[::1]:10435", "https://[::1]:10435/"),
        ("https://proxy/hosts/broker-1/", "https://proxy:443/hosts/broker-1/"),
    ],
)
def test_urls(text: str, shown: str) -> None:
    assert str(parse_url("URL", text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost", "localhost:10435", "ftp://localhost/", "http://", "http:///x", "http://a b/"),
        *("http://localhost:0/", "http://localhost:70000/", "http://localhost:x/", "http://[::1/", "http://a/?b=c"),
        *("http://a/#b", "http://host\n/", "http://h/\x1b[31m", "http://-\udcff/"),
    ],
)
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not the URL of an exporter; write http://127\.0\.0\.1:10435/"):
        parse_url("URL", text)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(UsageError) as error:
        parse_url("URL", "http://alice:secret@localhost/")
    assert "secret" not in str(error.value)
    assert "--user" in str(error.value)
