"""Values of a client's program, and their form on the wire (PROTOCOL section 3).

Pure.
"""

import base64
import math
import re
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..model import status_codes
from ..model.data_types import BYTESTRING, DOUBLE, FLOAT, INT64, TYPE_NAMES, UINT64

#: OPC 10000-4 7.39.1: values were missed before this one.
OVERFLOW = 0x480

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z", re.ASCII)
_EARLIEST = "1601-01-01T00:00:00Z"  # OPC UA's value for no time

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Value(NamedTuple):
    """The value of a variable at some time.

    ``value`` is ``None``, ``bool``, ``int``, ``float``, ``str``, ``bytes`` (ByteString), for other
    types the JSON object, or a list of these; a matrix is the flat list, and ``dimensions`` its
    lengths.  ``status`` is the number of OPC 10000-4 7.39, ``symbol`` its name, ``reason`` a
    sentence where it is Bad.  Times are ISO 8601 in UTC with all digits of the server, or ``None``;
    :func:`moment` makes a ``datetime`` of one.  ``message`` is the received object.
    """

    name: str
    value: Any = None
    type: str = ""
    dimensions: Tuple[int, ...] = ()
    status: int = 0
    symbol: str = "Good"
    reason: str = ""
    source_timestamp: Optional[str] = None
    server_timestamp: Optional[str] = None
    message: Mapping[str, Any] = {}

    @property
    def good(self) -> bool:
        return status_codes.is_good(self.status)

    @property
    def uncertain(self) -> bool:
        return status_codes.is_uncertain(self.status)

    @property
    def bad(self) -> bool:
        return status_codes.is_bad(self.status)

    @property
    def overflow(self) -> bool:
        """Values were missed before this one."""
        return self.status & OVERFLOW == OVERFLOW

    @property
    def historical(self) -> bool:
        """A past update that was missed and comes late."""
        return self.message.get("Historical") is True


def from_json(name: str, message: Mapping[str, Any]) -> Value:
    """A DataValue of the typed dialect; an item that failed is one with a Bad status."""
    variant = message.get("Value")
    status = message.get("Status", 0)
    symbol = message.get("Symbol", "Good")
    code = message.get("StatusCode")
    if code is not None and not status_codes.is_bad(status):
        symbol = code
        status = status_codes.CODES.get(code, status_codes.CODES["Bad"])
    value: Any = None
    type_name, dimensions = "", ()
    if isinstance(variant, dict):
        type_id = variant.get("Type", 0)
        type_name = TYPE_NAMES.get(type_id, "")
        dimensions = tuple(variant.get("Dimensions", ()))
        value = _body(type_id, variant.get("Body"))
    return Value(
        name,
        value,
        type_name,
        dimensions,
        status,
        symbol,
        message.get("Reason", ""),
        message.get("SourceTimestamp"),
        message.get("ServerTimestamp"),
        message,
    )


def _body(type_id: int, body: Any) -> Any:
    if isinstance(body, list):
        return [_body(type_id, each) for each in body]
    if isinstance(body, str):
        if type_id in (INT64, UINT64):
            return int(body)
        if type_id in (FLOAT, DOUBLE):
            return _NOT_FINITE.get(body, body)
        if type_id == BYTESTRING:
            return base64.b64decode(body)
    elif isinstance(body, int) and type_id in (FLOAT, DOUBLE):
        return float(body)
    return body


def to_json(value: Any) -> Any:
    """*value* of a program as the ``Body`` of a Variant."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {name: to_json(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json(each) for each in value]
    return value


def variant(value: Any, type: Optional[str]) -> Dict[str, Any]:
    """The Variant for WRITE; without *type* opcws uses that of the variable."""
    body = {"Body": to_json(value)}
    return body if type is None else {"Type": type, **body}


def time_text(moment: datetime) -> str:
    """*moment* as ISO 8601 in UTC; without a zone it is this machine's local time."""
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def moment(text: Optional[str]) -> Optional[datetime]:
    """A time of the wire as a ``datetime`` in UTC, to the microsecond; ``None`` for none.

    All times of the wire fit into a ``datetime``: years 1 to 9999.
    """
    return _moment(text) if text else None


def _moment(text: str) -> datetime:
    whole, _, fraction = text.rstrip("Z").partition(".")
    parsed = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return parsed.replace(microsecond=int(fraction[:6].ljust(6, "0")) if fraction else 0)


def time_of(value: Value) -> str:
    """The time of *value* in ISO 8601 without the ``Z``, so that texts sort by time; ``""`` if it
    is unknown."""
    text = str(value.source_timestamp or value.server_timestamp)
    return text[:-1] if _TIME.fullmatch(text) and text > _EARLIEST else ""


def seconds(text: str) -> float:
    """A text of :func:`time_of` in seconds since 1970."""
    return _moment(text).timestamp()


def just_before(text: str) -> str:
    """The time of the wire 100 ns before *text*, which is of :func:`time_of`."""
    whole, _, fraction = text.partition(".")
    ticks = int(fraction.ljust(7, "0"))
    if ticks:
        return "%s.%07dZ" % (whole, ticks - 1)
    before = _moment(whole).replace(tzinfo=None) - timedelta(seconds=1)
    return before.isoformat() + ".9999999Z"
