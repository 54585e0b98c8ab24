"""Sends one client's messages from its outbox, as much as the socket takes now.

One sender at a time, whole frames only.  After putting something into the outbox, a thread calls
:meth:`Sender.flush`, which sends directly if no other thread does and the socket takes it; the
writer sends the rest.  So a reply or an update costs one ``send`` and no thread switch, and a
client that takes nothing delays no other.

Rules:

* Nothing here blocks: the lock is tried, the socket does not wait.  Only the writer's methods
  wait for the lock, whose holder never waits.
* A thread that finds the lock held leaves; the holder looks into the outbox again after releasing
  it.
* With a thousand clients, this code runs for each of them every time: its objects are small and
  its calls few.

Threads: "any thread" means the relays', the gateway's, the client's reader and writer.
"""

import logging
import threading
import time
from typing import List, Optional, Sequence

from ..gateway.outbox import Outbox, Update
from ..model.deadline import Deadline
from ..wire.frames import CLOSE
from .transport import Transport

log = logging.getLogger(__name__)

#: Bytes of frames that are joined into one write.
WRITE_BYTES = 65536
#: Bytes that a client must take per ``send_timeout_s`` while more waits for it: 4.4 kbit/s with
#: the default of 30 s, which any usable line can carry.
LEAST_BYTES = 16384


class Sender:
    """Sends messages of *outbox* on *transport*, for the client *name*; sets *work* when the writer
    must send the rest.

    ``busy_at`` is when a message other than a control frame was last sent (monotonic); ``broken``
    says that nothing can be sent any more.
    ``lock`` is held while a thread takes from the outbox and writes to the socket.
    """

    __slots__ = (
        "outbox",
        "busy_at",
        "broken",
        "lock",
        "_name",
        "_transport",
        "_work",
        "_unsent",
        "_sending",
        "_sent",
    )

    def __init__(
        self,
        transport: Transport,
        name: str,
        max_messages: int,
        max_bytes: int,
        max_replies: int,
        work: threading.Event,
    ) -> None:
        self.outbox = Outbox(max_messages, max_bytes, max_replies, self.flush, self.send_directly)
        self.busy_at = time.monotonic()
        self.broken = False
        self._name = name
        self._transport = transport
        self._work = work
        self.lock = threading.Lock()
        # The rest of an incomplete send; written under the lock, read by any thread.
        self._unsent: Optional[memoryview] = None
        # The frames that _unsent is the end of, to find where the next frame begins.
        self._sending: Sequence[bytes] = ()
        # Bytes that the socket has taken; written under the lock.
        self._sent = 0

    # --- any thread -----------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether the socket must take the rest of a send before anything else can be sent."""
        return self._unsent is not None

    def flush(self) -> None:
        """Send from the outbox as much as the socket takes now."""
        while self._unsent is None and self.outbox and not self.broken:
            if not self.lock.acquire(False):
                return
            try:
                blocked = self._send_some()
            finally:
                self.lock.release()
            if blocked:
                self._work.set()
                return

    def send_directly(self, updates: Sequence[Update]) -> bool:
        """Send *updates* without queueing them; False if something must be sent before them, or
        another thread is sending."""
        lock = self.lock
        if self._unsent is not None or not lock.acquire(False):
            return False
        try:
            # Check again under the lock.
            if self._unsent is not None:
                return False
            frames = self.outbox.pass_by(updates, WRITE_BYTES)
            if frames is None:
                return False
            blocked = bool(frames) and self._send(frames)
        finally:
            lock.release()
        if blocked:
            self._work.set()
        elif self.outbox.busy:
            self.flush()
        return True

    # --- under the lock -------------------------------------------------------------------------

    def _send_some(self) -> bool:
        """Send until the outbox is empty; True if the socket took less than everything."""
        if self._unsent is not None and self._send_unsent(self._unsent):
            return True
        while not self.broken:
            frames = self.outbox.take(WRITE_BYTES)
            if not frames:
                return False
            if self._send(frames):
                return True
        return False

    def _send(self, frames: List[bytes]) -> bool:
        """Send *frames* in one piece; True if the socket took less than all."""
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        try:
            sent = self._transport.write_some(data)
        except OSError as error:
            self._break(error)
            return False
        self._sent += sent
        if frames[-1][0] & 0x0F < CLOSE:
            self.busy_at = time.monotonic()
        if sent == len(data):
            return False
        self._unsent = memoryview(data)[sent:]
        self._sending = frames
        return True

    def _send_unsent(self, data: memoryview) -> bool:
        """Send the rest of the last send; True if the socket took less than all."""
        try:
            sent = self._transport.write_some(data)
        except OSError as error:
            self._break(error)
            return False
        self._sent += sent
        self._unsent = data[sent:] if sent < len(data) else None
        return self._unsent is not None

    def _break(self, error: OSError) -> None:
        log.debug("%s: sending: %s", self._name, error)
        self.broken = True
        self._unsent = None
        # The client will never take its replies; the reader may be waiting for that.
        self.outbox.close()
        self._transport.shut_down()

    # --- the writer's and, at the end, the reader's thread --------------------------------------

    def taken(self) -> int:
        """Bytes that have left this machine, if the system tells: its large buffers would hide a
        client that reads slowly or not at all."""
        return self._sent - self._transport.unsent_bytes()

    def go_on(self) -> bool:
        """Continue the last send, now that the socket is ready; True if it took less than all."""
        with self.lock:
            blocked = self._send_some()
        self.flush()
        return blocked

    def send_last(self) -> None:
        """Send the outbox after the half-sent frame, as much as the socket takes, and drop the
        frames in between, except those that TLS may have encrypted already."""
        with self.lock:
            if self._unsent is not None:
                left = len(self._unsent)
                for frame in reversed(self._sending):
                    if left <= len(frame) or self._transport.insists:
                        break
                    left -= len(frame)
                rest = bytes(self._unsent[:left])
                self._unsent = memoryview(rest + b"".join(self.outbox.take()))
                self._send_some()

    def end_tls(self, deadline: Deadline) -> None:
        """Send close_notify, unless something was left unsent."""
        with self.lock:
            if self._unsent is None and not self.broken:
                self._transport.end_tls(deadline)

    def release(self) -> None:
        """End all sending and close the socket."""
        with self.lock:
            self.broken = True
            self._transport.release()


class SendTimeout:
    """``listen.send_timeout_s`` of a client for which messages wait since *now* (s), when it had
    *taken* so many bytes.

    In that time a client must take :data:`LEAST_BYTES`, or all that waits.  A client that takes a
    trickle is as bad as one that takes nothing: it occupies a full queue for hours.
    """

    def __init__(self, now: float, taken: int) -> None:
        self._since = now
        self._taken = taken

    def expired(self, now: float, taken: int, timeout_s: float) -> bool:
        """Whether the client took too little; it has *taken* so many bytes by now."""
        if taken - self._taken >= LEAST_BYTES:
            self._since, self._taken = now, taken
        return now - self._since > timeout_s
