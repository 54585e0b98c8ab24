"""URL and credentials of a client, checked before it connects."""

import base64
import os
import ssl
from typing import List, NamedTuple, Optional, Tuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from .errors import AddressError

DEFAULT_URL = "ws://127.0.0.1:8081/"
DEFAULT_PORT = 8081

_SCHEMES = {"ws": False, "wss": True, "http": False, "https": True}


class Address(NamedTuple):
    """A parsed URL.  *target* is path and query, *url* the whole, for messages."""

    secure: bool
    host: str
    port: int
    target: str
    url: str

    @property
    def cannot(self) -> str:
        """Beginning of a sentence about a failed connection."""
        return "cannot connect to %s: " % self.url

    @property
    def host_header(self) -> str:
        """RFC 9110 7.2."""
        host = "[%s]" % self.host if ":" in self.host else self.host
        usual = self.port == (443 if self.secure else 80)
        return host if usual else "%s:%d" % (host, self.port)


def parse(text: str) -> Address:
    """*text* as an address: a URL (``ws``, ``wss``, ``http``, ``https``), or just ``HOST[:PORT]``.
    The connection always uses the dialect *typed*.

    Raises :exc:`AddressError`.
    """
    given = text.strip()
    bare = "://" not in given
    try:
        parts = urlsplit("ws://" + given if bare else given)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise _wrong(given, "%s" % error) from None
    if parts.scheme == "opc.tcp":
        raise _wrong(given, "opc.tcp:// is an OPC UA server; a client talks to opcws instead")
    if parts.scheme not in _SCHEMES:
        raise _wrong(given, "%s:// is not known" % parts.scheme)
    if not host:
        raise _wrong(given, "the host is missing")
    if port == 0:
        raise _wrong(given, "nothing can listen on port 0")
    if parts.username is not None:
        raise AddressError(
            "leave user and password out of the address, which ends up in logs and lists of "
            "processes; give them on their own"
        )
    try:
        host.encode("ascii" if ":" in host else "idna")
        given.encode("utf-8")
    except UnicodeError:
        raise _wrong(given, "%s is no host name" % host) from None
    secure = _SCHEMES[parts.scheme]
    if port is None:
        port = DEFAULT_PORT if bare else 443 if secure else 80
    query = [pair for pair in parse_qsl(parts.query, True) if pair[0] != "scalars"]
    target = "%s?%s" % (
        quote(parts.path or "/", safe="/%:@!$&'()*+,;=~"),
        urlencode([*query, ("scalars", "typed")]),
    )
    shown = "[%s]" % host if ":" in host else host
    url = "%s://%s:%d%s" % ("wss" if secure else "ws", shown, port, parts.path or "/")
    return Address(secure, host, port, target, url)


def _wrong(given: str, why: str) -> AddressError:
    return AddressError(
        "%r is no address of opcws: %s; write it like ws://HOST:8081/ or wss://HOST:8081/"
        % (given, why)
    )


def credential(
    token: Optional[str] = None, user: Optional[str] = None, password: Optional[str] = None
) -> List[Tuple[bytes, bytes]]:
    """``Authorization`` of RFC 6750 or RFC 7617; nothing without a credential.

    Raises :exc:`AddressError`.
    """
    if token is not None:
        if user is not None:
            raise AddressError("give a token, or user and password, not both")
        # A file or 'echo' adds a line end.
        token = token.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise AddressError("this is not a token; perhaps it was not copied completely")
        return [(b"Authorization", b"Bearer " + token.encode("ascii"))]
    if user is None:
        return []
    if ":" in user:
        raise AddressError("a user name must not contain a colon")
    pair = "%s:%s" % (user, password or "")
    return [(b"Authorization", b"Basic " + base64.b64encode(pair.encode("utf-8")))]


def tls_context(
    ca_file: Optional[str], certificate: Optional[str], key: Optional[str], verify: bool
) -> ssl.SSLContext:
    """TLS 1.2 or later.  *ca_file*: PEM file with the authorities to trust, instead of those of the
    system.

    Raises :exc:`AddressError` for files that cannot be used.
    """
    for path in (ca_file, certificate, key):
        if path is not None and not os.path.isfile(path):
            raise AddressError("there is no file %s" % path)
    if key is not None and certificate is None:
        raise AddressError("a key without its certificate; give both files")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise AddressError(
            "%s holds no certificates in PEM (%s)" % (ca_file, short(error))
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        try:
            # Do not ask for a passphrase: there may be nobody to answer.
            context.load_cert_chain(certificate, key, password="")
        except (ssl.SSLError, OSError) as error:
            raise AddressError(
                "the client's certificate %s cannot be used with the key %s (%s); both must be "
                "PEM, the key without a passphrase" % (certificate, key or "in it", short(error))
            ) from None
    return context


def short(error: OSError) -> str:
    """The error text of OpenSSL or the operating system, shortened."""
    return (getattr(error, "reason", None) or error.strerror or str(error)).replace("_", " ")
