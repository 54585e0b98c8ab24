"""TLS of a listener (``listen.tls``): versions, ciphers, certificate, and client certificates.

Rules:

* A context is never changed, but replaced: handshakes that have begun and open connections keep
  theirs.  So a new certificate needs no restart and ends no connection.
* Only a pair that OpenSSL has loaded, and whose files did not change meanwhile, replaces another.
  A bad or half-written file changes nothing.
* TLS 1.2 and 1.3 with forward secrecy and authenticated encryption only (RFC 9325); the same on
  every Python, whatever its defaults are.

Threads: ``opcws-tls-N`` reads the files, which may be on a disk that hangs; :attr:`context` may be
read by any thread and never blocks; :meth:`ServerTLS.reload` may be called by any.
"""

import hashlib
import logging
import ssl
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..config.settings import TLS
from ..model import socket_errors
from ..model.deadline import Deadline
from ..model.errors import ConfigError
from ..x509.listener_certificate import Notices, judge

log = logging.getLogger(__name__)

#: Seconds between two checks of the files.
LOOK_S = 10.0
#: Seconds after which an urgent notice is logged again.
TELL_S = 86400.0
#: Largest certificate, key or revocation list file, in bytes.
MAX_FILE_BYTES = 16 * 1024 * 1024

#: Of TLS 1.2; all of TLS 1.3 meet this.  Level 2: no RSA key below 2048 bits, no SHA-1.
CIPHERS = "@SECLEVEL=2:ECDHE+AESGCM:ECDHE+CHACHA20"

#: ``listen.tls.client_certificates`` as values of Python's ssl.
VERIFICATION = {
    "off": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


class ServerTLS:
    """The present context of a listener with these *settings*.

    Raises :exc:`~opcws.model.errors.ConfigError` if its files cannot be used.
    """

    def __init__(self, settings: TLS) -> None:
        # Guards what follows: one thread at a time makes a context.
        self._lock = threading.Lock()
        files = _read(settings)
        self._use(make_context(settings), settings, files)
        # Digests of the last refused files, and of the refused files that were logged.
        self._refused = b""
        self._told_of = b""
        self._stopping = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def start(self, name: str) -> None:
        """Log notices about the certificate, and start to watch the files."""
        self._tell([*self._notices.urgent, *self._notices.advice])
        # A daemon, because a file system that hangs must not keep the process.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self, deadline: Deadline) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(deadline.remaining())

    def reload(self, settings: TLS) -> None:
        """Use the present contents of the files that *settings* name: new connections get that
        certificate and those authorities, present ones are not affected.

        Raises :exc:`~opcws.model.errors.ConfigError`, and changes nothing, if they cannot be used.
        """
        with self._lock:
            self._take(settings)

    def _use(self, context: ssl.SSLContext, settings: TLS, files: Dict[str, bytes]) -> None:
        self.context = context
        # Settings and files of the present context.
        self._settings = settings
        self._used = _digest(files)
        self._notices = _judged(files)
        self._told_at = time.monotonic()

    def _take(self, settings: TLS) -> None:
        files = _read(settings)
        digest = _digest(files)
        if digest == self._used and settings == self._settings:
            return
        context = make_context(settings)
        if _digest(_read(settings)) != digest:
            raise ConfigError("listen.tls: %s changed while it was read" % settings.certificate)
        self._use(context, settings, files)
        log.info(
            "listen.tls: new connections get the certificate %s of %s",
            self._notices.title,
            settings.certificate,
        )
        self._tell([*self._notices.urgent, *self._notices.advice])

    def _tell(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            log.warning("listen.tls: %s: %s", self._settings.certificate, sentence)

    # --- opcws-tls ------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                with self._lock:
                    self._look()
            except Exception:
                log.exception("listen.tls: looking at the files")

    def _look(self) -> None:
        try:
            self._take(self._settings)
            self._refused = self._told_of = b""
        except ConfigError as error:
            self._doubt(error)
        now = time.monotonic()
        if now - self._told_at >= TELL_S:
            self._told_at = now
            try:
                files = _read(self._settings)
                if _digest(files) == self._used:  # the same files, but time has passed
                    self._notices = _judged(files)
            except ConfigError:
                pass
            self._tell(self._notices.urgent)

    def _doubt(self, error: ConfigError) -> None:
        """Log that the files cannot be used, once, and only if they stay so: of certificate and
        key, one is always replaced first."""
        try:
            found = _digest(_read(self._settings))
        except ConfigError as unreadable:
            found = str(unreadable).encode("utf-8", "replace")
        if found == self._refused and found != self._told_of:
            self._told_of = found
            log.warning(
                "%s; the present certificate stays in use until the files are corrected", error
            )
        self._refused = found


def _judged(files: Dict[str, bytes]) -> Notices:
    try:
        return judge(files["certificate"])
    except ValueError as error:
        return Notices("", ["its certificate cannot be checked: %s" % error])


def _read(settings: TLS) -> Dict[str, bytes]:
    """The files by the names of their settings.  Raises :exc:`ConfigError` with all problems."""
    found: Dict[str, bytes] = {}
    problems: List[str] = []
    for name in ("certificate", "key", "client_ca", "client_revocation_list"):
        path = getattr(settings, name)
        if path is None:
            continue
        try:
            with open(path, "rb") as file:
                found[name] = file.read(MAX_FILE_BYTES)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            problems.append("listen.tls.%s: cannot read %s: %s" % (name, path, reason))
            continue
        kind, mark = _CONTENTS[name]
        if mark not in found[name]:
            problems.append("listen.tls.%s: %s has no %s in PEM" % (name, path, kind))
    if problems:
        raise ConfigError(problems)
    return found


#: The content that a file must have: its name, and the text that shows it.
_CONTENTS: Dict[str, Tuple[str, bytes]] = {
    "certificate": ("certificate", b"-----BEGIN CERTIFICATE-----"),
    "key": ("private key", b"PRIVATE KEY-----"),
    "client_ca": ("certificate", b"-----BEGIN CERTIFICATE-----"),
    "client_revocation_list": ("revocation list", b"-----BEGIN X509 CRL-----"),
}


def _digest(files: Dict[str, bytes]) -> bytes:
    parts = [hashlib.sha256(files[name]).digest() for name in sorted(files)]
    return hashlib.sha256(b"".join(parts)).digest()


def make_context(settings: TLS) -> ssl.SSLContext:
    """A server's context with these *settings*.  Raises :exc:`~opcws.model.errors.ConfigError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.certificate, settings.key, _no_passphrase)
    except (OSError, ValueError) as error:
        raise ConfigError(_why_no_pair(settings, error)) from None
    context.verify_mode = VERIFICATION[settings.client_certificates]
    for name in ("client_ca", "client_revocation_list"):
        path = getattr(settings, name)
        if path is None or context.verify_mode == ssl.CERT_NONE:
            continue
        try:
            context.load_verify_locations(path)
        except (OSError, ValueError) as error:
            raise ConfigError("listen.tls.%s: cannot use %s: %s" % (name, path, error)) from None
        if name == "client_revocation_list":
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


class _Encrypted(ValueError):
    """OpenSSL asked for a passphrase; otherwise it would ask at the terminal."""


def _no_passphrase() -> str:
    raise _Encrypted()


def _why_no_pair(settings: TLS, error: Exception) -> str:
    reason = str(getattr(error, "reason", None) or error)
    if isinstance(error, _Encrypted):
        return "listen.tls.key: %s is encrypted; store it without a passphrase" % settings.key
    if "MISMATCH" in reason:
        return (
            "listen.tls: certificate %s and key %s do not belong together; name the key that the "
            "certificate was made with" % (settings.certificate, settings.key)
        )
    if "KEY_TOO_SMALL" in reason or "MD_TOO_WEAK" in reason:
        return (
            "listen.tls: certificate %s is too weak (%s); make one with RSA of 2048 bits or more, "
            "or ECDSA, and SHA-256" % (settings.certificate, reason.lower().replace("_", " "))
        )
    return "listen.tls: cannot load certificate %s with key %s: %s" % (
        settings.certificate,
        settings.key,
        error,
    )


# --- failed handshakes ---------------------------------------------------------------------------


def explain(error: Exception) -> Tuple[int, str]:
    """Level and sentence for the log about a TLS handshake that ended with *error*."""
    if isinstance(error, ssl.SSLCertVerificationError):
        found = _VERIFICATION_ADVICE.get(error.verify_code, _LOOK_AT_IT)
        return logging.WARNING, "the client's certificate is refused: %s; %s" % (
            error.verify_message,
            found,
        )
    reason = str(getattr(error, "reason", None) or "")
    for part, level, sentence in _REASONS:
        if part in reason:
            return level, sentence
    if isinstance(error, ssl.SSLError) and reason:
        return logging.INFO, "no TLS: %s" % reason.lower().replace("_", " ")
    said = socket_errors.text(error) if isinstance(error, OSError) else error
    return logging.INFO, "no TLS: %s" % said


_LOOK_AT_IT = "'opcws cert show FILE' tells what is in the client's file"
#: By OpenSSL's X509_V_ERR codes.
_VERIFICATION_ADVICE: Dict[int, str] = {
    3: "listen.tls.client_revocation_list has no list of its issuer; add it",
    9: "it is not valid yet; compare the clocks of both machines",
    10: "give the client a new one",
    12: "get the issuer's new list for listen.tls.client_revocation_list",
    23: "its issuer revoked it; give the client a new one if it should connect",
    26: "it is not for client authentication; give the client one that is",
    **dict.fromkeys(
        (2, 18, 19, 20, 21),
        "listen.tls.client_ca does not have the authority that issued it; add that if you trust it",
    ),
}

_NOT_ACCEPTED = (
    "the client does not accept the certificate of opcws; give the client the certificate of "
    "the authority that issued it, and call opcws by a name that is in it"
)

#: Part of OpenSSL's reason, level, sentence.
_REASONS: Sequence[Tuple[str, int, str]] = (
    (
        "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        logging.WARNING,
        "the client shows no certificate; give it one of the authority in listen.tls.client_ca, "
        "or set listen.tls.client_certificates to optional",
    ),
    ("ALERT_UNKNOWN_CA", logging.WARNING, _NOT_ACCEPTED),
    ("ALERT_BAD_CERTIFICATE", logging.WARNING, _NOT_ACCEPTED),
    ("ALERT_CERTIFICATE_", logging.WARNING, _NOT_ACCEPTED),
    (
        "UNSUPPORTED_PROTOCOL",
        logging.WARNING,
        "the client speaks no TLS newer than 1.1; it needs TLS 1.2 or 1.3",
    ),
    (
        "NO_SHARED_CIPHER",
        logging.WARNING,
        "the client has no cipher that is safe enough; it needs ECDHE with AES-GCM or ChaCha20 "
        "(Windows 7 and 8.1 have it for an ECDSA certificate only)",
    ),
)


class PeerCertificate(NamedTuple):
    """The certificate that a client proved to have, verified against ``client_ca``.

    *fields* are those of :meth:`ssl.SSLSocket.getpeercert`, *der* is its DER form.
    """

    fields: Dict[str, Any]
    der: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER form, 64 upper-case hexadecimal digits."""
        return hashlib.sha256(self.der).hexdigest().upper()

    @property
    def common_names(self) -> List[str]:
        """The subject's CommonNames, most often one."""
        subject = self.fields.get("subject", ())
        return [value for rdn in subject for key, value in rdn if key == "commonName"]

    def __str__(self) -> str:
        subject = ",".join("%s=%s" % pair for rdn in self.fields.get("subject", ()) for pair in rdn)
        return '"%s" (SHA-256 %s)' % (subject, self.fingerprint)
