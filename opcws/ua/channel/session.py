"""From a TCP connection to a session: endpoint, secure channel, CreateSession, ActivateSession
(OPC 10000-4 5.4.4, 5.5.2, 5.6.2, 5.6.3), on top of the library's framing.

Rules:

* The endpoint must have the policy and mode of the configuration; there is no second best.  Error
  messages list what else the server offers.
* opcws always connects to the configured host and port, whatever the server's list of endpoints
  says.
* With security, the list comes over a separate, unprotected connection; so its certificate is
  verified before use, and the list is compared with the signed one of CreateSession.

* After CreateSession the server holds one of its few sessions: :meth:`Session.close` must follow on
  every connection that still works.

Threads: :meth:`Session.open` on the supervisor's, :meth:`Session.renew` on the worker's,
:meth:`Session.close` on one of its own.
"""

import logging
import os
import time
from concurrent.futures import Future
from threading import Event
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Sequence, Tuple, Type
from urllib.parse import urlsplit, urlunsplit

from cryptography import x509
from opcua import ua

from ...config.settings import Server
from ...model import status_codes
from ...model.deadline import Deadline
from ...model.errors import PlantError
from ...x509 import certificates
from ...x509.certificates import Identity
from ..encoding import service_bodies
from ..encoding.codec import Reader
from ..encoding.responses import library_node_id, read_answer
from . import user_token
from .framing import PlantSocket
from .security_policies import BY_NAME, BY_URI, NONE_URI, SESSION_NONCE, Policy, short_name
from .trust import Expected, TrustStore, warn_once

log = logging.getLogger(__name__)

TRANSPORT = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
PRODUCT_URI = "urn:opcws"

#: Connects to the configured host and port; makes a socket with this security.
Dial = Callable[[Any, Deadline], PlantSocket]

#: The part of a secure channel's lifetime after which it is renewed (OPC 10000-4 5.5.2.1), and
#: the part of it during which messages with the old token must still be taken.
RENEW_AFTER = 0.75
EXPIRES_AFTER = 1.25


class Session:
    """The secure channel and the session of one generation of the link to *server*.

    *dial* makes its connections, *hang_up* ends the last one; once *lost* is set, the session is
    not needed any more.  *lifetime_ms* and *timeout_ms* are requested for the channel and the
    session.  ``notices`` has sentences about problems that will end the connection later; ``hint``
    has advice in case it breaks now.
    """

    def __init__(
        self,
        server: Server,
        dial: Dial,
        hang_up: Callable[[], None],
        lost: Event,
        lifetime_ms: int,
        timeout_ms: int,
    ) -> None:
        self._server = server
        self._dial = dial
        self._hang_up = hang_up
        self._lost = lost
        self._lifetime_ms = lifetime_ms
        self._timeout_ms = timeout_ms
        self._policy: Optional[Policy] = BY_NAME.get(server.security.policy)
        self._own: Optional[Identity] = None
        self._sock: Optional[PlantSocket] = None
        # The pending answer to CreateSession, and whether there is a session.
        self._creating: "Optional[Future[Any]]" = None
        self._exists = False
        self._server_certificate: Optional[x509.Certificate] = None
        self.hint = ""
        self.notices: List[str] = []
        #: Times of renewal and of expiry of the channel, monotonic.
        self.renew_at = 0.0
        self.expires_at = 0.0

    # --- opening, on the supervisor's thread ----------------------------------------------------

    def open(self, deadline: Deadline) -> None:
        """Connect and make the session.  Raises :exc:`~opcws.model.errors.PlantError`, and
        exceptions of the library."""
        if self._policy is None:
            self._open_unsecured(deadline)
        else:
            self._open_secured(self._policy, deadline)
        for notice in self.notices:
            warn_once("%s: %s" % (self._server.name, notice))

    def _open_unsecured(self, deadline: Deadline) -> None:
        url = self._server.endpoint
        sock = self._connect(ua.SecurityPolicy(), url, deadline)
        try:
            created, _nonce = self._create(sock, url, deadline)
        except ua.UaStatusCodeError as error:
            # Servers with security list their endpoints without it.
            endpoints = self._ask_endpoints(sock, deadline)
            if endpoints and not _matching(endpoints, NONE_URI, "None"):
                raise self._no_endpoint(endpoints) from None
            raise error
        # Not every server lists them here; without security they do not matter.
        endpoints = created.ServerEndpoints or self._ask_endpoints(sock, deadline)
        endpoint = self._choose(endpoints) if endpoints else _unsecured_endpoint()
        self._activate(sock, created, endpoint, None, deadline)

    def _open_secured(self, policy: Policy, deadline: Deadline) -> None:
        if policy.deprecated:
            if not self._server.security.allow_deprecated:
                raise PlantError(
                    "security policy %s is broken and deprecated; use Basic256Sha256, or set "
                    "security.allow_deprecated: true" % policy.name,
                    "BadSecurityPolicyRejected",
                )
            warn_once(
                "%s: security policy %s is broken and deprecated, and used because "
                "security.allow_deprecated is true" % (self._server.name, policy.name)
            )
        own = self._own = self._own_identity(policy)
        sock = self._connect(ua.SecurityPolicy(), self._server.endpoint, deadline)
        endpoints = self._get_endpoints(sock, deadline)
        self._hang_up()
        endpoint = self._choose(endpoints)
        leaf = self._verify(endpoint, policy)
        self._server_certificate = leaf
        self.hint = (
            "; it may not trust the certificate of opcws yet, %s: "
            "put %s into the server's trust list"
            % (certificates.title(own.certificate), own.certificate_path)
        )
        url = self._url(endpoint.EndpointUrl)
        security = policy.secure(leaf, own, self._server.security.mode)
        sock = self._connect(security, url, deadline)
        created, nonce = self._create(sock, url, deadline)
        self.hint = ""
        self._check_created(policy, own, leaf, created, nonce)
        compare_endpoints(endpoints, created.ServerEndpoints or [])
        # This list is signed, the other was not.
        self._activate(sock, created, self._choose(created.ServerEndpoints), leaf, deadline)

    def _own_identity(self, policy: Policy) -> Identity:
        security, uri = self._server.security, self._server.application_uri
        if security.certificate is not None and security.key is not None:
            own = certificates.load_identity(
                security.certificate, security.key, "the certificate of opcws"
            )
        else:
            own = certificates.own_identity(security.pki, uri)
        if own.made:
            log.warning(
                "%s: made a certificate for opcws; put %s into the trust list of the OPC UA server",
                self._server.name,
                own.certificate_path,
            )
        if certificates.application_uri(own.certificate) != uri:
            raise PlantError(
                "%s is for the ApplicationUri %s, and application_uri is %s; make the two the same"
                ", or give this server a 'security.pki' of its own"
                % (own.certificate_path, certificates.application_uri(own.certificate), uri),
                "BadCertificateUriInvalid",
            )
        if not policy.min_bits <= own.key.key_size <= policy.max_bits:
            raise PlantError(
                "the key of %s has %d bits; %s takes %d to %d: make another one"
                % (
                    own.certificate_path,
                    own.key.key_size,
                    policy.name,
                    policy.min_bits,
                    policy.max_bits,
                ),
                "BadCertificatePolicyCheckFailed",
            )
        self._add_expiry(own.certificate, "the certificate of opcws,", "renew it")
        return own

    def _add_expiry(self, certificate: x509.Certificate, whose: str, advice: str) -> None:
        notice = certificates.expiry_notice(certificate, whose, advice)
        if notice is not None:
            self.notices.append(notice)

    def _connect(self, security: Any, url: str, deadline: Deadline) -> PlantSocket:
        sock = self._dial(security, deadline)
        timeout, sock.timeout = sock.timeout, deadline.bounded(sock.timeout)
        sock.send_hello(url)
        sock.timeout = timeout
        self._sock = sock
        self._open_channel(sock, deadline, ua.SecurityTokenRequestType.Issue)
        return sock

    def _open_channel(self, sock: PlantSocket, deadline: Deadline, request_type: Any) -> None:
        """OpenSecureChannel (OPC 10000-4 5.5.2)."""
        asked_at = time.monotonic()
        security = sock.security
        policy = BY_URI.get(security.URI)
        size = policy.nonce if policy is not None else 0
        request = ua.OpenSecureChannelRequest()
        parameters = request.Parameters
        parameters.ClientProtocolVersion = 0
        parameters.RequestType = request_type
        parameters.SecurityMode = security.Mode
        parameters.RequestedLifetime = self._lifetime_ms
        parameters.ClientNonce = os.urandom(size)
        opened: "Future[Any]" = Future()

        def arrived(answer: "Future[Any]") -> None:
            # On the receiver, because the next message needs the keys.
            try:
                answered = _decoded(answer.result(), ua.OpenSecureChannelResponse).Parameters
                answered.ServerNonce = answered.ServerNonce or b""
                if len(answered.ServerNonce) < size:
                    raise PlantError(
                        "the OPC UA server's nonce for the secure channel is shorter than %d bytes"
                        % size,
                        "BadNonceInvalid",
                    )
                sock.set_channel(answered, request_type, parameters.ClientNonce)
            except BaseException as error:  # also a cancelled answer; raised in the waiting thread
                opened.set_exception(error)
            else:
                opened.set_result(answered.SecurityToken)

        seconds = deadline.bounded(3600.0)
        sock.ask(request, int(seconds * 1000), arrived, ua.MessageType.SecureOpen)
        lifetime_ms = opened.result(seconds).RevisedLifetime or self._lifetime_ms
        lifetime_s = min(lifetime_ms, self._lifetime_ms) / 1000.0
        self.renew_at = time.monotonic() + RENEW_AFTER * lifetime_s
        self.expires_at = asked_at + EXPIRES_AFTER * lifetime_s

    def _get_endpoints(self, sock: PlantSocket, deadline: Deadline) -> List[Any]:
        request = ua.GetEndpointsRequest()
        request.Parameters.EndpointUrl = self._server.endpoint
        return list(_call(sock, request, ua.GetEndpointsResponse, deadline).Endpoints or [])

    def discover(self, deadline: Deadline) -> Tuple[List[Any], List[Any]]:
        """Connect without security and session, and request the endpoints (OPC 10000-4 5.4.4) and
        the servers (5.4.2; none if the server refuses that)."""
        sock = self._connect(ua.SecurityPolicy(), self._server.endpoint, deadline)
        endpoints = self._get_endpoints(sock, deadline)
        request = ua.FindServersRequest()
        request.Parameters.EndpointUrl = self._server.endpoint
        try:
            found = _call(sock, request, ua.FindServersResponse, deadline).Servers or []
        except Exception as error:
            log.debug("%s: FindServers: %s", self._server.name, error or type(error).__name__)
            found = []
        return endpoints, list(found)

    def _ask_endpoints(self, sock: PlantSocket, deadline: Deadline) -> List[Any]:
        """The endpoints, only for an error message."""
        try:
            return self._get_endpoints(sock, deadline)
        except Exception as error:
            log.debug("%s: GetEndpoints: %s", self._server.name, error or type(error).__name__)
            return []

    def _choose(self, endpoints: Sequence[Any]) -> Any:
        """The endpoint of the configuration."""
        security = self._server.security
        uri = NONE_URI if self._policy is None else self._policy.uri
        found = _matching(endpoints, uri, security.mode)
        if not found:
            raise self._no_endpoint(endpoints)
        wanted = user_token.token_type(self._server.user)
        path = urlsplit(self._server.endpoint).path.rstrip("/")

        def fit(endpoint: Any) -> Tuple[bool, bool, int]:
            tokens = endpoint.UserIdentityTokens or []
            return (
                any(token.TokenType == wanted for token in tokens),
                urlsplit(endpoint.EndpointUrl or "").path.rstrip("/") == path,
                endpoint.SecurityLevel,
            )

        return max(found, key=fit)

    def _no_endpoint(self, endpoints: Sequence[Any]) -> PlantError:
        security = self._server.security
        offers = sorted(
            {
                "policy %s with mode %s" % (short_name(uri), mode)
                for uri, mode in _kinds(endpoints)
                if BY_URI.get(uri) or uri == NONE_URI
            }
        )
        return PlantError(
            "the OPC UA server has no endpoint with security policy %s and mode %s; it offers %s: "
            "set 'security' to one of them"
            % (security.policy, security.mode, ", ".join(offers) or "none that opcws knows"),
            "BadSecurityPolicyRejected",
        )

    def _url(self, offered: Optional[str]) -> str:
        """The configured URL, with the path that the server *offered* if it has none itself."""
        parts = urlsplit(self._server.endpoint)
        try:
            path = parts.path.strip("/") and parts.path or urlsplit(offered or "").path
        except ValueError:
            path = parts.path
        return urlunsplit(parts._replace(path=path))

    def _verify(self, endpoint: Any, policy: Policy) -> x509.Certificate:
        """The verified certificate of the server."""
        security = self._server.security
        try:
            chain = certificates.shown_chain(endpoint.ServerCertificate)
        except ValueError as error:
            raise PlantError(
                "the OPC UA server's certificate cannot be read: %s" % error,
                "BadCertificateInvalid",
            ) from None
        pinned = None
        if security.server_certificate is not None:
            pinned = certificates.load_certificate(
                security.server_certificate, "security.server_certificate"
            )
        expected = Expected(
            urlsplit(self._server.endpoint).hostname or "",
            endpoint.Server.ApplicationUri or "",
            policy,
            pinned,
            security.check_host_name,
            security.check_validity,
            security.require_revocation_list,
            self._server.name,
        )
        for notice in TrustStore(security.pki).verify(chain, expected):
            if notice not in self.notices:
                self.notices.append(notice)
        return chain[0]

    def _create(self, sock: PlantSocket, url: str, deadline: Deadline) -> Tuple[Any, bytes]:
        """CreateSession (OPC 10000-4 5.6.2); its result and the nonce of opcws."""
        request = ua.CreateSessionRequest()
        parameters = request.Parameters
        description = parameters.ClientDescription
        description.ApplicationUri = self._server.application_uri
        description.ProductUri = PRODUCT_URI
        description.ApplicationName = ua.LocalizedText("opcws")
        description.ApplicationType = ua.ApplicationType.Client
        parameters.ClientNonce = os.urandom(SESSION_NONCE)
        parameters.ClientCertificate = sock.security.client_certificate
        parameters.EndpointUrl = url
        parameters.SessionName = "opcws " + self._server.name
        parameters.RequestedSessionTimeout = float(self._timeout_ms)
        seconds = deadline.bounded(3600.0)
        self._creating = sock.ask(request, int(seconds * 1000))
        answer = self._created(sock, self._creating, seconds)
        created = _decoded(answer, ua.CreateSessionResponse).Parameters
        sock.limit_requests(created.MaxRequestMessageSize)
        if self._lost.is_set():
            raise PlantError("stopped while connecting")
        return created, parameters.ClientNonce

    def _created(self, sock: PlantSocket, creating: "Future[Any]", seconds: float) -> Any:
        """Take the answer to CreateSession; even if it is wrong, the session can be closed then."""
        answer = creating.result(seconds)
        data: bytes = answer.copy().read(len(answer))
        head = service_bodies.response_head(data)
        if head.type_id != service_bodies.SERVICE_FAULT and not status_codes.is_bad(
            head.service_result
        ):
            reader = Reader(data, head.position)
            reader.node_id()  # the SessionId
            sock.authentication_token = library_node_id(reader.node_id())
            self._exists = True
        self._creating = None
        return answer

    def _check_created(
        self, policy: Policy, own: Identity, leaf: x509.Certificate, created: Any, nonce: bytes
    ) -> None:
        """The checks of the answer to CreateSession that OPC 10000-4 5.6.2.2 requires."""
        if certificates.leaf_of(created.ServerCertificate) != leaf:
            raise PlantError(
                "the OPC UA server shows another certificate in the session than before it; "
                "somebody may stand between it and opcws",
                "BadCertificateInvalid",
            )
        signed = certificates.der(own.certificate) + nonce
        if not policy.verify(leaf, signed, created.ServerSignature.Signature or b""):
            raise PlantError(
                "the OPC UA server's signature of the session is wrong: it does not hold the key "
                "of its certificate, or somebody stands between it and opcws",
                "BadApplicationSignatureInvalid",
            )
        if len(created.ServerNonce or b"") < SESSION_NONCE:
            raise PlantError(
                "the OPC UA server's nonce has fewer than %d bytes" % SESSION_NONCE,
                "BadNonceInvalid",
            )

    def _activate(
        self,
        sock: PlantSocket,
        created: Any,
        endpoint: Any,
        leaf: Optional[x509.Certificate],
        deadline: Deadline,
    ) -> None:
        """ActivateSession (OPC 10000-4 5.6.3)."""
        request = ua.ActivateSessionRequest()
        parameters = request.Parameters
        nonce = created.ServerNonce or b""
        if self._policy is not None and self._own is not None and leaf is not None:
            parameters.ClientSignature.Algorithm = self._policy.signature_uri
            parameters.ClientSignature.Signature = self._policy.sign(
                self._own.key, certificates.der(leaf) + nonce
            )
        shown = endpoint.ServerCertificate or created.ServerCertificate
        peer = user_token.Peer(
            policy_uri(endpoint),
            self._server.security.mode,
            leaf if leaf is not None else certificates.leaf_of(shown),
            nonce,
            lambda policy: (
                None if leaf is not None else self._verify_shown(endpoint, shown, policy)
            ),
        )
        tokens = endpoint.UserIdentityTokens or []
        self.notices += user_token.identify(self._server, tokens, peer, parameters)
        parameters.LocaleIds = list(self._server.locales)
        try:
            _call(sock, request, None, deadline)
        except ua.UaStatusCodeError as error:
            raise PlantError(
                "the OPC UA server does not take %s (%s); correct 'user', or let the server know "
                "this one" % (self._user_text(), status_codes.name(error.code)),
                status_codes.name(error.code),
            ) from None

    def _verify_shown(self, endpoint: Any, shown: bytes, policy: Policy) -> None:
        endpoint.ServerCertificate = shown
        self._verify(endpoint, policy)

    def _user_text(self) -> str:
        user = self._server.user
        if user is None:
            return "an anonymous user"
        if user.name is not None:
            return "the user %s with this password" % user.name
        return "the user's certificate %s" % user.certificate

    # --- later ----------------------------------------------------------------------------------

    def renew(self, deadline: Deadline) -> None:
        """Renew the secure channel, and check whether a certificate expires soon.

        After a failure it is due again after a tenth of the remaining time.
        """
        sock = self._sock
        assert sock is not None
        now = time.monotonic()
        self.renew_at = now + max(0.0, 0.1 * (self.expires_at - now))
        self._open_channel(sock, deadline, ua.SecurityTokenRequestType.Renew)
        for certificate, whose in (
            (self._own.certificate if self._own else None, "the certificate of opcws,"),
            (self._server_certificate, "the OPC UA server's certificate"),
        ):
            notice = certificate and certificates.expiry_notice(certificate, whose, "renew it")
            if notice:
                warn_once("%s: %s" % (self._server.name, notice))

    @property
    def begun(self) -> bool:
        """Whether the server has a session of opcws, or may have one soon."""
        return self._exists or self._creating is not None

    @property
    def creating(self) -> bool:
        """Whether its id is still unknown."""
        return self._creating is not None

    def close(self, subscription_ids: Sequence[int], deadline: Deadline) -> None:
        """Close the session with its subscriptions (OPC 10000-4 5.6.4) and the channel.

        Waits only until the server has read this, or has sent the id of the session.  The library
        may hang in a ``sendall``, so call this on a separate thread.  Raises exceptions of the
        library.
        """
        sock, creating = self._sock, self._creating
        if sock is None:
            return
        if creating is not None:
            self._created(sock, creating, deadline.bounded(3600.0))
        if not self._exists:
            return
        self._exists = False
        if subscription_ids:  # a server may not know what DeleteSubscriptions below means
            delete = ua.DeleteSubscriptionsRequest()
            delete.Parameters.SubscriptionIds = list(subscription_ids)
            sock._send_request(delete)
        request = ua.CloseSessionRequest()
        request.DeleteSubscriptions = True
        closed = sock._send_request(request)
        if sock.receiving:
            closed.result(deadline.bounded(3600.0))
        sock.close_secure_channel()
        if not sock.receiving:
            sock.drain(deadline)


# --- endpoints, pure -----------------------------------------------------------------------------


def compare_endpoints(before: Sequence[Any], within: Sequence[Any]) -> None:
    """Compare the unprotected endpoints of a server with the signed ones (OPC 10000-4 5.6.2.2), but
    not the parts that it may leave out of the second list, nor the URLs, which it may change.

    Raises :exc:`~opcws.model.errors.PlantError` BadSecurityChecksFailed.
    """
    first, second = _kinds(before), _kinds(within)
    changed = sorted(
        "policy %s with mode %s" % (short_name(uri), mode)
        for uri, mode in first.keys() | second.keys()
        if first.get((uri, mode)) != second.get((uri, mode))
    )
    told = {certificates.leaf_of(each.ServerCertificate) for each in before}
    shown = {certificates.leaf_of(each.ServerCertificate) for each in within} - {None}
    if not changed and shown and shown != told:
        changed = ["its certificate"]
    if changed:
        raise PlantError(
            "the OPC UA server listed other endpoints before the session than in it (%s); "
            "somebody may have changed them on the way, so opcws does not connect. Check the "
            "network between opcws and the server" % ", ".join(changed),
            "BadSecurityChecksFailed",
        )


def _kinds(endpoints: Sequence[Any]) -> Dict[Tuple[str, str], FrozenSet[Tuple[Any, ...]]]:
    """The types of users for each policy and mode that opcws supports."""
    kinds: Dict[Tuple[str, str], FrozenSet[Tuple[Any, ...]]] = {}
    for endpoint in spoken(endpoints):
        kind = (policy_uri(endpoint), mode_name(endpoint.SecurityMode))
        tokens = frozenset(
            (token.PolicyId, token.TokenType, token.SecurityPolicyUri or "")
            for token in endpoint.UserIdentityTokens or []
        )
        kinds[kind] = kinds.get(kind, frozenset()) | tokens
    return kinds


def _matching(endpoints: Sequence[Any], uri: str, mode: str) -> List[Any]:
    return [
        endpoint
        for endpoint in spoken(endpoints)
        if policy_uri(endpoint) == uri and mode_name(endpoint.SecurityMode) == mode
    ]


def spoken(endpoints: Sequence[Any]) -> List[Any]:
    """The endpoints with the transport of opcws."""
    return [each for each in endpoints if each.TransportProfileUri in (TRANSPORT, "", None)]


def mode_name(mode: int) -> str:
    """The name of a MessageSecurityMode (OPC 10000-4 7.20) in the configuration."""
    try:
        return str(ua.MessageSecurityMode(mode).name).rstrip("_")
    except ValueError:
        return "%d, which opcws does not know" % mode


def policy_uri(endpoint: Any) -> str:
    """Without security a server may leave out the policy."""
    return endpoint.SecurityPolicyUri or (
        NONE_URI if endpoint.SecurityMode == ua.MessageSecurityMode.None_ else ""
    )


def _unsecured_endpoint() -> Any:
    endpoint = ua.EndpointDescription()
    endpoint.SecurityPolicyUri = NONE_URI
    endpoint.SecurityMode = ua.MessageSecurityMode.None_
    return endpoint


# --- services, their requests by the library's structures -----------------------------------------


def _call(
    sock: PlantSocket, request: Any, response_type: Optional[Type[Any]], deadline: Deadline
) -> Any:
    seconds = deadline.bounded(3600.0)
    answer = sock.ask(request, int(seconds * 1000))
    return _decoded(answer.result(seconds), response_type)


def _decoded(answer: Any, response_type: Optional[Type[Any]]) -> Any:
    """The parameters of the response that the library's buffer *answer* holds (``None`` for no
    type); a fault, or a Bad result, is raised."""
    data: bytes = answer.read(len(answer))
    head = service_bodies.response_head(data)
    if status_codes.is_bad(head.service_result):
        raise ua.UaStatusCodeError(head.service_result)
    if head.type_id == service_bodies.SERVICE_FAULT:
        raise PlantError("the OPC UA server answered with a fault that says Good")
    return response_type and read_answer(data, head.position, response_type)
