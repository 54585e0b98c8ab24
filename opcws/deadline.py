"""One small class; every blocking call takes its time from one.

A deadline is made once, at the edge where a person's or a protocol's limit is known, and
handed down, so that ten steps of one second each cannot make ten seconds of one.
"""

import time
from typing import Optional


class Deadline:
    """A moment on the monotonic clock, *seconds* from now; ``None`` means never."""

    __slots__ = ("_at",)

    def __init__(self, seconds: Optional[float]) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    @property
    def expired(self) -> bool:
        return self._at is not None and time.monotonic() >= self._at

    def remaining(self) -> Optional[float]:
        """Seconds left, never below 0; ``None`` without a limit."""
        if self._at is None:
            return None
        return max(0.0, self._at - time.monotonic())

    def bounded(self, seconds: float) -> float:
        """Seconds left, at most *seconds*."""
        left = self.remaining()
        return seconds if left is None else min(left, seconds)
