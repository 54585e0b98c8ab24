"""The certificate that clients see (``listen.tls``): judged, and made for a first try.

It is no OPC UA certificate: browsers want names in the SubjectAltName and a use as TLS server
(RFC 9525, RFC 5280 4.2.1.12), and no authority's rights in a certificate that is none.
"""

import ipaddress
import socket
from typing import List, NamedTuple, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import certificates

#: Days before its end from which on the certificate is warned of.
WARN_DAYS = 14
#: Lifetime of a certificate that is made here, in days.
LIFETIME_DAYS = 365


class Notices(NamedTuple):
    """What there is to say of a certificate: what it is, what is urgent, what is advice."""

    title: str
    urgent: Sequence[str] = ()
    advice: Sequence[str] = ()


def judge(pem: bytes) -> Notices:
    """What there is to say of the first certificate in *pem*, with what to do about it.

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
    """The names that clients may have for this machine, which listens on *host*."""
    names = [socket.gethostname(), "localhost", "127.0.0.1", "::1"]
    try:
        wildcard = ipaddress.ip_address(host.split("%")[0]).is_unspecified
    except ValueError:
        wildcard = not host
    if not wildcard:
        names.insert(0, host.split("%")[0])
    return list(dict.fromkeys(names))


def create(certificate_path: str, key_path: str, hosts: Sequence[str]) -> x509.Certificate:
    """Make a self-signed certificate for a TLS server that is called by *hosts*: ECDSA P-256,
    SHA-256, one year; PEM.  The key's file can be read by its owner only (on Windows: by whom the
    directory lets).

    Raises :exc:`~opcws.model.errors.PlantError` if a host is none or a file cannot be written.
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
