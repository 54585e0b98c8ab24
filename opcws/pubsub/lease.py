"""Which of several collectors with the same publisher is the active one.

Rules:

* The broker lets one connection at a time have a ClientId, and ends the older one when another
  comes with it (MQTT 5 3.1.4).  The collectors share the ClientId of their publisher; who has it
  is the *holder*.
* The holder tells its status every quarter of the lease.  It is active until a lease after it sent
  the last one that the broker confirmed: while the broker confirms, nobody else is the holder.
* A new holder waits longer than that, because the one before it may not know yet that it is none,
  and is active once a status that it sent after the wait is confirmed.
* A collector that is not the holder stands by: it listens to the publisher's status.  It takes the
  ClientId when the status says that nobody works, or when none came for a while.

So no two are active at a time, whatever the network, the broker and the collectors do, while
clocks run equally fast within a tenth: the active one has a confirmation of something that it
sent at a time *s*, and is active before *s* + lease.  Another becomes the holder after the broker
took that message, so after *s*, and is active :data:`SLOWER` leases after that at the earliest.

Pure.  Threads: one; but any may ask :attr:`Lease.held`.
"""

import time
from typing import Callable, Optional

from .network_messages import DISABLED, ERROR

#: How many leases a new holder waits, because clocks differ; and seconds, so that the one before it
#: can leave the OPC UA servers.
SLOWER, LEAVE_S = 1.1, 0.5
#: Statuses within a lease.
STATUSES = 4
#: Leases without a status after which nobody works.
SILENT_LEASES = 1.5


class Lease:
    """What a collector has, of *seconds*; *clock* is monotonic, in seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        # When the wait of a new holder ends, and when the lease does; it is none if that is not
        # later.
        self._from = float("inf")
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether this collector is the active one."""
        return self._from < self._until and self._clock() < self._until

    def taken(self) -> None:
        """The broker has given us the ClientId."""
        if not self.held:
            self._until = 0.0
            self._from = self._clock() + SLOWER * self.seconds + LEAVE_S

    def confirmed(self, sent_at: float) -> None:
        """The broker has what we sent, as the holder, at *sent_at*."""
        if sent_at >= self._from:
            self._until = max(self._until, sent_at + self.seconds)

    def lost(self) -> None:
        """Somebody else has the ClientId."""
        self._from, self._until = float("inf"), 0.0

    @property
    def pause_s(self) -> float:
        """Seconds until the holder tells its status again: at once when the wait ends."""
        left = self._from - self._clock()
        between = self.seconds / STATUSES
        return left if 0.0 < left < between else between


class Watch:
    """What one that stands by has heard of the publisher's status; *kicked* tells that somebody
    took the ClientId from it."""

    def __init__(
        self, lease_s: float, kicked: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._silent_s = SILENT_LEASES * lease_s
        self._clock = clock
        self._heard_at = clock()
        self._kicked = kicked
        self._state: Optional[int] = None

    def heard(self, state: int, kept: bool) -> None:
        """The status is *state*; *kept*: the broker had kept that."""
        self._state = state
        if not kept:
            self._heard_at = self._clock()

    @property
    def is_free(self) -> bool:
        """Whether nobody works."""
        if self._state in (DISABLED, ERROR) and not self._kicked:
            return True
        return self._clock() - self._heard_at > self._silent_s
