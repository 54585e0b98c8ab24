"""Messages on their way to the broker, in order.

Rules:

* While the broker is there a message waits in memory; more than :data:`MOST` or
  :data:`MOST_BYTES` do not.
* While it is away nothing waits: what cannot go is dropped and counted.  Sequence numbers tell
  subscribers that it is missing, and all values are sent again when the broker is back.

Threads: any.
"""

import threading
from collections import deque
from typing import Callable, Deque, NamedTuple, Optional, Sequence

#: Messages, and bytes of them, that wait in memory at most.
MOST, MOST_BYTES = 10_000, 16 * 1024 * 1024


class Message(NamedTuple):
    """What is published: to which topic, whether the broker keeps it for those who come later
    (``retain``), and for how many seconds it keeps it for those who are away (0: for ever)."""

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int = 0


class Backlog:
    """*wake* is called, without the lock, when there is something to take."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        # Guards all below.
        self._lock = threading.Lock()
        self._queue: Deque[Message] = deque()
        self._bytes = 0
        self._open = False
        #: Messages that were dropped.
        self.dropped = 0

    def put(self, messages: Sequence[Message]) -> None:
        """Send *messages*, after all that were put before."""
        with self._lock:
            for message in messages:
                full = len(self._queue) >= MOST or self._bytes > MOST_BYTES
                if not self._open or full:
                    self.dropped += 1
                    continue
                self._queue.append(message)
                self._bytes += len(message.payload)
            some = bool(self._queue)
        if some:
            self._wake()

    def take(self) -> Optional[Message]:
        """The next message to send, if there is one."""
        with self._lock:
            if not self._queue:
                return None
            message = self._queue.popleft()
            self._bytes -= len(message.payload)
            return message

    def opened(self) -> None:
        """The broker is there."""
        with self._lock:
            self._open = True

    def closed(self, unconfirmed: Sequence[Message]) -> None:
        """The broker is away; of the messages *unconfirmed* nobody knows whether it has them."""
        with self._lock:
            self._open = False
            self.dropped += len(unconfirmed) + len(self._queue)
            self._queue.clear()
            self._bytes = 0

    @property
    def waiting(self) -> int:
        """Messages that wait."""
        return len(self._queue)
