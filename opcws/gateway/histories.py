"""Chooses the source of a variable's history: its OPC UA server, the recorder, or both joined; and
computes aggregates that the source does not.

Rules:

* A *reading* is a generator: it yields the next question (a source and a query), receives the
  answer, and returns a page.  No thread waits between a question and its answer.
* If one of two histories cannot be read, the page has the values of the other, and the reason why
  some may be missing.
* Reading ahead is bounded: a part of a page of each history, and :data:`MOST_RAW` raw values for
  aggregates, however many an interval has.

Threads: a reading continues on the thread that brings the answer.
"""

import dataclasses
import logging
from typing import Callable, Generator, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from ..config.settings import Variable
from ..history import aggregates
from ..history.joining import Join, with_namespaces
from ..model import status_codes
from ..model.clock import utc_ticks
from ..model.data_types import DOUBLE, FLOAT, LAST_TICKS, TICKS_PER_SECOND, DataValue
from ..model.deadline import Deadline
from ..model.errors import ServiceError
from .plant_interface import (
    DEFECT,
    ContinuationPoint,
    HistoryPage,
    HistoryQuery,
    HistorySource,
    Owner,
    Plant,
    Recorder,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
Answer = Union[HistoryPage, ServiceError]
Question = Tuple[HistorySource, HistoryQuery]
Reading = Generator[Question, Answer, T]
Done = Callable[[Answer], None]

#: Values per query of a joined history, or of one with computed aggregates.
PART = 1000
#: For computed aggregates: raw values per query, about how many are processed at a time, and how
#: many are held at most.
PART_COMPUTED, MOST_RAW, MOST_OF_INTERVAL = 5000, 20_000, 100_000
#: Longest time in seconds for one answer.
READ_S = 60.0
#: How many values before or after a page are searched for a usable one.
BESIDE = (10, 1000)
TICKS_PER_MS = TICKS_PER_SECOND // 1000

#: The answer for a client that has left.
LEFT = ServiceError("the client has left", "BadRequestCancelledByClient")
#: The answer for a period that is too long.
TOO_LONG = ServiceError(
    "the values of this period cannot be read within %g s; ask for a shorter one" % READ_S,
    "BadTimeout",
)
_NOT_GOOD = ("BadContinuationPointInvalid", "BadRequestCancelledByClient")
#: The status of an OPC UA server that has no history of a variable ...
_NO_HISTORY = (
    *("BadHistoryOperationUnsupported", "BadNotImplemented", "BadServiceUnsupported"),
    *("BadNotSupported", "BadNoData"),
)
#: ... or does not compute the aggregate.
_NO_AGGREGATE = ("BadAggregateNotSupported", *_NO_HISTORY)
_BOUND_NOT_FOUND = status_codes.code("BadBoundNotFound")


def run(reading: Reading[HistoryPage], owner: Owner, done: Done) -> None:
    """Run *reading* and pass its page to *done*, as
    :meth:`~opcws.gateway.plant_interface.HistorySource.history` does."""
    try:
        source, query = next(reading)
    except StopIteration as end:
        done(end.value)
        return

    def go(answer: Answer, begins: bool = False) -> None:
        nonlocal source, query
        if owner.closed:
            if isinstance(answer, HistoryPage) and answer.continuation_point is not None:
                source.release_history(answer.continuation_point)
            answer = LEFT
        try:
            while True:
                source, query = reading.send(answer)
                try:
                    source.history(query, owner, go)
                    return
                except ServiceError as problem:
                    answer = problem
        except StopIteration as end:
            answer = end.value
        except ServiceError as problem:
            answer = problem
        except Exception:
            log.exception("a defect while reading history")
            answer = ServiceError(DEFECT, "BadInternalError")
        if begins and isinstance(answer, ServiceError):
            raise answer
        done(answer)

    try:
        source.history(query, owner, go)
    except ServiceError as problem:
        go(problem, begins=True)


def ask(source: HistorySource, query: HistoryQuery) -> Reading[HistoryPage]:
    """The page that answers *query*.  Raises :exc:`~opcws.model.errors.ServiceError`."""
    answer = yield source, query
    if isinstance(answer, ServiceError):
        raise answer
    return answer


def ask_once(source: HistorySource, query: HistoryQuery) -> Reading[HistoryPage]:
    """:func:`ask`, and release the continuation point."""
    page = yield from ask(source, query)
    if page.continuation_point is not None:
        source.release_history(page.continuation_point)
    return page


def raw(variable: Variable, start: int, end: int, most: int = PART) -> HistoryQuery:
    """*most* raw values from *start* to *end*; the newest first if *start* is 0 or later."""
    return HistoryQuery(variable, start, end, most, False, None, 0.0)


# --- Two as one ----------------------------------------------------------------------------------


@dataclasses.dataclass(eq=False)
class _Joined:
    """The state of reading two histories: ``plant`` and ``own`` are the queries for the next part
    of each, with the values already read; ``bounds`` are still to be returned.  ``problem`` says
    why one of the two cannot be read."""

    join: Join
    plant: HistoryQuery
    own: HistoryQuery
    namespaces: List[str]
    bounds: List[int]
    problem: Optional[ServiceError] = None
    usable: bool = True

    @property
    def missing(self) -> Optional[ServiceError]:
        """Why values may be missing; ``None`` if there never were any."""
        problem = self.problem
        return None if problem is None or problem.status in _NO_HISTORY else problem


class JoinedHistory:
    """The histories of *plant* and *own* joined, in pages of at most *limit* values."""

    def __init__(self, plant: HistorySource, own: HistorySource, limit: int) -> None:
        self._plant = plant
        self._own = own
        self._limit = limit

    def history(self, query: HistoryQuery, owner: Owner, done: Done) -> None:
        run(self._page(query), owner, done)

    def release_history(self, continuation_point: ContinuationPoint) -> None:
        assert isinstance(continuation_point, _Joined)
        continuation_point.usable = False
        for source, query in (
            (self._plant, continuation_point.plant),
            (self._own, continuation_point.own),
        ):
            if query.continuation_point is not None:
                source.release_history(query.continuation_point)

    def _page(self, query: HistoryQuery) -> Reading[HistoryPage]:
        most = min(query.max_values or self._limit, self._limit)
        point = query.continuation_point
        if point is None:
            point = self._begin(query, most)
        assert isinstance(point, _Joined)
        if not point.usable:
            raise ServiceError(
                "the continuation point was used; read from a StartTime again",
                "BadContinuationPointInvalid",
            )
        point.usable = False
        try:
            return (yield from self._read(query, point, most))
        except BaseException:
            self.release_history(point)
            raise

    def _begin(self, query: HistoryQuery, most: int) -> _Joined:
        backwards = not query.start or query.start > query.end
        part = query._replace(max_values=min(most, PART), return_bounds=False)
        bounds: List[int] = []
        if not query.start:
            part = part._replace(max_values=most)
        elif query.return_bounds:
            bounds = [moment for moment in (query.start, query.end) if moment < LAST_TICKS]
        return _Joined(Join(backwards), part, part, [], bounds)

    def _read(self, query: HistoryQuery, point: _Joined, most: int) -> Reading[HistoryPage]:
        join = point.join
        found: List[DataValue] = []
        if point.bounds[:1] == [query.start]:
            found += yield from self._bound(query, point)
        while True:
            found += join.take(most - len(found))
            if len(found) == most:
                break
            if join.undecided:
                join.collecting = yield from self._has_until(
                    query.variable, min(query.start, query.end)
                )
            elif not (join.plant or join.plant_ended):
                yield from self._more_of_plant(point)
            elif not (join.own or join.own_ended):
                yield from self._more_of_own(point)
            else:
                if point.bounds:
                    found += yield from self._bound(query, point)
                return HistoryPage(found, None, point.namespaces, point.missing)
        is_all = join.plant_ended and join.own_ended and not (join.plant or join.own)
        # Without a start the number of values ends the period, not the page.
        if not query.start or (is_all and not point.bounds):
            self.release_history(point)
            return HistoryPage(found, None, point.namespaces, point.missing)
        following = dataclasses.replace(point, usable=True)
        return HistoryPage(found, following, point.namespaces, point.missing)

    def _more_of_plant(self, point: _Joined) -> Reading[None]:
        join = point.join
        answer = yield self._plant, point.plant
        if not isinstance(answer, ServiceError):
            join.add_plant(with_namespaces(answer.values, answer.namespaces, point.namespaces))
            point.plant = point.plant._replace(continuation_point=answer.continuation_point)
            join.plant_ended = answer.continuation_point is None
            return
        if answer.status in _NOT_GOOD:
            raise answer
        point.plant = self._given_up(self._plant, point.plant)
        join.without_plant()
        self._without(point, answer)

    def _more_of_own(self, point: _Joined) -> Reading[None]:
        join = point.join
        answer = yield self._own, point.own
        if not isinstance(answer, ServiceError):
            join.own.extend(with_namespaces(answer.values, answer.namespaces, point.namespaces))
            point.own = point.own._replace(continuation_point=answer.continuation_point)
            join.own_ended = answer.continuation_point is None
            return
        if answer.status in _NOT_GOOD:
            raise answer
        point.own = self._given_up(self._own, point.own)
        join.own_ended = True
        self._without(point, answer)

    @staticmethod
    def _given_up(source: HistorySource, query: HistoryQuery) -> HistoryQuery:
        if query.continuation_point is not None and query.continuation_point.usable:
            source.release_history(query.continuation_point)
        return query._replace(continuation_point=None)

    @staticmethod
    def _without(point: _Joined, problem: ServiceError) -> None:
        """One of the two cannot be read, because of *problem*."""
        if point.problem is not None:
            raise point.missing or problem
        point.problem = problem

    def _has_until(self, variable: Variable, moment: int) -> Reading[bool]:
        """Whether the OPC UA server has a value not later than *moment*."""
        if moment <= 1:
            return False
        try:
            page = yield from ask_once(self._plant, raw(variable, 0, moment, 1))
        except ServiceError:
            return False
        return bool(page.values)

    def _bound(self, query: HistoryQuery, point: _Joined) -> Reading[List[DataValue]]:
        """The value for the next of the bounds (OPC 10000-11 6.5.3.2), if there is none at that
        time."""
        moment = point.bounds.pop(0)
        earlier = moment == min(query.start, query.end)
        around = (0, moment) if earlier else (moment, LAST_TICKS)
        found: List[DataValue] = []
        for source in (self._plant, self._own):
            try:
                page = yield from ask_once(source, raw(query.variable, *around, 1))
            except ServiceError:
                continue
            found += with_namespaces(page.values, page.namespaces, point.namespaces)
        if not found:
            return [DataValue(None, _BOUND_NOT_FOUND, moment)]
        nearest = (max if earlier else min)(found, key=lambda value: value.moment)
        return [] if nearest.moment == moment else [nearest]


# --- Aggregates ----------------------------------------------------------------------------------


@dataclasses.dataclass(eq=False)
class _Computed:
    """Where the next interval begins, and the last one ends, in ticks."""

    place: int
    end: int
    usable: bool = True


class ComputingHistory:
    """The history of *source*, in pages of at most *limit* values, with computed aggregates: for an
    OPC UA server (*asks_first*) only those that it does not compute itself.  *steps* says whether
    Float and Double values hold until the next one; *known_until* gives the time, in ticks, until
    which the newest value is known to hold."""

    def __init__(
        self,
        source: HistorySource,
        limit: int,
        asks_first: bool,
        steps: Callable[[], bool],
        known_until: Callable[[], int],
    ) -> None:
        self._source = source
        self._limit = limit
        self._asks_first = asks_first
        self._steps = steps
        self._known_until = known_until

    def history(self, query: HistoryQuery, owner: Owner, done: Done) -> None:
        if query.aggregate is None:
            most = min(query.max_values or self._limit, self._limit)
            self._source.history(query._replace(max_values=most), owner, done)
        else:
            run(self._aggregated(query, query.aggregate), owner, done)

    def release_history(self, continuation_point: ContinuationPoint) -> None:
        if isinstance(continuation_point, _Computed):
            continuation_point.usable = False
        else:
            self._source.release_history(continuation_point)

    def _aggregated(self, query: HistoryQuery, aggregate: str) -> Reading[HistoryPage]:
        point = query.continuation_point
        known = aggregate in aggregates.INTERVAL_AGGREGATES
        if not isinstance(point, _Computed):
            if self._asks_first:
                answer = yield self._source, query
                if not isinstance(answer, ServiceError):
                    return answer
                if not known or answer.status not in _NO_AGGREGATE:
                    raise answer
            elif not known:
                raise ServiceError(
                    "Body.Aggregate: opcws does not compute %s; expected one of %s"
                    % (aggregate[:60], ", ".join(aggregates.INTERVAL_AGGREGATES)),
                    "BadAggregateNotSupported",
                )
            if not query.start or not query.end or query.start == query.end:
                raise ServiceError(
                    "an Aggregate needs a StartTime and an EndTime that differ",
                    "BadInvalidArgument",
                )
            end = query.end if query.end < LAST_TICKS else max(utc_ticks(), query.start + 1)
            point = _Computed(query.start, end)
        page = yield from self._computed(query, aggregate, point.place, point.end)
        point.usable = False
        return page

    def _computed(
        self, query: HistoryQuery, aggregate: str, place: int, end: int
    ) -> Reading[HistoryPage]:
        variable, step = query.variable, 1 if end > place else -1
        width = round(query.interval_ms * TICKS_PER_MS) or abs(end - query.start)
        most = min(query.max_values or self._limit, self._limit)
        until = place + step * min(most * width, abs(end - place))
        known_until = self._known_until()
        namespaces: List[str] = []
        # The computation also needs two values before a page and one after it.
        ahead, behind = (2, 1) if step > 0 else (1, 2)
        near = yield from self._beside(variable, place, step > 0, ahead, namespaces)
        values = near[::-1]
        missing: Optional[ServiceError] = None
        asked = raw(variable, place, until, min(self._limit, PART_COMPUTED))
        interval: Optional[aggregates.LongInterval] = None
        deadline = Deadline(READ_S)
        while True:
            page = yield from ask(self._source, asked)
            values += with_namespaces(page.values, page.namespaces, namespaces)
            missing = missing or page.missing
            if page.continuation_point is None:
                whole = most
                break
            whole = abs(page.values[-1].moment - place) // width if page.values else 0
            if deadline.expired or len(values) > MOST_OF_INTERVAL:
                self._source.release_history(page.continuation_point)
                raise TOO_LONG
            if len(values) >= MOST_RAW or interval is not None:
                if whole:
                    self._source.release_history(page.continuation_point)
                    break
                interval = interval or aggregates.LongInterval(
                    aggregate,
                    place,
                    place + step * min(width, abs(end - place)),
                    width,
                    self._holds(values),
                    known_until=known_until,
                )
                values = interval.take(values)
            asked = asked._replace(continuation_point=page.continuation_point)
        if interval is not None:
            whole = 1
        until = place + step * min(whole * width, abs(until - place))
        values = [each for each in values if (until - each.moment) * step >= 0]
        values += yield from self._beside(variable, until, step < 0, behind, namespaces)
        if interval is not None:
            results = [interval.result(values)]
        else:
            results = aggregates.processed(
                aggregate,
                values[::step],
                place,
                until,
                width,
                self._holds(values),
                known_until=known_until,
            )
        following = None if until == end else _Computed(until, end)
        return HistoryPage(results, following, namespaces, missing)

    def _holds(self, values: Sequence[DataValue]) -> bool:
        """Whether a value holds until the next one (steps), or changes to it in a line."""
        type_id = next((each.value.type for each in values if each.value is not None), 0)
        return type_id not in (FLOAT, DOUBLE) or self._steps()

    def _beside(
        self, variable: Variable, moment: int, earlier: bool, count: int, namespaces: List[str]
    ) -> Reading[List[DataValue]]:
        """The values nearest to *moment* on one side of it, until *count* of them are usable."""
        found: List[DataValue] = []
        for most in BESIDE:
            around = (0, moment) if earlier else (moment, LAST_TICKS)
            page = yield from ask_once(self._source, raw(variable, *around, most))
            found, good = [], 0
            for value in page.values:
                if value.moment == moment or (value.moment > moment) is earlier:
                    continue
                found.append(value)
                good += _is_usable(value)
                if good == count:
                    break
            if good == count or len(page.values) < most:
                break
        return with_namespaces(found, page.namespaces, namespaces)


def _is_usable(value: DataValue) -> bool:
    number = None if value.value is None else value.value.value
    return status_codes.is_good(value.status) and number is not None and number == number


# --- The one of each variable --------------------------------------------------------------------


class Histories:
    """The histories of the variables of *plants*, by the name of their server; *recorder* has the
    recorded values."""

    def __init__(self, plants: Mapping[str, Plant], recorder: Optional[Recorder] = None) -> None:
        self._plants = plants
        self._recorder = recorder

    def told(self, variable: Variable) -> Optional[str]:
        """The source of the history of *variable* for clients: ``plant``, ``own``, ``both``;
        ``None`` if none is known."""
        plant = self._plants[variable.server].keeps_history(variable)
        if variable.history is not None:
            plant = variable.history != "own" and (plant or variable.history == "plant")
        own = variable.history != "plant" and self._is_recorded(variable)
        return ("both" if own else "plant") if plant else "own" if own else None

    def _is_recorded(self, variable: Variable) -> bool:
        return self._recorder is not None and self._recorder.series(variable) is not None

    def chosen(self, variable: Variable) -> str:
        """The source for reading the history of *variable*: ``plant``, ``own`` or ``both``."""
        if variable.history is not None:
            return variable.history
        if not self._is_recorded(variable):
            return "plant"
        # It is unknown whether a server that never was connected keeps history.
        return "own" if self._plants[variable.server].keeps_history(variable) is False else "both"

    def recorder_of(self, variable: Variable) -> Optional[Recorder]:
        """The recorder, if it is the only source for *variable*."""
        return self._recorder if self.chosen(variable) == "own" else None

    def source(self, variable: Variable) -> HistorySource:
        """The source of the history of *variable*.

        Raises :exc:`~opcws.model.errors.ServiceError` if there is none.
        """
        plant, recorder = self._plants[variable.server], self._recorder
        limit = plant.server.history_max_values
        chosen = self.chosen(variable)

        def known_until() -> int:
            return utc_ticks() if self._is_recorded(variable) else 0

        def steps() -> bool:
            return plant.is_stepped(variable)

        if chosen == "plant" or (recorder is None and chosen == "both"):
            return ComputingHistory(plant, limit, True, steps, lambda: 0)
        if recorder is None:
            raise ServiceError(
                "the history of %s comes from what opcws records, and opcws records nothing"
                % variable.name,
                "BadHistoryOperationUnsupported",
            )
        source: HistorySource = recorder
        if chosen == "both":
            source = JoinedHistory(plant, recorder, limit)
        return ComputingHistory(source, limit, False, steps, known_until)
