"""Parsing the file of --web.config.file, and the one-line errors for files that cannot be used."""

from pathlib import Path

import pytest

from exporter.errors import UsageError
from exporter.web import web_config

HASH = "$2y$10$hLqFl9jSjoAAy95Z/zw8Ye8wkdMBM8c5Bn1ptYqP/AXyV0.oy0S8m"


def parsed(tmp_path: Path, text: str) -> web_config.WebConfigFile:
    path = tmp_path / "web.yml"
    path.write_text(text)
    return web_config.parse(str(path))


def test_all_sections(tmp_path):
    text = f"""
        tls_server_config:
          cert_file: a/cert.pem
          key_file: /b/key.pem
          client_auth_type: RequireAndVerifyClientCert
          client_ca_file: ca.pem
          client_allowed_sans: [prometheus.example]
          min_version: TLS13
          max_version: TLS13
          cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
          prefer_server_cipher_suites: false
          curve_preferences: [X25519]
        http_server_config:
          http2: true
          headers: {{X-Frame-Options: deny}}
        basic_auth_users:
          alice: {HASH}
          bob: {HASH}
        """
    file = parsed(tmp_path, text)
    assert file.tls_server_config.cert_file == str(tmp_path / "a/cert.pem"), "relative to the file"
    assert file.tls_server_config.key_file == "/b/key.pem"
    assert file.tls_server_config.client_ca_file == str(tmp_path / "ca.pem")
    assert file.tls_server_config.enabled
    assert file.basic_auth_users == {"alice": HASH, "bob": HASH}


@pytest.mark.parametrize("text", ["", "# nothing\n", "tls_server_config:\nbasic_auth_users:\n", "basic_auth_users: {}"])
def test_empty_sections(tmp_path, text):
    file = parsed(tmp_path, text)
    assert not file.tls_server_config.enabled
    assert file.basic_auth_users == {}


TLS = "tls_server_config: {cert_file: c, key_file: k, "
UNUSABLE = [
    ("tls_server_config: [", "is not YAML"),
    ("- a list", "the file: must be a section: keys with values"),
    ("user: {}", "user: unknown key; docs/web.md"),
    ("tls_server_config: {certfile: x}", "tls_server_config.certfile: unknown key"),
    ("tls_server_config: {cert_file: x}", "tls_server_config: cert_file and key_file must both be set"),
    ("tls_server_config: {client_auth_type: NoClientCert}", "must both be set"),
    (
        "tls_server_config: {cert: x, key_file: y}",
        "cert: inline certificates are not supported; use cert_file",
    ),
    (
        TLS + "min_version: TLS14}",
        "tls_server_config.min_version: must be 'TLS10', 'TLS11', 'TLS12' or 'TLS13'",
    ),
    (TLS + "min_version: TLS13, max_version: TLS12}", "min_version is greater than max_version"),
    (TLS + "client_auth_type: RequireAnyClientCert}", "tls_server_config.client_auth_type: must be 'NoClientCert', "),
    (TLS + "client_auth_type: RequireAndVerifyClientCert}", "RequireAndVerifyClientCert needs client_ca_file"),
    (TLS + "client_ca_file: ca}", "client_ca_file needs client_auth_type: RequireAndVerifyClientCert or Verify"),
    (TLS + "client_allowed_sans: [a]}", "client_allowed_sans needs client_auth_type"),
    (TLS + "curve_preferences: [X25519, CurveP256]}", "curve_preferences: only one curve"),
    ("basic_auth_users: {alice: secret}", "basic_auth_users.alice: is not a bcrypt hash; create one with htpasswd"),
    ("basic_auth_users: {alice: 7}", "basic_auth_users.alice: must be text; put a number"),
    (
        "http_server_config: {headers: {Server: x}}",
        "http_server_config.headers.Server: must be 'Content-Security-Policy'",
    ),
    ('http_server_config: {headers: {X-Frame-Options: "a\\r\\nb"}}', "characters that are not allowed in a header"),
    ("rate_limit: {burst: 1}", "rate_limit: not supported; --web.max-requests"),
]


@pytest.mark.parametrize(("text", "problem"), UNUSABLE)
def test_unusable_files(tmp_path, text, problem):
    with pytest.raises(UsageError) as caught:
        parsed(tmp_path, text)
    line = str(caught.value)
    assert line.startswith(f"--web.config.file={tmp_path}/web.yml: ")
    assert problem in line
    assert "secret" not in line, "a value that may be a password is not logged"


@pytest.mark.parametrize("wrong", ["12", "2026-11-26", "[a]", "{a: b}", "text", "{3: x}", "[3]"])
def test_no_error_has_the_words_of_the_library(tmp_path, wrong):
    """Each key of each section with each type of value."""
    sections = {name: field.annotation for name, field in web_config.WebConfigFile.model_fields.items()}
    texts = [f"{name}: {wrong}" for name in sections] + [
        wrong,
        f"http_server_config: {{headers: {{X-Frame-Options: {wrong}}}}}",
    ]
    for name, section in sections.items():
        texts += [f"{name}: {{{key}: {wrong}}}" for key in getattr(section, "model_fields", ["alice"])]
    problems = []
    for text in texts:
        try:
            parsed(tmp_path, text)
        except UsageError as error:
            problems.append(str(error))
    assert len(problems) > 5
    assert [problem for problem in problems if "Input" in problem or "valid " in problem or "pydantic" in problem] == []


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        web_config.parse(str(tmp_path / "none.yml"))
