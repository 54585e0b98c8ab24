"""The value that a client writes: JSON to DataValue (PROTOCOL section 3, input).

Pure.  The forms of both dialects are taken, leniently, but no value is ever changed: what does
not fit is rejected with

    BadTypeMismatch   another kind of thing: a boolean for a number, a fraction for an integer,
                      an array for a scalar, an unknown member
    BadOutOfRange     the right kind of thing, but too large, too fine, or not to be found

and a sentence with the JSON path, the expected type and what came.  A reader raises
:exc:`Rejected` where it stands; each level that the exception passes on its way up adds its
step, so that paths cost nothing as long as nothing is wrong.
"""

from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ..model.data_types import (
    DATAVALUE,
    DIAGNOSTICINFO,
    EXPANDEDNODEID,
    EXTENSIONOBJECT,
    INT32,
    LOCALIZEDTEXT,
    NODEID,
    NULL_NODE_ID,
    QUALIFIEDNAME,
    STATUSCODE,
    STRING,
    TYPE_NAMES,
    UINT16,
    UINT32,
    VARIANT,
    XMLELEMENT,
    DataValue,
    DiagnosticInfo,
    Enumeration,
    ExtensionObject,
    LocalizedText,
    NodeId,
    QualifiedName,
    StructureDefinition,
    ValueType,
    Variant,
    parse_node_id,
    resolve_node_id,
)
from ..model.errors import ValueRejected
from .fields import read_structure
from .timestamps import (
    EXPECTED,
    NEVER_NULL,
    PLAIN,
    WHOLE,
    Rejected,
    at,
    check_symbol,
    only_members,
    read_byte_string,
    read_date_time,
    read_integer,
    read_status_code,
    read_string,
    read_type_id,
    shown,
    wrong,
)

#: The definition of the structure whose ExtensionObject has the TypeId, if it is known.
Definitions = Callable[[NodeId], Optional[StructureDefinition]]

#: How deep DataValues, Variants and structures may lie in one another.
MAX_NESTING = 32
#: Longest reason, in characters.
MAX_REASON = 400

#: OPC 10000-6 5.4.2.13, in the order of the members of DiagnosticInfo, with their types.
DIAGNOSTIC_MEMBERS = {
    "SymbolicId": INT32,
    "NamespaceUri": INT32,
    "LocalizedText": INT32,
    "Locale": INT32,
    "AdditionalInfo": STRING,
    "InnerStatusCode": STATUSCODE,
    "InnerDiagnosticInfo": DIAGNOSTICINFO,
}
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
    expected: ValueType,
    namespaces: Sequence[str],
    definitions: Optional[Definitions] = None,
    name: str = "Value",
) -> DataValue:
    """The DataValue that *value*, the ``Value`` member of a WRITE, asks to write.

    *value* is parsed JSON: a DataValue object, a short ``{"Type", "Body"}``, or a bare scalar
    or array.  With ``Type`` it becomes what the client says, whatever *expected*, the
    variable's type, is.  *namespaces* is the OPC UA server's NamespaceArray, *definitions*
    knows the structures that can be written field by field, *name* is where *value* lies in
    the body.  Status and timestamps are 0 if *value* has none.

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


class _Reader:
    """Reads one written value."""

    def __init__(self, namespaces: Sequence[str], definitions: Optional[Definitions]) -> None:
        self._namespaces = namespaces
        self._definitions = definitions
        self._depth = 0

    # --- Variant and DataValue ---

    def written(self, value: Any, expected: ValueType) -> DataValue:
        if isinstance(value, dict):
            if value and not ("Type" in value or "Body" in value or "Dimensions" in value):
                return self._data_value_members(value, expected)
        return DataValue(self._value(value, expected))

    def _value(self, value: Any, expected: ValueType) -> Optional[Variant]:
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

    def _variant_members(self, value: Dict[str, Any], expected: ValueType) -> Optional[Variant]:
        only_members(value, _VARIANT_MEMBERS, VARIANT)
        shape = expected.is_array
        type_id = expected.type
        if value.get("Type", "") not in ("", None):
            type_id = at(".Type", read_type_id, value["Type"])
            shape = None  # as the client says; the OPC UA server judges
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
        names: Optional[Enumeration] = None,
    ) -> Variant:
        """*shape*: must be an array, must not, or may (``None``); *empty_is_array*: ``null``
        and ``""`` mean an array."""
        read = self.read(type_id, names)
        if isinstance(body, list) or (empty_is_array and body in (None, "")):
            if shape is False:
                raise Rejected(
                    "expected one %s, not an array, got %s" % (TYPE_NAMES[type_id], shown(body))
                )
            items = None if body is None else at(step, self.items, read, body)
            if dimensions is not None:
                at(".Dimensions", _fit, dimensions, len(items or ()))
                # One dimension says no more than the length of the array does.
                dimensions = dimensions if len(dimensions) > 1 else None
            return Variant(type_id, items, True, dimensions)
        if shape is True:
            raise Rejected("expected an array of %s, got %s" % (TYPE_NAMES[type_id], shown(body)))
        if dimensions is not None:
            raise Rejected("expected an array beside Dimensions, got %s" % shown(body))
        return Variant(type_id, at(step, read, body))

    def read(self, type_id: int, names: Optional[Enumeration] = None) -> Callable[[Any], Any]:
        if names:
            return partial(_enumeration, PLAIN[type_id], names)
        read = PLAIN.get(type_id)
        return partial(_NESTED[type_id], self) if read is None else read

    def items(self, read: Callable[[Any], Any], values: Sequence[Any]) -> List[Any]:
        items: List[Any] = []
        try:
            for value in values:
                items.append(read(value))
        except Rejected as rejected:
            rejected.steps.append("[%d]" % len(items))
            if isinstance(value, list):
                raise _append(rejected, "; a matrix is the flat array plus Dimensions") from None
            raise
        return items

    def _data_value_members(self, value: Dict[str, Any], expected: ValueType) -> DataValue:
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
                return DataValue(variant)
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
        return DataValue(variant, status, *times)

    def enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise Rejected(
                "values lie more than %d deep in one another" % MAX_NESTING, "BadOutOfRange"
            )

    def leave(self) -> None:
        self._depth -= 1

    def _variant(self, value: Any) -> Optional[Variant]:
        if value is None or value == "":
            return None
        if not isinstance(value, dict):
            wrong(VARIANT, value)
        self.enter()
        unknown = ValueType()
        body = value.get("Body", 0)
        if body is None or body == "":
            # What has no null or empty scalar can only be a null or empty array.
            type_id = at(".Type", read_type_id, value.get("Type"))
            unknown = ValueType(0, True if type_id in NEVER_NULL else None)
        variant = self._variant_members(value, unknown)
        self.leave()
        return variant

    def _data_value(self, value: Any) -> DataValue:
        if value is None or value == "":
            return DataValue(None)
        if not isinstance(value, dict):
            wrong(DATAVALUE, value)
        self.enter()
        members = dict(value)
        variant = at(".Value", self._variant, members.pop("Value", None))
        data_value = self._data_value_members(members, ValueType())._replace(value=variant)
        self.leave()
        return data_value

    # --- names and ids ---

    def _node_id(self, value: Any) -> NodeId:
        node_id = self._any_node_id(NODEID, value)
        if node_id.server_index:
            wrong(NODEID, value)
        try:
            return resolve_node_id(node_id, self._namespaces)
        except LookupError as error:
            raise Rejected(str(error), "BadOutOfRange") from None

    def _expanded_node_id(self, value: Any) -> NodeId:
        node_id = self._any_node_id(EXPANDEDNODEID, value)
        if node_id.server_index or node_id.namespace_uri not in self._namespaces:
            return node_id
        return resolve_node_id(node_id, self._namespaces)

    def _any_node_id(self, type_id: int, value: Any) -> NodeId:
        if value is None:
            return NULL_NODE_ID
        if isinstance(value, dict):
            only_members(value, ("IdType", "Id", "Namespace", "ServerUri"), type_id)
            kind = "isgb"[at(".IdType", _id_type, value.get("IdType", 0))]
            identifier = value.get("Id")
            if isinstance(identifier, bool) or not isinstance(identifier, (int, str)):
                wrong(type_id, value)
            text = "%s=%s" % (kind, identifier)
            namespace = value.get("Namespace", 0)
            if isinstance(namespace, str) and not WHOLE.fullmatch(namespace):
                uri = namespace.replace("%", "%25").replace(";", "%3B")
                text = "nsu=%s;%s" % (uri, text)
            else:
                text = "ns=%d;%s" % (at(".Namespace", read_integer, UINT16, namespace), text)
            if value.get("ServerUri"):
                server = at(".ServerUri", read_integer, UINT32, value["ServerUri"])
                text = "svr=%d;%s" % (server, text)
        else:
            text = value
        if not isinstance(read_string(type_id, text), str):
            wrong(type_id, value)
        try:
            return parse_node_id(text)
        except ValueError as error:
            raise Rejected(str(error)) from None

    def _qualified_name(self, value: Any) -> QualifiedName:
        if value is None or value == "":
            return QualifiedName(0, None)
        if not isinstance(value, dict):
            wrong(QUALIFIEDNAME, value)
        only_members(value, ("Name", "Uri"), QUALIFIEDNAME)
        name = at(".Name", read_string, STRING, value.get("Name"))
        return QualifiedName(at(".Uri", self._namespace, value.get("Uri")), name)

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
        return read_integer(UINT16, value)

    def _localized_text(self, value: Any) -> LocalizedText:
        if value is None or value == "":
            return LocalizedText(None, None)
        if not isinstance(value, dict):
            wrong(LOCALIZEDTEXT, value)
        only_members(value, ("Locale", "Text"), LOCALIZEDTEXT)
        return LocalizedText(
            at(".Locale", read_string, STRING, value.get("Locale")),
            at(".Text", read_string, STRING, value.get("Text")),
        )

    def _diagnostic_info(self, value: Any) -> DiagnosticInfo:
        if value is None or value == "":
            return DiagnosticInfo()
        if not isinstance(value, dict):
            wrong(DIAGNOSTICINFO, value)
        only_members(value, tuple(DIAGNOSTIC_MEMBERS), DIAGNOSTICINFO)
        self.enter()
        members: List[Any] = []
        for name, type_id in DIAGNOSTIC_MEMBERS.items():
            member = value.get(name)
            read = self.read(type_id)
            members.append(None if member is None else at("." + name, read, member))
        self.leave()
        return DiagnosticInfo(*members)

    # --- structures ---

    def _extension_object(self, value: Any) -> Optional[ExtensionObject]:
        if value is None or value == "":
            return None
        if not isinstance(value, dict):
            wrong(EXTENSIONOBJECT, value)
        only_members(value, ("TypeId", "Encoding", "Body"), EXTENSIONOBJECT)
        if "TypeId" not in value:
            raise Rejected('"TypeId" is missing; expected ' + EXPECTED[EXTENSIONOBJECT])
        type_id = at(".TypeId", self._expanded_node_id, value["TypeId"])
        encoding = value.get("Encoding")
        encoding = 0 if encoding in (None, "") else at(".Encoding", _encoding, encoding)
        body = value.get("Body")
        if encoding == 0 and "Body" not in value:
            return ExtensionObject(type_id)
        if body is None:
            raise Rejected('"Body" is null or missing; expected ' + EXPECTED[EXTENSIONOBJECT])
        if encoding == 1:
            return ExtensionObject(type_id, at(".Body", read_byte_string, body))
        if encoding == 2:
            return ExtensionObject(type_id, at(".Body", read_string, XMLELEMENT, body))
        definition = None if self._definitions is None else self._definitions(type_id)
        if definition is None:
            raise Rejected(
                "the fields of this structure are not known here; send"
                ' {"TypeId": ..., "Encoding": 1, "Body": base64} of its binary encoding'
            )
        # A client may name the data type instead of its encoding.
        encoding_id = definition.type_id if definition.type_id.identifier else type_id
        return ExtensionObject(encoding_id, at(".Body", read_structure, self, definition, body))


_NESTED: Dict[int, Callable[[_Reader, Any], Any]] = {
    NODEID: _Reader._node_id,
    EXPANDEDNODEID: _Reader._expanded_node_id,
    QUALIFIEDNAME: _Reader._qualified_name,
    LOCALIZEDTEXT: _Reader._localized_text,
    EXTENSIONOBJECT: _Reader._extension_object,
    DATAVALUE: _Reader._data_value,
    VARIANT: _Reader._variant,
    DIAGNOSTICINFO: _Reader._diagnostic_info,
}


def _enumeration(read: Callable[[Any], Any], names: Enumeration, value: Any) -> Any:
    """A value of an enumeration, by name or number.  What looks like a number is one."""
    if not isinstance(value, str) or not value or WHOLE.fullmatch(value):
        return read(value)
    number = names.get(value)
    if number is None:
        raise Rejected(
            "expected one of %s, or its number, got %s" % (", ".join(names), shown(value)),
            "BadOutOfRange",
        )
    return read(number)


def _is_any_scalar(expected: ValueType, body: Any) -> bool:
    """*body* is a scalar of a variable that takes every type, so its type is not known."""
    return expected.type == VARIANT and not expected.is_array and not isinstance(body, list)


def _append(rejected: Rejected, hint: str) -> Rejected:
    longer = Rejected(str(rejected) + hint, rejected.status)
    longer.steps = rejected.steps
    return longer


def _dimensions(value: Any) -> Optional[Tuple[int, ...]]:
    if value in (None, "", []):
        return None
    if not isinstance(value, list):
        raise Rejected("expected an array of numbers such as [2, 3], got %s" % shown(value))
    return tuple(at("[%d]" % index, _size, size) for index, size in enumerate(value))


def _size(value: Any) -> int:
    size = read_integer(INT32, value)
    if size < 0:
        raise Rejected("expected a size of 0 or more, got %d" % size, "BadOutOfRange")
    return size


def _fit(dimensions: Tuple[int, ...], length: int) -> None:
    product = 1
    for size in dimensions:
        product *= size
    if product != length:
        raise Rejected(
            "a matrix of %s has %d elements, but Body has %d"
            % (" x ".join(map(str, dimensions)), product, length)
        )


def _picoseconds(value: Any) -> int:
    """Units of 10 ps within the 100 ns of a tick (OPC 10000-4 7.11.3)."""
    number = read_integer(UINT16, value)
    if number > 9999:
        raise Rejected("expected 0 to 9999 units of 10 ps, got %d" % number, "BadOutOfRange")
    return number


def _id_type(value: Any) -> int:
    number = read_integer(INT32, value)
    if not 0 <= number <= 3:
        raise Rejected("expected 0 (number), 1 (string), 2 (Guid) or 3 (base64), got %d" % number)
    return number


def _encoding(value: Any) -> int:
    number = read_integer(INT32, value)
    if not 0 <= number <= 2:
        raise Rejected("expected 1 (binary, base64) or 2 (XML), got %d" % number)
    return number
