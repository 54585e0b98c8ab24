"""Decides which of several collectors with the same publisher is the active one.

Rules:

* The broker allows one connection at a time for a ClientId, and ends the older one when another
  connects with it (MQTT 5 3.1.4).  The collectors share the ClientId of their publisher; the
  connected one is the *holder*.
* The holder sends its status every quarter of the lease.  It is active for one lease after it sent
  the last status that the broker confirmed: while the broker confirms, no other collector is the
  holder.
* A new holder waits longer than that, because the previous one may not know yet that it has lost
  the ClientId; it becomes active when a status that it sent after the wait is confirmed.
* A collector that is not the holder stands by: it listens to the publisher's status.  It takes the
  ClientId when the status says that no collector works, or when none came for a while.

So two are never active at the same time, whatever the network, the broker and the collectors do, as
long as their clocks run equally fast within a tenth: the active one has a confirmation of a status
that it sent at a time *s*, and is active before *s* + lease.  Another becomes the holder after the
broker accepted that status, so after *s*, and is active :data:`SLOWER` leases later at the
earliest.

Pure.  Threads: one; but any may read :attr:`Lease.held`.
"""

import time
from typing import Callable, Optional

from .network_messages import DISABLED, ERROR

#: Leases that a new holder waits, because clocks differ; and seconds in which the previous holder
#: can leave the OPC UA servers.
SLOWER, LEAVE_S = 1.1, 0.5
#: Number of statuses within a lease.
STATUSES = 4
#: Leases without a status after which a standby collector takes over.
SILENT_LEASES = 1.5


class Lease:
    """The lease of a collector, of *seconds*; *clock* is monotonic, in seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        # End of the wait of a new holder, and end of the lease; the collector has no lease unless
        # the second is later.
        self._from = float("inf")
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether this collector is the active one."""
        return self._from < self._until and self._clock() < self._until

    def taken(self) -> None:
        """The broker has accepted our connection with the ClientId."""
        if not self.held:
            self._until = 0.0
            self._from = self._clock() + SLOWER * self.seconds + LEAVE_S

    def confirmed(self, sent_at: float) -> None:
        """The broker has confirmed a status that we sent, as the holder, at *sent_at*."""
        if sent_at >= self._from:
            self._until = max(self._until, sent_at + self.seconds)

    def lost(self) -> None:
        """Another collector has the ClientId."""
        self._from, self._until = float("inf"), 0.0

    @property
    def pause_s(self) -> float:
        """Seconds until the holder's next status, which is due at the end of the wait."""
        left = self._from - self._clock()
        between = self.seconds / STATUSES
        return left if 0.0 < left < between else between


class Watch:
    """The publisher's status as a standby collector hears it; *kicked* says that another client
    took the ClientId from this one."""

    def __init__(
        self, lease_s: float, kicked: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._silent_s = SILENT_LEASES * lease_s
        self._clock = clock
        self._heard_at = clock()
        self._kicked = kicked
        self._state: Optional[int] = None

    def heard(self, state: int, kept: bool) -> None:
        """The status is *state*; *kept* says whether it was a retained message."""
        self._state = state
        if not kept:
            self._heard_at = self._clock()

    @property
    def is_free(self) -> bool:
        """Whether no collector works."""
        if self._state in (DISABLED, ERROR) and not self._kicked:
            return True
        return self._clock() - self._heard_at > self._silent_s
