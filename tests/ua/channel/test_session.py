"""Endpoints compared, and how a user's secret is protected, or not sent."""

from threading import Event
from typing import Any, List, Optional

import pytest
from opcua import ua

from opcws.config.settings import Security, Server, User
from opcws.model.errors import PlantError
from opcws.ua.channel import user_token
from opcws.ua.channel.security_policies import BY_NAME, NONE_URI, PREFIX
from opcws.ua.channel.session import TRANSPORT, Session, compare_endpoints
from opcws.x509 import certificates

from ...support import pki

SERVER = pki.make("server", own_key=pki.key("session server"))
NONCE = bytes(range(32))


def token(kind: str, policy: Optional[str] = None, policy_id: str = "id") -> Any:
    made = ua.UserTokenPolicy()
    made.TokenType = getattr(ua.UserTokenType, kind)
    made.SecurityPolicyUri = None if policy is None else PREFIX + policy
    made.PolicyId = policy_id
    return made


def endpoint(
    policy: str = "Basic256Sha256",
    mode: str = "Sign",
    tokens: Optional[List[Any]] = None,
    url: str = "opc.tcp://h:1",
    certificate: bytes = SERVER.der,
    transport: str = TRANSPORT,
) -> Any:
    made = ua.EndpointDescription()
    made.EndpointUrl = url
    made.SecurityPolicyUri = PREFIX + policy
    made.SecurityMode = getattr(ua.MessageSecurityMode, mode)
    made.UserIdentityTokens = [token("Anonymous")] if tokens is None else tokens
    made.ServerCertificate = certificate
    made.TransportProfileUri = transport
    return made


# -- endpoints ------------------------------------------------------------------------------


def test_lists_that_differ_in_what_a_server_may_write_as_it_likes_are_the_same() -> None:
    before = [endpoint(), endpoint(mode="SignAndEncrypt")]
    within = [
        endpoint(mode="SignAndEncrypt", url="opc.tcp://inside:2/x", certificate=b""),
        endpoint(certificate=b""),
        endpoint(policy="None", transport="https://example"),
    ]
    compare_endpoints(before, within)


@pytest.mark.parametrize(
    ("within", "words"),
    [
        ([], "Basic256Sha256 with mode Sign"),
        ([endpoint(), endpoint(mode="SignAndEncrypt")], "mode SignAndEncrypt"),
        ([endpoint(), endpoint("None", "None_")], "policy None with mode None"),
        ([endpoint(tokens=[token("UserName")])], "mode Sign"),
        ([endpoint(tokens=[token("Anonymous", "None")])], "mode Sign"),
        ([endpoint(certificate=pki.make("other").der)], "its certificate"),
    ],
    ids=["empty", "one more", "unsecured", "users", "protection of users", "certificate"],
)
def test_lists_that_differ_in_what_protects_end_the_attempt(within: Any, words: str) -> None:
    with pytest.raises(PlantError) as caught:
        compare_endpoints([endpoint()], within)
    assert caught.value.status == "BadSecurityChecksFailed"
    assert words in caught.value.reason


def session(url: str = "opc.tcp://plc:4840", security: Any = None, user: Any = None) -> Session:
    server = Server(
        "plant", url, security=security or Security("Basic256Sha256", "Sign"), user=user
    )
    return Session(server, lambda *_: pytest.fail("dialled"), lambda: None, Event(), 1, 1)  # type: ignore


@pytest.mark.parametrize(
    ("configured", "offered", "url"),
    [
        ("opc.tcp://plc:4840", "opc.tcp://inside:1/UA/Server", "opc.tcp://plc:4840/UA/Server"),
        ("opc.tcp://plc:4840/", "opc.tcp://inside:1/UA", "opc.tcp://plc:4840/UA"),
        ("opc.tcp://plc:4840/mine", "opc.tcp://inside:1/UA", "opc.tcp://plc:4840/mine"),
        ("opc.tcp://[::1]:4840", None, "opc.tcp://[::1]:4840"),
        ("opc.tcp://plc:4840", "opc.tcp://[broken", "opc.tcp://plc:4840"),
    ],
)
def test_host_and_port_are_always_the_configured_ones(
    configured: str, offered: Optional[str], url: str
) -> None:
    assert session(configured)._url(offered) == url


def test_among_equal_endpoints_the_one_for_this_kind_of_user_is_chosen() -> None:
    named = endpoint(tokens=[token("UserName")])
    best = endpoint(tokens=[token("Anonymous")])
    best.SecurityLevel = 9
    chooser = session(user=User("u", password="p"))
    assert chooser._choose([best, named]) is named
    assert session()._choose([named, best]) is best


def test_our_certificate_must_be_for_our_application_uri(tmp_path: Any) -> None:
    certificates.create(str(tmp_path), "urn:another")
    security = Security("Basic256Sha256", "Sign", pki=str(tmp_path))
    with pytest.raises(PlantError, match="application_uri is urn:opcws"):
        session(security=security)._own_identity(BY_NAME["Basic256Sha256"])


# -- users ----------------------------------------------------------------------------------


def identify(
    tokens: List[Any],
    user: Optional[User],
    channel: str = "None",
    mode: str = "None",
    certificate: bool = True,
    nonce: bytes = NONCE,
    verified: bool = True,
    **security: Any,
) -> Any:
    """The ActivateSession parameters for *user*."""

    def verify(_policy: Any) -> None:
        if not verified:
            raise PlantError("not trusted", "BadCertificateUntrusted")

    peer = user_token.Peer(
        NONE_URI if channel == "None" else PREFIX + channel,
        mode,
        SERVER.certificate if certificate else None,
        nonce,
        verify,
    )
    server = Server(
        "plant", "opc.tcp://h:1", security=Security(channel, mode, **security), user=user
    )
    params = ua.ActivateSessionParameters()
    user_token.identify(server, tokens, peer, params)
    return params


def named(**more: Any) -> User:
    return User("operator", password="geheim \u00df" * 100, **more)


def refusal(*arguments: Any, **more: Any) -> PlantError:
    with pytest.raises(PlantError) as caught:
        identify(*arguments, **more)
    assert "geheim" not in caught.value.reason
    return caught.value


def test_an_anonymous_user_needs_a_server_that_takes_one() -> None:
    params = identify([token("UserName"), token("Anonymous", policy_id="anon")], None)
    assert params.UserIdentityToken.PolicyId == "anon"
    assert isinstance(identify([], None).UserIdentityToken, ua.AnonymousIdentityToken)
    problem = refusal([token("UserName"), token("Certificate")], None)
    assert "takes user certificates and user names here" in problem.reason


def test_the_best_protection_that_is_offered_is_used_whatever_its_place() -> None:
    tokens = [
        token("UserName", "None", "clear"),
        token("UserName", "Basic128Rsa15", "broken"),
        token("UserName", "Basic256Sha256", "good"),
        token("UserName", "Aes256_Sha256_RsaPss", "best"),
        token("UserName", "Unheard_Of", "unknown"),
    ]
    sent = identify(tokens, named(allow_clear=True)).UserIdentityToken
    assert sent.PolicyId == "best"
    policy = BY_NAME["Aes256_Sha256_RsaPss"]
    assert sent.EncryptionAlgorithm == policy.encryption_uri
    blocks = [sent.Password[start : start + 256] for start in range(0, len(sent.Password), 256)]
    plain = b"".join(SERVER.key.decrypt(block, policy.encrypt_padding()) for block in blocks)
    secret = named().secret().encode()
    assert plain == len(secret + NONCE).to_bytes(4, "little") + secret + NONCE


@pytest.mark.parametrize(
    ("tokens", "more", "status"),
    [
        ([token("UserName")], {}, "BadSecurityChecksFailed"),
        ([token("UserName", "None")], {}, "BadSecurityChecksFailed"),
        (
            [token("UserName", "None")],
            {"channel": "Basic256Sha256", "mode": "Sign"},
            "BadSecurityChecksFailed",
        ),
        ([token("UserName", "Basic256")], {}, "BadSecurityPolicyRejected"),
        ([token("UserName", "Unheard_Of")], {}, "BadSecurityPolicyRejected"),
        ([token("UserName", "Basic256Sha256")], {"verified": False}, "BadCertificateUntrusted"),
        (
            [token("UserName", "Basic256Sha256")],
            {"certificate": False},
            "BadSecurityPolicyRejected",
        ),
        ([token("UserName", "Basic256Sha256")], {"nonce": NONCE[1:]}, "BadNonceInvalid"),
    ],
    ids=[
        "no policy",
        "clear",
        "clear over a signed channel",
        "a broken policy",
        "an unknown policy",
        "an unverified server",
        "no certificate",
        "a short nonce",
    ],
)
def test_a_password_that_cannot_be_protected_is_not_sent(
    tokens: Any, more: Any, status: str
) -> None:
    assert refusal(tokens, named(), **more).status == status


def test_a_password_may_be_clear_inside_an_encrypted_channel_or_where_it_is_allowed() -> None:
    clear = [token("UserName", "None")]
    inside = identify(clear, named(), channel="Basic256Sha256", mode="SignAndEncrypt")
    assert inside.UserIdentityToken.Password == named().secret().encode()
    assert inside.UserIdentityToken.EncryptionAlgorithm is None
    allowed = identify(clear, named(allow_clear=True))
    assert allowed.UserIdentityToken.Password == named().secret().encode()


def test_a_broken_protection_is_used_where_deprecated_policies_are_allowed() -> None:
    tokens = [token("UserName", "Basic128Rsa15")]
    sent = identify(tokens, named(), allow_deprecated=True).UserIdentityToken
    assert sent.EncryptionAlgorithm == BY_NAME["Basic128Rsa15"].encryption_uri


def test_a_missing_secret_is_told_without_a_connection_attempt() -> None:
    user = User("operator", password_env="OPCWS_NO_SUCH_VARIABLE")
    tokens = [token("UserName", "Basic256Sha256")]
    assert refusal(tokens, user).status == "BadConfigurationError"


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes256_Sha256_RsaPss"])
def test_a_users_certificate_signs_the_servers_certificate_and_nonce(
    tmp_path: Any, policy: str
) -> None:
    made = pki.make("operator", own_key=pki.key("operator")).save(tmp_path, "operator")
    user = User(certificate=made.certificate_path, key=made.key_path)
    sent = identify([token("Certificate", policy, "x509")], user)
    assert sent.UserIdentityToken.PolicyId == "x509"
    assert sent.UserIdentityToken.CertificateData == made.der
    assert sent.UserTokenSignature.Algorithm == BY_NAME[policy].signature_uri
    signature = sent.UserTokenSignature.Signature
    assert BY_NAME[policy].verify(made.certificate, SERVER.der + NONCE, signature)
    assert "cannot be protected" in refusal([token("Certificate")], user).reason
