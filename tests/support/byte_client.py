"""Bytes on a socket that no WebSocket library sends: the misbehaving clients of the tests."""

import contextlib
import os
import socket
import struct
import threading
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from opcws.app import Server

from .. import support
from . import PATIENCE

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 1.3


class Answer(NamedTuple):
    """An HTTP response; header names in lower case."""

    status: int
    headers: Dict[str, str]
    body: bytes


class Frame(NamedTuple):
    opcode: int
    payload: bytes
    final: bool = True

    @property
    def code(self) -> int:
        """The code of a close frame."""
        assert self.opcode == CLOSE, self
        return int(struct.unpack("!H", self.payload[:2])[0])


@contextlib.contextmanager
def serving(plant: str = "", **listen: Any) -> Iterator[Server]:
    """opcws with these ``listen`` settings; its *plant* is unreachable unless given."""
    others = set(support.our_threads())
    running = support.serve(plant or "opc.tcp://127.0.0.1:%d" % support.free_port(), listen=listen)
    try:
        if plant:
            support.wait_connected(running)
        yield running
    finally:
        running.stop()
        no_more_threads_than(others)


def no_more_threads_than(others: Set[str]) -> None:
    """Wait until only the threads *others* of another server are left."""
    support.wait_until(lambda: others.issuperset(support.our_threads()), "its threads ended")


def opening(
    path: str = "/", method: str = "GET", version: str = "HTTP/1.1", **headers: Optional[str]
) -> bytes:
    """An opening handshake (RFC 6455 4.1); a header with ``None`` is omitted, and
    ``Sec_WebSocket_Key`` stands for ``Sec-WebSocket-Key``."""
    sent: Dict[str, Optional[str]] = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    sent.update((name.replace("_", "-"), value) for name, value in headers.items())
    lines = ["%s %s %s" % (method, path, version)]
    lines += ["%s: %s" % header for header in sent.items() if header[1] is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def frame(
    opcode: int, payload: bytes = b"", final: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """One frame as a client sends it (RFC 6455 5.2)."""
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", mask_bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", mask_bit | 127, len(payload))
    return head + (masking(payload) if masked else payload)


def masking(payload: bytes) -> bytes:
    """A masking key and the masked *payload*."""
    key = os.urandom(4)
    repeated = key * (len(payload) // 4 + 1)
    size = len(payload)
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[:size], "big")
    return key + mixed.to_bytes(size, "big")


class ByteClient:
    """A TCP connection to *address*, from the address *source* if one is given."""

    def __init__(self, address: Tuple[str, int], source: str = "") -> None:
        bound = (source, 0) if source else None
        self.sock = socket.create_connection(address, PATIENCE, bound)
        self._buffer = b""

    def __enter__(self) -> "ByteClient":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def frame(self, *args: Any, **options: Any) -> None:
        self.send(frame(*args, **options))

    def _more(self) -> bool:
        data = self.sock.recv(65536)
        self._buffer += data
        return bool(data)

    def hears(self, seconds: float) -> bool:
        """Whether the server sends something, or ends the stream, within *seconds*."""
        self.sock.settimeout(seconds)
        try:
            self._more()
        except socket.timeout:
            return False
        finally:
            self.sock.settimeout(PATIENCE)
        return True

    def rest(self) -> bytes:
        """Everything until the server ends the stream, which must not be a reset."""
        while self._more():
            pass
        data, self._buffer = self._buffer, b""
        return data

    def head(self) -> Tuple[int, Dict[str, str]]:
        """The status line and headers of the response."""
        while b"\r\n\r\n" not in self._buffer:
            assert self._more(), "closed after %r" % self._buffer
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        assert status.startswith("HTTP/1.1 "), status
        pairs = [line.split(": ", 1) for line in lines]
        return int(status.split()[1]), {name.lower(): value for name, value in pairs}

    def answer(self) -> Answer:
        """The response, after which the server must close."""
        status, headers = self.head()
        return Answer(status, headers, self.rest())

    def _take(self, size: int) -> bytes:
        if len(self._buffer) < size:
            parts = [self._buffer]  # joined once: a frame may have many MB
            missing = size - len(self._buffer)
            while missing > 0:
                parts.append(self.sock.recv(65536))
                assert parts[-1], "closed in a frame"
                missing -= len(parts[-1])
            self._buffer = b"".join(parts)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def receive(self) -> Optional[Frame]:
        """The next frame; ``None`` at the clean end of the stream."""
        if not self._buffer and not self._more():
            return None
        first, size = self._take(2)
        assert not first & 0x70 and not size & 0x80, "a server's frame has neither"
        if size == 126:
            size = int(struct.unpack("!H", self._take(2))[0])
        elif size == 127:
            size = int(struct.unpack("!Q", self._take(8))[0])
        return Frame(first & 0x0F, self._take(size), bool(first & 0x80))

    def next(self, opcode: int) -> Frame:
        """The next frame, which must be of this kind; the server may ping before it."""
        found = self.receive()
        while found is not None and found.opcode == PING != opcode:
            found = self.receive()
        assert found is not None and found.opcode == opcode, found
        return found

    def until_close(self) -> Tuple[List[Frame], Frame]:
        """(earlier frames, the close frame); after it the server must send nothing."""
        before: List[Frame] = []
        while True:
            found = self.receive()
            assert found is not None, "the stream ended without a close frame"
            if found.opcode == CLOSE:
                return before, found
            before.append(found)

    def closed_with(self) -> int:
        """Complete the closing handshake that the server starts; returns its code."""
        closing = self.until_close()[1]
        self.frame(CLOSE, closing.payload)
        assert self.rest() == b""
        return closing.code

    def vanish(self) -> None:
        """Leave with a reset, as after a crash of the machine."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def connect(server: Server, listener: int = 0, source: str = "") -> ByteClient:
    """A TCP connection to one of the *server*'s listeners, from the address *source*."""
    return ByteClient(server.listeners[listener].addresses[0], source)


def upgraded(
    server: Server, path: str = "/", source: str = "", **headers: Optional[str]
) -> ByteClient:
    """A connection after its opening handshake."""
    peer = connect(server, source=source)
    peer.send(opening(path, **headers))
    status, _headers = peer.head()
    assert status == 101
    return peer


def exchange(server: Server, data: bytes) -> Answer:
    """The response to *data*, which is no valid opening handshake."""
    with connect(server) as peer:
        peer.send(data)
        return peer.answer()


def connection_of(server: Server, sock: socket.socket) -> Any:
    """The *server*'s end of *sock*; ends of earlier clients may not be gone yet."""
    peer = "%s:%d" % sock.getsockname()
    (found,) = (each for each in server.listeners[0].connections() if each.peer == peer)
    return found


def narrow(server: Server, sock: socket.socket) -> Any:
    """The *server*'s end of *sock*, with so small a buffer from now on that a client that does not
    read soon blocks it."""
    connection = connection_of(server, sock)
    connection._transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    return connection


def no_connections_left(server: Server) -> None:
    support.wait_until(
        lambda: not any(listener.connections() for listener in server.listeners),
        "every connection of the server has ended",
    )


def connection_threads() -> List[str]:
    """Names of the present threads of connections."""
    return [each.name for each in threading.enumerate() if each.name.startswith("opcws-ws-")]
