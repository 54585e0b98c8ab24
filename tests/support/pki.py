"""Certificates for the tests: self-signed, issued by an authority, wrong in every way."""

import functools
import ipaddress
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from opcws.x509.certificates import key_text, key_usage

#: Extensions with whether they are critical.
Extensions = Sequence[Tuple[x509.ExtensionType, bool]]

URI = "urn:test:secured"
HOSTS = ("127.0.0.1", "localhost")
NOW = datetime.now(timezone.utc)


#: pytest's cache: keys that an earlier run or another process of this run has made.
kept_keys: Optional[Path] = None


@functools.lru_cache(maxsize=None)
def key(name: str = "server", bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key by name: making one takes long, and most tests can share it."""
    file = None if kept_keys is None else kept_keys / ("%s %d.pem" % (name, bits))
    if file is not None and file.exists():
        kept = serialization.load_pem_private_key(file.read_bytes(), None)
        assert isinstance(kept, rsa.RSAPrivateKey)
        return kept
    made = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    if file is not None:
        part = file.with_name("%s %d" % (file.name, os.getpid()))
        part.write_bytes(key_text(made))
        os.replace(str(part), str(file))
    return made


class Made(NamedTuple):
    """A certificate with its key and, after :meth:`save`, their files."""

    certificate: x509.Certificate
    key: Any
    certificate_path: str = ""
    key_path: str = ""

    def save(self, directory: Path, name: str) -> "Made":
        directory.mkdir(parents=True, exist_ok=True)
        certificate_path, key_path = directory / (name + ".der"), directory / (name + ".pem")
        certificate_path.write_bytes(self.der)
        key_path.write_bytes(key_text(self.key))
        return self._replace(certificate_path=str(certificate_path), key_path=str(key_path))

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def put(self, pki: Path, place: str) -> Path:
        """Put it into ``place/certs`` of a PKI directory."""
        directory = pki / place / "certs"
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / ("%x.der" % self.certificate.serial_number)
        path.write_bytes(self.der)
        return path


def make(
    name: str = "plant",
    uri: Optional[str] = URI,
    hosts: Sequence[str] = HOSTS,
    days: Sequence[float] = (-1, 365),
    issuer: Optional[Made] = None,
    authority: bool = False,
    own_key: Any = None,
    algorithm: Optional[Any] = None,
    server: bool = True,
    signs: bool = True,
    path_length: Optional[int] = None,
    crl_sign: bool = True,
    more: Extensions = (),
) -> Made:
    """A certificate, by default a valid one of a server."""
    own_key = own_key or key("authority " + name if authority else "server")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer is not None else own_key
    names: List[x509.GeneralName] = [] if uri is None else [x509.UniformResourceIdentifier(uri)]
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(own_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
        .add_extension(
            key_usage(
                *(["digital_signature"] if signs else []),
                *("content_commitment", "key_encipherment", "data_encipherment"),
                *(["key_cert_sign"] if authority or issuer is None else []),
                *(["crl_sign"] if authority and crl_sign else []),
            ),
            critical=True,
        )
    )
    if not authority:
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    return Made(builder.sign(signer, algorithm or hashes.SHA256()), own_key)


def authority(name: str = "root", issuer: Optional[Made] = None, **more: Any) -> Made:
    return make(name, None, (), authority=True, issuer=issuer, **more)


def revocation_list(
    issuer: Made,
    revoked: Sequence[Made] = (),
    days: Sequence[float] = (-1, 30),
    signer: Optional[rsa.RSAPrivateKey] = None,
    more: Extensions = (),
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW + timedelta(days=days[0]))
        .next_update(NOW + timedelta(days=days[1]))
    )
    for each in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(each.certificate.serial_number)
            .revocation_date(NOW)
            .build()
        )
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer or issuer.key, hashes.SHA256()).public_bytes(
        serialization.Encoding.DER
    )


def put_list(pki: Path, data: bytes, place: str = "trusted", name: str = "list") -> None:
    directory = pki / place / "crl"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / (name + ".crl")).write_bytes(data)
