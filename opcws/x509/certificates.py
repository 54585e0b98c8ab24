"""X.509 certificates (OPC 10000-6 6.2): reads and describes them, and makes our own.

Certificates come as DER or PEM; the content shows which, never the file name.  A certificate is
named by its thumbprint, the SHA-1 of its DER form, as everywhere in OPC UA (OPC 10000-6 6.2.3);
that is a name, not a proof.

Threads: any; :func:`own_identity` is guarded, because the servers of one configuration share their
directory.
"""

import hashlib
import ipaddress
import os
import re
import socket
import threading
from datetime import datetime, timedelta, timezone
from typing import List, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar, Union

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..model import atomic_file
from ..model.errors import PlantError

#: How many days before its end the warnings about a certificate begin.
WARN_DAYS = 30
#: Lifetime of the certificates made here, in days.
LIFETIME_DAYS = 5 * 365
KEY_BITS = 2048
#: Largest file that is read as a certificate, a key or a revocation list, in bytes.
MAX_FILE_BYTES = 16 * 1024 * 1024
#: Most certificates from a server's to its root, and the largest size of each, in bytes.
MAX_CHAIN = 10
MAX_SHOWN_BYTES = 64 * 1024
#: How far the clock of another machine may be ahead of ours.
CLOCK_TOLERANCE = timedelta(minutes=5)

OWN_CERTIFICATE = os.path.join("own", "certs", "opcws.der")
OWN_KEY = os.path.join("own", "private", "opcws.pem")

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
PrivateKey = Union[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]

_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

Extension = TypeVar("Extension", bound=x509.ExtensionType)

# Held while our own certificate is made.
_making = threading.Lock()


class Identity(NamedTuple):
    """A certificate with its private key, and the files that they came from.

    ``made`` is true if they did not exist before.
    """

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    certificate_path: str
    key_path: str
    made: bool = False


def now() -> datetime:
    """The time against which validity is checked."""
    return datetime.now(timezone.utc)


# --- reading -------------------------------------------------------------------------------------


def parse_chain(data: bytes) -> List[x509.Certificate]:
    """The certificates in *data*: PEM, or DER forms one after the other (OPC 10000-6 6.2.6), the
    leaf first.  Raises :exc:`ValueError`."""
    chain: List[x509.Certificate] = []
    try:
        if data.lstrip().startswith(b"-----"):
            chain, data = x509.load_pem_x509_certificates(data), b""
        rest = memoryview(data)
        while rest:
            size = _der_size(rest)
            chain.append(x509.load_der_x509_certificate(bytes(rest[:size])))
            rest = rest[size:]
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None
    if not chain:
        raise ValueError("no certificate in it")
    return chain


def shown_chain(data: Optional[bytes]) -> List[x509.Certificate]:
    """The certificates that a server sends, the leaf first (OPC 10000-6 6.2.6).

    Checks their number and size before it parses any.  Raises :exc:`ValueError`.
    """
    parts: List[bytes] = []
    rest = memoryview(data or b"")
    while rest:
        if len(parts) == MAX_CHAIN:
            raise ValueError("there are more than %d in its chain" % MAX_CHAIN)
        parts.append(_first_shown(rest))
        rest = rest[len(parts[-1]) :]
    return parse_chain(b"".join(parts))


def leaf_of(data: Optional[bytes]) -> Optional[x509.Certificate]:
    """The first certificate that a server sends; ``None`` if it cannot be read or is missing."""
    try:
        return parse_chain(_first_shown(memoryview(data or b"")))[0]
    except ValueError:
        return None


def _first_shown(data: memoryview) -> bytes:
    size = _der_size(data)
    if size > MAX_SHOWN_BYTES:
        raise ValueError("it has %d bytes, more than any certificate" % size)
    return bytes(data[:size])


def _der_size(data: Union[bytes, memoryview]) -> int:
    """Length of the DER element at the beginning of *data*."""
    if len(data) < 2 or data[0] != 0x30:
        raise ValueError("neither PEM nor DER")
    count = data[1] & 0x7F if data[1] & 0x80 else 0
    size = int.from_bytes(data[2 : 2 + count], "big") if count else data[1]
    if count > 4 or 2 + count + size > len(data):
        raise ValueError("the DER form is cut off")
    return 2 + count + size


def read_file(path: str, what: str) -> bytes:
    """The bytes of the file *path*, which holds *what*.

    Raises :exc:`~opcws.model.errors.PlantError` BadConfigurationError.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _file_error(path, what, getattr(error, "strerror", None) or str(error)) from None
    if len(data) > MAX_FILE_BYTES:
        raise _file_error(path, what, "it is larger than any such file")
    return data


def load_certificate(path: str, what: str) -> x509.Certificate:
    """The (first) certificate in the file *path*.  Raises :exc:`~opcws.model.errors.PlantError`."""
    try:
        return parse_chain(read_file(path, what))[0]
    except ValueError as error:
        raise _file_error(path, what, "no certificate in PEM or DER: %s" % error) from None


def load_key(path: str, what: str) -> rsa.RSAPrivateKey:
    """The RSA key, without a passphrase, in the file *path*.

    Raises :exc:`~opcws.model.errors.PlantError`.
    """
    data = read_file(path, what)
    pem = data.lstrip().startswith(b"-----")
    load = serialization.load_pem_private_key if pem else serialization.load_der_private_key
    try:
        key = load(data, password=None)
    except TypeError:
        raise _file_error(path, what, "it is encrypted; store it without a passphrase") from None
    except ValueError as error:
        raise _file_error(path, what, "no private key in PEM or DER: %s" % error) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _file_error(
            path, what, "it is not an RSA key; the supported policies of OPC UA need one"
        )
    return key


def load_identity(certificate_path: str, key_path: str, what: str) -> Identity:
    """The certificate and the key that belongs to it.

    Raises :exc:`~opcws.model.errors.PlantError`, also if the two do not belong together.
    """
    certificate = load_certificate(certificate_path, what)
    key = load_key(key_path, "the private key of " + what)
    if not rsa_bits(certificate) or certificate.public_key() != key.public_key():
        raise PlantError(
            "%s and %s do not belong together; name the key that the certificate was made with"
            % (certificate_path, key_path),
            "BadConfigurationError",
        )
    return Identity(certificate, key, certificate_path, key_path)


def _file_error(path: str, what: str, reason: str) -> PlantError:
    return PlantError(
        "%s cannot be read from %s: %s" % (what, path, reason), "BadConfigurationError"
    )


# --- telling -------------------------------------------------------------------------------------


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the DER form, forty hexadecimal digits."""
    return hashlib.sha1(der(certificate)).hexdigest().upper()


def rsa_bits(certificate: x509.Certificate) -> int:
    """Length of the RSA key; 0 for a key that is not RSA or cannot be read."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return 0
    return key.key_size if isinstance(key, rsa.RSAPublicKey) else 0


def is_signed_by(
    thing: Union[x509.Certificate, x509.CertificateRevocationList], issuer: x509.Certificate
) -> bool:
    """Whether *thing* names *issuer* and was signed with its key.

    With any hash: ``verify_directly_issued_by`` and ``is_signature_valid`` reject SHA-1, which
    deprecated security policies allow.
    """
    if thing.issuer != issuer.subject:
        return False
    signed = (
        thing.tbs_certificate_bytes
        if isinstance(thing, x509.Certificate)
        else thing.tbs_certlist_bytes
    )
    try:
        key, how = issuer.public_key(), thing.signature_algorithm_parameters
        algorithm = thing.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and isinstance(how, (padding.PKCS1v15, padding.PSS)):
            if algorithm is None:
                return False
            key.verify(thing.signature, signed, how, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
            key.verify(thing.signature, signed, how)
        else:
            return False
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def extensions(
    thing: Union[x509.Certificate, x509.CertificateRevocationList],
) -> x509.Extensions:
    """The extensions of a certificate or a revocation list.

    Raises :exc:`ValueError` if they cannot be read.
    """
    try:
        return thing.extensions
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from None


def extension(
    thing: Union[x509.Certificate, x509.CertificateRevocationList], kind: Type[Extension]
) -> Optional[Extension]:
    """The extension of that kind, or ``None``.

    Raises :exc:`ValueError` if the extensions cannot be read.
    """
    try:
        return extensions(thing).get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def name_text(name: x509.Name) -> str:
    """*name* for people, always on one line."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", name.rfc4514_string()) or "no name"


def title(certificate: x509.Certificate) -> str:
    """Subject and thumbprint of a certificate, on one line."""
    return '"%s" (SHA-1 %s)' % (name_text(certificate.subject), thumbprint(certificate))


def file_name(certificate: x509.Certificate) -> str:
    """A file name that a person recognizes and that is different for each certificate."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(common[0].value) if common else "certificate"
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")[:60] or "certificate"
    return "%s-%s.der" % (safe, thumbprint(certificate))


def alternative_names(
    certificate: x509.Certificate,
) -> Tuple[List[str], List[str], List[Address]]:
    """The URIs, DNS names and IP addresses of the SubjectAltName; empty lists without it."""
    try:
        names = extension(certificate, x509.SubjectAlternativeName)
    except ValueError:
        names = None
    if names is None:
        return [], [], []
    return (
        list(names.get_values_for_type(x509.UniformResourceIdentifier)),
        list(names.get_values_for_type(x509.DNSName)),
        [
            each
            for each in names.get_values_for_type(x509.IPAddress)
            if isinstance(each, (ipaddress.IPv4Address, ipaddress.IPv6Address))
        ],
    )


def application_uri(certificate: x509.Certificate) -> Optional[str]:
    """The ApplicationUri (OPC 10000-6 6.2.2): the first URI of the SubjectAltName."""
    uris = alternative_names(certificate)[0]
    return uris[0] if uris else None


def expiry_notice(
    certificate: x509.Certificate, whose: str, advice: str, days: float = WARN_DAYS
) -> Optional[str]:
    """A sentence that warns of the certificate's end, or ``None`` if that is more than *days*
    away."""
    left = certificate.not_valid_after_utc - now()
    if left > timedelta(days=days):
        return None
    day = certificate.not_valid_after_utc.strftime("%Y-%m-%d")
    if left < timedelta(0):
        return "%s %s expired on %s; %s" % (whose, title(certificate), day, advice)
    return "%s %s expires on %s, in %d days; %s" % (
        whose,
        title(certificate),
        day,
        left.days,
        advice,
    )


def describe(certificate: x509.Certificate) -> List[str]:
    """The facts about a certificate that people need, one per line."""
    uris, names, addresses = alternative_names(certificate)
    bits = rsa_bits(certificate)
    algorithm = certificate.signature_hash_algorithm
    return [
        "Subject:         " + name_text(certificate.subject),
        "Issuer:          "
        + (
            "itself" if certificate.issuer == certificate.subject else name_text(certificate.issuer)
        ),
        "ApplicationUri:  " + (", ".join(uris) or "none"),
        "Host names:      " + (", ".join([*names, *map(str, addresses)]) or "none"),
        "Valid:           %s to %s"
        % (
            certificate.not_valid_before_utc.strftime("%Y-%m-%d %H:%M UTC"),
            certificate.not_valid_after_utc.strftime("%Y-%m-%d %H:%M UTC"),
        ),
        "Key, signature:  %s, %s"
        % (
            "RSA %d bits" % bits if bits else "not RSA",
            algorithm.name if algorithm is not None else "unknown",
        ),
        "Thumbprint:      " + thumbprint(certificate),
        "SHA-256:         " + hashlib.sha256(der(certificate)).hexdigest().upper(),
    ]


# --- our own -------------------------------------------------------------------------------------


def own_paths(directory: str) -> Tuple[str, str]:
    """The paths of our certificate and its key in the PKI directory *directory*."""
    return os.path.join(directory, OWN_CERTIFICATE), os.path.join(directory, OWN_KEY)


def own_identity(directory: str, uri: str) -> Identity:
    """Our certificate in the PKI directory *directory*; it is made with *uri* if it is missing.

    Raises :exc:`~opcws.model.errors.PlantError`.
    """
    certificate_path, key_path = own_paths(directory)
    with _making:
        if not os.path.exists(certificate_path):
            return create(directory, uri)
        return load_identity(certificate_path, key_path, "the certificate of opcws")


def create(directory: str, uri: str, hosts: Sequence[str] = ()) -> Identity:
    """Make our self-signed application instance certificate (OPC 10000-6 6.2.2): RSA 2048 bits,
    SHA-256, five years, the ApplicationUri *uri*, the names *hosts* (if empty: this machine's).

    An existing key is used; an existing certificate is replaced.  Only the owner can read the key's
    file (on Windows the directory's permissions apply).  Raises
    :exc:`~opcws.model.errors.PlantError` if a file cannot be written.
    """
    certificate_path, key_path = own_paths(directory)
    if os.path.exists(key_path):
        key = load_key(key_path, "the private key of opcws")
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        write_file(key_path, key_text(key), private=True)
    certificate = _self_signed(key, uri, hosts or [socket.gethostname()])
    write_file(certificate_path, der(certificate))
    return Identity(certificate, key, certificate_path, key_path, True)


def _self_signed(key: rsa.RSAPrivateKey, uri: str, hosts: Sequence[str]) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "opcws on %s" % hosts[0][:50]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "opcws"),
        ]
    )
    return issued_to_itself(
        name,
        key,
        LIFETIME_DAYS,
        [x509.UniformResourceIdentifier(uri), *map(general_name, hosts)],
        # As OPC 10000-6 6.2.2 requires; key_cert_sign, because it is self-signed.
        key_usage(
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_cert_sign",
        ),
        [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
    )


def issued_to_itself(
    name: x509.Name,
    key: PrivateKey,
    days: int,
    names: Sequence[x509.GeneralName],
    usage: x509.KeyUsage,
    purposes: Sequence[x509.ObjectIdentifier],
) -> x509.Certificate:
    """A certificate signed with its own *key*: valid for *days*, from an hour ago, so that it is
    already valid for a peer whose clock is a little slow."""
    made_at, public = now().replace(microsecond=0), key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(made_at - timedelta(hours=1))
        .not_valid_after(made_at + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def key_usage(*purposes: str) -> x509.KeyUsage:
    """The extension (RFC 5280 4.2.1.3) that names *purposes* and no other."""
    return x509.KeyUsage(**{name: name in purposes for name in _KEY_USAGES})


def key_text(key: PrivateKey) -> bytes:
    """*key* as PEM, without a passphrase."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def general_name(host: str) -> x509.GeneralName:
    """*host* for a SubjectAltName.  Raises :exc:`~opcws.model.errors.PlantError`."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host.encode("idna").decode("ascii"))
    except UnicodeError:
        raise PlantError(
            "%r is neither a host name nor an IP address" % host, "BadConfigurationError"
        ) from None


def write_file(path: str, data: bytes, private: bool = False, shared: bool = False) -> None:
    """Write *data* to *path*, all or nothing.  Only the owner can read a *private* file and its
    directory, or only the file if the directory is *shared* with other files.

    Raises :exc:`~opcws.model.errors.PlantError`.
    """
    directory = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(directory, exist_ok=True)
        if private and not shared:
            os.chmod(directory, 0o700)
        with atomic_file.replacing(path) as file:
            file.write(data)
            if not private:
                os.chmod(file.name, 0o644)
    except OSError as error:
        raise PlantError(
            "cannot write %s: %s; let opcws write there, or put the file there yourself"
            % (path, error.strerror or error),
            "BadConfigurationError",
        ) from None
