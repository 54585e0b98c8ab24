"""Scalars of the types that know nothing of namespaces: as text, and out of a client's JSON.

Pure.  First times and floats as text, which both dialects of :mod:`opcws.wire.values_to_json`
share; then the readers, one per built-in type, of a value that a client writes (PROTOCOL section 3,
input). A reader takes the forms of both dialects and raises :exc:`Rejected` where a value would
have to be changed to fit.
"""

import base64
import binascii
import re
import struct
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Callable, Dict, List, NoReturn, Optional, Sequence

from ..model import status_codes
from ..model.data_types import (
    BOOLEAN,
    BYTESTRING,
    DATAVALUE,
    DATETIME,
    DIAGNOSTICINFO,
    DOUBLE,
    EPOCH_S,
    EXPANDEDNODEID,
    EXTENSIONOBJECT,
    FLOAT,
    GUID,
    INTEGER_RANGES,
    LOCALIZEDTEXT,
    NODEID,
    QUALIFIEDNAME,
    STATUSCODE,
    STRING,
    TICKS_PER_SECOND,
    TYPE_IDS,
    TYPE_NAMES,
    UINT32,
    VARIANT,
    XMLELEMENT,
)


def shown(value: Any) -> str:
    """*value* of a client's JSON for an error's sentence, at most some 60 characters."""
    if isinstance(value, list):
        return "an array of %d" % len(value)
    if isinstance(value, dict):
        return "an object with " + shown(", ".join(map(str, value))) if value else "an empty object"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 160:
        return "a number of some %d digits" % (value.bit_length() * 0.30103)
    text = repr(value[:50] if isinstance(value, str) else value)
    return text + "..." if isinstance(value, str) and len(value) > 50 else text


# --- time ---------------------------------------------------------------------------------

_SECOND = 10**7  # ticks of 100 ns
_EPOCH = datetime(1601, 1, 1)
_NO_TIME = "0001-01-01T00:00:00Z"
_END_OF_TIME = "9999-12-31T23:59:59Z"
_LAST_SECOND = (datetime(9999, 12, 31, 23, 59, 59) - _EPOCH) // timedelta(seconds=1)
_LAST_TICK = 2**63 - 1

# Neighbouring values have neighbouring times.  Threads may share this without a lock: each
# access is one step of the interpreter, and the worst that a race does is to fill it twice.
_seconds: Dict[int, str] = {}
_MAX_SECONDS = 4096


def timestamp_text(ticks: int) -> str:
    """ISO 8601 in UTC of *ticks* of 100 ns since 1601-01-01, with 0 to 7 fractional digits.

    OPC 10000-6 5.4.2.6: no time is ``0001-01-01T00:00:00Z``, all from the last second of the
    year 9999 on is ``9999-12-31T23:59:59Z``.
    """
    if ticks <= 0:
        return _NO_TIME
    second, fraction = divmod(ticks, _SECOND)
    text = _seconds.get(second)
    if text is None:
        if second >= _LAST_SECOND:
            return _END_OF_TIME
        if len(_seconds) >= _MAX_SECONDS:
            _seconds.clear()
        text = _seconds[second] = (_EPOCH + timedelta(seconds=second)).isoformat()
    if fraction:
        return ("%s.%07d" % (text, fraction)).rstrip("0") + "Z"
    return text + "Z"


def utc_text(seconds: float) -> str:
    """ISO 8601 in UTC of the clock's *seconds* since 1970-01-01, to the millisecond."""
    return timestamp_text(EPOCH_S * TICKS_PER_SECOND + int(seconds * 1000.0) * 10_000)


_TIME = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})-([0-9]{2})|([0-9]{2})([0-9]{2}))"
    r"(?:[Tt ]([0-9]{2})(?::([0-9]{2})(?::([0-9]{2}))?|([0-9]{2})([0-9]{2})?)(?:[.,]([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


class TimeOutOfRange(ValueError):
    """A time, but one that ticks cannot say."""


def parse_timestamp(text: str) -> int:
    """Ticks of 100 ns since 1601-01-01 UTC of an ISO 8601 time, basic or extended.

    A date alone is its midnight; a time without offset is UTC.  The two ends of time of
    :func:`timestamp_text` are read as 0 and the largest Int64 (OPC 10000-6 5.2.2.5).
    Raises :exc:`ValueError` with a sentence that says what is wrong.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("expected a time such as '2026-11-22T10:00:00.5Z', got " + shown(text))
    year, month, day, month_b, day_b, hour, minute, second, minute_b, second_b, digits, zone = (
        match.groups()
    )
    second = second or second_b
    if digits and not second:
        raise ValueError("expected seconds before the fraction, got " + shown(text))
    if second == "60":
        raise TimeOutOfRange("OPC UA has no leap second, got " + shown(text))
    fraction = (digits or "").rstrip("0")
    if len(fraction) > 7:
        raise TimeOutOfRange("times go down to 100 ns (7 digits), got " + shown(text))
    try:
        moment = datetime(
            int(year),
            int(month or month_b),
            int(day or day_b),
            int(hour or 0),
            int(minute or minute_b or 0),
            int(second or 0),
        )
    except ValueError as error:
        raise TimeOutOfRange("%s, got %s" % (error, shown(text))) from None
    ticks = (moment - _EPOCH) // timedelta(seconds=1) * _SECOND + int(fraction.ljust(7, "0"))
    if zone and zone not in "Zz":
        offset = int(zone[1:3]) * 60 + int(zone[3:].lstrip(":") or 0)
        if offset >= 24 * 60 or int(zone[3:].lstrip(":") or 0) > 59:
            raise TimeOutOfRange("the offset must be less than a day, got " + shown(text))
        ticks += (offset if zone[0] == "-" else -offset) * 60 * _SECOND
    if ticks >= _LAST_SECOND * _SECOND:
        return _LAST_TICK
    if ticks < 0:
        if moment == datetime.min and not fraction:
            return 0
        raise TimeOutOfRange("OPC UA's time begins in 1601, got " + shown(text))
    return ticks


# --- numbers ------------------------------------------------------------------------------

_FLOAT = struct.Struct("<f")
_FLOAT_BITS = struct.Struct("<I")
_SMALLEST_NORMAL = 2.0**-126


def to_float32(number: float) -> float:
    """The nearest number of 32 bits; infinity beyond them."""
    try:
        return float(_FLOAT.unpack(_FLOAT.pack(number))[0])
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def float32_text(number: float) -> str:
    """The shortest text that reads back to the same 32 bits; ``nan``, ``inf``, ``-inf``."""
    text = repr(float("%.6g" % number))
    # Every decimal of 6 digits survives a normal float, so here it is the shortest.
    if to_float32(float(text)) == number and not 0 < abs(number) < _SMALLEST_NORMAL:
        return text
    number = to_float32(number)
    if number - number != 0.0:
        return repr(number)
    for digits in range(1, 10):
        text = "%.*e" % (digits - 1, number)
        if to_float32(float(text)) == number:
            break
        # The floats below a power of two are closer than those above, so the nearest decimal
        # may miss it while the next one farther from zero does not.
        if not _FLOAT_BITS.unpack(_FLOAT.pack(number))[0] & 0x7FFFFF:
            mantissa, exponent = text.split("e")
            sign = "-" if number < 0 else ""
            following = int(mantissa.lstrip("-").replace(".", "")) + 1
            text = "%s%de%d" % (sign, following, int(exponent) - digits + 1)
            if to_float32(float(text)) == number:
                break
    return repr(float(text))


# --- in -----------------------------------------------------------------------------------

EXPECTED: Dict[int, str] = {
    BOOLEAN: "a Boolean (true or false)",
    FLOAT: "a Float (a number)",
    DOUBLE: "a Double (a number)",
    STRING: "a String",
    DATETIME: "a DateTime (a string such as '2026-11-22T10:00:00.5Z')",
    GUID: "a Guid (a string such as '72962b91-fa75-4ae6-8d28-b404dc7daf63')",
    BYTESTRING: "a ByteString (a base64 string)",
    XMLELEMENT: "an XmlElement (a string)",
    NODEID: "a NodeId (a string such as 'nsu=urn:plant;s=Name')",
    EXPANDEDNODEID: "an ExpandedNodeId (a string such as 'nsu=urn:plant;s=Name')",
    STATUSCODE: 'a StatusCode (a number, a name, or {"Code": number})',
    QUALIFIEDNAME: 'a QualifiedName ({"Name": "...", "Uri": "..."})',
    LOCALIZEDTEXT: 'a LocalizedText ({"Locale": "en", "Text": "..."})',
    EXTENSIONOBJECT: 'an ExtensionObject ({"TypeId": "...", "Body": {...}})',
    DATAVALUE: 'a DataValue ({"Value": {"Type": ..., "Body": ...}})',
    VARIANT: 'a Variant ({"Type": ..., "Body": ...})',
    DIAGNOSTICINFO: 'a DiagnosticInfo ({"SymbolicId": ...})',
}
for _id, (_low, _high) in INTEGER_RANGES.items():
    _name = TYPE_NAMES[_id]
    _article = "an" if _name[0] in "IS" else "a"
    EXPECTED[_id] = "%s %s (a whole number from %d to %d)" % (_article, _name, _low, _high)


class Rejected(Exception):
    """A written value that cannot be what it must be.  ``status`` is ``BadTypeMismatch`` or
    ``BadOutOfRange``; ``steps`` is the JSON path to it, innermost first."""

    def __init__(self, reason: str, status: str = "BadTypeMismatch") -> None:
        super().__init__(reason)
        self.status = status
        self.steps: List[str] = []


def wrong(type_id: int, value: Any, status: str = "BadTypeMismatch") -> NoReturn:
    raise Rejected("expected %s, got %s" % (EXPECTED[type_id], shown(value)), status)


def at(step: str, read: Callable[..., Any], *arguments: Any) -> Any:
    """What *read* makes of *arguments*, which lie at *step* below the present path."""
    try:
        return read(*arguments)
    except Rejected as rejected:
        rejected.steps.append(step)
        raise


WHOLE = re.compile("-?[0-9]+")
_DECIMAL = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)(?:[eE][+-]?[0-9]+)?")
_GUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SPECIAL_FLOATS = {"NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
#: More digits than any integer or any finite float has before the point.
_MAX_DIGITS = 330
#: From here on a Double stands for several whole numbers; a JSON number with a point or an
#: exponent has become one.
_EXACT = 2**53


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _BOOLEANS:
        return _BOOLEANS[value]
    wrong(BOOLEAN, value)


def read_integer(type_id: int, value: Any) -> int:
    low, high = INTEGER_RANGES[type_id]
    number = value
    if isinstance(value, str):
        if not WHOLE.fullmatch(value):
            wrong(type_id, value)
        if len(value) > _MAX_DIGITS:
            wrong(type_id, value, "BadOutOfRange")
        number = int(value)
    elif isinstance(value, float):
        if value - value != 0.0:
            wrong(type_id, value, "BadOutOfRange")
        if not value.is_integer():
            wrong(type_id, value)
        number = int(value)
    elif not isinstance(value, int) or isinstance(value, bool):
        wrong(type_id, value)
    if not low <= number <= high:
        wrong(type_id, value, "BadOutOfRange")
    if isinstance(value, float) and abs(value) >= _EXACT:
        raise Rejected(
            "a number so large must be written without point and exponent, or digits get lost; "
            "got %s" % shown(value),
            "BadOutOfRange",
        )
    return int(number)


def _float(type_id: int, value: Any) -> float:
    number = value
    whole = None
    if isinstance(value, str):
        if value in _SPECIAL_FLOATS:
            return float(value)
        match = _DECIMAL.fullmatch(value)
        if match is None:
            wrong(type_id, value)
        if WHOLE.fullmatch(value):
            if len(value) > _MAX_DIGITS:
                wrong(type_id, value, "BadOutOfRange")
            number = int(value)
        else:
            number = float(value)
            if number == 0 and match[1].strip("-0."):
                wrong(type_id, value, "BadOutOfRange")
    if isinstance(number, int) and not isinstance(number, bool):
        whole = number
        try:
            number = float(number)
        except OverflowError:
            wrong(type_id, value, "BadOutOfRange")
    elif not isinstance(number, float):
        wrong(type_id, value)
    if type_id == FLOAT:
        exact, number = number, to_float32(number)
        if exact and not number:
            wrong(type_id, value, "BadOutOfRange")
    if number - number != 0.0:
        wrong(type_id, value, "BadOutOfRange")
    if whole is not None and int(number) != whole:
        # The shortest text of a large float is not its exact value; JavaScript, which prints
        # it without exponent, must be able to write back what it read.
        text = float32_text(number) if type_id == FLOAT else repr(number)
        if Decimal(text) != whole:
            kind = TYPE_NAMES[type_id]
            raise Rejected(
                "a %s cannot hold all digits of %s; round it to %s" % (kind, shown(value), text),
                "BadOutOfRange",
            )
    return -0.0 if value == "-0" else float(number)


def read_string(type_id: int, value: Any) -> Optional[str]:
    if value is None:
        return None
    if not isinstance(value, str):
        wrong(type_id, value)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Rejected(
            "expected %s, got half of a surrogate pair in %s" % (EXPECTED[type_id], shown(value))
        ) from None
    return value


def read_date_time(value: Any) -> int:
    if not isinstance(value, str):
        wrong(DATETIME, value)
    try:
        return parse_timestamp(value)
    except TimeOutOfRange as error:
        raise Rejected(str(error), "BadOutOfRange") from None
    except ValueError:
        wrong(DATETIME, value)


def _guid(value: Any) -> uuid.UUID:
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        wrong(GUID, value)
    return uuid.UUID(value)


def read_byte_string(value: Any) -> Optional[bytes]:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    wrong(BYTESTRING, value)


def read_status_code(value: Any) -> int:
    if isinstance(value, str) and value in status_codes.CODES:
        return status_codes.code(value)
    if not isinstance(value, dict):
        if isinstance(value, str) and not WHOLE.fullmatch(value):
            wrong(STATUSCODE, value)
        return read_integer(UINT32, value)
    only_members(value, ("Code", "Symbol"), STATUSCODE)
    if not value:
        wrong(STATUSCODE, value)
    symbol = value.get("Symbol")
    if "Code" not in value:
        return int(at(".Symbol", _symbol, symbol))
    status = int(at(".Code", read_integer, UINT32, value["Code"]))
    if symbol is not None:
        at(".Symbol", check_symbol, symbol, status)
    return status


def _symbol(value: Any) -> int:
    if not isinstance(value, str) or value not in status_codes.CODES:
        raise Rejected("expected the name of a status code, got %s" % shown(value))
    return status_codes.code(value)


def check_symbol(symbol: Any, status: int) -> None:
    if _symbol(symbol) != status_codes.code(status_codes.name(status)):
        raise Rejected(
            "the status code %d is %s, not %s" % (status, status_codes.name(status), symbol)
        )


def only_members(value: Dict[str, Any], members: Sequence[str], type_id: int) -> None:
    for member in value:
        if member not in members:
            raise Rejected("unknown member %s; expected %s" % (shown(member), EXPECTED[type_id]))


def read_type_id(value: Any) -> int:
    if isinstance(value, str):
        number = TYPE_IDS.get(value, 0 if value == "Null" else None)
        if number is None and re.fullmatch("[0-9]{1,2}", value):
            number = int(value)
    else:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if number != 0 and number not in TYPE_NAMES:
        raise Rejected(
            "expected the number or name of a built-in type, such as 11 or 'Double', got "
            + shown(value)
        )
    return int(number)


PLAIN: Dict[int, Callable[[Any], Any]] = {
    BOOLEAN: _boolean,
    **{type_id: partial(read_integer, type_id) for type_id in INTEGER_RANGES},
    FLOAT: partial(_float, FLOAT),
    DOUBLE: partial(_float, DOUBLE),
    STRING: partial(read_string, STRING),
    DATETIME: read_date_time,
    GUID: _guid,
    BYTESTRING: read_byte_string,
    XMLELEMENT: partial(read_string, XMLELEMENT),
    STATUSCODE: read_status_code,
}
#: Types whose scalars have neither a null nor an empty form.
NEVER_NULL = {BOOLEAN, *INTEGER_RANGES, FLOAT, DOUBLE, DATETIME, GUID, STATUSCODE}
