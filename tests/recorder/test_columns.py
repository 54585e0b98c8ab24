"""Entries as columns: whatever goes in comes out, of memory, of the journal and of a block."""

from typing import List

from hypothesis import given
from hypothesis import strategies as st

from opcws.model.data_types import (
    BOOLEAN,
    DOUBLE,
    INT32,
    QUALIFIEDNAME,
    STRING,
    DataValue,
    QualifiedName,
    Variant,
    uri_of_namespace,
)
from opcws.recorder import columns
from opcws.recorder.columns import Run
from opcws.wire.values_to_json import TYPED, data_value_members

from ..support.sample_values import NAMESPACES
from ..ua.encoding.test_codec import DATA_VALUES
from ..ua.encoding.test_notifications import PLAIN
from . import number

BAD = 0x80000000


def run_of(values: List[DataValue]) -> Run:
    run = Run()
    for value in values:
        source, server = max(value.source_timestamp, 0), max(value.server_timestamp, 0)
        run.add(value._replace(source_timestamp=source, server_timestamp=server or 1), NAMESPACES)
    return run


def texts(run: Run) -> List[str]:
    namespaces: List[str] = []
    values = run.data_values(range(len(run)), namespaces)
    return [data_value_members(each, namespaces, TYPED) for each in values]


def expected(values: List[DataValue]) -> List[str]:
    timed = [each._replace(server_timestamp=max(each.server_timestamp, 1)) for each in values]
    return [data_value_members(each, NAMESPACES, TYPED) for each in timed]


@given(st.lists(st.one_of(PLAIN, DATA_VALUES), max_size=6))
def test_every_value_comes_back_as_it_was(values: List[DataValue]) -> None:
    run = run_of(values)
    assert texts(run) == expected(values)
    assert texts(columns.from_block(run.block())) == expected(values)
    data = run.journal(0)
    again = Run()
    assert columns.from_journal(b"1234" + data + b"5678", 4, again) == 4 + len(data)
    assert texts(again) == expected(values)
    assert columns.from_journal(data, 0, None) == len(data)


@given(st.lists(st.one_of(PLAIN, DATA_VALUES), max_size=6), st.data())
def test_what_was_cut_in_two_can_be_put_together(
    values: List[DataValue], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(values)))
    run = run_of(values)
    whole = run.part(0, place)
    assert texts(whole) == expected(values[:place])
    whole.extend(run.part(place))
    assert texts(whole) == expected(values)
    pieces = Run()
    columns.from_journal(run.part(0, place).journal(0), 0, pieces)
    columns.from_journal(run.journal(place), 0, pieces)
    assert texts(pieces) == expected(values)
    apart = run_of(values[:place])
    apart.extend(run_of(values[place:]))
    assert texts(apart) == expected(values)


def test_a_day_of_doubles_takes_less_than_24_bytes_each() -> None:
    # A measured value with noise in all its digits, and clocks that are not exact.
    values = [
        number(20.0 + (each * 7919 % 1000) / 977.0, 10**17 + each * 10**7 + each * 7919 % 10007)
        for each in range(1000)
    ]
    assert len(run_of(values).block()) < 24 * len(values)


def test_a_chart_gets_numbers_and_statuses() -> None:
    values = [number(1.5, 10), DataValue(None, BAD, 20), number(2.5, 15, 0x480)]
    found = run_of(values).columns(range(3))
    assert found.type == DOUBLE
    assert list(found.times) == [10, 20, 15]
    assert list(found.values) == [1.5, 0.0, 2.5]
    assert list(found.statuses) == [0, BAD, 0x480]
    some = run_of(values).columns([0, 2])
    assert (list(some.times), list(some.values)) == ([10, 15], [1.5, 2.5])
    assert list(some.statuses) == [0, 0x480]


def test_what_is_no_number_is_told_as_it_is() -> None:
    number_now = Variant(INT32, 7)
    values = [number(1.5, 10), DataValue(number_now, 0, 20), DataValue(None, 0, 30)]
    found = run_of(values).columns(range(3))
    assert found.type == 0
    assert found.values == [Variant(DOUBLE, 1.5), number_now, None]
    flags = run_of([DataValue(Variant(BOOLEAN, True), 0, 10)]).columns([0])
    assert (flags.type, list(flags.values)) == (BOOLEAN, [1])
    words = run_of([DataValue(Variant(STRING, "on"), 0, 10)]).columns([0])
    assert words.values == [Variant(STRING, "on")]


def test_the_time_is_the_servers_where_the_source_has_none() -> None:
    values = [number(1.0, 10), DataValue(Variant(DOUBLE, 2.0), 0, 0, 20)]
    assert list(run_of(values).times) == [10, 20]


def test_a_namespace_that_meant_nothing_gets_no_meaning() -> None:
    unknown, known = QualifiedName(2, "a"), QualifiedName(1, "b")
    run = Run()
    for name, namespaces in ((known, ["", "urn:x"]), (known, ["", "urn:y"]), (unknown, [""])):
        run.add(DataValue(Variant(QUALIFIEDNAME, name), 0, 1, 1), namespaces)
    found: List[str] = []
    names = [value.value.value for value in run.data_values(range(3), found) if value.value]
    assert [uri_of_namespace(each.namespace, found) for each in names] == ["urn:x", "urn:y", None]
