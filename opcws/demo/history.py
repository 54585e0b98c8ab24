"""Raw and processed history of the simulated plant (OPC 10000-11)."""

import bisect
import math
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from opcua import ua

#: The value for an absent time in a request.
NO_TIME = datetime(1601, 1, 1)
#: Most values in one response.
PAGE = 10000
_KEPT = 50000  # most values of one variable

# The historian bits of a Good status (OPC 10000-11 6.3.2).
_CALCULATED = ua.StatusCode(0x401)
_INTERPOLATED = ua.StatusCode(0x402)


class History:
    """Past values of one variable, oldest first, with strictly rising source timestamps."""

    def __init__(self) -> None:
        self._times: List[datetime] = []
        self._values: List[Any] = []

    def add(self, value: Any) -> None:
        moment = value.SourceTimestamp
        if moment is None or (self._times and moment <= self._times[-1]):
            return
        self._times.append(moment)
        self._values.append(ua.DataValue(value.Value, value.StatusCode, moment))
        if len(self._times) > _KEPT + PAGE:
            del self._times[:PAGE], self._values[:PAGE]

    def raw(self, details: Any, resume: Optional[datetime]) -> Tuple[List[Any], Optional[datetime]]:
        """OPC 10000-11 6.5.3 ReadRaw: the values, and where the next page begins.  *resume* is
        where this page begins."""
        start, end, wanted = details.StartTime, details.EndTime, details.NumValuesPerNode
        backwards = start == NO_TIME or (end != NO_TIME and start > end)
        low, high = (end, start) if backwards else (start, end)
        if start == NO_TIME:
            low, high = NO_TIME, end
        first = bisect.bisect_left(self._times, low)
        last = len(self._times) if high == NO_TIME else bisect.bisect_right(self._times, high)
        found = self._values[first:last]
        if details.ReturnBounds and low != high:
            found = self._bounds(low, high, first, last, found)
        if backwards:
            found = found[::-1]
        if resume is not None:
            times = [value.SourceTimestamp for value in found]
            found = found[times.index(resume) :] if resume in times else []
        page = min(wanted or PAGE, PAGE)
        # Without one of the two times the count ends the interval, not a page.
        open_ended = NO_TIME in (start, end) and wanted and page == wanted
        more = len(found) > page and not open_ended
        return found[:page], found[page].SourceTimestamp if more else None

    def _bounds(
        self, low: datetime, high: datetime, first: int, last: int, found: List[Any]
    ) -> List[Any]:
        missing = ua.StatusCode(ua.StatusCodes.BadBoundNotFound)
        if low != NO_TIME and not (found and found[0].SourceTimestamp == low):
            bound = ua.DataValue(status=missing, sourceTimestamp=low)
            found = [self._values[first - 1] if first else bound] + found
        if high != NO_TIME and not (found and found[-1].SourceTimestamp == high):
            bound = ua.DataValue(status=missing, sourceTimestamp=high)
            found = found + [self._values[last] if last < len(self._values) else bound]
        return found

    def processed(self, details: Any, aggregate: int) -> List[Any]:
        """OPC 10000-11 6.5.4 ReadProcessed for the aggregates in ``AGGREGATES``."""
        start, end = details.StartTime, details.EndTime
        span = abs((end - start).total_seconds())
        step = details.ProcessingInterval / 1000.0 or span
        sign = 1 if end >= start else -1
        results = []
        for number in range(math.ceil(span / step - 1e-9)):
            moment = start + sign * timedelta(seconds=number * step)
            other = start + sign * timedelta(seconds=min(span, (number + 1) * step))
            low, high = min(moment, other), max(moment, other)
            results.append(self._aggregate(aggregate, moment, low, high))
        return results

    def _aggregate(self, aggregate: int, moment: datetime, low: datetime, high: datetime) -> Any:
        """One interval's value (OPC 10000-13), its timestamp *moment*."""
        if aggregate == ua.ObjectIds.AggregateFunction_Interpolative:
            return self._interpolated(moment)
        first, last = bisect.bisect_left(self._times, low), bisect.bisect_left(self._times, high)
        numbers = [value.Value.Value for value in self._values[first:last]]
        if aggregate == ua.ObjectIds.AggregateFunction_Count:
            return ua.DataValue(ua.Variant(len(numbers), ua.VariantType.Int32), _CALCULATED, moment)
        if not numbers:
            return _no_data(moment)
        return _double(AGGREGATES[aggregate](numbers), _CALCULATED, moment)

    def _interpolated(self, moment: datetime) -> Any:
        after = bisect.bisect_left(self._times, moment)
        if after < len(self._times) and self._times[after] == moment:
            return self._values[after]
        if not 0 < after < len(self._times):
            return _no_data(moment)
        left, right = self._values[after - 1], self._values[after]
        share = (moment - self._times[after - 1]) / (self._times[after] - self._times[after - 1])
        change = right.Value.Value - left.Value.Value
        return _double(left.Value.Value + share * change, _INTERPOLATED, moment)


def _double(value: float, status: Any, moment: datetime) -> Any:
    return ua.DataValue(ua.Variant(float(value), ua.VariantType.Double), status, moment)


def _no_data(moment: datetime) -> Any:
    status = ua.StatusCode(ua.StatusCodes.BadNoData)
    return ua.DataValue(status=status, sourceTimestamp=moment)


AGGREGATES: Dict[int, Callable[[Sequence[float]], float]] = {
    ua.ObjectIds.AggregateFunction_Average: lambda numbers: sum(numbers) / len(numbers),
    ua.ObjectIds.AggregateFunction_Minimum: min,
    ua.ObjectIds.AggregateFunction_Maximum: max,
    ua.ObjectIds.AggregateFunction_Count: len,
    # Computed from the neighbours of the time, not from the values of the interval.
    ua.ObjectIds.AggregateFunction_Interpolative: len,
}
