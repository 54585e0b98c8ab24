"""Whether a path of certificates is right (RFC 5280 6): OpenSSL's word, through pyOpenSSL.

Signatures, critical extensions, name constraints, path length, certificate policies, and which
revocation list speaks for which certificate, are judged by OpenSSL.  Which certificates make up the
path, and when they are valid, is the caller's business.

Looked at and not taken: ``cryptography.x509.verification``, which knows no revocation lists and
takes no SHA-1, and a server without the extensions of web servers only from release 45 on; and
``ssl``, which judges a certificate only within a TLS handshake.  pyOpenSSL is 60 kB of pure Python;
its OpenSSL is the one within ``cryptography``, so it is the same on every system, and pip finds the
releases of the two that go together.

Rules:

* Time is left out here: a person may relax it, and a revocation list that is out of date still
  counts against a certificate.
* A delta list (RFC 5280 5.2.4) alone proves nothing good, and OpenSSL looks at one only if the
  certificate names it (freshestCRL): what it adds to the complete ones is seen to here.
* X509_STRICT is not asked for: it refuses authorities without key identifiers, or with constraints
  that are not critical, as plants have them.

Threads: any; nothing is kept.
"""

from typing import NamedTuple, Optional, Sequence

from cryptography import x509

from . import certificates

# OpenSSL's numbers (x509_vfy.h).
_NO_CHECK_TIME = 0x200000
_NO_LIST, _REVOKED, _CRITICAL = 3, 23, 34
#: That an authority may not have issued what it did: its words are 24, 25, 32 and 79.
_ISSUING = frozenset((24, 25, 32, 79))

#: What follows the name of a certificate; OpenSSL's own words where there is nothing better.
_WORDS = {
    7: "has a signature that is wrong",
    24: "is not that of an authority, but issued another one",
    25: "must not have so many authorities below it (pathLenConstraint)",
    32: "may not sign others (keyUsage), but issued one",
    _CRITICAL: "has a critical extension that opcws does not know",
    43: "has no policy that its issuers require (policyConstraints)",
    47: "has a name that its issuers may not give (nameConstraints)",
    48: "has a name that its issuers must not give (nameConstraints)",
    79: "is not that of an authority, but issued another one",
}


#: What is said of a revocation list that does not count.
_LIST_WORDS = {
    8: "its signature is wrong",
    35: "its issuer may not sign such lists (keyUsage)",
    36: "it has a critical extension that opcws does not know",
    44: "it is for other certificates (issuingDistributionPoint)",
}


class Fault(NamedTuple):
    """What is wrong with the certificate at *depth* of a path, the leaf's being 0.

    ``text`` follows the certificate's name; ``issuing`` is true if the certificate is wrong for
    an authority only.
    """

    depth: int
    text: str
    issuing: bool = False


class Revocation(NamedTuple):
    """What is known of a certificate: ``revoked``, ``good`` or, with neither, nothing; then
    ``reason`` is what is wrong with the lists that are there."""

    revoked: bool = False
    good: bool = False
    reason: str = ""


class _Answer(NamedTuple):
    code: int  # 0: nothing is wrong
    depth: int
    text: str


def find_fault(path: Sequence[x509.Certificate]) -> Optional[Fault]:
    """What RFC 5280 has against *path*, the leaf first, and its last one believed; ``None`` if
    that is nothing."""
    answer = _ask(path)
    if not answer.code:
        return None
    text = _WORDS.get(answer.code, "is not valid by RFC 5280 (%s)" % answer.text)
    if answer.code == _CRITICAL:
        text += _unknown_critical(path[answer.depth])
    return Fault(answer.depth, text, answer.code in _ISSUING)


class RevocationLists:
    """The revocation lists *lists*, complete ones and deltas, whoever issued them."""

    def __init__(self, lists: Sequence[x509.CertificateRevocationList]) -> None:
        self._deltas = [each for each in lists if _is_delta(each)]
        self._complete = [each for each in lists if each not in self._deltas]
        self._current = [each for each in self._complete if _is_current(each)]

    def state(self, path: Sequence[x509.Certificate]) -> Revocation:
        """What is known of the first certificate of *path*, which has an issuer in it."""
        answer = _ask(path, self._current)
        revoked = answer.code == _REVOKED
        if answer.code and not revoked and len(self._current) < len(self._complete):
            revoked = _ask(path, self._complete).code == _REVOKED
        if revoked or self._is_in_newer_delta(path[0], path[1]):
            return Revocation(revoked=True)
        if not answer.code:
            return Revocation(good=True)
        if answer.code == _NO_LIST:
            return Revocation()
        return Revocation(reason=_LIST_WORDS.get(answer.code, answer.text))

    def _is_in_newer_delta(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Whether a delta list says that it is revoked, and no complete list is newer."""
        made = [
            each.last_update_utc
            for each in self._deltas
            if certificates.is_signed_by(each, issuer)
            and each.get_revoked_certificate_by_serial_number(certificate.serial_number)
        ]
        return bool(made) and not any(
            each.last_update_utc > max(made)
            for each in self._complete
            if certificates.is_signed_by(each, issuer)
        )


def _ask(
    path: Sequence[x509.Certificate],
    lists: Optional[Sequence[x509.CertificateRevocationList]] = None,
) -> _Answer:
    """OpenSSL's answer about *path*; with *lists* also about the revocation of its first."""
    # Only where a server shows a certificate: it takes 2 MB and, on a small computer, 0.1 s.
    from OpenSSL import crypto

    flags = crypto.X509StoreFlags
    wanted = _NO_CHECK_TIME | flags.PARTIAL_CHAIN | flags.POLICY_CHECK
    if lists is not None:
        wanted |= flags.CRL_CHECK
    try:
        leaf, *others = [crypto.X509.from_cryptography(each) for each in path]
        store = crypto.X509Store()
        store.set_flags(wanted)
        # The last one is believed because the caller has it so; those between must be proved.
        store.add_cert(others.pop() if others else leaf)
        for each in lists or ():
            store.add_crl(each)
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError as error:
        code, depth, text = error.errors[:3]
        return _Answer(code, min(max(depth, 0), len(path) - 1), str(text))
    except crypto.Error as error:
        return _Answer(-1, 0, "it cannot be read: %s" % error)
    return _Answer(0, 0, "")


def _unknown_critical(certificate: x509.Certificate) -> str:
    try:
        extensions = list(certificates.extensions(certificate))
    except ValueError:
        return ""
    names = [
        each.oid.dotted_string
        for each in extensions
        if each.critical and isinstance(each.value, x509.UnrecognizedExtension)
    ]
    return " (%s)" % ", ".join(names) if names else ""


def _is_delta(each: x509.CertificateRevocationList) -> bool:
    """Whether it is one; true also for what cannot be read well enough to prove anything good."""
    try:
        return certificates.extension(each, x509.DeltaCRLIndicator) is not None
    except ValueError:
        return True


def _is_current(each: x509.CertificateRevocationList) -> bool:
    moment = certificates.now()
    if each.last_update_utc > moment + certificates.CLOCK_TOLERANCE:
        return False
    return each.next_update_utc is None or each.next_update_utc > moment
