"""Limits the processor time that clients may use with anything that they send.

Frames, fragments, pings, invalid messages, requests, handshakes: each costs processor time on the
thread that reads its connection.  That time is counted, so that none of them needs a rate of its
own.  Threads that work at the same time also keep each other, and those of the plants, waiting for
Python's interpreter lock; so a reader over its share sleeps.  Rules:

* An address may save up :data:`BURST_S` seconds of processor time.  It gets :data:`SHARE` seconds
  per second, or its part of that while other addresses wait.  Only when all that is used up, its
  readers wait, each until its use is no more than its part.  A reader that uses less than its part
  never waits.
* The share is divided among the addresses with waiting readers; an address's part is divided among
  those of its readers that wait or had something to count in the last second.  When they become
  fewer, the remaining ones wait less.
* Readers over their share wait only while threads are kept waiting.  To find out, such a reader
  sleeps for a blink, at most once in :data:`LOOK_S`: how late it wakes tells how long the plants'
  threads wait for the interpreter.  Only after more than :data:`LATE_S`, all wait for the next
  :data:`CROWDED_S`.
* All addresses together may save up :data:`BURST_ALL_S`.  If they use more than that and the share,
  the share and each address's savings (but at least :data:`LEAST_S`) are divided among all
  addresses that had something to count in the last second.
* Every address counts, this machine's too: the exemptions in ``limits`` do not apply here.

Threads: connections' readers; nothing waits while the lock is held.
"""

import sys
import threading
import time
from collections import OrderedDict
from typing import Set

#: Seconds of processor time per second for all waiting readers together.
SHARE = 0.5
#: Seconds of processor time that a quiet address saves up.
BURST_S = 0.25
#: The same for all addresses together; and the least for each when they are too many, enough for an
#: opening handshake, with TLS, and a few requests.
BURST_ALL_S = 1.0
LEAST_S = 0.01
#: Seconds between two checks whether threads are kept waiting; the length of the blink of such a
#: check; how late it may end, besides Python's switch interval; and how long readers over their
#: share wait if it ends later.
LOOK_S = 0.1
BLINK_S = 0.001
LATE_S = 0.1
CROWDED_S = 30.0
#: Seconds after which a waiting reader checks whether it may wait less.
SLICE_S = 2.0
#: Seconds of processor time after which a reader has its use counted.
QUANTUM_S = 0.001
#: Number of receive calls for each reading of the thread's clock, which is expensive.
LOOK_TIMES = 8
#: Seconds to accept a connection and start its thread, before its reader can measure.
ARRIVAL_S = 0.001

#: Seconds of a window in which active readers and addresses are counted.
WINDOW_S = 1.0

MAX_ADDRESSES = 10000


class _Recent:
    """Counts who was active recently."""

    __slots__ = ("_began", "_seen", "_before")

    def __init__(self, now: float) -> None:
        # Those active since _began, and how many were active in the window before.
        self._began = now
        self._seen: Set[object] = set()
        self._before = 0

    def number(self, taker: object, now: float) -> int:
        """How many are active, *taker* included."""
        self._seen_by(now).add(taker)
        return self.last(now)

    def last(self, now: float) -> int:
        """How many are active."""
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
        # Seconds that were used up at counted_at.
        self.taken = 0.0
        self.counted_at = now
        # Number of its waiting readers.
        self.waiting = 0
        self.readers = _Recent(now)


class ProcessorShare:
    """Counts the processor time of all clients of the server."""

    def __init__(self) -> None:
        # Guards everything below, for a few operations.
        self._lock = threading.Lock()
        self._addresses: "OrderedDict[str, _Address]" = OrderedDict()
        # Number of addresses with waiting readers.
        self._over = 0
        # Of all addresses: the seconds that were used up at _counted_at, and the active ones.
        self._taken = 0.0
        self._counted_at = 0.0
        self._takers = _Recent(0.0)
        # Readers over their share wait until the first; the next check is at the second.
        self._crowded_until = 0.0
        self._look_at = 0.0

    def take(self, host: str, reader: object, spent_s: float, since: float, now: float) -> float:
        """The *reader* of *host* (as :func:`opcws.model.addresses.counted_as` writes it) used
        *spent_s* of processor time between *since* and *now* (monotonic).  Returns the seconds for
        which it must wait; if they are not 0, it must call :meth:`waited` afterwards."""
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
            # The excess is paid for by waiting.
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
        """Whether all addresses together used more than they may."""
        gone = max(0.0, now - self._counted_at)
        self._taken = max(0.0, self._taken - gone * SHARE) + spent_s
        self._counted_at = now
        if self._taken <= BURST_ALL_S:
            return False
        # They are too many until something is left again.
        self._taken = min(self._taken, 2 * BURST_ALL_S)
        return True

    def waited(self, host: str, now: float, late_s: float = 0.0) -> None:
        """A reader of *host* has waited, and woke *late_s* too late."""
        with self._lock:
            if late_s > LATE_S + sys.getswitchinterval():
                self._crowded_until = now + CROWDED_S
            address = self._addresses[host]
            address.waiting -= 1
            self._over -= not address.waiting
            # The wait has paid for this time already, so it is not saved up.
            address.counted_at = max(now, address.counted_at)

    def wait_s(self, host: str, spent_s: float, now: float) -> float:
        """The seconds that a waiting reader of *host* would have to wait for *spent_s* now."""
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
    """The use of *share* by one connection's reader; belongs to its thread."""

    def __init__(self, share: ProcessorShare) -> None:
        self._share = share
        # The last use that was counted.
        self._spent_s = 0.0
        #: The address that it is counted for.
        self.host = ""
        self._began = time.monotonic()
        self._looked_at = 0.0
        self._times = 0
        #: Set to end every wait.
        self.gone = threading.Event()

    def begin(self) -> float:
        """Must be called first, on the reader's thread: seconds to wait because of its arrival."""
        self._looked_at = time.thread_time()
        return self._take(ARRIVAL_S)

    def look_now_and_then(self) -> float:
        """:meth:`look`, in one of :data:`LOOK_TIMES` calls; 0 in the others."""
        self._times += 1
        if self._times % LOOK_TIMES:
            return 0.0
        return self.look()

    def look(self, least_s: float = QUANTUM_S) -> float:
        """The seconds for which the reader must :meth:`wait` now; nearly always 0."""
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
        """Do not wait the *seconds* that :meth:`look` returned; returns 0."""
        if seconds:
            self._share.waited(self.host, self._began)
        return 0.0

    def wait(self, seconds: float) -> None:
        """Wait the *seconds* that :meth:`look` returned, but no longer than a reader that would
        begin to wait for the same use now."""
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
