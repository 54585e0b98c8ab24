"""Whether a path of certificates is valid (RFC 5280 6), as OpenSSL decides, through pyOpenSSL.

OpenSSL checks signatures, critical extensions, name constraints, path length, certificate policies,
and which revocation list applies to which certificate.  The caller chooses the certificates of the
path and checks when they are valid.

Considered and rejected: ``cryptography.x509.verification``, which supports neither revocation lists
nor SHA-1, and accepts a server without the extensions of web servers only from release 45 on; and
``ssl``, which checks a certificate only within a TLS handshake.  pyOpenSSL is 60 kB of pure Python;
it uses the OpenSSL in ``cryptography``, so it is the same on every system, and pip finds releases
of the two that fit together.

Rules:

* Time is not checked here: a person may relax it, and an outdated revocation list still counts
  against a certificate.
* A delta list (RFC 5280 5.2.4) alone does not prove that a certificate is good, and OpenSSL uses
  one only if the certificate names it (freshestCRL): this module adds deltas to the complete lists.
* X509_STRICT is not used: it refuses authorities without key identifiers, or with constraints that
  are not critical, and plants have such authorities.

Threads: any; nothing is kept.
"""

from typing import NamedTuple, Optional, Sequence

from cryptography import x509

from . import certificates

# OpenSSL's numbers (x509_vfy.h).
_NO_CHECK_TIME = 0x200000
_NO_LIST, _REVOKED, _CRITICAL = 3, 23, 34
#: The errors of a certificate that issued another without the right to: 24, 25, 32 and 79.
_ISSUING = frozenset((24, 25, 32, 79))

#: The text after the name of a certificate; OpenSSL's own text for other errors.
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


#: Why a revocation list does not count.
_LIST_WORDS = {
    8: "its signature is wrong",
    35: "its issuer may not sign such lists (keyUsage)",
    36: "it has a critical extension that opcws does not know",
    44: "it is for other certificates (issuingDistributionPoint)",
}


class Fault(NamedTuple):
    """A problem with the certificate at *depth* of a path; the leaf's depth is 0.

    ``text`` follows the certificate's name; ``issuing`` is true if the certificate is only unfit to
    issue others.
    """

    depth: int
    text: str
    issuing: bool = False


class Revocation(NamedTuple):
    """The state of a certificate: ``revoked``, ``good``, or unknown if both are false; then
    ``reason`` says what is wrong with the existing lists."""

    revoked: bool = False
    good: bool = False
    reason: str = ""


class _Answer(NamedTuple):
    code: int  # 0: nothing is wrong
    depth: int
    text: str


def find_fault(path: Sequence[x509.Certificate]) -> Optional[Fault]:
    """The problem that RFC 5280 finds in *path*, which begins with the leaf and whose last
    certificate is trusted; ``None`` if there is none."""
    answer = _ask(path)
    if not answer.code:
        return None
    text = _WORDS.get(answer.code, "is not valid by RFC 5280 (%s)" % answer.text)
    if answer.code == _CRITICAL:
        text += _unknown_critical(path[answer.depth])
    return Fault(answer.depth, text, answer.code in _ISSUING)


class RevocationLists:
    """The revocation lists *lists*, complete ones and deltas, of any issuers."""

    def __init__(self, lists: Sequence[x509.CertificateRevocationList]) -> None:
        self._deltas = [each for each in lists if _is_delta(each)]
        self._complete = [each for each in lists if each not in self._deltas]
        self._current = [each for each in self._complete if _is_current(each)]

    def state(self, path: Sequence[x509.Certificate]) -> Revocation:
        """The state of the first certificate of *path*, which must also contain its issuer."""
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
        """Whether a delta list revokes *certificate*, and no complete list is newer."""
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
    """OpenSSL's answer about *path*; with *lists* also about the revocation of its leaf."""
    # Imported only when a server sends a certificate: it takes 2 MB and 0.1 s on a small computer.
    from OpenSSL import crypto

    flags = crypto.X509StoreFlags
    wanted = _NO_CHECK_TIME | flags.PARTIAL_CHAIN | flags.POLICY_CHECK
    if lists is not None:
        wanted |= flags.CRL_CHECK
    try:
        leaf, *others = [crypto.X509.from_cryptography(each) for each in path]
        store = crypto.X509Store()
        store.set_flags(wanted)
        # The caller trusts the last certificate; those between must be verified.
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
    """Whether it is a delta list; also true if its extensions cannot be read, because then it
    must not prove that a certificate is good."""
    try:
        return certificates.extension(each, x509.DeltaCRLIndicator) is not None
    except ValueError:
        return True


def _is_current(each: x509.CertificateRevocationList) -> bool:
    moment = certificates.now()
    if each.last_update_utc > moment + certificates.CLOCK_TOLERANCE:
        return False
    return each.next_update_utc is None or each.next_update_utc > moment
