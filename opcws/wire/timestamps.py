"""Times as text and back: ticks of 100 ns since 1601 (OPC 10000-6 5.2.2.5) and ISO 8601.

``datetime`` has only microseconds, begins in the year 1, and reads ISO 8601 only since Python 3.11;
so this module handles the fraction of a second itself.

Pure.
"""

import re
from datetime import datetime, timedelta
from typing import Dict

from ..model.data_types import EPOCH_S, TICKS_PER_SECOND

_SECOND = 10**7  # ticks of 100 ns
_EPOCH = datetime(1601, 1, 1)
_NO_TIME = "0001-01-01T00:00:00Z"
_END_OF_TIME = "9999-12-31T23:59:59Z"
_LAST_SECOND = (datetime(9999, 12, 31, 23, 59, 59) - _EPOCH) // timedelta(seconds=1)
_LAST_TICK = 2**63 - 1

# Neighbouring values have neighbouring times.  Threads may share this without a lock: each access
# is one step of the interpreter, and in a race it is filled twice at worst.
_seconds: Dict[int, str] = {}
_MAX_SECONDS = 4096


def timestamp_text(ticks: int) -> str:
    """ISO 8601 in UTC of *ticks* of 100 ns since 1601-01-01, with 0 to 7 fractional digits.

    OPC 10000-6 5.4.2.6: no time is ``0001-01-01T00:00:00Z``, every time from the last second of the
    year 9999 on is ``9999-12-31T23:59:59Z``.
    """
    if ticks <= 0:
        return _NO_TIME
    second, fraction = divmod(ticks, _SECOND)
    text = _seconds.get(second)
    if text is None:
        if second >= _LAST_SECOND:
            return _END_OF_TIME
        if len(_seconds) >= _MAX_SECONDS:
            _seconds.clear()
        text = _seconds[second] = (_EPOCH + timedelta(seconds=second)).isoformat()
    if fraction:
        return ("%s.%07d" % (text, fraction)).rstrip("0") + "Z"
    return text + "Z"


def utc_text(seconds: float) -> str:
    """ISO 8601 in UTC of the clock's *seconds* since 1970-01-01, to the millisecond."""
    return timestamp_text(EPOCH_S * TICKS_PER_SECOND + int(seconds * 1000.0) * 10_000)


_TIME = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})-([0-9]{2})|([0-9]{2})([0-9]{2}))"
    r"(?:[Tt ]([0-9]{2})(?::([0-9]{2})(?::([0-9]{2}))?|([0-9]{2})([0-9]{2})?)(?:[.,]([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


class TimeOutOfRange(ValueError):
    """A time that ticks cannot represent."""


def parse_timestamp(text: str) -> int:
    """Ticks of 100 ns since 1601-01-01 UTC of an ISO 8601 time, basic or extended.

    A date alone means its midnight; a time without offset is UTC.  The two ends of time of
    :func:`timestamp_text` are read as 0 and as the largest Int64 (OPC 10000-6 5.2.2.5).
    Raises :exc:`ValueError` with a sentence that says what is wrong.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("expected a time such as '2026-11-22T10:00:00.5Z', got " + _shown(text))
    year, month, day, month_b, day_b, hour, minute, second, minute_b, second_b, digits, zone = (
        match.groups()
    )
    second = second or second_b
    if digits and not second:
        raise ValueError("expected seconds before the fraction, got " + _shown(text))
    if second == "60":
        raise TimeOutOfRange("OPC UA has no leap second, got " + _shown(text))
    fraction = (digits or "").rstrip("0")
    if len(fraction) > 7:
        raise TimeOutOfRange("times go down to 100 ns (7 digits), got " + _shown(text))
    try:
        moment = datetime(
            int(year),
            int(month or month_b),
            int(day or day_b),
            int(hour or 0),
            int(minute or minute_b or 0),
            int(second or 0),
        )
    except ValueError as error:
        raise TimeOutOfRange("%s, got %s" % (error, _shown(text))) from None
    ticks = (moment - _EPOCH) // timedelta(seconds=1) * _SECOND + int(fraction.ljust(7, "0"))
    if zone and zone not in "Zz":
        offset = int(zone[1:3]) * 60 + int(zone[3:].lstrip(":") or 0)
        if offset >= 24 * 60 or int(zone[3:].lstrip(":") or 0) > 59:
            raise TimeOutOfRange("the offset must be less than a day, got " + _shown(text))
        ticks += (offset if zone[0] == "-" else -offset) * 60 * _SECOND
    if ticks >= _LAST_SECOND * _SECOND:
        return _LAST_TICK
    if ticks < 0:
        if moment == datetime.min and not fraction:
            return 0
        raise TimeOutOfRange("OPC UA's time begins in 1601, got " + _shown(text))
    return ticks


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 50 else repr(text[:50]) + "..."
