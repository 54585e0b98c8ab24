"""The value that a client writes: JSON to DataValue (PROTOCOL section 3, input).

Pure.  The forms of both dialects are accepted, leniently, but no value is ever changed: a value
that does not fit is rejected with

    BadTypeMismatch   the wrong kind of value: a boolean for a number, a fraction for an integer,
                      an array for a scalar, an unknown member
    BadOutOfRange     the right kind of value, but too large, too precise, or unknown

and a sentence with the JSON path, the expected type and the value.  A reader raises
:exc:`Rejected` without a path; each level that the exception passes on its way up adds its step, so
that paths cost nothing unless something is wrong.
"""

import base64
import binascii
import math
import re
import sys
import uuid
from decimal import Decimal
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, NoReturn, Optional, Sequence, Tuple

from ..model import data_types as dt
from ..model import status_codes
from ..model.data_types import parse_node_id, resolve_node_id
from ..model.errors import ValueRejected
from .floats import float32_text, to_float32
from .timestamps import TimeOutOfRange, parse_timestamp

#: Finds the definition of the structure for the TypeId of an ExtensionObject, if it is known.
Definitions = Callable[[dt.NodeId], Optional[dt.StructureDefinition]]

#: How deep DataValues, Variants and structures may be nested.
MAX_NESTING = 32
#: Longest reason, in characters.
MAX_REASON = 400

#: OPC 10000-6 5.4.2.13, in the order of the members of DiagnosticInfo, with their types.
DIAGNOSTIC_MEMBERS = {
    "SymbolicId": dt.INT32,
    "NamespaceUri": dt.INT32,
    "LocalizedText": dt.INT32,
    "Locale": dt.INT32,
    "AdditionalInfo": dt.STRING,
    "InnerStatusCode": dt.STATUSCODE,
    "InnerDiagnosticInfo": dt.DIAGNOSTICINFO,
}
#: How a client may write the types that can contain a structure.
_STRUCTURED = [
    spelling
    for type_id in (dt.EXTENSIONOBJECT, dt.DATAVALUE, dt.VARIANT)
    for spelling in (type_id, str(type_id), dt.TYPE_NAMES[type_id])
]
_VARIANT_MEMBERS = ("Type", "Body", "Dimensions")
_DATA_VALUE_MEMBERS = (
    "Value",
    "Status",
    "Symbol",
    "SourceTimestamp",
    "SourcePicoseconds",
    "ServerTimestamp",
    "ServerPicoseconds",
    "StatusCode",
    "Reason",
)


def written_value(
    value: Any,
    expected: dt.ValueType,
    namespaces: Sequence[str],
    definitions: Optional[Definitions] = None,
    name: str = "Value",
) -> dt.DataValue:
    """The DataValue that *value*, the ``Value`` member of a WRITE, asks to write.

    *value* is parsed JSON: a DataValue object, a short ``{"Type", "Body"}``, or a bare scalar
    or array.  If it has a ``Type``, this counts, whatever *expected*, the variable's type, is.
    *namespaces* is the OPC UA server's NamespaceArray, *definitions* finds the structures that can
    be written field by field, *name* is the place of *value* in the body.  Status and timestamps
    are 0 if *value* has none.

    Raises :exc:`~opcws.model.errors.ValueRejected`.
    """
    try:
        return _Reader(namespaces, definitions).written(value, expected)
    except Rejected as rejected:
        path = "Body.%s%s" % (name, "".join(reversed(rejected.steps)))
        reason = "%s: %s" % (path, rejected)
        if len(reason) > MAX_REASON:
            reason = reason[: MAX_REASON - 3] + "..."
        raise ValueRejected(reason, rejected.status) from None


def says_type(value: Any) -> bool:
    """Whether the Value of a WRITE states its Type, and can be read without the variable: the
    fields of a structure are known only when the variable is."""
    if not isinstance(value, dict):
        return False
    inner = value.get("Value", value)
    if not isinstance(inner, dict):
        return False
    named = inner.get("Type")
    return named not in (None, "") and named not in _STRUCTURED


# --- what all readers use ---


def shown(value: Any) -> str:
    """*value* of a client's JSON for an error's sentence, at most about 60 characters."""
    if isinstance(value, list):
        return "an array of %d" % len(value)
    if isinstance(value, dict):
        return "an object with " + shown(", ".join(map(str, value))) if value else "an empty object"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if value in (math.inf, -math.inf):
        return ("a number above %r" if value > 0 else "a number below -%r") % sys.float_info.max
    if isinstance(value, int) and value.bit_length() > 160:
        return "a number of some %d digits" % (value.bit_length() * 0.30103)
    text = repr(value[:50] if isinstance(value, str) else value)
    return text + "..." if isinstance(value, str) and len(value) > 50 else text


EXPECTED: Dict[int, str] = {
    dt.BOOLEAN: "a Boolean (true or false)",
    dt.FLOAT: "a Float (a number)",
    dt.DOUBLE: "a Double (a number)",
    dt.STRING: "a String",
    dt.DATETIME: "a DateTime (a string such as '2026-11-22T10:00:00.5Z')",
    dt.GUID: "a Guid (a string such as '72962b91-fa75-4ae6-8d28-b404dc7daf63')",
    dt.BYTESTRING: "a ByteString (a base64 string)",
    dt.XMLELEMENT: "an XmlElement (a string)",
    dt.NODEID: "a NodeId (a string such as 'nsu=urn:plant;s=Name')",
    dt.EXPANDEDNODEID: "an ExpandedNodeId (a string such as 'nsu=urn:plant;s=Name')",
    dt.STATUSCODE: 'a StatusCode (a number, a name, or {"Code": number})',
    dt.QUALIFIEDNAME: 'a QualifiedName ({"Name": "...", "Uri": "..."})',
    dt.LOCALIZEDTEXT: 'a LocalizedText ({"Locale": "en", "Text": "..."})',
    dt.EXTENSIONOBJECT: 'an ExtensionObject ({"TypeId": "...", "Body": {...}})',
    dt.DATAVALUE: 'a DataValue ({"Value": {"Type": ..., "Body": ...}})',
    dt.VARIANT: 'a Variant ({"Type": ..., "Body": ...})',
    dt.DIAGNOSTICINFO: 'a DiagnosticInfo ({"SymbolicId": ...})',
}
for _id, (_low, _high) in dt.INTEGER_RANGES.items():
    _name = dt.TYPE_NAMES[_id]
    _article = "an" if _name[0] in "IS" else "a"
    EXPECTED[_id] = "%s %s (a whole number from %d to %d)" % (_article, _name, _low, _high)


class Rejected(Exception):
    """A written value that does not fit.  ``status`` is ``BadTypeMismatch`` or ``BadOutOfRange``;
    ``steps`` is the JSON path to it, innermost first."""

    def __init__(self, reason: str, status: str = "BadTypeMismatch") -> None:
        super().__init__(reason)
        self.status = status
        self.steps: List[str] = []


def wrong(type_id: int, value: Any, status: str = "BadTypeMismatch") -> NoReturn:
    raise Rejected("expected %s, got %s" % (EXPECTED[type_id], shown(value)), status)


def at(step: str, read: Callable[..., Any], *arguments: Any) -> Any:
    """The result of *read* for *arguments*, which are at *step* below the present path."""
    try:
        return read(*arguments)
    except Rejected as rejected:
        rejected.steps.append(step)
        raise


# --- scalars of the types that know nothing of namespaces ---

WHOLE = re.compile("-?[0-9]+")
_DECIMAL = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)(?:[eE][+-]?[0-9]+)?")
_GUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SPECIAL_FLOATS = {"NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
#: More digits than any integer or any finite float has before the point.
_MAX_DIGITS = 330
#: From here on a Double stands for several whole numbers; a JSON number with a point or an exponent
#: is parsed as a Double.
_EXACT = 2**53


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _BOOLEANS:
        return _BOOLEANS[value]
    wrong(dt.BOOLEAN, value)


def read_integer(type_id: int, value: Any) -> int:
    low, high = dt.INTEGER_RANGES[type_id]
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


#: The largest number of each type, and the one closest to 0.
_FLOATS = {
    dt.FLOAT: ("3.4028235e+38", "1e-45"),
    dt.DOUBLE: (repr(sys.float_info.max), "5e-324"),
}


def _too_large(type_id: int, value: Any, is_negative: bool) -> NoReturn:
    raise Rejected(
        (
            "%s is too low for a %s (at least -%s)"
            if is_negative
            else "%s is too large for a %s (at most %s)"
        )
        % (_number_text(value), dt.TYPE_NAMES[type_id], _FLOATS[type_id][0]),
        "BadOutOfRange",
    )


def _too_close_to_0(type_id: int, value: Any) -> NoReturn:
    raise Rejected(
        "%s is too close to 0 for a %s (%s at least); write 0 if you mean it"
        % (_number_text(value), dt.TYPE_NAMES[type_id], _FLOATS[type_id][1]),
        "BadOutOfRange",
    )


def _number_text(value: Any) -> str:
    return shown(value).replace("'", "")  # a number in quotes is shown like a number


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
                _too_large(type_id, value, value[0] == "-")
            number = int(value)
        else:
            number = float(value)
            if number == 0 and match[1].strip("-0."):
                _too_close_to_0(type_id, value)
    if isinstance(number, int) and not isinstance(number, bool):
        whole = number
        try:
            number = float(number)
        except OverflowError:
            _too_large(type_id, value, number < 0)
    elif not isinstance(number, float):
        wrong(type_id, value)
    if type_id == dt.FLOAT:
        exact, number = number, to_float32(number)
        if exact and not number:
            _too_close_to_0(type_id, value)
    if number - number != 0.0:
        _too_large(type_id, value, number < 0)
    if whole is not None and int(number) != whole:
        # The shortest text of a large float is not its exact value; JavaScript prints that text
        # without exponent, and must be able to write back what it has read.
        text = float32_text(number) if type_id == dt.FLOAT else repr(number)
        if Decimal(text) != whole:
            kind = dt.TYPE_NAMES[type_id]
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
        wrong(dt.DATETIME, value)
    try:
        return parse_timestamp(value)
    except TimeOutOfRange as error:
        raise Rejected(str(error), "BadOutOfRange") from None
    except ValueError:
        wrong(dt.DATETIME, value)


def _guid(value: Any) -> uuid.UUID:
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        wrong(dt.GUID, value)
    return uuid.UUID(value)


def read_byte_string(value: Any) -> Optional[bytes]:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    wrong(dt.BYTESTRING, value)


def read_status_code(value: Any) -> int:
    if isinstance(value, str) and value in status_codes.CODES:
        return status_codes.code(value)
    if not isinstance(value, dict):
        if isinstance(value, str) and not WHOLE.fullmatch(value):
            wrong(dt.STATUSCODE, value)
        return read_integer(dt.UINT32, value)
    only_members(value, ("Code", "Symbol"), dt.STATUSCODE)
    if not value:
        wrong(dt.STATUSCODE, value)
    symbol = value.get("Symbol")
    if value.get("Code") is None:
        return int(at(".Symbol", _symbol, symbol))
    status = int(at(".Code", read_integer, dt.UINT32, value["Code"]))
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
        number = dt.TYPE_IDS.get(value, 0 if value == "Null" else None)
        if number is None and re.fullmatch("[0-9]{1,2}", value):
            number = int(value)
    else:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        number = int(value) if whole and not isinstance(value, bool) else None
    if number != 0 and number not in dt.TYPE_NAMES:
        raise Rejected(
            "expected the number or name of a built-in type, such as 11 or 'Double', got "
            + shown(value)
        )
    return int(number)


PLAIN: Dict[int, Callable[[Any], Any]] = {
    dt.BOOLEAN: _boolean,
    **{type_id: partial(read_integer, type_id) for type_id in dt.INTEGER_RANGES},
    dt.FLOAT: partial(_float, dt.FLOAT),
    dt.DOUBLE: partial(_float, dt.DOUBLE),
    dt.STRING: partial(read_string, dt.STRING),
    dt.DATETIME: read_date_time,
    dt.GUID: _guid,
    dt.BYTESTRING: read_byte_string,
    dt.XMLELEMENT: partial(read_string, dt.XMLELEMENT),
    dt.STATUSCODE: read_status_code,
}
#: Types whose scalars can be neither null nor empty.
NEVER_NULL = PLAIN.keys() - {dt.STRING, dt.BYTESTRING, dt.XMLELEMENT}


# --- everything else ---


class _Reader:
    """Reads one written value."""

    def __init__(self, namespaces: Sequence[str], definitions: Optional[Definitions]) -> None:
        self._namespaces = namespaces
        self._definitions = definitions
        self._depth = 0

    # --- Variant and DataValue ---

    def written(self, value: Any, expected: dt.ValueType) -> dt.DataValue:
        if isinstance(value, dict):
            if value and not ("Type" in value or "Body" in value or "Dimensions" in value):
                return self._data_value_members(value, expected)
        return dt.DataValue(self._value(value, expected))

    def _value(self, value: Any, expected: dt.ValueType) -> Optional[dt.Variant]:
        """A Variant object, or the bare body of one."""
        if isinstance(value, dict):
            return self._variant_members(value, expected)
        if expected.type == 0 or _is_any_scalar(expected, value):
            raise Rejected(
                'the variable\'s type is not known: give a Type, {"Type": "Double", "Body": %s}'
                % (shown(value) if isinstance(value, (int, float)) else "...")
            )
        return self._body(
            expected.type,
            value,
            expected.is_array,
            expected.is_array is True,
            names=expected.names,
        )

    def _variant_members(
        self, value: Dict[str, Any], expected: dt.ValueType
    ) -> Optional[dt.Variant]:
        only_members(value, _VARIANT_MEMBERS, dt.VARIANT)
        shape = expected.is_array
        type_id = expected.type
        if value.get("Type", "") not in ("", None):
            type_id = at(".Type", read_type_id, value["Type"])
            shape = None  # as the client says; the OPC UA server decides
            if type_id == 0 and value.get("Body") in (None, ""):
                return None
        elif _is_any_scalar(expected, value.get("Body")):
            type_id = 0
        if type_id == 0:
            raise Rejected('the type is not known: give a Type, such as "Type": "Double"')
        if "Body" not in value:
            raise Rejected('"Body" is missing; expected {"Type": ..., "Body": ...}')
        dimensions = at(".Dimensions", _dimensions, value.get("Dimensions"))
        is_array = expected.is_array is True or dimensions is not None
        names = expected.names if type_id == expected.type else None
        return self._body(type_id, value["Body"], shape, is_array, dimensions, ".Body", names)

    def _body(
        self,
        type_id: int,
        body: Any,
        shape: Optional[bool],
        empty_is_array: bool,
        dimensions: Optional[Tuple[int, ...]] = None,
        step: str = "",
        names: Optional[dt.Enumeration] = None,
    ) -> dt.Variant:
        """*shape*: it must be an array, must not be one, or may be one (``None``);
        *empty_is_array*: ``null`` and ``""`` mean an array."""
        read = self.read(type_id, names)
        if isinstance(body, list) or (empty_is_array and body in (None, "")):
            if shape is False:
                raise Rejected(
                    "expected one %s, not an array, got %s" % (dt.TYPE_NAMES[type_id], shown(body))
                )
            items = None if body is None else at(step, self.items, read, body)
            if dimensions is not None:
                at(".Dimensions", _fit, dimensions, len(items or ()))
                # One dimension only repeats the length of the array.
                dimensions = dimensions if len(dimensions) > 1 else None
            return dt.Variant(type_id, items, True, dimensions)
        if shape is True:
            raise Rejected(
                "expected an array of %s, got %s" % (dt.TYPE_NAMES[type_id], shown(body))
            )
        if dimensions is not None:
            raise Rejected("expected an array with Dimensions, got %s" % shown(body))
        return dt.Variant(type_id, at(step, read, body))

    def read(self, type_id: int, names: Optional[dt.Enumeration] = None) -> Callable[[Any], Any]:
        if names:
            return partial(_enumeration, PLAIN[type_id], names)
        if type_id in PLAIN:
            return PLAIN[type_id]
        if type_id in _NODE_IDS:
            return partial(_NODE_IDS[type_id], self)
        return partial(self._object, type_id)

    def _object(self, type_id: int, value: Any) -> Any:
        """*value* as a type that is written as an object; null and "" mean an empty one."""
        empty, members, read = _OBJECTS[type_id]
        if value is None or value == "":
            return empty
        if not isinstance(value, dict):
            wrong(type_id, value)
        if members:
            only_members(value, members, type_id)
        return read(self, value)

    def items(self, read: Callable[[Any], Any], values: Sequence[Any]) -> List[Any]:
        items: List[Any] = []
        try:
            for value in values:
                items.append(read(value))
        except Rejected as rejected:
            rejected.steps.append("[%d]" % len(items))
            if isinstance(value, list):
                rejected.args = ("%s; a matrix is the flat array plus Dimensions" % rejected,)
            raise
        return items

    def _data_value_members(self, value: Dict[str, Any], expected: dt.ValueType) -> dt.DataValue:
        for member in value:
            if member not in _DATA_VALUE_MEMBERS:
                raise Rejected(
                    'unknown member %s; put the value itself into "Body": {"Body": ...}'
                    % shown(member)
                )
        variant = None
        if "Value" in value:
            variant = at(".Value", self._value, value["Value"], expected)
            if len(value) == 1:
                return dt.DataValue(variant)
        status = 0
        for member in ("Symbol", "StatusCode", "Status"):
            if value.get(member) not in (None, ""):
                status = at("." + member, read_status_code, value[member])
        for member in ("Symbol", "StatusCode"):
            if value.get(member) not in (None, ""):
                at("." + member, check_symbol, value[member], status)
        times = []
        for member in ("SourceTimestamp", "ServerTimestamp"):
            text = value.get(member)
            times.append(0 if text in (None, "") else at("." + member, read_date_time, text))
        for member in ("SourcePicoseconds", "ServerPicoseconds"):
            number = value.get(member)
            times.append(0 if number in (None, "") else at("." + member, _picoseconds, number))
        return dt.DataValue(variant, status, *times)

    def enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise Rejected(
                "values are nested more than %d levels deep" % MAX_NESTING, "BadOutOfRange"
            )

    def leave(self) -> None:
        self._depth -= 1

    def _variant(self, value: Dict[str, Any]) -> Optional[dt.Variant]:
        self.enter()
        unknown = dt.ValueType()
        body = value.get("Body", 0)
        if body is None or body == "":
            # If scalars of the type cannot be null or empty, this is a null or empty array.
            type_id = at(".Type", read_type_id, value.get("Type"))
            unknown = dt.ValueType(0, True if type_id in NEVER_NULL else None)
        variant = self._variant_members(value, unknown)
        self.leave()
        return variant

    def _data_value(self, value: Dict[str, Any]) -> dt.DataValue:
        self.enter()
        members = dict(value)
        variant = at(".Value", self._object, dt.VARIANT, members.pop("Value", None))
        data_value = self._data_value_members(members, dt.ValueType())._replace(value=variant)
        self.leave()
        return data_value

    # --- names and ids ---

    def _node_id(self, value: Any) -> dt.NodeId:
        node_id = self._any_node_id(dt.NODEID, value)
        if node_id.server_index:
            wrong(dt.NODEID, value)
        try:
            return resolve_node_id(node_id, self._namespaces)
        except LookupError as error:
            raise Rejected(str(error), "BadOutOfRange") from None

    def _expanded_node_id(self, value: Any) -> dt.NodeId:
        node_id = self._any_node_id(dt.EXPANDEDNODEID, value)
        if node_id.server_index or node_id.namespace_uri not in self._namespaces:
            return node_id
        return resolve_node_id(node_id, self._namespaces)

    def _any_node_id(self, type_id: int, value: Any) -> dt.NodeId:
        if value is None:
            return dt.NULL_NODE_ID
        if isinstance(value, dict):
            only_members(value, ("IdType", "Id", "Namespace", "ServerUri"), type_id)
            kind = "isgb"[at(".IdType", _id_type, _given(value, "IdType"))]
            identifier = value.get("Id")
            if isinstance(identifier, float) and identifier.is_integer():
                identifier = int(identifier)
            if isinstance(identifier, bool) or not isinstance(identifier, (int, str)):
                wrong(type_id, value)
            text: Any = "%s=%s" % (kind, identifier)
            namespace = _given(value, "Namespace")
            if isinstance(namespace, str) and not WHOLE.fullmatch(namespace):
                uri = namespace.replace("%", "%25").replace(";", "%3B")
                text = "nsu=%s;%s" % (uri, text)
            else:
                text = "ns=%d;%s" % (at(".Namespace", read_integer, dt.UINT16, namespace), text)
            if value.get("ServerUri"):
                server = at(".ServerUri", read_integer, dt.UINT32, value["ServerUri"])
                text = "svr=%d;%s" % (server, text)
        else:
            text = value
        if not isinstance(read_string(type_id, text), str):
            wrong(type_id, value)
        try:
            return parse_node_id(text)
        except ValueError as error:
            raise Rejected(str(error)) from None

    def _qualified_name(self, value: Dict[str, Any]) -> dt.QualifiedName:
        name = at(".Name", read_string, dt.STRING, value.get("Name"))
        uri, index = value.get("Uri"), value.get("NamespaceIndex")
        namespace = at(".Uri", self._namespace, uri)
        if index not in (None, ""):
            number = at(".NamespaceIndex", read_integer, dt.UINT16, index)
            if uri not in (None, "") and number != namespace:
                raise Rejected(
                    "Uri is that of namespace %d, NamespaceIndex is %d; leave one of them out"
                    % (namespace, number)
                )
            namespace = number
        return dt.QualifiedName(namespace, name)

    def _namespace(self, value: Any) -> int:
        if value is None or value == "" or value == "http://opcfoundation.org/UA/":
            return 0
        if isinstance(value, str):
            if value in self._namespaces:
                return self._namespaces.index(value)
            if not WHOLE.fullmatch(value):
                raise Rejected(
                    "the OPC UA server has no namespace %s" % shown(value), "BadOutOfRange"
                )
        return read_integer(dt.UINT16, value)

    def _localized_text(self, value: Dict[str, Any]) -> dt.LocalizedText:
        return dt.LocalizedText(
            at(".Locale", read_string, dt.STRING, value.get("Locale")),
            at(".Text", read_string, dt.STRING, value.get("Text")),
        )

    def _diagnostic_info(self, value: Dict[str, Any]) -> dt.DiagnosticInfo:
        self.enter()
        members: List[Any] = []
        for name, type_id in DIAGNOSTIC_MEMBERS.items():
            member = value.get(name)
            read = self.read(type_id)
            members.append(None if member is None else at("." + name, read, member))
        self.leave()
        return dt.DiagnosticInfo(*members)

    # --- structures ---

    def _extension_object(self, value: Dict[str, Any]) -> dt.ExtensionObject:
        if "TypeId" not in value:
            raise Rejected('"TypeId" is missing; expected ' + EXPECTED[dt.EXTENSIONOBJECT])
        type_id = at(".TypeId", self._expanded_node_id, value["TypeId"])
        encoding = value.get("Encoding")
        encoding = 0 if encoding in (None, "") else at(".Encoding", _encoding, encoding)
        body = value.get("Body")
        if encoding == 0 and "Body" not in value:
            return dt.ExtensionObject(type_id)
        if body is None:
            raise Rejected('"Body" is null or missing; expected ' + EXPECTED[dt.EXTENSIONOBJECT])
        if encoding == 1:
            return dt.ExtensionObject(type_id, at(".Body", read_byte_string, body))
        if encoding == 2:
            return dt.ExtensionObject(type_id, at(".Body", read_string, dt.XMLELEMENT, body))
        definition = None if self._definitions is None else self._definitions(type_id)
        if definition is None:
            raise Rejected(
                "the fields of this structure are not known here; send"
                ' {"TypeId": ..., "Encoding": 1, "Body": base64} of its binary encoding'
            )
        # A client may name the data type instead of its encoding.
        encoding_id = definition.type_id if definition.type_id.identifier else type_id
        return dt.ExtensionObject(encoding_id, at(".Body", self._structure, definition, body))

    def _structure(self, definition: dt.StructureDefinition, value: Any) -> dt.Structure:
        """*value* as the structure *definition*."""
        value = {} if value == "" else value
        if not isinstance(value, dict):
            raise Rejected(
                "expected an object with the fields of %s, got %s%s"
                % (
                    definition.name,
                    shown(value),
                    '; base64 needs "Encoding": 1' if isinstance(value, str) else "",
                )
            )
        if definition.is_union:
            return self._union(definition, value)
        _only_fields(value, definition)
        self.enter()
        masks: Dict[str, int] = {}
        known_bits: Dict[str, int] = {}
        for field in definition.fields:
            if field.switch is not None:
                mask, bit = field.switch
                known_bits[mask] = known_bits.get(mask, 0) | 1 << bit
                masks[mask] = masks.get(mask, 0) | (field.name in value) << bit
        fields = []
        for field in definition.fields:
            name = field.name
            if name in value:
                content = at("." + name, self._field, field, value[name])
                if name in masks and content & known_bits[name] != masks[name]:
                    raise Rejected(
                        "%s is %d but must be %d for the fields that are given; leave it out"
                        % (name, content, content & ~known_bits[name] | masks[name])
                    )
            elif name in masks:
                content = masks[name]
            elif field.switch is not None:
                continue
            else:
                raise Rejected("%s, a field of %s, is missing" % (name, definition.name))
            fields.append((name, self._variant_of(field, content)))
        self.leave()
        return dt.Structure(tuple(fields))

    def _union(self, definition: dt.StructureDefinition, value: Dict[str, Any]) -> dt.Structure:
        """Read the one field of a union that is given, or none."""
        names = [field.name for field in definition.fields]
        given = [name for name in value if name != dt.SWITCH_FIELD or name in names]
        _only_fields(given, definition)
        if len(given) > 1:
            raise Rejected(
                "%s takes one of its fields, got %s" % (definition.name, ", ".join(given))
            )
        chosen = names.index(given[0]) + 1 if given else 0
        if dt.SWITCH_FIELD in value and dt.SWITCH_FIELD not in names:
            said = at("." + dt.SWITCH_FIELD, read_integer, dt.UINT32, value[dt.SWITCH_FIELD])
            if said != chosen:
                raise Rejected(
                    "%s is %d but must be %d for the field that is given; leave it out"
                    % (dt.SWITCH_FIELD, said, chosen)
                )
        fields = [(dt.SWITCH_FIELD, dt.Variant(dt.UINT32, chosen))]
        self.enter()
        for field in definition.fields[chosen - 1 : chosen]:
            content = at("." + field.name, self._field, field, value[field.name])
            fields.append((field.name, self._variant_of(field, content)))
        self.leave()
        return dt.Structure(tuple(fields))

    def _field(self, field: dt.FieldDefinition, value: Any) -> Any:
        read: Callable[[Any], Any]
        if field.structure is None:
            read = self.read(field.type, field.names)
        else:
            read = partial(self._structure, field.structure)
        if not field.is_array:
            return read(value)
        if value is None:
            return None
        if value != "" and not isinstance(value, list):
            raise Rejected(
                "expected an array of %s, got %s" % (dt.TYPE_NAMES[field.type], shown(value))
            )
        if field.dimensions > 1:
            return self._matrix(read, value or [], field.dimensions)
        return self.items(read, value)

    def _matrix(
        self, read: Callable[[Any], Any], rows: Any, dimensions: int
    ) -> Tuple[List[Any], Tuple[int, ...]]:
        """The elements of nested arrays, and how many there are in each dimension."""
        if not isinstance(rows, list):
            raise Rejected("expected an array, got %s" % shown(rows))
        if dimensions == 1:
            return self.items(read, rows), (len(rows),)
        found = self.items(lambda row: self._matrix(read, row, dimensions - 1), rows)
        shapes = {shape for _items, shape in found} or {(0,) * (dimensions - 1)}
        if len(shapes) > 1:
            raise Rejected("expected a matrix, whose rows are equally long")
        return [each for items, _shape in found for each in items], (len(rows), *shapes.pop())

    @staticmethod
    def _variant_of(field: dt.FieldDefinition, content: Any) -> dt.Variant:
        if field.dimensions == 1:
            return dt.Variant(field.type, content, field.is_array)
        items, sizes = content or ([], (0,) * field.dimensions)
        return dt.Variant(field.type, items, True, sizes)


_NODE_IDS: Dict[int, Callable[[_Reader, Any], Any]] = {
    dt.NODEID: _Reader._node_id,
    dt.EXPANDEDNODEID: _Reader._expanded_node_id,
}
#: For each type that is written as an object: the empty value, the allowed members (none: the
#: function checks them itself), and the function that reads it.
_OBJECTS: Dict[int, Tuple[Any, Sequence[str], Callable[[_Reader, Any], Any]]] = {
    dt.QUALIFIEDNAME: (
        dt.QualifiedName(0, None),
        ("Name", "Uri", "NamespaceIndex"),
        _Reader._qualified_name,
    ),
    dt.LOCALIZEDTEXT: (dt.LocalizedText(None, None), ("Locale", "Text"), _Reader._localized_text),
    dt.EXTENSIONOBJECT: (None, ("TypeId", "Encoding", "Body"), _Reader._extension_object),
    dt.DATAVALUE: (dt.DataValue(None), (), _Reader._data_value),
    dt.VARIANT: (None, (), _Reader._variant),
    dt.DIAGNOSTICINFO: (dt.DiagnosticInfo(), (*DIAGNOSTIC_MEMBERS,), _Reader._diagnostic_info),
}


def _only_fields(members: Iterable[str], definition: dt.StructureDefinition) -> None:
    names = [field.name for field in definition.fields]
    for member in members:
        if member not in names:
            raise Rejected(
                "unknown member %s; the fields of %s are %s"
                % (shown(member), definition.name, ", ".join(names))
            )


def _enumeration(read: Callable[[Any], Any], names: dt.Enumeration, value: Any) -> Any:
    """A value of an enumeration, by name or number.  Text that looks like a number is one."""
    if not isinstance(value, str) or not value or WHOLE.fullmatch(value):
        return read(value)
    number = names.get(value)
    if number is None:
        raise Rejected(
            "expected one of %s, or its number, got %s" % (", ".join(names), shown(value)),
            "BadOutOfRange",
        )
    return read(number)


def _is_any_scalar(expected: dt.ValueType, body: Any) -> bool:
    """Whether *body* is a scalar of a variable that accepts any type, so its type is unknown."""
    return expected.type == dt.VARIANT and not expected.is_array and not isinstance(body, list)


def _dimensions(value: Any) -> Optional[Tuple[int, ...]]:
    if value in (None, "", []):
        return None
    if not isinstance(value, list):
        raise Rejected("expected an array of numbers such as [2, 3], got %s" % shown(value))
    return tuple(at("[%d]" % index, _size, size) for index, size in enumerate(value))


def _fit(dimensions: Tuple[int, ...], length: int) -> None:
    product = 1
    for size in dimensions:
        product *= size
    if product != length:
        raise Rejected(
            "a matrix of %s has %d elements, but Body has %d"
            % (" x ".join(map(str, dimensions)), product, length)
        )


def _given(value: Dict[str, Any], member: str) -> Any:
    """The *member* of *value*; 0 if it is null or absent."""
    given = value.get(member)
    return 0 if given is None else given


def _up_to(most: int, words: str, status: str, type_id: int, value: Any) -> int:
    """A number from 0 to *most*, which *words* describe; other numbers of the type get *status*."""
    number = read_integer(type_id, value)
    if not 0 <= number <= most:
        raise Rejected("expected %s, got %d" % (words, number), status)
    return number


_size = partial(_up_to, 2**31 - 1, "a size of 0 or more", "BadOutOfRange", dt.INT32)
#: In units of 10 ps, within the 100 ns of a tick (OPC 10000-4 7.11.3).
_picoseconds = partial(_up_to, 9999, "0 to 9999 units of 10 ps", "BadOutOfRange", dt.UINT16)
_ID_TYPES = "0 (number), 1 (string), 2 (Guid) or 3 (base64)"
_id_type = partial(_up_to, 3, _ID_TYPES, "BadTypeMismatch", dt.INT32)
_ENCODINGS = "1 (binary, base64) or 2 (XML)"
_encoding = partial(_up_to, 2, _ENCODINGS, "BadTypeMismatch", dt.INT32)
