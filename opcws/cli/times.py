"""Times and spans of time as a person types them."""

import re
from datetime import datetime, timedelta

from ..client import time_text
from ..model.text import clean
from ..wire.timestamps import parse_timestamp, timestamp_text
from .names import UsageProblem

_AGO = re.compile(r"-?([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|m|h|d|w)(?:\s+ago)?", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_ZONE = re.compile(r"[Tt ].*(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)\Z")
_BEGIN = datetime(1601, 1, 1)


def seconds(text: str) -> float:
    """A span such as ``90s``, ``15m``, ``12h``, ``7d``.  Raises :exc:`UsageProblem`."""
    found = _AGO.fullmatch(text.strip())
    if found is None:
        raise UsageProblem("expected a time span such as 90s, 15m, 12h or 7d, got %s" % clean(text))
    return float(found[1]) * _SECONDS[found[2].lower()]


def when(text: str, now: datetime) -> str:
    """A moment that a person types, as ISO 8601 in UTC: ``now``, ``15m`` (so long ago), ``10:30``
    (today), ``2026-11-22``, ``2026-11-22 10:30``; local time unless there is an offset or ``Z``.

    *now* is aware of its zone.  Raises :exc:`UsageProblem`.
    """
    text = text.strip()
    if text.lower() == "now":
        return time_text(now)
    if _AGO.fullmatch(text):
        try:
            return time_text(now - timedelta(seconds=seconds(text)))
        except OverflowError:
            raise UsageProblem("%s is longer ago than any history can be" % clean(text)) from None
    clock = _CLOCK.fullmatch(text)
    try:
        if clock is not None:
            hour, minute, second = (int(each or 0) for each in clock.groups())
            local = now.replace(tzinfo=None)
            local = local.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return time_text(local)
        ticks = parse_timestamp(text)
        if _ZONE.search(text):
            return timestamp_text(ticks)
        return time_text(_BEGIN + timedelta(microseconds=ticks // 10))
    except (ValueError, OverflowError, OSError):
        raise UsageProblem(
            "expected a time such as 2026-11-22T10:30:00, 10:30, 15m (so long ago) or now, got %s"
            % clean(text)
        ) from None
