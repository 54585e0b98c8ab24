"""Client certificates and roles: the machine behind a TLS connection is known by what it proves."""

import json
import ssl
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from opcws.access import accounts
from opcws.app import Server
from opcws.config import load

from ... import support
from ...support import pki
from ...support.byte_client import Answer, ByteClient, connect, opening
from ..sockets.test_tls_certificates import PANEL, ROOT, Files, context, leaf, pem

OTHER = pki.make("other", issuer=ROOT, server=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory: Path = tmp_path_factory.mktemp("site")
    (directory / "ca.pem").write_bytes(pem(ROOT))
    tls = {
        **Files(directory, leaf()).section,
        "client_ca": str(directory / "ca.pem"),
        "client_certificates": "optional",
    }
    settings = support.settings("opc.tcp://127.0.0.1:%d" % support.free_port(), listen={"tls": tls})
    settings["roles"] = {
        "panel": {"read": ["Boiler.*"], "certificates": ["CN=panel-3"]},
        "person": {"read": ["*"]},
    }
    path = directory / "opcws.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    running = Server(load(path))
    running.start()
    yield running
    running.stop()
    support.no_threads_left()


def ask(site: Server, client: ssl.SSLContext, data: bytes) -> Answer:
    with secured(site, client) as peer:
        peer.send(data)
        return peer.answer()


def secured(site: Server, client: ssl.SSLContext) -> ByteClient:
    peer = connect(site)
    peer.sock = client.wrap_socket(peer.sock, server_hostname="localhost")
    return peer


def whoami(site: Server, client: ssl.SSLContext, **headers: str) -> Dict[str, Any]:
    data = opening("/whoami", Upgrade=None, Connection=None, **headers)
    found: Dict[str, Any] = json.loads(ask(site, client, data).body)
    return found


def test_a_certificate_gets_in_with_its_role_and_another_or_none_does_not(
    site: Server, tmp_path: Path
) -> None:
    panel = context(PANEL, tmp_path)
    me = whoami(site, panel)
    assert (me["Identity"], me["Role"]) == ("certificate panel-3", "panel")
    with secured(site, panel) as peer:
        peer.send(opening())
        assert peer.head()[0] == 101
    other = context(OTHER, tmp_path)
    me = whoami(site, other)
    assert (me["Identity"], me["Role"]) == ("certificate other", "anonymous")
    assert ask(site, other, opening()).status == 403
    assert ask(site, context(), opening()).status == 401


def test_a_token_counts_instead_of_the_certificate_below_it(site: Server, tmp_path: Path) -> None:
    token = accounts.create_token(site.config, "anna", "person", None)[0]
    me = whoami(site, context(PANEL, tmp_path), Authorization="Bearer " + token)
    assert (me["Identity"], me["Role"]) == ("token anna", "person")
