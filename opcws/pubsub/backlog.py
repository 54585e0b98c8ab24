"""Messages on their way to the broker, in order.

Rules:

* While the broker takes them messages wait in memory, :data:`MOST` or :data:`MOST_BYTES` at most.
* What there is no room for, and what comes while the broker is away, waits in the store; until
  that is empty everything goes there.  It is *late* then, and says so.
* What the store has no room for is dropped and counted: sequence numbers tell subscribers that it
  is missing, and of single values the next one does.
* While another collector publishes, what comes is left out: that one tells it.

Threads: any.
"""

import threading
from collections import deque
from typing import Callable, Deque, Optional, Sequence, Set

from .message import Message
from .store import Store

#: Messages, and bytes of them, that wait in memory at most.
MOST, MOST_BYTES = 10_000, 16 * 1024 * 1024


class Backlog:
    """*wake* is called, without the lock, when there is something to take."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        # Guards all below.
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
        """Send *messages*, after all that were put before."""
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
            # It waits for nothing, and is made again for a broker that comes back.
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
        """The next message to send, if there is one."""
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
        """What waits for the present broker waits in *store* from now on; ``None``: nothing
        does."""
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
        """The broker is there."""
        with self._lock:
            self._open = self._wanted = True

    def stand_by(self) -> None:
        """Another collector publishes until the broker is :meth:`opened`: what waits is dropped,
        and what comes is left out."""
        with self._lock:
            self._wanted = False
            self._dropped += len(self._queue)
            self._queue.clear()
            self._bytes = 0

    def closed(self, unconfirmed: Sequence[Message]) -> None:
        """The broker is away; of the messages *unconfirmed* nobody knows whether it has them."""
        with self._lock:
            self._open = False
            store = self._store
            # What waits in memory is older than what waits in the store: it came when there was
            # room.  What was sent behind messages of the store is newer.
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
        """Whether what is put now goes at once."""
        with self._lock:
            return self._open and (self._store is None or not self._store.waiting)

    @property
    def dropped(self) -> int:
        """Messages that were made and will not arrive."""
        store = self._store
        return self._dropped + (0 if store is None else store.dropped)

    @property
    def waiting(self) -> int:
        """Messages that wait."""
        store = self._store
        return len(self._queue) + (0 if store is None else store.waiting)

    @property
    def bytes(self) -> int:
        """Bytes of those on the disk."""
        store = self._store
        return 0 if store is None else store.bytes
