"""Certificates in files: read, made, and managed by ``opcws cert``."""

import json
import os
import stat
import threading
from datetime import timedelta
from pathlib import Path
from typing import List

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from opcws.cli.main import main
from opcws.model.errors import PlantError
from opcws.x509 import certificates
from opcws.x509.certificates import (
    MAX_CHAIN,
    create,
    leaf_of,
    load_identity,
    own_identity,
    parse_chain,
    shown_chain,
)

from ..support import pki


def cert(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["cert", *arguments])


# -- reading --------------------------------------------------------------------------------


def test_a_chain_is_read_in_every_form_it_comes_in(tmp_path: Path) -> None:
    root = pki.authority()
    leaf = pki.make(issuer=root)
    pem = b"".join(
        each.certificate.public_bytes(serialization.Encoding.PEM) for each in (leaf, root)
    )
    wanted = [leaf.certificate, root.certificate]
    assert parse_chain(leaf.der + root.der) == wanted
    assert parse_chain(b"\n" + pem) == wanted


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 100, -1])
def test_a_chain_that_is_cut_off_is_a_value_error(cut: int) -> None:
    data = pki.make().der
    for broken in (data[:cut], data + data[:cut], b""):
        with pytest.raises(ValueError):
            parse_chain(broken)


def test_of_what_a_server_shows_no_more_than_a_chain_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, read = pki.authority(), []
    leaf = pki.make(issuer=root)
    assert shown_chain(leaf.der + root.der) == [leaf.certificate, root.certificate]
    assert leaf_of(leaf.der + root.der) == leaf.certificate
    whole = certificates.parse_chain
    monkeypatch.setattr(certificates, "parse_chain", lambda data: read.append(data) or whole(data))
    with pytest.raises(ValueError, match="more than %d in its chain" % MAX_CHAIN):
        shown_chain(leaf.der * 20000)
    large = b"\x30\x83\x0f\x42\x40" + bytes(1000000)
    with pytest.raises(ValueError, match="1000005 bytes"):
        shown_chain(leaf.der + large)
    assert leaf_of(large) is None
    assert read == [], "none of it is read"
    assert leaf_of(leaf.der * 20000) == leaf.certificate
    assert read == [leaf.der]
    for nothing in (None, b"", b"-----BEGIN"):
        assert leaf_of(nothing) is None
        with pytest.raises(ValueError):
            shown_chain(nothing)


@given(st.binary(max_size=64), st.integers(0, 700))
def test_whatever_a_server_sends_as_a_certificate_is_no_worse_than_a_value_error(
    noise: bytes, place: int
) -> None:
    data = pki.make().der
    try:
        chain = parse_chain(data[:place] + noise + data[place + len(noise) :])
    except ValueError:
        return
    for certificate in chain:
        certificates.rsa_bits(certificate)
        certificates.alternative_names(certificate)


def test_files_that_are_not_what_they_should_be_are_named_with_the_reason(tmp_path: Path) -> None:
    made = pki.make().save(tmp_path, "good")
    other = pki.make(own_key=pki.key("another")).save(tmp_path, "other")
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        made.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    curve = tmp_path / "curve.pem"
    curve.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    for certificate, key, words in (
        (str(tmp_path / "none.der"), made.key_path, "none.der: No such file"),
        (made.key_path, made.key_path, "no certificate in PEM or DER"),
        (made.certificate_path, made.certificate_path, "no private key in PEM or DER"),
        (made.certificate_path, str(locked), "store it without a passphrase"),
        (made.certificate_path, str(curve), "not an RSA key"),
        (made.certificate_path, other.key_path, "do not belong together"),
    ):
        with pytest.raises(PlantError) as caught:
            load_identity(certificate, key, "the certificate")
        assert words in caught.value.reason
        assert caught.value.status == "BadConfigurationError"


# -- our own --------------------------------------------------------------------------------


def test_our_certificate_is_what_opc_10000_6_asks_of_one(tmp_path: Path) -> None:
    own = create(str(tmp_path), "urn:site:opcws", ["gateway.example", "10.0.0.7"])
    made = own.certificate
    assert certificates.application_uri(made) == "urn:site:opcws"
    _uris, names, addresses = certificates.alternative_names(made)
    assert names == ["gateway.example"] and [str(each) for each in addresses] == ["10.0.0.7"]
    assert own.key.key_size == 2048
    assert made.signature_hash_algorithm is not None
    assert made.signature_hash_algorithm.name == "sha256"
    years = made.not_valid_after_utc - certificates.now()
    assert timedelta(days=5 * 365 - 1) < years <= timedelta(days=5 * 365)
    usage = certificates.extension(made, x509.KeyUsage)
    assert usage is not None and usage.digital_signature and usage.data_encipherment
    assert load_identity(own.certificate_path, own.key_path, "it").key_path == own.key_path


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_the_owner_can_read_the_private_key(tmp_path: Path) -> None:
    own = create(str(tmp_path), "urn:opcws")
    assert stat.S_IMODE(os.stat(own.key_path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(own.key_path)).st_mode) == 0o700


def test_our_certificate_is_made_once_however_many_servers_start_at_once(tmp_path: Path) -> None:
    found: List[certificates.Identity] = []
    threads = [
        threading.Thread(target=lambda: found.append(own_identity(str(tmp_path), "urn:opcws")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.certificate for each in found}) == 1
    assert sum(each.made for each in found) == 1


def test_a_new_certificate_keeps_the_key(tmp_path: Path) -> None:
    first = create(str(tmp_path), "urn:opcws")
    second = create(str(tmp_path), "urn:opcws")
    assert first.certificate != second.certificate
    assert first.certificate.public_key() == second.certificate.public_key()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file where a directory should be", encoding="utf-8")
    with pytest.raises(PlantError, match="cannot write"):
        create(str(tmp_path), "urn:opcws")


# -- opcws cert -----------------------------------------------------------------------------


def test_create_makes_files_tells_what_to_do_and_replaces_only_when_told(tmp_path: Path) -> None:
    where = ["--pki", str(tmp_path)]
    result = cert("create", *where, "--host", "h.example", "--uri", "urn:mine")
    assert result.exit_code == 0
    path = tmp_path / "own" / "certs" / "opcws.der"
    title = certificates.title(certificates.load_certificate(str(path), "it"))
    assert "put the certificate, %s, into the trust list" % title in result.output
    first = path.read_bytes()
    again = cert("create", *where)
    assert again.exit_code == 1 and "--replace" in again.output and path.read_bytes() == first
    assert cert("create", *where, "--replace").exit_code == 0
    assert path.read_bytes() != first


def test_create_refuses_a_host_that_is_none(tmp_path: Path) -> None:
    result = cert("create", "--pki", str(tmp_path), "--host", "a..b")
    assert result.exit_code == 1 and "neither a host name nor an IP address" in result.output


def test_create_takes_directory_and_application_uri_from_the_configuration(tmp_path: Path) -> None:
    server = {
        "endpoint": "opc.tcp://plc.example:4840",
        "application_uri": "urn:line:3",
        "security": {"pki": "certificates"},
        "variables": {"T": {"node": "i=2258"}},
    }
    path = tmp_path / "opcws.yaml"
    path.write_text(json.dumps({"servers": {"plant": server}}), encoding="utf-8")
    assert cert("create", "--config", str(path)).exit_code == 0
    shown = cert("show", "--config", str(path)).output
    assert str(tmp_path / "certificates" / "own") in shown
    assert "ApplicationUri:  urn:line:3" in shown


def test_show_describes_any_certificate_and_warns_of_its_end(tmp_path: Path) -> None:
    made = pki.make("old plant", days=(-10, 5.5)).save(tmp_path, "plant")
    shown = cert("show", made.certificate_path).output
    for words in (
        "CN=old plant",
        "Issuer:          itself",
        pki.URI,
        "localhost, 127.0.0.1",
        "RSA 2048 bits, sha256",
        certificates.thumbprint(made.certificate),
        "expires on",
        "in 5 days",
    ):
        assert words in shown
    result = cert("show", "--pki", str(tmp_path))
    assert result.exit_code == 1 and "'opcws cert create' makes it" in result.output


def test_trust_moves_what_list_shows_as_rejected(tmp_path: Path) -> None:
    made = pki.make("plc")
    rejected = tmp_path / "rejected" / "certs" / certificates.file_name(made.certificate)
    certificates.write_file(str(rejected), made.der)
    where = ["--pki", str(tmp_path)]
    assert "rejected  %s" % rejected.name in cert("list", *where).output
    assert "Subject:         CN=plc" in cert("show", *where, "plc-").output
    result = cert("trust", *where, rejected.name)
    assert result.exit_code == 0 and "without a restart" in result.output
    assert "trusted   %s" % rejected.name in cert("list", *where).output
    assert not rejected.exists()
    result = cert("trust", *where, rejected.name)
    assert result.exit_code == 1 and "there is no file" in result.output


def test_list_of_nothing_says_so(tmp_path: Path) -> None:
    assert "no certificates" in cert("list", "--pki", str(tmp_path)).output
