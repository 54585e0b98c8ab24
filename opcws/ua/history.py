"""HistoryRead (OPC 10000-4 5.11.3, OPC 10000-11, OPC 10000-13), page by page.

The library's ``read_raw_history`` drops continuation points and its DateTime loses digits, so
request and response are our codec's.  One page is one service call: nothing is collected.
"""

from typing import Dict, Optional, Tuple

from opcua import ua

from .. import statuscodes
from ..config import Server
from ..datatypes import NodeId
from ..deadline import Deadline
from ..errors import PlantError, ServiceError
from ..plants import HistoryPage, HistoryQuery, bad, ignores_range
from ..ranges import too_long
from . import services
from .bulk import Bulk
from .link import Link

#: Part 13 aggregates by name, e.g. ``Average``, with their ids in namespace 0.
AGGREGATES: Dict[str, NodeId] = {
    name[len("AggregateFunction_") :]: NodeId(0, identifier)
    for name, identifier in vars(ua.ObjectIds).items()
    if name.startswith("AggregateFunction_") and isinstance(identifier, int)
}


def read_page(
    link: Link, server: Server, query: HistoryQuery, node_id: bytes, deadline: Deadline
) -> HistoryPage:
    """One page of *query*.  Raises :exc:`~opcws.errors.ServiceError`."""
    details, details_type = _details(server, query)
    continuation_point = _of_this_link(link, query)
    data, position = link.call(
        services.HISTORY_READ_REQUEST,
        services.history_read_request(
            details,
            details_type,
            node_id,
            continuation_point,
            index_range=query.variable.index_range,
        ),
        deadline,
        "reading the history of %s" % query.variable.name,
    )
    results = services.history_read_response(data, position, link.definitions)
    if link.data_types.pending and link.data_types.learn_encodings(Bulk(link, deadline)):
        results = services.history_read_response(data, position, link.definitions)
    if len(results) != 1:
        raise PlantError("the OPC UA server answered for %d histories of 1" % len(results))
    result = results[0]
    if statuscodes.is_bad(result.status):
        raise bad(result.status)
    index_range = query.variable.index_range
    if index_range is not None and any(too_long(each.value, index_range) for each in result.values):
        raise ignores_range(query.variable)
    following = result.continuation_point
    return HistoryPage(result.values, None if following is None else (link, following))


def release(link: Link, server: Server, query_node: bytes, continuation_point: bytes) -> None:
    """Tell the OPC UA server that *continuation_point* will not be used."""
    link.call(
        services.HISTORY_READ_REQUEST,
        services.history_read_request(
            services.read_raw_details(0, 0, 0, False),
            services.READ_RAW_MODIFIED_DETAILS,
            query_node,
            continuation_point,
            release=True,
        ),
        Deadline(server.request_timeout_ms / 1000.0),
        "releasing a continuation point",
    )


def _of_this_link(link: Link, query: HistoryQuery) -> Optional[bytes]:
    if query.continuation_point is None:
        return None
    made_by, continuation_point = query.continuation_point
    if made_by is not link:
        raise ServiceError(
            "the connection to the OPC UA server was lost since; read from a StartTime again",
            "BadContinuationPointInvalid",
        )
    return continuation_point


def _details(server: Server, query: HistoryQuery) -> Tuple[bytes, int]:
    if query.aggregate is not None:
        aggregate = AGGREGATES.get(query.aggregate)
        if aggregate is None:
            raise ServiceError(
                "Body.Aggregate: %s is no aggregate of OPC 10000-13; expected one such as "
                "Average, Minimum, Maximum, Count or Interpolative" % query.aggregate[:60],
                "BadAggregateNotSupported",
            )
        return (
            services.read_processed_details(query.start, query.end, query.interval_ms, aggregate),
            services.READ_PROCESSED_DETAILS,
        )
    most = min(query.max_values or server.history_max_values, server.history_max_values)
    return (
        services.read_raw_details(query.start, query.end, most, query.return_bounds),
        services.READ_RAW_MODIFIED_DETAILS,
    )
