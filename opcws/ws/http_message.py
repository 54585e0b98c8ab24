"""HTTP before the WebSocket: one request per connection, under one absolute deadline, and a proper
response to any input.

h11 parses it (wsproto, and so simple-websocket, uses it too).
"""

import re
from http import HTTPStatus
from typing import List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import parse_qs, unquote

import h11

from ..config.settings import Limits
from ..model.deadline import Deadline
from .transport import Transport


class Response(NamedTuple):
    """A response other than an upgrade.  No cache keeps it, unless *headers* has another
    ``Cache-Control``; the *body* of a 304 is what the client has already."""

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
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ]
        if not any(name == "Cache-Control" for name, _ in self.headers):
            lines.append("Cache-Control: no-store")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
        return head + self.body if with_body and self.status != 304 else head


class Refused(Exception):
    """The request is refused; *response* says why, *limit* which of
    :data:`opcws.operations.limit_hits.LIMITS` was hit, if any."""

    def __init__(self, response: Response, limit: str = "") -> None:
        super().__init__(response.status)
        self.response = response
        self.limit = limit


def reason(status: int) -> str:
    """An HTTP status as a word, such as ``forbidden``: why a connection was refused."""
    return HTTPStatus(status).name.lower()


def refuse(status: int, text: str, *headers: Tuple[str, str], limit: str = "") -> Refused:
    return Refused(Response(status, text.encode("utf-8") + b"\n", headers=headers), limit)


class Request(NamedTuple):
    """The request line and headers; header names in lower case, *version* as ``1.1``, *authority*
    from a target in absolute form, as a proxy sends it (RFC 9112 3.2.2)."""

    method: str
    version: str
    path: str
    query: Mapping[str, List[str]]
    headers: List[Tuple[str, str]]
    authority: Optional[str] = None

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

    @property
    def name(self) -> str:
        """The path without its first slash; ``""`` if it does not begin with one."""
        return self.path[1:] if self.path.startswith("/") else ""

    @property
    def host(self) -> Optional[str]:
        """The host that the client asks for: an absolute target overrides the header."""
        return self.header("host") if self.authority is None else self.authority

    @property
    def has_body(self) -> bool:
        length = self.header("content-length")
        return bool(self.header("transfer-encoding")) or length not in (None, "0")

    @property
    def is_upgrade(self) -> bool:
        """Whether it is an attempted opening handshake (RFC 6455 4.1)."""
        return "websocket" in self.tokens("upgrade")


def receive(transport: Transport, deadline: Deadline, limits: Limits) -> Request:
    """Read one request; bytes after its head go back into *transport*.

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
            431, "a request may have at most %d headers" % limits.max_headers, limit="max_headers"
        )
    if not event.http_version.startswith(b"1."):
        raise refuse(400, "only HTTP/1.1 is supported")
    if any(name == b"transfer-encoding" for name, _ in event.headers) and (
        event.http_version == b"1.0" or any(name == b"content-length" for name, _ in event.headers)
    ):
        # A proxy may use the other length (RFC 9112 6.1).
        raise refuse(
            400,
            "Transfer-Encoding with Content-Length or with HTTP/1.0; the end of "
            "the body is not clear",
        )
    transport.unread(parser.trailing_data[0])
    authority, path, query = _parts(event.target.decode("ascii", "replace"))
    return Request(
        event.method.decode("ascii"),
        event.http_version.decode("ascii"),
        unquote(path, errors="replace"),
        parse_qs(query, keep_blank_values=True),
        [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers],
        authority,
    )


def receive_body(transport: Transport, request: Request, deadline: Deadline, most: int) -> bytes:
    """Read the body of *request*, at most *most* bytes.  Raises :exc:`Refused`."""
    length = request.header("content-length")
    if length is None or not length.isdigit():
        raise refuse(411, "a body needs Content-Length")
    if int(length) > most:
        raise refuse(413, "a body may have at most %d bytes here" % most)
    if "100-continue" in request.tokens("expect"):  # RFC 9110 10.1.1
        transport.write_all(b"HTTP/1.1 100 Continue\r\n\r\n", deadline)
    body = b""
    try:
        while len(body) < int(length):
            data = transport.recv(int(length) - len(body), deadline)
            if not data:
                raise ConnectionError("the peer left in its request")
            body += data
    except TimeoutError:
        raise refuse(408, "no complete request in time", limit="handshake_timeout_s") from None
    return body


def _parts(target: str) -> Tuple[Optional[str], str, str]:
    """(authority, path, query) of a request's target (RFC 9112 3.2).  Two slashes at its beginning
    belong to the path: there is no authority without a scheme."""
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        if target.startswith(_SCHEMES):
            raise refuse(400, "the request target is not valid")
        path, _, query = target.partition("?")
        return None, path, query
    path, _, query = target[absolute.end() :].partition("?")
    return absolute.group(1), path or "/", query  # an empty path is the root's (RFC 9110 4.2.3)


_SCHEMES = ("http:", "https:", "ws:", "wss:")
_ABSOLUTE = re.compile(
    r"(?:http|ws)s?://(?:[^/?#@]*@)?((?:\[[0-9a-f:.]+\]|[^/?#@\[\]:]+)(?::[0-9]*)?)(?=[/?]|$)",
    re.IGNORECASE,
)


# h11 checks a line only at its end, which may never come.
_NOT_IN_A_REQUEST_LINE = re.compile(rb"[^\x20-\x7e\r\n]")


def _without_quotes(error: Exception) -> str:
    """The text of h11's *error* without the quoted line of the request: that may contain a
    credential, and the text is logged."""
    return re.split(r":| b['\"]", str(error))[0]
