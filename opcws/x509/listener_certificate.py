"""The certificate that clients see (``listen.tls``): checks it, and makes one for a first try.

It is not an OPC UA certificate: browsers require names in the SubjectAltName and use as a TLS
server (RFC 9525, RFC 5280 4.2.1.12), and only an authority's certificate may have the rights of an
authority.
"""

import ipaddress
import socket
from typing import List, NamedTuple, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import certificates

#: How many days before its end the warnings about a certificate begin.
WARN_DAYS = 14
#: Lifetime of a certificate made here, in days.
LIFETIME_DAYS = 365


class Notices(NamedTuple):
    """A certificate's title, urgent problems and advice."""

    title: str
    urgent: Sequence[str] = ()
    advice: Sequence[str] = ()


def judge(pem: bytes) -> Notices:
    """The title and problems of the first certificate in *pem*, with what to do about them.

    Raises :exc:`ValueError`.
    """
    certificate = certificates.parse_chain(pem)[0]
    urgent: List[str] = []
    expiry = certificates.expiry_notice(
        certificate,
        "the certificate",
        "replace both files by a new pair; opcws uses it without a restart",
        WARN_DAYS,
    )
    if expiry is not None:
        urgent.append(expiry)
    begin = certificate.not_valid_before_utc
    if begin > certificates.now():
        urgent.append(
            "the certificate is not valid before %s; check the clock of this machine"
            % begin.strftime("%Y-%m-%d %H:%M UTC")
        )
    advice: List[str] = []
    if certificate.issuer == certificate.subject:
        advice.append(
            "the certificate is self-signed, which is enough for a first try: each client must "
            "be told to trust it. For daily use, get one from the authority of your company, and "
            "replace both files; opcws uses them without a restart"
        )
    _uris, names, addresses = certificates.alternative_names(certificate)
    if not names and not addresses:
        advice.append(
            "the certificate names no host (SubjectAltName), so no browser accepts it; get one "
            "with the names that clients use"
        )
    return Notices(certificates.title(certificate), urgent, advice)


def own_names(host: str) -> List[str]:
    """The names that clients may use for this machine, which listens on *host*."""
    names = [socket.gethostname(), "localhost", "127.0.0.1", "::1"]
    try:
        wildcard = ipaddress.ip_address(host.split("%")[0]).is_unspecified
    except ValueError:
        wildcard = not host
    if not wildcard:
        names.insert(0, host.split("%")[0])
    return list(dict.fromkeys(names))


def create(certificate_path: str, key_path: str, hosts: Sequence[str]) -> x509.Certificate:
    """Make a self-signed certificate for a TLS server that clients call by the names *hosts*: ECDSA
    P-256, SHA-256, one year; PEM.  Only the owner can read the key's file (on Windows the
    directory's permissions apply).

    Raises :exc:`~opcws.model.errors.PlantError` if a host is not valid or a file cannot be written.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = certificates.issued_to_itself(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])]),
        key,
        LIFETIME_DAYS,
        [certificates.general_name(host) for host in hosts],
        certificates.key_usage("digital_signature"),
        [ExtendedKeyUsageOID.SERVER_AUTH],
    )
    text = certificates.key_text(key)
    certificates.write_file(key_path, text, private=True, shared=True)
    certificates.write_file(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate
