"""Notifications as rows: the fast path of a value from the OPC UA server to its JSON.

Rules:

* A row is a tuple: the ClientHandle of the MonitoredItemNotification (OPC 10000-4 7.25.2), then the
  values that its layout describes.  ``struct`` unpacks the row of a :class:`Layout` from the bytes;
  if a DataValue is needed, :meth:`Layout.data_value` makes one.
* There is a layout for a scalar of a type of fixed size with status Good, without picoseconds.
  Everything else is a row of :data:`GENERIC`: handle and DataValue.
* Both give the same DataValue and the same JSON as :mod:`opcws.wire.values_to_json`; a property
  test compares them.

Pure: no socket, thread or clock.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..model import status_codes
from ..model.data_types import BOOLEAN, DATETIME, DOUBLE, FLOAT, INTEGER_RANGES, DataValue, Variant
from . import values_to_json
from .timestamps import timestamp_text

#: Handle, then value, SourceTimestamp and ServerTimestamp if present; or handle and DataValue.
Row = Tuple[Any, ...]


class Origin(NamedTuple):
    """What the rows of one message have in common: the NamespaceArray for their indexes, the time
    when they *arrived* (monotonic), and the *reason* that clients get for a Bad status instead of
    the general one."""

    namespaces: Sequence[str]
    arrived: float = 0.0
    reason: Optional[str] = None


#: The JSON text of the members of a row's DataValue, without the braces.
Members = Callable[[Row, Origin], str]


class Layout:
    """What a row has: a scalar of the built-in *type*, and which timestamps.

    ``members`` has for each dialect the function that writes a row as JSON.
    """

    __slots__ = ("type", "source", "server", "members")

    def __init__(self, type_id: int, source: bool, server: bool) -> None:
        self.type = type_id
        self.source = source
        self.server = server
        self.members: Dict[str, Members] = {
            dialect: _members_of(*scalars[type_id], source, server)
            for dialect, scalars in values_to_json.SCALAR_MEMBER.items()
            if type_id
        }

    def data_value(self, row: Row) -> DataValue:
        source = row[2] if self.source else 0
        server = row[-1] if self.server else 0
        return DataValue(Variant(self.type, row[1]), 0, source, server)


class _Generic(Layout):
    """Rows of handle and DataValue."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(0, False, False)
        self.members = {dialect: _members_in(dialect) for dialect in values_to_json.SCALAR_MEMBER}

    def data_value(self, row: Row) -> DataValue:
        value: DataValue = row[1]
        return value


def _members_in(dialect: str) -> Members:
    def members(row: Row, origin: Origin) -> str:
        namespaces, _arrived, reason = origin
        return values_to_json.data_value_members(row[1], namespaces, dialect, reason=reason)

    return members


def _members_of(head: str, write: values_to_json.Write, source: bool, server: bool) -> Members:
    """A function for rows: writes their scalar with *write*, after *head*."""

    def with_both(row: Row, _origin: Origin) -> str:
        _handle, value, source_ticks, server_ticks = row
        return head + write(value) + _times(source_ticks, server_ticks)

    def with_source(row: Row, _origin: Origin) -> str:
        return head + write(row[1]) + _times(row[2], 0)

    def with_server(row: Row, _origin: Origin) -> str:
        return head + write(row[1]) + _times(0, row[2])

    def without(row: Row, _origin: Origin) -> str:
        return head + write(row[1]) + "}"

    if source:
        return with_both if server else with_source
    return with_server if server else without


# The last timestamps and their text: within a message they are often the same.  Threads may share
# this without a lock: it is read and replaced whole.
_last: Tuple[int, int, str] = (0, 0, "}")


def _times(source: int, server: int) -> str:
    """The end of the Value member, and the timestamps that are not null."""
    global _last
    last_source, last_server, text = _last
    if source == last_source and server == last_server:
        return text
    text = "}"
    if source > 0:
        text += ',"SourceTimestamp":"%s"' % timestamp_text(source)
    if server > 0:
        text += ',"ServerTimestamp":"%s"' % timestamp_text(server)
    _last = source, server, text
    return text


GENERIC = _Generic()

#: The built-in types that have layouts.
ROW_TYPES = (BOOLEAN, *INTEGER_RANGES, FLOAT, DOUBLE, DATETIME)
LAYOUTS: List[Layout] = [
    Layout(type_id, source, server)
    for type_id in ROW_TYPES
    for source in (False, True)
    for server in (False, True)
]

#: One notification as it is decoded: the layout of the row, and the row.
Change = Tuple[Layout, Row]
#: The same, and its origin.
Notification = Tuple[Layout, Row, Origin]


def generic(handle: int, value: DataValue) -> Change:
    """The change of an item's value to *value*."""
    return GENERIC, (handle, value)


def overflowed(update: Notification) -> Notification:
    """The same *update*, with the bit that says that earlier values were lost."""
    layout, row, origin = update
    value = layout.data_value(row)
    flagged = value._replace(status=value.status | status_codes.OVERFLOW)
    return (*generic(row[0], flagged), origin)
