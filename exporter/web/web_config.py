"""Parses ``--web.config.file``, in the format of Prometheus and its exporters (exporter-toolkit)."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from exporter.errors import UsageError

FLAG = "--web.config.file"
_BCRYPT = re.compile(r"\$2[abxy]?\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
UNSUPPORTED_KEYS = {
    "cert": "inline certificates are not supported; use cert_file",
    "key": "inline keys are not supported; use key_file",
    "client_ca": "inline certificates are not supported; use client_ca_file",
    "rate_limit": "not supported; --web.max-requests limits scrapes",
}

_SECTION = "must be a section: keys with values, one per line and indented"
_PROBLEMS = {
    "string_type": "must be text; put a number, a date, yes or no in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list, like [a, b]",
    "dict_type": _SECTION,
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
}
"""What is wrong, by pydantic's type of error."""
Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


def _bcrypt_hash(value: str) -> str:
    if not _BCRYPT.fullmatch(value):
        raise ValueError("is not a bcrypt hash; create one with htpasswd -nBC 10 USER (Debian package apache2-utils)")
    return value


def _header_value(value: str) -> str:
    if not value.isprintable() or not value.isascii():
        raise ValueError("contains characters that are not allowed in a header")
    return value


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsServerConfig(_Section):
    """``tls_server_config``."""

    cert_file: str = ""
    key_file: str = ""
    client_auth_type: Literal["", "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] = ""
    client_ca_file: str = ""
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[Literal["CurveP256", "CurveP384", "CurveP521", "X25519"], ...] = ()

    @property
    def requests_client_certificates(self) -> bool:
        """Whether clients may or must present a certificate."""
        return self.client_auth_type not in ("", "NoClientCert")

    @property
    def enabled(self) -> bool:
        """Whether TLS is on. A section that sets only versions or ciphers does not turn it on."""
        return bool(self.cert_file or self.key_file or self.client_ca_file or self.client_auth_type)

    @model_validator(mode="after")
    def _check(self) -> "TlsServerConfig":
        if self.enabled and not (self.cert_file and self.key_file):
            raise ValueError("cert_file and key_file must both be set")
        if self.requests_client_certificates and not self.client_ca_file:
            raise ValueError(f"client_auth_type: {self.client_auth_type} needs client_ca_file")
        if self.client_ca_file and not self.requests_client_certificates:
            raise ValueError(
                "client_ca_file needs client_auth_type: RequireAndVerifyClientCert or VerifyClientCertIfGiven"
            )
        if self.client_allowed_sans is not None and self.client_auth_type != "RequireAndVerifyClientCert":
            raise ValueError("client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert")
        if len(self.curve_preferences) > 1:
            raise ValueError("curve_preferences: only one curve is supported")
        if self.min_version > self.max_version:
            raise ValueError("min_version is greater than max_version")
        return self


class HttpServerConfig(_Section):
    """``http_server_config``. ``http2`` has no effect: only HTTP/1.1 is supported."""

    http2: bool = False
    headers: dict[
        Literal[
            "Content-Security-Policy",
            "Strict-Transport-Security",
            "X-Content-Type-Options",
            "X-Frame-Options",
            "X-XSS-Protection",
        ],
        Annotated[str, AfterValidator(_header_value)],
    ] = Field(default_factory=dict)


class WebConfigFile(_Section):
    """The content of the whole file."""

    tls_server_config: TlsServerConfig = TlsServerConfig()
    http_server_config: HttpServerConfig = HttpServerConfig()
    basic_auth_users: dict[str, Annotated[str, AfterValidator(_bcrypt_hash)]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _drop_null(cls, content: Any) -> Any:
        """Treat a key without a value as absent, as exporter-toolkit does."""
        if isinstance(content, dict):
            return {key: value for key, value in content.items() if value is not None}
        return {} if content is None else content


def parse(path: str) -> WebConfigFile:
    """Read the file and resolve paths in it relative to its directory. Raises :class:`UsageError`."""
    try:
        parsed = WebConfigFile.model_validate(yaml.safe_load(Path(path).read_bytes()))
    except OSError as error:
        raise config_error(path, f"cannot be read: {(error.strerror or '').lower()}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise config_error(path, f"is not YAML: {error}") from None
    except ValidationError as error:
        raise config_error(path, _describe(error)) from None
    directory = Path(path).parent
    tls = parsed.tls_server_config
    files = {name: getattr(tls, name) for name in ("cert_file", "key_file", "client_ca_file")}
    absolute = {name: str(directory / file) if file else "" for name, file in files.items()}
    return parsed.model_copy(update={"tls_server_config": tls.model_copy(update=absolute)})


def config_error(path: str, problem: str) -> UsageError:
    """The error for a file that cannot be used, on one line."""
    return UsageError(f"{FLAG}={path}: {' '.join(problem.split())}")


def _describe(error: ValidationError) -> str:
    details = error.errors(include_url=False)[0]
    keys = [str(part) for part in details["loc"] if part != "[key]"]
    if details["type"] == "extra_forbidden":
        problem = UNSUPPORTED_KEYS.get(keys[-1], "unknown key; docs/web.md lists the known ones")
    elif details["type"] == "literal_error":
        expected = details["ctx"]["expected"].removeprefix("'', ")
        problem = f"must be {expected}"
    else:
        problem = _PROBLEMS.get(details["type"], details["msg"].removeprefix("Value error, "))
    return f"{'.'.join(keys) or 'the file'}: {problem}"
