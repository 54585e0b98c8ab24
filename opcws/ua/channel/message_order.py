"""The NotificationMessages of one subscription, put in order by their sequence numbers
(OPC 10000-4 7.26, 5.14.1.2).

Rules:

* A gap holds a place for each message that is missing, and what came after it is held, until they
  came late, by Republish, or are lost.
* A message with a number that was had already is the same one if its PublishTime is the same,
  too.  Else the server numbers anew: what it said before may be missing, so a loss is told, and
  the new number is followed.
* A larger gap than :data:`MAX_REPUBLISHED` is no gap but another numbering.

Pure; whoever calls holds the lock.
"""

from collections import deque
from typing import Deque, Dict, List, Optional, Tuple

#: Messages that are asked for again at most, and whose numbers are remembered.
MAX_REPUBLISHED = 100
#: Stands among bodies where messages are lost.
LOST = b""

_GIVEN_UP = -1


class Slot:
    """One message that is held until those before it are there; ``body`` is ``None`` while it
    is missing itself."""

    __slots__ = ("number", "body")

    def __init__(self, number: int, body: Optional[bytes]) -> None:
        self.number = number
        self.body = body


class MessageOrder:
    """Of one subscription.  What may be told now is returned, in order: bodies, and
    :data:`LOST`."""

    __slots__ = ("held", "_expected", "_begun", "_seen", "_newest", "_clock_stands")

    def __init__(self) -> None:
        #: The messages from the first missing one on; None while none is missing.
        self.held: Optional[Deque[Slot]] = None
        self._expected = 1
        self._begun = False
        # Number and PublishTime of the last messages, oldest first; the latest PublishTime, and
        # whether the message before had the same.
        self._seen: Dict[int, int] = {}
        self._newest = 0
        self._clock_stands = False

    def keep_alive(self, number: int, body: bytes) -> List[bytes]:
        """A keep-alive; it has the *number* of the message to come."""
        self._skip_to(number)
        return self._put(body)

    def message(self, number: int, published_at: int, body: bytes) -> Tuple[bool, List[bytes]]:
        """Message *number* with its PublishTime: whether it is wanted, and what to tell."""
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
        """The number of the message that is missing now, and what was held for those before."""
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
        """What came of asking again for the missing message; whether it was still wanted."""
        assert self.held
        slot = self.held[0]
        if slot.body is not None:
            return False  # it came by itself meanwhile
        self._note(slot.number, _GIVEN_UP if body is None else published_at)
        slot.body = LOST if body is None else body
        return body is not None

    def _is_known(self, number: int, published_at: int) -> bool:
        known = self._seen.get(number)
        if known == _GIVEN_UP:
            return published_at <= self._newest  # late: it was told as lost
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
        """The next message is *number*: hold a place for each before it.  False if there is
        none, or if they are so many that it must be another numbering."""
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
