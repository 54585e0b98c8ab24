"""HistoryRead (OPC 10000-4 5.11.3, OPC 10000-11, OPC 10000-13), page by page.

opcws encodes request and response itself: the library's ``read_raw_history`` drops continuation
points, and its DateTime loses digits.

Rules:

* One page is one service call, or several if the server's first page was smaller because opcws had
  asked for less; only the values for which the page had no room are kept.
* The request with a continuation point repeats the request that returned it, whatever page the
  client asks for now, also to release the point: some servers look it up by the whole request.
* Both timestamps are asked for, except of a variable whose server has only source timestamps.
* A request for aggregates has no number of values (OPC 10000-11 6.4.4), so a page of them is a part
  of the span, with as many intervals as the page may have values.
* If the end of a value cannot be found, the page is asked for once more so that this value is the
  last: then only it is BadDecodingError.  A page that is too large is asked for in halves.
* A continuation point of the OPC UA server is used once, or released: when its client leaves or
  lets its lifetime pass, when there are too many, and when it comes in an answer that nobody waits
  for any more.

Threads: all methods may be called from any; those that call the OPC UA server wait for it.
"""

import dataclasses
import logging
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from opcua import ua

from ...config.settings import Server
from ...gateway.plant_interface import HistoryPage, HistoryQuery, ignores_range, service_error
from ...model import status_codes
from ...model.data_types import DataValue, NodeId
from ...model.deadline import Deadline
from ...model.errors import CodecError, OpcwsError, PlantError, ServiceError
from ...wire.index_range import too_long
from ..channel.answers import AbandonableAnswer
from ..channel.link import Link
from ..encoding import service_bodies
from .address_space import decoded

log = logging.getLogger(__name__)

#: Part 13 aggregates by name, e.g. ``Average``, with their ids in namespace 0.
AGGREGATES: Dict[str, NodeId] = {
    name[len("AggregateFunction_") :]: NodeId(0, identifier)
    for name, identifier in vars(ua.ObjectIds).items()
    if name.startswith("AggregateFunction_") and isinstance(identifier, int)
}

TICKS_PER_MS = 10_000
#: Added to the error if a page cannot be divided.
NO_SMALLER_PAGE = "; it cannot send smaller pages: ask for another period"
#: How many service calls one page may take.
MAX_CALLS = 100
_NO_TIMESTAMP = ("BadTimestampNotSupported", "BadTimestampsToReturnInvalid")


class _Asked(NamedTuple):
    """The content of one HistoryRead, without the node and the continuation point; *most* is its
    number of values."""

    details: bytes
    kind: int
    index_range: Optional[str]
    timestamps: int
    most: int

    def request(self, node_id: bytes, opaque: Optional[bytes], release: bool = False) -> bytes:
        return service_bodies.history_read_request(
            self.details, self.kind, node_id, opaque, release, self.index_range, self.timestamps
        )


class _Place(NamedTuple):
    """Where to read on, in the span from *start* to *end* (in ticks): with the OPC UA server's
    continuation point *opaque* and the request *asked* that returned it, or else after the moment
    *after*, up to which all values were read.  *reached* is the last moment before the
    continuation point, if known."""

    start: int
    end: int
    opaque: Optional[bytes]
    after: int = 0
    asked: Optional[_Asked] = None
    reached: int = 0


class HistoryCall(AbandonableAnswer):
    """The answer to one page's service calls, and what the present call asks for."""

    asked: Optional[_Asked] = None


@dataclasses.dataclass(eq=False)
class HistoryContinuation:
    """A :class:`~opcws.gateway.plant_interface.ContinuationPoint`: the values for which the last
    page had no room, then *place* on *link*, if any."""

    link: Link
    node_id: bytes
    rest: List[DataValue]
    place: Optional[_Place]
    expires_at: float
    usable: bool = True

    @property
    def is_the_servers(self) -> bool:
        """Whether the OPC UA server keeps something for this point."""
        return self.place is not None and self.place.opaque is not None


class HistoryReader:
    """History of *server*: pages, and the continuation points between them.

    *defer* does a step later, on a thread that may wait.
    """

    def __init__(self, server: Server, defer: Callable[[Callable[[Link], None]], None]) -> None:
        self._server = server
        self._defer = defer
        # Guards _points and ``usable`` of each; oldest first.
        self._lock = threading.Lock()
        self._points: Dict[HistoryContinuation, None] = {}
        # The nodes of variables whose history has only source timestamps; adding and clearing are
        # one step each, so it needs no lock.
        self._source_only: Set[NodeId] = set()

    def change(self, server: Server) -> None:
        """The configuration has changed."""
        self._server = server
        self._source_only.clear()

    # --- a page ---------------------------------------------------------------------------------

    def call(self, node_id: Callable[[Link], bytes]) -> HistoryCall:
        """The call for :meth:`page`; any thread may give it up."""

        def late(body: Any) -> None:
            data: bytes = body.read(len(body))
            self._defer(lambda link: self._release_late(link, data, node_id(link), call.asked))

        call = HistoryCall(late)
        return call

    def page(
        self,
        link: Link,
        query: HistoryQuery,
        node_id: bytes,
        call: HistoryCall,
        deadline: Deadline,
    ) -> HistoryPage:
        """One page of *query*.  Raises :exc:`~opcws.model.errors.ServiceError`."""
        limit = self._server.history_max_values
        most = min(query.max_values or limit, limit)
        point = query.continuation_point
        values: List[DataValue] = []
        place: Optional[_Place] = _Place(query.start, query.end, None)
        if point is not None:
            assert isinstance(point, HistoryContinuation)
            self._take(point, link)
            values, place = point.rest, point.place
        for _ in range(MAX_CALLS):
            if len(values) >= most or place is None:
                break
            asked, room = place.asked, most - len(values)
            try:
                more, place = self._ask(link, query, place, room, node_id, call, deadline)
            except (ServiceError, CodecError):
                if not values:  # otherwise the next request reports the problem
                    raise
                break
            values = values + more
            if asked is None or not 0 < asked.most <= len(more):
                break  # the OPC UA server's own page, not one that opcws asked to be small
        if len(values) <= most and place is None:
            return HistoryPage(values, None, link.namespaces)
        following = HistoryContinuation(
            link,
            node_id,
            values[most:],
            place,
            time.monotonic() + self._server.history_continuation_s,
        )
        with self._lock:
            self._points[following] = None
        return HistoryPage(values[:most], following, link.namespaces)

    def _ask(
        self,
        link: Link,
        query: HistoryQuery,
        place: _Place,
        most: int,
        node_id: bytes,
        call: HistoryCall,
        deadline: Deadline,
    ) -> Tuple[List[DataValue], Optional[_Place]]:
        """The values from *place* on, and the place after them."""
        if place.opaque is None and query.aggregate is not None:
            place = _Place(place.start, _end_of_page(place, query.interval_ms, most), None)
        # Some servers have coarser timestamps than opcws: the last value may come again.
        wanted = most + 1 if place.after else most
        node, index_range = query.variable.node, query.variable.index_range
        asked = place.asked
        if place.opaque is None or asked is None:
            timestamps = service_bodies.BOTH_TIMESTAMPS
            if node in self._source_only:
                timestamps = service_bodies.SOURCE_TIMESTAMPS
            asked = _Asked(*_details(query, place, wanted), index_range, timestamps, wanted)
        doing = "reading the history of %s" % query.variable.name

        def read(asked: _Asked) -> service_bodies.HistoryResult:
            call.asked = asked
            return _read(link, asked.request(node_id, place.opaque), call, deadline, doing)

        def divided(problem: OpcwsError, count: int) -> Tuple[List[DataValue], Optional[_Place]]:
            smaller = _smaller(place, most_asked, count)
            if smaller is None:
                raise PlantError(problem.reason + NO_SMALLER_PAGE, problem.status) from None
            return self._ask(link, query, *smaller, node_id, call, deadline)

        most_asked = asked.most
        half = max(most_asked // 2, 1 + bool(place.after))
        try:
            result = read(asked)
        except ServiceError as problem:
            if problem.status in service_bodies.TOO_MUCH:
                beginning = problem.beginning if isinstance(problem, PlantError) else b""
                opaque = service_bodies.history_point(beginning)
                self._release_opaque(link, node_id, opaque, asked)
                return divided(problem, half)
            if problem.status in _NO_TIMESTAMP and asked.timestamps and place.opaque is None:
                self._source_only.add(node)
                asked = asked._replace(timestamps=service_bodies.SOURCE_TIMESTAMPS)
            elif problem.status != "BadNoContinuationPoints" or not self._make_room(link):
                raise
            result = read(asked)
        values = result.values
        if result.problem is not None:
            self._release_opaque(link, node_id, result.continuation_point, asked)
            if result.problem.status in service_bodies.TOO_MUCH:
                return divided(result.problem, half)
            values, following = divided(result.problem, len(values) + 1)
            if not values and place.after and place.opaque is None:
                # The unreadable value is the last one of the page before, sent again.
                following = following or _later(place)
                if following is None:
                    raise PlantError(result.problem.reason + NO_SMALLER_PAGE, "BadDecodingError")
                values, following = self._ask(link, query, following, most, node_id, call, deadline)
            if following is not None and following.opaque is not None:
                # Its pages would be as small as this one: go on by time instead.
                timed = _behind(values, following)
                if timed is not None:
                    self._release_opaque(link, node_id, following.opaque, following.asked)
                    following = timed
            return values, following
        if index_range is not None and any(too_long(each.value, index_range) for each in values):
            self._release_opaque(link, node_id, result.continuation_point, asked)
            raise ignores_range(query.variable)
        if place.after:
            values = [value for value in values if _is_behind(value, place)]
        if result.continuation_point is not None:
            reached = values[-1].source_timestamp if values else place.reached
            return values, place._replace(
                opaque=result.continuation_point, asked=asked, reached=reached
            )
        if query.aggregate is not None:
            left = place.end != query.end
            return values, _Place(place.end, query.end, None) if left else None
        if len(result.values) < wanted or query.return_bounds:
            return values, None
        following = _behind(values, place)
        if following is None or most == 1 and place.after:
            return values, following
        # As many as asked for, and no continuation point: these may be all, but some servers never
        # return one, so ask for one value more.
        more, _ = self._ask(link, query, following, 1, node_id, call, deadline)
        return values + more, _behind(more, following)

    # --- the points -----------------------------------------------------------------------------

    def _take(self, point: HistoryContinuation, link: Link) -> None:
        """Use *point* up, for one reader.  Raises :exc:`~opcws.model.errors.ServiceError`."""
        with self._lock:
            usable = self._forget(point)
        if point.is_the_servers and point.link is not link:
            reason = "the connection to the OPC UA server was lost since"
        elif not usable:
            reason = "the continuation point was used, or not within %g s" % (
                self._server.history_continuation_s
            )
        else:
            return
        raise ServiceError(reason + "; read from a StartTime again", "BadContinuationPointInvalid")

    def _forget(self, point: HistoryContinuation) -> bool:
        """Whether *point* was still usable; with the lock held."""
        usable, point.usable = point.usable, False
        self._points.pop(point, None)
        return usable

    def release(self, link: Link, point: HistoryContinuation) -> None:
        """*point* will not be used."""
        with self._lock:
            usable = self._forget(point)
        if usable:
            self._release(link, point)

    def tend(self, link: Optional[Link]) -> Optional[float]:
        """Release the points whose lifetime is over; returns the seconds until the next is due."""
        while True:
            with self._lock:
                oldest = next(iter(self._points), None)
                if oldest is None:
                    return None
                left_s = oldest.expires_at - time.monotonic()
                if left_s > 0:
                    return left_s
                self._forget(oldest)
            if link is not None:
                self._release(link, oldest)

    def _make_room(self, link: Link) -> bool:
        """Release the oldest point: all clients share one session, whose number of points is
        limited (OPC 10000-4 5.11.3.2)."""
        with self._lock:
            for point in self._points:
                if point.is_the_servers and point.link is link:
                    self._forget(point)
                    break
            else:
                return False
        self._release(link, point)
        return True

    def _release(self, link: Link, point: HistoryContinuation) -> None:
        if point.link is link and point.place is not None:
            self._release_opaque(link, point.node_id, point.place.opaque, point.place.asked)

    def _release_late(
        self, link: Link, data: bytes, node_id: bytes, asked: Optional[_Asked]
    ) -> None:
        try:
            head = service_bodies.response_head(data)
            if head.type_id != service_bodies.HISTORY_READ_RESPONSE:
                points = [service_bodies.history_point(data[head.position :])]
            else:
                results = service_bodies.history_read_response(
                    data, head.position, link.definitions
                )
                points = [result.continuation_point for result in results]
        except CodecError as error:
            log.debug("%s: an answer that came too late: %s", self._server.name, error.reason)
            return
        for opaque in points:
            self._release_opaque(link, node_id, opaque, asked)

    def _release_opaque(
        self, link: Link, node_id: bytes, opaque: Optional[bytes], asked: Optional[_Asked]
    ) -> None:
        if opaque is None or asked is None:  # the server keeps nothing for us
            return
        try:
            link.call(
                service_bodies.HISTORY_READ_REQUEST,
                asked.request(node_id, opaque, release=True),
                Deadline(self._server.request_timeout_ms / 1000.0),
                "releasing a continuation point",
            )
        except PlantError as problem:
            log.debug("%s: %s", self._server.name, problem.reason)


def _read(
    link: Link, request: bytes, call: AbandonableAnswer, deadline: Deadline, doing: str
) -> service_bodies.HistoryResult:
    try:
        data, position = link.call(
            service_bodies.HISTORY_READ_REQUEST, request, deadline, doing, call
        )
    except PlantError:
        if call.given_up:
            link.cancel(call.request_handle)
        raise
    results = decoded(
        link,
        deadline,
        lambda definitions: service_bodies.history_read_response(data, position, definitions),
    )
    if len(results) != 1:
        raise PlantError("the OPC UA server answered for %d histories of 1" % len(results))
    if status_codes.is_bad(results[0].status):
        raise service_error(results[0].status)
    return results[0]


def _is_behind(value: DataValue, place: _Place) -> bool:
    moment = value.source_timestamp or 0
    return moment > place.after if place.end > place.start else moment < place.after


def _behind(values: List[DataValue], place: _Place) -> Optional[_Place]:
    """The place after *values*, which were read at *place*; ``None`` if there is none."""
    return _after(values[-1].source_timestamp, place) if values else None


def _after(moment: int, place: _Place) -> Optional[_Place]:
    """The place after *moment*; ``None`` if there is none."""
    step = 1 if place.end > place.start else -1
    if not (moment and place.start and place.end) or (place.end - moment) * step <= 0:
        return None
    return _Place(moment + step, place.end, None, moment)


def _later(place: _Place) -> Optional[_Place]:
    """*place* a little later, for a server with microseconds or milliseconds and nothing finer."""
    step = place.start - place.after
    return place._replace(start=place.after + 10 * step) if abs(step) < TICKS_PER_MS else None


def _smaller(place: _Place, wanted: int, count: int) -> Optional[Tuple[_Place, int]]:
    """The place and number to ask for in order to get *count* values instead of *wanted* at
    *place*; ``None`` if that is impossible."""
    if place.opaque is not None:
        # The size of pages with a continuation point is fixed; ask for the rest by time.
        following = _after(place.reached, place)
        return None if following is None or not count else (following, count)
    if not 0 < count < wanted:
        return None
    return place, count - bool(place.after)


def _end_of_page(place: _Place, interval_ms: float, most: int) -> int:
    """The end of the part of the span that has *most* intervals."""
    width = most * round(interval_ms * TICKS_PER_MS)
    if not (width and place.start and place.end) or abs(place.end - place.start) <= width:
        return place.end
    return place.start + width if place.end > place.start else place.start - width


def _details(query: HistoryQuery, place: _Place, most: int) -> Tuple[bytes, int]:
    """The HistoryReadDetails and the id of their type."""
    if query.aggregate is None:
        return (
            service_bodies.read_raw_details(place.start, place.end, most, query.return_bounds),
            service_bodies.READ_RAW_MODIFIED_DETAILS,
        )
    aggregate = AGGREGATES.get(query.aggregate)
    if aggregate is None:
        raise ServiceError(
            "Body.Aggregate: %s is no aggregate of OPC 10000-13; expected one such as "
            "Average, Minimum, Maximum, Count or Interpolative" % query.aggregate[:60],
            "BadAggregateNotSupported",
        )
    return (
        service_bodies.read_processed_details(place.start, place.end, query.interval_ms, aggregate),
        service_bodies.READ_PROCESSED_DETAILS,
    )
