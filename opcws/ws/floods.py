"""Log lines that a stranger can cause as often as it likes, and the bound on them.

The first :data:`LINES` of a kind from an address within :data:`SECONDS` are logged, and of all
addresses together :data:`TOTAL`; how many were not is told with the next one that is.
"""

import threading
import time
from collections import OrderedDict
from typing import Optional

LINES = 5
SECONDS = 10.0
TOTAL = 200
MAX_ADDRESSES = 2000


class _Window:
    __slots__ = ("began", "silent", "told")

    def __init__(self, now: float) -> None:
        self.began = now
        self.told = 0
        self.silent = 0


class Floods:
    """The bound for one listener.  Threads: any."""

    def __init__(self, lines: int = LINES, seconds: float = SECONDS, total: int = TOTAL) -> None:
        self._lines = lines
        self._seconds = seconds
        self._total = total
        # Guards the windows; nothing is logged while it is held.
        self._lock = threading.Lock()
        self._windows: "OrderedDict[str, _Window]" = OrderedDict()
        self._all = _Window(time.monotonic())

    def more(self, address: str, kind: str, lines: int = 0) -> Optional[str]:
        """``None`` if a line of this *kind* about *address* is not to be logged; otherwise what to
        write behind it: nothing, or how many were not logged before it.  *lines* is how many may
        be within the time, if not as many as of others."""
        now = time.monotonic()
        key = "%s %s" % (kind, address)
        with self._lock:
            everyone = self._opened(self._all, now)
            window = self._windows.get(key)
            if window is None:
                window = self._windows[key] = _Window(now)
                while len(self._windows) > MAX_ADDRESSES:
                    self._all.silent += self._windows.popitem(last=False)[1].silent
            window = self._opened(window, now)
            if window.told >= (lines or self._lines):
                window.silent += 1
                return None
            if everyone.told >= self._total:
                everyone.silent += 1
                return None
            window.told += 1
            everyone.told += 1
            texts = []
            if window.silent:
                texts.append("%d more like it" % window.silent)
            if everyone.silent:
                texts.append("%d about other addresses" % everyone.silent)
            window.silent = everyone.silent = 0
        return " (%s not logged)" % " and ".join(texts) if texts else ""

    def _opened(self, window: _Window, now: float) -> _Window:
        if now - window.began >= self._seconds:
            window.began = now
            window.told = 0
        return window
