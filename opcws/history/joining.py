"""Joins two histories of one variable by time, without duplicates: that of the OPC UA server and
that of the recorder.  Pure.

Rules:

* Each keeps its order; of the next values of both the earlier one comes first, or, if the newest
  come first, the later one.  Values of the recorder are in the order of their arrival, not of their
  times.
* A value that both have, with the same status and SourceTimestamp, comes once, from the OPC UA
  server.  Many servers round times to a millisecond or microsecond: if all their times are so,
  values within one unit are the same, and come from the recorder, with the time that monitors got.
* A gap in the recorded values is left out if the OPC UA server was collecting then, which is from
  its first value on.  So is the value that was recorded again after a gap as *Interpolated* (OPC
  10000-11 6.3.2).
* All values of a page use the same namespace indexes.
"""

from collections import deque
from itertools import islice
from typing import Any, Deque, Dict, List, Optional, Sequence

from ..model import status_codes
from ..model.data_types import (
    EXPANDEDNODEID,
    EXTENSIONOBJECT,
    LAST_TICKS,
    NODEID,
    QUALIFIEDNAME,
    DataValue,
    NodeId,
    QualifiedName,
    Variant,
    uri_of_namespace,
)

#: How many times of the OPC UA server's values are kept to compare recorded values with.
KNOWN_MOMENTS = 1000
#: Units to which servers round times, in ticks, and how many values are read ahead to compare.
_RESOLUTIONS = (10_000, 10)
_AHEAD = 3
#: A value from before a gap, recorded again after it.
_STILL = 0x402
_GAPS = (status_codes.code("BadNotConnected"), status_codes.code("BadOutOfService"))
#: Flags about the way of a value do not make it a different one.
_SAME = 0xFFFF0000
#: Types of values that contain no namespace index, at any depth.
_PLAIN = {*range(NODEID), *range(EXPANDEDNODEID + 1, EXTENSIONOBJECT)} - {QUALIFIEDNAME}


class Join:
    """Two histories, as far as they are read; *backwards*: the newest first.

    ``plant`` and ``own`` have the values of each that were read and not taken, ``plant_ended`` and
    ``own_ended`` say that there are no more.  :meth:`add_plant` adds values of the plant.
    """

    def __init__(self, backwards: bool) -> None:
        self.plant: Deque[DataValue] = deque()
        self.own: Deque[DataValue] = deque()
        self.plant_ended = False
        self.own_ended = False
        #: Whether the OPC UA server has a value earlier than all that were read; ``None`` if
        #: unknown; then ``undecided`` says that it must be found out.
        self.collecting: Optional[bool] = None
        self.undecided = False
        self._backwards = backwards
        self._is_lost = False
        # The earliest time of the OPC UA server's values, and the values taken last.
        self._earliest = LAST_TICKS
        # The _RESOLUTIONS that fit all times of the OPC UA server.
        self._resolutions = list(_RESOLUTIONS)
        self._told: Dict[int, List[DataValue]] = {}

    def add_plant(self, values: Sequence[DataValue]) -> None:
        """Add *values* of the OPC UA server."""
        self.plant.extend(values)
        for each in self._resolutions[:]:
            if any(value.moment % each for value in values):
                self._resolutions.remove(each)

    def take(self, most: int) -> List[DataValue]:
        """The next values, at most *most*; fewer if more must be read first, or if it is
        ``undecided``."""
        found: List[DataValue] = []
        plant, own = self.plant, self.own
        self.undecided = False
        while len(found) < most:
            if not (plant or self.plant_ended) or not (own or self.own_ended):
                break
            if not own and not plant:
                break
            if plant and (not own or not self._earlier(own[0], plant[0])):
                value = plant.popleft()
                self._remember(value)
                if self._near(value, own) < 0:
                    found.append(value)
                continue
            value = own[0]
            if self.collecting is None and _is_gap(value) and not self._collects(value.moment):
                self.undecided = True
                break
            own.popleft()
            if self._is_double(value):
                continue
            found.append(value)
            place = self._near(value, plant)
            if place >= 0:
                self._remember(plant[place])
                del plant[place]
        return found

    def without_plant(self) -> None:
        """Continue only with recorded values."""
        self.plant_ended = self._is_lost = True
        self.collecting = False

    def _collects(self, moment: int) -> bool:
        """Whether the OPC UA server is known to have a value from before *moment*."""
        if self._is_lost or self.collecting:
            return not self._is_lost
        return self._earliest <= moment or (self._backwards and bool(self.plant))

    def _earlier(self, one: DataValue, other: DataValue) -> bool:
        if self._backwards:
            return one.moment > other.moment
        return one.moment < other.moment

    def _remember(self, value: DataValue) -> None:
        self._earliest = min(self._earliest, value.moment)
        self._told.setdefault(value.moment, []).append(value)
        if len(self._told) > KNOWN_MOMENTS:
            del self._told[next(iter(self._told))]

    def _is_double(self, value: DataValue) -> bool:
        if _is_gap(value):
            return self._collects(value.moment)
        return any(is_same(value, other) for other in self._told.get(value.moment, ()))

    def _near(self, value: DataValue, others: Sequence[DataValue]) -> int:
        """The index in *others*, values of the other side, of one equal to *value* except for a
        rounded time; -1 if there is none."""
        if self._resolutions:
            for place, other in enumerate(islice(others, _AHEAD)):
                if 0 < abs(other.moment - value.moment) < self._resolutions[0]:
                    if is_same(value, other):
                        return place
        return -1


def _is_gap(value: DataValue) -> bool:
    """Whether *value* was recorded because of a gap."""
    if value.value is None:
        return value.status & _SAME in _GAPS
    return value.status == _STILL


def is_same(one: DataValue, other: DataValue) -> bool:
    """Whether two values of the same time are the same; NaN equals NaN, and numbers of different
    types may be equal: historians have types of their own."""
    if (one.status ^ other.status) & _SAME:
        return False
    if one.value is None or other.value is None:
        return one.value is other.value
    first, second = one.value.value, other.value.value
    if isinstance(first, (int, float)) and isinstance(second, (int, float)):
        return first == second or (first != first and second != second)
    return one.value == other.value or repr(one.value) == repr(other.value)


# --- Namespaces ----------------------------------------------------------------------------------


def with_namespaces(
    values: Sequence[DataValue], namespaces: Sequence[str], known: List[str]
) -> List[DataValue]:
    """*values* with their indexes changed from *namespaces* to *known*; missing namespaces are
    added to *known*."""
    if not known:
        known.extend(namespaces)
    if known[: len(namespaces)] == list(namespaces):
        return list(values)
    indexes = {}
    for index in range(len(namespaces)):
        uri = uri_of_namespace(index, namespaces)
        if uri is not None and uri not in known:
            known.append(uri)
        indexes[index] = index if uri is None else known.index(uri)
    return [
        value._replace(value=_moved(value.value, indexes)) if _has_index(value.value) else value
        for value in values
    ]


def _has_index(variant: Optional[Variant]) -> bool:
    return variant is not None and variant.type not in _PLAIN


def _moved(value: Any, indexes: Dict[int, int]) -> Any:
    if isinstance(value, (NodeId, QualifiedName)):
        return value._replace(namespace=indexes.get(value.namespace, value.namespace))
    if isinstance(value, list):
        return [_moved(each, indexes) for each in value]
    if isinstance(value, tuple):
        moved = [_moved(each, indexes) for each in value]
        make: Any = getattr(value, "_make", tuple)
        return make(moved)
    return value
