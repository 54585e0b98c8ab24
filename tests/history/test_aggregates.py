"""The rules of OPC 10000-13 that its examples do not reach, and what is true of any values."""

import random
from typing import Any, List, Optional, Sequence, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.history.aggregates import (
    DEFAULT,
    INTERVAL_AGGREGATES,
    AggregateConfiguration,
    LongInterval,
    processed,
)
from opcws.model import status_codes
from opcws.model.data_types import (
    BOOLEAN,
    DATETIME,
    DOUBLE,
    FLOAT,
    INT16,
    INT32,
    INT64,
    STRING,
    TICKS_PER_SECOND,
    UINT16,
    DataValue,
    Variant,
)
from opcws.model.errors import ServiceError

T = 131_000_000_000_000_000
S = TICKS_PER_SECOND
BAD = status_codes.code("Bad")
NO_DATA = status_codes.code("BadNoData")
NOT_CONNECTED = status_codes.code("BadNotConnected")
UNCERTAIN = status_codes.code("Uncertain")
SUB_NORMAL = status_codes.code("UncertainDataSubNormal")
CALCULATED, INTERPOLATED, PARTIAL, MULTI_VALUE = 0x401, 0x402, 0x404, 0x410

#: A raw value: its second, its value, its status.
Raw = Tuple[float, Any, int]


def series(raw: Sequence[Raw], type_id: int = DOUBLE) -> List[DataValue]:
    return [
        DataValue(None if value is None else Variant(type_id, value), status, T + round(second * S))
        for second, value, status in raw
    ]


def good(*raw: Tuple[float, Any]) -> List[Raw]:
    return [(second, value, 0) for second, value in raw]


def told(results: Sequence[DataValue]) -> List[Tuple[float, Any, int]]:
    return [
        (
            (result.source_timestamp - T) / S,
            None if result.value is None else result.value.value,
            result.status,
        )
        for result in results
    ]


def computed(
    aggregate: str,
    raw: Sequence[Raw],
    start: float,
    end: float,
    interval: float,
    stepped: bool = False,
    configuration: AggregateConfiguration = DEFAULT,
    known_until: Optional[float] = None,
    type_id: int = DOUBLE,
) -> List[Tuple[float, Any, int]]:
    return told(
        processed(
            aggregate,
            series(raw, type_id),
            T + round(start * S),
            T + round(end * S),
            round(interval * S),
            stepped,
            configuration,
            0 if known_until is None else T + round(known_until * S),
        )
    )


EVERY_SECOND = good(*((second, float(second)) for second in range(30)))


def test_an_interval_of_nothing_is_all_of_the_range() -> None:
    assert computed("Count", EVERY_SECOND, 0, 20, 0) == [(0, 20, CALCULATED)]


def test_the_last_interval_is_what_remains_and_partial() -> None:
    assert computed("Count", EVERY_SECOND, 0, 20, 8) == [
        (0, 8, CALCULATED),
        (8, 8, CALCULATED),
        (16, 4, CALCULATED | PARTIAL),
    ]
    assert computed("Count", EVERY_SECOND, 0, 20, 60) == [(0, 20, CALCULATED | PARTIAL)]


def test_backwards_the_later_time_is_in_the_interval_and_its_timestamp() -> None:
    assert computed("Count", EVERY_SECOND, 20, 0, 8) == [
        (20, 8, CALCULATED),
        (12, 8, CALCULATED),
        (4, 4, CALCULATED | PARTIAL),
    ]
    assert computed("Maximum", EVERY_SECOND, 20, 0, 10) == [(20, 20, 0), (10, 10, 0)]
    assert computed("Minimum", EVERY_SECOND, 20, 0, 10) == [
        (20, 11, CALCULATED),
        (10, 1, CALCULATED),
    ]
    assert computed("Interpolative", good((0, 0.0), (30, 30.0)), 20, 0, 10) == [
        (20, 20, INTERPOLATED),
        (10, 10, INTERPOLATED),
    ]
    assert computed("Start", EVERY_SECOND, 20, 0, 10) == [(11, 11, 0), (1, 1, 0)]
    level = good((0, 1.0), (5, 1.0), (10, 1.0))
    assert computed("Minimum", level, 10, 0, 10) == [(10, 1, MULTI_VALUE)]


@pytest.mark.parametrize("aggregate", INTERVAL_AGGREGATES)
def test_before_and_behind_the_data_there_are_none(aggregate: str) -> None:
    raw = good((10, 1.0), (11, 2.0))
    assert computed(aggregate, raw, 0, 10, 5) == [(0, None, NO_DATA), (5, None, NO_DATA)]
    assert computed(aggregate, raw, 10, 0, 5)[1] == (5, None, NO_DATA)
    assert computed(aggregate, [], 0, 10, 5) == [(0, None, NO_DATA), (5, None, NO_DATA)]
    if aggregate != "Interpolative":
        assert computed(aggregate, raw, 12, 22, 5) == [(12, None, NO_DATA), (17, None, NO_DATA)]
        assert computed(aggregate, raw, 22, 12, 5) == [(22, None, NO_DATA), (17, None, NO_DATA)]


def test_an_interval_without_values_amid_the_data_counts_none() -> None:
    raw = good((0, 1.0), (30, 4.0))
    assert computed("Count", raw, 10, 20, 10) == [(10, 0, CALCULATED)]
    assert computed("Average", raw, 10, 20, 10) == [(10, None, NO_DATA)]
    assert computed("TimeAverage", raw, 10, 20, 10) == [(10, 2.5, CALCULATED)]
    assert computed("DurationGood", raw, 10, 20, 10) == [(10, 10000, CALCULATED)]


def test_what_a_server_says_it_has_not_is_no_data() -> None:
    not_found = status_codes.code("BadBoundNotFound")
    raw = [(0, None, not_found), *good((5, 1.0), (6, 2.0)), (10, None, not_found)]
    assert computed("Count", raw, 0, 10, 10) == [(0, 2, CALCULATED | PARTIAL)]
    assert computed("DurationBad", raw, 0, 6, 6) == [(0, 5000, CALCULATED | PARTIAL)]


def test_values_count_where_their_times_are_in_whatever_order_they_come() -> None:
    shuffled = EVERY_SECOND[:]
    random.Random(1).shuffle(shuffled)
    for aggregate in INTERVAL_AGGREGATES:
        assert computed(aggregate, shuffled, 0, 20, 7) == computed(
            aggregate, EVERY_SECOND, 0, 20, 7
        )


def test_a_value_without_a_source_timestamp_has_the_servers_and_without_any_none() -> None:
    values = [
        DataValue(Variant(DOUBLE, 5.0), 0),
        DataValue(Variant(DOUBLE, 3.0), 0, 0, T + S),
        DataValue(Variant(DOUBLE, 3.0), 0, 0, T + 2 * S),
    ]
    results = processed("Count", values, T, T + 2 * S, 0, False)
    assert told(results) == [(0, 1, CALCULATED | PARTIAL)]


def test_an_outage_is_bad_time() -> None:
    raw = [*good((0, 10.0)), (4, None, NOT_CONNECTED), *good((8, 30.0), (20, 30.0))]
    assert computed("DurationBad", raw, 0, 10, 10, stepped=True) == [(0, 4000, CALCULATED)]
    assert computed("PercentGood", raw, 0, 10, 10, stepped=True) == [(0, 60, CALCULATED)]
    # 4 s of 10 and 2 s of 30.
    sub_normal = SUB_NORMAL | CALCULATED
    average = computed("TimeAverage2", raw, 0, 10, 10, stepped=True)
    assert average == [(0, pytest.approx(100 / 6), sub_normal)]
    assert computed("Total2", raw, 0, 10, 10, stepped=True) == [(0, 100, sub_normal)]
    assert computed("Average", raw, 0, 10, 10) == [(0, 20, sub_normal)]
    assert computed("End", raw, 0, 8, 8) == [(4, None, NOT_CONNECTED)]
    assert computed("Interpolative", raw, 6, 7, 1) == [(6, 25, SUB_NORMAL | INTERPOLATED)]


def test_a_bad_value_amid_good_ones_is_left_out() -> None:
    raw = [*good((0, 0.0), (2, 2.0)), (4, 99.0, BAD), *good((6, 6.0), (10, 10.0))]
    assert computed("TimeAverage", raw, 0, 10, 10) == [(0, 5, SUB_NORMAL | CALCULATED)]
    # From 2 s to 4 s the value is 2, and then there is none for 2 s.
    average = computed("TimeAverage2", raw, 0, 10, 10)
    assert average == [(0, (2 + 2 * 2 + 4 * 8) / 8, SUB_NORMAL | CALCULATED)]
    assert computed("Delta", raw, 0, 10, 10) == [(0, 6, CALCULATED)]
    assert computed("Delta", raw, 3, 10, 7) == [(3, 0, SUB_NORMAL | CALCULATED)]
    assert computed("Maximum", raw, 0, 10, 10) == [(0, 6, SUB_NORMAL | CALCULATED)]


def test_how_much_may_be_bad_is_configured() -> None:
    raw = [*good((0, 1.0), (1, 2.0)), (2, None, BAD), *good((3, 3.0), (10, 3.0))]

    def average(percent_bad: int, percent_good: int) -> List[Tuple[float, Any, int]]:
        configuration = AggregateConfiguration(True, percent_bad, percent_good)
        return computed("Average", raw, 0, 4, 4, configuration=configuration)

    assert average(100, 100) == [(0, 2, SUB_NORMAL | CALCULATED)]
    assert average(100, 75) == [(0, 2, CALCULATED)]
    assert average(25, 100) == [(0, None, BAD | CALCULATED)]
    assert average(26, 76) == [(0, 2, SUB_NORMAL | CALCULATED)]
    # Where they make 100 the Good ones decide alone (4.2.1.2).
    assert average(20, 80) == [(0, 2, SUB_NORMAL | CALCULATED)]


def test_uncertain_values_are_used_where_they_are_not_bad() -> None:
    raw = [(0, 1.0, 0), (5, 2.0, UNCERTAIN), (10, 3.0, 0)]
    used = AggregateConfiguration(treat_uncertain_as_bad=False)
    assert computed("Interpolative", raw, 5, 6, 1, configuration=used) == [(5, 2, UNCERTAIN)]
    assert computed("Interpolative", raw, 5, 6, 1) == [(5, 2, SUB_NORMAL | INTERPOLATED)]
    assert computed("DurationBad", raw, 0, 10, 10, configuration=used) == [(0, 0, CALCULATED)]
    assert computed("DurationBad", raw, 0, 10, 10) == [(0, 5000, CALCULATED)]


def test_what_lies_behind_the_data_is_extrapolated() -> None:
    raw = good((0, 0.0), (10, 10.0))
    sloped = AggregateConfiguration(use_sloped_extrapolation=True)
    extrapolated = SUB_NORMAL | INTERPOLATED
    assert computed("Interpolative", raw, 20, 21, 1) == [(20, 10, extrapolated)]
    assert computed("Interpolative", raw, 20, 21, 1, configuration=sloped) == [
        (20, 20, extrapolated)
    ]
    assert computed("Interpolative", raw, 20, 21, 1, True, sloped) == [(20, 10, extrapolated)]
    assert computed("Interpolative", raw[1:], 20, 21, 1, configuration=sloped) == [
        (20, 10, extrapolated)
    ]


def test_the_last_value_holds_until_it_is_known_not_to() -> None:
    """3.1.9: whoever stored the values may know that none has come since."""
    raw = good((0, 10.0))
    assert computed("TimeAverage2", raw, 0, 10, 10, True) == [(0, 10, CALCULATED | PARTIAL)]
    assert computed("TimeAverage2", raw, 0, 10, 5, True, known_until=10) == [
        (0, 10, CALCULATED),
        (5, 10, CALCULATED),
    ]
    assert computed("Interpolative", raw, 0, 20, 10, known_until=10) == [
        (0, 10, 0),
        (10, 10, INTERPOLATED),
    ]
    assert computed("DurationGood", raw, 0, 20, 10, known_until=12) == [
        (0, 10000, CALCULATED),
        (10, 2000, CALCULATED | PARTIAL),
    ]
    assert computed("Count", raw, 0, 20, 10, known_until=12) == [
        (0, 1, CALCULATED),
        (10, 0, CALCULATED | PARTIAL),
    ]
    gone = [*raw, (2, None, NOT_CONNECTED)]
    assert computed("DurationBad", gone, 0, 10, 10, known_until=10) == [(0, 8000, CALCULATED)]


@pytest.mark.parametrize(
    "type_id, values, aggregate, expected",
    [
        (INT32, (1, 4), "Interpolative", Variant(INT32, 2)),
        (UINT16, (1, 4), "Interpolative", Variant(UINT16, 2)),
        (FLOAT, (1.0, 4.0), "Interpolative", Variant(FLOAT, 2.5)),
        (BOOLEAN, (False, True), "Interpolative", Variant(BOOLEAN, False)),
        (STRING, ("on", "off"), "Interpolative", Variant(STRING, "on")),
        (INT32, (1, 4), "Average", Variant(DOUBLE, 2.5)),
        (BOOLEAN, (False, True), "Average", Variant(DOUBLE, 0.5)),
        (INT16, (4, 1), "Maximum", Variant(INT16, 4)),
        (BOOLEAN, (False, True), "Maximum", Variant(BOOLEAN, True)),
        (INT16, (4, 1), "Delta", Variant(INT16, -3)),
        (UINT16, (4, 1), "Delta", Variant(INT64, -3)),
        (UINT16, (1, 4), "Range", Variant(UINT16, 3)),
        (BOOLEAN, (True, False), "Delta", Variant(INT64, -1)),
        (FLOAT, (1.0, 4.0), "Delta", Variant(FLOAT, 3.0)),
        (STRING, ("on", "off"), "Count", Variant(INT32, 2)),
        (STRING, ("on", "off"), "Start", Variant(STRING, "on")),
        (STRING, ("on", "off"), "DurationGood", Variant(DOUBLE, 10000.0)),
    ],
)
def test_a_result_has_the_type_that_the_standard_says(
    type_id: int, values: Tuple[Any, Any], aggregate: str, expected: Variant
) -> None:
    raw = series([(0, values[0], 0), (8, values[1], 0), (20, values[1], 0)], type_id)
    start = T + 4 * S if aggregate == "Interpolative" else T
    (result,) = processed(aggregate, raw, start, T + 10 * S, 0, False)
    assert result.value == expected


def test_an_integer_stays_in_the_range_of_its_type() -> None:
    sloped = AggregateConfiguration(use_sloped_extrapolation=True)
    raw = good((0, 10), (1, 0))
    assert computed("Interpolative", raw, 5, 6, 1, False, sloped, type_id=UINT16)[0][1] == 0


def test_a_line_to_infinity_leaves_the_integers() -> None:
    raw = [*series([(0, 1, 0)], INT32), *series([(10, float("inf"), 0)])]
    (result,) = processed("Interpolative", raw, T + S, T + 2 * S, 0, False)
    assert result.value == Variant(DOUBLE, float("inf"))


@pytest.mark.parametrize("type_id, value", [(STRING, "on"), (DATETIME, T)])
def test_what_is_computed_is_computed_of_numbers(type_id: int, value: object) -> None:
    raw = series([(0, value, 0), (5, value, 0)], type_id)
    with pytest.raises(ServiceError) as refused:
        processed("Average", raw, T, T + 10 * S, 0, True)
    assert refused.value.status == "BadAggregateNotSupported"
    assert str(refused.value).startswith("Average needs numbers")


def test_what_is_no_number_counts_as_bad() -> None:
    values = series([(0, 1.0, 0), (1, float("nan"), 0), (3, 5.0, 0), (10, 5.0, 0)])
    values[2:2] = [
        DataValue(Variant(STRING, "x"), 0, T + 2 * S),
        DataValue(Variant(DOUBLE, [7.0], True), 0, T + 2 * S),
    ]
    expected = [(0, 3, SUB_NORMAL | CALCULATED)]
    assert told(processed("Average", values, T, T + 5 * S, 0, False)) == expected
    assert told(processed("Minimum", values, T, T + 5 * S, 0, False)) == [
        (0, 1, SUB_NORMAL | CALCULATED)
    ]
    assert told(processed("Count", values, T, T + 5 * S, 0, False)) == [(0, 5, CALCULATED)]


@pytest.mark.parametrize(
    "configuration",
    [
        AggregateConfiguration(percent_data_bad=101),
        AggregateConfiguration(percent_data_good=-1),
        AggregateConfiguration(percent_data_bad=80, percent_data_good=0),
    ],
)
def test_percentages_that_contradict_one_another_are_refused(
    configuration: AggregateConfiguration,
) -> None:
    with pytest.raises(ServiceError) as refused:
        processed("Count", [], T, T + S, 0, False, configuration)
    assert refused.value.status == "BadAggregateInvalidInputs"


def test_a_range_of_no_time_is_refused() -> None:
    with pytest.raises(ServiceError) as refused:
        processed("Count", [], T, T, S, False)
    assert refused.value.status == "BadInvalidArgument"


# What is true of any values.

_STATUSES = st.sampled_from([0, 0, 0, 0, UNCERTAIN, BAD, NOT_CONNECTED])
#: Up to 60 raw values in 40 s, some at the same time, most of them where intervals begin.
_RAW = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 40), st.integers(0, 40000).map(lambda each: each / 1000)),
        st.integers(-1000, 1000).map(float),
        _STATUSES,
    ),
    max_size=60,
).map(lambda raw: sorted(raw, key=lambda each: each[0]))
_CONFIGURATIONS = st.builds(
    AggregateConfiguration,
    treat_uncertain_as_bad=st.booleans(),
    percent_data_bad=st.sampled_from([50, 100]),
    percent_data_good=st.sampled_from([50, 100]),
    use_sloped_extrapolation=st.booleans(),
)
_AGGREGATES = st.sampled_from(INTERVAL_AGGREGATES)


@given(_RAW, st.integers(1, 15), _CONFIGURATIONS, st.booleans(), st.booleans())
def test_an_average_lies_between_the_extremes(
    raw: Sequence[Raw],
    interval: int,
    configuration: AggregateConfiguration,
    stepped: bool,
    forwards: bool,
) -> None:
    start, end = (0, 40) if forwards else (40, 0)

    def values(aggregate: str) -> List[Any]:
        results = computed(aggregate, raw, start, end, interval, stepped, configuration)
        return [value for _, value, _ in results]

    count = 0
    for low, average, high, width in zip(
        values("Minimum"), values("Average"), values("Maximum"), values("Range")
    ):
        assert (low is None) == (high is None) == (width is None)
        if low is not None:
            assert width == high - low
            if average is not None:
                assert low - 1e-9 <= average <= high + 1e-9
        count += 1
    assert count == -(-40 // interval)


@given(_RAW, st.integers(1, 15), st.booleans())
def test_counts_add_up(raw: Sequence[Raw], interval: int, forwards: bool) -> None:
    start, end = (0, 40) if forwards else (40, 0)
    never_bad = AggregateConfiguration(percent_data_good=0)
    counts = computed("Count", raw, start, end, interval, configuration=never_bad)
    inside = [
        status for second, _, status in raw if (second < 40 if forwards else round(second * S) > 0)
    ]
    assert sum(value or 0 for _, value, _ in counts) == inside.count(0)


@given(_RAW, st.integers(1, 15), st.booleans(), st.booleans())
def test_good_and_bad_time_are_all_the_time(
    raw: Sequence[Raw], interval: int, stepped: bool, forwards: bool
) -> None:
    start, end = (0, 40) if forwards else (40, 0)

    def values(aggregate: str) -> List[Any]:
        results = computed(aggregate, raw, start, end, interval, True, known_until=40)
        return [value for _, value, _ in results]

    for moment, each, bad, percent in zip(
        range(0, 40, interval),
        values("DurationGood"),
        values("DurationBad"),
        values("PercentGood"),
    ):
        if each is not None:
            assert each + bad == pytest.approx(min(interval, 40 - moment) * 1000)
            assert 0 <= percent <= 100


@given(
    _RAW, st.integers(1, 15), st.data(), _AGGREGATES, _CONFIGURATIONS, st.booleans(), st.booleans()
)
def test_a_page_has_the_results_that_it_would_have_among_all(
    raw: Sequence[Raw],
    interval: int,
    data: st.DataObject,
    aggregate: str,
    configuration: AggregateConfiguration,
    stepped: bool,
    forwards: bool,
) -> None:
    start, end = (0, 40) if forwards else (40, 0)
    at = data.draw(st.integers(0, 40 // interval)) * interval
    split = at if forwards else 40 - at
    everything = computed(aggregate, raw, start, end, interval, stepped, configuration)
    pages = []
    for early, late in ((start, split), (split, end)):
        if early != late:
            part = needed(raw, min(early, late), max(early, late), configuration)
            pages += computed(aggregate, part, early, late, interval, stepped, configuration)
    assert pages == everything


def needed(
    raw: Sequence[Raw], early: float, late: float, configuration: AggregateConfiguration
) -> Sequence[Raw]:
    """What :func:`processed` asks for: two usable values before, one behind, all between."""
    unusable = (BAD, NOT_CONNECTED, *[UNCERTAIN] * configuration.treat_uncertain_as_bad)
    before = [i for i, each in enumerate(raw) if each[0] < early and each[2] not in unusable]
    behind = [i for i, each in enumerate(raw) if each[0] > late and each[2] not in unusable]
    first = before[-2] if len(before) > 1 else 0
    return raw[first : behind[0] + 1 if behind else len(raw)]


@given(_RAW, st.integers(1, 15), _CONFIGURATIONS, st.booleans())
def test_backwards_is_forwards_shifted_by_an_interval(
    raw: Sequence[Raw], interval: int, configuration: AggregateConfiguration, stepped: bool
) -> None:
    """5.4.2.2, where no value lies on a bound."""
    raw = [each for each in raw if each[0] != int(each[0])]
    end = 40 // interval * interval
    for aggregate in INTERVAL_AGGREGATES:
        if aggregate != "Interpolative":
            forwards = computed(aggregate, raw, 0, end, interval, stepped, configuration)
            backwards = computed(aggregate, raw, end, 0, interval, stepped, configuration)
            assert [each[1:] for each in forwards] == [each[1:] for each in backwards[::-1]]


# --- Intervals with more values than are held -----------------------------------------------------


def in_parts(
    aggregate: str,
    values: Sequence[DataValue],
    start: int,
    end: int,
    interval: int,
    stepped: bool,
    configuration: AggregateConfiguration,
    known_until: int,
    part: int,
) -> Tuple[List[DataValue], int]:
    """The value of one interval, of values that come *part* by *part*; and how many were held."""
    more: Any = (interval, stepped, configuration, known_until)
    interval_so_far = LongInterval(aggregate, start, end, *more)
    ordered = list(values) if end > start else list(values)[::-1]
    held: List[DataValue] = []
    most = 0
    for first in range(0, len(ordered), part):
        held = interval_so_far.take([*held, *ordered[first : first + part]])
        most = max(most, len(held))
    return [interval_so_far.result(held)], most


@given(
    _RAW,
    st.integers(1, 9),
    _AGGREGATES,
    _CONFIGURATIONS,
    st.booleans(),
    st.booleans(),
    st.sampled_from([(0, 40), (3, 35), (10, 10.5)]),
    st.sampled_from([0, 100]),
    st.sampled_from([0, 38, 100]),
)
def test_the_values_of_an_interval_may_come_in_parts(
    raw: Sequence[Raw],
    part: int,
    aggregate: str,
    configuration: AggregateConfiguration,
    stepped: bool,
    forwards: bool,
    span: Tuple[float, float],
    interval: int,
    known_until: int,
) -> None:
    start, end = (T + round(each * S) for each in (span if forwards else span[::-1]))
    until = T + known_until * S if known_until else 0
    more: Any = (start, end, interval * S, stepped, configuration, until)
    values = series(raw)
    found, _most = in_parts(aggregate, values, *more, part=part)
    expected = processed(aggregate, values, *more)
    for one, other in zip(told(found), told(expected)):
        assert (one[0], one[2]) == (other[0], other[2])
        assert one[1] == (other[1] if other[1] is None else pytest.approx(other[1]))
    assert len(found) == len(expected) == 1


@pytest.mark.parametrize("aggregate", INTERVAL_AGGREGATES)
@pytest.mark.parametrize("forwards", [False, True])
def test_few_of_the_values_of_a_long_interval_are_held(aggregate: str, forwards: bool) -> None:
    chance = random.Random(5)
    values = series([(each / 100, chance.uniform(-9, 9), 0) for each in range(10_000)])
    start, end = (T, T + 100 * S) if forwards else (T + 100 * S, T)
    more: Any = (start, end, 0, False, DEFAULT, 0)
    (found,), most = in_parts(aggregate, values, *more, part=100)
    (expected,) = processed(aggregate, values, *more)
    assert most < 10
    assert found.status == expected.status and found.moment == expected.moment
    assert found.value is not None and expected.value is not None
    assert found.value.value == pytest.approx(expected.value.value)


def test_of_a_long_interval_without_numbers_nothing_is_computed() -> None:
    values = series([(each, "text", 0) for each in range(30)], STRING)
    with pytest.raises(ServiceError, match="of the type String"):
        in_parts("Total", values, T, T + 30 * S, 0, False, DEFAULT, 0, part=5)
    (found,), _ = in_parts("End", values, T, T + 30 * S, 0, False, DEFAULT, 0, part=5)
    assert found.value == Variant(STRING, "text")
