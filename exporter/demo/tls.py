"""TLS 1.2 with AES-256-GCM as on a broker, but without certificates (anonymous Diffie-Hellman): for loopback only."""

import socket
import ssl
from pathlib import Path

_CIPHER = "ADH-AES256-GCM-SHA384:@SECLEVEL=0"
_GROUP = Path(__file__).with_name("ffdhe2048.pem")  # RFC 7919, appendix A.1


def client(connection: socket.socket) -> ssl.SSLSocket:
    """Perform the handshake as the client."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def server(connection: socket.socket) -> ssl.SSLSocket:
    """Perform the handshake as the server."""
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    context.load_dh_params(str(_GROUP))
    return context.wrap_socket(connection, server_side=True)


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # 1.3 has no anonymous key exchange
    context.set_ciphers(_CIPHER)
    return context
