"""Authentication in HTTP: the credential in a request, and the response to a wrong one.

A client sends one of these; two at once are refused with 400 (RFC 6750 3.1):

* ``Authorization: Bearer TOKEN`` (RFC 6750) or ``Basic`` with user and password (RFC 7617);
* ``?access_token=TOKEN``, for clients that cannot set headers;
* ``Sec-WebSocket-Protocol: json, opcws.token.TOKEN``, for scripts in pages, whose URLs end up in
  foreign logs.  One of the subprotocols of opcws must be there too: a server chooses one of those
  offered (RFC 6455 4.2.2), browsers give up if it chooses none, and it must not send back a token.

A certificate that TLS has verified counts if there is none of these: a certificate is the
machine's, a login on it a person's.

A wrong credential gets 401; a valid one without the right gets 403.  No answer, and so no line of
the log, repeats any part of the credential.

Two more paths are for pages, because a script cannot read why a WebSocket was refused: ``GET
/whoami`` returns the client's identity and rights, ``POST /login`` with Basic exchanges user and
password for a token, which a script can send when it opens a WebSocket.
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
    """A request, and what identifies its sender."""

    request: Request
    authenticator: Authenticator
    certificate: Optional[PeerCertificate]
    deadline: Deadline
    address: str = ""
    #: The time zone of the plant, for ``/whoami``.
    time_zone: Optional[str] = None

    def identify(self) -> Grant:
        """The grant of the sender; takes some tenths of a second for a password.

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
        # A browser answers this header with a dialog of its own, which is good for a person who
        # opens /status and bad for a page that asks for the password itself.
        from_script = (
            request.path in (WHOAMI, LOGIN)
            or request.header("origin") is not None
            or request.header("sec-fetch-mode") not in (None, "navigate")
        )
        if self.authenticator.has_users and not from_script:
            challenges.append(("WWW-Authenticate", 'Basic realm="opcws", charset="UTF-8"'))
        return refuse(401, reason, *challenges)

    def answer(self) -> Optional[Response]:
        """The response at ``/whoami`` and ``/login``; ``None`` for any other path that is open to
        the sender.

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
        """The grant for the request, an opening handshake.

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
    """*name* from a certificate, made printable for the log."""
    return "".join(each if each.isprintable() else "?" for each in name[:64])


def _json(document: Dict[str, Any]) -> Response:
    return Response(200, json.dumps(document).encode("ascii") + b"\n", "application/json")
