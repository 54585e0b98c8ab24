"""How long to wait before the next attempt to connect.  Pure, except for random numbers."""

import random

#: A connection must last for so many seconds before the next pause is the shortest again.  A
#: repeated cause (a value that ends the connection, a server that closes it) ends it sooner.
LASTING_S = 60.0


class Backoff:
    """Seconds to wait between attempts: doubling from *min_ms* to *max_ms*, with jitter, so that
    many gateways do not reconnect at the same moment.  Only a connection that lasted resets the
    pause."""

    def __init__(self, min_ms: float, max_ms: float) -> None:
        self._min_s = min_ms / 1000.0
        self._max_s = max(max_ms, min_ms) / 1000.0
        self._next_s = self._min_s

    def lasted(self, seconds: float) -> bool:
        """Note the duration of an ended connection; returns whether it counts as working."""
        if seconds < LASTING_S:
            return False
        self._next_s = self._min_s
        return True

    def next(self) -> float:
        pause = self._next_s * random.uniform(0.75, 1.0)
        self._next_s = min(self._next_s * 2.0, self._max_s)
        return pause
