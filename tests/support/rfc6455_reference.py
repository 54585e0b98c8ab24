"""RFC 6455 again, as short as possible: an echo's answer to the bytes of a client.

The fuzzer compares the product with it.  If the RFC leaves the moment of an error open, it is that
of wsproto: a header is judged when its length is complete, a data frame at its first byte.
"""

import codecs
import struct
from typing import List, NamedTuple, Optional, Tuple, Union

from .byte_client import BINARY, CLOSE, PING, PONG, TEXT

NO_CODE = 1005
#: Close codes below 3000 that a client may send (RFC 6455 7.4.1 and its registry).  1014 is for
#: gateways to send to clients; wsproto does not know it, which RFC 6455 7.4.2 allows.
KNOWN = {1000, 1001, 1002, 1003, *range(1007, 1014)}


class Expected(NamedTuple):
    """The echoes in their order, the pongs, and the possible codes of the close frame: ``NO_CODE``
    for none in the frame, ``None`` for no frame, because the client ends before there is a reason.
    There are two if a message is too large and not UTF-8 either: which is noticed first depends on
    the pieces in which it arrives."""

    echoes: List[Tuple[int, bytes]]
    pongs: List[bytes]
    codes: Tuple[Optional[int], ...]


class _Ended(Exception):
    """The connection ends here with one of these close codes, or ``None`` if the bytes end."""

    def __init__(self, *codes: Optional[int]) -> None:
        self.codes = codes


def expected(data: bytes, limit: int) -> Expected:
    """The answer to *data* of an echo of messages of up to *limit* bytes, until its end."""
    found = Expected([], [], ())
    try:
        _Client(data, limit, found).run()
    except _Ended as ended:
        return found._replace(codes=ended.codes)
    raise AssertionError("bytes never end by themselves")


class _Client:
    def __init__(self, data: bytes, limit: int, found: Expected) -> None:
        self._data = data
        self._limit = limit
        self._found = found
        self._opcode = 0
        self._message = b""
        self._decoder: Optional[codecs.IncrementalDecoder] = None
        self._characters = 0

    def _take(self, size: int) -> bytes:
        if len(self._data) < size:
            raise _Ended(None)
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def run(self) -> None:
        while True:
            first, second = self._take(2)
            final, opcode, size = bool(first & 0x80), first & 0x0F, second & 0x7F
            _demand(opcode in (0, TEXT, BINARY, CLOSE, PING, PONG))
            _demand(opcode < CLOSE or (final and size <= 125))
            if size > 125:
                width, least = ("!H", 126) if size == 126 else ("!Q", 65536)
                (size,) = struct.unpack(width, self._take(struct.calcsize(width)))
                _demand(least <= size < 1 << 63)
            _demand(not first & 0x70)
            _demand(bool(second & 0x80))
            key = self._take(4)
            if opcode >= CLOSE:
                self._control(opcode, _unmasked(key, self._take(size)))
            else:
                self._part(opcode, _unmasked(key, self._data[:size]), size, final)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._found.pongs.append(payload)
        elif opcode == CLOSE:
            if not payload:
                raise _Ended(NO_CODE)
            _demand(len(payload) > 1)
            (code,) = struct.unpack("!H", payload[:2])
            _demand(code in KNOWN or 3000 <= code <= 4999)
            _decoded(codecs.getincrementaldecoder("utf-8")(), payload[2:], True)
            raise _Ended(code)

    def _part(self, opcode: int, there: bytes, size: int, final: bool) -> None:
        """A data frame of *size* bytes, of which *there* have arrived."""
        if size and not there:
            raise _Ended(None)
        _demand(bool(opcode) != bool(self._opcode))
        if opcode:
            self._opcode, self._message, self._characters = opcode, b"", 0
            self._decoder = codecs.getincrementaldecoder("utf-8")() if opcode == TEXT else None
        whole = len(there) == size
        counted: Union[str, bytes] = there
        if self._decoder is not None:
            too_large = len(self._message) + len(there) > self._limit
            counted = _decoded(self._decoder, there, final and whole, too_large)
        self._message += there
        self._characters += len(counted)
        if self._characters > self._limit:
            raise _Ended(1009)
        self._take(size)
        if final:
            if len(self._message) > self._limit:
                raise _Ended(1009)
            self._found.echoes.append((self._opcode, self._message))
            self._opcode, self._decoder = 0, None


def _demand(fulfilled: bool) -> None:
    if not fulfilled:
        raise _Ended(1002)


def _decoded(
    decoder: codecs.IncrementalDecoder, data: bytes, final: bool, too_large: bool = False
) -> str:
    try:
        return str(decoder.decode(data, final))
    except UnicodeDecodeError:
        raise _Ended(1007, *([1009] if too_large else [])) from None


def _unmasked(key: bytes, data: bytes) -> bytes:
    return bytes(byte ^ key[place % 4] for place, byte in enumerate(data))
