"""One client's bounded outbound queue.  It knows no socket.

Rules:

* Replies are never dropped.  Instead their number is bounded at the other end: a reader calls
  :meth:`Outbox.reserve` before it takes a request from the socket, and waits there while too
  many replies are owed, or too many bytes of them wait.  A reply counts as owed until it is
  taken for sending, so a client that asks without reading stops being read.
* Updates beyond the bound collapse to the latest per subject (a monitor), and the one that is sent
  after another was lost is rendered again by its subject (the Overflow bit).
* What is taken is taken in the order it was put, per subject and for replies; updates that had to
  wait come behind what was queued before them.
* After :meth:`finish` nothing is added any more; the close frame goes out last.

Threads: ``put_*`` and ``withdraw`` may be called from any; ``reserve`` from the client's reader;
``take`` and ``pass_by`` from whoever holds the client's send lock.
"""

import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..wire.frames import CLOSE

#: Pongs kept for a client that does not take them; of more pings the latest are answered.
PONGS = 64


class Subject:
    """What an update is about (a monitor): the key under which late updates collapse.

    ``active`` is cleared by :meth:`Outbox.withdraw`; after that no update of it is queued.
    """

    __slots__ = ("active",)

    def __init__(self) -> None:
        self.active = True

    def frame(self, update: Any) -> bytes:
        """The frame of *update* again."""
        raise NotImplementedError

    def flagged(self, update: Any) -> bytes:
        """The same, flagged as "values were lost before this one"."""
        raise NotImplementedError


#: Subject, frame, and what :meth:`Subject.frame` makes the frame of again (``None``: nothing).
Update = Tuple[Subject, bytes, Any]


class LargeReply:
    """A reply, or several messages, of *size* bytes, about, that become bytes when they are sent:
    until then there is in memory what *frame* makes them of."""

    __slots__ = ("_size", "frame")

    def __init__(self, size: int, frame: Callable[[], bytes]) -> None:
        self._size = size
        self.frame = frame

    def __len__(self) -> int:
        return self._size


class _Waiting(NamedTuple):
    """The latest update of a subject that found the queue full; *lost* says that there was another
    before it.  It has no frame if that can be made again: what all have in common is in memory
    once, however many subjects wait."""

    frame: Optional[bytes]
    size: int
    again: Any
    lost: bool


class Depth(NamedTuple):
    """What waits for a client: frames that are queued, with their bytes, updates that wait
    behind them because the queue is full, and replies that are owed."""

    queued: int
    queued_bytes: int
    waiting: int
    owed: int


class Outbox:
    """*max_messages* and *max_bytes* bound the queued updates, *max_replies* and *max_bytes* the
    replies owed: past either bound no more requests are taken.

    *wake* is called by whoever has put something and wants it sent now.  *send* sends updates
    past the queue with :meth:`pass_by`, or tells with False that it has not.  Neither may block.
    """

    # One per client: small, and read for each of them at every round of a relay.
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
        # Guards everything below; held for a few operations on the queues, never while
        # anything is sent or rendered.
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        # (frame, is a reply), oldest first.
        self._queue: Deque[Tuple[Union[bytes, LargeReply], bool]] = deque()
        #: What waits; anyone may look.
        self.queued_bytes = 0
        # Updates that found the queue full.
        self._waiting: Dict[Subject, _Waiting] = {}
        self._pongs: Deque[bytes] = deque(maxlen=PONGS)
        self._finish: Optional[bytes] = None
        # The close frame until it is taken.
        self._last: Optional[bytes] = None
        # Replies from reserve until they are taken; of these, those that were not put yet.
        self._owed = 0
        self._asked = 0
        self._reply_bytes = 0
        # Whether the request in flight is one that is taken alone.
        self._alone = False
        # Whether requests are taken.
        self._taking = True
        self._closed = False
        #: Whether anything must go out before an update may, or nothing may any more.  Set with
        #: whatever is put, reset by who has taken all of it.
        self.busy = False
        #: Updates that gave way to a later one of their subject.
        self.collapsed = 0
        #: Replies and updates that the client left behind.
        self.dropped = 0
        #: Frames that were taken for sending.
        self.taken = 0
        #: How often the reader had to wait for replies to be taken.
        self.stalls = 0
        #: How often updates began to collapse because of messages, or because of bytes.
        self.full_messages = 0
        self.full_bytes = 0

    def reserve(self, alone: bool = False) -> bool:
        """Wait until one more reply may be owed, and owe it.  *alone*: only while no other is,
        and none beside it.  False once nothing is taken any more: the outbox is finished or
        closed, or :meth:`settle` was called."""
        if self._owed and (alone or self._is_full()):
            self.wake()  # replies that were put and not sent yet may be what is waited for
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
        """Whether so many bytes of replies wait that no more should be made."""
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
        """Take no more requests, and wait at most *timeout* seconds until every one that was
        taken has its reply queued."""
        with self._lock:
            self._taking = False
            self._room.notify_all()
            return self._room.wait_for(
                lambda: self._asked <= 0 or self._closed or self._finish is not None, timeout
            )

    def deliver(self, updates: Sequence[Update]) -> None:
        """Have *updates* sent now, or queue them for the one who sends."""
        if not self._send(updates):
            self.put_updates(updates)
            self.wake()

    def pass_by(self, updates: Sequence[Update], max_bytes: int) -> Optional[List[bytes]]:
        """The frames of *updates* to be sent at once, together about *max_bytes*; what is over is
        queued.  ``None`` if there is anything that must go out before them.

        Only for the holder of the client's send lock: as nobody else sends, what is put after the
        look at ``busy`` goes out behind this.  With a thousand clients this is done for each, and
        a lock, or a look at each queue, costs as much as all the rest of it.
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
        """Queue *updates*; one of a subject that waits takes its place."""
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
        """Queue messages that never give way, as one; how many may be is the caller's business."""
        with self._lock:
            if self._finish is None and not self._closed:
                self._append(frames, False)

    def withdraw(self, subject: Subject) -> None:
        """End *subject*: what is queued still goes out, nothing more is queued."""
        with self._lock:
            subject.active = False
            self._waiting.pop(subject, None)

    def put_pong(self, frame: bytes) -> None:
        """Answer a ping, before anything else.  Of more than :data:`PONGS` that wait the oldest
        are dropped: only the latest ping need be answered (RFC 6455 5.5.3)."""
        with self._lock:
            if self._finish is None and not self._closed:
                self._pongs.append(frame)
                self.busy = True

    def put_ping(self, frame: bytes) -> None:
        with self._lock:
            if self._finish is None and not self._closed:
                self._append(frame, False)

    def finish(self, frame: bytes, discard: bool = False) -> bool:
        """Queue the close frame behind everything (or instead of everything); nothing can be
        put any more.  False if one was queued before."""
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
        """Leave behind, and count, all that is queued or waits."""
        self.dropped += len(self._waiting)
        self.dropped += sum(
            isinstance(frame, LargeReply) or frame[0] & 0x0F < CLOSE for frame, _ in self._queue
        )
        self._queue.clear()
        self._waiting.clear()
        self.queued_bytes = self._reply_bytes = 0

    @property
    def depth(self) -> Depth:
        """What waits now, read without the lock: each number is right, but of its own moment."""
        return Depth(len(self._queue), self.queued_bytes, len(self._waiting), self._owed)

    @property
    def finished(self) -> bool:
        return self._finish is not None

    def __bool__(self) -> bool:
        """Whether there is anything to take."""
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
