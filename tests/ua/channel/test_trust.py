"""Which certificate of a server is believed, and what is told of one that is not."""

import logging
import shutil
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any, List, Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from opcws.model.errors import PlantError
from opcws.ua.channel import trust
from opcws.ua.channel.security_policies import BY_NAME
from opcws.ua.channel.trust import Expected, TrustStore
from opcws.x509 import certificates

from ...support import pki
from ...support.pki import Made

SHA1 = Path(__file__).resolve().parents[2] / "data" / "sha1"
ROOT = pki.authority("root")
MIDDLE = pki.authority("middle", ROOT)
STRANGER = pki.authority("stranger")


@pytest.fixture(autouse=True)
def nothing_told_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told once in the life of a process is told once in each test."""
    monkeypatch.setattr(trust, "_told", set())


def expected(host: str = "127.0.0.1", policy: str = "Basic256Sha256", **more: Any) -> Expected:
    return Expected(host, pki.URI, BY_NAME[policy], **more)


def verify(directory: Path, *chain: Made, **more: Any) -> List[str]:
    return TrustStore(str(directory)).verify([made.certificate for made in chain], expected(**more))


def refusal(directory: Path, *chain: Made, **more: Any) -> PlantError:
    with pytest.raises(PlantError) as caught:
        verify(directory, *chain, **more)
    return caught.value


def rejected(directory: Path) -> List[Path]:
    folder = directory / "rejected" / "certs"
    return sorted(folder.iterdir()) if folder.exists() else []


# -- self-signed ----------------------------------------------------------------------------


def test_a_self_signed_certificate_in_trusted_is_believed(tmp_path: Path) -> None:
    made = pki.make()
    made.put(tmp_path, "trusted")
    assert verify(tmp_path, made) == []
    assert rejected(tmp_path) == []


def test_pem_files_and_unreadable_ones_beside_them_do_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = pki.make()
    folder = tmp_path / "trusted" / "certs"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"not a certificate")
    (folder / "b.der").write_bytes(made.der[:100])
    (folder / "c.crt").write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    for _ in range(3):
        assert verify(tmp_path, made) == []
    told = [message for message in caplog.messages if "is ignored" in message]
    assert len(told) == 2, "each is told once"


@pytest.mark.parametrize("place", ["issuers", "rejected", "own"])
def test_no_other_place_makes_a_certificate_trusted(tmp_path: Path, place: str) -> None:
    made = pki.make()
    made.put(tmp_path, place)
    assert refusal(tmp_path, made).status == "BadCertificateUntrusted"


def test_another_certificate_of_the_same_name_and_key_is_not_trusted(tmp_path: Path) -> None:
    pki.make().put(tmp_path, "trusted")
    assert refusal(tmp_path, pki.make()).status == "BadCertificateUntrusted"


def test_what_is_not_trusted_is_kept_once_and_the_message_says_what_to_move_where(
    tmp_path: Path,
) -> None:
    made = pki.make("Boiler PLC/..\n1")
    problem = refusal(tmp_path, made)
    assert refusal(tmp_path, made).reason == problem.reason
    (path,) = rejected(tmp_path)
    assert path.read_bytes() == made.der
    assert path.name == "Boiler_PLC_.._1-%s.der" % certificates.thumbprint(made.certificate)
    assert "move %s to %s" % (path, tmp_path / "trusted" / "certs") in problem.reason
    assert "opcws cert trust --pki %s %s" % (tmp_path, path.name) in problem.reason
    assert "\n" not in problem.reason


def test_a_flood_of_certificates_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "MAX_REJECTED", 3)
    for _ in range(3):
        refusal(tmp_path, pki.make())
    assert "is full" in refusal(tmp_path, pki.make()).reason
    assert len(rejected(tmp_path)) == 3


def test_a_directory_that_cannot_be_written_still_gives_a_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "rejected").write_text("a file where a directory should be", encoding="utf-8")
    problem = refusal(tmp_path, pki.make())
    assert problem.status == "BadCertificateUntrusted"
    assert "could not be saved" in problem.reason


# -- authorities ----------------------------------------------------------------------------


def leaf(issuer: Made = MIDDLE, **more: Any) -> Made:
    return pki.make("plant", issuer=issuer, **more)


def lists(directory: Path, *revoked: Made, days: Sequence[float] = (-1, 30)) -> None:
    folder = directory / "trusted" / "crl"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, issuer in enumerate((ROOT, MIDDLE)):
        (folder / ("%d.crl" % number)).write_bytes(pki.revocation_list(issuer, revoked, days))


@pytest.mark.parametrize(
    ("trusted", "issuers", "sent"),
    [
        ([ROOT], [MIDDLE], []),
        ([ROOT], [], [MIDDLE]),
        ([ROOT, MIDDLE], [], []),
        ([MIDDLE], [ROOT], []),
        (["leaf"], [ROOT, MIDDLE], []),
        ([ROOT], [], [MIDDLE, ROOT]),
    ],
    ids=[
        "root trusted",
        "issuer sent by the server",
        "both trusted",
        "issuer trusted",
        "leaf trusted",
        "all sent",
    ],
)
def test_a_chain_with_a_trusted_certificate_in_it_is_believed(
    tmp_path: Path, trusted: List[Any], issuers: List[Made], sent: List[Made]
) -> None:
    made = leaf()
    for each in trusted:
        (made if each == "leaf" else each).put(tmp_path, "trusted")
    for each in issuers:
        each.put(tmp_path, "issuers")
    lists(tmp_path)
    assert verify(tmp_path, made, *sent) == []


def test_an_authority_that_only_completes_chains_makes_nothing_trusted(tmp_path: Path) -> None:
    ROOT.put(tmp_path, "issuers")
    MIDDLE.put(tmp_path, "issuers")
    lists(tmp_path)
    problem = refusal(tmp_path, leaf())
    assert problem.status == "BadCertificateUntrusted"
    assert 'issued by "CN=middle"' in problem.reason


def test_a_chain_that_the_server_sends_itself_makes_nothing_trusted(tmp_path: Path) -> None:
    lists(tmp_path)
    assert refusal(tmp_path, leaf(), MIDDLE, ROOT).status == "BadCertificateUntrusted"


def test_a_missing_issuer_is_named(tmp_path: Path) -> None:
    made = leaf()
    made.put(tmp_path, "trusted")
    problem = refusal(tmp_path, made)
    assert problem.status == "BadCertificateChainIncomplete"
    assert '"CN=middle" is missing; put it into %s' % (tmp_path / "issuers") in problem.reason


def test_an_issuer_in_name_only_is_none(tmp_path: Path) -> None:
    false_root = pki.make("root", None, (), authority=True, own_key=pki.key("false root"))
    ROOT.put(tmp_path, "trusted")
    lists(tmp_path)
    made = leaf(false_root)
    assert refusal(tmp_path, made).status == "BadCertificateUntrusted"
    assert refusal(tmp_path, made, false_root).status == "BadCertificateUntrusted"


def test_a_trusted_server_cannot_vouch_for_others(tmp_path: Path) -> None:
    server = pki.make("server", own_key=pki.key("other server"))
    server.put(tmp_path, "trusted")
    assert refusal(tmp_path, leaf(server)).status == "BadCertificateUntrusted"


def test_a_revoked_certificate_is_refused(tmp_path: Path) -> None:
    ROOT.put(tmp_path, "trusted")
    MIDDLE.put(tmp_path, "issuers")
    made = leaf()
    lists(tmp_path, made)
    problem = refusal(tmp_path, made)
    assert problem.status == "BadCertificateRevoked"
    assert problem.reason.startswith("the OPC UA server's certificate ")
    lists(tmp_path, MIDDLE)
    problem = refusal(tmp_path, made)
    assert problem.status == "BadCertificateIssuerRevoked"
    assert problem.reason.startswith("the certificate of the OPC UA server's issuer ")
    lists(tmp_path)
    assert verify(tmp_path, made) == []


def test_without_a_current_revocation_list_nothing_is_believed_unless_relaxed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ROOT.put(tmp_path, "trusted")
    made = leaf(ROOT)
    problem = refusal(tmp_path, made)
    assert problem.status == "BadCertificateRevocationUnknown"
    assert "put one into %s" % (tmp_path / "trusted" / "crl") in problem.reason
    lists(tmp_path, days=(-30, -1))
    assert refusal(tmp_path, made).status == "BadCertificateRevocationUnknown"
    assert verify(tmp_path, made, require_revocation_list=False) == []
    assert "no current revocation list" in caplog.text
    lists(tmp_path, made, days=(-30, -1))
    problem = refusal(tmp_path, made, require_revocation_list=False)
    assert problem.status == "BadCertificateRevoked", "an old list still counts against one"


def test_a_revocation_list_that_somebody_else_signed_counts_for_nothing(tmp_path: Path) -> None:
    ROOT.put(tmp_path, "trusted")
    made = leaf(ROOT)
    forged = pki.revocation_list(ROOT, [made], signer=STRANGER.key)
    pki.put_list(tmp_path, forged)
    assert refusal(tmp_path, made).status == "BadCertificateRevocationUnknown"


def test_a_path_that_rfc_5280_forbids_is_refused_with_a_status_of_its_own(tmp_path: Path) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    ROOT.put(tmp_path, "trusted")
    lists(tmp_path)
    problem = refusal(tmp_path, leaf(ROOT, more=[(unknown, True)]))
    assert problem.status == "BadCertificateInvalid"
    assert "critical extension that opcws does not know (1.2.3.4.5)" in problem.reason
    first = pki.authority("first", ROOT, path_length=0)
    second = pki.authority("second", first)
    problem = refusal(tmp_path, leaf(second), second, first)
    assert problem.status == "BadCertificateIssuerUseNotAllowed"
    assert 'certificate of the OPC UA server\'s issuer "CN=first"' in problem.reason
    pinned = pki.make(more=[(unknown, True)])
    problem = refusal(tmp_path, pinned, pinned=pinned.certificate)
    assert problem.status == "BadCertificateInvalid"


def test_an_unknown_revocation_of_an_issuer_has_a_status_of_its_own(tmp_path: Path) -> None:
    ROOT.put(tmp_path, "trusted")
    pki.put_list(tmp_path, pki.revocation_list(MIDDLE))
    problem = refusal(tmp_path, leaf(), MIDDLE)
    assert problem.status == "BadCertificateIssuerRevocationUnknown"
    assert 'no current revocation list of "CN=root"' in problem.reason
    assert verify(tmp_path, leaf(), MIDDLE, require_revocation_list=False) == []


def test_a_missing_list_does_not_hide_that_an_issuer_was_revoked(tmp_path: Path) -> None:
    ROOT.put(tmp_path, "trusted")
    pki.put_list(tmp_path, pki.revocation_list(ROOT, [MIDDLE]))
    problem = refusal(tmp_path, leaf(), MIDDLE, require_revocation_list=False)
    assert problem.status == "BadCertificateIssuerRevoked"


def test_a_list_that_does_not_count_is_told_with_why(tmp_path: Path) -> None:
    ROOT.put(tmp_path, "trusted")
    mute = pki.authority("mute", ROOT, crl_sign=False)
    pki.put_list(tmp_path, pki.revocation_list(ROOT), name="root")
    pki.put_list(tmp_path, pki.revocation_list(mute), name="mute")
    problem = refusal(tmp_path, leaf(mute), mute)
    assert problem.status == "BadCertificateRevocationUnknown"
    assert "one that is not valid: its issuer may not sign such lists" in problem.reason


def test_of_an_authority_that_was_renewed_the_certificate_that_is_right_is_taken(
    tmp_path: Path,
) -> None:
    old = pki.authority("renewed", ROOT, days=(-30, -1))
    new = pki.authority("renewed", ROOT)
    ROOT.put(tmp_path, "trusted")
    pki.put_list(tmp_path, pki.revocation_list(ROOT), name="root")
    pki.put_list(tmp_path, pki.revocation_list(new), name="renewed")
    assert verify(tmp_path, leaf(new), old, new) == []
    assert verify(tmp_path, leaf(new), new, old) == []
    assert refusal(tmp_path, leaf(new), old).status == "BadCertificateIssuerTimeInvalid"


def test_of_two_ways_to_a_root_the_one_with_a_trusted_certificate_is_taken(tmp_path: Path) -> None:
    theirs = pki.authority("bridge", STRANGER)
    ours = pki.authority("bridge", ROOT)
    ROOT.put(tmp_path, "trusted")
    STRANGER.put(tmp_path, "issuers")
    pki.put_list(tmp_path, pki.revocation_list(ROOT), name="root")
    pki.put_list(tmp_path, pki.revocation_list(ours), name="bridge")
    assert verify(tmp_path, leaf(ours), theirs, ours) == []


def test_authorities_that_issue_each_other_in_circles_cost_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: List[int] = []
    is_signed_by = trust.is_signed_by
    monkeypatch.setattr(trust, "is_signed_by", lambda *of: asked.append(1) or is_signed_by(*of))
    shared = pki.key("circle")
    circle = [pki.authority("circle", own_key=shared)]
    circle = [pki.make("circle", None, (), (-1, 9), circle[0], True, shared) for _ in range(9)]
    STRANGER.put(tmp_path, "trusted")
    assert refusal(tmp_path, leaf(circle[0]), *circle).status == "BadCertificateUntrusted"
    assert len(asked) < 2000


# -- the certificate itself -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "status", "words"),
    [
        ({"days": (-10, -1)}, "BadCertificateTimeInvalid", "expired on"),
        ({"days": (1, 10)}, "BadCertificateTimeInvalid", "valid only from"),
        ({"days": (1, 10)}, "BadCertificateTimeInvalid", "set the clock that is wrong"),
        ({"uri": "urn:other"}, "BadCertificateUriInvalid", "has urn:other"),
        ({"uri": None}, "BadCertificateUriInvalid", "has none"),
        ({"hosts": ["10.0.0.1"]}, "BadCertificateHostNameInvalid", "is for 10.0.0.1"),
        ({"hosts": []}, "BadCertificateHostNameInvalid", "is for no host"),
        ({"server": False}, "BadCertificateUseNotAllowed", "not made for servers"),
        ({"signs": False}, "BadCertificateUseNotAllowed", "not made for digital signatures"),
        (
            {"own_key": pki.key("short", 1024)},
            "BadCertificatePolicyCheckFailed",
            "RSA key of 1024 bits",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_trusted_certificate_that_is_wrong_is_refused_with_its_own_status(
    tmp_path: Path, made: Any, status: str, words: str
) -> None:
    wrong = pki.make(**made)
    wrong.put(tmp_path, "trusted")
    problem = refusal(tmp_path, wrong)
    assert problem.status == status
    assert words in problem.reason
    assert certificates.thumbprint(wrong.certificate) in problem.reason
    assert problem.reason.startswith("the OPC UA server"), "it is told whose certificate it is"


def test_a_key_that_is_not_rsa_is_refused_and_not_stumbled_over(tmp_path: Path) -> None:
    made = pki.make(own_key=ec.generate_private_key(ec.SECP256R1()))
    made.put(tmp_path, "trusted")
    problem = refusal(tmp_path, made)
    assert problem.status == "BadCertificatePolicyCheckFailed"
    assert "not RSA" in problem.reason


def test_an_expired_authority_ends_what_it_issued(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = pki.make("old", None, (), days=(-30, -1), authority=True)
    old.put(tmp_path, "trusted")
    pki.put_list(tmp_path, pki.revocation_list(old))
    made = pki.make(issuer=old)
    assert refusal(tmp_path, made).status == "BadCertificateIssuerTimeInvalid"
    assert verify(tmp_path, made, check_validity=False, server="press") == []
    assert "because security.check_validity is false" in caplog.text
    assert "press: the certificate of the OPC UA server's issuer" in caplog.text


def test_an_old_policy_takes_the_short_key_that_a_new_one_refuses(tmp_path: Path) -> None:
    made = pki.make(own_key=pki.key("short", 1024))
    made.put(tmp_path, "trusted")
    assert verify(tmp_path, made, policy="Basic256") == []


def test_an_old_policy_takes_sha_1_from_servers_and_authorities_and_never_md5(
    tmp_path: Path,
) -> None:
    """Certificates from OpenSSL's command: cryptography makes none with these algorithms."""
    server, issued, root, older = (
        x509.load_der_x509_certificate((SHA1 / (name + ".der")).read_bytes())
        for name in ("self", "issued", "root", "md5")
    )
    for each in (server, root, older):
        Made(each, None).put(tmp_path, "trusted")
    pki.put_list(tmp_path, (SHA1 / "list.crl").read_bytes())
    store = TrustStore(str(tmp_path))
    for leaf_ in (server, issued):
        assert store.verify([leaf_], expected(policy="Basic256")) == []
        with pytest.raises(PlantError, match="is signed with SHA1"):
            store.verify([leaf_], expected())
    with pytest.raises(PlantError, match="is signed with MD5"):
        store.verify([older], expected(policy="Basic256"))


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (["PLC.example"], "plc.Example"),
        (["plc.example"], "plc.example."),
        (["10.0.0.1"], "10.0.0.1"),
        (["fe80::1"], "fe80:0::1"),
        ([socket.gethostname()], "127.0.0.1"),
        ([socket.gethostname()], "localhost"),
        (["localhost"], "::1"),
    ],
)
def test_a_host_is_known_by_any_of_its_spellings(
    tmp_path: Path, names: List[str], host: str
) -> None:
    made = pki.make(hosts=names)
    made.put(tmp_path, "trusted")
    assert verify(tmp_path, made, host=host) == []


def test_a_name_of_this_machine_is_no_name_of_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = pki.make(hosts=[socket.gethostname(), "localhost", "127.0.0.1"])
    made.put(tmp_path, "trusted")
    assert refusal(tmp_path, made, host="plc.example").status == "BadCertificateHostNameInvalid"
    assert verify(tmp_path, made, host="plc.example", check_host_name=False) == []
    assert "because security.check_host_name is false" in caplog.text


def test_only_the_first_uri_is_the_application_uri(tmp_path: Path) -> None:
    own_key = pki.key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "two")])
    names = [x509.UniformResourceIdentifier(uri) for uri in ("urn:first", pki.URI)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own_key.public_key())
        .serial_number(1)
        .not_valid_before(pki.NOW)
        .not_valid_after(pki.NOW + timedelta(days=60))
        .add_extension(x509.SubjectAlternativeName([*names, x509.DNSName("localhost")]), False)
        .sign(own_key, hashes.SHA256())
    )
    made = Made(certificate, own_key)
    made.put(tmp_path, "trusted")
    assert refusal(tmp_path, made).status == "BadCertificateUriInvalid"


@pytest.mark.parametrize(("days", "told"), [(31.5, False), (29.5, True), (0.5, True)])
def test_a_certificate_is_warned_of_from_thirty_days_on(
    tmp_path: Path, days: float, told: bool
) -> None:
    made = pki.make(days=(-1, days))
    made.put(tmp_path, "trusted")
    notices = verify(tmp_path, made)
    assert [each for each in notices if "in %d days" % days in each] == notices
    assert bool(notices) == told


def test_a_pinned_certificate_needs_neither_list_nor_host_but_everything_else(
    tmp_path: Path,
) -> None:
    made = pki.make(hosts=[])
    assert verify(tmp_path, made, pinned=made.certificate) == []
    other = pki.make()
    problem = refusal(tmp_path, other, pinned=made.certificate)
    assert problem.status == "BadCertificateUntrusted"
    assert rejected(tmp_path) == [], "there is nothing to move"
    old = pki.make(days=(-10, -1))
    assert refusal(tmp_path, old, pinned=old.certificate).status == "BadCertificateTimeInvalid"


# -- moving files ---------------------------------------------------------------------------


def test_a_rejected_certificate_is_trusted_by_name_beginning_thumbprint_or_path(
    tmp_path: Path,
) -> None:
    store = TrustStore(str(tmp_path))
    for number in range(4):
        made = pki.make("plc %d" % number)
        path = Path(store.reject(made.certificate))
        name = [
            path.name,
            "plc_%d" % number,
            certificates.thumbprint(made.certificate).lower(),
            str(path),
        ][number]
        target = store.trust(name)
        assert Path(target).read_bytes() == made.der
        assert not path.exists()
        assert verify(tmp_path, made) == []


def test_a_file_from_elsewhere_is_trusted_and_stays_where_it_is(tmp_path: Path) -> None:
    made = pki.make().save(tmp_path / "usb", "plant")
    store = TrustStore(str(tmp_path / "pki"))
    waiting = Path(store.reject(made.certificate))
    store.trust(made.certificate_path)
    assert Path(made.certificate_path).exists() and not waiting.exists()
    assert verify(tmp_path / "pki", made) == []


def test_what_cannot_be_trusted_is_explained(tmp_path: Path) -> None:
    store = TrustStore(str(tmp_path))
    for _ in range(2):
        store.reject(pki.make("same name").certificate)
    with pytest.raises(PlantError, match="beginning of several files"):
        store.trust("same")
    with pytest.raises(PlantError, match="there is no file nothing"):
        store.trust("nothing")
    text = tmp_path / "text.der"
    text.write_text("text", encoding="utf-8")
    with pytest.raises(PlantError, match="no certificate in PEM or DER"):
        store.trust(str(text))


def test_the_listing_shows_each_place(tmp_path: Path) -> None:
    for place in ("trusted", "issuers", "rejected", "own"):
        pki.make(place).put(tmp_path, place)
    listed = TrustStore(str(tmp_path)).listing()
    assert [each.place for each in listed] == ["own", "trusted", "issuers", "rejected"]
    assert TrustStore(str(tmp_path / "none")).listing() == []


def test_a_warning_is_given_once(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            trust.warn_once("about %s" % tmp_path)
    assert caplog.messages == ["about %s" % tmp_path]
