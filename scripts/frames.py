"""The part of WebSocket (RFC 6455) that the clients of the scripts need, thousands of which share a
thread.  They send with a masking key of zeros, which changes nothing."""

import socket
from typing import List, Optional, Tuple

OPENING = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: json\r\n\r\n"
).encode("ascii")
#: Opcodes (RFC 6455 5.2).
TEXT, PING, PONG = 1, 9, 10


def connect(port: int, timeout_s: Optional[float] = None) -> socket.socket:
    """A connection after its opening handshake.  Raises :exc:`OSError`."""
    sock = socket.create_connection(("127.0.0.1", port), timeout_s)
    sock.sendall(OPENING)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        more = sock.recv(1)
        if not more:
            break
        answer += more
    if not answer.startswith(b"HTTP/1.1 101 "):
        sock.close()
        raise ConnectionError("a client was refused: %r" % answer[:100])
    return sock


def frame(opcode: int, body: bytes) -> bytes:
    """A client's frame with *body*, of less than 64 KiB."""
    head = bytes([0x80 | opcode, 0x80 | len(body)])
    if len(body) > 125:
        head = bytes([0x80 | opcode, 0xFE]) + len(body).to_bytes(2, "big")
    return head + bytes(4) + body


def split(data: bytes) -> Tuple[List[Tuple[int, bytes]], bytes]:
    """Opcode and body of each complete frame of a server at the start of *data*; and the rest."""
    found: List[Tuple[int, bytes]] = []
    position = 0
    while len(data) >= position + 2:
        length, start = data[position + 1], position + 2
        if length >= 126:
            start += 2 if length == 126 else 8
            length = int.from_bytes(data[position + 2 : start], "big")
        if len(data) < start + length:
            break
        found.append((data[position] & 15, data[start : start + length]))
        position = start + length
    return found, data[position:]
