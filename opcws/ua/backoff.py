"""How long to wait before the next attempt to connect.  Pure, but for chance."""

import random

#: Seconds that a connection must last before the next pause is the shortest again.  What each new
#: connection meets again (a value that ends it, a server that cuts it) ends it sooner.
LASTING_S = 60.0


class Backoff:
    """Seconds to wait between attempts: doubling from *min_ms* to *max_ms*, with jitter, so
    that many gateways do not come back in step.  A connection that was made changes nothing;
    one that lasted does."""

    def __init__(self, min_ms: float, max_ms: float) -> None:
        self._min_s = min_ms / 1000.0
        self._max_s = max(max_ms, min_ms) / 1000.0
        self._next_s = self._min_s

    def lasted(self, seconds: float) -> bool:
        """A connection ended that had lasted so long; whether it counts as one that worked."""
        if seconds < LASTING_S:
            return False
        self._next_s = self._min_s
        return True

    def next(self) -> float:
        pause = self._next_s * random.uniform(0.75, 1.0)
        self._next_s = min(self._next_s * 2.0, self._max_s)
        return pause
