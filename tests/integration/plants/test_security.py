"""Security towards the plant, against two servers that are not ours: python-opcua and asyncua."""

import importlib.util
import ipaddress
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest
from cryptography import x509

from opcws.app import Server
from opcws.commissioning import check
from opcws.config import loads
from opcws.ua.channel import trust
from opcws.x509 import certificates

from ... import ROOT, support
from ...support import PATIENCE, Client, pki
from ...support.faults import fast_renewals

STACKS = {"opcua": "python-opcua", "asyncua": "asyncua"}
POLICY_TYPES = {
    "Basic256Sha256": "Basic256Sha256",
    "Aes128_Sha256_RsaOaep": "Aes128Sha256RsaOaep",
    "Aes256_Sha256_RsaPss": "Aes256Sha256RsaPss",
    "Basic256": "Basic256",
}
#: Of one block: neither server can read more.
PASSWORD = "h\u00f6chst geheim"

needs_asyncua = pytest.mark.skipif(
    importlib.util.find_spec("asyncua") is None, reason="needs asyncua"
)
#: The last asyncua for Python 3.8 offers no Basic256, cannot decrypt a password by the newest
#: policy, and asks for passwords in clear on an unsecured channel.
needs_newer_asyncua = pytest.mark.skipif(
    importlib.util.find_spec("asyncua") is None or sys.version_info < (3, 9),
    reason="needs asyncua 1.2 or later, and thereby Python 3.9",
)


@pytest.fixture(autouse=True)
def nothing_told_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told once in the life of a process is told once in each test."""
    monkeypatch.setattr(trust, "_told", set())


class Secured(NamedTuple):
    """A secured server and where opcws keeps its certificates."""

    endpoint: str
    pki: Path
    made: pki.Made

    def security(self, policy: str = "Basic256Sha256", mode: str = "SignAndEncrypt") -> Any:
        return {"policy": policy, "mode": mode, "pki": str(self.pki)}

    def unknown(self, directory: Path) -> "Secured":
        """The same, for an opcws that keeps its certificates in *directory* and has none yet."""
        return self._replace(pki=directory / "pki")


@contextmanager
def process(stack: str, **wanted: Any) -> Iterator[str]:
    """A server of *stack* with what its module's docstring lists; gives its endpoint."""
    wanted.setdefault("port", support.free_port())
    wanted.setdefault("uri", pki.URI)
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.secured_" + stack, json.dumps(wanted)],
        cwd=str(ROOT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdin is not None and running.stdout is not None
    try:
        support.expect(running, "ready")
        yield "opc.tcp://127.0.0.1:%d" % wanted["port"]
    finally:
        running.stdin.close()
        running.kill()
        running.wait(PATIENCE)
        running.stdout.close()


@contextmanager
def secured(
    stack: str, directory: Path, made: Any = None, trusted: bool = True, **wanted: Any
) -> Iterator[Secured]:
    """A server with the certificate *made*, which opcws trusts or not yet."""
    made = (made or pki.make()).save(directory / "server", "server")
    if trusted:
        made.put(directory / "pki", "trusted")
    wanted.setdefault("policies", ["Basic256Sha256_SignAndEncrypt", "Basic256Sha256_Sign"])
    with process(stack, certificate=made.certificate_path, key=made.key_path, **wanted) as endpoint:
        yield Secured(endpoint, directory / "pki", made)


def settings(endpoint: str, security: Any, **server: Any) -> Dict[str, Any]:
    return support.settings(
        endpoint,
        variables={"Counter": {"node": "nsu=urn:test:values;s=Counter"}},
        server={"security": security, "connect_timeout_ms": 1000 * support.PATIENCE, **server},
    )


@contextmanager
def opcws(endpoint: str, security: Any, **server: Any) -> Iterator[Server]:
    running = Server(loads(json.dumps(settings(endpoint, security, **server))))
    running.start()
    try:
        yield running
    finally:
        running.stop()
        support.no_threads_left()


def connect(endpoint: str, security: Any, **server: Any) -> None:
    """Connect, and read a value to see that it works."""
    with opcws(endpoint, security, **server) as running:
        supervisor = running.plants["plant"].supervisor
        support.wait_until(
            lambda: supervisor.connected or supervisor.settled.is_set(), "a verdict on the server"
        )
        assert supervisor.connected, supervisor.reason
        with Client(running.urls[0]) as client:
            assert int(client.body("READ", {"Variable": "Counter"})["Value"]["Body"]) >= 0


def refused(endpoint: str, security: Any, **server: Any) -> str:
    """Why the connection does not come about."""
    with opcws(endpoint, security, **server) as running:
        supervisor = running.plants["plant"].supervisor
        support.wait_until(supervisor.settled.is_set, "a verdict on the server")
        assert not supervisor.connected
        assert supervisor.reason is not None
        return supervisor.reason


# -- policies and modes ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def opcua_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(
        "opcua",
        tmp_path_factory.mktemp("opcua"),
        policies=["NoSecurity", "Basic256Sha256_SignAndEncrypt", "Basic256Sha256_Sign"],
        users={"operator": PASSWORD},
    ) as running:
        yield running


#: What asyncua calls the current policies, in both modes.
CURRENT = [
    "%s_%s" % (POLICY_TYPES[policy], mode)
    for policy in ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
    for mode in ("Sign", "SignAndEncrypt")
]


@pytest.fixture(scope="module")
def asyncua_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured("asyncua", tmp_path_factory.mktemp("asyncua"), policies=CURRENT) as running:
        yield running


@pytest.fixture(scope="module")
def asyncua_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """It lets in a user by a password, and nobody else."""
    directory, users = tmp_path_factory.mktemp("users"), {"operator": PASSWORD}
    with secured("asyncua", directory, policies=CURRENT, users=users) as running:
        yield running


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
def test_python_opcua_is_reached_with_basic256sha256(opcua_server: Secured, mode: str) -> None:
    connect(opcua_server.endpoint, opcua_server.security(mode=mode))


@needs_asyncua
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize(
    "policy", ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"]
)
def test_asyncua_is_reached_with_every_current_policy(
    asyncua_server: Secured, policy: str, mode: str
) -> None:
    connect(asyncua_server.endpoint, asyncua_server.security(policy, mode))


def test_a_deprecated_policy_works_only_where_it_is_allowed(tmp_path: Path) -> None:
    with secured("opcua", tmp_path, policies=["Basic256Sha256_Sign"]) as running:
        security = {**running.security("Basic256", "Sign"), "allow_deprecated": True}
        reason = refused(running.endpoint, security)
        assert "no endpoint with security policy Basic256 and mode Sign" in reason
        assert "it offers policy Basic256Sha256 with mode Sign" in reason


@needs_newer_asyncua
def test_a_deprecated_policy_that_is_allowed_connects_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with secured("asyncua", tmp_path, policies=["Basic256_SignAndEncrypt"]) as running:
        security = {**running.security("Basic256"), "allow_deprecated": True}
        connect(running.endpoint, security)
    assert "Basic256 is broken and deprecated" in caplog.text


@pytest.mark.parametrize(
    "stack", ["opcua", pytest.param("asyncua", marks=needs_asyncua)], ids=STACKS.get
)
def test_the_channel_is_renewed_under_load_without_losing_a_value(
    stack: str, request: pytest.FixtureRequest
) -> None:
    running = request.getfixturevalue(stack + "_server")
    with fast_renewals(), opcws(
        running.endpoint, running.security(), request_timeout_ms=1000 * support.PATIENCE
    ) as server:
        support.wait_connected(server)
        supervisor = server.plants["plant"].supervisor
        tokens = set()
        with Client(server.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": "Counter"}, "m")
            seen: List[int] = []
            while len(tokens) < 6 or len(seen) < 300:
                update = client.update("m")
                assert "StatusCode" not in update, update
                assert not update.get("Status"), "values were lost on the way"
                seen.append(int(update["Value"]["Body"]))
                current = supervisor.link
                assert current is not None and current._socket is not None
                tokens.add(current._socket._connection.security_token.TokenId)
                if len(seen) % 20 == 0:
                    client.send("READ", {"Variable": "Counter"})
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        assert supervisor.generations == 1


# -- endpoints ------------------------------------------------------------------------------


def test_a_server_that_writes_another_host_into_its_endpoints_is_reached_at_the_configured_one(
    tmp_path: Path,
) -> None:
    with secured("opcua", tmp_path, advertise="plant.invalid:1/path") as running:
        connect(running.endpoint, running.security())


def test_an_endpoint_that_is_missing_in_the_list_is_not_replaced_by_a_weaker_one(
    tmp_path: Path,
) -> None:
    policies = ["NoSecurity", "Basic256Sha256_SignAndEncrypt", "Basic256Sha256_Sign"]
    with secured("opcua", tmp_path, policies=policies, hide="SignAndEncrypt") as running:
        reason = refused(running.endpoint, running.security())
        assert "no endpoint with security policy Basic256Sha256 and mode SignAndEncrypt" in reason
        assert "policy Basic256Sha256 with mode Sign, policy None with mode None" in reason


def test_a_list_of_endpoints_that_was_changed_on_the_way_ends_the_attempt(tmp_path: Path) -> None:
    with secured("opcua", tmp_path, hide="SignAndEncrypt") as running:
        reason = refused(running.endpoint, running.security(mode="Sign"))
        assert "somebody may have changed them on the way" in reason
        assert "policy Basic256Sha256 with mode SignAndEncrypt" in reason


@needs_asyncua
def test_an_unsecured_attempt_at_a_secured_server_is_told_what_the_server_offers(
    asyncua_server: Secured,
) -> None:
    reason = refused(asyncua_server.endpoint, {})
    assert "no endpoint with security policy None" in reason
    assert "policy Aes256_Sha256_RsaPss with mode SignAndEncrypt" in reason


def test_a_session_signed_with_another_key_is_refused(tmp_path: Path) -> None:
    with secured("opcua", tmp_path, forge=True) as running:
        assert "signature of the session is wrong" in refused(running.endpoint, running.security())


def test_a_session_with_a_short_nonce_is_refused(tmp_path: Path) -> None:
    with secured("opcua", tmp_path, nonce=31) as running:
        assert "fewer than 32 bytes" in refused(running.endpoint, running.security())


# -- trust ----------------------------------------------------------------------------------


def test_an_unknown_server_is_rejected_and_connects_without_restart_once_its_file_is_moved(
    opcua_server: Secured, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = opcua_server.unknown(tmp_path)
    with opcws(running.endpoint, running.security()) as server:
        supervisor = server.plants["plant"].supervisor
        support.wait_until(supervisor.settled.is_set, "a verdict on the server")
        (rejected,) = (running.pki / "rejected" / "certs").iterdir()
        trusted = running.pki / "trusted" / "certs"
        assert not supervisor.connected
        assert "move %s to %s" % (rejected, trusted) in str(supervisor.reason)
        assert rejected.name == certificates.file_name(running.made.certificate)
        trusted.mkdir(parents=True)
        rejected.rename(trusted / rejected.name)
        support.wait_connected(server)
    told = [each for each in caplog.messages if "is not trusted" in each]
    assert len(told) == 1, "it is told once, not at every attempt"


def test_the_certificate_of_opcws_is_made_at_the_first_start_and_named_in_the_log(
    opcua_server: Secured, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = opcua_server.unknown(tmp_path)
    running.made.put(running.pki, "trusted")
    connect(running.endpoint, running.security())
    path = running.pki / "own" / "certs" / "opcws.der"
    assert "put %s into the trust list" % path in caplog.text
    first = path.read_bytes()
    connect(running.endpoint, running.security())
    assert path.read_bytes() == first


@needs_asyncua
def test_a_server_that_does_not_trust_opcws_gets_a_hint_told_and_lets_it_in_once_it_does(
    tmp_path: Path,
) -> None:
    clients = tmp_path / "the server's trust list"
    pki.make("somebody else").save(clients, "other")
    (clients / "other.pem").unlink()
    path = tmp_path / "pki" / "own" / "certs" / "opcws.der"
    with secured("asyncua", tmp_path, trust=str(clients)) as running:
        reason = refused(running.endpoint, running.security())
        title = certificates.title(certificates.load_certificate(str(path), "it"))
        assert "opcws yet, %s: put %s into the server's trust list" % (title, path) in reason
    (clients / "opcws.der").write_bytes(path.read_bytes())
    with secured("asyncua", tmp_path, trust=str(clients)) as running:
        connect(running.endpoint, running.security())


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"days": (-30, -1)}, "expired on"),
        ({"uri": "urn:somebody:else"}, "its ApplicationUri is urn:test:secured"),
        ({"hosts": ["plc.example"]}, "reached as 127.0.0.1"),
    ],
    ids=["expired", "wrong application uri", "wrong host"],
)
def test_a_trusted_server_with_a_wrong_certificate_is_not_connected_to(
    tmp_path: Path, made: Dict[str, Any], words: str
) -> None:
    with secured("opcua", tmp_path, pki.make(**made)) as running:
        assert words in refused(running.endpoint, running.security())


@pytest.mark.parametrize(
    ("made", "setting"),
    [
        ({"days": (-30, -1)}, "check_validity"),
        ({"hosts": ["plc.example"]}, "check_host_name"),
    ],
    ids=["expired", "wrong host"],
)
def test_what_is_relaxed_connects_and_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, made: Dict[str, Any], setting: str
) -> None:
    with secured("opcua", tmp_path, pki.make(**made)) as running:
        connect(running.endpoint, {**running.security(), setting: False})
    assert "because security.%s is false" % setting in caplog.text


def test_a_server_of_a_trusted_authority_connects_until_it_is_revoked(tmp_path: Path) -> None:
    root = pki.authority()
    made = pki.make(issuer=root)
    root.put(tmp_path / "pki", "trusted")
    pki.put_list(tmp_path / "pki", pki.revocation_list(root))
    with secured("opcua", tmp_path, made, trusted=False) as running:
        connect(running.endpoint, running.security())
        pki.put_list(tmp_path / "pki", pki.revocation_list(root, [made]))
        assert "was revoked by its issuer" in refused(running.endpoint, running.security())


def test_a_server_whose_authority_may_not_vouch_for_its_address_is_not_connected_to(
    tmp_path: Path,
) -> None:
    root = pki.authority()
    only = x509.NameConstraints([x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))], None)
    middle = pki.authority("middle", root, more=[(only, True)])
    root.put(tmp_path / "pki", "trusted")
    for issuer in (root, middle):
        name = certificates.thumbprint(issuer.certificate)
        pki.put_list(tmp_path / "pki", pki.revocation_list(issuer), name=name)
    made = pki.make(issuer=middle)
    shown = tmp_path / "chain"
    shown.write_bytes(made.der + middle.der)
    with secured("opcua", tmp_path, made, trusted=False, shown=str(shown)) as running:
        reason = refused(running.endpoint, running.security())
        assert "(nameConstraints)" in reason and "the OPC UA server's certificate" in reason


def test_a_server_that_shows_a_chain_of_megabytes_costs_little_and_is_told_so(
    tmp_path: Path,
) -> None:
    made = pki.make().save(tmp_path, "shown")
    more = {"shown": made.certificate_path, "times": 8 * 2**20 // len(made.der)}
    with secured("opcua", tmp_path, made, **more) as running:
        began = time.process_time()
        reason = refused(running.endpoint, running.security())
        assert time.process_time() - began < 2
        assert "there are more than 10 in its chain" in reason


def test_a_pinned_certificate_needs_no_trust_list(opcua_server: Secured, tmp_path: Path) -> None:
    running = opcua_server.unknown(tmp_path)
    pin = {**running.security(), "server_certificate": running.made.certificate_path}
    connect(running.endpoint, pin)
    other = pki.make("other", own_key=pki.key("other")).save(tmp_path, "other")
    pin["server_certificate"] = other.certificate_path
    assert "and security.server_certificate is" in refused(running.endpoint, pin)


def test_check_tells_of_certificates_that_expire_soon(tmp_path: Path) -> None:
    with secured("opcua", tmp_path, pki.make(days=(-1, 20.5))) as running:
        findings = check.check(loads(json.dumps(settings(running.endpoint, running.security()))))
    (notice,) = [each for each in findings if "expires on" in each.text]
    assert not notice.good and "in 20 days" in notice.text


# -- users ----------------------------------------------------------------------------------


def user(password: str = PASSWORD, **more: Any) -> Dict[str, Any]:
    return {"name": "operator", "password": password, **more}


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
def test_python_opcua_lets_a_user_in_by_an_encrypted_password(
    opcua_server: Secured, mode: str
) -> None:
    connect(opcua_server.endpoint, opcua_server.security(mode=mode), user=user())


@needs_asyncua
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize(
    "policy",
    [
        "Basic256Sha256",
        "Aes128_Sha256_RsaOaep",
        pytest.param("Aes256_Sha256_RsaPss", marks=needs_newer_asyncua),
    ],
)
def test_asyncua_lets_a_user_in_with_every_current_policy(
    asyncua_users: Secured, policy: str, mode: str
) -> None:
    connect(asyncua_users.endpoint, asyncua_users.security(policy, mode), user=user())


def test_a_wrong_password_is_told_as_such_and_never_shown(opcua_server: Secured) -> None:
    reason = refused(opcua_server.endpoint, opcua_server.security(), user=user("wrong"))
    assert "does not take the user operator with this password" in reason
    assert "wrong" not in reason


def test_a_password_does_not_go_in_clear_over_an_unencrypted_channel(
    opcua_server: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    plain = {"pki": str(opcua_server.pki)}
    reason = refused(opcua_server.endpoint, plain, user=user())
    assert "would be sent in clear over an unencrypted channel" in reason
    assert "allow_clear" in reason
    connect(opcua_server.endpoint, plain, user=user(allow_clear=True))
    assert "goes over the network in clear" in caplog.text


@needs_newer_asyncua
def test_on_an_unsecured_channel_a_password_is_encrypted_for_a_trusted_server_only(
    tmp_path: Path,
) -> None:
    with secured(
        "asyncua",
        tmp_path,
        trusted=False,
        policies=["NoSecurity", "Basic256Sha256_SignAndEncrypt"],
        users={"operator": PASSWORD},
    ) as running:
        plain = {"pki": str(running.pki)}
        reason = refused(running.endpoint, plain, user=user())
        assert "is not sent to a server that is not verified" in reason
        running.made.put(running.pki, "trusted")
        connect(running.endpoint, plain, user=user())


@needs_asyncua
def test_a_user_is_let_in_by_certificate_and_only_the_known_one(tmp_path: Path) -> None:
    known = pki.make("operator", own_key=pki.key("operator")).save(tmp_path, "operator")
    stranger = pki.make("stranger", own_key=pki.key("stranger")).save(tmp_path, "stranger")
    with secured("asyncua", tmp_path, user_certificates=[known.certificate_path]) as running:
        by = {"certificate": known.certificate_path, "key": known.key_path}
        for mode in ("Sign", "SignAndEncrypt"):
            connect(running.endpoint, running.security(mode=mode), user=by)
        by = {"certificate": stranger.certificate_path, "key": stranger.key_path}
        reason = refused(running.endpoint, running.security(), user=by)
        assert "does not take the user's certificate %s" % stranger.certificate_path in reason
        by["key"] = known.key_path
        assert "do not belong together" in refused(running.endpoint, running.security(), user=by)


def test_a_server_without_the_wanted_kind_of_user_says_whom_it_takes(tmp_path: Path) -> None:
    with secured("opcua", tmp_path, tokens=["Username"], users={"operator": "p"}) as running:
        reason = refused(running.endpoint, running.security())
        assert "takes user names here" in reason and "set 'user'" in reason
