"""Notifications as rows, beside what the generic reader and the generic writer make of them."""

import struct
from typing import Any, Callable, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.model import data_types as dt
from opcws.model.data_types import DataValue, Variant
from opcws.model.errors import CodecError
from opcws.ua.encoding.codec import Reader, encode_data_value
from opcws.ua.encoding.notifications import read_changes
from opcws.wire import notifications
from opcws.wire.notifications import GENERIC, Origin
from opcws.wire.values_to_json import STRING, TYPED, data_value_members

from ...support.sample_values import NAMESPACES
from .test_codec import DATA_VALUES, OF_TYPE, UINT32, same, slowly

Item = Tuple[int, DataValue]

TICKS = st.integers(-(2**63), 2**63 - 1)
TIMES = st.one_of(st.just(0), st.sampled_from([134082792001234560, 1, -1]), TICKS)
#: Of the types that have layouts, with any timestamps.
SCALARS = st.sampled_from(notifications.ROW_TYPES).flatmap(
    lambda type_id: OF_TYPE[type_id].map(lambda value: Variant(type_id, value))
)
PLAIN = st.builds(DataValue, SCALARS, st.just(0), TIMES, TIMES, st.just(0), st.just(0))


def items(values: Any) -> Any:
    return st.lists(st.tuples(UINT32, values), max_size=6)


#: All of one layout, plain and mixed ones, and anything at all.
ALIKE = st.builds(
    lambda type_id, source, server, changes: [
        (handle, DataValue(Variant(type_id, value), 0, source, server)) for handle, value in changes
    ],
    st.just(dt.INT32),
    TIMES,
    TIMES,
    items(OF_TYPE[dt.INT32]),
)
CHANGES = st.one_of(ALIKE, items(PLAIN), items(st.one_of(PLAIN, DATA_VALUES)))


def encoded(changes: List[Item]) -> bytes:
    """The array of MonitoredItemNotifications."""
    return struct.pack("<i", len(changes)) + b"".join(
        [struct.pack("<I", handle) + encode_data_value(value) for handle, value in changes]
    )


def read_generically(reader: Reader) -> List[Item]:
    count = max(reader.length(), 0)
    return [(reader.uint32(), reader.data_value()) for _ in range(count)]


def read_as_rows(reader: Reader) -> List[Item]:
    return [(row[0], layout.data_value(row)) for layout, row in read_changes(reader)]


def outcome(read: Callable[[Reader], List[Item]], data: bytes) -> Any:
    """What *read* makes of *data* and where it ends, or that it cannot."""
    reader = Reader(data)
    try:
        return read(reader), reader.position
    except (CodecError, struct.error, IndexError):
        return "refused"


@given(CHANGES)
@slowly
def test_rows_are_what_the_generic_reader_reads(changes: List[Item]) -> None:
    data = encoded(changes) + b"behind"
    told, end = outcome(read_as_rows, data)
    assert same((told, end), outcome(read_generically, data))
    assert end == len(data) - len(b"behind")


@given(CHANGES, st.data())
@slowly
def test_what_is_cut_or_damaged_ends_for_both_readers_alike(
    changes: List[Item], data: st.DataObject
) -> None:
    body = bytearray(encoded(changes))
    del body[data.draw(st.integers(0, len(body)), "the length") :]
    for _ in range(data.draw(st.integers(0, 3), "how many bytes are wrong") if body else 0):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(body)
    assert same(outcome(read_as_rows, damaged), outcome(read_generically, damaged))


@given(CHANGES)
@slowly
def test_rows_are_written_as_their_data_values_are(changes: List[Item]) -> None:
    origin = Origin(NAMESPACES, reason="told by the test")
    told = read_changes(Reader(encoded(changes)))
    for layout, row in told:
        for dialect in (TYPED, STRING):
            expected = data_value_members(
                layout.data_value(row), NAMESPACES, dialect, reason="told by the test"
            )
            assert layout.members[dialect](row, origin) == expected


@pytest.mark.parametrize(
    "layout", notifications.LAYOUTS, ids=lambda layout: dt.TYPE_NAMES[layout.type]
)
def test_every_layout_is_used(layout: notifications.Layout) -> None:
    value = True if layout.type == dt.BOOLEAN else 3
    times = (5 if layout.source else 0, 7 if layout.server else 0)
    item = (9, DataValue(Variant(layout.type, value), 0, *times))
    ((used, row),) = read_changes(Reader(encoded([item])))
    assert used is layout
    assert (row[0], used.data_value(row)) == item


@pytest.mark.parametrize(
    "value",
    [
        DataValue(None),
        DataValue(Variant(dt.DOUBLE, 1.5), 0x40000000),
        DataValue(Variant(dt.DOUBLE, 1.5), 0, 5, 7, 1),
        DataValue(Variant(dt.DOUBLE, 1.5), 0, 5, 7, 0, 1),
        DataValue(Variant(dt.DOUBLE, [1.5], True)),
        DataValue(Variant(dt.STRING, "text")),
    ],
    ids=["no value", "status", "source picoseconds", "server picoseconds", "array", "string"],
)
def test_what_no_layout_has_is_read_by_the_generic_reader(value: DataValue) -> None:
    plain = DataValue(Variant(dt.DOUBLE, 2.5), 0, 5, 7)
    first, unusual, last = read_changes(Reader(encoded([(1, plain), (2, value), (3, plain)])))
    assert unusual == notifications.generic(2, value)
    assert first[0] is last[0] is not GENERIC


def test_a_count_beyond_the_message_is_refused_before_anything_is_made() -> None:
    data = encoded([(1, DataValue(Variant(dt.DOUBLE, 2.5)))])
    for count in (2, 16, 2**31 - 1):
        assert outcome(read_as_rows, struct.pack("<i", count) + data[4:]) == "refused"
    assert outcome(read_as_rows, struct.pack("<i", -1) + data[4:]) == ([], 4)
