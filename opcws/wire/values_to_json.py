"""DataValue and Variant as JSON text (PROTOCOL section 3; the way back is ``values_from_json``).

What the protocol leaves open follows OPC 10000-6 5.4.2 (JSON, reversible form of 1.04).  The text
is assembled from prepared pieces, because this runs once for every value of every monitored
variable.  Each dialect has one table from built-in type to the function that writes a body.  All
text is ASCII, so a lone surrogate from a plant stays legal UTF-8.

Pure.
"""

import base64
import binascii
import uuid
from functools import partial
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from ..model import data_types as dt
from ..model import status_codes
from ..model.data_types import format_node_id, uri_of_namespace
from .floats import float32_text
from .timestamps import timestamp_text
from .values_from_json import DIAGNOSTIC_MEMBERS

#: The scalar dialects.
TYPED = "typed"
STRING = "string"

Namespaces = Sequence[str]
Write = Callable[[Any], str]
WriteNested = Callable[[Any, Namespaces, str], str]

_NULL = {TYPED: "null", STRING: '""'}
_NON_FINITE = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}

_in_quotes = '"{}"'.format


def _typed_double(number: float) -> str:
    text = repr(number)
    return _NON_FINITE[text] if text[-1] in "fn" else text


def _typed_float(number: float) -> str:
    text = float32_text(number)
    return _NON_FINITE[text] if text[-1] in "fn" else text


def _string_float(text_of: Callable[[float], str], number: float) -> str:
    text = text_of(number)
    return '"%s"' % (text[:-2] if text[-2:] == ".0" else text)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _text(null: str, text: Optional[str]) -> str:
    return null if text is None else quote(text)


def _base64(null: str, raw: Optional[bytes]) -> str:
    return null if raw is None else '"%s"' % binascii.b2a_base64(raw, newline=False).decode()


def _object(members: Sequence[Tuple[str, Optional[str]]], dialect: str) -> str:
    """A JSON object of the members that have a text."""
    inner = ",".join(['"%s":%s' % member for member in members if member[1] is not None])
    return "{%s}" % inner if inner or dialect == TYPED else '""'


def _number(value: int, dialect: str) -> str:
    return str(value) if dialect == TYPED else '"%d"' % value


def _node_id_text(node_id: dt.NodeId, namespaces: Namespaces, dialect: str) -> str:
    if dialect == TYPED:
        # An index of another server has no meaning in the NamespaceArray of this one.
        return quote(format_node_id(node_id, () if node_id.server_index else namespaces))
    index, identifier, uri, server = node_id
    if uri in namespaces and not server:
        index, uri = namespaces.index(uri), None
    kind = "0123"[[int, str, uuid.UUID, bytes].index(type(identifier))]
    if isinstance(identifier, bytes):
        identifier = base64.b64encode(identifier).decode()
    members = [
        ("IdType", '"%s"' % kind),
        ("Id", quote(str(identifier))),
        ("Namespace", '"%d"' % index if uri is None else quote(uri)),
        ("ServerUri", '"%d"' % server if server else None),
    ]
    return _object(members, dialect)


def _status_text(status: int, namespaces: Namespaces, dialect: str) -> str:
    return '{"Code":%s,"Symbol":"%s"}' % (_number(status, dialect), status_codes.name(status))


def _qualified_name_text(name: dt.QualifiedName, namespaces: Namespaces, dialect: str) -> str:
    uri = index = None
    if dialect == STRING:
        index = _number(name.namespace, dialect)
        uri = index if name.namespace else None
    elif name.namespace:
        known = uri_of_namespace(name.namespace, namespaces)
        uri = _number(name.namespace, dialect) if known is None else quote(known)
    members = [("Name", _member(name.name, dialect)), ("Uri", uri), ("NamespaceIndex", index)]
    return _object(members, dialect)


def _member(text: Optional[str], dialect: str) -> Optional[str]:
    """A null text is left out, except in the string dialect, whose clients expect the member."""
    return '""' if text is None and dialect == STRING else _optional(text)


def _optional(text: Optional[str]) -> Optional[str]:
    return None if text is None else quote(text)


def _localized_text_text(text: dt.LocalizedText, namespaces: Namespaces, dialect: str) -> str:
    members = [("Locale", _member(text.locale, dialect)), ("Text", _member(text.text, dialect))]
    return _object(members, dialect)


def _extension_object_text(
    value: Union[dt.ExtensionObject, dt.Structure, None], namespaces: Namespaces, dialect: str
) -> str:
    if value is None:
        return _NULL[dialect]
    if isinstance(value, dt.Structure):
        fields = [
            (quote(name)[1:-1], _field_text(field, namespaces, dialect))
            for name, field in value.fields
        ]
        return _object(fields, dialect)
    encoding = body = None
    if isinstance(value.body, dt.Structure):
        body = _extension_object_text(value.body, namespaces, dialect)
    elif value.body is not None:
        is_xml = isinstance(value.body, str)
        encoding = _number(2 if is_xml else 1, dialect)
        body = quote(value.body) if isinstance(value.body, str) else _base64("", value.body)
    type_id = _node_id_text(value.type_id, namespaces, dialect)
    return _object([("TypeId", type_id), ("Encoding", encoding), ("Body", body)], dialect)


def _data_value_text(value: dt.DataValue, namespaces: Namespaces, dialect: str) -> str:
    members = data_value_members(value, namespaces, dialect)
    return "{%s}" % members if members or dialect == TYPED else '""'


def _variant_text(value: Optional[dt.Variant], namespaces: Namespaces, dialect: str) -> str:
    return _NULL[dialect] if value is None else value_text(value, namespaces, dialect)


def _diagnostic_info_text(info: dt.DiagnosticInfo, namespaces: Namespaces, dialect: str) -> str:
    members: List[Tuple[str, Optional[str]]] = []
    # The compiler for Python 3.8 cannot loop over a NamedTuple.
    for name, value in zip(DIAGNOSTIC_MEMBERS, tuple(info)):
        if value is None or isinstance(value, str):
            text = _optional(value)
        elif isinstance(value, int):
            text = _number(value, dialect)
        else:
            text = _diagnostic_info_text(value, namespaces, dialect)
        members.append((name, text))
    return _object(members, dialect)


#: By type, the functions that need no namespaces to write a body ...
_PLAIN: Dict[str, Dict[int, Write]] = {
    TYPED: {
        dt.BOOLEAN: _boolean,
        **dict.fromkeys(dt.INTEGER_RANGES, str),
        dt.INT64: _in_quotes,
        dt.UINT64: _in_quotes,
        dt.FLOAT: _typed_float,
        dt.DOUBLE: _typed_double,
    },
    STRING: {
        dt.BOOLEAN: lambda value: '"true"' if value else '"false"',
        **dict.fromkeys(dt.INTEGER_RANGES, _in_quotes),
        dt.FLOAT: partial(_string_float, float32_text),
        dt.DOUBLE: partial(_string_float, repr),
    },
}
for _dialect, _null in _NULL.items():
    _PLAIN[_dialect].update(
        {
            dt.STRING: partial(_text, _null),
            dt.DATETIME: lambda ticks: '"%s"' % timestamp_text(ticks),
            dt.GUID: _in_quotes,
            dt.BYTESTRING: partial(_base64, _null),
            dt.XMLELEMENT: partial(_text, _null),
        }
    )
#: ... and those for the other types.
_NESTED: Dict[int, WriteNested] = {
    dt.NODEID: _node_id_text,
    dt.EXPANDEDNODEID: _node_id_text,
    dt.STATUSCODE: _status_text,
    dt.QUALIFIEDNAME: _qualified_name_text,
    dt.LOCALIZEDTEXT: _localized_text_text,
    dt.EXTENSIONOBJECT: _extension_object_text,
    dt.DATAVALUE: _data_value_text,
    dt.VARIANT: _variant_text,
    dt.DIAGNOSTICINFO: _diagnostic_info_text,
}
_TYPE_MEMBER = {
    TYPED: {type_id: '{"Type":%d,"Body":' % type_id for type_id in dt.TYPE_NAMES},
    STRING: {type_id: '{"Type":"%d","Body":' % type_id for type_id in dt.TYPE_NAMES},
}
#: By dialect and type: the text before a scalar of a DataValue, and the function for the scalar.
SCALAR_MEMBER: Dict[str, Dict[int, Tuple[str, Write]]] = {
    dialect: {
        type_id: ('"Value":' + _TYPE_MEMBER[dialect][type_id], write)
        for type_id, write in plain.items()
    }
    for dialect, plain in _PLAIN.items()
}


def double_text(number: float, dialect: str) -> str:
    """A Double as JSON text in *dialect*."""
    return _PLAIN[dialect][dt.DOUBLE](number)


def body_text(variant: dt.Variant, namespaces: Namespaces, dialect: str) -> str:
    """The JSON text of the Body of :func:`value_text`."""
    type_id, value, is_array, _ = variant
    write = _PLAIN[dialect].get(type_id)
    if write is None:
        nested = _NESTED[type_id]
        if not is_array:
            return nested(value, namespaces, dialect)
        texts = [nested(item, namespaces, dialect) for item in value or ()]
    elif not is_array:
        return write(value)
    else:
        texts = list(map(write, value or ()))
    if value is None or (not texts and dialect == STRING):
        return _NULL[dialect]
    return "[%s]" % ",".join(texts)


def _field_text(field: dt.Variant, namespaces: Namespaces, dialect: str) -> str:
    """A field of a structure; a matrix becomes nested arrays, the outermost dimension first (OPC
    10000-6 5.4.5)."""
    if not field.dimensions:
        return body_text(field, namespaces, dialect)
    rows = [field._replace(value=[each], dimensions=None) for each in field.value or ()]
    texts = [body_text(row, namespaces, dialect)[1:-1] for row in rows]
    for size in reversed(field.dimensions[1:]):
        rows_of = range(0, len(texts), size) if size else range(0)
        texts = ["[%s]" % ",".join(texts[start : start + size]) for start in rows_of]
    return "[%s]" % ",".join(texts) if texts or dialect == TYPED else _NULL[dialect]


def value_text(variant: dt.Variant, namespaces: Namespaces, dialect: str) -> str:
    """The JSON text ``{"Type":..,"Body":..,"Dimensions":..}`` of a Variant (OPC 10000-6 5.4.2.17).

    *namespaces* is the OPC UA server's NamespaceArray.
    """
    text = _TYPE_MEMBER[dialect][variant.type] + body_text(variant, namespaces, dialect)
    if variant.dimensions is not None:
        sizes = ",".join([_number(size, dialect) for size in variant.dimensions])
        text += ',"Dimensions":[%s]' % sizes
    return text + "}"


def status_members(status: int, dialect: str) -> str:
    """``"Status"`` and ``"Symbol"`` of a status that is not plain Good; ``""`` for Good."""
    if not status:
        return ""
    return '"Status":%s,"Symbol":"%s"' % (_number(status, dialect), status_codes.name(status))


def data_value_members(
    dv: dt.DataValue, namespaces: Namespaces, dialect: str, *, reason: Optional[str] = None
) -> str:
    """The JSON text of the members of *dv* without the braces (OPC 10000-6 5.4.2.18); ``""`` if
    there are none.

    *namespaces* is the OPC UA server's NamespaceArray, *dialect* :data:`TYPED` or
    :data:`STRING`.  *reason* replaces the sentence of :func:`opcws.model.status_codes.reason` for a
    Bad status.
    """
    variant, status, source, server, source_pico, server_pico = dv
    text = ""
    if variant is not None:
        scalar = None if variant.is_array else SCALAR_MEMBER[dialect].get(variant.type)
        if scalar is not None:
            head, write = scalar
            text = "%s%s}," % (head, write(variant.value))
        else:
            text = '"Value":%s,' % value_text(variant, namespaces, dialect)
    if status:
        name = status_codes.name(status)
        text += status_members(status, dialect) + ","
    if source > 0:
        text += '"SourceTimestamp":"%s",' % timestamp_text(source)
    if source_pico:
        text += '"SourcePicoseconds":%s,' % _number(source_pico, dialect)
    if server > 0:
        text += '"ServerTimestamp":"%s",' % timestamp_text(server)
    if server_pico:
        text += '"ServerPicoseconds":%s,' % _number(server_pico, dialect)
    if status and status_codes.is_bad(status):
        why = quote(status_codes.reason(status) if reason is None else reason)
        text += '"StatusCode":"%s","Reason":%s,' % (name, why)
    return text[:-1]


def historical_members(dv: dt.DataValue, namespaces: Namespaces, dialect: str) -> str:
    """:func:`data_value_members` of a historical value that is sent to a monitor."""
    members = data_value_members(dv, namespaces, dialect)
    flag = '"Historical":%s' % ("true" if dialect == TYPED else '"true"')
    return "%s,%s" % (members, flag) if members else flag
