"""Slows down brute force: after some wrong credentials an address must wait, longer each time.

Pure: the caller brings the clock, and a lock around every call.  Rules:

* The first ``limits.wrong_credentials`` of an address cost nothing: people mistype.
* An attempt counts as wrong until its result is known: an address may make as many attempts at the
  same time as may still be wrong, and further ones wait for their results.
* After that each wrong one doubles the wait, from ``lockout_min_s`` to ``lockout_max_s``.  While an
  address waits, its credentials are not checked; after the wait it may make one attempt at a time.
* A right credential does not end a wait: an attacker may have one of his own, or share an address
  with good people.
* One wrong credential is forgotten after each ``lockout_max_s``, so that a pause does not clear all
  of them.
* At most :data:`MAX_ADDRESSES` addresses are remembered; the one that was quiet for the longest
  time is forgotten first.
"""

from collections import OrderedDict
from typing import NamedTuple

from ..config.settings import Limits

MAX_ADDRESSES = 10000


class Turn(NamedTuple):
    """Whether an attempt may be made now: *wait* is 0, or the seconds until it may.  With *alone*
    others wait for its result; with *in_line* it must itself wait for the result of another one;
    with *counted* it counts as wrong until its result is known."""

    wait: float
    alone: bool = False
    in_line: bool = False
    counted: bool = False


#: A turn without a limit.
FREE = Turn(0.0)


class _Record:
    __slots__ = ("counted_at", "judged", "until", "wrong")

    def __init__(self, now: float) -> None:
        self.wrong = 0
        # How many attempts are being checked.
        self.judged = 0
        # When `wrong` was last up to date: forgetting continues from here.
        self.counted_at = now
        self.until = now


class Lockout:
    """Wrong credentials per address (as :func:`opcws.model.addresses.counted_as` writes it)."""

    def __init__(self, max_addresses: int = MAX_ADDRESSES) -> None:
        self._max_addresses = max_addresses
        self._records: "OrderedDict[str, _Record]" = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def attempt(self, address: str, now: float, limits: Limits) -> Turn:
        """*address* presents a credential at *now* (seconds on any clock that runs forward)."""
        if not limits.wrong_credentials:
            return Turn(0.0)
        record = self._record(address, now)
        self._forgive(record, now, limits)
        if record.wrong + record.judged < limits.wrong_credentials:
            record.judged += 1
            return Turn(0.0, counted=True)
        if record.wrong < limits.wrong_credentials:
            return Turn(0.0, in_line=True)
        if now < record.until:
            return Turn(record.until - now)
        record.until = now + self._wait(record, limits)
        return Turn(0.0, True)

    def wrong(self, address: str, now: float, limits: Limits, turn: Turn = FREE) -> float:
        """The credential of *turn* was wrong; returns the seconds that *address* has to wait."""
        if not limits.wrong_credentials:
            return 0.0
        record = self._record(address, now)
        record.judged = max(0, record.judged - turn.counted)
        record.wrong += 1
        record.counted_at = now
        if record.wrong < limits.wrong_credentials:
            return 0.0
        record.until = max(record.until, now + self._wait(record, limits))
        return record.until - now

    def right(self, address: str, now: float, turn: Turn) -> None:
        """The credential of *turn* was right, or was not checked."""
        record = self._records.get(address)
        if record is None:
            return
        if turn.alone:
            record.until = now
        record.judged = max(0, record.judged - turn.counted)
        if not record.judged and not record.wrong:
            del self._records[address]

    def _record(self, address: str, now: float) -> _Record:
        record = self._records.get(address)
        if record is None:
            record = self._records[address] = _Record(now)
            while len(self._records) > self._max_addresses:
                self._records.popitem(last=False)
        self._records.move_to_end(address)
        return record

    def _wait(self, record: _Record, limits: Limits) -> float:
        doubled = min(record.wrong - limits.wrong_credentials, 60)
        return min(limits.lockout_max_s, limits.lockout_min_s * 2.0**doubled)

    def _forgive(self, record: _Record, now: float, limits: Limits) -> None:
        times = int((now - record.counted_at) / limits.lockout_max_s)
        if times > 0:
            record.wrong = max(0, record.wrong - times)
            record.counted_at += times * limits.lockout_max_s
