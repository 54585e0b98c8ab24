"""How much of the processor clients may take by what they send, whatever it is.

Frames, fragments, pings, messages that are none, requests, handshakes: each costs the thread that
reads its connection processor time, and that is what is counted, so that nothing needs a rate of
its own.  Threads that work at the same time also keep each other, and those of the plants, waiting
for Python's interpreter; so one that has to pay sleeps.  Rules:

* An address has :data:`BURST_S` seconds of the processor saved up, and gets :data:`SHARE` of one
  for each second, or its part of that while others wait.  Only when all that is used up do its
  readers pay: each waits until what it took is no more than its part.  One that takes less than its
  part waits for nothing.
* The share is divided by the addresses whose readers wait, and an address's part by those of its
  readers that wait or had something to count in the last second.  When those become fewer, who
  still waits waits less.
* Nobody pays while nobody has to wait: whoever would have to pays by a blink, once in
  :data:`LOOK_S`, and how late it wakes tells how long the plants' threads wait for the interpreter.
  Only if that is more than :data:`LATE_S`, all pay for :data:`CROWDED_S`.
* All addresses together have no more than the share and :data:`BURST_ALL_S` saved up: beyond that
  it is divided by all that had something to count in the last second, and so is what each has saved
  up, but for :data:`LEAST_S`.
* Every address counts, this machine's too: no exemption of ``limits`` is meant here.

Threads: connections' readers; nobody waits while the lock is held.
"""

import sys
import threading
import time
from collections import OrderedDict
from typing import Set

#: Seconds of one processor in each second that the readers who must pay have together.
SHARE = 0.5
#: Seconds of the processor that an address has saved up when it has been quiet.
BURST_S = 0.25
#: The same of all addresses together; and what is left to each when they are too many, which is an
#: opening handshake, with TLS, and a few requests.
BURST_ALL_S = 1.0
LEAST_S = 0.01
#: Seconds between two looks whether threads have to wait; of the blink of the one that looks; how
#: late it may wake, besides the interval at which threads ask for the interpreter; and how long all
#: that are over their share pay if it wakes later.
LOOK_S = 0.1
BLINK_S = 0.001
LATE_S = 0.1
CROWDED_S = 30.0
#: Seconds after which one that waits looks whether it has to wait less.
SLICE_S = 2.0
#: Seconds of the processor after which a reader looks into the book.
QUANTUM_S = 0.001
#: Times that a reader asks the socket until it looks at its clock, which is no cheap thing to do.
LOOK_TIMES = 8
#: What a connection costs before its reader begins, which is accepting it and starting the thread.
ARRIVAL_S = 0.001

#: Seconds in which it is counted how many readers an address has that take something.
WINDOW_S = 1.0

MAX_ADDRESSES = 10000


class _Recent:
    """Who took something of late."""

    __slots__ = ("_began", "_seen", "_before")

    def __init__(self, now: float) -> None:
        # Those that did since that moment, and how many did in the window before it.
        self._began = now
        self._seen: Set[object] = set()
        self._before = 0

    def number(self, taker: object, now: float) -> int:
        """How many they are, *taker* among them."""
        self._seen_by(now).add(taker)
        return self.last(now)

    def last(self, now: float) -> int:
        """How many they were at last."""
        return max(len(self._seen_by(now)), self._before)

    def _seen_by(self, now: float) -> Set[object]:
        if now - self._began >= WINDOW_S:
            self._before = len(self._seen) if now - self._began < 2 * WINDOW_S else 0
            self._seen.clear()
            self._began = now
        return self._seen


class _Address:
    __slots__ = ("taken", "counted_at", "waiting", "readers")

    def __init__(self, now: float) -> None:
        # Seconds that are used up, at counted_at.
        self.taken = 0.0
        self.counted_at = now
        # Its readers that wait.
        self.waiting = 0
        self.readers = _Recent(now)


class ProcessorShare:
    """The book of the whole server."""

    def __init__(self) -> None:
        # Guards all below, for a few operations on them.
        self._lock = threading.Lock()
        self._addresses: "OrderedDict[str, _Address]" = OrderedDict()
        # Addresses whose readers wait.
        self._over = 0
        # Of all addresses: seconds that are used up, at _counted_at, and who takes something.
        self._taken = 0.0
        self._counted_at = 0.0
        self._takers = _Recent(0.0)
        # Until when those who are over their share pay; when somebody looks next whether they must.
        self._crowded_until = 0.0
        self._look_at = 0.0

    def take(self, host: str, reader: object, spent_s: float, since: float, now: float) -> float:
        """The *reader* of *host* (as :func:`opcws.model.addresses.counted_as` writes it) took
        *spent_s* of the processor between *since* and *now* (monotonic).  Returns the seconds that
        it has to wait; if these are not 0, it calls :meth:`waited` behind them."""
        with self._lock:
            address = self._addresses.get(host)
            if address is None:
                address = self._addresses[host] = _Address(now)
                self._forget()
            self._addresses.move_to_end(host)
            over = parts = self._over + (not address.waiting)
            saved_up = BURST_S
            takers = self._takers.number(host, now)
            if self._are_too_many(spent_s, now):
                parts = max(parts, takers)
                saved_up = max(BURST_S / takers, LEAST_S)
            gone = max(0.0, now - address.counted_at)
            left = address.taken - gone * SHARE / parts
            address.taken = max(0.0, left) + spent_s
            address.counted_at = now
            readers = max(address.readers.number(reader, now), address.waiting + 1)
            if address.taken <= saved_up and not address.waiting:
                return 0.0
            # What is more is paid for by waiting.
            address.taken = min(address.taken, saved_up)
            wait = spent_s * readers * parts / SHARE - (now - since)
            if wait <= 0:
                return 0.0
            if now >= self._crowded_until:
                if now < self._look_at:
                    return 0.0
                self._look_at = now + LOOK_S
                wait = BLINK_S
            address.waiting += 1
            self._over = over
            return wait

    def _are_too_many(self, spent_s: float, now: float) -> bool:
        """Whether the addresses took more together than they have together."""
        gone = max(0.0, now - self._counted_at)
        self._taken = max(0.0, self._taken - gone * SHARE) + spent_s
        self._counted_at = now
        if self._taken <= BURST_ALL_S:
            return False
        # They are until there is something left again.
        self._taken = min(self._taken, 2 * BURST_ALL_S)
        return True

    def waited(self, host: str, now: float, late_s: float = 0.0) -> None:
        """A reader of *host* goes on, *late_s* later than it was told."""
        with self._lock:
            if late_s > LATE_S + sys.getswitchinterval():
                self._crowded_until = now + CROWDED_S
            address = self._addresses[host]
            address.waiting -= 1
            self._over -= not address.waiting
            # What the wait paid for is not saved up besides.
            address.counted_at = max(now, address.counted_at)

    def wait_s(self, host: str, spent_s: float, now: float) -> float:
        """The seconds that one of those that wait for *host* would have to wait for *spent_s*
        now."""
        with self._lock:
            if now >= self._crowded_until:
                return 0.0
            address = self._addresses[host]
            parts = self._over
            if self._taken - max(0.0, now - self._counted_at) * SHARE > BURST_ALL_S:
                parts = max(parts, self._takers.last(now))
            return spent_s * parts * max(address.waiting, address.readers.last(now)) / SHARE

    def _forget(self) -> None:
        while len(self._addresses) > MAX_ADDRESSES:
            host = next(iter(self._addresses))
            if self._addresses[host].waiting:
                return
            del self._addresses[host]


class Reader:
    """What one connection's reader takes of *share*; belongs to its thread."""

    def __init__(self, share: ProcessorShare) -> None:
        self._share = share
        # What was counted last.
        self._spent_s = 0.0
        #: Whom it is counted for.
        self.host = ""
        self._began = time.monotonic()
        self._looked_at = 0.0
        self._times = 0
        #: Set when there is nothing to wait for any more.
        self.gone = threading.Event()

    def begin(self) -> float:
        """To be called first, on the reader's thread: what :meth:`take` returns for its arrival."""
        self._looked_at = time.thread_time()
        return self._take(ARRIVAL_S)

    def look_now_and_then(self) -> float:
        """:meth:`look`, once in :data:`LOOK_TIMES`."""
        self._times += 1
        if self._times % LOOK_TIMES:
            return 0.0
        return self.look()

    def look(self, least_s: float = QUANTUM_S) -> float:
        """The seconds that the reader has to :meth:`wait` now; nearly always 0."""
        now = time.thread_time()
        spent = now - self._looked_at
        if spent < least_s:
            return 0.0
        self._looked_at = now
        return self._take(spent)

    def _take(self, spent_s: float) -> float:
        self._spent_s = spent_s
        since, self._began = self._began, time.monotonic()
        return self._share.take(self.host, self, spent_s, since, self._began)

    def forgive(self, seconds: float) -> float:
        """Wait for nothing, whatever :meth:`look` said."""
        if seconds:
            self._share.waited(self.host, self._began)
        return 0.0

    def wait(self, seconds: float) -> None:
        """Wait what :meth:`look` said, but no longer than one who begins to wait meanwhile for as
        much would."""
        late_s = 0.0
        while seconds > 0 and not self.gone.is_set():
            part_s = min(seconds, SLICE_S)
            until = time.monotonic() + part_s
            self.gone.wait(part_s)
            now = time.monotonic()
            late_s = max(late_s, now - until)
            seconds = min(seconds - part_s, self._share.wait_s(self.host, self._spent_s, now))
        self._began = time.monotonic()
        self._share.waited(self.host, self._began, late_s)
