"""Takes text messages straight from the bytes of a client; passes on the rest to simple-websocket.

Nearly all frames of clients are text frames that are a whole message, complete in one ``recv``.
For these, the several dozen calls of wsproto cost more than everything else that a small request
needs.  Here they are cut out and decoded in a few steps.

Rules:

* Only plainly valid frames (RFC 6455 5.2) are taken here: text, final, no reserved bit, masked, the
  length in its shortest form, complete, between two messages, valid UTF-8.  Every byte of any other
  frame is passed on, so that only simple-websocket judges errors, and answers them, pings and close
  frames.
* Nothing is held back: an incomplete frame is passed on at once, and so is its rest when it comes.
* The order is kept: the reader looks at no later bytes until simple-websocket has processed the
  bytes that were passed on and asks for more.
* So the reader must know where frames begin, also those that are passed on.  After a wrong header
  it cannot; simple-websocket will end the connection, and gets all bytes that follow.

No socket, no thread, no lock: one reader uses it.
"""

from typing import Callable, List, Tuple, Union

_FIN = 0x80
_TEXT = _FIN | 0x1
_FIRST_CONTROL = 0x8
_MASKED = 0x80
_LENGTH16 = 126
_LENGTH64 = 127


class FrameReader:
    """Stands between *receive*, which returns bytes from the client, and simple-websocket.

    *take* gets lists of consecutive texts, of *max_bytes* at most each.
    """

    def __init__(
        self,
        receive: Callable[[int], bytes],
        take: Callable[[List[str]], None],
        max_bytes: int,
    ) -> None:
        self._receive = receive
        self._take = take
        self._max_bytes = max_bytes
        # Received bytes; those before _position are done.
        self._data = b""
        self._position = 0
        # Bytes still to come of the frame that is being passed on.
        self._to_come = 0
        # The incomplete header of a frame; it has been passed on.
        self._header = b""
        # The last frame that was passed on was not the last of its message.
        self._in_message = False
        # A header was wrong.
        self._lost = False

    def recv(self, size: int) -> bytes:
        """The next bytes for simple-websocket; ``b""`` at the end of the stream."""
        while True:
            if self._position >= len(self._data):
                self._data = self._receive(size)
                self._position = 0
                if not self._data:
                    return b""
            messages, start, self._position = self._cut(self._data, self._position)
            if messages:
                self._take(messages)
            if start < self._position:
                return self._data[start : self._position]

    def _cut(self, data: bytes, position: int) -> Tuple[List[str], int, int]:
        """The messages in *data* from *position* on, and the slice after them to pass on next; the
        slice is empty only at the end of *data*."""
        messages: List[str] = []
        end = len(data)
        if self._to_come or self._header or self._lost or self._in_message:
            return messages, position, self._pass_on(data, position)
        while position + 6 <= end and data[position] == _TEXT:
            length = data[position + 1] - _MASKED
            start = position + 6
            if length == _LENGTH16:
                start = position + 8
                length = data[position + 2] << 8 | data[position + 3]
                if length < _LENGTH16:
                    break
            elif length > _LENGTH16:
                break
            stop = start + length
            if length < 0 or stop > end or length > self._max_bytes:
                break
            try:
                messages.append(unmasked(data[start - 4 : start], data[start:stop]).decode("utf-8"))
            except UnicodeDecodeError:
                break
            position = stop
        return messages, position, self._pass_on(data, position)

    def _pass_on(self, data: bytes, position: int) -> int:
        """Where to stop passing on *data* from *position*: at the end of the frame or of *data*."""
        end = len(data)
        if self._lost or position == end:
            return end
        if not self._to_come:
            known = len(self._header)
            header = self._header + data[position : position + 14 - known]
            size = self._size(header)
            if self._lost:
                return end
            if not size:
                self._header = header
                return end
            self._header = b""
            self._to_come = size - known
        taken = min(self._to_come, end - position)
        self._to_come -= taken
        return position + taken

    def _size(self, header: bytes) -> int:
        """The size of the frame that *header* begins, in bytes; 0 if *header* is too short to
        tell."""
        if len(header) < 2:
            return 0
        first, second = header[0], header[1]
        opcode = first & 0x0F
        if not second & _MASKED:
            self._lost = True
            return 0
        length = second & 0x7F
        size = 6 + length
        if length >= _LENGTH16:
            digits = 2 if length == _LENGTH16 else 8
            if len(header) < 2 + digits:
                return 0
            size = 6 + digits + int.from_bytes(header[2 : 2 + digits], "big")
        if opcode < _FIRST_CONTROL:
            # simple-websocket judges continuations without a message, and messages within one.
            self._in_message = not first & _FIN
        return size


def unmasked(key: bytes, payload: bytes) -> bytes:
    """*payload* without its mask (RFC 6455 5.3)."""
    length = len(payload)
    mask = int.from_bytes((key * (length // 4 + 1))[:length], "little")
    return (int.from_bytes(payload, "little") ^ mask).to_bytes(length, "little")


def size_of(message: Union[str, bytes]) -> int:
    """The size of *message* as sent, in bytes."""
    return len(message.encode("utf-8") if isinstance(message, str) else message)
