"""Verifies the certificate of an OPC UA server (OPC 10000-4 6.1.3).

A PKI directory has this layout, as in OPC 10000-12 and most products::

    trusted/certs   certificates that are trusted: servers, or authorities for all they issued
    trusted/crl     the revocation lists of those authorities
    issuers/certs   authorities that only complete a chain and are not trusted themselves
    issuers/crl     their revocation lists
    rejected/certs  where opcws puts what it did not trust, for a person to look at and to move
    own/certs       the certificate of opcws        own/private   its key

It is read again for every connection, so moving a file has an effect at the next attempt.

Rules:

* Nothing is trusted by accident: a certificate is refused if anything cannot be checked.
* This module finds the paths from the server's certificate to a root, and whether they contain a
  trusted one, as OPC UA requires; ``x509.path_validation`` checks a path by RFC 5280.  One valid
  path is enough.
* Every refusal says what is wrong and which file or setting to change.
* A server cannot fill the disk: ``rejected/certs`` has a limited number of files.

Threads: any; the files are the only state.
"""

import contextlib
import ipaddress
import itertools
import logging
import os
import socket
import threading
from functools import partial
from typing import Iterator, List, NamedTuple, Optional, Sequence, Set

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from ...model.atomic_file import patiently
from ...model.errors import PlantError
from ...model.text import word
from ...x509 import certificates, path_validation
from ...x509.certificates import (
    CLOCK_TOLERANCE,
    MAX_CHAIN,
    file_name,
    is_signed_by,
    parse_chain,
    read_file,
    thumbprint,
    title,
)
from ...x509.path_validation import RevocationLists
from .security_policies import Policy

log = logging.getLogger(__name__)

#: Most paths from a server's certificate to a root that are checked; there are several if an
#: authority was renewed, or issued by two others.
MAX_PATHS = 16
#: Files in ``rejected/certs`` at most; a server can show a new certificate at every attempt.
MAX_REJECTED = 200

#: By whether the policy accepts SHA-1.
_WEAK_HASHES = {False: (hashes.MD5, hashes.SHA1), True: (hashes.MD5,)}

# Guards _told.
_lock = threading.Lock()
_told: Set[str] = set()


def warn_once(text: str) -> None:
    """Log *text* as a warning, once in the life of the process."""
    with _lock:
        if text in _told:
            return
        if len(_told) > 1000:
            _told.clear()
        _told.add(text)
    log.warning("%s", text)


class Expected(NamedTuple):
    """The requirements for a server's certificate, and which checks are relaxed.

    ``host`` is the host of the endpoint, ``application_uri`` its ApplicationUri, ``pinned`` the
    only accepted certificate, from any issuer; ``server`` the name of the server in the
    configuration.
    """

    host: str
    application_uri: str
    policy: Policy
    pinned: Optional[x509.Certificate] = None
    check_host_name: bool = True
    check_validity: bool = True
    require_revocation_list: bool = True
    server: str = ""

    def warn_once(self, text: str) -> None:
        """Log *text* with the server's name, as :func:`warn_once` does."""
        warn_once("%s: %s" % (self.server, text))


class Listed(NamedTuple):
    """One certificate in a PKI directory; ``place`` is ``trusted``, ``issuers``, ``rejected``
    or ``own``."""

    place: str
    path: str
    certificate: x509.Certificate


class TrustStore:
    """The PKI directory *directory*; it need not exist yet."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, *parts: str) -> str:
        return os.path.join(self.directory, *parts)

    # --- verification ---------------------------------------------------------------------------

    def verify(self, chain: Sequence[x509.Certificate], expected: Expected) -> List[str]:
        """Verify the certificate of a server: *chain*, the leaf first.

        Returns sentences about certificates that expire soon; relaxed checks that fail are logged.
        Raises :exc:`~opcws.model.errors.PlantError` with the status of OPC 10000-4 6.1.3.
        """
        leaf = chain[0]
        _check_strength(leaf, expected.policy, True)
        if expected.pinned is None:
            notices = self._verify_trusted(chain, expected)
            check_host(leaf, expected)
        elif leaf == expected.pinned:
            _check_path([leaf])
            notices = _check_all_valid([leaf], expected)
        else:
            raise PlantError(
                "the OPC UA server shows the certificate %s, and security.server_certificate is "
                "%s; if the server has a new certificate, put that one there"
                % (title(leaf), title(expected.pinned)),
                "BadCertificateUntrusted",
            )
        _check_application_uri(leaf, expected)
        _check_usage(leaf)
        return notices

    def _verify_trusted(self, chain: Sequence[x509.Certificate], expected: Expected) -> List[str]:
        """Find a valid path from the leaf to a root with a trusted certificate in it."""
        leaf = chain[0]
        trusted = self._certificates("trusted")
        known = [*trusted, *self._certificates("issuers"), *chain[1:]]
        paths = list(itertools.islice(_paths([leaf], list(dict.fromkeys(known))), MAX_PATHS))
        of_trusted = [path for path in paths if any(each in trusted for each in path)]
        if not of_trusted:
            self._refuse(leaf, _missing_issuer(paths[0]))
        revocations = RevocationLists(self._revocation_lists())
        problems: List[PlantError] = []
        for path in of_trusted:
            try:
                return self._verify_path(path, revocations, expected)
            except PlantError as problem:
                problems.append(problem)
        # The problem of a complete path is more useful than that another one is incomplete.
        problems.sort(key=lambda problem: problem.status == "BadCertificateChainIncomplete")
        raise problems[0]

    def _verify_path(
        self, path: List[x509.Certificate], revocations: RevocationLists, expected: Expected
    ) -> List[str]:
        missing = _missing_issuer(path)
        if missing is not None:
            raise PlantError(
                "the chain of the OPC UA server's certificate %s is not complete: the certificate "
                'of its issuer "%s" is missing; put it into %s'
                % (title(path[0]), missing, self.path("issuers", "certs")),
                "BadCertificateChainIncomplete",
            )
        for issuer in path[1:]:
            _check_strength(issuer, expected.policy, False)
        _check_path(path)
        for depth in range(len(path) - 1):
            self._check_revocation(path, depth, revocations, expected)
        return _check_all_valid(path, expected)

    def _refuse(self, leaf: x509.Certificate, missing: Optional[str]) -> None:
        trusted = self.path("trusted", "certs")
        own_word = missing is None and is_signed_by(leaf, leaf)
        origin = "" if own_word else ', issued by "%s",' % certificates.name_text(leaf.issuer)
        try:
            path = self.reject(leaf)
        except PlantError as problem:
            todo = "it could not be saved for you (%s); put it into %s" % (problem, trusted)
        else:
            todo = (
                "compare that number with the server's own; if it is the right server, move %s "
                "to %s, or run: opcws cert trust --pki %s %s"
                % (path, trusted, word(self.directory), os.path.basename(path))
            )
        if not own_word:
            todo += "; or put the certificate of its issuer there"
        raise PlantError(
            "the OPC UA server's certificate %s%s is not trusted; %s" % (title(leaf), origin, todo),
            "BadCertificateUntrusted",
        )

    def _check_revocation(
        self,
        path: Sequence[x509.Certificate],
        depth: int,
        revocations: RevocationLists,
        expected: Expected,
    ) -> None:
        certificate, issuer = path[depth : depth + 2]
        name = certificates.name_text(issuer.subject)
        found = revocations.state(path[depth:])
        if found.revoked:
            raise PlantError(
                '%s %s was revoked by its issuer "%s"; give the server a new one'
                % (_whose(not depth), title(certificate), name),
                "BadCertificateIssuerRevoked" if depth else "BadCertificateRevoked",
            )
        if found.good:
            return
        text = (
            'there is no current revocation list of "%s", which issued %s %s%s; put one into %s'
            % (
                name,
                _whose(not depth),
                title(certificate),
                ", but one that is not valid: " + found.reason if found.reason else "",
                self.path("trusted", "crl"),
            )
        )
        if expected.require_revocation_list:
            raise PlantError(
                text + ", or set security.require_revocation_list: false",
                "BadCertificateIssuerRevocationUnknown"
                if depth
                else "BadCertificateRevocationUnknown",
            )
        expected.warn_once(text)

    # --- the files ------------------------------------------------------------------------------

    def _certificates(self, place: str) -> List[x509.Certificate]:
        return [listed.certificate for listed in self._listed(place)]

    def _listed(self, place: str) -> Iterator[Listed]:
        for path in self._files(place, "certs"):
            try:
                found = parse_chain(read_file(path, "a certificate"))
            except (ValueError, PlantError) as error:
                warn_once("%s is ignored: it contains no certificate (%s)" % (path, error))
                continue
            for certificate in found:
                yield Listed(place, path, certificate)

    def _revocation_lists(self) -> List[x509.CertificateRevocationList]:
        found = []
        for place in ("trusted", "issuers"):
            for path in self._files(place, "crl"):
                try:
                    data = read_file(path, "a revocation list")
                    pem = data.lstrip().startswith(b"-----")
                    load = x509.load_pem_x509_crl if pem else x509.load_der_x509_crl
                    found.append(load(data))
                except (ValueError, PlantError) as error:
                    warn_once("%s is ignored: it contains no revocation list (%s)" % (path, error))
        return found

    def _files(self, *parts: str) -> Iterator[str]:
        directory = self.path(*parts)
        try:
            names = sorted(os.listdir(directory))
        except FileNotFoundError:
            return
        except OSError as error:
            warn_once("%s cannot be read: %s" % (directory, error.strerror or error))
            return
        for name in names:
            path = os.path.join(directory, name)
            if not name.startswith(".") and os.path.isfile(path):
                yield path

    def listing(self) -> List[Listed]:
        """Every certificate in the directory, by place and file name."""
        return [
            listed
            for place in ("own", "trusted", "issuers", "rejected")
            for listed in self._listed(place)
        ]

    def reject(self, certificate: x509.Certificate) -> str:
        """Save *certificate* for the user to check; returns its file.

        Raises :exc:`~opcws.model.errors.PlantError` if it cannot be written.
        """
        path = self.path("rejected", "certs", file_name(certificate))
        if not os.path.exists(path):
            if len(list(self._files("rejected", "certs"))) >= MAX_REJECTED:
                raise PlantError(
                    "%s is full; remove what is not needed there" % os.path.dirname(path),
                    "BadConfigurationError",
                )
            certificates.write_file(path, certificates.der(certificate))
        return path

    def trust(self, name: str) -> str:
        """Trust the certificate in the file *name*: a path, or a file (or the beginning of one
        file's name, or a thumbprint) in ``rejected/certs``, which is then moved.

        Returns its new file.  Raises :exc:`~opcws.model.errors.PlantError`.
        """
        rejected = self.path("rejected", "certs")
        found = [
            listed
            for listed in self._listed("rejected")
            if os.path.basename(listed.path).startswith(name)
            or thumbprint(listed.certificate) == name.upper()
        ]
        if len(found) > 1:
            raise PlantError(
                "%s is the beginning of several files in %s: %s; give more of the name"
                % (name, rejected, ", ".join(os.path.basename(each.path) for each in found)),
                "BadConfigurationError",
            )
        if not found and not os.path.isfile(name):
            raise PlantError(
                "there is no file %s, and none of that name in %s; 'opcws cert list' shows what "
                "is there" % (name, rejected),
                "BadConfigurationError",
            )
        path = found[0].path if found else name
        certificate = certificates.load_certificate(path, "the certificate to trust")
        target = self.path("trusted", "certs", file_name(certificate))
        certificates.write_file(target, certificates.der(certificate))
        waiting = self.path("rejected", "certs", file_name(certificate))
        for done in {path if found else waiting, waiting}:
            with contextlib.suppress(FileNotFoundError):
                patiently(partial(os.unlink, done))
        return target


# --- the single checks ---------------------------------------------------------------------------


def _paths(
    path: List[x509.Certificate], known: Sequence[x509.Certificate]
) -> Iterator[List[x509.Certificate]]:
    """Every continuation of *path* to a root, with certificates of *known*; without a root, as far
    as possible."""
    last = path[-1]
    issuers = [] if len(path) >= MAX_CHAIN or is_signed_by(last, last) else known
    ended = True
    for issuer in issuers:
        if issuer not in path and _is_authority(issuer) and is_signed_by(last, issuer):
            ended = False
            yield from _paths([*path, issuer], known)
    if ended:
        yield path


def _missing_issuer(path: Sequence[x509.Certificate]) -> Optional[str]:
    """The issuer that is missing in *path*; ``None`` if it ends in a root."""
    last = path[-1]
    return None if is_signed_by(last, last) else certificates.name_text(last.issuer)


def _is_authority(certificate: x509.Certificate) -> bool:
    """Whether *certificate* may issue others (RFC 5280 4.2.1.3, 4.2.1.9)."""
    try:
        constraints = certificates.extension(certificate, x509.BasicConstraints)
        usage = certificates.extension(certificate, x509.KeyUsage)
    except ValueError:
        return False
    if constraints is None or not constraints.ca:
        return False
    return usage is None or usage.key_cert_sign


def _whose(is_leaf: bool) -> str:
    return (
        "the OPC UA server's certificate"
        if is_leaf
        else "the certificate of the OPC UA server's issuer"
    )


def _check_path(path: Sequence[x509.Certificate]) -> None:
    fault = path_validation.find_fault(path)
    if fault is None:
        return
    raise PlantError(
        "%s %s %s; give the server one from an authority that follows the rules"
        % (
            _whose(not fault.depth),
            title(path[fault.depth]),
            fault.text,
        ),
        "BadCertificateIssuerUseNotAllowed" if fault.issuing else "BadCertificateInvalid",
    )


def _check_strength(certificate: x509.Certificate, policy: Policy, is_leaf: bool) -> None:
    bits = certificates.rsa_bits(certificate)
    if not bits:
        found = "has a key that is not RSA"
    elif not policy.min_bits <= bits <= policy.max_bits:
        found = "has an RSA key of %d bits" % bits
    elif isinstance(certificate.signature_hash_algorithm, _WEAK_HASHES[policy.sha1]):
        found = "is signed with %s" % certificate.signature_hash_algorithm.name.upper()
    else:
        return
    raise PlantError(
        "%s %s %s; %s takes RSA keys of %d to %d bits and signatures with %s or better: give the "
        "server another certificate"
        % (
            _whose(is_leaf),
            title(certificate),
            found,
            policy.name,
            policy.min_bits,
            policy.max_bits,
            "SHA-1" if policy.sha1 else "SHA-256",
        ),
        "BadCertificatePolicyCheckFailed",
    )


def _check_all_valid(path: Sequence[x509.Certificate], expected: Expected) -> List[str]:
    found = [_check_validity(each, not depth, expected) for depth, each in enumerate(path)]
    return [notice for notice in found if notice is not None]


def _check_validity(
    certificate: x509.Certificate, is_leaf: bool, expected: Expected
) -> Optional[str]:
    moment = certificates.now()
    whose = _whose(is_leaf)
    todo = "give the server a new one (and see that both clocks are right)"
    if moment < certificate.not_valid_before_utc - CLOCK_TOLERANCE:
        wrong = "is valid only from %s on" % certificate.not_valid_before_utc.strftime(
            "%Y-%m-%d %H:%M UTC"
        )
        todo = "set the clock that is wrong, of this machine or of the server"
    elif moment > certificate.not_valid_after_utc:
        wrong = "expired on %s" % certificate.not_valid_after_utc.strftime("%Y-%m-%d")
    else:
        return certificates.expiry_notice(certificate, whose, "give the server a new one in time")
    text = "%s %s %s" % (whose, title(certificate), wrong)
    if expected.check_validity:
        raise PlantError(
            "%s; %s, or set security.check_validity: false" % (text, todo),
            "BadCertificateTimeInvalid" if is_leaf else "BadCertificateIssuerTimeInvalid",
        )
    expected.warn_once(text + "; it is used because security.check_validity is false")
    return None


def check_host(leaf: x509.Certificate, expected: Expected) -> None:
    _uris, names, addresses = certificates.alternative_names(leaf)
    folded = {name.lower().rstrip(".") for name in names}
    for host in _names_of(expected.host):
        if host in folded:
            return
        try:
            if ipaddress.ip_address(host) in addresses:
                return
        except ValueError:
            pass
    text = "the OPC UA server was reached as %s, and its certificate %s is for %s" % (
        expected.host,
        title(leaf),
        ", ".join([*names, *map(str, addresses)]) or "no host",
    )
    if expected.check_host_name:
        raise PlantError(
            text + "; use one of those names in 'endpoint', or set security.check_host_name: false",
            "BadCertificateHostNameInvalid",
        )
    expected.warn_once(text + "; it is used because security.check_host_name is false")


def _names_of(host: str) -> List[str]:
    """*host* and, for this machine, its host name."""
    folded = host.lower().rstrip(".")
    try:
        loopback = ipaddress.ip_address(folded).is_loopback
    except ValueError:
        loopback = folded == "localhost"
    return [folded, socket.gethostname().lower(), "localhost"] if loopback else [folded]


def _check_application_uri(leaf: x509.Certificate, expected: Expected) -> None:
    uris = certificates.alternative_names(leaf)[0]
    if expected.application_uri not in uris[:1]:
        raise PlantError(
            "the OPC UA server says its ApplicationUri is %s, and its certificate %s has %s; the "
            "two must be the same: correct the server's configuration or give it a new certificate"
            % (expected.application_uri or "nothing", title(leaf), uris[0] if uris else "none"),
            "BadCertificateUriInvalid",
        )


def _check_usage(leaf: x509.Certificate) -> None:
    what = ""
    try:
        usage = certificates.extension(leaf, x509.KeyUsage)
        purposes = certificates.extension(leaf, x509.ExtendedKeyUsage)
    except ValueError:
        what = "anything: its extensions cannot be read"
    else:
        if usage is not None and not usage.digital_signature:
            what = "digital signatures"
        elif purposes is not None and ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
            what = "servers"
    if what:
        raise PlantError(
            "the OPC UA server's certificate %s is not made for %s; give the server another one"
            % (title(leaf), what),
            "BadCertificateUseNotAllowed",
        )
