"""A directory with certificates, a key, users and the file of --web.config.file: readable for the service's user."""

import json
import os
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import Any

import bcrypt
import trustme

HOST = "127.0.0.1"
USER, PASSWORD = "alice", "in wonder:land"


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


class Secrets:
    """``web.yml`` asks for what it is told to; certificates come from an authority of its own."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="copy-exporter-"))
        self.directory.chmod(0o755)
        self.authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.authority.cert_pem.write_to_path(self / "ca.pem")
        self.issue()
        self.config = self / "web.yml"

    def __truediv__(self, name: str) -> Path:
        return self.directory / name

    def issue(self, authority: trustme.CA | None = None) -> int:
        """Write a new server certificate, then its key; the certificate's serial number."""
        issued = (authority or self.authority).issue_cert(HOST, key_type=trustme.KeyType.ECDSA)
        (self / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        (self / "key.pem").write_bytes(issued.private_key_pem.bytes())
        return serial(ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode()))

    def client_certificate(self, name: str, authority: trustme.CA | None = None) -> Path:
        """A file with certificate and key for a client of this name."""
        path = self / f"client-{name}.pem"
        issued = (authority or self.authority).issue_cert(name, key_type=trustme.KeyType.ECDSA)
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def write(self, users: dict[str, str] | None = None, headers: dict[str, str] | None = None, **tls: Any) -> Path:
        """Ask for these users by password, headers, and TLS with these settings; replaces the file at once."""
        content = {
            "tls_server_config": {"cert_file": "cert.pem", "key_file": "key.pem", **tls},
            "basic_auth_users": {name: hashed(password) for name, password in (users or {}).items()},
            "http_server_config": {"headers": headers or {}},
        }
        new = self / "new.yml"
        new.write_text(json.dumps(content))  # JSON is YAML
        os.replace(new, self.config)
        return self.config

    def context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """How a client that trusts the authority connects."""
        context = ssl.create_default_context(cafile=str(self / "ca.pem"))
        if certificate:
            context.load_cert_chain(certificate)
        return context

    def client(self, certificate: Path | None = None) -> dict[str, Any]:
        """Options of a :class:`ExporterProcess`, for the right client."""
        return {"verify": self.context(certificate), "auth": (USER, PASSWORD)}

    def close(self) -> None:
        shutil.rmtree(self.directory)


def serial(certificate: bytes) -> int:
    from cryptography import x509

    return x509.load_der_x509_certificate(certificate).serial_number
