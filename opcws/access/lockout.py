"""Brute force is slowed: after some wrong credentials an address has to wait, longer each time.

Pure: the caller brings the clock, and a lock around every call.  Rules:

* The first ``limits.wrong_credentials`` of an address cost nothing: people mistype.
* Whoever is being looked at counts as wrong until it is known: no more of an address are looked at
  at the same time than may still be wrong, and the next ones wait in line for what comes of them.
* From then on each wrong one doubles the wait, from ``lockout_min_s`` to ``lockout_max_s``; while
  an address waits no credential of it is looked at, and behind the wait one attempt is, at a time.
* A right one ends no wait that a wrong one began: an attacker may own one good credential, and
  share an address with good people.
* One wrong credential is forgiven each ``lockout_max_s``, so that no patience buys a new start.
* As many addresses are remembered as fit into :data:`MAX_ADDRESSES`; the one that has been quiet
  for the longest time is forgotten first.
"""

from collections import OrderedDict
from typing import NamedTuple

from ..config.settings import Limits

MAX_ADDRESSES = 10000


class Turn(NamedTuple):
    """Whether an attempt may be made now: *wait* is 0, or the seconds until it may.  *alone* says
    that others wait until its end is told; *in_line* that it may not, before the end of another
    one is told; *counted* that it counts as wrong until then."""

    wait: float
    alone: bool = False
    in_line: bool = False
    counted: bool = False


#: A turn that nothing depends on.
FREE = Turn(0.0)


class _Record:
    __slots__ = ("counted_at", "judged", "until", "wrong")

    def __init__(self, now: float) -> None:
        self.wrong = 0
        # How many are being looked at.
        self.judged = 0
        # When `wrong` was right: the forgiving goes on from here.
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
        """The attempt of *turn* was no wrong credential."""
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
