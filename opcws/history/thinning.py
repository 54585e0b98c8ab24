"""Reduces the values of a period to a number of points for a chart.  Pure.

Rules:

* The period is divided into as many buckets as there may be pairs of points.  The lowest and the
  highest value of each bucket stay, and its last gap; of the whole the first and the last entry.
  So a chart of this width loses no extreme and no break in its line.
* A *gap* is an entry that breaks the line: Bad, without a value, or NaN. For values without an
  order (texts, arrays) the first and the last of each bucket stay instead of the extremes.
* If gaps make it too many, pairs of neighbouring buckets are merged, as often as needed.
* Memory is bounded by the number of points, for any number and order of values.

Largest-Triangle-Three-Buckets, which other charts use, loses extremes, so none of its libraries
was taken.
"""

from bisect import bisect_left
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Protocol, Sequence, Tuple

from ..model import status_codes
from ..model.data_types import BOOLEAN, DOUBLE, FLOAT, DataValue, Variant
from .joining import with_namespaces


class Columns(Protocol):
    """Entries of one variable, in the order of their arrival.

    ``times`` are ticks of 100 ns since 1601, ``statuses`` StatusCodes.  ``values`` are numbers of
    the built-in ``type`` (meaningless for an entry with a Bad status); or, if ``type`` is 0,
    Variants, or ``None`` for no value, with indexes into ``namespaces``.
    """

    @property
    def type(self) -> int: ...

    @property
    def times(self) -> Sequence[int]: ...

    @property
    def values(self) -> Sequence[Any]: ...

    @property
    def statuses(self) -> Sequence[int]: ...

    @property
    def namespaces(self) -> Sequence[str]: ...


class _Kept(NamedTuple):
    """An entry: its time and number, its sort key, and itself."""

    time: int
    number: int
    order: Any
    value: DataValue


class _Bucket:
    """The entries that stay of a bucket."""

    __slots__ = ("low", "high", "gap")

    def __init__(self) -> None:
        self.low: Optional[_Kept] = None
        self.high: Optional[_Kept] = None
        self.gap: Optional[_Kept] = None

    def add(self, low: _Kept, high: _Kept) -> None:
        if self.low is None or low.order < self.low.order:
            self.low = low
        if self.high is None or high.order > self.high.order:
            self.high = high

    def add_gap(self, gap: _Kept) -> None:
        if self.gap is None or gap[:2] > self.gap[:2]:
            self.gap = gap

    def take(self, other: "_Bucket") -> None:
        if other.low is not None and other.high is not None:
            self.add(other.low, other.high)
        if other.gap is not None:
            self.add_gap(other.gap)

    def kept(self) -> List[_Kept]:
        return [each for each in (self.low, self.high, self.gap) if each is not None]


class Thinning:
    """Takes entries from the tick *start* on, and returns at most *most* of them.  *end* is about
    the time of the last.  ``namespaces`` are those of the indexes in the result."""

    def __init__(self, most: int, start: int, end: int) -> None:
        self.namespaces: List[str] = []
        self._most = most
        self._most_buckets = max(1, (most - 2) // 2)
        # The buckets begin with the first entry; there is nothing to show before it.
        self._start, self._end = start, end
        self._width = 0
        self._count = 0
        self._first: Optional[_Kept] = None
        self._last: Optional[_Kept] = None
        # All entries, as long as they are not too many; then the buckets by number.
        self._all: List[_Kept] = []
        self._buckets: Dict[int, _Bucket] = {}

    def add(self, values: Sequence[DataValue], namespaces: Sequence[str] = ()) -> None:
        """Take *values* with indexes into *namespaces*."""
        for value in with_namespaces(values, namespaces, self.namespaces):
            self._take(_Kept(value.moment, self._count, _order(value), value))

    def add_columns(self, columns: Columns) -> None:
        """Take *columns*, without an object for each entry."""
        times, values, statuses = columns.times, columns.values, columns.statuses
        if len(self._all) + len(times) <= self._most and not self._buckets or not columns.type:
            self._add_places(columns, range(len(times)))
            return
        if not len(times):
            return
        self._begin(times[0])
        self._spread()
        ordered = list(times) == sorted(times)
        place = 0
        while place < len(times):
            if not ordered:
                end = place + 1
            else:
                end = bisect_left(times, self._end_of(self._number(times[place])), place + 1)
            part = values[place:end]
            total = sum(part) if columns.type in (FLOAT, DOUBLE) else 0
            if max(statuses[place:end]) >= _BAD or total != total:
                self._add_places(columns, range(place, end))
                self._spread()
            else:
                self._take_part(columns, place, part)
            place = end

    def _add_places(self, columns: Columns, places: Iterable[int]) -> None:
        self.add([_data_value(columns, place) for place in places], columns.namespaces)

    def _begin(self, time: int) -> None:
        """An entry of *time* comes."""
        if not self._width:
            self._start = max(self._start, time)
            self._end = max(self._start, self._end)
            self._width = (self._end - self._start) // self._most_buckets + 1

    def _take_part(self, columns: Columns, place: int, part: Sequence[Any]) -> None:
        """Take the entries of one bucket from index *place* on; they are numbers with rising
        times."""
        lowest, highest = min(part), max(part)
        last = len(part) - 1

        def kept(index: int) -> _Kept:
            value = _data_value(columns, place + index)
            return _Kept(columns.times[place + index], self._count + index, part[index], value)

        self._note(kept(0))
        if last:
            self._note(kept(last))
        bucket = self._bucket(columns.times[place])
        low, high = bucket.low, bucket.high
        if low is None or high is None or lowest < low.order or highest > high.order:
            bucket.add(kept(part.index(lowest)), kept(part.index(highest)))
        self._count += len(part)

    def _take(self, entry: _Kept) -> None:
        self._count += 1
        self._begin(entry.time)
        self._note(entry)
        if self._buckets or len(self._all) >= self._most:
            self._spread()
            self._into_bucket(entry)
        else:
            self._all.append(entry)

    def _note(self, entry: _Kept) -> None:
        if self._first is None or entry[:2] < self._first[:2]:
            self._first = entry
        if self._last is None or entry[:2] > self._last[:2]:
            self._last = entry

    def _spread(self) -> None:
        """Change to buckets: there are too many entries to keep them all."""
        entries, self._all = self._all, []
        for entry in entries:
            self._into_bucket(entry)

    def _number(self, time: int) -> int:
        """The number of the bucket of *time*.  Clocks may be wrong: a time before all buckets
        belongs to the first, one slightly after them to the last; for later ones the buckets become
        wider."""
        last = self._most_buckets - 1
        number = (time - self._start) // self._width
        while number > last + (last + 8) // 8:
            self._width *= 2
            self._buckets = _halved(self._buckets)
            number //= 2
        return min(max(number, 0), last)

    def _end_of(self, number: int) -> int:
        """About the end of the bucket *number*."""
        return self._start + (number + 1) * self._width

    def _bucket(self, time: int) -> _Bucket:
        number = self._number(time)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = _Bucket()
        return bucket

    def _into_bucket(self, entry: _Kept) -> None:
        bucket = self._bucket(entry.time)
        if entry.order is None:
            bucket.add_gap(entry)
        else:
            bucket.add(entry, entry)

    def values(self) -> List[DataValue]:
        """The entries that stay, oldest first."""
        if self._first is None or self._last is None:
            return []
        if not self._buckets:
            return [each.value for each in sorted(self._all, key=_place)]
        buckets = self._buckets
        ends = {_place(each): each for each in (self._first, self._last)}
        while True:
            kept = dict(ends)
            for bucket in buckets.values():
                kept.update((_place(each), each) for each in bucket.kept())
            if len(kept) <= self._most:
                break
            if len(buckets) == 1:
                return self._some(ends, kept)
            buckets = _halved(buckets)
        return [kept[place].value for place in sorted(kept)]

    def _some(
        self, ends: Dict[Tuple[int, int], _Kept], kept: Dict[Tuple[int, int], _Kept]
    ) -> List[DataValue]:
        """*ends*, and as many of *kept* as there is room for."""
        some = dict(list({**ends, **kept}.items())[: self._most])
        return [some[place].value for place in sorted(some)]


def _place(entry: _Kept) -> Tuple[int, int]:
    return entry[:2]


def _halved(buckets: Dict[int, _Bucket]) -> Dict[int, _Bucket]:
    """Merges each pair of neighbouring *buckets*."""
    halved: Dict[int, _Bucket] = {}
    for number, bucket in buckets.items():
        halved.setdefault(number // 2, _Bucket()).take(bucket)
    return halved


_BAD = 0x80000000


def _order(value: DataValue) -> Any:
    """The sort key of *value*; ``None`` for a gap."""
    variant = value.value
    if variant is None or status_codes.is_bad(value.status):
        return None
    number = variant.value
    if variant.is_array or not isinstance(number, (int, float)):
        return value.moment  # the first and the last of a bucket
    return None if number != number else number


def _data_value(columns: Columns, place: int) -> DataValue:
    value, status = columns.values[place], columns.statuses[place]
    if columns.type:
        if columns.type == BOOLEAN:
            value = bool(value)
        value = None if status >= _BAD else Variant(columns.type, value)
    return DataValue(value, status, columns.times[place])
