"""Messages on their way to the broker, in order.

Rules:

* While the broker takes them, messages wait in memory, at most :data:`MOST` or :data:`MOST_BYTES`.
* Beyond that, and while the broker is not connected, messages go to the store, and so do all later
  ones until the store is empty.  They are marked as *late*.
* Messages for which the store has no room are dropped and counted: subscribers see a gap in the
  sequence numbers; of single values, the next one is marked.
* While another collector publishes, messages are dropped: the other one sends the values.

Threads: any.
"""

import threading
from collections import deque
from typing import Callable, Deque, Optional, Sequence, Set

from .message import Message
from .store import Store

#: Most messages that wait in memory, and their most bytes.
MOST, MOST_BYTES = 10_000, 16 * 1024 * 1024


class Backlog:
    """*wake* is called, without the lock, when there are messages to take."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        # Guards everything below.
        self._lock = threading.Lock()
        self._queue: Deque[Message] = deque()
        self._bytes = 0
        self._open = False
        self._wanted = True
        self._store: Optional[Store] = None
        self._dropped = 0
        # Topics of single values that were dropped.
        self._lost: Set[str] = set()
        #: Why messages cannot be stored.
        self.failure: Optional[str] = None

    def put(self, messages: Sequence[Message]) -> None:
        """Send *messages* after all earlier ones."""
        with self._lock:
            for message in messages:
                self._put(message)
            some = self._open
        if some:
            self._wake()

    def _put(self, message: Message) -> None:
        if not self._wanted:
            return
        if message.passing:
            # Dropped while the broker is not connected; a new one is made when it is.
            if self._open:
                self._append(message)
            return
        if message.topic in self._lost:
            self._lost.discard(message.topic)
            message = message.behind_a_loss()
        store = self._store
        full = len(self._queue) >= MOST or self._bytes > MOST_BYTES
        if not full and self._open and (store is None or not store.waiting):
            self._append(message)
        elif store is not None:
            self._keep(store, message.delayed())
        elif not full and not self._open:
            self._append(message.delayed())
        else:
            self._drop(message)

    def _append(self, message: Message) -> None:
        self._queue.append(message)
        self._bytes += len(message.payload)

    def _keep(self, store: Store, message: Message) -> None:
        try:
            store.append(message)
            self.failure = None
        except OSError as error:
            self.failure = (
                "messages for the broker, which is away, cannot be stored: %s; make room, or let "
                "opcws write to state_dir" % (error.strerror or error)
            )
            self._drop(message)
        self._lost |= store.lost_topics
        store.lost_topics.clear()

    def _drop(self, message: Message) -> None:
        self._dropped += 1
        self._lost.add(message.topic)

    def take(self) -> Optional[Message]:
        """The next message to send, if any."""
        with self._lock:
            if self._queue:
                message = self._queue.popleft()
                self._bytes -= len(message.payload)
                return message
            return None if self._store is None else self._store.read()

    def confirmed(self, message: Message) -> None:
        """The broker has *message*."""
        if message.token:
            with self._lock:
                if self._store is not None:
                    self._store.done(message.token)

    def use(self, store: Optional[Store]) -> None:
        """Store waiting messages in *store* from now on; with ``None`` none are stored."""
        with self._lock:
            if self._store is not None:
                self._dropped += self._store.dropped
                self._store.close()
            self._store = store
            if store is not None:
                while self._queue:
                    self._keep(store, self._queue.popleft().delayed())
                self._bytes = 0

    def opened(self) -> None:
        """The broker is connected."""
        with self._lock:
            self._open = self._wanted = True

    def stand_by(self) -> None:
        """Another collector publishes until :meth:`opened`: drop waiting messages and all later
        ones."""
        with self._lock:
            self._wanted = False
            self._dropped += len(self._queue)
            self._queue.clear()
            self._bytes = 0

    def closed(self, unconfirmed: Sequence[Message]) -> None:
        """The broker is not connected; it may or may not have the messages *unconfirmed*."""
        with self._lock:
            self._open = False
            store = self._store
            # Messages in memory are older than those in the store, which came when memory was full.
            # Messages that were sent after stored ones are newer.
            places = [place for place, each in enumerate(unconfirmed) if each.token]
            first = places[0] if places else len(unconfirmed)
            before, behind = list(unconfirmed[:first]), list(unconfirmed[first:])
            if store is not None and store.waiting:
                before += self._queue
            else:
                behind += self._queue
            if store is not None:
                store.rewind()
                if store.empty:
                    before, behind = [], before + behind
            else:
                before, behind = before + behind, []
            self._queue.clear()
            self._bytes = 0
            for message in before:
                if not message.token and not message.passing:
                    self._append(message.delayed())
            for message in behind:
                if store is not None and not message.token and not message.passing:
                    self._keep(store, message.delayed())

    @property
    def live(self) -> bool:
        """Whether a new message is sent at once."""
        with self._lock:
            return self._open and (self._store is None or not self._store.waiting)

    @property
    def dropped(self) -> int:
        """Number of dropped messages."""
        store = self._store
        return self._dropped + (0 if store is None else store.dropped)

    @property
    def waiting(self) -> int:
        """Number of waiting messages."""
        store = self._store
        return len(self._queue) + (0 if store is None else store.waiting)

    @property
    def bytes(self) -> int:
        """Bytes of the stored messages."""
        store = self._store
        return 0 if store is None else store.bytes
