"""A TCP proxy that breaks things on purpose, byte by byte or OPC UA chunk by chunk.

It stands between opcws and a real OPC UA server.  Faults of bytes (delay, throttle, swallow, cut,
reset, inject) work for any protocol; a *rule* gets whole chunks (OPC 10000-6 6.7.2) and returns
what to send instead of each.  With security policy None the chunks are renumbered, so that a rule
can drop or add some and the channel stays valid.

Threads: one accepts, two serve each connection; everything public may be called from any.
"""

import contextlib
import socket
import struct
import threading
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Union

#: Ids of the binary encodings of messages (OPC 10000-6 annex A).
SERVICE_FAULT = 397
RESPONSES: Dict[str, int] = {
    "OpenSecureChannel": 449,
    "CreateSession": 464,
    "ActivateSession": 470,
    "CloseSession": 476,
    "Browse": 530,
    "TranslateBrowsePathsToNodeIds": 557,
    "Read": 634,
    "HistoryRead": 667,
    "Write": 676,
    "CreateMonitoredItems": 754,
    "DeleteMonitoredItems": 784,
    "CreateSubscription": 790,
    "Publish": 829,
    "Republish": 835,
    "DeleteSubscriptions": 850,
}
PUBLISH_REQUEST = 826

_HEAD = struct.Struct("<3ssI")


class Chunk:
    """A received chunk; ``data`` is all of it."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def kind(self) -> bytes:
        """``MSG``, ``OPN``, ``HEL``, ``ACK``..."""
        return self.data[:3]

    @property
    def body(self) -> int:
        """Where the sequence header ends; correct only without encryption."""
        position = 12
        if self.kind == b"OPN":
            for _ in range(3):
                (length,) = struct.unpack_from("<i", self.data, position)
                position += 4 + max(length, 0)
        else:
            position += 4
        return position + 8

    @property
    def type_id(self) -> int:
        """The message's type, -1 if it has none or this is not its first chunk."""
        if self.kind not in (b"MSG", b"OPN"):
            return -1
        body = self.body
        if self.data[body : body + 2] != b"\x01\x00":
            return -1
        return int.from_bytes(self.data[body + 2 : body + 4], "little")

    @property
    def sequence_number(self) -> int:
        (number,) = struct.unpack_from("<I", self.data, self.body - 8)
        return int(number)

    def numbered(self, number: int) -> "Chunk":
        """This chunk with another sequence number."""
        place = self.body - 8
        return Chunk(self.data[:place] + struct.pack("<I", number) + self.data[place + 4 :])

    def with_body(self, body: bytes, final: bytes = b"F") -> "Chunk":
        """A chunk for the same request with another *body*."""
        head = self.data[8 : self.body]
        return Chunk(_HEAD.pack(self.kind, final, 8 + len(head) + len(body)) + head + body)

    def fault(self, status: int) -> "Chunk":
        """A ServiceFault (OPC 10000-4 7.33) instead of this response."""
        head = self.data[self.body + 4 : self.body + 16]  # Timestamp and RequestHandle
        fault = struct.pack("<BBH", 1, 0, SERVICE_FAULT) + head + struct.pack("<I", status)
        return self.with_body(fault + b"\x00\xff\xff\xff\xff\x00\x00\x00")


#: What is sent instead of a chunk: chunks are numbered, bytes are sent unchanged.
Sent = Iterable[Union[Chunk, bytes]]
Rule = Callable[[Chunk, "Flow"], Sent]


class Flow:
    """One direction of one connection."""

    def __init__(self, proxy: "Proxy", number: int, source: Any, target: Any, down: bool) -> None:
        self.proxy = proxy
        #: Number of the connection, from 1.
        self.number = number
        self.down = down
        self.closed = threading.Event()
        self._source = source
        self.target = target
        # Guards the target's stream and _last: whole chunks only, in the order of their numbers.
        self._sending = threading.Lock()
        self._last: Optional[int] = None

    def send(self, sent: Sent) -> None:
        """Send to the target; everything that it no longer accepts is dropped."""
        with self._sending, contextlib.suppress(OSError):
            for each in sent:
                data = each if isinstance(each, bytes) else self._stamped(each)
                self.target.sendall(data)

    def _stamped(self, chunk: Chunk) -> bytes:
        if chunk.kind in (b"MSG", b"OPN", b"CLO") and self.proxy.numbering:
            self._last = chunk.sequence_number if self._last is None else self._last + 1
            return chunk.numbered(self._last).data
        return chunk.data

    def run(self) -> None:
        buffer = b""
        while not self.closed.is_set():
            try:
                data = self._source.recv(65536)
            except OSError:
                break
            if not data:
                break
            if self.proxy.swallowing:
                continue
            self._linger(len(data))
            buffer += data
            while len(buffer) >= 8:
                size = int.from_bytes(buffer[4:8], "little")
                if size < 8 or len(buffer) < size:
                    break
                chunk, buffer = Chunk(buffer[:size]), buffer[size:]
                rule = self.proxy.to_client if self.down else self.proxy.to_server
                self.send(rule(chunk, self) if rule is not None else (chunk,))
        for sock in (self._source, self.target):
            # No end of the stream may precede a reset.
            if not self.proxy.swallowing and not self.closed.is_set():
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _linger(self, size: int) -> None:
        pause = self.proxy.delay_s
        if self.proxy.bytes_per_s:
            pause += size / self.proxy.bytes_per_s
        if pause:
            self.closed.wait(pause)


class _Connection:
    def __init__(self, proxy: "Proxy", number: int, client: Any, server: Any) -> None:
        self.client, self.server = client, server
        self.down = Flow(proxy, number, server, client, True)
        self.up = Flow(proxy, number, client, server, False)
        self.threads = [
            threading.Thread(target=flow.run, name="proxy-%d" % number, daemon=True)
            for flow in (self.down, self.up)
        ]

    def close(self, reset: bool = False) -> None:
        for flow in (self.down, self.up):
            flow.closed.set()
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                if reset:
                    linger = struct.pack("ii", 1, 0)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                else:
                    sock.shutdown(socket.SHUT_RDWR)
            if not reset:
                sock.close()
        if reset:
            # A close while a thread waits in recv would send nothing until recv returns.
            for sock in (self.client, self.server):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RD)
            for thread in self.threads:
                thread.join(2.0)
            for sock in (self.client, self.server):
                sock.close()


class Proxy:
    """A proxy in front of the server that listens on *port* of this machine."""

    def __init__(self, port: int, numbering: bool = True) -> None:
        self._upstream = port
        #: Whether chunks are renumbered; impossible on a channel that signs them.
        self.numbering = numbering
        self.to_client: Optional[Rule] = None
        self.to_server: Optional[Rule] = None
        #: Delay of everything, in seconds.
        self.delay_s = 0.0
        #: 0 means no limit.
        self.bytes_per_s = 0.0
        #: Receive everything, but pass on nothing, not even an end: a half-open connection.
        self.swallowing = False
        #: End each new connection at once.
        self.refusing = False
        #: Number of connections so far.
        self.accepted = 0
        self._connections: List[_Connection] = []
        # Guards _connections.
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="proxy-accept", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        return "opc.tcp://127.0.0.1:%d" % self.port

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream), 2.0)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(self, self.accepted, client, server)
            with self._lock:
                self._connections.append(connection)
            for thread in connection.threads:
                thread.start()

    def _living(self) -> List[_Connection]:
        with self._lock:
            return list(self._connections)

    def inject(self, data: bytes) -> None:
        """Send *data* to every client, between two chunks."""
        for connection in self._living():
            connection.down.send([data])

    def cut(self, reset: bool = False) -> None:
        """End every connection, politely or with a reset (RST)."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close(reset)

    def reset(self) -> None:
        self.cut(reset=True)

    def heal(self) -> None:
        """Stop all faults; swallowed bytes stay lost."""
        self.refusing = False
        self.to_client = self.to_server = None
        self.delay_s = self.bytes_per_s = 0.0
        if self.swallowing:
            self.cut()
            self.swallowing = False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends accept() on Linux
        self._listener.close()
        self.cut()
        self._thread.join(2.0)


# --- rules ---------------------------------------------------------------------------------------


class Strike:
    """A rule that changes chunks for which *matches* holds: *times* of them (-1: for ever), after
    letting *after* pass, and of the rest only one in *every*; ``count`` is the number of changed
    ones."""

    def __init__(
        self,
        matches: Callable[[Chunk], bool],
        change: Callable[[Chunk], Sent],
        times: int = 1,
        after: int = 0,
        every: int = 1,
    ) -> None:
        self._matches, self._change = matches, change
        self._left, self._after, self._every = times, after, every
        self.count = 0

    @property
    def exhausted(self) -> bool:
        """Whether it has changed *times* chunks."""
        return self.count > 0 and self._left <= 0

    def __call__(self, chunk: Chunk, flow: Flow) -> Sent:
        if not self._left or not self._matches(chunk):
            return (chunk,)
        if self._after:
            self._after -= 1
            return (chunk,)
        self._after = self._every - 1
        self._left -= 1
        self.count += 1
        return self._change(chunk)


def response(*services: str) -> Callable[[Chunk], bool]:
    """Matches responses of *services*."""
    wanted = {RESPONSES[service] for service in services}
    return lambda chunk: chunk.type_id in wanted


def any_message(chunk: Chunk) -> bool:
    return chunk.kind == b"MSG"


def with_notifications(chunk: Chunk) -> bool:
    """Matches publish responses other than keep-alives."""
    if chunk.type_id != RESPONSES["Publish"]:
        return False
    position = chunk.body + 28 + 4  # response header, SubscriptionId
    (available,) = struct.unpack_from("<i", chunk.data, position)
    position += 4 + 4 * max(available, 0) + 1 + 4 + 8
    (count,) = struct.unpack_from("<i", chunk.data, position)
    return int(count) > 0


def dropped(_chunk: Chunk) -> Sent:
    return ()


def doubled(chunk: Chunk) -> Sent:
    """The same chunk twice, unchanged."""
    return (chunk, chunk.data)


def fault(status: int) -> Callable[[Chunk], Sent]:
    return lambda chunk: (chunk.fault(status),)


def skipping(chunk: Chunk) -> Sent:
    """The chunk with a sequence number that is too large by two."""
    return (chunk.numbered(chunk.sequence_number + 2).data,)


def last_byte_flipped(chunk: Chunk) -> Sent:
    """A wrong signature, on a signed channel."""
    return (chunk.data[:-1] + bytes([chunk.data[-1] ^ 1]),)


def said_to_have(size: int) -> Callable[[Chunk], Sent]:
    """A chunk whose header declares *size* bytes."""
    return lambda chunk: (chunk.data[:4] + struct.pack("<I", size) + chunk.data[8:],)


def bomb(size: int, most: int) -> Callable[[Chunk], Sent]:
    """*most* chunks of *size* bytes, each of which announces another one."""

    def chunks(chunk: Chunk) -> Iterator[Chunk]:
        piece = chunk.with_body(bytes(size), b"C")
        for _ in range(most):
            yield piece

    return chunks


def replaced(old: bytes, new: bytes) -> Rule:
    """Replaces *old* bytes with *new* ones of the same number, everywhere."""
    assert len(old) == len(new)

    def rule(chunk: Chunk, _flow: Flow) -> Sent:
        return (Chunk(chunk.data.replace(old, new)),)

    return rule


class PublishLimit:
    """Makes the server keep at most *most* publish requests: a rule for each direction.
    ``refused`` counts the requests answered with BadTooManyPublishRequests."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0
        self.refused = 0
        # Guards _waiting: both directions change it.
        self._lock = threading.Lock()

    def to_server(self, chunk: Chunk, flow: Flow) -> Sent:
        if chunk.type_id != PUBLISH_REQUEST:
            return (chunk,)
        with self._lock:
            refused = self._waiting >= self._most
            self._waiting += not refused
        if not refused:
            return (chunk,)
        self.refused += 1
        # The answer needs the RequestHandle of the request's header, after AuthenticationToken and
        # Timestamp; nothing reads it.
        answer = chunk.with_body(bytes(4 + 12)).fault(0x80780000)
        for each in flow.proxy._living():
            if each.up is flow:
                each.down.send([answer])
        return ()

    def to_client(self, chunk: Chunk, _flow: Flow) -> Sent:
        if chunk.type_id == RESPONSES["Publish"]:
            with self._lock:
                self._waiting -= 1
        return (chunk,)
