"""One WebSocket connection of a client, on wsproto and a socket.

Rules:

* Only one thread may use a websocket.  It has no thread of its own: the thread that waits for a
  message also answers the server's pings.
* Every step takes its time from a :class:`~opcws.model.deadline.Deadline`.
* A server that vanished (power cut, cable) is noticed after :data:`QUIET_S` + :data:`PONG_S` of
  waiting: a silent server gets a ping.
* Every error of the operating system, TLS or the peer becomes a
  :exc:`~opcws.client.errors.ClientError` with a sentence.

Looked at: websocket-client (its last release for Python 3.8 reads the answer to the handshake byte
by byte and its body in one piece, without a bound on either or on a message), websockets (one more
thread a connection, and another interface in the last release for 3.8) and simple-websocket (a
thread, no deadline for connecting, and no body of a refusal).
"""

import collections
import errno
import os
import socket
import ssl
import time
from typing import Deque, Dict, Iterable, List, Optional, Sequence, Tuple

from wsproto import ConnectionType, WSConnection, events
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from ..model import socket_errors
from ..model.deadline import Deadline
from .address import Address, short
from .errors import Busy, ClientError, ConnectError, ConnectionLost, NotAllowed, NotTrusted

#: Seconds without data after which the server gets a ping, and then for its answer.
QUIET_S = 15.0
PONG_S = 10.0
#: Most bytes of a message, and of an answer that refuses the connection.
MAX_MESSAGE_BYTES = 256 * 1024 * 1024
MAX_BODY_BYTES = 65536
#: Seconds for the closing handshake.
CLOSE_S = 1.0

#: Version of the contract that this client speaks, MAJOR.MINOR.
CONTRACT = "1.1"

_RECEIVE_BYTES = 65536

# On Windows a longer wait could not be interrupted with Ctrl-C.
_SLICE_S = 0.2 if os.name == "nt" else 3600.0


class WebSocket:
    """A connection to *address*, open after construction.

    *headers* are sent in the opening handshake.  Raises :exc:`~.errors.ConnectError` and its
    subclasses.
    """

    def __init__(
        self,
        address: Address,
        headers: Sequence[Tuple[bytes, bytes]],
        context: Optional[ssl.SSLContext],
        deadline: Deadline,
    ) -> None:
        self._address = address
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._messages: Deque[str] = collections.deque()
        self._parts: List[str] = []
        self._size = 0
        self._lost: Optional[ConnectionLost] = None
        self._quiet_s = 0.0
        self._pinged = False
        #: Version of the contract of this connection, if the server sends it.
        self.contract: Optional[str] = None
        self._sock = _connect(address, context, deadline)
        try:
            self._open(headers, deadline)
        except BaseException:
            self._sock.close()
            raise

    # --- opening handshake --------------------------------------------------------------------

    def _open(self, headers: Sequence[Tuple[bytes, bytes]], deadline: Deadline) -> None:
        request = events.Request(
            host=self._address.host_header,
            target=self._address.target,
            subprotocols=["json"],
            extra_headers=list(headers),
        )
        rejected: Optional[events.RejectConnection] = None
        body = b""
        opened = heard = done = False
        try:
            self._sock.settimeout(_positive(deadline))
            self._sock.sendall(self._protocol.send(request))
            while not done:
                self._sock.settimeout(_positive(deadline))
                data = self._sock.recv(_RECEIVE_BYTES)
                heard = heard or bool(data)
                self._protocol.receive_data(data or None)
                for event in self._protocol.events():
                    if opened:  # data of the same segment
                        self._take(event)
                    elif isinstance(event, events.AcceptConnection):
                        opened = True
                        self.contract = _texts(event.extra_headers).get("opcws-contract")
                    elif isinstance(event, events.RejectConnection):
                        rejected, done = event, not event.has_body
                    elif isinstance(event, events.RejectData):
                        body += event.data
                        done = event.body_finished or len(body) > MAX_BODY_BYTES
                if opened and (self.contract is None or _major(self.contract) == _major(CONTRACT)):
                    return
                done = done or opened or not data
            if opened:
                problem = ConnectError(
                    "%sit speaks version %s of the contract, and this client %s; bring the older "
                    "of the two up to date" % (self._address.cannot, self.contract, CONTRACT)
                )
            else:
                problem = _no_websocket(self._address, heard=False)
        except RemoteProtocolError:
            problem = _no_websocket(self._address, heard)
        except socket.timeout:
            problem = ConnectError(
                self._address.cannot + "it accepted the connection but did not answer in time; "
                "is it opcws? The port must not be that of an OPC UA "
                "server, often 4840"
            )
        except OSError as error:
            problem = _not_opened(self._address, error)
        # A refusal is valid even if its body is incomplete.
        raise problem if rejected is None else _rejected(self._address, rejected, body)

    # --- messages -----------------------------------------------------------------------------

    @property
    def lost(self) -> Optional[ConnectionLost]:
        """Why the connection is over, once known."""
        return self._lost

    def send(self, text: str, deadline: Deadline) -> None:
        """Raises :exc:`ConnectionLost`; a part of the message may have been sent then."""
        if self._lost is not None:
            raise self._lost
        try:
            self._write(self._protocol.send(events.Message(data=text)), deadline)
        except LocalProtocolError:
            raise self._end("the connection is closed") from None

    def receive(self, deadline: Deadline) -> Optional[str]:
        """The next message; ``None`` at the deadline.  Raises :exc:`ConnectionLost`."""
        while not self._messages:
            if self._lost is not None:
                raise self._lost
            if not self._read(deadline):
                return None
        return self._messages.popleft()

    def _read(self, deadline: Deadline) -> bool:
        """Read what has arrived, or arrives until the deadline; false if nothing did."""
        patience = PONG_S if self._pinged else QUIET_S
        wait = deadline.bounded(min(max(patience - self._quiet_s, 0.01), _SLICE_S))
        began = time.monotonic()
        try:
            # 0 would mean non-blocking, where TLS raises other errors.
            self._sock.settimeout(max(wait, 0.0005))
            data = self._sock.recv(_RECEIVE_BYTES)
        except (socket.timeout, ssl.SSLWantReadError):
            self._quiet_s += time.monotonic() - began
            if self._quiet_s >= patience:
                if self._pinged:
                    raise self._end("opcws shows no sign of life any more") from None
                self._pinged, self._quiet_s = True, 0.0
                self._write(self._protocol.send(events.Ping()), Deadline(PONG_S))
            return not deadline.expired
        except OSError as error:
            raise self._end(_why(error)) from None
        self._quiet_s, self._pinged = 0.0, False
        if not data:
            raise self._end("opcws ended the connection without a reason")
        try:
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                self._take(event)
        except RemoteProtocolError as error:
            raise self._end("something that is not a WebSocket frame came (%s)" % error) from None
        return True

    def _take(self, event: object) -> None:
        if isinstance(event, events.TextMessage):
            self._size += len(event.data)
            if self._size > MAX_MESSAGE_BYTES:
                raise self._end("a message of more than %d bytes came" % MAX_MESSAGE_BYTES)
            self._parts.append(event.data)
            if event.message_finished:
                self._messages.append("".join(self._parts))
                self._parts, self._size = [], 0
        elif isinstance(event, events.BytesMessage):
            raise self._end("a binary message came, which opcws does not send")
        elif isinstance(event, events.Ping):
            self._write(self._protocol.send(event.response()), Deadline(PONG_S))
        elif isinstance(event, events.CloseConnection):
            try:
                self._write(self._protocol.send(event.response()), Deadline(CLOSE_S))
            except ConnectionLost:
                pass  # it is over in any case
            said = ": " + event.reason if event.reason else ""
            self._lost = ConnectionLost(
                "opcws closed the connection (%d)%s" % (event.code, said), int(event.code)
            )
            self._sock.close()

    def _write(self, data: bytes, deadline: Deadline) -> None:
        try:
            self._sock.settimeout(_positive(deadline))
            self._sock.sendall(data)
        except socket.timeout:
            raise self._end("opcws does not accept messages any more") from None
        except OSError as error:
            raise self._end(_why(error)) from None

    def _end(self, why: str) -> ConnectionLost:
        if self._lost is None:
            self._lost = ConnectionLost("the connection to %s broke: %s" % (self._address.url, why))
        self._sock.close()
        return self._lost

    def close(self) -> None:
        """The closing handshake (RFC 6455 7.1.2), in at most :data:`CLOSE_S`.  Never raises."""
        if self._lost is not None:
            return
        deadline = Deadline(CLOSE_S)
        try:
            self._write(self._protocol.send(events.CloseConnection(code=1000)), deadline)
            while not deadline.expired:
                self._messages.clear()
                self._read(deadline)
                if self._lost is not None:
                    break
        except (ClientError, LocalProtocolError):
            pass
        if self._lost is None:
            self._lost = ConnectionLost("the connection was closed here", 1000)
        self._sock.close()


# --- what went wrong, in sentences ------------------------------------------------------------


def _positive(deadline: Deadline) -> float:
    return max(deadline.bounded(3600.0), 0.001)


def _texts(headers: Iterable[Tuple[bytes, bytes]]) -> Dict[str, str]:
    """Headers by their names in lower case."""
    return {
        bytes(name).decode("latin-1").lower(): bytes(value).decode("latin-1")
        for name, value in headers
    }


def _major(version: str) -> str:
    return version.partition(".")[0]


def _connect(
    address: Address, context: Optional[ssl.SSLContext], deadline: Deadline
) -> socket.socket:
    try:
        sock = socket.create_connection((address.host, address.port), _positive(deadline))
    except (OSError, UnicodeError) as error:
        raise _unreachable(address, error) from None
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            sock.settimeout(_positive(deadline))
            return context.wrap_socket(sock, server_hostname=address.host)
        return sock
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            raise _not_opened(address, error) from None
        raise


#: By errno, on Windows by that of Winsock.
_UNREACHABLE = {
    **dict.fromkeys(
        (errno.ETIMEDOUT, 10060),
        "nothing answers there; check the address, and whether a firewall blocks it",
    ),
    **dict.fromkeys(
        (errno.EHOSTUNREACH, errno.ENETUNREACH, 10065, 10051),
        "this machine has no route to that address; check the address and the network",
    ),
    **dict.fromkeys(
        (errno.ECONNREFUSED, 10061),
        "nothing listens there; start opcws, or check the port (listen.port), and listen.host if "
        "opcws runs on another machine",
    ),
}


def _unreachable(address: Address, error: Exception) -> ConnectError:
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return ConnectError(
            "%sthe host name %s is not known; check how it is spelt, or write its IP address"
            % (address.cannot, address.host)
        )
    code = errno.ETIMEDOUT if isinstance(error, socket.timeout) else getattr(error, "errno", None)
    return ConnectError(address.cannot + (_UNREACHABLE.get(code or 0) or _why(error)))


def _not_opened(address: Address, error: OSError) -> ConnectError:
    """TLS failed, or the connection broke during the opening handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = _VERIFICATION.get(error.verify_code)
        if advice is None:
            return NotTrusted(
                "%sits certificate is not good: %s" % (address.cannot, error.verify_message)
            )
        lacks = "authority" if error.verify_code in _UNKNOWN_ISSUER else ""
        return NotTrusted(address.cannot + advice.replace("HOST", address.host), lacks)
    if isinstance(error, ssl.SSLError):
        text = str(error).upper().replace(" ", "_")
        if "WRONG_VERSION" in text or "RECORD_LAYER" in text or "HTTP_REQUEST" in text:
            return ConnectError(
                address.cannot + "there is no TLS at this port; write ws:// instead of wss://"
            )
        if "CERTIFICATE_REQUIRED" in text or "HANDSHAKE_FAILURE" in text or "ALERT" in text:
            return NotTrusted(
                "%sit does not accept this TLS connection (%s); if it asks clients for "
                "certificates, give one that it trusts" % (address.cannot, short(error).lower()),
                "certificate",
            )
        return ConnectError("%sTLS failed: %s" % (address.cannot, short(error).lower()))
    if isinstance(error, socket.timeout):
        return ConnectError(
            address.cannot
            + "it accepted the connection but did not answer in time; is it opcws, and does it "
            "speak TLS?"
        )
    return _no_websocket(address, heard=False)


_NOT_TRUSTED = (
    "its certificate %s, so it is not trusted; give the file of the certificate or of its authority"
)
_OTHER_HOST = (
    "its certificate is not for HOST; write the address with a name that is in the certificate"
)
_SELF_SIGNED, _UNKNOWN_ISSUER = (18, 19), (18, 19, 20, 21)
#: By OpenSSL's X509_V_ERR codes; its texts differ from release to release.
_VERIFICATION = {
    9: "its certificate is not valid yet; compare the clocks of both machines",
    10: "its certificate has expired; it needs a new one, and this machine the right time",
    **dict.fromkeys(_UNKNOWN_ISSUER, _NOT_TRUSTED % "is from an authority that is not known"),
    **dict.fromkeys(_SELF_SIGNED, _NOT_TRUSTED % "is self-signed"),
    **dict.fromkeys((62, 64), _OTHER_HOST),
}


def _rejected(address: Address, event: events.RejectConnection, body: bytes) -> ConnectError:
    """The error for an answer to the opening handshake other than 101."""
    status = event.status_code
    headers = _texts(event.headers)
    where = address.cannot
    text = body[:MAX_BODY_BYTES].decode("utf-8", "replace").strip().split("\n")[0]
    plain = headers.get("content-type", "").startswith("text/plain")
    said = " ".join(text.split())[:300] if plain else ""
    if status in (401, 403):
        return NotAllowed(where + (said or "it answers %d" % status), status)
    if status in (429, 503):
        after = headers.get("retry-after", "")
        seconds = float(after) if after.isdecimal() and len(after) < 6 else 0.0
        return Busy(where + (said or "it is too busy (%d)" % status), seconds)
    if status in (301, 302, 303, 307, 308):
        target = "".join(each for each in headers.get("location", "") if each.isprintable())
        return ConnectError(where + "it is at another address: connect to %s" % (target or "?"))
    if status == 404 or 200 <= status < 300:
        return ConnectError(
            where + "a web server is there, but no opcws at this path; check port and path"
        )
    if status == 407 or status >= 500:
        return ConnectError(
            where + "a proxy or server in between answers %d; does opcws run behind it?" % status
        )
    return ConnectError(where + "it answers %d%s" % (status, ": " + said if said else ""))


def _no_websocket(address: Address, heard: bool) -> ConnectError:
    return ConnectError(
        "%sthe program there %s, so it is not opcws; check the port (it must not be that of an "
        "OPC UA server, often 4840%s)"
        % (
            address.cannot,
            "does not speak HTTP" if heard else "closes the connection without an answer",
            "" if address.secure else "; wss:// if it speaks TLS",
        )
    )


def _why(error: Exception) -> str:
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return "the other side reset it"
    return socket_errors.text(error) if isinstance(error, OSError) else str(error)
