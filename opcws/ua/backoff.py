"""How long to wait before the next attempt to connect.  Pure, but for chance."""

import random


class Backoff:
    """Seconds to wait between attempts: doubling from *min_ms* to *max_ms*, with jitter, so
    that many gateways do not come back in step."""

    def __init__(self, min_ms: float, max_ms: float) -> None:
        self._min_s = min_ms / 1000.0
        self._max_s = max(max_ms, min_ms) / 1000.0
        self._next_s = self._min_s

    def reset(self) -> None:
        self._next_s = self._min_s

    def next(self) -> float:
        pause = self._next_s * random.uniform(0.75, 1.0)
        self._next_s = min(self._next_s * 2.0, self._max_s)
        return pause
