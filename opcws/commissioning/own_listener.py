"""Asks a listener of this machine over HTTP what answers there."""

import http.client
import ssl

from ..config.settings import Listen


def host_of(listen: Listen) -> str:
    """The host to reach *listen* from this machine, also if it listens on every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)


def connection_to(listen: Listen, seconds: float) -> http.client.HTTPConnection:
    """A connection to *listen*, not opened yet; each step may take *seconds*."""
    host = host_of(listen)
    if listen.tls is None:
        return http.client.HTTPConnection(host, listen.port, timeout=seconds)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it is this machine, and gets no secret
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, listen.port, timeout=seconds, context=context)
