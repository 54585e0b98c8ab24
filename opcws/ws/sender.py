"""What goes out to one client: its outbox, and the socket as far as it takes it now.

One sender at a time, whole frames only.  Whoever has put something into the outbox calls
:meth:`Sender.flush`, which sends directly if nobody else does and the socket takes it; what the
socket does not take is the writer's.  So a reply or an update costs one ``send`` and no thread
switch, and a client that takes nothing costs nobody else anything.

Rules:

* Nothing here blocks: the lock is tried, the socket does not wait.  Only the writer's methods
  wait for the lock, whose holder never waits.
* Who finds the lock held goes away; its holder looks into the outbox again after releasing it.
* With a thousand clients this is the one thing of ours that is done for each, every time: its
  objects are small and its calls few.

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

#: Bytes joined into one write.
WRITE_BYTES = 65536
#: Bytes that a client must take per ``send_timeout_s`` while more waits for it: 4.4 kbit/s with
#: the default of 30 s, which every line worth the name has.
LEAST_BYTES = 16384


class Sender:
    """Sends what *outbox* has on *transport*, for the client *name*; sets *work* when there is
    something left for the writer.

    ``busy_at`` is when a message was last sent that is no control frame (monotonic), ``broken``
    says that nothing will be sent any more.
    ``lock`` is held by the one who takes from the outbox and writes to the socket.
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
        # What a send left over; written under the lock, looked at by anyone.
        self._unsent: Optional[memoryview] = None
        # The frames that _unsent is the end of, to find where the next one begins.
        self._sending: Sequence[bytes] = ()
        # Bytes that the socket has taken; written under the lock.
        self._sent = 0

    # --- any thread -----------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether the socket must take something before anything else can be sent."""
        return self._unsent is not None

    def flush(self) -> None:
        """Send what the outbox has, as far as the socket takes it now."""
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
        """Send *updates* without queueing them; False if something must go out before them, or
        somebody is sending."""
        lock = self.lock
        if self._unsent is not None or not lock.acquire(False):
            return False
        try:
            # Not what was looked at before the lock was had.
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
        """Send *frames* in one piece; True if the socket took less."""
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
        """Send the rest of what was sent before; True if the socket took less."""
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
        # What is owed will never be taken; the reader may be waiting for that.
        self.outbox.close()
        self._transport.shut_down()

    # --- the writer's and, at the end, the reader's thread --------------------------------------

    def taken(self) -> int:
        """Bytes that have left this machine, as far as the system tells: its large buffers would
        hide a client that reads slowly, and one that reads nothing."""
        return self._sent - self._transport.unsent_bytes()

    def go_on(self) -> bool:
        """Send what was left over, now that the socket is ready; True if it took less."""
        with self.lock:
            blocked = self._send_some()
        self.flush()
        return blocked

    def send_last(self) -> None:
        """Send what the outbox has behind the frame that is half sent, as far as the socket takes
        it, instead of the frames that were to follow; those that TLS may have begun go out."""
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
        """Nothing is sent any more; close the socket."""
        with self.lock:
            self.broken = True
            self._transport.release()


class SendTimeout:
    """``listen.send_timeout_s`` of a client for which something waits since *now* (s), when it had
    *taken* so many bytes.

    While something waits for it, a client must take :data:`LEAST_BYTES`, or all there is, in that
    time.  One that trickles is as bad as one that takes nothing: it holds a full queue for hours.
    """

    def __init__(self, now: float, taken: int) -> None:
        self._since = now
        self._taken = taken

    def expired(self, now: float, taken: int, timeout_s: float) -> bool:
        """Whether it took too little, now that it has *taken* so many bytes."""
        if taken - self._taken >= LEAST_BYTES:
            self._since, self._taken = now, taken
        return now - self._since > timeout_s
