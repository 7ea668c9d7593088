"""A web configuration file, its certificates and its users, for the tests of TLS and passwords."""

import json
import os
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import Any

import bcrypt
import trustme
from cryptography import x509

HOST = "127.0.0.1"
USER, PASSWORD = "alice", "in wonder:land"


class WebConfigFiles:
    """A directory that the user of the service can read; a context manager that deletes it.

    It has ``web.yml`` (:attr:`config`), ``cert.pem`` and ``key.pem`` of the server, and ``ca.pem``, which signs them.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="copy-exporter-"))
        self.directory.chmod(0o755)
        self.authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.authority.cert_pem.write_to_path(self / "ca.pem")
        self.issue_server_certificate()
        self.config = self / "web.yml"

    def __enter__(self) -> "WebConfigFiles":
        return self

    def __exit__(self, *problem: object) -> None:
        shutil.rmtree(self.directory)

    def __truediv__(self, name: str) -> Path:
        return self.directory / name

    def issue_server_certificate(self) -> int:
        """Write a new certificate, then its key. Returns the serial number of the certificate."""
        issued = self.authority.issue_cert(HOST, key_type=trustme.KeyType.ECDSA)
        (self / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        (self / "key.pem").write_bytes(issued.private_key_pem.bytes())
        return serial_number(ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode()))

    def issue_client_certificate(self, name: str, authority: trustme.CA | None = None) -> Path:
        """A file with certificate and key for a client with this subject alternative name."""
        path = self / f"client-{name}.pem"
        issued = (authority or self.authority).issue_cert(name, key_type=trustme.KeyType.ECDSA)
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def write_config(
        self, users: dict[str, str] | None = None, headers: dict[str, str] | None = None, **tls: Any
    ) -> Path:
        """Replace ``web.yml`` atomically, with these users and passwords, headers, and TLS settings."""
        content = {
            "tls_server_config": {"cert_file": "cert.pem", "key_file": "key.pem", **tls},
            "basic_auth_users": {name: bcrypt_hash(password, 4) for name, password in (users or {}).items()},
            "http_server_config": {"headers": headers or {}},
        }
        new = self / "new.yml"
        new.write_text(json.dumps(content))  # JSON is YAML
        os.replace(new, self.config)
        return self.config

    def client_context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """A context that trusts the authority, and presents this certificate."""
        context = ssl.create_default_context(cafile=str(self / "ca.pem"))
        if certificate:
            context.load_cert_chain(certificate)
        return context

    def client_options(self, certificate: Path | None = None) -> dict[str, Any]:
        """Options of :class:`httpx.Client` with the correct user and password."""
        return {"verify": self.client_context(certificate), "auth": (USER, PASSWORD)}


def bcrypt_hash(password: str, cost: int) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def serial_number(certificate: bytes) -> int:
    """Of a certificate in DER."""
    return x509.load_der_x509_certificate(certificate).serial_number
