"""The aggregates of OPC 10000-13, computed from raw values.  Pure.

An aggregate makes one value of each *interval*.  When time flows forwards, an interval contains its
start and not its end; when it flows backwards, the later of its two times and not the earlier.

Terms of the standard:

* **Usable** is a value that is not Bad; an Uncertain one is Bad where ``treat_uncertain_as_bad``
  says so.  A value that is not a number (a text, an array, NaN) is Bad for an aggregate that
  computes.
* The **data** reach from the first raw value to the last.  An interval that reaches beyond them is
  *partial*; one outside has ``BadNoData``.  With BadNoData and BadBoundNotFound a server says that
  it has no value; such values do not count as data.
* An **interpolated bound** (3.1.8) skips Bad values and uses the nearest usable ones; a **simple
  bound** (3.1.9) takes the nearest values as they are.
* The last value has held for one unit of the time resolution (5.4.2.4), the millisecond of the
  standard's examples; or until *known_until*, if the source of the values knows better.

Where the text of the standard and its tables of examples (annex A) contradict each other, the text
decides; the tests contain the tables, and give the reason for each such cell.

No Python package was found that computes these from given values.
"""

import math
from bisect import bisect_left, bisect_right
from operator import add
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..model import status_codes
from ..model.data_types import (
    BOOLEAN,
    DOUBLE,
    INT32,
    INT64,
    INTEGER_RANGES,
    TICKS_PER_SECOND,
    TYPE_NAMES,
    DataValue,
    Variant,
)
from ..model.errors import ServiceError

_GOOD = 0
_BAD = status_codes.code("Bad")
_NO_DATA = status_codes.code("BadNoData")
_SUB_NORMAL = status_codes.code("UncertainDataSubNormal")
_NO_NUMBER = status_codes.code("BadTypeMismatch")
_NOT_DATA = (_NO_DATA, status_codes.code("BadBoundNotFound"))

# The historian bits of a StatusCode, with the InfoType that announces them (OPC 10000-4 7.39.1, OPC
# 10000-11 6.3.2).
_CALCULATED = 0x401
_INTERPOLATED = 0x402
_PARTIAL = 0x404
_MULTI_VALUE = 0x410

_TICKS_PER_MS = TICKS_PER_SECOND // 1000
#: One unit of the time resolution, in ticks.
_RESOLUTION = _TICKS_PER_MS


class AggregateConfiguration(NamedTuple):
    """How to treat Uncertain and Bad data (OPC 10000-13 4.2.1.2), with the standard's defaults."""

    treat_uncertain_as_bad: bool = True
    percent_data_bad: int = 100
    percent_data_good: int = 100
    use_sloped_extrapolation: bool = False


DEFAULT = AggregateConfiguration()


class _Point(NamedTuple):
    """A raw value or a bound.  ``sloped``: a line can begin here; a Boolean only steps."""

    time: int
    status: int
    usable: bool = False
    value: Optional[Variant] = None
    number: float = 0.0
    sloped: bool = False


class _Interval(NamedTuple):
    """``moment``, its timestamp, is one of its two times.  ``first`` and ``last`` are the slice of
    the raw values inside; ``bits`` has the Partial bit if it is partial."""

    early: int
    late: int
    moment: int
    first: int
    last: int
    bits: int
    has_data: bool


def processed(
    aggregate: str,
    values: Sequence[DataValue],
    start: int,
    end: int,
    interval: int,
    stepped: bool,
    configuration: AggregateConfiguration = DEFAULT,
    known_until: int = 0,
) -> List[DataValue]:
    """The value of *aggregate*, a name of :data:`INTERVAL_AGGREGATES`, for each interval from
    *start* to *end* (OPC 10000-13 5.4.2.2).

    All times are ticks of 100 ns.  *interval* is the ProcessingInterval, 0 for a single interval;
    the last interval is shorter if it does not divide the range.  With *start* later than *end*
    time flows backwards, and the latest interval is the first.

    *values* are the raw values, oldest first.  For correct results of a page of intervals they must
    include two usable values before it and one after it, if these exist, and all values in
    between.  *stepped*: a value holds until the next one; otherwise it changes in a line.
    *known_until*: the last of *values* has held until then.

    A result has only a SourceTimestamp: the start of the interval, or for Start, End and the
    ``ActualTime`` aggregates that of the raw value.  Takes linear time.

    Raises :exc:`~opcws.model.errors.ServiceError`: BadInvalidArgument if *start* is *end*,
    BadAggregateInvalidInputs for contradictory percentages, and BadAggregateNotSupported if the
    aggregate computes and none of the values is a number.
    """
    _check(start, end, configuration)
    calculate, numeric = _AGGREGATES[aggregate]
    data = _Data(values, numeric, stepped, configuration, known_until)
    if numeric and data.other_type and not any(point.usable for point in data.points):
        raise _no_numbers(aggregate, data.other_type)
    return [
        calculate(data, each)
        if each.has_data or calculate is _interpolative
        else DataValue(None, _NO_DATA, each.moment)
        for each in data.intervals(start, end, interval)
    ]


class LongInterval:
    """The value of *aggregate* for one interval from *start* to *end* with too many values to hold
    at once: they come in parts, in the direction of time.  The result is that of :func:`processed`
    for all of them; the arguments are the same.
    """

    def __init__(
        self,
        aggregate: str,
        start: int,
        end: int,
        interval: int,
        stepped: bool,
        configuration: AggregateConfiguration = DEFAULT,
        known_until: int = 0,
    ) -> None:
        _check(start, end, configuration)
        self._aggregate = aggregate
        self._start, self._end, self._interval = start, end, interval
        self._stepped = stepped
        self._configuration = configuration
        self._known_until = known_until
        self._forwards = end > start
        # The time up to which values were taken; their sums; and the values before and in the
        # interval that matter one by one.
        self._reached = start
        self._sums: _Sums = ()
        self._before: List[DataValue] = []
        self._telling: List[DataValue] = []
        self._type = 0
        self._numbers = False

    def take(self, values: Sequence[DataValue]) -> List[DataValue]:
        """Take as many of *values* as possible: the next ones in the direction of time, at first
        with those before the interval.  Returns the rest, to which the caller adds the next
        ones."""
        data = self._in_order(values)
        ordered = data.raw if self._forwards else data.raw[::-1]
        points = data.points if self._forwards else data.points[::-1]
        usable = [place for place, point in enumerate(points) if point.usable]
        # The computation needs the values next to a part, and a part must end at a time with one
        # value.
        for number in range(len(usable) - 3, 1, -1):
            place = usable[number]
            before, until, behind = (each.time for each in points[place - 1 : place + 2])
            if before != until != behind and self._is_before(until, self._end):
                if not self._is_before(self._reached, until):
                    break
                self._add(data, until)
                return ordered[usable[number - 2] :]
        return ordered

    def result(self, values: Sequence[DataValue]) -> DataValue:
        """The value; *values* are the rest, and those after the interval."""
        rest = self._in_order(values)
        self._add(rest, self._end)
        calculate, numeric = _AGGREGATES[self._aggregate]
        if numeric and self._type and not self._numbers:
            raise _no_numbers(self._aggregate, self._type)
        behind = [each for each in rest.raw if not self._is_before(_time(each), self._end)]
        edges = [self._before, self._telling, behind][:: 1 if self._forwards else -1]
        data = self._data([value for part in edges for value in part])
        (each,) = data.intervals(self._start, self._end, self._interval)
        if not each.has_data and calculate is not _interpolative:
            return _no_data(each)
        if isinstance(calculate, _Added):
            return calculate.told(data, each, self._sums)
        return calculate(data, each)

    def _in_order(self, values: Sequence[DataValue]) -> "_Data":
        """*values* in the order of time."""
        return self._data(values if self._forwards else values[::-1])

    def _data(self, values: Sequence[DataValue]) -> "_Data":
        numeric = _AGGREGATES[self._aggregate][1]
        return _Data(values, numeric, self._stepped, self._configuration, self._known_until)

    def _is_before(self, one: int, other: int) -> bool:
        return one < other if self._forwards else one > other

    def _add(self, data: "_Data", until: int) -> None:
        """Take the values up to *until*."""
        early, late = min(self._reached, until), max(self._reached, until)
        find = bisect_left if self._forwards else bisect_right
        each = _Interval(early, late, 0, find(data.times, early), find(data.times, late), 0, True)
        if self._reached == self._start:
            self._before = data.raw[: each.first] if self._forwards else data.raw[each.last :]
        self._reached = until
        self._type = self._type or data.other_type
        self._numbers = self._numbers or any(point.usable for point in data.points)
        calculate = _AGGREGATES[self._aggregate][0]
        if isinstance(calculate, _Added) and data.times:
            sums = calculate.sums(data, each)
            self._sums = tuple(map(add, self._sums, sums)) if self._sums else sums
        told = data.telling(each.first, each.last)
        both = self._data([*self._telling, *told] if self._forwards else [*told, *self._telling])
        self._telling = both.telling(0, len(both.raw))


def _check(start: int, end: int, configuration: AggregateConfiguration) -> None:
    if start == end:
        raise ServiceError("the start and the end are the same time", "BadInvalidArgument")
    good, bad = configuration.percent_data_good, configuration.percent_data_bad
    if not (0 <= good <= 100 and 0 <= bad <= 100 and good + bad >= 100):
        raise ServiceError(
            "PercentDataGood and PercentDataBad are at most 100 each, and at least 100 together",
            "BadAggregateInvalidInputs",
        )


def _no_numbers(aggregate: str, type_id: int) -> ServiceError:
    return ServiceError(
        "%s needs numbers, but the values are of the type %s"
        % (aggregate, TYPE_NAMES.get(type_id, "unknown")),
        "BadAggregateNotSupported",
    )


class _Data:
    """The raw values of one call, and the values between them."""

    def __init__(
        self,
        values: Sequence[DataValue],
        numeric: bool,
        stepped: bool,
        configuration: AggregateConfiguration,
        known_until: int,
    ) -> None:
        self.stepped = stepped
        self.configuration = configuration
        self.known_until = known_until
        #: The type of a usable value that should be a number and is not; 0 if there is none.
        self.other_type = 0
        self.raw = [
            value
            for value in sorted(values, key=_time)
            if _time(value) and value.status & 0xFFFF0000 not in _NOT_DATA
        ]
        self.points = [self._point(value, numeric) for value in self.raw]
        self.times = [point.time for point in self.points]
        # For each point the index of the last usable one up to it, and of the first from it on; or
        # -1.
        self._before: List[int] = []
        latest = -1
        for index, point in enumerate(self.points):
            latest = index if point.usable else latest
            self._before.append(latest)
        self._after = [-1] * len(self.points)
        nearest = -1
        for index in reversed(range(len(self.points))):
            nearest = index if self.points[index].usable else nearest
            self._after[index] = nearest

    def _point(self, value: DataValue, numeric: bool) -> _Point:
        status, variant = value.status, value.value
        number = _number(variant)
        usable = not status_codes.is_bad(status) and not (
            self.configuration.treat_uncertain_as_bad and status_codes.is_uncertain(status)
        )
        if numeric and number is None:
            if usable and variant is not None:
                self.other_type = variant.type
            status, usable = _NO_NUMBER, False
        sloped = number is not None and variant is not None and variant.type != BOOLEAN
        return _Point(
            _time(value), status, usable, variant, 0.0 if number is None else number, sloped
        )

    def intervals(self, start: int, end: int, interval: int) -> Iterator[_Interval]:
        times = self.times
        forwards = end > start
        width = interval or abs(end - start)
        find = bisect_left if forwards else bisect_right
        for passed in range(0, abs(end - start), width):
            if forwards:
                early, late = start + passed, min(start + passed + width, end)
            else:
                early, late = max(start - passed - width, end), start - passed
            first, last = find(times, early), find(times, late)
            has_data = (
                first < last or 0 < first < len(times) or (0 < first and early < self.known_until)
            )
            whole = (
                has_data
                and times[0] <= early
                and late <= max(times[-1], self.known_until)
                and late - early == width
            )
            moment = early if forwards else late
            yield _Interval(early, late, moment, first, last, 0 if whole else _PARTIAL, has_data)

    def end(self, each: _Interval) -> int:
        """The end of the interval, or of the data in it."""
        return min(each.late, max(self.times[-1] + _RESOLUTION, self.known_until))

    def interpolated(self, moment: int, stepped: bool) -> _Point:
        """The interpolated bound at *moment* (3.1.8)."""
        index = bisect_right(self.times, moment)
        place = self._before[index - 1] if index else -1
        if place < 0:
            return _Point(moment, _NO_DATA)
        before = self.points[place]
        if before.time == moment:
            return before
        at_end = index == len(self.points)
        known = not at_end or moment <= self.known_until
        good = place == index - 1 and status_codes.is_good(before.status)
        if stepped or not before.sloped:
            return self._bound(moment, good and known, before)
        behind = -1 if at_end else self._after[index]
        if behind >= 0:
            after = self.points[behind]
            good = good and behind == index and status_codes.is_good(after.status)
            return self._bound(moment, good, before, after)
        if at_end and known:
            return self._bound(moment, good, before)
        earlier = self._before[place - 1] if place else -1
        if self.configuration.use_sloped_extrapolation and earlier >= 0:
            return self._bound(moment, False, before, self.points[earlier])
        return self._bound(moment, False, before)

    def simple(self, moment: int) -> _Point:
        """The simple bound at *moment* (3.1.9)."""
        index = bisect_right(self.times, moment)
        before = self.points[index - 1] if index else _Point(moment, _NO_DATA)
        at_end = index == len(self.points)
        if not before.usable or (at_end and moment > max(before.time, self.known_until)):
            return _Point(moment, _NO_DATA)
        if before.time == moment:
            return before
        good = status_codes.is_good(before.status)
        if self.stepped or not before.sloped or at_end:
            return self._bound(moment, good, before)
        after = self.points[index]
        if not after.usable:
            return self._bound(moment, False, before)
        return self._bound(moment, good and status_codes.is_good(after.status), before, after)

    def _bound(
        self, moment: int, good: bool, before: _Point, other: Optional[_Point] = None
    ) -> _Point:
        """The value at *moment* on the line through *before* and *other*, or on the step of
        *before* if there is no line."""
        status = (_GOOD if good else _SUB_NORMAL) | _INTERPOLATED
        if other is None or not other.sloped or other.time == before.time or before.value is None:
            return before._replace(time=moment, status=status)
        slope = (other.number - before.number) / (other.time - before.time)
        number = before.number + (moment - before.time) * slope
        value = _of_type(before.value.type, number)
        return _Point(moment, status, True, value, number, True)

    def status(self, good: float, bad: float, total: float) -> int:
        """The status of *total* values, or of a duration, given its Good and Bad parts (5.4.3.2.1;
        by 4.2.1.2 the Good part decides alone if the percentages make 100)."""
        enough, too_much = (
            self.configuration.percent_data_good,
            self.configuration.percent_data_bad,
        )
        if 100 * good >= enough * total:
            return _GOOD
        if enough + too_much > 100 and 100 * bad >= too_much * total:
            return _BAD
        return _SUB_NORMAL

    def telling(self, first: int, last: int) -> List[DataValue]:
        """The values from index *first* to before *last* that aggregates which are not sums
        need."""
        points = self.points
        inside = range(first, last)
        usable = [place for place in inside if points[place].usable]
        good = [place for place in usable if status_codes.is_good(points[place].status)]
        certain = {*good}
        kept = {*inside[:1], *inside[-1:], *good[:1], *good[-1:], *usable[:1], *usable[-1:]}
        kept.update(next(([place] for place in inside if not points[place].usable), []))
        for group in (good, [place for place in usable if place not in certain]):
            numbers = [points[place].number for place in group]
            for extreme in {min(numbers), max(numbers)} if numbers else ():
                there = numbers.index(extreme)
                kept.add(group[there])
                if extreme in numbers[there + 1 :]:
                    kept.add(group[numbers.index(extreme, there + 1)])
        return [self.raw[place] for place in sorted(kept)]

    def good(self, each: _Interval) -> List[_Point]:
        return [
            point
            for point in self.points[each.first : each.last]
            if point.usable and status_codes.is_good(point.status)
        ]


def _time(value: DataValue) -> int:
    return value.source_timestamp or value.server_timestamp


def _number(variant: Optional[Variant]) -> Optional[float]:
    """``None`` if it is not a number; 0 or 1 for a Boolean."""
    if variant is None or variant.is_array or not BOOLEAN <= variant.type <= DOUBLE:
        return None
    number: float = variant.value
    return None if number != number else number


def _of_type(type_id: int, number: float) -> Variant:
    """*number* as a value of the type, rounded and limited if that is an integer type."""
    if type_id not in INTEGER_RANGES:
        return Variant(type_id, float(number))
    if not math.isfinite(number):
        return Variant(DOUBLE, number)
    low, high = INTEGER_RANGES[type_id]
    return Variant(type_id, min(max(round(number), low), high))


def _difference(type_id: int, number: float) -> Variant:
    """*number* as a value of the type, or of a wider one if it does not fit."""
    if type_id in INTEGER_RANGES or type_id == BOOLEAN:
        for each in (type_id, INT64):
            low, high = INTEGER_RANGES.get(each, (1, 0))
            if isinstance(number, int) and low <= number <= high:
                return Variant(each, number)
        return Variant(DOUBLE, float(number))
    return Variant(type_id, float(number))


def _result(each: _Interval, status: int, value: Variant, bits: int = _CALCULATED) -> DataValue:
    """A Bad result has no value."""
    return DataValue(
        None if status_codes.is_bad(status) else value, status | bits | each.bits, each.moment
    )


def _no_data(each: _Interval) -> DataValue:
    return DataValue(None, _NO_DATA, each.moment)


def _interpolative(data: _Data, each: _Interval) -> DataValue:
    """5.4.3.4"""
    bound = data.interpolated(each.moment, data.stepped)
    return DataValue(bound.value, bound.status, each.moment)


class _Added:
    """An aggregate that *told* computes from *sums*, which the parts of an interval add up."""

    def __init__(
        self,
        sums: Callable[[_Data, _Interval], "_Sums"],
        told: Callable[[_Data, _Interval, "_Sums"], DataValue],
    ) -> None:
        self.sums = sums
        self.told = told

    def __call__(self, data: _Data, each: _Interval) -> DataValue:
        return self.told(data, each, self.sums(data, each))


def _values(data: _Data, each: _Interval) -> "_Sums":
    """The number of Good, Bad and all values, and the sum of the Good ones."""
    good = data.good(each)
    bad = sum(not point.usable for point in data.points[each.first : each.last])
    return len(good), bad, each.last - each.first, sum(point.number for point in good)


def _average(data: _Data, each: _Interval, sums: "_Sums") -> DataValue:
    """5.4.3.5"""
    good, bad, count, total = sums
    if not good:
        return _no_data(each)
    status = data.status(good, bad, count)
    return _result(each._replace(bits=0), status, Variant(DOUBLE, total / good))


def _count(data: _Data, each: _Interval, sums: "_Sums") -> DataValue:
    """5.4.3.21"""
    good, bad, count, _ = sums
    return _result(each, data.status(good, bad, count), Variant(INT32, good))


def _area(data: _Data, each: _Interval) -> "_Sums":
    """The area below lines from one usable value to the next (even if the variable is stepped), its
    duration, and the number of doubtful values."""
    inside = data.points[each.first : each.last]
    usable = [point for point in inside if point.usable]
    bound = data.interpolated(each.early, False)
    points = [bound] * bound.usable + usable + [data.interpolated(each.late, False)]
    doubts = len(inside) - len(usable)
    doubts += sum(not status_codes.is_good(point.status) for point in [bound, *points])
    area = 0.0
    for point, following in zip(points, points[1:]):
        area += _middle(point, following) * (following.time - point.time)
    return area, points[-1].time - points[0].time, doubts


def _of_area(total: bool) -> "_Told":
    """5.4.3.6 and, with *total* in units of the values and seconds, 5.4.3.8"""

    def told(data: _Data, each: _Interval, sums: "_Sums") -> DataValue:
        area, width, doubts = sums
        if not width:
            return _no_data(each)
        status = _SUB_NORMAL if doubts else _GOOD
        return _result(each, status, Variant(DOUBLE, area / (TICKS_PER_SECOND if total else width)))

    return told


def _middle(point: _Point, following: _Point) -> float:
    if point.sloped and following.sloped:
        return (point.number + following.number) / 2
    return point.number


def _area2(data: _Data, each: _Interval) -> "_Sums":
    """The area below sloped or stepped lines while the value is not Bad, its duration, the duration
    of Good values, and the whole duration."""
    end = data.end(each)
    inside = data.points[each.first : each.last]
    points = [data.simple(each.early), *inside, data.simple(end)]
    area = 0.0
    known = good = 0
    for point, following in zip(points, points[1:]):
        duration = following.time - point.time
        if not point.usable:
            continue
        known += duration
        certain = status_codes.is_good(point.status)
        if data.stepped or not point.sloped:
            area += point.number * duration
        else:
            certain = certain and following.usable and status_codes.is_good(following.status)
            area += (_middle(point, following) if following.usable else point.number) * duration
        if certain or not data.configuration.treat_uncertain_as_bad:
            good += duration
    return area, known, good, end - each.early


def _of_area2(total: bool) -> "_Told":
    """5.4.3.7 and, with *total*, 5.4.3.9"""

    def told(data: _Data, each: _Interval, sums: "_Sums") -> DataValue:
        area, known, good, width = sums
        if not known:
            return _no_data(each)
        status = data.status(good, width - good, width)
        return _result(each, status, Variant(DOUBLE, area / (TICKS_PER_SECOND if total else known)))

    return told


def _extreme(lowest: bool, actual_time: bool) -> "_Calculate":
    """5.4.3.10 to 5.4.3.13"""

    def calculate(data: _Data, each: _Interval) -> DataValue:
        good = data.good(each)
        if not good:
            return _no_data(each)
        numbers = [point.number for point in good]
        found = min(numbers) if lowest else max(numbers)
        there = [point for point in good if point.number == found]
        status = _SUB_NORMAL if _doubtful(data, each, numbers, lowest, not lowest) else _GOOD
        bits = _MULTI_VALUE if len(there) > 1 else 0
        if actual_time:
            each = each._replace(moment=there[0].time)
        elif status != _GOOD or all(point.time != each.moment for point in there):
            bits |= _CALCULATED
        assert there[0].value is not None
        return _result(each, status, there[0].value, bits)

    return calculate


def _doubtful(data: _Data, each: _Interval, numbers: List[float], below: bool, above: bool) -> bool:
    """Whether a value is Bad, or an Uncertain one is below or above all Good *numbers*."""
    lowest, highest = min(numbers), max(numbers)
    return any(
        not point.usable or (below and point.number < lowest) or (above and point.number > highest)
        for point in data.points[each.first : each.last]
    )


def _range(data: _Data, each: _Interval) -> DataValue:
    """5.4.3.14"""
    good = data.good(each)
    if not good:
        return _no_data(each)
    numbers = [point.number for point in good]
    status = _SUB_NORMAL if _doubtful(data, each, numbers, True, True) else _GOOD
    assert good[0].value is not None
    return _result(each, status, _difference(good[0].value.type, max(numbers) - min(numbers)))


def _delta(data: _Data, each: _Interval) -> DataValue:
    """5.4.3.27"""
    good = data.good(each)
    if not good:
        return _no_data(each)
    inside = data.points[each.first : each.last]
    status = _GOOD if good[0] is inside[0] and good[-1] is inside[-1] else _SUB_NORMAL
    assert good[0].value is not None
    return _result(each, status, _difference(good[0].value.type, good[-1].number - good[0].number))


def _raw(place: Callable[[_Interval], int]) -> "_Calculate":
    """5.4.3.25 and 5.4.3.26"""

    def calculate(data: _Data, each: _Interval) -> DataValue:
        if each.first == each.last:
            return _no_data(each)
        value = data.raw[place(each)]
        held = None if status_codes.is_bad(value.status) else value.value
        return value._replace(value=held, status=value.status | each.bits)

    return calculate


def _duration(good: bool, percent: bool) -> _Added:
    """5.4.3.31 to 5.4.3.34, in ms or percent"""

    def sums(data: _Data, each: _Interval) -> "_Sums":
        end = data.end(each)
        points = [data.simple(each.early), *data.points[each.first : each.last]]
        total = 0
        for point, following in zip(points, [*points[1:], _Point(end, _NO_DATA)]):
            if (point.usable and status_codes.is_good(point.status)) if good else not point.usable:
                total += following.time - point.time
        return total, end - each.early

    def told(data: _Data, each: _Interval, sums: "_Sums") -> DataValue:
        total, width = sums
        unit = width / 100 if percent else _TICKS_PER_MS
        return _result(each, _GOOD, Variant(DOUBLE, total / unit))

    return _Added(sums, told)


_Sums = Tuple[float, ...]
_Told = Callable[[_Data, _Interval, _Sums], DataValue]
_Calculate = Callable[[_Data, _Interval], DataValue]
#: How each aggregate is calculated, and whether it computes with numbers (5.4.2.3).
_AGGREGATES: Dict[str, Tuple[_Calculate, bool]] = {
    "Interpolative": (_interpolative, False),
    "Average": (_Added(_values, _average), True),
    "TimeAverage": (_Added(_area, _of_area(False)), True),
    "TimeAverage2": (_Added(_area2, _of_area2(False)), True),
    "Total": (_Added(_area, _of_area(True)), True),
    "Total2": (_Added(_area2, _of_area2(True)), True),
    "Minimum": (_extreme(True, False), True),
    "Maximum": (_extreme(False, False), True),
    "MinimumActualTime": (_extreme(True, True), True),
    "MaximumActualTime": (_extreme(False, True), True),
    "Range": (_range, True),
    "Count": (_Added(_values, _count), False),
    "Start": (_raw(lambda each: each.first), False),
    "End": (_raw(lambda each: each.last - 1), False),
    "Delta": (_delta, True),
    "DurationGood": (_duration(True, False), False),
    "DurationBad": (_duration(False, False), False),
    "PercentGood": (_duration(True, True), False),
    "PercentBad": (_duration(False, True), False),
}
INTERVAL_AGGREGATES: Tuple[str, ...] = tuple(_AGGREGATES)
