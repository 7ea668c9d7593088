"""SSL contexts made from ``tls_server_config``."""

import ssl
from typing import Any

from exporter.web.web_config import TlsServerConfig, config_error

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
# Go's names (crypto/tls.CipherSuites) and OpenSSL's. Go accepts the names of TLS 1.3 suites and ignores them.
_SUITES = {
    "TLS_AES_128_GCM_SHA256": "",
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}


def make_context(path: str, tls: TlsServerConfig) -> ssl.SSLContext | None:
    """The context for a section of the file at ``path``; None for plain HTTP. Raises :class:`UsageError`."""
    if not tls.enabled:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    context.set_alpn_protocols(["http/1.1"])
    _choose_ciphers(context, path, tls)
    _load_certificate(context, path, tls)
    if tls.requests_client_certificates:
        _load_client_ca(context, path, tls)
    if tls.client_allowed_sans is not None:
        context.sslobject_class = _sslobject_class(frozenset(tls.client_allowed_sans))
    return context


def _choose_ciphers(context: ssl.SSLContext, path: str, tls: TlsServerConfig) -> None:
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    unknown = [name for name in tls.cipher_suites if name not in _SUITES]
    if unknown:
        raise config_error(path, f"tls_server_config.cipher_suites: {unknown[0]} is not one of {', '.join(_SUITES)}")
    chosen = [_SUITES[name] for name in tls.cipher_suites if _SUITES[name]]
    if chosen:
        context.set_ciphers(":".join(chosen))
    for curve in tls.curve_preferences:
        context.set_ecdh_curve(_CURVES[curve])


def _load_certificate(context: ssl.SSLContext, path: str, tls: TlsServerConfig) -> None:
    for key in ("cert_file", "key_file"):
        _check_readable(path, key, getattr(tls, key))
    try:
        # With an empty passphrase OpenSSL does not ask for one on the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except ssl.SSLError as error:
        raise config_error(
            path,
            f"tls_server_config: {tls.cert_file} and {tls.key_file} are not a certificate and its private key: {error}",
        ) from None


def _load_client_ca(context: ssl.SSLContext, path: str, tls: TlsServerConfig) -> None:
    _check_readable(path, "client_ca_file", tls.client_ca_file)
    required = tls.client_auth_type == "RequireAndVerifyClientCert"
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    try:
        context.load_verify_locations(cafile=tls.client_ca_file)
    except ssl.SSLError as error:
        raise config_error(
            path, f"tls_server_config.client_ca_file={tls.client_ca_file} does not contain certificates: {error}"
        ) from None


def _check_readable(path: str, key: str, file: str) -> None:
    try:
        with open(file, "rb"):
            pass
    except PermissionError:
        raise config_error(
            path,
            f"tls_server_config.{key}={file} cannot be read by the user of the service; "
            "give --user read access, or use --capabilities.keep CAP_DAC_READ_SEARCH",
        ) from None
    except OSError as error:
        raise config_error(
            path, f"tls_server_config.{key}={file} cannot be read: {(error.strerror or '').lower()}"
        ) from None


def _sslobject_class(allowed_sans: frozenset[str]) -> type[ssl.SSLObject]:
    """A class whose handshake fails unless a subject alternative name of the client's certificate is allowed."""

    class SanCheckingSSLObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            certificate: dict[str, Any] = self.getpeercert() or {}
            if not any(value in allowed_sans for _, value in certificate.get("subjectAltName", ())):
                raise ssl.SSLCertVerificationError(
                    "no subject alternative name of the client certificate is in client_allowed_sans"
                )

    return SanCheckingSSLObject
