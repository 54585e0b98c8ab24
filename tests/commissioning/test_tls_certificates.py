"""``opcws cert create --listen``, and what ``opcws check`` says of the certificate clients see."""

import json
import os
import ssl
import stat
from pathlib import Path
from typing import Any, Dict

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from opcws.cli.main import main
from opcws.config.settings import TLS
from opcws.ws.tls import ServerTLS
from opcws.x509 import certificates, listener_certificate

from ..support import pki


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def configuration(directory: Path, **listen: Any) -> str:
    server = {"endpoint": "opc.tcp://127.0.0.1:4840", "variables": {"T": {"node": "i=2258"}}}
    path = directory / "opcws.yaml"
    path.write_text(json.dumps({"listen": listen, "servers": {"plant": server}}), "utf-8")
    return str(path)


def save(directory: Path, made: pki.Made) -> Dict[str, Any]:
    (directory / "c.pem").write_bytes(
        made.certificate.public_bytes(serialization.Encoding.PEM)
        + made.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return {"certificate": "c.pem", "key": "c.pem"}


def read(path: Path) -> x509.Certificate:
    return certificates.parse_chain(path.read_bytes())[0]


# --- made ----------------------------------------------------------------------------------------


def test_create_makes_a_pair_beside_the_configuration_and_prints_what_to_write_there(
    tmp_path: Path,
) -> None:
    path = configuration(tmp_path, host="192.0.2.7")
    tmp_path.chmod(0o755)
    result = run("cert", "create", "--listen", "--config", path)
    assert result.exit_code == 0
    assert "  tls:\n    certificate: opcws-tls.pem\n    key: opcws-tls.key\n" in result.output
    certificate, key = tmp_path / "opcws-tls.pem", tmp_path / "opcws-tls.key"
    ServerTLS(TLS(str(certificate), str(key)))
    if os.name != "nt":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    _uris, names, addresses = certificates.alternative_names(read(certificate))
    assert "localhost" in names
    assert {"192.0.2.7", "127.0.0.1", "::1"} <= {str(each) for each in addresses}


def test_the_certificate_is_what_browsers_and_strict_clients_want(tmp_path: Path) -> None:
    path = configuration(tmp_path)
    names = ["--host", "panel.example", "--host", "192.0.2.9"]
    assert run("cert", "create", "--listen", "--config", path, *names).exit_code == 0
    made = read(tmp_path / "opcws-tls.pem")
    usage = certificates.extension(made, x509.ExtendedKeyUsage)
    assert usage is not None and list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    _uris, hosts, addresses = certificates.alternative_names(made)
    assert hosts == ["panel.example"] and [str(each) for each in addresses] == ["192.0.2.9"]

    serving = ServerTLS(TLS(str(tmp_path / "opcws-tls.pem"), str(tmp_path / "opcws-tls.key")))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "opcws-tls.pem"))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    shake_hands(serving.context, trusting, "panel.example")
    shake_hands(serving.context, trusting, "192.0.2.9")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(serving.context, trusting, "other.example")


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A whole handshake without a socket."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    assert ends[0].version() == "TLSv1.3"


def test_a_pair_that_is_there_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = configuration(tmp_path)
    command = ["cert", "create", "--listen", "--config", path]
    assert run(*command).exit_code == 0
    first = (tmp_path / "opcws-tls.pem").read_bytes()
    again = run(*command)
    assert again.exit_code == 1 and "--replace" in again.output
    assert (tmp_path / "opcws-tls.pem").read_bytes() == first
    assert run(*command, "--replace").exit_code == 0
    assert (tmp_path / "opcws-tls.pem").read_bytes() != first


def test_the_files_that_the_configuration_names_are_made(tmp_path: Path) -> None:
    tls = {"certificate": "tls/own.pem", "key": "tls/own.key"}
    path = configuration(tmp_path, tls=tls)
    result = run("cert", "create", "--listen", "--config", path)
    assert result.exit_code == 0 and "names them already" in result.output
    checked = run("check", "--offline", "--config", path)
    assert checked.exit_code == 0
    assert "self-signed" in checked.output and "no file" not in checked.output


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--pki", "x"], 2, "--listen goes with neither --pki nor --uri"),
        (["--uri", "urn:x"], 2, "--listen goes with neither --pki nor --uri"),
        (["--host", "a..b"], 1, "neither a host name nor an IP address"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: "list[str]", code: int, words: str, tmp_path: Path
) -> None:
    path = configuration(tmp_path)
    result = run("cert", "create", "--listen", "--config", path, *options)
    assert result.exit_code == code and words in result.output
    assert sorted(each.name for each in tmp_path.iterdir()) == ["opcws.yaml"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_an_address_for_any_is_no_name(host: str) -> None:
    assert host not in listener_certificate.own_names(host)


# --- judged --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"days": (-300, 13.5)}, "expires on"),
        ({"days": (-300, -1)}, "expired on"),
        ({"days": (1, 300)}, "not valid before"),
        ({"uri": None, "hosts": ()}, "names no host"),
        ({"issuer": None}, "self-signed"),
    ],
)
def test_check_tells_what_is_to_be_done_about_a_certificate(
    options: Dict[str, Any], words: str, tmp_path: Path
) -> None:
    made = pki.make(**{"issuer": pki.authority("company"), **options})
    path = configuration(tmp_path, tls=save(tmp_path, made))
    result = run("check", "--offline", "--config", path)
    assert result.exit_code == 0
    (warning,) = [line for line in result.output.splitlines() if line.startswith("warning: ")]
    assert words in warning and "c.pem" in warning


def test_check_has_nothing_to_say_of_a_good_certificate(tmp_path: Path) -> None:
    made = pki.make(issuer=pki.authority("company"), days=(-1, 14.5))
    path = configuration(tmp_path, tls=save(tmp_path, made))
    result = run("check", "--offline", "--config", path)
    assert result.exit_code == 0 and "warning" not in result.output


def test_check_fails_for_files_that_serve_could_not_use(tmp_path: Path) -> None:
    tls = save(tmp_path, pki.make())
    (tmp_path / "ca.pem").write_text("nothing", "utf-8")
    tls.update(client_ca="ca.pem", client_certificates="required")
    result = run("check", "--offline", "--config", configuration(tmp_path, tls=tls))
    assert result.exit_code == 1
    assert "listen.tls.client_ca: %s has no certificate in PEM" % (tmp_path / "ca.pem") in (
        result.output
    )
