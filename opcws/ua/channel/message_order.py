"""The NotificationMessages of one subscription, put in order by their sequence numbers
(OPC 10000-4 7.26, 5.14.1.2).

Rules:

* A gap holds a place for each missing message, and later messages are held, until the missing ones
  come late, come by Republish, or are lost.
* A message with a known number is a repetition if its PublishTime is the same too.  Otherwise the
  server has restarted its numbers: messages may be missing, so a loss is reported, and the new
  numbers are used.
* A gap larger than :data:`MAX_REPUBLISHED` means new numbers.

Pure; the caller holds the lock.
"""

from collections import deque
from typing import Deque, Dict, List, Optional, Tuple

#: Most messages that are requested again, and whose numbers are remembered.
MAX_REPUBLISHED = 100
#: Marks lost messages among bodies.
LOST = b""

_GIVEN_UP = -1


class Slot:
    """One message that is held until those before it have come; ``body`` is ``None`` while it is
    missing itself."""

    __slots__ = ("number", "body")

    def __init__(self, number: int, body: Optional[bytes]) -> None:
        self.number = number
        self.body = body


class MessageOrder:
    """The order of one subscription.  Methods return what is ready, in order: bodies, and
    :data:`LOST`."""

    __slots__ = ("held", "_expected", "_begun", "_seen", "_newest", "_clock_stands")

    def __init__(self) -> None:
        #: The messages from the first missing one on; None if none is missing.
        self.held: Optional[Deque[Slot]] = None
        self._expected = 1
        self._begun = False
        # Number and PublishTime of the last messages, oldest first; the latest PublishTime, and
        # whether the message before had the same.
        self._seen: Dict[int, int] = {}
        self._newest = 0
        self._clock_stands = False

    def keep_alive(self, number: int, body: bytes) -> List[bytes]:
        """A keep-alive; it has the *number* of the next message."""
        self._skip_to(number)
        return self._put(body)

    def message(self, number: int, published_at: int, body: bytes) -> Tuple[bool, List[bytes]]:
        """Message *number* with its PublishTime: returns whether it is new, and what is ready."""
        lost = False
        if self._begun and 0 < _distance(number, self._expected) <= MAX_REPUBLISHED:
            if published_at <= self._newest:
                for slot in self.held or ():
                    if slot.number == number and slot.body is None:
                        slot.body = body
                        return True, []
            if self._is_known(number, published_at):
                return False, []
            lost = True
        elif not self._skip_to(number):
            lost = self._begun and number != self._expected
        if lost:
            self._seen.clear()
        self._begun = True
        self._expected = number % 0xFFFFFFFF + 1
        self._note(number, published_at)
        self._clock_stands = published_at == self._newest
        self._newest = published_at
        return True, [*(self._put(LOST) if lost else ()), *self._put(body)]

    def release(self) -> Tuple[Optional[int], List[bytes]]:
        """The number of the message that is missing now, and the held messages before it."""
        told: List[bytes] = []
        while self.held:
            body = self.held[0].body
            if body is None:
                return self.held[0].number, told
            told.append(body)
            self.held.popleft()
        self.held = None
        return None, told

    def fill(self, body: Optional[bytes], published_at: int) -> bool:
        """Take the result of Republish for the missing message; returns whether it was still
        missing."""
        assert self.held
        slot = self.held[0]
        if slot.body is not None:
            return False  # it has come meanwhile
        self._note(slot.number, _GIVEN_UP if body is None else published_at)
        slot.body = LOST if body is None else body
        return body is not None

    def _is_known(self, number: int, published_at: int) -> bool:
        known = self._seen.get(number)
        if known == _GIVEN_UP:
            return published_at <= self._newest  # late: it was reported as lost
        return known == published_at != 0 and not self._clock_stands

    def _note(self, number: int, published_at: int) -> None:
        seen = self._seen
        seen.pop(number, None)
        seen[number] = published_at
        if len(seen) > MAX_REPUBLISHED:
            del seen[next(iter(seen))]

    def _put(self, body: bytes) -> List[bytes]:
        if self.held is None:
            return [body]
        self.held.append(Slot(0, body))
        return []

    def _skip_to(self, number: int) -> bool:
        """The next message is *number*: hold a place for each before it.  False if none is missing,
        or so many that the numbers must be new."""
        skipped = _distance(self._expected, number)
        if not 0 < skipped <= MAX_REPUBLISHED:
            return False
        if self.held is None:
            self.held = deque()
        self.held.extend(Slot(each, None) for each in _numbers(self._expected, skipped))
        self._expected = number
        return True


def _distance(first: int, last: int) -> int:
    """How many messages after *first* comes *last*; the numbers wrap (OPC 10000-4 7.8)."""
    return (last - first) % 0xFFFFFFFF


def _numbers(first: int, count: int) -> List[int]:
    """Sequence numbers in order; after the largest UInt32 comes 1 (OPC 10000-4 7.8)."""
    return [(first - 1 + step) % 0xFFFFFFFF + 1 for step in range(count)]
