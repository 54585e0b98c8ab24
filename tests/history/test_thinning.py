"""A chart has no room for all values: what stays of them is what it would show."""

import random
from array import array
from typing import Any, Callable, List, NamedTuple, Optional, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opcws.history.thinning import Thinning
from opcws.model import status_codes
from opcws.model.data_types import (
    BOOLEAN,
    DOUBLE,
    INT32,
    NODEID,
    STRING,
    TICKS_PER_SECOND,
    DataValue,
    NodeId,
    Variant,
)

BAD = status_codes.code("BadNotConnected")
UNCERTAIN = status_codes.code("UncertainLastUsableValue")


def at(time: int, number: Optional[float], status: int = 0) -> DataValue:
    return DataValue(None if number is None else Variant(DOUBLE, number), status, time)


class Columns(NamedTuple):
    """As the recorder gives them."""

    type: int
    times: Sequence[int]
    values: Sequence[Any]
    statuses: Sequence[int]
    namespaces: Sequence[str] = ()


def columns(values: Sequence[DataValue], type_id: int = DOUBLE) -> Columns:
    numbers = [0.0 if each.value is None else each.value.value for each in values]
    return Columns(
        type_id,
        array("q", [each.moment for each in values]),
        array("d", numbers),
        array("I", [each.status for each in values]),
    )


def in_values(most: int, values: Sequence[DataValue]) -> List[DataValue]:
    thinning = Thinning(most, 1, values[-1].moment)
    for first in range(0, len(values), 7):
        thinning.add(values[first : first + 7])
    return thinning.values()


def in_columns(most: int, values: Sequence[DataValue]) -> List[DataValue]:
    thinning = Thinning(most, 1, values[-1].moment)
    for first in range(0, len(values), 50):
        thinning.add_columns(columns(values[first : first + 50]))
    return thinning.values()


Thin = Callable[[int, Sequence[DataValue]], List[DataValue]]
BOTH = pytest.mark.parametrize("thin", [in_values, in_columns])


def number(value: DataValue) -> float:
    assert value.value is not None
    found: float = value.value.value
    return found


def wave(count: int, seed: int = 1) -> List[DataValue]:
    """A number that goes up and down, 1 s apart."""
    dice = random.Random(seed)
    level, found = 0.0, []
    for second in range(1, count + 1):
        level += dice.uniform(-1.0, 1.0)
        found.append(at(second * TICKS_PER_SECOND, level))
    return found


@BOTH
@pytest.mark.parametrize("most", [2, 3, 10, 500])
def test_no_more_values_than_there_is_room_for_are_all_there(thin: Thin, most: int) -> None:
    assert thin(most, wave(most)) == wave(most)
    assert thin(most, wave(1)) == wave(1)
    assert Thinning(most, 1, 5).values() == []


@BOTH
@pytest.mark.parametrize("most", [2, 3, 4, 7, 100, 999])
def test_the_first_the_last_and_the_extremes_of_each_bucket_stay(thin: Thin, most: int) -> None:
    values = wave(5000)
    found = thin(most, values)
    assert len(found) <= most
    assert found == sorted((each for each in found), key=lambda each: each.moment)
    assert {each.moment for each in found} <= {each.moment for each in values}
    assert found[0] == values[0] and found[-1] == values[-1]
    buckets = (most - 2) // 2
    if not buckets:
        return
    # The same division of the time, done in another way.
    span = values[-1].moment - values[0].moment
    width = span // buckets + 1
    for bucket in range(buckets):
        start = values[0].moment + bucket * width
        inside = [number(each) for each in values if start <= each.moment < start + width]
        kept = [number(each) for each in found if start <= each.moment < start + width]
        assert min(inside) in kept and max(inside) in kept
    assert len(found) > most * 0.8


@BOTH
def test_one_spike_among_a_million_like_values_stays(thin: Thin) -> None:
    values = [at(second, 20.0) for second in range(1, 20_001)]
    for place, level in ((777, 20.1), (12_345, -5.0), (19_998, 99.0)):
        values[place] = at(place + 1, level)
    found = thin(100, values)
    assert {number(each) for each in found} == {20.0, 20.1, -5.0, 99.0}


@BOTH
def test_each_gap_breaks_the_line_of_the_chart(thin: Thin) -> None:
    values = wave(3000)
    gaps = (100, 101, 900, 1500, 2998)
    for place in gaps:
        values[place] = at(values[place].moment, None, BAD)
    found = thin(1000, values)
    assert [each.moment for each in found if each.value is None] == [
        values[place].moment for place in gaps if place != 100
    ]
    assert len(found) <= 1000


@BOTH
def test_many_gaps_take_the_place_of_detail_and_not_of_extremes(thin: Thin) -> None:
    values = wave(4000)
    for place in range(0, 4000, 4):
        values[place] = at(values[place].moment, None, BAD)
    good = [number(each) for each in values if each.value is not None]
    for most in (4, 5, 6, 50, 400):
        found = thin(most, values)
        assert len(found) <= most
        kept = [number(each) for each in found if each.value is not None]
        assert most < 5 or (min(good) in kept and max(good) in kept)
        assert found[0] == values[0] and found[-1] == values[-1]
    # Between two of the gaps that stay, and at the ends, there is little time.
    times = [each.moment for each in found if each.value is None]
    longest = max(later - earlier for earlier, later in zip(times, times[1:]))
    assert longest <= 4000 / 400 * 4 * 2 * TICKS_PER_SECOND


@BOTH
def test_a_line_does_not_lead_on_from_before_a_gap_that_is_long(thin: Thin) -> None:
    before, after = wave(1000), wave(3000)[2000:]
    gap = at(before[-1].moment + 1, None, BAD)
    found = thin(50, [*before, gap, *after])
    place = found.index(gap)
    assert found[place - 1].moment < gap.moment < found[place + 1].moment
    assert found[place + 1].moment >= after[0].moment


@BOTH
def test_a_value_that_is_no_number_is_a_gap_and_infinity_an_extreme(thin: Thin) -> None:
    values = wave(1000)
    values[500] = at(values[500].moment, float("nan"))
    values[700] = at(values[700].moment, float("inf"))
    found = thin(100, values)
    assert sum(each.value is not None and each.value.value != each.value.value for each in found)
    assert max(number(each) for each in found if number(each) == number(each)) == float("inf")


@BOTH
def test_an_uncertain_value_is_a_value(thin: Thin) -> None:
    values = [each._replace(status=UNCERTAIN) for each in wave(1000)]
    found = thin(100, values)
    assert found == [each._replace(status=UNCERTAIN) for each in thin(100, wave(1000))]


def test_columns_and_values_come_to_the_same() -> None:
    entry = st.tuples(
        st.integers(1, 1000), st.floats(allow_nan=True), st.sampled_from([0, 0, 0, 0, BAD])
    )

    @example([(2, 0.0, BAD), (1, 0.0, 0), (1, 0.0, 0), (2, 0.0, 0)], 3, False)
    @given(st.lists(entry, min_size=1, max_size=200), st.integers(2, 20), st.booleans())
    def check(entries: List[Any], most: int, in_order: bool) -> None:
        if in_order:
            entries = sorted(entries, key=lambda each: each[0])
        values = [at(time, None if status else level, status) for time, level, status in entries]
        one, other = Thinning(most, 1, 1000), Thinning(most, 1, 1000)
        for first in range(0, len(values), 13):
            one.add(values[first : first + 13])
            other.add_columns(columns(values[first : first + 13]))
        assert repr(one.values()) == repr(other.values())
        assert len(one.values()) <= most

    check()


def test_what_comes_behind_newer_values_has_its_place_by_time() -> None:
    values = wave(1000)
    turned = values[500:] + values[:500]
    thinning = Thinning(100, 1, values[-1].moment)
    thinning.add(turned)
    found = thinning.values()
    assert found[0] == values[0] and found[-1] == values[-1]
    assert [each.moment for each in found] == sorted(each.moment for each in found)


@pytest.mark.parametrize("count", [10, 5000])
def test_texts_have_the_first_and_the_last_of_each_bucket(count: int) -> None:
    values = [DataValue(Variant(STRING, str(time)), 0, time) for time in range(1, count + 1)]
    thinning = Thinning(42, 1, count)
    thinning.add(values)
    found = thinning.values()
    assert min(count, 40) <= len(found) <= 42 and found[0] == values[0] and found[-1] == values[-1]


def test_booleans_and_whole_numbers_of_columns_become_values_again() -> None:
    for type_id, code, one in ((BOOLEAN, "B", True), (INT32, "i", 1)):
        thinning = Thinning(10, 1, 1000)
        times, statuses = array("q", range(1, 1001)), array("I", [0] * 1000)
        numbers = array(code, [place == 600 for place in range(1000)])
        thinning.add_columns(Columns(type_id, times, numbers, statuses))
        found = thinning.values()
        assert DataValue(Variant(type_id, one), 0, 601) in found
        assert all(type(number(each)) is type(one) for each in found)


def test_columns_of_other_values_have_their_namespaces() -> None:
    thinning = Thinning(10, 1, 10)
    for uri, time in (("urn:a", 1), ("urn:b", 2)):
        variant = Variant(NODEID, NodeId(1, "x"))
        thinning.add_columns(Columns(0, [time], [variant], [0], ["urn:ua", uri]))
    assert thinning.namespaces == ["urn:ua", "urn:a", "urn:b"]
    assert [number(each) for each in thinning.values()] == [NodeId(1, "x"), NodeId(2, "x")]


def test_what_is_held_does_not_grow_with_what_comes() -> None:
    thinning = Thinning(100, 1, 10**6)
    for first in range(1, 10**5, 1000):
        thinning.add([at(first + each, float(each % 7)) for each in range(1000)])
    held = thinning._buckets
    assert len(held) <= 49 and not thinning._all


@pytest.mark.parametrize("end", [10, 5000, 5001])
def test_values_that_are_newer_than_was_thought_make_the_buckets_wider(end: int) -> None:
    values = wave(5000)
    thinning = Thinning(100, 1, end * TICKS_PER_SECOND)
    thinning.add(values)
    found = thinning.values()
    assert 45 <= len(found) <= 100
    levels = [number(each) for each in values]
    assert {min(levels), max(levels)} <= {number(each) for each in found}
