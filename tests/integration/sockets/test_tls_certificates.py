"""Certificates of ``listen.tls``: what is spoken, replaced without a restart, and asked of
clients; and how TLS ends."""

import dataclasses
import itertools
import os
import shutil
import ssl
import subprocess
import threading
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from opcws.app import Server
from opcws.config.settings import TLS, Listen
from opcws.gateway.client import Client
from opcws.model import atomic_file
from opcws.model.deadline import Deadline
from opcws.model.errors import ConfigError
from opcws.ws import tls as server_tls
from opcws.ws.application import Application
from opcws.ws.listener import Listener

from ... import support
from ...support import pki
from ...support.byte_client import (
    BINARY,
    CLOSE,
    TEXT,
    ByteClient,
    connect,
    frame,
    no_connections_left,
    opening,
    serving,
)
from ...support.pki import Made

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
ROOT = pki.authority("company")


@pytest.fixture(autouse=True)
def _nothing_is_a_defect(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level("INFO")
    yield
    assert not [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]


def pem(*made: Made) -> bytes:
    return b"".join(each.certificate.public_bytes(serialization.Encoding.PEM) for each in made)


def key_pem(made: Made) -> bytes:
    return made.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Files:
    """The files of a ``listen.tls`` section."""

    def __init__(self, directory: Path, made: Made) -> None:
        self.certificate = directory / "tls.pem"
        self.key = directory / "tls.key"
        self.put(made)

    def put(self, made: Made) -> None:
        replace(self.key, key_pem(made))
        replace(self.certificate, pem(made))

    @property
    def section(self) -> Dict[str, Any]:
        return {"certificate": str(self.certificate), "key": str(self.key)}


def replace(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(data)
    atomic_file.patiently(lambda: new.replace(path))  # Windows: while opcws reads it


def leaf(name: str = "first", **options: Any) -> Made:
    return pki.make(name, issuer=ROOT, **options)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, leaf())


def context(own: Optional[Made] = None, tmp_path: Optional[Path] = None) -> ssl.SSLContext:
    """A client that trusts the company, with a certificate of its *own*."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=pem(ROOT).decode("ascii"))
    if own is not None and tmp_path is not None:
        (tmp_path / "client.pem").write_bytes(pem(own) + key_pem(own))
        made.load_cert_chain(str(tmp_path / "client.pem"))
    return made


def secured(server: Server, client: Optional[ssl.SSLContext] = None, **options: Any) -> ByteClient:
    """A connection over TLS that takes an end without close_notify for an error."""
    peer = connect(server)
    peer.sock = (client or context()).wrap_socket(
        peer.sock, server_hostname="localhost", suppress_ragged_eofs=False, **options
    )
    return peer


def upgraded(server: Server, client: Optional[ssl.SSLContext] = None, **options: Any) -> ByteClient:
    peer = secured(server, client, **options)
    peer.send(opening())
    assert peer.head()[0] == 101
    return peer


def refused(server: Server, client: ssl.SSLContext, data: bytes = b"", **options: Any) -> None:
    """The client must be told so by an alert.

    In TLS 1.3 the client has finished before the server judges it: the alert comes instead of the
    first answer, and no reset may overtake it.
    """
    with pytest.raises(ssl.SSLError, match="(?i)alert"):
        with secured(server, client, **options) as peer:
            peer.send(data)
            peer.rest()


def shown_by(server: Server) -> str:
    """The name in the certificate that a new connection is shown."""
    with secured(server) as peer:
        assert isinstance(peer.sock, ssl.SSLSocket)
        der = peer.sock.getpeercert(True)
        assert der is not None
        name = x509.load_der_x509_certificate(der).subject.rfc4514_string()
    return name[3:]


# --- what is spoken ------------------------------------------------------------------------------


def reload(server: Server, section: Dict[str, Any]) -> None:
    """What a reload of the configuration does with the *section* ``listen.tls``."""
    listener = server.listeners[0]
    listener.prepared(dataclasses.replace(listener._listen, tls=TLS(**section)))()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files = Files(tmp_path_factory.mktemp("tls"), leaf())
    with serving(tls=files.section, handshake_timeout_s=10) as running:
        yield running


def test_only_forward_secrecy_and_authenticated_encryption_are_offered(server: Server) -> None:
    spoken = server_tls.make_context(_settings(server))
    names = [each["name"] for each in spoken.get_ciphers()]
    assert len(names) > 5
    for name in names:
        assert name.startswith(("TLS_", "ECDHE-")) and ("GCM" in name or "CHACHA20" in name)
    assert spoken.minimum_version == ssl.TLSVersion.TLSv1_2
    # OpenSSL 3 refuses what clients start of it in any case, 1.1.1 does not.
    assert spoken.options & ssl.OP_NO_RENEGOTIATION


def _settings(server: Server) -> TLS:
    found = server.config.listen[0].tls
    assert found is not None
    return found


def _old_version(client: ssl.SSLContext) -> None:
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's, that these are old
        client.minimum_version = ssl.TLSVersion.TLSv1
        client.maximum_version = ssl.TLSVersion.TLSv1_1


def _old_cipher(client: ssl.SSLContext) -> None:
    client.set_ciphers("ECDHE-RSA-AES128-SHA256:AES256-GCM-SHA384")
    client.maximum_version = ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("weaken", "words"),
    [(_old_version, "no TLS newer than 1.1"), (_old_cipher, "no cipher that is safe enough")],
)
def test_an_old_client_is_refused_and_the_log_says_what_it_lacks(
    server: Server,
    weaken: Callable[[ssl.SSLContext], None],
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = context()
    weaken(client)
    with pytest.raises(ssl.SSLError):
        secured(server, client)
    no_connections_left(server)
    assert words in caplog.text


def test_the_server_chooses_the_cipher(server: Server) -> None:
    client = context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384")
    with secured(server, client) as peer:
        assert isinstance(peer.sock, ssl.SSLSocket)
        cipher = peer.sock.cipher()
        assert cipher is not None and cipher[0] == "ECDHE-RSA-AES256-GCM-SHA384"
        assert peer.sock.compression() is None


def test_a_client_that_distrusts_the_certificate_is_in_the_log_with_what_to_do(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        secured(server, ssl.create_default_context())
    no_connections_left(server)
    assert "does not accept the certificate of opcws" in caplog.text


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def s_client(server: Server, data: bytes, *options: str) -> str:
    """What OpenSSL's own client says when it sends *data* and then listens to the end."""
    address = "%s:%d" % server.listeners[0].addresses[0]
    done = subprocess.run(
        ["openssl", "s_client", "-connect", address, "-servername", "localhost", *options],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=support.PATIENCE,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


@needs_openssl
def test_openssl_s_client_sees_a_clean_end(server: Server) -> None:
    said = s_client(server, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "-ign_eof")
    assert "\r\n\r\nok\n" in said
    assert "closed" in said and "unexpected eof" not in said


@needs_openssl
def test_renegotiation_is_refused(server: Server) -> None:
    said = s_client(server, b"R\n", "-tls1_2")
    assert "RENEGOTIATING" in said and "no renegotiation" in said
    no_connections_left(server)


# --- how it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_every_way_to_end_a_connection_ends_tls_with_close_notify(
    version: ssl.TLSVersion, tmp_path: Path, files: Files
) -> None:
    client = context()
    client.minimum_version = client.maximum_version = version
    with serving(tls=files.section, close_timeout_s=5) as running:
        page = secured(running, client)
        page.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert page.answer().status == 200
        page.sock.close()
        leaving = upgraded(running, client)
        leaving.frame(CLOSE, b"\x03\xe8")
        assert leaving.next(CLOSE).code == 1000
        assert leaving.rest() == b""
        leaving.sock.close()
        with upgraded(running, client) as wrong:
            wrong.frame(BINARY, b"x")
            assert wrong.closed_with() == 1003
        with upgraded(running, client) as staying:
            stopping = threading.Thread(target=running.stop)
            stopping.start()
            assert staying.closed_with() == 1001
        stopping.join(support.PATIENCE)


def test_a_client_that_ends_tls_first_gets_a_clean_end_too(server: Server) -> None:
    with upgraded(server) as peer:
        assert isinstance(peer.sock, ssl.SSLSocket)
        plain = peer.sock.unwrap()  # sends close_notify and waits for the server's
        assert plain.recv(1) == b""
        plain.close()
    no_connections_left(server)


def test_the_end_stays_clean_while_a_large_message_is_on_its_way(server: Server) -> None:
    """The close frame overtakes what the client is still sending, which the server drops."""
    message = frame(TEXT, b"x" * 3000000)
    with upgraded(server) as peer:
        # In one thread: OpenSSL allows no read and write of one TLS object at once.
        peer.send(message[:1500000])
        closing = peer.until_close()[1]
        assert closing.code == 1009
        peer.send(message[1500000:])
        assert peer.rest() == b""
    no_connections_left(server)


class Slow(Application):
    """Takes its time to take a client in."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()

    def open(self, client: Client, wants_status: bool) -> None:
        self.entered.set()
        assert self.go_on.wait(support.PATIENCE)

    def close(self, client: Client) -> None:
        pass


def test_a_stop_right_behind_the_opening_handshake_is_a_whole_closing_handshake(
    files: Files,
) -> None:
    slow = Slow()
    listener = Listener(Listen(port=0, tls=TLS(**files.section)), slow)
    listener.open()
    listener.start()
    try:
        with ByteClient(listener.addresses[0]) as peer:
            peer.sock = context().wrap_socket(
                peer.sock, server_hostname="localhost", suppress_ragged_eofs=False
            )
            peer.send(opening())
            assert slow.entered.wait(support.PATIENCE)
            (connection,) = listener.connections()
            connection.close(1001, "stopping")
            slow.go_on.set()
            assert peer.head()[0] == 101
            assert peer.closed_with() == 1001
    finally:
        listener.stop(Deadline(support.PATIENCE))


# --- replaced without a restart ------------------------------------------------------------------


class Looks:
    """Counts how often the files are read, which is not while ``paused`` is held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._count = itertools.count()
        self._read = server_tls._read
        self.number = 0
        self.paused = threading.Lock()
        monkeypatch.setattr(server_tls, "LOOK_S", 0.02)
        monkeypatch.setattr(server_tls, "_read", self)

    def __call__(self, settings: TLS) -> Dict[str, bytes]:
        self.number = next(self._count)
        with self.paused:
            return self._read(settings)

    def wait(self, more: int = 6) -> None:
        wanted = self.number + more
        support.wait_until(lambda: self.number >= wanted, "the files are looked at")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def told(caplog: pytest.LogCaptureFixture, words: str) -> List[str]:
    return [each.getMessage() for each in caplog.records if words in each.getMessage()]


def test_new_connections_get_the_new_certificate_and_old_ones_go_on(
    files: Files, looks: Looks, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tls=files.section) as running:
        old = upgraded(running)
        assert shown_by(running) == "first"
        second = leaf("second", own_key=pki.key("other"))
        with looks.paused:  # a machine that is busy may look twice between the two files
            files.put(second)
        support.wait_until(lambda: shown_by(running) == "second", "the new certificate is shown")
        old.frame(9, b"still there")
        assert old.next(10).payload == b"still there"
        old.sock.close()
        looks.wait()
        assert len(told(caplog, "new connections get the certificate")) == 1
        assert not told(caplog, "do not belong together"), "a moment's mismatch is nobody's care"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda files: replace(files.certificate, pem(leaf("new", own_key=pki.key("other")))),
         "do not belong together"),
        (lambda files: replace(files.certificate, pem(leaf("new"))[:700]), "cannot load"),
        (lambda files: replace(files.certificate, b""), "has no certificate in PEM"),
        (lambda files: replace(files.key, b"this is none"), "has no private key in PEM"),
        (lambda files: files.key.unlink(), "cannot read"),
    ],
)  # fmt: skip
def test_a_bad_pair_changes_nothing_and_is_told_once(
    spoil: Callable[[Files], None],
    words: str,
    files: Files,
    looks: Looks,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(tls=files.section) as running:
        spoil(files)
        support.wait_until(lambda: told(caplog, words), "the log tells")
        looks.wait()
        (said,) = told(caplog, words)
        assert "stays in use until the files are corrected" in said
        assert shown_by(running) == "first"
        with pytest.raises(ConfigError, match=words):
            reload(running, files.section)
        assert shown_by(running) == "first"
        files.put(leaf("second"))
        support.wait_until(lambda: shown_by(running) == "second", "the good pair is taken")


def test_one_file_that_is_replaced_before_the_other_is_told_only_if_it_stays_so(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    used = server_tls.ServerTLS(TLS(**files.section))
    replace(files.key, key_pem(leaf(own_key=pki.key("other"))))
    for expected in (0, 1, 1):
        used._look()
        assert len(told(caplog, "do not belong together")) == expected
    replace(files.certificate, pem(leaf("second", own_key=pki.key("other"))))
    before = used.context
    used._look()
    assert used.context is not before


def test_what_is_urgent_is_judged_and_told_once_a_day(
    files: Files, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    urgent: List[str] = []
    monkeypatch.setattr(server_tls, "judge", lambda pem: server_tls.Notices("first", urgent))
    used = server_tls.ServerTLS(TLS(**files.section))
    urgent.append("it ends tomorrow")
    for days, expected in ((0.9, 0), (0.2, 1), (0.5, 1), (0.6, 2)):
        used._told_at -= days * 86400
        used._look()
        assert len(told(caplog, "it ends tomorrow")) == expected


def test_a_reload_takes_the_files_at_once_and_other_files_too(files: Files, tmp_path: Path) -> None:
    """The looks of the listener's own are ten seconds apart."""
    (tmp_path / "elsewhere").mkdir()
    other = Files(tmp_path / "elsewhere", leaf("third"))
    with serving(tls=files.section) as running:
        files.put(leaf("second"))
        reload(running, files.section)
        assert shown_by(running) == "second"
        reload(running, other.section)
        assert shown_by(running) == "third"
        with pytest.raises(ConfigError, match="cannot read"):
            reload(running, {"certificate": "none.pem", "key": "none.key"})
        assert shown_by(running) == "third"


def test_files_that_change_while_they_are_read_are_left_to_the_next_look(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was loaded may be the certificate of one pair and the authorities of another."""
    real = server_tls.make_context

    def overtaken(settings: TLS) -> ssl.SSLContext:
        made = real(settings)
        files.put(leaf("third"))
        return made

    used = server_tls.ServerTLS(TLS(**files.section))
    before = used.context
    files.put(leaf("second"))
    monkeypatch.setattr(server_tls, "make_context", overtaken)
    with pytest.raises(ConfigError, match="changed while it was read"):
        used.reload(TLS(**files.section))
    assert used.context is before
    monkeypatch.setattr(server_tls, "make_context", real)
    used.reload(TLS(**files.section))
    assert used.context is not before


def test_tls_to_a_listener_without_it_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving() as running:
        with pytest.raises(ssl.SSLError):
            secured(running)
        no_connections_left(running)
    assert "TLS on a listener without it; use ws:// or http:// here" in caplog.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a file that hangs")
def test_a_file_that_hangs_holds_up_no_client(files: Files, looks: Looks) -> None:
    with serving(tls=files.section) as running:
        files.key.unlink()
        os.mkfifo(str(files.key))
        reader: List[int] = []

        def opened() -> bool:
            # Succeeds once somebody waits for the other end, and lets nothing through.
            try:
                reader.append(os.open(str(files.key), os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                return False
            return True

        support.wait_until(opened, "the look hangs")
        assert shown_by(running) == "first"
        assert shown_by(running) == "first"
        files.key.unlink()
        os.close(reader[0])


def test_a_certificate_that_ends_soon_is_told_at_the_start_and_again(
    files: Files, looks: Looks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files.put(leaf("old", days=(-300, 13.5)))
    with serving(tls=files.section):
        assert len(told(caplog, "expires on")) == 1
        monkeypatch.setattr(server_tls, "TELL_S", 0.05)
        support.wait_until(lambda: len(told(caplog, "expires on")) >= 3, "told again and again")
        assert "in 13 days" in caplog.text and "without a restart" in caplog.text
        files.put(leaf("new"))
        support.wait_until(lambda: told(caplog, "new connections get"), "the new one is taken")
        before = len(told(caplog, "expires on"))
        looks.wait(20)
        assert len(told(caplog, "expires on")) == before


def test_a_self_signed_certificate_is_served_with_advice(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    files.put(pki.make("mine"))
    with serving(tls=files.section):
        (said,) = told(caplog, "self-signed")
        assert "For daily use, get one from the authority of your company" in said
        assert not told(caplog, "expires on")


def test_an_encrypted_key_is_an_error_and_no_question_at_the_terminal(files: Files) -> None:
    files.key.write_bytes(
        leaf().key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="is encrypted; store it without a passphrase"):
        server_tls.ServerTLS(TLS(**files.section))


def test_a_certificate_that_is_too_weak_is_an_error_that_says_so(files: Files) -> None:
    files.put(pki.make("weak", own_key=pki.key("weak", 1024)))
    with pytest.raises(ConfigError, match="too weak .* make one with RSA of 2048 bits"):
        server_tls.ServerTLS(TLS(**files.section))


# --- of clients ----------------------------------------------------------------------------------

PANEL = pki.make("panel-3", issuer=ROOT, server=False)
REVOKED = pki.make("lost laptop", issuer=ROOT, server=False)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Any]:
    """``listen.tls`` with an authority for clients and a list of those it took back."""
    directory = tmp_path_factory.mktemp("clients")
    (directory / "ca.pem").write_bytes(pem(ROOT))
    revoked = x509.load_der_x509_crl(pki.revocation_list(ROOT, [REVOKED]))
    (directory / "crl.pem").write_bytes(revoked.public_bytes(serialization.Encoding.PEM))
    return {
        **Files(directory, leaf()).section,
        "client_ca": str(directory / "ca.pem"),
        "client_revocation_list": str(directory / "crl.pem"),
    }


@pytest.fixture(scope="module")
def requiring(asking: Dict[str, Any]) -> Iterator[Server]:
    with serving(tls={**asking, "client_certificates": "required"}) as running:
        yield running


@pytest.fixture(scope="module")
def offering(asking: Dict[str, Any]) -> Iterator[Server]:
    with serving(tls={**asking, "client_certificates": "optional"}) as running:
        yield running


def identity(server: Server) -> Optional[server_tls.PeerCertificate]:
    """The certificate of the only client."""
    (connection,) = server.listeners[0].connections()
    return connection._transport.peer_certificate()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_certificate_of_a_client_is_its_identity_also_in_a_resumed_session(
    version: ssl.TLSVersion, requiring: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = context(PANEL, tmp_path)
    client.minimum_version = client.maximum_version = version
    session: Optional[ssl.SSLSession] = None
    for resumed in (False, True):
        with upgraded(requiring, client, session=session) as peer:
            assert isinstance(peer.sock, ssl.SSLSocket)
            assert peer.sock.session_reused is resumed
            session = peer.sock.session
            shown = identity(requiring)
            assert shown is not None
            assert shown.common_names == ["panel-3"]
            assert shown.der == PANEL.der
            assert len(shown.fingerprint) == 64 and shown.fingerprint in str(shown)
        no_connections_left(requiring)
    assert len(told(caplog, 'shows the certificate "commonName=panel-3"')) == 2


def test_without_being_asked_nobody_shows_a_certificate(server: Server, tmp_path: Path) -> None:
    with upgraded(server, context(PANEL, tmp_path)):
        assert identity(server) is None
    no_connections_left(server)


def test_where_it_is_optional_a_client_may_have_none(offering: Server, tmp_path: Path) -> None:
    with upgraded(offering):
        assert identity(offering) is None
    no_connections_left(offering)
    with upgraded(offering, context(PANEL, tmp_path)):
        shown = identity(offering)
        assert shown is not None and shown.common_names == ["panel-3"]
    no_connections_left(offering)


BAD = {
    "none": (None, "the client shows no certificate; give it one"),
    "unknown": (
        pki.make("stranger", issuer=pki.authority("elsewhere"), server=False),
        "client_ca does not have the authority that issued it",
    ),
    "self-signed": (pki.make("own", server=False), "client_ca does not have the authority"),
    "expired": (
        pki.make("old", issuer=ROOT, server=False, days=(-30, -1)),
        "certificate has expired; give the client a new one",
    ),
    "not yet": (
        pki.make("new", issuer=ROOT, server=False, days=(1, 30)),
        "compare the clocks of both machines",
    ),
    "revoked": (REVOKED, "certificate revoked; its issuer revoked it"),
    "a server's": (leaf(), "it is not for client authentication"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", sorted(BAD))
def test_a_client_without_a_good_certificate_gets_an_alert_and_the_log_says_why(
    case: str,
    version: ssl.TLSVersion,
    requiring: Server,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made, words = BAD[case]
    client = context(made, tmp_path)
    client.minimum_version = client.maximum_version = version
    refused(requiring, client, opening() + b"x" * 20000)
    no_connections_left(requiring)
    (said,) = told(caplog, words)
    assert "127.0.0.1:" in said


def test_a_bad_certificate_is_refused_where_none_is_needed(
    offering: Server, tmp_path: Path
) -> None:
    refused(offering, context(REVOKED, tmp_path))
    no_connections_left(offering)


def test_a_new_revocation_list_counts_for_the_next_connection_also_a_resumed_one(
    asking: Dict[str, Any], tmp_path: Path
) -> None:
    own = tmp_path / "crl.pem"
    shutil.copy(asking["client_revocation_list"], str(own))
    section = {**asking, "client_certificates": "required", "client_revocation_list": str(own)}
    client = context(PANEL, tmp_path)
    with serving(tls=section) as running:
        with upgraded(running, client) as peer:
            assert isinstance(peer.sock, ssl.SSLSocket)
            session = peer.sock.session
        revoked = x509.load_der_x509_crl(pki.revocation_list(ROOT, [PANEL]))
        own.write_bytes(revoked.public_bytes(serialization.Encoding.PEM))
        reload(running, section)
        refused(running, client, session=session)
