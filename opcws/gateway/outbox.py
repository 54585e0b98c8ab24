"""The bounded outbound queue of one client.  It uses no socket.

Rules:

* Replies are never dropped.  Their number is bounded by the requests: a reader calls
  :meth:`Outbox.reserve` before it reads a request from the socket, and waits there while too many
  replies are owed, or too many bytes of them wait.  A reply is owed until it is taken for sending,
  so opcws stops reading from a client that sends requests but does not read.
* Updates beyond the bound collapse to the latest per subject (a monitor); its subject then renders
  the update again with the Overflow bit.
* Frames are taken in the order in which they were put, for each subject and for replies; updates
  that had to wait come after the frames queued before them.
* After :meth:`finish` no frame is added; the close frame is the last.

Threads: ``put_*`` and ``withdraw`` may be called from any; ``reserve`` from the client's reader;
``take`` and ``pass_by`` from the holder of the client's send lock.
"""

import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..wire.frames import CLOSE

#: Most pongs that wait for a client; only the latest pings are answered.
PONGS = 64


class Subject:
    """The subject of an update (a monitor): the key under which late updates collapse.

    ``active`` is cleared by :meth:`Outbox.withdraw`; after that no update of it is queued.
    """

    __slots__ = ("active",)

    def __init__(self) -> None:
        self.active = True

    def frame(self, update: Any) -> bytes:
        """The frame of *update* again."""
        raise NotImplementedError

    def flagged(self, update: Any) -> bytes:
        """The same with the Overflow bit."""
        raise NotImplementedError


#: Subject, frame, and the argument with which :meth:`Subject.frame` can make the frame again
#: (``None``: not possible).
Update = Tuple[Subject, bytes, Any]


class LargeReply:
    """A reply or several messages of about *size* bytes that *frame* makes when they are sent;
    until then only its data is in memory."""

    __slots__ = ("_size", "frame")

    def __init__(self, size: int, frame: Callable[[], bytes]) -> None:
        self._size = size
        self.frame = frame

    def __len__(self) -> int:
        return self._size


class _Waiting(NamedTuple):
    """The latest update of a subject that found the queue full; *lost* says that it replaced
    another one.  It has no frame if that can be made again, so that the common data of many waiting
    subjects is in memory only once."""

    frame: Optional[bytes]
    size: int
    again: Any
    lost: bool


class Depth(NamedTuple):
    """What waits for a client: queued frames and their bytes, updates that wait because the queue
    is full, and owed replies."""

    queued: int
    queued_bytes: int
    waiting: int
    owed: int


class Outbox:
    """*max_messages* and *max_bytes* bound the queued updates, *max_replies* and *max_bytes* the
    replies owed: beyond either bound no more requests are accepted.

    A thread that has put a frame to be sent now calls *wake*.  *send* sends updates past the queue
    with :meth:`pass_by`, or returns False.  Neither may block.
    """

    # Slots, because every round of a relay reads this for each client.
    __slots__ = (
        *("wake", "busy", "collapsed", "dropped", "taken", "stalls", "full_messages", "full_bytes"),
        *("_send", "_max_messages", "_max_bytes", "_max_replies", "_lock", "_room", "_closed"),
        *("_queue", "queued_bytes", "_waiting", "_pongs", "_finish", "_last", "_taking"),
        *("_owed", "_asked", "_reply_bytes", "_alone", "__weakref__"),
    )

    def __init__(
        self,
        max_messages: int,
        max_bytes: int,
        max_replies: int,
        wake: Callable[[], None],
        send: Callable[[Sequence[Update]], bool] = lambda updates: False,
    ) -> None:
        self.wake = wake
        self._send = send
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._max_replies = max_replies
        # Guards everything below; held for a few operations on the queues, never during sending or
        # rendering.
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        # (frame, is a reply), oldest first.
        self._queue: Deque[Tuple[Union[bytes, LargeReply], bool]] = deque()
        #: Waiting frames and bytes; any thread may read them.
        self.queued_bytes = 0
        # Updates that found the queue full.
        self._waiting: Dict[Subject, _Waiting] = {}
        self._pongs: Deque[bytes] = deque(maxlen=PONGS)
        self._finish: Optional[bytes] = None
        # The close frame until it is taken.
        self._last: Optional[bytes] = None
        # Number of replies from reserve until they are taken, and of these, not put yet.
        self._owed = 0
        self._asked = 0
        self._reply_bytes = 0
        # Whether the request in flight must be the only one.
        self._alone = False
        # Whether requests are accepted.
        self._taking = True
        self._closed = False
        #: Whether something must be sent before an update, or nothing may be sent any more.  Set
        #: when something is put, reset when everything is taken.
        self.busy = False
        #: Number of updates that a later one of their subject replaced.
        self.collapsed = 0
        #: Number of replies and updates that waited when the client left.
        self.dropped = 0
        #: Number of frames taken for sending.
        self.taken = 0
        #: How often the reader had to wait for replies to be taken.
        self.stalls = 0
        #: How often updates began to collapse because of messages, or because of bytes.
        self.full_messages = 0
        self.full_bytes = 0

    def reserve(self, alone: bool = False) -> bool:
        """Wait until one more reply may be owed, and count it.  *alone*: it must be the only one.
        False if no more requests are accepted: the outbox is finished or closed, or :meth:`settle`
        was called."""
        if self._owed and (alone or self._is_full()):
            self.wake()  # perhaps it waits for replies that are put, but not sent yet
        with self._lock:
            if self._owed and (alone or self._is_full()):
                self.stalls += 1
                while self._taking and self._owed and (alone or self._is_full()):
                    self._room.wait()
            if self._taking:
                self._owed += 1
                self._asked += 1
                self._alone = alone
            return self._taking

    def _is_full(self) -> bool:
        return (
            self._owed >= self._max_replies or self._reply_bytes >= self._max_bytes or self._alone
        )

    @property
    def is_full(self) -> bool:
        """Whether so many bytes of replies wait that no more replies should be made."""
        return self._reply_bytes >= self._max_bytes

    def put_reply(self, frame: Union[bytes, LargeReply]) -> None:
        """Queue the reply to a reserved request."""
        with self._lock:
            self._asked -= 1
            if self._finish is None and not self._closed:
                self._append(frame, True)
            if not self._taking:
                self._room.notify_all()

    def settle(self, timeout: Optional[float]) -> bool:
        """Accept no more requests, and wait at most *timeout* seconds until every accepted one has
        its reply queued."""
        with self._lock:
            self._taking = False
            self._room.notify_all()
            return self._room.wait_for(
                lambda: self._asked <= 0 or self._closed or self._finish is not None, timeout
            )

    def deliver(self, updates: Sequence[Update]) -> None:
        """Send *updates* now, or queue them for the sending thread."""
        if not self._send(updates):
            self.put_updates(updates)
            self.wake()

    def pass_by(self, updates: Sequence[Update], max_bytes: int) -> Optional[List[bytes]]:
        """The frames of *updates* to send at once, together about *max_bytes*; the rest is queued.
        ``None`` if something must be sent before them.

        Only for the holder of the client's send lock: no other thread sends, so frames that are put
        after the check of ``busy`` are sent after these.  This runs for each of a thousand clients,
        and a lock, or a check of each queue, would double its cost.
        """
        if self.busy:
            return None
        if len(updates) == 1:
            subject, frame, _again = updates[0]
            frames = [frame] if subject.active else []
        else:
            frames = [frame for subject, frame, _again in updates if subject.active]
            if sum(map(len, frames)) > max_bytes:
                frames = self._first_of(updates, max_bytes)
        self.taken += len(frames)
        return frames

    def _first_of(self, updates: Sequence[Update], max_bytes: int) -> List[bytes]:
        """The first frames of *updates*, together about *max_bytes*; the rest is queued."""
        frames: List[bytes] = []
        size = 0
        for position, (subject, frame, _again) in enumerate(updates, 1):
            if subject.active:
                frames.append(frame)
                size += len(frame)
                if size >= max_bytes:
                    self.put_updates(updates[position:])
                    break
        return frames

    def put_updates(self, updates: Sequence[Update]) -> None:
        """Queue *updates*; an update replaces a waiting one of its subject."""
        with self._lock:
            self._put(updates)

    def _put(self, updates: Sequence[Update]) -> None:
        if self._finish is not None or self._closed:
            return
        waiting = self._waiting
        for update in updates:
            subject, frame, again = update
            if not subject.active:
                continue
            if not waiting and (
                len(self._queue) < self._max_messages and self.queued_bytes < self._max_bytes
            ):
                self._append(frame, False)
                continue
            if not waiting:
                if len(self._queue) >= self._max_messages:
                    self.full_messages += 1
                else:
                    self.full_bytes += 1
            lost = subject in waiting
            if lost:
                self.collapsed += 1
            kept = frame if again is None else None
            waiting[subject] = _Waiting(kept, len(frame), again, lost)
            self.busy = True

    def put_past(self, frames: LargeReply) -> None:
        """Queue messages that are never replaced, as one; the caller limits their number."""
        with self._lock:
            if self._finish is None and not self._closed:
                self._append(frames, False)

    def withdraw(self, subject: Subject) -> None:
        """End *subject*: queued updates are still sent, no more are queued."""
        with self._lock:
            subject.active = False
            self._waiting.pop(subject, None)

    def put_pong(self, frame: bytes) -> None:
        """Answer a ping before anything else.  If more than :data:`PONGS` wait, the oldest are
        dropped: only the latest ping needs an answer (RFC 6455 5.5.3)."""
        with self._lock:
            if self._finish is None and not self._closed:
                self._pongs.append(frame)
                self.busy = True

    def put_ping(self, frame: bytes) -> None:
        with self._lock:
            if self._finish is None and not self._closed:
                self._append(frame, False)

    def finish(self, frame: bytes, discard: bool = False) -> bool:
        """Queue the close frame after everything (or instead of everything); no frame can be put
        after it.  False if one was queued before."""
        with self._lock:
            if self._finish is not None:
                return False
            self._finish = self._last = frame
            self.busy = True
            if discard:
                self._drop()
            self._taking = False
            self._room.notify_all()
            return True

    def close(self) -> None:
        """Drop everything; wake a reader that waits in :meth:`reserve`."""
        with self._lock:
            self._closed = self.busy = True
            self._last = None
            self._pongs.clear()
            self._drop()
            self._taking = False
            self._room.notify_all()

    def _drop(self) -> None:
        """Drop and count all queued and waiting frames."""
        self.dropped += len(self._waiting)
        self.dropped += sum(
            isinstance(frame, LargeReply) or frame[0] & 0x0F < CLOSE for frame, _ in self._queue
        )
        self._queue.clear()
        self._waiting.clear()
        self.queued_bytes = self._reply_bytes = 0

    @property
    def depth(self) -> Depth:
        """The present state, read without the lock: each number is right at its own moment."""
        return Depth(len(self._queue), self.queued_bytes, len(self._waiting), self._owed)

    @property
    def finished(self) -> bool:
        return self._finish is not None

    def __bool__(self) -> bool:
        """Whether there is a frame to take."""
        return bool(self._queue or self._waiting or self._pongs or self._last)

    def take(self, max_bytes: int = 65536) -> List[bytes]:
        """The next frames, together about *max_bytes* (always at least one if there is one)."""
        with self._lock:
            frames: List[bytes] = []
            size = 0
            if self._pongs:
                frames.extend(self._pongs)
                self._pongs.clear()
            replies = reply_bytes = 0
            large: List[Tuple[int, LargeReply]] = []
            queue = self._queue
            while queue and size < max_bytes:
                frame, is_reply = queue.popleft()
                if isinstance(frame, LargeReply):
                    large.append((len(frames), frame))
                    frames.append(b"")
                else:
                    frames.append(frame)
                size += len(frame)
                if is_reply:
                    replies += 1
                    reply_bytes += len(frame)
            self.queued_bytes -= size
            self.taken += len(frames)
            if replies:
                self._owed -= replies
                self._reply_bytes -= reply_bytes
                self._alone = self._alone and self._owed > 0
                self._room.notify_all()
            late: List[Tuple[Subject, _Waiting]] = []
            while self._waiting and not queue and size < max_bytes:
                subject = next(iter(self._waiting))
                late.append((subject, self._waiting.pop(subject)))
                size += late[-1][1].size
            last = None
            if not queue and not self._waiting:
                last, self._last = self._last, None
                self.busy = self._finish is not None or self._closed
            self.taken += len(late) + (last is not None)
        for place, reply in large:
            frames[place] = reply.frame()
        for subject, (kept, _size, again, lost) in late:
            if kept is None:
                kept = subject.flagged(again) if lost else subject.frame(again)
            frames.append(kept)
        if last is not None:
            frames.append(last)
        return frames

    def _append(self, frame: Union[bytes, LargeReply], is_reply: bool) -> None:
        self._queue.append((frame, is_reply))
        self.busy = True
        self.queued_bytes += len(frame)
        if is_reply:
            self._reply_bytes += len(frame)
