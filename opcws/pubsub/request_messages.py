"""Requests and answers by way of a broker: the messages of the WebSocket (PROTOCOL.md).

Pure.
"""

import json
from json.encoder import encode_basestring_ascii as quote
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..gateway.plant_interface import HistoryQuery, WriteResult
from ..model import status_codes
from ..model.data_types import LAST_TICKS, DataValue, ValueType
from ..model.errors import ServiceError, ValueRejected
from ..wire.messages import json_text
from ..wire.timestamps import timestamp_text
from ..wire.values_from_json import shown, written_value
from ..wire.values_to_json import TYPED

#: Largest request, in bytes.
MOST_BYTES = 1024 * 1024

_NOT_DECODED = status_codes.code("BadDecodingError")
_DECODER = json.JSONDecoder()
_HEAD = len('{"Header":')


def write_text(handle: str, writes: Sequence[Tuple[str, Any]]) -> str:
    """WRITE_REQUEST of values, parsed JSON as the client sent it, to variables."""
    items = [
        '{"Variable":%s,"Value":%s}' % (quote(name), json_text(value, TYPED))
        for name, value in writes
    ]
    return _request("WRITE", handle, '"Writes":[%s]' % ",".join(items))


def history_text(handle: str, name: str, query: HistoryQuery, point: Optional[str]) -> str:
    """HISTORICALREAD_REQUEST for *query* of the variable *name*, or for its next page, after the
    continuation *point*."""
    body = ['"Variable":' + quote(name)]
    if point is not None:
        body.append('"ContinuationPoint":' + quote(point))
    else:
        if query.start:
            body.append('"StartTime":"%s"' % timestamp_text(query.start))
        if query.end and not (query.start and query.end == LAST_TICKS):
            body.append('"EndTime":"%s"' % timestamp_text(query.end))
        if query.return_bounds:
            body.append('"ReturnBounds":true')
        if query.aggregate is not None:
            body.append('"Aggregate":' + quote(query.aggregate))
            body.append('"ProcessingInterval":%r' % query.interval_ms)
    if query.max_values:
        body.append('"MaxValues":%d' % query.max_values)
    return _request("HISTORICALREAD", handle, ",".join(body))


def _request(operation: str, handle: str, body: str) -> str:
    head = '{"Header":{"MessageType":"%s_REQUEST","ClientHandle":%s}' % (operation, quote(handle))
    return "%s,%s}" % (head, '"Body":{%s}' % body)


def header(text: str) -> Mapping[str, Any]:
    """The Header of the message *text*, which this module made."""
    found: Mapping[str, Any] = _DECODER.raw_decode(text, _HEAD)[0]
    return found


def body(payload: bytes, publisher: str) -> Mapping[str, Any]:
    """The Body of an answer of *publisher*.  Raises :exc:`~opcws.model.errors.ServiceError` if it
    was refused, :exc:`ValueError` if it is malformed."""
    try:
        message = json.loads(payload.decode("utf-8"))
    except RecursionError:
        raise ValueError("it lies too deep") from None
    if not isinstance(message, dict):
        raise ValueError("expected an object, got %s" % shown(message))
    for name in ("Header", "Body"):
        if isinstance(message.get(name), dict) and "StatusCode" in message[name]:
            raise _problem(message[name], publisher)
    found = message.get("Body")
    return found if isinstance(found, dict) else {}


def _problem(members: Mapping[str, Any], publisher: str) -> ServiceError:
    status, reason = members["StatusCode"], members.get("Reason")
    if not isinstance(status, str) or status not in status_codes.CODES:
        raise ValueError("%s is no StatusCode" % shown(status))
    return ServiceError("%s: %s" % (publisher, reason or status), status)


def results(found: Mapping[str, Any], number: int, publisher: str) -> List[WriteResult]:
    """The results of *number* writes in the Body *found* of *publisher*.  Raises
    :exc:`ValueError`."""
    listed = found.get("Results")
    if not isinstance(listed, list) or len(listed) != number:
        raise ValueError("expected %d Results" % number)
    made: List[WriteResult] = []
    for each in listed:
        if not isinstance(each, dict):
            raise ValueError("expected an object, got %s" % shown(each))
        status = each.get("Status", 0)
        if not isinstance(status, int) or not 0 <= status <= 0xFFFFFFFF:
            raise ValueError("%s is no Status" % shown(status))
        made.append(_problem(each, publisher) if "StatusCode" in each else int(status))
    return made


class Page(NamedTuple):
    """A page of history, the *point* where the next one begins, and why values may be
    *missing*."""

    values: List[DataValue]
    point: Optional[str]
    missing: Optional[ServiceError]


def page(found: Mapping[str, Any], namespaces: Sequence[str]) -> Page:
    """The page of history in the Body *found*; *namespaces* is the NamespaceArray for the indexes
    in the values.  Raises :exc:`ValueError`."""
    listed, point = found.get("DataValues"), found.get("ContinuationPoint")
    if not isinstance(listed, list) or not isinstance(point, (str, type(None))):
        raise ValueError("expected DataValues")
    missing, reason = None, found.get("Reason")
    if isinstance(reason, str):
        missing = ServiceError(reason, "BadNoCommunication")
    return Page([_value(each, namespaces) for each in listed], point, missing)


def _value(data: Any, namespaces: Sequence[str]) -> DataValue:
    if not isinstance(data, dict):
        raise ValueError("expected a DataValue, got %s" % shown(data))
    if not data:
        return DataValue(None)
    try:
        return written_value(data, ValueType(), namespaces)
    except (ValueRejected, ArithmeticError, RecursionError, TypeError):
        without = {name: each for name, each in data.items() if name != "Value"}
        try:
            rest = written_value(without, ValueType(), namespaces) if without else DataValue(None)
        except ValueRejected as error:
            raise ValueError(str(error)) from None
        return rest._replace(status=_NOT_DECODED)
