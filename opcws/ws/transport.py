"""The only code that calls a client's socket.

Rules:

* Only the reader's :meth:`Transport.recv` on a plain connection may block in the socket, and only
  on systems where a flag can make every other call return at once.  Otherwise the socket never
  blocks, and waiting is done with ``poll`` (``select`` on Windows) outside of any lock, so that a
  send and a receive never wait for each other.
* Only the holder of the connection's send lock writes.
* A TLS object is used under a lock: OpenSSL does not allow a read and a write at the same time.
  One call reads all records that bring no data (KeyUpdate, RFC 8446 4.6.3) for as long as they
  come; so a writer waits for the lock at most :data:`LOCK_S`, and ends the connection once a read
  has taken :data:`READ_S`.
* Our direction of TLS ends with close_notify (RFC 8446 6.1), unless something was left unsent: an
  incomplete message must not look complete.
* Only the reader's thread closes the file descriptor, at its end.  Any thread may shut down the
  socket, which wakes all threads that wait for it (within half a second on Windows).
"""

import select
import socket
import ssl
import struct
import sys
import threading
import time
from typing import Callable, Optional, Union

from ..model.deadline import Deadline
from .tls import PeerCertificate

if sys.platform == "linux":
    import fcntl
    import termios

Buffer = Union[bytes, memoryview]

#: The flag that makes one call on a blocking socket return at once; 0 where there is none.
_AT_ONCE: int = getattr(socket, "MSG_DONTWAIT", 0)
#: Bytes of the buffer that a reader holds while it is blocked, perhaps for hours.
_WAITING_BYTES = 4096
#: Seconds after which a thread in select() checks whether the socket was shut down: on Windows a
#: shutdown wakes no thread.
SLICE_S = 0.5
#: Seconds for which a writer waits for a reader; for which the end of TLS waits for a reader; and
#: which a read may take.
LOCK_S = 0.005
END_S = 1.0
READ_S = 5.0
#: The longest wait of poll(), in milliseconds.
_MAX_POLL_MS = 2**31 - 1


class Transport:
    """One accepted connection.  *heard_at* is when it last received anything (monotonic)."""

    __slots__ = (
        "heard_at",
        "received_bytes",
        "_sock",
        "_tls_lock",
        "_reading_since",
        "_secured",
        "_early",
        "_closed",
        "_shut",
    )

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(bool(_AT_ONCE))
        self._sock: socket.socket = sock
        # Guards the TLS object; None on a plain connection.
        self._tls_lock: Optional[threading.Lock] = None
        # When the present or last holder of the lock began to read (monotonic).
        self._reading_since = 0.0
        # The TLS handshake is done and close_notify not sent.
        self._secured = False
        self._early = b""
        self._closed = False
        self._shut = False
        self.heard_at = time.monotonic()
        #: Received bytes, without the overhead of TLS.
        self.received_bytes = 0

    def first_byte(self, deadline: Deadline) -> bytes:
        """The first byte from the peer, which stays in the socket; ``b""`` if the peer left.

        Raises :exc:`TimeoutError`.
        """
        while True:
            try:
                return self._sock.recv(1, socket.MSG_PEEK | _AT_ONCE)
            except (BlockingIOError, InterruptedError):
                if self._shut:
                    return b""
            except OSError:
                return b""
            if not self._wait(True, deadline.remaining()):
                raise TimeoutError("nothing arrived in time")

    def start_tls(
        self,
        context: ssl.SSLContext,
        deadline: Deadline,
        worked: Callable[[], None] = lambda: None,
    ) -> None:
        """Make the TLS handshake; *worked* is called after each step of it.

        Raises :exc:`OSError` (:exc:`ssl.SSLError`, :exc:`TimeoutError`).
        """
        self._sock.setblocking(False)  # TLS calls take no flag
        sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        self._sock = sock
        self._tls_lock = threading.Lock()
        while True:
            if self._shut:
                # Perhaps while wrap_socket() moved the socket to a new object.
                raise OSError("the connection was shut down")
            try:
                sock.do_handshake()
                self._secured = True
                return
            except ssl.SSLWantReadError:
                worked()
                ready = self._wait(True, deadline.remaining())
            except ssl.SSLWantWriteError:
                ready = self._wait(False, deadline.remaining())
            if not ready:
                raise TimeoutError("no TLS handshake in time")

    def peer_certificate(self) -> Optional[PeerCertificate]:
        """The client's verified certificate; ``None`` without TLS or if it showed none."""
        sock = self._sock
        if self._tls_lock is None or not isinstance(sock, ssl.SSLSocket):
            return None
        with self._tls_lock:
            data = sock.getpeercert(True)
            return PeerCertificate(dict(sock.getpeercert() or {}), data) if data else None

    # --- the reader's side ----------------------------------------------------------------------

    def unread(self, data: bytes) -> None:
        """Put back bytes that were received after the opening handshake."""
        self._early = data + self._early

    def recv(
        self,
        size: int,
        deadline: Optional[Deadline] = None,
        worked: Callable[[], None] = lambda: None,
    ) -> bytes:
        """Up to *size* bytes; ``b""`` at the end of the stream, whatever its cause.  *worked* is
        called when the received bytes brought no data.

        Raises :exc:`TimeoutError` at the deadline.
        """
        if self._early:
            data, self._early = self._early[:size], self._early[size:]
            return data
        while True:
            wait_to_read = True
            try:
                if self._tls_lock is None:
                    data = self._recv_plain(size, deadline is None)
                else:
                    with self._tls_lock:
                        self._reading_since = time.monotonic()
                        # After the end of TLS the socket would return unencrypted bytes.
                        data = self._sock.recv(size) if self._secured else b""
                self.heard_at = time.monotonic()
                self.received_bytes += len(data)
                return data
            except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
                if self._shut:
                    return b""
                worked()
            except ssl.SSLWantWriteError:
                if self._shut:
                    return b""
                wait_to_read = False
            except (OSError, ValueError):
                return b""
            if not self._wait(wait_to_read, None if deadline is None else deadline.remaining()):
                raise TimeoutError("nothing arrived in time")

    def _recv_plain(self, size: int, may_block: bool) -> bytes:
        if not may_block or not _AT_ONCE:
            return self._sock.recv(size, _AT_ONCE)
        data = self._sock.recv(_WAITING_BYTES)
        if len(data) == _WAITING_BYTES:
            try:
                data += self._sock.recv(size - _WAITING_BYTES, _AT_ONCE)
            except OSError:
                pass  # no more data now; the next call will find the end of the stream
        return data

    def drain(self, deadline: Deadline) -> None:
        """Receive and drop until the peer has shut its side down too (RFC 6455 7.1.1).

        Dropped bytes need not be decrypted: TLS may have ended, or never begun.
        """
        self._early = b""
        while not deadline.expired:
            try:
                if not socket.socket.recv(self._sock, 65536, _AT_ONCE):
                    return
            except (BlockingIOError, InterruptedError):
                if self._shut:
                    return
                self._wait(True, deadline.remaining())
            except (OSError, ValueError):
                return

    def release(self) -> None:
        """Close the file descriptor; only the reader's thread may, when no thread sends."""
        self._closed = True
        self._sock.close()

    # --- the sender's side, under the connection's send lock ------------------------------------

    def write_some(self, data: Buffer) -> int:
        """Send as much as the socket takes now, perhaps 0 bytes.  Raises :exc:`OSError`."""
        if self._closed:
            raise OSError("the connection is closed")
        try:
            if self._tls_lock is None:
                return self._sock.send(data, _AT_ONCE)
            if not self._tls_lock.acquire(timeout=LOCK_S):
                if time.monotonic() - self._reading_since > READ_S:
                    raise OSError("TLS brought no data for %g s" % READ_S)
                return 0
            try:
                return self._sock.send(data)
            finally:
                self._tls_lock.release()
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if self._shut:
                raise OSError("the connection was shut down") from None
            return 0

    @property
    def insists(self) -> bool:
        """Whether bytes that :meth:`write_some` was given but did not take must be given again,
        because TLS may have made records of them."""
        return self._tls_lock is not None

    def unsent_bytes(self) -> int:
        """Bytes that the system holds and the peer has not acknowledged; 0 if the system does not
        tell (Linux does, tcp(7) SIOCOUTQ)."""
        if sys.platform == "linux":
            try:
                answer = fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, bytes(4))
                return int(struct.unpack("i", answer)[0])
            except OSError:
                pass
        return 0

    def wait_writable(self, timeout: float) -> bool:
        return self._wait(False, timeout)

    def write_all(self, data: bytes, deadline: Deadline) -> None:
        """Send everything.  Raises :exc:`OSError` (:exc:`TimeoutError` at the deadline)."""
        rest = memoryview(data)
        while rest:
            sent = self.write_some(rest)
            rest = rest[sent:]
            if not sent and not self._wait(False, deadline.remaining()):
                raise TimeoutError("the client accepts no data")

    def shut_down_sending(self) -> None:
        self._shut_down(socket.SHUT_WR)

    def end_tls(self, deadline: Deadline) -> None:
        """Send close_notify, if there is TLS; nothing can be sent after it.

        The peer's is not waited for: the end of its stream is enough.
        """
        if self._tls_lock is None or not isinstance(self._sock, ssl.SSLSocket):
            return
        while True:
            unsent = False
            if not self._tls_lock.acquire(timeout=END_S):
                return
            try:
                if not self._secured:
                    return
                self._closed = True
                self._sock.unwrap()
            except ssl.SSLWantWriteError:
                unsent = not self._shut
            except (OSError, ValueError):
                pass  # sent (SSLWantReadError: the peer's has not come yet), or the peer left
            finally:
                self._tls_lock.release()
            if not unsent or not self._wait(False, deadline.remaining()):
                self._secured = False
                return

    # --- any thread -----------------------------------------------------------------------------

    def shut_down(self) -> None:
        """End both directions at once; frees all threads that wait for this socket."""
        self._shut = True
        self._shut_down(socket.SHUT_RDWR)

    def _shut_down(self, how: int) -> None:
        try:
            # Not SSLSocket.shutdown, which would take the TLS object from a reader.
            socket.socket.shutdown(self._sock, how)
        except (OSError, ValueError):
            pass  # the peer closed first

    def _wait(self, to_read: bool, timeout: Optional[float]) -> bool:
        """Whether the socket became ready within *timeout* seconds (``None``: no limit).

        A socket that was shut down or closed is ready: the next call finds that out.
        """
        try:
            if hasattr(select, "poll"):
                poll = select.poll()
                poll.register(self._sock, select.POLLIN if to_read else select.POLLOUT)
                if timeout is None:
                    return bool(poll.poll())
                return bool(poll.poll(min(int(max(0.0, timeout) * 1000) + 1, _MAX_POLL_MS)))
            readers, writers = ([self._sock], []) if to_read else ([], [self._sock])
            deadline = Deadline(timeout)
            while not self._shut:
                pause = deadline.bounded(SLICE_S)
                if any(select.select(readers, writers, readers or writers, pause)):
                    return True
                if deadline.expired:
                    return False
            return True
        except (OSError, ValueError):
            return True
