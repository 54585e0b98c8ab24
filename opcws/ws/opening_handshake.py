"""The opening handshake (RFC 6455 4.2): what makes a request a good one, and from which pages.

A path without a WebSocket gets 404, a bad upgrade 400 or 426, a page of another origin 403.
"""

import base64
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from ..config.settings import Listen
from ..wire import contract, values_to_json
from . import host_check
from .http_message import Request, refuse

WEBSOCKET_PATHS = ("/", "/ws")

#: The header of the answer that says which version of the contract is spoken on a connection.
CONTRACT = "Opcws-Contract"


class Upgrade(NamedTuple):
    """A good opening handshake: what simple-websocket needs to answer it, and what the client
    asked for in the URL; *contract* is the version that is spoken, MAJOR.MINOR."""

    environ: Dict[str, str]
    dialect: str
    wants_status: bool
    contract: str


def upgrade(request: Request, listen: Listen, secure: bool, hosts: Sequence[str]) -> Upgrade:
    """What is asked for by *request*, which came by https if *secure*, with *hosts* as the names by
    which this server was asked.

    Raises :exc:`~opcws.ws.http_message.Refused`.
    """
    if request.path not in WEBSOCKET_PATHS:
        raise refuse(404, "no WebSocket at this path; connect to / or /ws")
    if request.method != "GET" or request.version < "1.1":
        raise refuse(400, "a WebSocket is opened with GET in HTTP/1.1")
    if "upgrade" not in request.tokens("connection"):
        raise refuse(400, "Upgrade without 'Connection: Upgrade'")
    if request.header("sec-websocket-version") != "13":
        raise refuse(
            426,
            "only WebSocket version 13 is understood",
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
        )
    key = request.header("sec-websocket-key")
    if key is None or not _is_nonce(key):
        raise refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64")
    if not hosts:
        raise refuse(400, "Host is missing")
    if request.has_body:
        raise refuse(400, "an opening handshake has no body")
    origin = request.header("origin")
    if not (origin is None or "*" in listen.origins or _is_named(origin, listen.origins)):
        same = any(_is_same_origin(origin, each, secure) for each in hosts)
        if not same or not (secure or host_check.are_ours(hosts, listen)):
            raise refuse(
                403, "pages of this origin may not connect; add it to listen.origins to allow it"
            )
    dialect = request.query.get("scalars", [listen.scalars])[-1]
    if dialect not in (values_to_json.TYPED, values_to_json.STRING):
        raise refuse(400, "scalars in the URL: expected typed or string")
    wants_status = request.query.get("status", ["0"])[-1]
    if wants_status not in ("0", "1"):
        raise refuse(400, "status in the URL: expected 0 or 1")
    # Of what the client wrote only the key goes on: wsproto stumbles over some hosts and lists.
    environ = {
        "HTTP_HOST": "opcws",
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_SEC_WEBSOCKET_KEY": key,
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
    }
    # Sec-WebSocket-Extensions is left out: without it nothing is compressed, and the frames can
    # be shared.
    selected = subprotocol(request)
    if selected is not None:
        environ["HTTP_SEC_WEBSOCKET_PROTOCOL"] = selected
    spoken = contract.SUBPROTOCOLS[selected or contract.DEFAULT_SUBPROTOCOL]
    return Upgrade(environ, dialect, wants_status == "1", spoken)


def offered_subprotocols(request: Request) -> List[str]:
    """What the client offers in Sec-WebSocket-Protocol, what it likes best first."""
    return [each.strip() for each in (request.header("sec-websocket-protocol") or "").split(",")]


def subprotocol(request: Request) -> Optional[str]:
    """The first one that *request* offers and that is spoken here (RFC 6455 4.2.2)."""
    offered = offered_subprotocols(request)
    return next((each for each in offered if each in contract.SUBPROTOCOLS), None)


def with_contract(answer: bytes, version: str) -> bytes:
    """*answer*, the head of a 101 response, with a header more."""
    return answer[:-2] + ("%s: %s\r\n\r\n" % (CONTRACT, version)).encode("ascii")


def is_from_elsewhere(request: Request, listen: Listen, hosts: Sequence[str]) -> bool:
    """Whether a page that is not one of *hosts*, and not named in the configuration, may have had
    a browser send *request*.  Whoever is no browser can say so as well, and gains nothing."""
    origin, site = request.header("origin"), request.header("sec-fetch-site")
    if origin is not None and _is_named(origin, listen.origins):
        return False
    if site is not None:
        return site.lower() in ("cross-site", "same-site")
    # Browsers say it to https and to this machine only.
    page = origin if origin is not None else request.header("referer")
    return page is not None and _authority(page) not in (each.lower() for each in hosts)


def _is_nonce(key: str) -> bool:
    """Whether *key* is 16 bytes in base64 (RFC 6455 4.2.1)."""
    try:
        return len(base64.b64decode(key.encode("ascii"), validate=True)) == 16
    except ValueError:
        return False


def _is_named(origin: str, allowed: Tuple[str, ...]) -> bool:
    return origin.lower() in (each.lower().rstrip("/") for each in allowed)


def _authority(page: str) -> str:
    try:
        return urlsplit(page.lower()).netloc
    except ValueError:
        return ""


def _is_same_origin(origin: str, host: str, secure: bool) -> bool:
    """RFC 6454."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme == ("https" if secure else "http") and parts.netloc == host.lower()
