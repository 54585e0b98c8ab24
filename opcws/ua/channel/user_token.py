"""The user of a session: which user token the server accepts, and how it is protected (OPC 10000-4
5.6.3.2, 7.36).

A password is sent in clear only inside an encrypted channel, or with ``user.allow_clear``; and it
is encrypted only for a server with a verified certificate, because encrypting it for anybody is no
better than clear.

Threads: the supervisor's.
"""

from typing import Any, Callable, List, NamedTuple, Optional, Sequence

from cryptography import x509
from opcua import ua

from ...config.settings import Server, User
from ...model.errors import ConfigError, PlantError
from ...x509 import certificates
from .security_policies import BY_URI, NONE_URI, POLICIES, SESSION_NONCE, Policy, short_name
from .trust import warn_once

ENCRYPTED = "SignAndEncrypt"

_WORDS = {
    ua.UserTokenType.Anonymous: "anonymous users",
    ua.UserTokenType.UserName: "user names",
    ua.UserTokenType.Certificate: "user certificates",
    ua.UserTokenType.IssuedToken: "issued tokens",
}


class Peer(NamedTuple):
    """The server's side for a user token.

    ``policy_uri`` and ``mode`` are those of the channel, ``certificate`` that of the endpoint
    (``None`` without one), ``nonce`` the session's last ServerNonce.  ``verify`` checks that
    certificate for *policy* and raises :exc:`~opcws.model.errors.PlantError`.
    """

    policy_uri: str
    mode: str
    certificate: Optional[x509.Certificate]
    nonce: bytes
    verify: Callable[[Policy], None]


def token_type(user: Optional[User]) -> Any:
    """The UserTokenType of the configuration."""
    if user is None:
        return ua.UserTokenType.Anonymous
    return ua.UserTokenType.UserName if user.name is not None else ua.UserTokenType.Certificate


def offered(tokens: Sequence[Any]) -> str:
    """The user tokens of an endpoint, for messages."""
    names = {_WORDS.get(token.TokenType, "something unknown") for token in tokens}
    return " and ".join(sorted(names)) or "nobody"


def identify(server: Server, tokens: Sequence[Any], peer: Peer, params: Any) -> List[str]:
    """Put the user of *server* into the ActivateSession parameters *params*, by one of the
    UserTokenPolicies *tokens*.

    Returns sentences about certificates that expire soon.  Raises
    :exc:`~opcws.model.errors.PlantError` if the server does not accept this token, or it must not
    be sent.
    """
    user = server.user
    wanted = token_type(user)
    fitting = [token for token in tokens if token.TokenType == wanted]
    if not fitting and not (user is None and not tokens):
        raise PlantError(
            "the OPC UA server takes %s here, but not %s; %s"
            % (
                offered(tokens),
                _WORDS[wanted],
                "set 'user'" if user is None else "change 'user' or the server",
            ),
            "BadIdentityTokenRejected",
        )
    if user is None:
        params.UserIdentityToken = ua.AnonymousIdentityToken()
        params.UserIdentityToken.PolicyId = fitting[0].PolicyId if fitting else None
        return []
    if user.name is not None:
        return _name_and_password(server, user, fitting, peer, params)
    return _user_certificate(server, user, fitting, peer, params)


def _protections(server: Server, tokens: Sequence[Any], peer: Peer) -> List[Any]:
    """The tokens with a policy that opcws supports, best first, as (policy, token)."""
    found = []
    for token in tokens:
        policy = BY_URI.get(token.SecurityPolicyUri or peer.policy_uri)
        # A policy of the channel has been allowed already.
        if policy is None or (
            policy.deprecated
            and not server.security.allow_deprecated
            and policy.uri != peer.policy_uri
        ):
            continue
        found.append((policy, token))
    return sorted(found, key=lambda pair: POLICIES.index(pair[0]))


def _name_and_password(
    server: Server, user: User, tokens: Sequence[Any], peer: Peer, params: Any
) -> List[str]:
    try:
        password = user.secret().encode("utf-8")
    except ConfigError as error:
        raise PlantError(error.reason, "BadConfigurationError") from None
    identity = ua.UserNameIdentityToken()
    identity.UserName = user.name
    protections = _protections(server, tokens, peer)
    clear = [token for token in tokens if (token.SecurityPolicyUri or peer.policy_uri) == NONE_URI]
    if protections and peer.certificate is not None:
        policy, token = protections[0]
        try:
            peer.verify(policy)
        except PlantError as problem:
            if not user.allow_clear:
                raise PlantError(
                    "the password of %s is not sent to a server that is not verified: %s"
                    % (user.name, problem.reason),
                    problem.status,
                ) from None
            warn_once(
                "%s: the password of %s is encrypted for a server that was not verified (%s), "
                "because user.allow_clear is true" % (server.name, user.name, problem.reason)
            )
        _require_nonce(peer)
        secret = password + peer.nonce
        identity.Password = policy.encrypt(
            peer.certificate, len(secret).to_bytes(4, "little") + secret
        )
        identity.EncryptionAlgorithm = policy.encryption_uri
    elif clear and (peer.mode == ENCRYPTED or user.allow_clear):
        token = clear[0]
        identity.Password = password
        if peer.mode != ENCRYPTED:
            warn_once(
                "%s: the password of %s goes over the network in clear, because user.allow_clear "
                "is true" % (server.name, user.name)
            )
    elif clear:
        raise PlantError(
            "the password of %s would be sent in clear over an unencrypted channel; set "
            "security.mode: SignAndEncrypt, or user.allow_clear: true" % user.name,
            "BadSecurityChecksFailed",
        )
    else:
        raise _no_protection(tokens, peer, "the password of %s" % user.name)
    identity.PolicyId = token.PolicyId
    params.UserIdentityToken = identity
    return []


def _user_certificate(
    server: Server, user: User, tokens: Sequence[Any], peer: Peer, params: Any
) -> List[str]:
    assert user.certificate is not None and user.key is not None
    own = certificates.load_identity(user.certificate, user.key, "the user's certificate")
    protections = _protections(server, tokens, peer)
    if not protections or peer.certificate is None:
        raise _no_protection(tokens, peer, "the user's certificate")
    _require_nonce(peer)
    policy, token = protections[0]
    identity = ua.X509IdentityToken()
    identity.PolicyId = token.PolicyId
    identity.CertificateData = certificates.der(own.certificate)
    params.UserIdentityToken = identity
    params.UserTokenSignature = ua.SignatureData()
    params.UserTokenSignature.Algorithm = policy.signature_uri
    params.UserTokenSignature.Signature = policy.sign(
        own.key, certificates.der(peer.certificate) + peer.nonce
    )
    notice = certificates.expiry_notice(own.certificate, "the user's certificate", "renew it")
    return [notice] if notice else []


def _require_nonce(peer: Peer) -> None:
    if len(peer.nonce) < SESSION_NONCE:
        raise PlantError(
            "the OPC UA server's nonce has %d bytes; without %d of them what proves the user "
            "could be used again by others" % (len(peer.nonce), SESSION_NONCE),
            "BadNonceInvalid",
        )


def _no_protection(tokens: Sequence[Any], peer: Peer, what: str) -> PlantError:
    names = sorted({short_name(token.SecurityPolicyUri or peer.policy_uri) for token in tokens})
    if peer.certificate is None:
        text = "%s cannot be protected, because the OPC UA server shows no certificate" % what
    else:
        text = "%s cannot be protected: the OPC UA server asks for %s" % (what, " or ".join(names))
    return PlantError(
        text + "; set 'security' to a policy that it offers (and security.allow_deprecated: true "
        "if it offers only a broken one)",
        "BadSecurityPolicyRejected",
    )
