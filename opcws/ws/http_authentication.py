"""Who asks, as HTTP says it: credentials out of a request, and what is answered to wrong ones.

A client shows one of these; two at once are refused with 400 (RFC 6750 3.1):

* ``Authorization: Bearer TOKEN`` (RFC 6750) or ``Basic`` with user and password (RFC 7617);
* ``?access_token=TOKEN``, for what cannot set headers;
* ``Sec-WebSocket-Protocol: json, opcws.token.TOKEN``, for scripts in pages, whose URLs end up in
  logs of others.  A subprotocol that is spoken here must be there: RFC 6455 4.2.2 has the server
  choose one that was offered, browsers give up if none is chosen, and a token must not be sent
  back.

A certificate that TLS has verified counts where nothing of these is shown: it is the machine's,
a login on it a person's.

What is wrong gets 401, what is right and not enough 403.  No answer, and so no line of the log,
repeats any part of what was shown.

Two more paths are for pages, because a script cannot read why a WebSocket was refused: ``GET
/whoami`` says what the client is and may do, ``POST /login`` with Basic makes a token of a user
and password, which a script can show at a WebSocket.
"""

import base64
import json
from typing import Any, Dict, List, NamedTuple, Optional, Union

from ..access.authenticator import LOGIN_S, Authenticator, Grant, Unavailable, Unknown
from ..config import roles
from ..model.deadline import Deadline
from ..wire import contract
from . import opening_handshake
from .http_message import Refused, Request, Response, refuse
from .tls import PeerCertificate

SUBPROTOCOL = "opcws.token."

WHOAMI, LOGIN = "/whoami", "/login"


class Bearer(NamedTuple):
    token: str


class Basic(NamedTuple):
    user: str
    password: str


Shown = Union[Bearer, Basic, None]


def shown(request: Request) -> Shown:
    """The credential in *request*.  Raises :exc:`~opcws.ws.http_message.Refused` with 400."""
    found: List[Union[Bearer, Basic]] = []
    for name, value in request.headers:
        if name == "authorization":
            found.append(_authorization(value))
    found += map(Bearer, request.query.get("access_token", ()))
    offered = opening_handshake.offered_subprotocols(request)
    tokens = [each[len(SUBPROTOCOL) :] for each in offered if each.startswith(SUBPROTOCOL)]
    if tokens and opening_handshake.subprotocol(request) is None:
        raise refuse(400, "offer the subprotocol json beside the one with the token")
    found += map(Bearer, tokens)
    if len(found) > 1:
        raise refuse(400, "more than one credential; show one, in one way")
    if found and isinstance(found[0], Bearer) and not found[0].token:
        raise refuse(400, "the token is empty")
    return found[0] if found else None


def _authorization(value: str) -> Union[Bearer, Basic]:
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() == "bearer":
        return Bearer(rest.strip())
    if scheme.lower() != "basic":
        raise refuse(400, "Authorization: expected Bearer or Basic")
    try:
        text = base64.b64decode(rest.strip().encode("ascii"), validate=True).decode("utf-8")
        user, password = text.split(":", 1)
    except ValueError:
        raise refuse(400, "Authorization: Basic takes user:password, UTF-8, in base64") from None
    return Basic(user, password)


class Authentication(NamedTuple):
    """A request, and what tells who sent it."""

    request: Request
    authenticator: Authenticator
    certificate: Optional[PeerCertificate]
    deadline: Deadline
    address: str = ""
    #: What ``/whoami`` tells of the plant.
    time_zone: Optional[str] = None

    def identify(self) -> Grant:
        """The grant of whoever sent it; takes some tenths of a second for a password.

        Raises :exc:`~opcws.ws.http_message.Refused` with 400, 401 or 503.
        """
        credential = shown(self.request) if self.authenticator.configured else None
        try:
            if isinstance(credential, Bearer):
                return self.authenticator.by_token(credential.token)
            if isinstance(credential, Basic):
                return self.authenticator.by_password(
                    credential.user, credential.password, self.deadline, self.address
                )
        except Unknown as problem:
            raise self._unauthorized(problem.reason, credential) from None
        except Unavailable as problem:
            raise refuse(503, problem.reason, ("Retry-After", "5")) from None
        if self.certificate is None:
            return self.authenticator.anonymous()
        names, fingerprint = self.certificate.common_names, self.certificate.fingerprint
        keys = roles.certificate_keys(names, fingerprint)
        return self.authenticator.by_certificate(keys, _printable("+".join(names) or fingerprint))

    def _unauthorized(self, reason: str, credential: Shown = None) -> Refused:
        request, bearer = self.request, 'Bearer realm="opcws"'
        if isinstance(credential, Bearer):
            bearer += ', error="invalid_token"'
        challenges = [("WWW-Authenticate", bearer)]
        # A browser answers this one with a dialog of its own, which is good for a person who opens
        # /status and bad for a page that asks for the password itself.
        from_script = (
            request.path in (WHOAMI, LOGIN)
            or request.header("origin") is not None
            or request.header("sec-fetch-mode") not in (None, "navigate")
        )
        if self.authenticator.has_users and not from_script:
            challenges.append(("WWW-Authenticate", 'Basic realm="opcws", charset="UTF-8"'))
        return refuse(401, reason, *challenges)

    def answer(self) -> Optional[Response]:
        """What there is to say to the request before anybody else looks at it: the answer at
        ``/whoami`` and ``/login``; ``None`` for whatever is open to its sender.

        Raises :exc:`~opcws.ws.http_message.Refused`.
        """
        if self.request.path == LOGIN:
            return self._login()
        if self.request.method not in ("GET", "HEAD"):
            return None
        if self.request.path == WHOAMI:
            return _json(self._description(self.identify()))
        endpoint = self.request.name
        if self.authenticator.configured and endpoint in roles.ENDPOINTS:
            grant = self.identify()
            if endpoint not in grant.role.endpoints:
                if not grant.identity:
                    raise self._unauthorized("show a credential to see this")
                raise refuse(
                    403,
                    "the role %s may not see this; 'endpoints' of the role in the configuration "
                    "would allow it" % grant.role.name,
                )
        return None

    def admit(self) -> Grant:
        """The grant with which the request, an opening handshake, may go on.

        Raises :exc:`~opcws.ws.http_message.Refused`.
        """
        grant = self.identify()
        if grant.role.may_connect:
            return grant
        if not grant.identity:
            raise self._unauthorized("show a credential to connect")
        raise refuse(
            403,
            "the role %s grants no variables, so there is nothing to connect for; 'read' or "
            "'write' of the role in the configuration would allow some" % grant.role.name,
        )

    def _description(self, grant: Grant) -> Dict[str, Any]:
        login = ["token"] if self.authenticator.configured else []
        if self.authenticator.has_users:
            login.append("password")
        told = {} if self.time_zone is None else {"TimeZone": self.time_zone}
        return {
            "Contract": contract.VERSION,
            "Identity": grant.identity,
            "Role": grant.role.name,
            "MayConnect": grant.role.may_connect,
            "History": grant.role.history,
            "Views": grant.role.views,
            "Endpoints": sorted(grant.role.endpoints),
            "Login": login,
            **told,
        }

    def _login(self) -> Response:
        if self.request.method != "POST":
            raise refuse(405, "only POST is allowed here", ("Allow", "POST"))
        if self.request.has_body:
            raise refuse(400, "a login has no body; user and password go into Authorization: Basic")
        if not self.authenticator.configured:
            raise refuse(404, "there are no roles, so there is nothing to log in for")
        if not isinstance(shown(self.request), Basic):
            raise refuse(400, "a login takes Authorization: Basic with user and password")
        grant = self.identify()
        token = {"AccessToken": self.authenticator.login_token(grant), "ExpiresIn": LOGIN_S}
        return _json({**self._description(grant), **token})


def _printable(name: str) -> str:
    """What a certificate says, fit for a line of a log."""
    return "".join(each if each.isprintable() else "?" for each in name[:64])


def _json(document: Dict[str, Any]) -> Response:
    return Response(200, json.dumps(document).encode("ascii") + b"\n", "application/json")
