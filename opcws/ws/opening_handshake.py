"""The opening handshake (RFC 6455 4.2): which requests are valid, and from which pages.

A path without a WebSocket gets 404, a bad upgrade 400 or 426, a page of another origin 403.
"""

import base64
import hashlib
from typing import List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from ..config.settings import Listen
from ..wire import contract, values_to_json
from . import host_check
from .http_message import Request, refuse

WEBSOCKET_PATHS = ("/", "/ws")

#: The header of the answer with the version of the contract of a connection.
CONTRACT = "Opcws-Contract"
# RFC 6455 1.3.
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Upgrade(NamedTuple):
    """A valid opening handshake: its answer, and the parameters of its URL."""

    answer: bytes
    dialect: str
    wants_status: bool


def upgrade(request: Request, listen: Listen, secure: bool, hosts: Sequence[str]) -> Upgrade:
    """The valid opening handshake in *request*, which came by https if *secure*; *hosts* are the
    names of this server in it.

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
            "only WebSocket version 13 is supported",
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
    return Upgrade(_answer(key, subprotocol(request)), dialect, wants_status == "1")


def _answer(key: str, selected: Optional[str]) -> bytes:
    """The 101 response to the client's *key* (RFC 6455 4.2.2).  It has no
    Sec-WebSocket-Extensions, so nothing is compressed and clients can share frames."""
    accept = base64.b64encode(hashlib.sha1((key + _GUID).encode("ascii")).digest())
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: " + accept.decode("ascii"),
    ]
    if selected is not None:
        lines.append("Sec-WebSocket-Protocol: " + selected)
    spoken = contract.SUBPROTOCOLS[selected or contract.DEFAULT_SUBPROTOCOL]
    lines.append("%s: %s" % (CONTRACT, spoken))
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def offered_subprotocols(request: Request) -> List[str]:
    """The subprotocols in Sec-WebSocket-Protocol, the client's preferred first."""
    return [each.strip() for each in (request.header("sec-websocket-protocol") or "").split(",")]


def subprotocol(request: Request) -> Optional[str]:
    """The first offered subprotocol that opcws has (RFC 6455 4.2.2)."""
    offered = offered_subprotocols(request)
    return next((each for each in offered if each in contract.SUBPROTOCOLS), None)


def is_from_elsewhere(request: Request, listen: Listen, hosts: Sequence[str]) -> bool:
    """Whether a page that is neither one of *hosts* nor in the configuration may have made a
    browser send *request*.  Other programs can claim that too, but gain nothing."""
    origin, site = request.header("origin"), request.header("sec-fetch-site")
    if origin is not None and _is_named(origin, listen.origins):
        return False
    if site is not None:
        return site.lower() in ("cross-site", "same-site")
    # Browsers send Sec-Fetch-Site only to https and to this machine.
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
    """Whether *origin* is the server's own (RFC 6454)."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme == ("https" if secure else "http") and parts.netloc == host.lower()
