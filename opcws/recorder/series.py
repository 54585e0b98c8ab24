"""Decides which values of one variable are recorded.

Rules:

* Every change is recorded, in the order of its arrival, unless a :class:`Rule` reduces them.
* With an interval, the first value is recorded at once, and the latest of each interval when it is
  over: so the value at which a variable comes to rest is never lost.  A deadband leaves out numbers
  that differ less from the last recorded one.  A new status is always recorded at once.
* A *gap* is an entry without a value whose status is Bad: from its time on the value is unknown,
  until the next entry.
* After a reconnect the server sends its present value.  If that is from before the gap, it is
  recorded with the present time, as Interpolated (OPC 10000-11 6.3.2), so that the gap has an end;
  and before that with its own time, unless it was recorded already.
* The next entry after lost values has the Overflow bit.

Threads: a series belongs to the writer's; other threads read ``tail`` and ``base`` with the
writer's lock.
"""

import math
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from ..config.settings import Variable
from ..model import status_codes
from ..model.data_types import DOUBLE, FLOAT, INTEGER_RANGES, DataValue, Variant
from ..wire.notifications import Notification
from .columns import Run

#: Name, plant server and node of a variable: another node is another series.
Key = Tuple[str, str, str]
#: The historian bits of an interpolated value in a Good status.
INTERPOLATED = 0x402
#: ``plain`` of a series whose values must be checked one by one.
NEVER = -1
_NUMBERS = {*INTEGER_RANGES, FLOAT, DOUBLE}


class Rule(NamedTuple):
    """Which values are recorded; 0 means every value."""

    min_interval_ms: float = 0.0
    deadband: float = 0.0


EVERY_VALUE = Rule()


def key_of(variable: Variable) -> Key:
    node = variable.node_text
    if variable.index_range is not None:
        node += " [%s]" % variable.index_range
    return variable.name, variable.server, node


class Series:
    """The recorded entries of one variable of one node.

    ``tail`` has those that are not in a block yet, from the number ``base`` on; the first
    ``journaled`` of them are in the journal, from its row ``since`` on, and take about ``bytes``.
    """

    __slots__ = (
        *("key", "rule", "id", "tail", "base", "journaled", "since", "bytes"),
        *("block_number", "block_count", "journal"),
        *("plain", "lost", "gap", "gap_since", "still", "held", "due", "recorded", "last"),
    )

    def __init__(self, key: Key) -> None:
        self.key = key
        #: ``None`` while it is not recorded.
        self.rule: Optional[Rule] = None
        #: The latest value, recorded or not.
        self.last: Optional[Notification] = None
        self.forget()

    def forget(self) -> None:
        """Forget the state of the file, which will be read again."""
        self.id = 0
        self.tail = Run()
        self.base = 0
        self.journaled = 0
        self.since = 0
        self.bytes = 0
        #: Its newest block, and the row of the journal up to which all entries are in blocks.
        self.block_number = 0
        self.block_count = 0
        self.journal = 0
        #: The status of the present gap, 0 for none, and its time.
        self.gap = 0
        self.gap_since = 0
        #: Whether the last entry is a value from before a gap, recorded again after it.
        self.still = False
        #: Values before the next one were lost.
        self.lost = False
        # The value that waits for the end of the interval, and that end, monotonic; the last
        # recorded value, if it matters.
        self.held: Optional[Tuple[DataValue, Sequence[str]]] = None
        self.due = 0.0
        self.recorded: Optional[DataValue] = None
        self.settle()

    def settle(self) -> None:
        """``plain`` is the built-in type of numbers that are recorded as they come."""
        self.plain = NEVER
        if (
            self.rule == EVERY_VALUE
            and not (self.gap or self.lost or self.still)
            and self.tail.type
        ):
            self.plain = self.tail.type

    def flushed(self, number: int, count: int, journal: int) -> None:
        """Note that the tail is in blocks, the newest of which has *count* entries from *number*
        on."""
        self.base += len(self.tail)
        self.tail = Run()
        self.journaled = self.bytes = 0
        self.block_number, self.block_count, self.journal = number, count, journal
        self.settle()

    # --- what comes -----------------------------------------------------------------------------

    def take(
        self,
        value: DataValue,
        namespaces: Sequence[str],
        arrived: float,
        now: int,
        newest: Callable[["Series"], Run],
    ) -> None:
        """Take *value*, which came at *arrived* (monotonic), *now* in ticks; *newest* reads the
        newest block."""
        if self.rule is None:
            return
        value = _timed(value, now)
        if value.value is None and status_codes.is_bad(value.status):
            self.lose(value)
            return
        if self.still:
            self.still = False
            self._was_so_until(value.source_timestamp)
        if self.gap:
            for each in self._known_again(value, now, newest):
                self._record(each, namespaces)
            self.gap = 0
            self.still = each is not value
        elif self.rule == EVERY_VALUE:
            self._record(value, namespaces)
        else:
            self._sift(self.rule, value, namespaces, arrived)
        self.settle()

    def lose(self, gap: DataValue) -> None:
        """The value is unknown from the time of *gap* on."""
        if self.rule is None or self.gap == gap.status:
            return
        self.release(math.inf)
        self.still = False
        self.gap, self.gap_since = gap.status, gap.moment
        self._record(gap, ())
        self.settle()

    def release(self, moment: float) -> None:
        """Record the held value, if its interval is over at *moment*."""
        if self.held is not None and moment >= self.due:
            value, namespaces = self.held
            self.held = None
            if self._differs(value):
                assert self.rule is not None
                self._record(value, namespaces)
                self.due += self.rule.min_interval_ms / 1000.0

    def _sift(
        self, rule: Rule, value: DataValue, namespaces: Sequence[str], arrived: float
    ) -> None:
        self.release(arrived)
        if self.recorded is None or value.status != self.recorded.status:
            self.release(math.inf)
        elif arrived < self.due:
            self.held = value, namespaces
            return
        elif not self._differs(value):
            return
        self._record(value, namespaces)
        self.due = arrived + rule.min_interval_ms / 1000.0

    def _differs(self, value: DataValue) -> bool:
        """Whether the deadband lets *value* be recorded."""
        before, after = self.recorded, value.value
        if self.rule is None or not self.rule.deadband or before is None or after is None:
            return True
        last = before.value
        if before.status != value.status or not (_is_number(last) and _is_number(after)):
            return True
        assert last is not None
        if last.type != after.type or _same(last.value, after.value):
            return last.type != after.type
        return not abs(after.value - last.value) < self.rule.deadband

    def _record(self, value: DataValue, namespaces: Sequence[str]) -> None:
        if self.lost:
            self.lost = False
            value = value._replace(status=value.status | status_codes.OVERFLOW)
        if self.rule != EVERY_VALUE:
            self.recorded = value
        self.tail.add(value, namespaces)

    # --- behind a gap ---------------------------------------------------------------------------

    def _known_again(
        self, value: DataValue, now: int, newest: Callable[["Series"], Run]
    ) -> List[DataValue]:
        """The entries to record for *value*, which ends a gap."""
        if not value.source_timestamp:
            return [value]
        status = value.status & 0xFFFF0000 | INTERPOLATED
        still = value._replace(status=status, source_timestamp=max(now, self.gap_since))
        before = _last_value(self.tail) or _last_value(newest(self))
        if (
            before is not None
            and value.source_timestamp <= before.source_timestamp
            and not (value.status ^ before.status) & 0xFFFF0000
            and _equal(value.value, before.value)
        ):
            return [still]
        # A value from before the gap does not end it.
        return [value, still] if value.source_timestamp <= self.gap_since else [value]

    def _was_so_until(self, moment: int) -> None:
        """Note that the last entry was valid until the next value, of the time *moment*: both may
        have come in one notification, and be older than its arrival."""
        sources = self.tail.sources
        if len(sources) > self.journaled and self.gap_since < moment <= sources[-1]:
            sources[-1] = max(self.gap_since, moment - 1)


def _timed(value: DataValue, now: int) -> DataValue:
    """*value* with a timestamp; adds one if it has none."""
    source, server = max(value.source_timestamp, 0), max(value.server_timestamp, 0)
    if not source and not server:
        server = now
    if source == value.source_timestamp and server == value.server_timestamp:
        return value
    return value._replace(source_timestamp=source, server_timestamp=server)


def _last_value(run: Run) -> Optional[DataValue]:
    """The last entry of *run* that is no gap."""
    for place in reversed(range(len(run))):
        if run.texts.get(place) != b"" or not status_codes.is_bad(run.statuses.get(place, 0)):
            return run.data_values([place], [])[0]
    return None


def _is_number(variant: Optional[Variant]) -> bool:
    return variant is not None and variant.type in _NUMBERS and not variant.is_array


def _same(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)


def _equal(one: Optional[Variant], other: Optional[Variant]) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (_is_number(one) and one.type == other.type and _same(one[1], other[1]))
