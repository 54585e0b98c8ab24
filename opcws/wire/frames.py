"""Text as a ready server frame (RFC 6455 5.2), shared by everyone who gets it.

Server frames are not masked (5.1), so one ``bytes`` object serves any number of clients.
Nothing is fragmented: the whole message is in memory before it is sent anyway.
"""

import struct

CLOSE = 0x8
PING = 0x9
PONG = 0xA

_FIN = 0x80
_TEXT = _FIN | 0x1
_LENGTH16 = struct.Struct("!BBH")
_LENGTH64 = struct.Struct("!BBQ")


def text_frame(text: str) -> bytes:
    """A final text frame.  *text* must be encodable; everything that opcws writes is, because it
    escapes non-ASCII characters."""
    payload = text.encode("utf-8")
    length = len(payload)
    if length < len(_HEADS):
        return _HEADS[length] + payload
    return _head(length) + payload


def _head(length: int) -> bytes:
    if length < 126:
        return bytes((_TEXT, length))
    if length < 65536:
        return _LENGTH16.pack(_TEXT, 126, length)
    return _LENGTH64.pack(_TEXT, 127, length)


#: The heads for the usual lengths.
_HEADS = [_head(length) for length in range(1024)]


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    """A control frame; *payload* has at most 125 bytes (RFC 6455 5.5), else :exc:`ValueError`."""
    if len(payload) > 125:
        raise ValueError("a control frame carries at most 125 bytes, not %d" % len(payload))
    return bytes((_FIN | opcode, len(payload))) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame (RFC 6455 5.5.1); a *reason* that is too long is cut between characters."""
    cut = reason.encode("utf-8")[:123].decode("utf-8", "ignore").encode("utf-8")
    return control_frame(CLOSE, struct.pack("!H", code) + cut)
