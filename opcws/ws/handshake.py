"""The HTTP before the WebSocket: one request per connection, under one absolute deadline.

h11 parses it (it is what wsproto, and so simple-websocket, uses itself).  What is not HTTP gets
400, an unknown path 404, a bad upgrade 400 or 426, a page of another origin 403; the answer is
always a proper response with a status line, then the connection is closed.
"""

import base64
import binascii
import re
from http import HTTPStatus
from pathlib import Path
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union
from urllib.parse import parse_qs, unquote, urlsplit

import h11

from ..config.load import Limits, Listen, is_loopback
from ..docs import topics
from ..model.addresses import parse
from ..model.deadline import Deadline
from ..wire import values_to_json
from .transport import Transport

WEBSOCKET_PATHS = ("/", "/ws")

#: What operators look at, by path: the endpoint, as a role grants it.
ENDPOINTS = {
    "/healthz": "healthz",
    "/readyz": "readyz",
    "/metrics": "metrics",
    "/status": "status",
}

#: Where the documentation is: a page below it for each topic, and the schemas.
DOCS = "/docs"

_STATIC = Path(__file__).resolve().parent.parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ts": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


class Response(NamedTuple):
    """What is answered instead of an upgrade."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Tuple[Tuple[str, str], ...] = ()

    def encoded(self, with_body: bool = True) -> bytes:
        phrase = HTTPStatus(self.status).phrase
        lines = ["HTTP/1.1 %d %s" % (self.status, phrase)]
        lines += ["%s: %s" % header for header in self.headers]
        lines += [
            "Content-Type: " + self.content_type,
            "Content-Length: %d" % len(self.body),
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ]
        head = "\r\n".join(lines) + "\r\n\r\n"
        return head.encode("ascii") + (self.body if with_body else b"")


class Upgrade(NamedTuple):
    """A good opening handshake: what simple-websocket needs to answer it, and what the client
    asked for in the URL."""

    environ: Dict[str, str]
    dialect: str
    wants_status: bool


class Refused(Exception):
    """No connection comes of this request; *response* says why, *limit* which of
    :data:`opcws.operations.counters.LIMITS` was hit, if any."""

    def __init__(self, response: Response, limit: str = "") -> None:
        super().__init__(response.status)
        self.response = response
        self.limit = limit


def reason(status: int) -> str:
    """An HTTP status in a word, such as ``forbidden``: why a connection was refused."""
    return HTTPStatus(status).name.lower()


def refuse(status: int, text: str, *headers: Tuple[str, str], limit: str = "") -> Refused:
    return Refused(Response(status, text.encode("utf-8") + b"\n", headers=headers), limit)


class Request(NamedTuple):
    """The request line and headers; header names in lower case, *version* as ``1.1``."""

    method: str
    version: str
    path: str
    query: Mapping[str, List[str]]
    headers: List[Tuple[str, str]]

    def header(self, name: str) -> Optional[str]:
        """The header's value, several joined by commas (RFC 9110 5.3); ``None`` if absent."""
        found = self.values(name)
        return ", ".join(found) if found else None

    def values(self, name: str) -> List[str]:
        """The values of each header with this name, in their order."""
        return [value for key, value in self.headers if key == name]

    def tokens(self, name: str) -> List[str]:
        """A comma-separated header as lower-case tokens."""
        return [token.strip().lower() for token in (self.header(name) or "").split(",")]


def receive(transport: Transport, deadline: Deadline, limits: Limits) -> Request:
    """Read one request; bytes behind its head go back into *transport*.

    Raises :exc:`Refused`, or :exc:`ConnectionError` if the peer left without a word.
    """
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.max_header_bytes)
    heard = in_headers = False
    try:
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = transport.recv(4096, deadline)
                if not data and not heard:
                    raise ConnectionError("the peer left without a word")
                if not heard and data.startswith(b"\x16\x03"):  # RFC 8446 5.1
                    raise refuse(
                        400,
                        "TLS on a listener without it; use ws:// or http:// here, or set "
                        "listen.tls",
                    )
                heard = True
                if not in_headers:
                    line, end, _ = data.partition(b"\n")
                    in_headers = bool(end)
                    if _NOT_IN_A_REQUEST_LINE.search(line):
                        raise refuse(400, "not an HTTP request")
                parser.receive_data(data)
            elif isinstance(event, h11.Request):
                break
            else:
                raise ConnectionError("the peer left in its request")
    except TimeoutError:
        raise refuse(408, "no complete request in time", limit="handshake_timeout_s") from None
    except h11.RemoteProtocolError as error:
        status = error.error_status_hint if error.error_status_hint in (400, 431, 501) else 400
        raise refuse(
            status,
            "not an HTTP request that opcws understands: %s" % _without_quotes(error),
            limit="max_header_bytes" if status == 431 else "",
        ) from None
    if len(event.headers) > limits.max_headers:
        raise refuse(
            431, "a request may have %d headers here" % limits.max_headers, limit="max_headers"
        )
    if not event.http_version.startswith(b"1."):
        raise refuse(400, "only HTTP/1.1 is understood here")
    transport.unread(parser.trailing_data[0])
    try:
        target = urlsplit(event.target.decode("ascii", "replace"))
    except ValueError:
        # The error may quote the target, and that a token.
        raise refuse(400, "not a target that opcws understands") from None
    return Request(
        event.method.decode("ascii"),
        event.http_version.decode("ascii"),
        unquote(target.path, errors="replace"),
        parse_qs(target.query, keep_blank_values=True),
        [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers],
    )


# h11 looks at a line when it has its end, which may never come.
_NOT_IN_A_REQUEST_LINE = re.compile(rb"[^\x20-\x7e\r\n]")


def _without_quotes(error: Exception) -> str:
    """What h11 says, less the line of the request that it quotes: that may hold a credential,
    and what is said here is logged."""
    return re.split(r":| b['\"]", str(error))[0]


def answer(
    request: Request,
    listen: Listen,
    secure: bool,
    proxied: bool,
    report: Callable[[str], Response],
) -> Union[Upgrade, Response]:
    """What becomes of *request*, which came by https if *secure*, and through a trusted proxy if
    *proxied*.  *report* makes the document at one of :data:`ENDPOINTS`.

    Raises :exc:`Refused`.
    """
    if "websocket" in request.tokens("upgrade"):
        return _upgrade(request, listen, secure, proxied)
    if request.method not in ("GET", "HEAD"):
        raise refuse(405, "only GET is understood here", ("Allow", "GET, HEAD"))
    if request.path == "/ws":
        raise refuse(426, "this is a WebSocket; upgrade", ("Upgrade", "websocket"))
    endpoint = ENDPOINTS.get(request.path)
    if endpoint is not None:
        return report(endpoint)
    if request.path == DOCS:
        return Response(301, headers=(("Location", DOCS[1:] + "/"),))
    if request.path.startswith(DOCS + "/"):
        return _documentation(request.path[len(DOCS) + 1 :])
    return _static(request.path)


def _upgrade(request: Request, listen: Listen, secure: bool, proxied: bool) -> Upgrade:
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
    host = request.header("host")
    if host is None:
        raise refuse(400, "Host is missing")
    if request.header("transfer-encoding") or request.header("content-length") not in (None, "0"):
        raise refuse(400, "an opening handshake has no body")
    origin = request.header("origin")
    if origin is not None and not _is_allowed(origin, listen.origins):
        certain = secure or proxied or not is_loopback(listen.host) or _is_this_machine(host)
        if not (certain and _is_same_origin(origin, host, secure)):
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
    protocols = request.header("sec-websocket-protocol")
    if protocols is not None and "json" in [each.strip() for each in protocols.split(",")]:
        environ["HTTP_SEC_WEBSOCKET_PROTOCOL"] = "json"
    return Upgrade(environ, dialect, wants_status == "1")


def _is_nonce(key: str) -> bool:
    """Whether *key* is 16 bytes in base64 (RFC 6455 4.2.1)."""
    try:
        return len(base64.b64decode(key.encode("ascii"), validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _is_allowed(origin: str, allowed: Tuple[str, ...]) -> bool:
    """Whether the configuration allows *origin*."""
    return "*" in allowed or origin.lower() in (each.lower().rstrip("/") for each in allowed)


def _is_this_machine(host: str) -> bool:
    """Whether the Host header *host* is an address, or this machine's own name for itself.

    On a loopback address, where nobody else can ask, any other name may be that of a page from
    elsewhere whose owner has it point here (DNS rebinding): its origin would be the same.
    """
    try:
        name = urlsplit("//" + host.lower()).hostname or ""
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or parse(name) is not None


def _is_same_origin(origin: str, host: str, secure: bool) -> bool:
    """RFC 6454."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme == ("https" if secure else "http") and parts.netloc == host.lower()


def _static(path: str) -> Response:
    name = "index.html" if path == "/" else path[1:]
    if "/" in name or "\\" in name or name.startswith("."):
        raise refuse(404, "nothing is here")
    file = _STATIC / name
    content_type = _TYPES.get(file.suffix)
    if content_type is None:
        raise refuse(404, "nothing is here")
    try:
        body = file.read_bytes()
    except (OSError, ValueError):
        if name not in _OPTIONAL:
            raise refuse(404, "nothing is here") from None
        body = b""
    headers = [("Content-Security-Policy", _POLICY), ("Referrer-Policy", "no-referrer")]
    if name in _FOR_ALL:
        headers.append(("Access-Control-Allow-Origin", "*"))
    return Response(200, body, content_type, tuple(headers))


def _documentation(name: str) -> Response:
    if name.startswith("schemas/"):
        schema = topics.schema(name[len("schemas/") :])
        if schema is None:
            raise refuse(404, "no such schema; READ_REQUEST.json is one")
        return Response(200, schema.encode("utf-8"), "application/schema+json")
    picture = topics.picture(name)
    if picture is not None:
        return Response(
            200, picture, _TYPES[".svg"], (("Content-Security-Policy", _POLICY_OF_PICTURES),)
        )
    if name and name not in topics.NAMES:
        raise refuse(404, "no such page; /docs has a list")
    page = topics.as_html(name)
    headers = (("Content-Security-Policy", _POLICY_OF_DOCS), ("Referrer-Policy", "no-referrer"))
    return Response(200, page.encode("utf-8"), _TYPES[".html"], headers)


_POLICY_OF_DOCS = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

# Its own style sheet is what shows a picture in dark to who opens it by itself.
_POLICY_OF_PICTURES = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

# Fetched when opcws is packaged, where there is npm.  The page does without them, but a browser
# would call 404 an error.
_OPTIONAL = ("uplot.js", "uplot.css")

# Pages from elsewhere may load these; whether they may connect is listen.origins' business.
_FOR_ALL = ("opcws.js", "opcws.d.ts")

# No page of ours loads anything from elsewhere, or has a script or style in its text; nobody
# else's page shows it in a frame, where a click could be made to mean something else.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
