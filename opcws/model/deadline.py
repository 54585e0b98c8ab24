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

    def longer_than(self, other: "Deadline") -> float:
        """Seconds that this one is later than *other*; infinite if only the other has a limit."""
        if self._at is None or other._at is None:
            return 0.0 if self._at is other._at else float("inf" if self._at is None else "-inf")
        return self._at - other._at

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
