"""Limits the log lines that strangers can cause at will.

The first :data:`LINES` of a kind from an address within :data:`SECONDS` are logged, and of all
addresses together :data:`TOTAL`; the next logged line says how many were left out.
"""

import logging
import threading
import time
from collections import OrderedDict
from typing import Optional

LINES = 5
SECONDS = 10.0
TOTAL = 200
MAX_ADDRESSES = 2000


class _Window:
    __slots__ = ("began", "suppressed", "logged")

    def __init__(self, now: float) -> None:
        self.began = now
        self.logged = 0
        self.suppressed = 0


class LogLimit:
    """The limit for one listener.  Threads: any."""

    def __init__(self, lines: int = LINES, seconds: float = SECONDS, total: int = TOTAL) -> None:
        self._lines = lines
        self._seconds = seconds
        self._total = total
        # Guards the windows; nothing is logged while it is held.
        self._lock = threading.Lock()
        self._windows: "OrderedDict[str, _Window]" = OrderedDict()
        self._all = _Window(time.monotonic())

    def log(
        self,
        logger: logging.Logger,
        level: int,
        address: str,
        kind: str,
        text: str,
        *args: object,
        lines: int = 0,
    ) -> None:
        """Log *text* with *args* as a line of this *kind* about *address*, if there is room for
        one.  *lines* is the number allowed in the time, if it differs from the default."""
        suffix = self.suffix(address, kind, lines)
        if suffix is not None:
            logger.log(level, text + "%s", *args, suffix)

    def suffix(self, address: str, kind: str, lines: int = 0) -> Optional[str]:
        """``None`` if the line must not be logged; otherwise a suffix for it: empty, or how many
        were left out before it."""
        now = time.monotonic()
        key = "%s %s" % (kind, address)
        with self._lock:
            everyone = self._opened(self._all, now)
            window = self._windows.get(key)
            if window is None:
                window = self._windows[key] = _Window(now)
                while len(self._windows) > MAX_ADDRESSES:
                    self._all.suppressed += self._windows.popitem(last=False)[1].suppressed
            window = self._opened(window, now)
            if window.logged >= (lines or self._lines):
                window.suppressed += 1
                return None
            if everyone.logged >= self._total:
                everyone.suppressed += 1
                return None
            window.logged += 1
            everyone.logged += 1
            texts = []
            if window.suppressed:
                texts.append("%d more like it" % window.suppressed)
            if everyone.suppressed:
                texts.append("%d about other addresses" % everyone.suppressed)
            window.suppressed = everyone.suppressed = 0
        return " (%s not logged)" % " and ".join(texts) if texts else ""

    def _opened(self, window: _Window, now: float) -> _Window:
        if now - window.began >= self._seconds:
            window.began = now
            window.logged = 0
        return window
