"""Where history is read, without OPC UA and without a file: sources that are lists."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Union

import pytest

from opcws.config.settings import Server, Variable
from opcws.gateway import charts, histories
from opcws.gateway.charts import Chart
from opcws.gateway.histories import ComputingHistory, Histories, JoinedHistory
from opcws.gateway.plant_interface import HistoryPage, HistoryQuery
from opcws.history.aggregates import INTERVAL_AGGREGATES, processed
from opcws.model import status_codes
from opcws.model.clock import utc_ticks
from opcws.model.data_types import DOUBLE, LAST_TICKS, NULL_NODE_ID, STRING, DataValue, Variant
from opcws.model.errors import PlantError, ServiceError

SECOND = 10_000_000
NO_HISTORY = ServiceError("no history", "BadHistoryOperationUnsupported")
AWAY = PlantError("plant is not connected", "BadNotConnected")
BOUND_NOT_FOUND = status_codes.code("BadBoundNotFound")
A = Variable("a", "plant", NULL_NODE_ID)


def at(second: float, number: Optional[float] = None, status: int = 0) -> DataValue:
    value = Variant(DOUBLE, float(second if number is None else number))
    return DataValue(value, status, round(second * SECOND))


def gap(second: float) -> DataValue:
    return DataValue(None, status_codes.code("BadNotConnected"), round(second * SECOND))


def seconds(values: Sequence[DataValue]) -> List[float]:
    return [value.moment / SECOND for value in values]


class Owner:
    closed = False
    outbox: Any = None


class Point:
    def __init__(self, place: int) -> None:
        self.place = place
        self.usable = True


class Source:
    """*values*, in pages of at most *page*; answers at once or, *later*, when it is told to."""

    def __init__(self, values: Sequence[DataValue], page: int = 100, later: bool = False) -> None:
        self.values = list(values)
        self.page = page
        self.later = later
        self.waiting: List[Callable[[], None]] = []
        self.asked: List[HistoryQuery] = []
        self.points: List[Point] = []
        #: What is answered, to which question on: "raw" or the name of an aggregate.
        self.problems: Dict[str, ServiceError] = {}
        self.fails_after = 10**9
        self.namespaces: Sequence[str] = ()

    @property
    def held(self) -> List[Point]:
        """The points that were neither used nor released."""
        return [each for each in self.points if each.usable]

    def history(
        self,
        query: HistoryQuery,
        owner: Any,
        done: Callable[[Union[HistoryPage, ServiceError]], None],
    ) -> None:
        self.asked.append(query)
        problem = self.problems.get(query.aggregate or "raw")
        if len(self.asked) > self.fails_after:
            problem = AWAY
        if problem is not None:
            raise problem
        if self.later:
            self.waiting.append(lambda: done(self._page(query)))
        else:
            done(self._page(query))

    def _page(self, query: HistoryQuery) -> HistoryPage:
        start, end = query.start, query.end
        backwards = not start or start > end
        low, high = sorted([start, end])
        found = [each for each in self.values if low <= each.moment <= high]
        found = found[::-1] if backwards else found
        if query.aggregate is not None:
            found = [DataValue(Variant(STRING, query.aggregate), 0, start)]
        point: Any = query.continuation_point
        first = 0
        if point is not None:
            assert point.usable
            point.usable = False
            first = point.place
        last = first + min(query.max_values or self.page, self.page)
        following = None
        if last < len(found) and start:
            following = Point(last)
            self.points.append(following)
        return HistoryPage(found[first:last], following, self.namespaces)

    def release_history(self, continuation_point: Any) -> None:
        assert continuation_point.usable
        continuation_point.usable = False

    # --- as a plant, and as a recorder --------------------------------------------------------

    server = Server("plant", ())
    keeps: Optional[bool] = True
    recorded = True
    stepped = False

    def keeps_history(self, variable: Variable) -> Optional[bool]:
        return self.keeps

    def is_stepped(self, variable: Variable) -> bool:
        return self.stepped

    def series(self, variable: Variable) -> object:
        return "series" if self.recorded else None

    def columns(
        self, variable: Any, start: int, end: int, each: Any, done: Any, owner: Any = None
    ) -> None:
        values = [value for value in self.values if start <= value.moment <= end]
        times = [value.moment for value in values]
        numbers = [value.value.value for value in values if value.value is not None]

        class Columns:
            type = DOUBLE
            namespaces = ()

        columns: Any = Columns()
        columns.times, columns.values, columns.statuses = times, numbers, [0] * len(times)
        each(columns)
        done(None)


def read(source: Any, query: HistoryQuery) -> HistoryPage:
    """The page that *source* answers.  Raises what it refuses with."""
    answers: List[Any] = []
    source.history(query, Owner(), answers.append)
    (answer,) = answers
    if isinstance(answer, ServiceError):
        raise answer
    assert isinstance(answer, HistoryPage)
    return answer


def pages(source: Any, query: HistoryQuery) -> List[HistoryPage]:
    found = [read(source, query)]
    while found[-1].continuation_point is not None:
        point = found[-1].continuation_point
        assert point.usable
        found.append(read(source, query._replace(continuation_point=point)))
        assert not point.usable
    return found


def whole(source: Any, query: HistoryQuery) -> List[DataValue]:
    return [value for page in pages(source, query) for value in page.values]


def span(start: float, end: float, most: int = 0, bounds: bool = False) -> HistoryQuery:
    ticks = (round(start * SECOND), LAST_TICKS if end > 10**9 else round(end * SECOND))
    return HistoryQuery(A, *ticks, most, bounds, None, 0.0)


# --- Two as one ----------------------------------------------------------------------------------

#: The OPC UA server keeps the newest, the recorder has another part.
PLANT = [at(second) for second in range(50, 101)]
OWN = [at(second)._replace(server_timestamp=1) for second in range(1, 91)]


def joined(plant: Source, own: Source, limit: int = 1000) -> JoinedHistory:
    return JoinedHistory(plant, own, limit)


@pytest.mark.parametrize("most", [0, 1, 7, 49, 50, 51, 100, 1000])
@pytest.mark.parametrize("page", [1, 10, 100])
@pytest.mark.parametrize("backwards", [False, True])
def test_pages_of_both_have_every_value_once_in_order(
    most: int, page: int, backwards: bool
) -> None:
    plant, own = Source(PLANT, page), Source(OWN, page)
    query = span(100, 1, most) if backwards else span(1, 100, most)
    found = pages(joined(plant, own), query)
    values = [value for each in found for value in each.values]
    assert values == [*OWN[:49], *PLANT][:: -1 if backwards else 1]
    assert all(len(each.values) == (most or 1000) for each in found[:-1])
    assert all(each.missing is None for each in found)
    assert not plant.held and not own.held


def test_a_page_is_no_longer_than_is_configured() -> None:
    source = joined(Source(PLANT), Source(OWN), limit=30)
    assert [len(each.values) for each in pages(source, span(1, 100, 50))] == [30, 30, 30, 10]


def test_to_the_newest_and_back_from_an_end() -> None:
    source = joined(Source(PLANT), Source(OWN))
    assert seconds(whole(source, span(95, 10**10))) == [95, 96, 97, 98, 99, 100]
    back = read(source, HistoryQuery(A, 0, 60 * SECOND, 3, False, None, 0.0))
    assert seconds(back.values) == [60, 59, 58]


def test_little_is_read_ahead_of_a_page() -> None:
    plant, own = Source(PLANT * 100, 10**6), Source([], 10**6)
    plant.values = [at(second) for second in range(1, 5000)]
    read(joined(plant, own, 10_000), span(1, 10**6, 10))
    assert [each.max_values for each in plant.asked] == [10]
    read(joined(plant, own, 10_000), span(1, 10**6, 3000))
    assert {each.max_values for each in plant.asked[1:]} == {histories.PART}


@pytest.mark.parametrize(
    "start, end, told",
    [
        (10.5, 12.5, [10, 11, 12, 13]),
        (11, 12, [11, 12]),
        (12.5, 10.5, [13, 12, 11, 10]),
        (99.5, 200, [99, 100, 200]),
        (0.5, 1.5, [0.5, 1, 2]),
        (89.5, 90.5, [89, 90, 91]),
        (49.2, 49.8, [49, 50]),
    ],
)
@pytest.mark.parametrize("most", [0, 1, 2])
def test_bounds_are_the_nearest_values_of_both(
    start: float, end: float, told: List[float], most: int
) -> None:
    plant, own = Source(PLANT), Source(OWN)
    found = whole(joined(plant, own), span(start, end, most, bounds=True))
    assert seconds(found) == told
    missing = [value.moment / SECOND for value in found if value.status == BOUND_NOT_FOUND]
    assert missing == [each for each in told if each in (0.5, 200)]
    assert not plant.held and not own.held


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("first", [2.0, 20.0, 200.0])
def test_a_gap_stays_unless_the_server_was_collecting_then(backwards: bool, first: float) -> None:
    """Also where it has no value in the span."""
    plant = Source([at(first), at(201)])
    own = Source([at(10), gap(11), at(12, 10, 0x402)])
    query = span(12, 10) if backwards else span(10, 12)
    found = whole(joined(plant, own), query)
    assert sorted(seconds(found)) == ([10] if first == 2.0 else [10, 11, 12])
    assert not plant.held


def test_both_may_have_other_indexes_of_namespaces() -> None:
    plant, own = Source(PLANT), Source(OWN)
    plant.namespaces, own.namespaces = ["urn:ua", "urn:a"], ["urn:ua", "urn:b"]
    page = read(joined(plant, own), span(1, 100))
    assert sorted(page.namespaces) == ["urn:a", "urn:b", "urn:ua"]


# --- One of two that cannot be had ---------------------------------------------------------------


@pytest.mark.parametrize("which", ["plant", "own"])
def test_what_one_has_is_told_where_the_other_cannot_be_had(which: str) -> None:
    plant, own = Source(PLANT), Source(OWN)
    (plant if which == "plant" else own).problems["raw"] = AWAY
    found = pages(joined(plant, own), span(1, 100, 20))
    assert [value for each in found for value in each.values] == (
        OWN if which == "plant" else PLANT
    )
    assert all(each.missing is AWAY for each in found)


def test_a_server_that_is_lost_between_two_pages_leaves_what_was_recorded() -> None:
    plant, own = Source(PLANT, 10), Source([*OWN, gap(95), at(97)], 10)
    plant.fails_after = 3
    found = pages(joined(plant, own), span(1, 100, 60))
    values = [value for each in found for value in each.values]
    assert seconds(values) == [*range(1, 91), 95, 97]
    assert [each.missing for each in found] == [None, AWAY]
    assert not plant.held and not own.held


def test_a_server_without_history_leaves_nothing_out() -> None:
    plant, own = Source([]), Source(OWN)
    plant.problems["raw"] = NO_HISTORY
    page = read(joined(plant, own), span(1, 100))
    assert page.values == OWN and page.missing is None


@pytest.mark.parametrize(
    "of_plant, of_own, told",
    [(AWAY, NO_HISTORY, AWAY), (NO_HISTORY, AWAY, AWAY), (NO_HISTORY, NO_HISTORY, NO_HISTORY)],
)
def test_where_none_can_be_had_it_is_told_why(
    of_plant: ServiceError, of_own: ServiceError, told: ServiceError
) -> None:
    plant, own = Source([]), Source([])
    plant.problems["raw"], own.problems["raw"] = of_plant, of_own
    with pytest.raises(ServiceError) as raised:
        read(joined(plant, own), span(1, 100))
    assert raised.value is told


def test_a_point_that_is_not_good_any_more_is_no_reason_to_leave_values_out() -> None:
    plant, own = Source(PLANT, 10), Source(OWN, 10)
    source, query = joined(plant, own), span(1, 100, 30)
    page = read(source, query)
    plant.problems["raw"] = ServiceError("too old", "BadContinuationPointInvalid")
    with pytest.raises(ServiceError, match="too old"):
        read(source, query._replace(continuation_point=page.continuation_point, max_values=90))
    assert not own.held


def test_a_point_is_good_once_and_released_with_both_of_its_own() -> None:
    plant, own = Source(PLANT, 10), Source(OWN, 10)
    source, query = joined(plant, own), span(40, 100, 15)
    point = read(source, query).continuation_point
    assert point is not None and len(plant.held) == len(own.held) == 1
    source.release_history(point)
    assert not point.usable and not plant.held and not own.held
    with pytest.raises(ServiceError) as raised:
        read(source, query._replace(continuation_point=point))
    assert raised.value.status == "BadContinuationPointInvalid"


def test_nothing_more_is_asked_for_who_has_left() -> None:
    plant, own = Source(PLANT, 10, later=True), Source(OWN, 10)
    owner, answers = Owner(), []  # type: Any, List[Any]
    joined(plant, own).history(span(1, 100), owner, answers.append)
    owner.closed = True
    plant.waiting.pop()()
    assert len(plant.asked) == 1 and not own.asked and not plant.held
    assert [each.status for each in answers] == ["BadRequestCancelledByClient"]


def test_a_defect_is_answered_too(caplog: pytest.LogCaptureFixture) -> None:
    plant, own = Source(PLANT), Source(OWN)
    plant.namespaces = own.values = 5  # type: ignore[assignment]
    with pytest.raises(ServiceError) as raised:
        read(joined(plant, own), span(1, 9))
    assert raised.value.status == "BadInternalError" and "Traceback" in caplog.text


# --- Aggregates ----------------------------------------------------------------------------------


def computing(
    source: Source, asks_first: bool = False, limit: int = 1000, known_until: int = 0
) -> ComputingHistory:
    return ComputingHistory(source, limit, asks_first, lambda: source.stepped, lambda: known_until)


def of(aggregate: str, start: float, end: float, interval: float, most: int = 0) -> HistoryQuery:
    query = span(start, end, most)
    return query._replace(aggregate=aggregate, interval_ms=interval * 1000.0)


WAVE = [at(second, second * 7 % 10) for second in range(1, 200)]
WAVE[50] = WAVE[50]._replace(value=None, status=status_codes.code("BadSensorFailure"))


@pytest.mark.parametrize("aggregate", INTERVAL_AGGREGATES)
@pytest.mark.parametrize("start, end", [(10.5, 150.25), (150.25, 10.5), (-20, 300)])
@pytest.mark.parametrize("most", [0, 1, 4])
def test_pages_of_an_aggregate_are_what_is_computed_of_all_values(
    aggregate: str, start: float, end: float, most: int
) -> None:
    source = Source(WAVE, 9)
    query = of(aggregate, start + 1000, end + 1000, 13.5, most)
    source.values = [each._replace(source_timestamp=each.moment + 1000 * SECOND) for each in WAVE]
    found = pages(computing(source), query)
    expected = processed(aggregate, source.values, query.start, query.end, 135_000_000, False)
    assert [value for page in found for value in page.values] == expected
    assert all(len(page.values) == most for page in found[:-1])
    assert not source.held


@pytest.mark.parametrize("aggregate", INTERVAL_AGGREGATES)
@pytest.mark.parametrize("start, end", [(1.0, 199.0), (199.0, 1.0), (0.5, 300)])
@pytest.mark.parametrize("interval", [7.0, 90.0, 0.0])
def test_few_values_are_computed_with_at_a_time(
    aggregate: str, start: float, end: float, interval: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "MOST_RAW", 20)
    monkeypatch.setattr(histories, "MOST_OF_INTERVAL", 40)
    source, query = Source(WAVE, 10), of(aggregate, start, end, interval)
    found = pages(computing(source, known_until=250 * SECOND), query)
    if interval == 7.0:
        assert len(found) > 5
    width = round(interval * SECOND)
    expected = processed(
        aggregate, WAVE, query.start, query.end, width, False, known_until=250 * SECOND
    )
    values = [value for page in found for value in page.values]
    for one, other in zip(values, expected):
        assert (one.moment, one.status) == (other.moment, other.status)
        assert one.value is other.value is None or one.value[1] == pytest.approx(other.value[1])
    assert len(values) == len(expected)
    assert not source.held


@pytest.mark.parametrize("limit", ["READ_S", "MOST_OF_INTERVAL"])
def test_what_takes_too_long_to_compute_is_told(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, limit, 0)
    source = Source(WAVE, 10)
    with pytest.raises(ServiceError, match="ask for a shorter one") as raised:
        read(computing(source), of("Average", 1, 199, 0))
    assert raised.value.status == "BadTimeout" and not source.held


def test_what_a_server_computes_is_not_computed_here() -> None:
    source = Source(WAVE)
    (value,) = read(computing(source, True), of("Average", 1, 100, 10)).values
    assert value.value == Variant(STRING, "Average")


@pytest.mark.parametrize(
    "status",
    ["BadAggregateNotSupported", "BadHistoryOperationUnsupported", "BadNotImplemented"],
)
def test_what_a_server_does_not_compute_is_computed_of_its_raw_values(status: str) -> None:
    source = Source(WAVE)
    source.problems["Range"] = ServiceError("not here", status)
    found = pages(computing(source, True), of("Range", 1, 100, 10, 4))
    assert [len(page.values) for page in found] == [4, 4, 2]
    assert [each.aggregate for each in source.asked].count("Range") == 1


@pytest.mark.parametrize("status", ["BadNotConnected", "BadTimeout", "BadInvalidArgument"])
def test_another_failure_of_a_server_is_told(status: str) -> None:
    source = Source(WAVE)
    source.problems["Range"] = ServiceError("not here", status)
    with pytest.raises(ServiceError, match="not here"):
        read(computing(source, True), of("Range", 1, 100, 10))


def test_an_aggregate_that_nobody_knows_is_told_as_whoever_was_asked_says() -> None:
    source = Source(WAVE)
    source.problems["Mood"] = ServiceError("the server's words", "BadAggregateNotSupported")
    with pytest.raises(ServiceError, match="the server's words"):
        read(computing(source, True), of("Mood", 1, 100, 10))
    with pytest.raises(ServiceError, match="opcws does not compute Mood; .*Interpolative"):
        read(computing(source), of("Mood", 1, 100, 10))


@pytest.mark.parametrize("start, end", [(0, 9), (9, 0), (9, 9)])
def test_an_aggregate_needs_two_times(start: float, end: float) -> None:
    with pytest.raises(ServiceError, match="a StartTime and an EndTime") as raised:
        read(computing(Source(WAVE)), of("Average", start, end, 1))
    assert raised.value.status == "BadInvalidArgument"


def test_an_aggregate_without_an_end_goes_to_now() -> None:
    now = utc_ticks() / SECOND
    source = Source([at(now - 100, 5), at(now - 90, 7)])
    found = whole(computing(source, known_until=utc_ticks()), of("Average", now - 100, 10**10, 10))
    assert len(found) == 11 and found[0].value == Variant(DOUBLE, 5.0)


def test_the_newest_value_has_held_until_now_where_it_was_recorded() -> None:
    source = Source([at(10, 1), at(20, 3)])
    query = of("TimeAverage2", 10, 40, 0)
    source.stepped = True
    (so_far,) = read(computing(source), query).values
    (known,) = read(computing(source, known_until=40 * SECOND), query).values
    assert so_far.value is not None and known.value is not None
    assert so_far.value.value == pytest.approx(1.0, abs=1e-3)
    assert known.value.value == pytest.approx(7 / 3)


def test_a_number_with_a_fraction_leads_to_the_next_unless_the_server_says_it_steps() -> None:
    source = Source([at(10, 0), at(20, 10)])
    (sloped,) = read(computing(source), of("Interpolative", 15, 16, 0)).values
    source.stepped = True
    (stepped,) = read(computing(source), of("Interpolative", 15, 16, 0)).values
    assert sloped.value == Variant(DOUBLE, 5.0) and stepped.value == Variant(DOUBLE, 0.0)
    source.stepped = False
    source.values = [
        each._replace(value=Variant(6, second)) for second, each in enumerate(source.values)
    ]
    (whole_number,) = read(computing(source), of("Interpolative", 15, 16, 0)).values
    assert whole_number.value == Variant(6, 0)


# --- The one of each variable --------------------------------------------------------------------


@pytest.mark.parametrize(
    "chosen, keeps, recorded, told, asked",
    [
        (None, True, False, "plant", "plant"),
        (None, False, False, None, "plant"),
        (None, None, False, None, "plant"),
        (None, True, True, "both", "both"),
        (None, False, True, "own", "own"),
        (None, None, True, "own", "both"),
        ("plant", False, True, "plant", "plant"),
        ("own", True, True, "own", "own"),
        ("own", True, False, None, "own"),
        ("both", False, True, "own", "both"),
        ("both", True, True, "both", "both"),
        ("both", True, False, "plant", "both"),
    ],
)
def test_history_is_read_of_who_keeps_it_unless_the_variable_says_otherwise(
    chosen: Optional[str],
    keeps: Optional[bool],
    recorded: bool,
    told: Optional[str],
    asked: str,
) -> None:
    plant, recorder = Source(PLANT), Source(OWN)
    plant.keeps, recorder.recorded = keeps, recorded
    variable = Variable("a", "plant", NULL_NODE_ID, history=chosen)
    served: Any = Histories({"plant": plant}, recorder)  # type: ignore[dict-item]
    assert served.told(variable) == told
    read(served.source(variable), span(1, 100)._replace(variable=variable))
    assert bool(plant.asked) == (asked != "own") and bool(recorder.asked) == (asked != "plant")


def test_without_a_recorder_there_is_what_the_server_has() -> None:
    plant = Source(PLANT)
    served = Histories({"plant": plant})  # type: ignore[dict-item]
    for chosen in (None, "plant", "both"):
        variable = Variable("a", "plant", NULL_NODE_ID, history=chosen)
        assert served.told(variable) == "plant"
        assert whole(served.source(variable), span(1, 100)) == PLANT
    with pytest.raises(ServiceError, match="opcws records nothing"):
        served.source(Variable("a", "plant", NULL_NODE_ID, history="own"))


# --- Charts --------------------------------------------------------------------------------------


class Charts:
    """A plant and a recorder, and a chart of each of *names*."""

    def __init__(self, plant: Source, recorder: Optional[Source] = None) -> None:
        self.plant = plant
        self.histories = Histories({"plant": plant}, recorder)  # type: ignore[arg-type, dict-item]
        self.owner = Owner()
        self.finished: List[Dict[str, Any]] = []
        self.pages: Dict[str, Any] = {}

    def ask(
        self,
        names: Sequence[str],
        start: float = 1,
        end: float = 100,
        most: int = 10,
        room: int = 1000,
        history: Optional[str] = None,
    ) -> None:
        variables = [Variable(each, "plant", NULL_NODE_ID, history=history) for each in names]

        def text(variable: Variable, answer: Any) -> str:
            self.pages[variable.name] = answer
            return "x" * 10

        ticks = round(start * SECOND), round(end * SECOND)
        chart = Chart(
            self.histories,
            self.owner,
            variables,
            *ticks,
            most,
            room,
            text,
            lambda texts: self.finished.append(dict(texts)),
        )
        chart.begin()


@pytest.mark.parametrize("history", ["plant", "own", "both"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_chart_has_few_values_of_whoever_keeps_them(history: str, backwards: bool) -> None:
    kept = Charts(Source(WAVE[:50], 7), Source(WAVE[:50], 7))
    times = (100, 1) if backwards else (1, 100)
    kept.ask("ab", *times, history=history)
    assert kept.finished == [{"a": "x" * 10, "b": "x" * 10}]
    page = kept.pages["a"]
    assert isinstance(page, HistoryPage) and len(page.values) <= 10
    found = page.values[::-1] if backwards else page.values
    assert found[0] == WAVE[0] and found[-1] == WAVE[49]
    numbers = [each.value.value for each in found if each.value is not None]
    assert min(numbers) == 0 and max(numbers) == 9


def test_a_few_histories_are_read_at_a_time() -> None:
    asking = Charts(Source(WAVE, later=True))
    asking.ask([str(number) for number in range(10)])
    seen = []
    while asking.plant.waiting:
        seen.append(len(asking.plant.waiting))
        asking.plant.waiting.pop(0)()
    assert max(seen) == charts.AT_A_TIME and len(asking.finished) == 1
    assert len(asking.finished[0]) == 10


def test_one_that_fails_is_told_beside_the_others() -> None:
    asking = Charts(Source(WAVE), Source([]))
    asking.histories = Histories({"plant": asking.plant})  # type: ignore[dict-item]
    asking.plant.problems["raw"] = AWAY
    asking.ask("ab")
    assert asking.pages == {"a": AWAY, "b": AWAY} and len(asking.finished) == 1


def test_no_variables_are_an_empty_chart() -> None:
    asking = Charts(Source(WAVE))
    asking.ask("")
    assert asking.finished == [{}]


def test_no_more_is_read_than_the_answer_has_room_for() -> None:
    asking = Charts(Source(WAVE))
    asking.ask([str(number) for number in range(100)], room=25)
    assert len(asking.plant.asked) < 10
    assert len(asking.finished) == 1
    assert [each.status for each in asking.pages.values() if isinstance(each, ServiceError)][
        -1
    ] == "BadResponseTooLarge"


def test_what_takes_too_long_is_told_and_its_point_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(histories, "READ_S", 0.0)
    asking = Charts(Source(WAVE, 10))
    asking.ask("abc")
    assert [each.status for each in asking.pages.values()] == ["BadTimeout"] * 3
    monkeypatch.setattr(histories, "READ_S", 60.0)
    asking = Charts(Source(WAVE, 10, later=True))
    asking.ask("a")
    monkeypatch.setattr(Chart, "_over", lambda self: histories.TOO_LONG)
    asking.plant.waiting.pop()()
    assert [each.status for each in asking.pages.values()] == ["BadTimeout"]
    assert not asking.plant.held


def test_nothing_more_is_read_for_a_chart_of_who_has_left() -> None:
    asking = Charts(Source(WAVE, 10, later=True))
    asking.ask("abcdefgh")
    asking.owner.closed = True
    while asking.plant.waiting:
        asking.plant.waiting.pop()()
    assert len(asking.plant.asked) == charts.AT_A_TIME and not asking.plant.held
