"""One small class for the time limits of blocking calls.

A deadline is made once, where the limit of a user or a protocol is known, and passed down, so that
ten steps together cannot take ten times the limit.
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
