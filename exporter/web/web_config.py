"""The file of ``--web.config.file``: the format that Prometheus's exporters share (exporter-toolkit)."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from exporter.errors import UsageError

FLAG = "--web.config.file"
_BCRYPT = re.compile(r"\$2[abxy]?\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_UNSUPPORTED = {
    "cert": "certificates in the file itself are not supported; use cert_file",
    "key": "keys in the file itself are not supported; use key_file",
    "client_ca": "certificates in the file itself are not supported; use client_ca_file",
    "rate_limit": "not supported; --web.max-requests limits scrapes",
}

Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


def _bcrypt_hash(value: str) -> str:
    if not _BCRYPT.fullmatch(value):
        raise ValueError("is no bcrypt hash; make one with htpasswd -nBC 10 USER")
    return value


def _header_value(value: str) -> str:
    if not value.isprintable() or not value.isascii():
        raise ValueError("holds characters that a header cannot")
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
    def asks_for_certificates(self) -> bool:
        """Whether clients may or must show one."""
        return self.client_auth_type not in ("", "NoClientCert")

    @property
    def enabled(self) -> bool:
        """Whether this asks for TLS at all: a section that sets limits alone does not."""
        return bool(self.cert_file or self.key_file or self.client_ca_file or self.client_auth_type)

    @model_validator(mode="after")
    def _whole(self) -> "TlsServerConfig":
        if self.enabled and not (self.cert_file and self.key_file):
            raise ValueError("needs both cert_file and key_file")
        if bool(self.client_ca_file) != self.asks_for_certificates:
            raise ValueError("client_ca_file goes with client_auth_type: RequireAndVerifyClientCert")
        if self.client_allowed_sans is not None and self.client_auth_type != "RequireAndVerifyClientCert":
            raise ValueError("client_allowed_sans goes with client_auth_type: RequireAndVerifyClientCert")
        if len(self.curve_preferences) > 1:
            raise ValueError("curve_preferences: only one curve can be set")
        if self.min_version > self.max_version:
            raise ValueError("min_version is above max_version")
        return self


class HttpServerConfig(_Section):
    """``http_server_config``; HTTP/2 is not spoken, whatever ``http2`` says."""

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


class WebFile(_Section):
    """The whole file."""

    tls_server_config: TlsServerConfig = TlsServerConfig()
    http_server_config: HttpServerConfig = HttpServerConfig()
    basic_auth_users: dict[str, Annotated[str, AfterValidator(_bcrypt_hash)]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, given: Any) -> Any:
        """A key without a value is as good as absent, as in the toolkit."""
        if isinstance(given, dict):
            return {key: value for key, value in given.items() if value is not None}
        return {} if given is None else given


def parse(path: str) -> WebFile:
    """Read the file; paths in it come out relative to where it is. Raises :class:`UsageError`."""
    try:
        given = yaml.safe_load(Path(path).read_bytes())
        parsed = WebFile.model_validate(given)
    except OSError as error:
        raise unusable(path, f"cannot be read: {(error.strerror or '').lower()}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise unusable(path, f"is not YAML: {error}") from None
    except ValidationError as error:
        raise unusable(path, _complaint(error)) from None
    directory = Path(path).parent
    tls = parsed.tls_server_config
    files = {name: getattr(tls, name) for name in ("cert_file", "key_file", "client_ca_file")}
    absolute = {name: str(directory / file) if file else "" for name, file in files.items()}
    return parsed.model_copy(update={"tls_server_config": tls.model_copy(update=absolute)})


def unusable(path: str, complaint: str) -> UsageError:
    """The one line for the user."""
    return UsageError(f"{FLAG}={path}: {' '.join(complaint.split())}")


def _complaint(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    where = [str(part) for part in problem["loc"] if part != "[key]"]
    name = where[-1] if where else "file"
    if problem["type"] == "extra_forbidden":
        says = _UNSUPPORTED.get(name, "unknown key; docs/web.md lists those that are known")
    else:
        says = problem["msg"].removeprefix("Value error, ")
    return f"{'.'.join(where) or 'the file'}: {says}"
