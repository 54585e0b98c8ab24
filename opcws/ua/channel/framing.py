"""The library's framing and secure channel, with a receiver that ends when anything is wrong.

This module uses internals of the library (so its version is pinned exactly), and converts its
exceptions.

Everything unexpected (garbage, a gap in the sequence numbers, an unknown token) ends the
connection: OPC 10000-6 6.7.2.4 requires to close the channel, and a receiver that continued would
answer nobody.

A message that is only too large is dropped while it arrives, and the waiting call gets
BadResponseTooLarge, as from a server that respects the limit.
"""

import concurrent.futures
import logging
import os
import socket
import struct
import threading
import time
from typing import Any, Callable, Optional, Tuple

from opcua import ua
from opcua.client.ua_client import UASocketClient
from opcua.common.utils import Buffer
from opcua.ua.ua_binary import (
    header_from_binary,
    nodeid_to_binary,
    uatcp_to_binary,
)

from ...model import socket_errors, status_codes
from ...model.clock import utc_ticks
from ...model.deadline import Deadline
from ...model.errors import CodecError, PlantError
from ..encoding import service_bodies
from .secure_channel import SecureChannel

log = logging.getLogger(__name__)

#: The limits for messages of a server: sent in the Hello, and checked before anything is allocated.
MAX_CHUNK_BYTES = 256 * 1024
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_CHUNKS = 16384
#: A message that exceeds the limit so many times ends the connection, instead of being dropped.
MOST_DROPPED = 4
#: Bytes to receive at a time.
RECEIVE_BYTES = 65536

#: Seconds between two checks whether the socket was closed: on Windows a shutdown does not wake a
#: waiting thread.
SLICE_S: Optional[float] = 0.5 if os.name == "nt" else None

#: Most bytes before the parameters of a request.
HEADER_BYTES = 256
#: Chunk size that every peer accepts (OPC 10000-6 6.7.1).
MIN_CHUNK_BYTES = 8192
#: Most bytes of headers, padding and signature in a chunk.
_CHUNK_OVERHEAD_BYTES = 1024

# A four-byte NodeId of namespace 0, and the part of a RequestHeader after the authentication token.
_TYPE_ID = struct.Struct("<BBH")
_REQUEST_HEADER = struct.Struct("<qIIiIBBB")

_MESSAGE_TYPES = (b"MSG", b"OPN", b"CLO", b"ACK", b"ERR")


def plant_error(error: BaseException, doing: str = "") -> PlantError:
    """An exception of the library or the socket while *doing* something, as a PlantError."""
    if isinstance(error, PlantError):
        return error
    begin = doing and doing + ": "
    if isinstance(error, ua.UaStatusCodeError):
        return PlantError(begin + status_codes.reason(error.code), status_codes.name(error.code))
    if isinstance(error, (concurrent.futures.TimeoutError, TimeoutError, socket.timeout)):
        return PlantError(
            "%s: no answer in time" % doing if doing else "no answer in time", "BadTimeout"
        )
    if isinstance(error, (CodecError, struct.error, UnicodeDecodeError, ua.utils.NotEnoughData)):
        return PlantError("%sthe answer cannot be decoded: %s" % (begin, error), "BadDecodingError")
    said = socket_errors.text(error) if isinstance(error, OSError) else str(error)
    text = said or type(error).__name__
    return PlantError(begin + text, "BadCommunicationError")


#: Beginning of the reason if the peer sent something else.
NOT_OPC_UA = "the OPC UA server sent something that is not OPC UA"
#: Part of the reason if a message was too large.
TOO_LARGE = "a message of more than %d bytes or %d chunks" % (
    MOST_DROPPED * MAX_MESSAGE_BYTES,
    MOST_DROPPED * MAX_CHUNKS,
)
#: Prefix for the beginning of a dropped answer.
_DROPPED = service_bodies.service_fault(status_codes.code("BadResponseTooLarge"))


class Incoming:
    """The chunks of *sock*, with as few ``recv`` as possible."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""
        # Start of the next chunk in _data.
        self._position = 0

    def chunk(self) -> bytes:
        """The next whole chunk.  Raises ``ua.UaError`` if it is not a chunk."""
        self._receive(8)
        start = self._position
        size = int.from_bytes(self._data[start + 4 : start + 8], "little")
        if self._data[start : start + 3] not in _MESSAGE_TYPES or not 8 < size <= MAX_CHUNK_BYTES:
            raise ua.UaError("a chunk that begins with %r" % self._data[start : start + 8])
        self._receive(size)
        data, start = self._data, self._position
        if start + size == len(data):
            # Keep nothing of a large message: it would prevent the allocator from freeing the rest.
            self.forget()
            return data[start:]
        self._position = start + size
        return data[start : self._position]

    def forget(self) -> None:
        """Drop received bytes that were not used."""
        self._data, self._position = b"", 0

    def _receive(self, size: int) -> None:
        """Receive until *size* bytes are there."""
        missing = size - len(self._data) + self._position
        if missing <= 0:
            return
        left = self._data[self._position :]
        parts = [left] if left else []
        while missing > 0:
            try:
                part = self._sock.recv(RECEIVE_BYTES)
            except socket.timeout:
                continue
            except OSError as error:
                raise ua.utils.SocketClosedException(socket_errors.text(error)) from None
            if not part:
                raise ua.utils.SocketClosedException("the peer closed the connection")
            parts.append(part)
            missing -= len(part)
        self._data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._position = 0


class _Outgoing:
    """Sends on a *socket*; has the used methods of the library's ``SocketWrapper``."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def write(self, data: bytes) -> None:
        """Send all of it.  Raises :exc:`OSError`."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
            except socket.timeout:
                pass


class PlantSocket(UASocketClient):  # type: ignore[misc]
    """The library's framing, with a receiver that ends when anything is wrong."""

    def __init__(
        self, timeout: float, security_policy: Any, name: str, broken: Callable[[str], None]
    ) -> None:
        super().__init__(timeout, security_policy)
        self.security = security_policy
        self._connection = SecureChannel(security_policy)
        self._name = name
        self._broken = broken
        # Number of chunks and bytes of the incoming message.
        self._chunks = 0
        self._bytes = 0
        # The authentication token and its bytes.
        self._encoded_token: Tuple[Any, bytes] = (None, b"")
        #: Time of the last received byte, monotonic.
        self.heard_at = time.monotonic()
        #: Most bytes of a request that the server accepts; 0 means no limit.
        self.max_request_bytes = 0
        #: Whether the peer has closed the connection.
        self.hung_up = False
        # Set before the waiting calls are freed, and checked by each new one: a late call sees it.
        self._freed = False

    @property
    def receiving(self) -> bool:
        """Whether the receiver is alive."""
        return self._thread is not None and self._thread.is_alive()

    def limit_requests(self, limit_bytes: int) -> None:
        """The server accepts no request of more than *limit_bytes* (0: no limit)."""
        if limit_bytes:
            self.max_request_bytes = min(self.max_request_bytes or limit_bytes, limit_bytes)

    def attach(self, sock: socket.socket) -> None:
        """Start the receiver on a connected socket."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(SLICE_S)
        self._socket = _Outgoing(sock)
        self._incoming = Incoming(sock)
        # A daemon: it waits in recv until kill() shuts the socket down.
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        reason = "the connection was closed"
        try:
            while not self._do_stop:
                self._receive()
        except ua.utils.SocketClosedException:
            reason = "the OPC UA server closed the connection"
            self.hung_up = True
        except ua.UaStatusCodeError as error:
            reason = "the OPC UA server ended the connection: %s" % status_codes.name(error.code)
        except Exception as error:  # any error ends this generation
            reason = "%s: %s" % (NOT_OPC_UA, error or type(error).__name__)
            log.debug("%s: receiver stopped", self._name, exc_info=True)
        finally:
            self._connection.close()
            self._connection.forget_parts()
            self._incoming.forget()
            self._broken(reason)
            self.free_waiters()

    def send_hello(self, url: str, max_messagesize: int = 0, max_chunkcount: int = 0) -> Any:
        """Hello (OPC 10000-6 7.1.2.3) with the limits that :meth:`_receive` keeps."""
        hello = ua.Hello()
        hello.EndpointUrl = url
        hello.ReceiveBufferSize = hello.SendBufferSize = MAX_CHUNK_BYTES
        hello.MaxMessageSize = MAX_MESSAGE_BYTES
        hello.MaxChunkCount = MAX_CHUNKS
        acknowledged: "concurrent.futures.Future[Any]" = concurrent.futures.Future()
        self._callbackmap[0] = acknowledged
        self._socket.write(uatcp_to_binary(ua.MessageType.Hello, hello))
        self._free_late(0)
        answer = acknowledged.result(self.timeout)
        # The library uses SendBufferSize, the size of the server's chunks (OPC 10000-6 7.1.2.4).
        chunk_bytes = max(MIN_CHUNK_BYTES, min(answer.ReceiveBufferSize, MAX_CHUNK_BYTES))
        self._connection._max_chunk_size = chunk_bytes
        self.limit_requests(answer.MaxMessageSize)
        self.limit_requests(answer.MaxChunkCount * (chunk_bytes - _CHUNK_OVERHEAD_BYTES))
        return answer

    def set_channel(self, params: Any, request_type: Any, client_nonce: bytes) -> None:
        """Use the keys of an OpenSecureChannel response; only on the receiver."""
        self._connection.set_channel(params, request_type, client_nonce)

    def _receive(self) -> None:
        chunk = self._incoming.chunk()
        self._chunks += 1
        self._bytes += len(chunk)
        too_large = self._chunks > MAX_CHUNKS or self._bytes > MAX_MESSAGE_BYTES
        if too_large:
            self._drop()
        if chunk[3:4] != b"C":
            self._chunks = self._bytes = 0
        if self._connection.plain and chunk[:3] == b"MSG":
            whole = self._connection.unwrap(chunk)
            if whole is not None:
                self._answered(whole[0], Buffer(_DROPPED + whole[1] if too_large else whole[1]))
            return
        if chunk[:3] == b"ERR":  # its text may contain anything (OPC 10000-6 7.1.2.5)
            raise ua.UaStatusCodeError(int.from_bytes(chunk[8:12], "little"))
        data = Buffer(chunk)
        message = self._connection.receive_from_header_and_body(header_from_binary(data), data)
        if message is None:
            return
        self.heard_at = time.monotonic()
        if isinstance(message, ua.Message):
            body = message.body()
            if too_large:
                body = Buffer(_DROPPED + body.read(len(body)))
            self._answered(message.request_id(), body)
        elif isinstance(message, ua.Acknowledge):
            self._callbackmap.pop(0).set_result(message)
        else:
            raise ua.UaError("unexpected message %s" % type(message).__name__)

    def _drop(self) -> None:
        """Drop the incoming message, which is too large.  Raises ``ua.UaError`` if it does not
        end."""
        if (
            self._chunks > MOST_DROPPED * MAX_CHUNKS
            or self._bytes > MOST_DROPPED * MAX_MESSAGE_BYTES
        ):
            raise ua.UaError(TOO_LARGE)
        self._connection.drop_parts()

    def _answered(self, request_id: int, body: Any) -> None:
        self.heard_at = time.monotonic()
        # dict.pop is atomic: this thread must not take the lock of a sender, which may be stuck in
        # sendall.  An answer without a waiting call is dropped.
        answer = self._callbackmap.pop(request_id, None)
        if answer is not None:
            answer.set_result(body)

    def free_waiters(self) -> None:
        """Free all waiting calls, and later ones except those that end the session; from any
        thread."""
        self._freed = True
        while self._callbackmap:
            try:
                self._callbackmap.popitem()[1].cancel()
            except KeyError:  # another thread has freed the last one
                return

    def _free_late(self, request_id: int) -> None:
        """Free a call that came while the others were freed, perhaps by a receiver that has
        ended."""
        if self._freed:
            late = self._callbackmap.pop(request_id, None)
            if late is not None:
                late.cancel()

    def ask(
        self,
        request: Any,
        hint_ms: int,
        callback: Any = None,
        message_type: Any = ua.MessageType.SecureMessage,
    ) -> "concurrent.futures.Future[Any]":
        """Send one *request* made of the library's structures; the ``Future`` gets its answer."""
        answer: "concurrent.futures.Future[Any]" = self._send_request(
            request, callback, hint_ms, message_type
        )
        if self._freed:
            for request_id, each in list(self._callbackmap.items()):
                if each is answer:
                    self._free_late(request_id)
        return answer

    def send(self, type_id: int, parameters: bytes, hint_ms: int, answer: Any) -> int:
        """Send one request of the codec; *answer* gets ``set_result`` or ``cancel``.

        Returns the request's id, and leaves its RequestHandle with *answer*.  Follows
        ``_send_request`` of the library.  Raises :exc:`~opcws.model.errors.PlantError`
        BadRequestTooLarge, and then nothing was sent.
        """
        if self.max_request_bytes and len(parameters) + HEADER_BYTES > self.max_request_bytes:
            raise PlantError(
                "the request has %d bytes, the OPC UA server takes %d; ask for less at a time"
                % (len(parameters) + HEADER_BYTES, self.max_request_bytes),
                "BadRequestTooLarge",
            )
        with self._lock:
            self._request_handle += 1
            answer.request_handle = self._request_handle
            header = self._request_header(type_id, self._request_handle, hint_ms)
            self._request_id += 1
            request_id: int = self._request_id
            self._callbackmap[request_id] = answer
            if self._connection.next_security_token.TokenId != 0:
                self._connection.revolve_tokens()
            self._socket.write(self._connection.wrap(header + parameters, request_id))
        if self._freed:
            self._free_late(request_id)
        return request_id

    def _request_header(self, type_id: int, handle: int, hint_ms: int) -> bytes:
        """The header of every request (OPC 10000-4 7.33): no diagnostics, no audit entry, no
        additional header."""
        if self.authentication_token is not self._encoded_token[0]:
            token = self.authentication_token
            self._encoded_token = (token, nodeid_to_binary(token))
        ticks = utc_ticks()
        return b"".join(
            [
                _TYPE_ID.pack(1, 0, type_id),
                self._encoded_token[1],
                _REQUEST_HEADER.pack(ticks, handle, 0, -1, hint_ms, 0, 0, 0),
            ]
        )

    def drain(self, deadline: Deadline) -> None:
        """Send no more, and wait, after the end of the receiver, until the peer closes the
        connection.  Closing it now would make the peer's system drop unread data (RFC 1122
        4.2.2.13)."""
        sock = self._socket.socket
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(deadline.bounded(3600.0) or 0.001)
        while not deadline.expired and sock.recv(RECEIVE_BYTES):
            pass

    def forget(self, request_id: int) -> None:
        """Drop this answer when it comes."""
        self._callbackmap.pop(request_id, None)
