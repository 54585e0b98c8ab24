"""Text messages straight from the bytes of a client; all else goes on to simple-websocket.

Nearly all that a client sends is text frames that are a message each, whole in what one ``recv``
brought, and for these wsproto's way of several dozen calls costs more than everything else that
a small request needs.  Here they are cut out and decoded in a few steps.

Rules:

* What is taken here is a frame that RFC 6455 5.2 leaves nothing to say about: text, final, no
  reserved bit, masked, its length in the shortest form, all of it there, between two messages,
  valid UTF-8.  Of anything else every byte is passed on, so that there is one judge of what is
  wrong and one place that answers it, pings and close frames.
* Nothing is held back: what is not whole is passed on at once, and so is its rest when it comes.
* The order is kept: bytes are passed on alone, and nothing behind them is looked at before
  simple-websocket has dealt with them and asks for more.
* So it must be known where frames begin, also of those that are passed on.  Once a header is
  wrong that is not known any more; the judge will end the connection, and gets all that follows.

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
    """Stands between *receive*, which brings what a client sends, and simple-websocket.

    *take* gets the texts that came one behind another, of *max_bytes* at most each.
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
        # Received, and cut up to _position.
        self._data = b""
        self._position = 0
        # Bytes of the frame that is being passed on which are still to come.
        self._to_come = 0
        # The beginning of a frame whose header is not whole; it has been passed on.
        self._header = b""
        # The frames of a message are being passed on, and its last was not among them.
        self._in_message = False
        # A header was wrong.
        self._lost = False

    def recv(self, size: int) -> bytes:
        """For simple-websocket: what it has to look at; ``b""`` at the end of the stream."""
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
        """The messages that *data* has from *position* on, and the slice behind them that is to
        be passed on before anything else is; it is empty only at the end of *data*."""
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
        """Where what is passed on of *data*, from *position*, ends: with the frame, if it does."""
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
        """The bytes of the frame that *header* begins; 0 if it does not tell yet."""
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
            # Continuations without a message, and messages within one, are the judge's.
            self._in_message = not first & _FIN
        return size


def unmasked(key: bytes, payload: bytes) -> bytes:
    """*payload* without its mask (RFC 6455 5.3)."""
    length = len(payload)
    mask = int.from_bytes((key * (length // 4 + 1))[:length], "little")
    return (int.from_bytes(payload, "little") ^ mask).to_bytes(length, "little")


def size_of(message: Union[str, bytes]) -> int:
    """The bytes that *message* had on its way."""
    return len(message.encode("utf-8") if isinstance(message, str) else message)
