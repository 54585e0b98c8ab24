"""The fields of a DataSetMessage as JSON, and back (OPC 10000-14 7.2.5.4, OPC 10000-6 5.4.2).

Each is a DataValue with value, status and SourceTimestamp, in one of these encodings:

    reversible   as in 1.04: ``{"Value":{"Type":11,"Body":1.5}}``
    verbose      as in 1.05: ``{"Value":1.5}``; the type is in the metadata, or else in ``UaType``
    compact      as in 1.05, without what a program does not need: ``{"UaType":11,"Value":1.5}``

NodeIds are texts in all of them, as in 1.05, and a structure is an object of its fields.

Pure.
"""

import re
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import unquote

from ..model import status_codes
from ..model.data_types import (
    EXTENSIONOBJECT,
    INT32,
    LOCALIZEDTEXT,
    QUALIFIEDNAME,
    TYPE_IDS,
    DataValue,
    ExtensionObject,
    QualifiedName,
    Structure,
    ValueType,
    Variant,
)
from ..wire import values_from_json, values_to_json
from ..wire.timestamps import parse_timestamp, timestamp_text
from ..wire.values_from_json import Definitions
from ..wire.values_to_json import TYPED

REVERSIBLE, VERBOSE, COMPACT, RAW = "reversible", "verbose", "compact", "raw"


def field_text(
    encoding: str, value: DataValue, namespaces: Sequence[str], known_type: int = 0
) -> str:
    """The JSON text of *value*; *namespaces* is the NamespaceArray for its indexes, *known_type*
    the built-in type in the metadata."""
    members: List[str] = []
    variant = value.value
    if encoding == REVERSIBLE:
        if variant is not None:
            members.append('"Value":' + values_to_json.value_text(variant, namespaces, TYPED))
        if value.status:
            members.append('"Status":%d' % value.status)
    else:
        if variant is not None:
            if encoding == COMPACT or variant.type != known_type:
                members.append('"UaType":%d' % variant.type)
            members.append('"Value":' + _body_text(variant, namespaces))
            if variant.dimensions is not None:
                members.append('"Dimensions":[%s]' % ",".join(map(str, variant.dimensions)))
        elif encoding == VERBOSE:
            members.append('"Value":null')
        if value.status:
            members.append('"Status":' + status_text(encoding, value.status))
    if value.source_timestamp > 0:
        members.append('"SourceTimestamp":"%s"' % timestamp_text(value.source_timestamp))
    return "{%s}" % ",".join(members)


def status_text(encoding: str, status: int) -> str:
    """A StatusCode other than Good (OPC 10000-6 5.4.2.12)."""
    if encoding == COMPACT:
        return '{"Code":%d}' % status
    return '{"Code":%d,"Symbol":"%s"}' % (status, status_codes.name(status))


def value_alone(value: DataValue, namespaces: Sequence[str]) -> str:
    """The JSON text of the value alone; ``""`` if there is no value."""
    if value.value is None or status_codes.is_bad(value.status):
        return ""
    return _body_text(value.value, namespaces)


def _body_text(variant: Variant, namespaces: Sequence[str]) -> str:
    value = variant.value
    if variant.type == QUALIFIEDNAME:
        names = value if variant.is_array else [value]
        texts = [quote(_name_text(each, namespaces)) for each in names or ()]
        return "[%s]" % ",".join(texts) if variant.is_array else texts[0]
    if variant.type == EXTENSIONOBJECT:
        value = list(map(_fields, value or ())) if variant.is_array else _fields(value)
        variant = variant._replace(value=value)
    return values_to_json.body_text(variant, namespaces, TYPED)


def _name_text(name: QualifiedName, namespaces: Sequence[str]) -> str:
    """*name* as text (OPC 10000-6 5.1.12)."""
    if not name.namespace:
        return name.name or ""
    if name.namespace >= len(namespaces):
        return "%d:%s" % (name.namespace, name.name or "")
    uri = namespaces[name.namespace].replace("%", "%25").replace(";", "%3B")
    return "nsu=%s;%s" % (uri, name.name or "")


def _fields(value: Any) -> Any:
    decoded = isinstance(value, ExtensionObject) and isinstance(value.body, Structure)
    return value.body if decoded else value


class Field(NamedTuple):
    """A field as it was sent: ``type`` is 0 if the message does not have it, ``body`` is JSON."""

    type: int
    body: Any
    dimensions: Optional[Tuple[int, ...]] = None
    status: int = 0
    source_timestamp: int = 0
    server_timestamp: int = 0


#: Members of a DataValue.  OPC Publisher, node-opcua and, until July 2026, the OPC Foundation's
#: stack for .NET write StatusCode for Status.
_MEMBERS = {"Value", "Status", "StatusCode", "SourceTimestamp", "ServerTimestamp", "UaType"}


def read_field(data: Any) -> Field:
    """The field in *data*, parsed JSON: a DataValue or a Variant of any encoding, or a value
    alone.  Raises :exc:`ValueError`."""
    if not isinstance(data, dict):
        return Field(0, data)
    if "Body" in data and "Type" in data:  # a Variant of 1.04
        return Field(_type_id(data["Type"]), data["Body"], _dimensions(data.get("Dimensions")))
    if not _MEMBERS & set(data):
        return Field(0, data) if data else Field(0, None)
    inner: Mapping[str, Any] = data
    type_id, body = data.get("UaType", 0), data.get("Value")
    if isinstance(body, dict) and "Body" in body and "Type" in body and "UaType" not in data:
        inner, type_id, body = body, body["Type"], body["Body"]
    return Field(
        _type_id(type_id),
        body,
        _dimensions(inner.get("Dimensions")),
        read_status(data.get("Status", data.get("StatusCode"))),
        _ticks(data.get("SourceTimestamp")),
        _ticks(data.get("ServerTimestamp")),
    )


def read_status(data: Any) -> int:
    """A StatusCode of any encoding; a missing one is Good.  Raises :exc:`ValueError`."""
    if isinstance(data, dict):
        data = data.get("Code", 0)
    if data is None:
        return 0
    if not isinstance(data, int) or isinstance(data, bool) or not 0 <= data <= 0xFFFFFFFF:
        raise ValueError("expected a StatusCode, got %s" % values_from_json.shown(data))
    return data


def _ticks(data: Any) -> int:
    if data is None:
        return 0
    if not isinstance(data, str):
        raise ValueError("expected a time, got %s" % values_from_json.shown(data))
    return parse_timestamp(data)


def _type_id(data: Any) -> int:
    return TYPE_IDS.get(data) or int(data)  # OPC Publisher writes names


def _dimensions(data: Any) -> Optional[Tuple[int, ...]]:
    return None if data is None else tuple(map(int, data))


def data_value(
    field: Field,
    known: ValueType,
    namespaces: Sequence[str],
    definitions: Optional[Definitions] = None,
) -> DataValue:
    """*field* as a DataValue; *known* is its type in the metadata.

    Raises :exc:`~opcws.model.errors.ValueRejected` if it does not fit.
    """
    value: Optional[Variant] = None
    if field.body is not None:
        type_id = field.type or known.type
        written = {"Type": type_id, "Body": _from_texts(type_id, field.body)}
        if field.dimensions is not None:
            written["Dimensions"] = list(field.dimensions)
        value = values_from_json.written_value(written, known, namespaces, definitions).value
    return DataValue(value, field.status, field.source_timestamp, field.server_timestamp)


def _from_texts(type_id: int, body: Any) -> Any:
    """*body*, with objects or numbers instead of the texts of an encoding."""
    read = _TEXTS.get(type_id)
    if read is None:
        return body
    if isinstance(body, list):
        return [_from_texts(type_id, each) for each in body]
    return read(body) if isinstance(body, str) else body


def _enumeration(text: str) -> Any:
    found = re.fullmatch("(?:.*_)?(-?[0-9]{1,10})", text, re.DOTALL)
    return int(found.group(1)) if found else text


def _qualified_name(text: str) -> Any:
    found = re.fullmatch("nsu=([^;]*);(.*)", text, re.DOTALL)
    return {"Uri": unquote(found.group(1)), "Name": found.group(2)} if found else {"Name": text}


#: An enumeration is ``Name_Value`` in the verbose encoding and in the non-reversible one of 1.04; a
#: LocalizedText is its text in the latter; a QualifiedName is a text in 1.05 (OPC 10000-6 5.4.2,
#: 5.4.4).
_TEXTS: Dict[int, Callable[[str], Any]] = {
    INT32: _enumeration,
    QUALIFIEDNAME: _qualified_name,
    LOCALIZEDTEXT: lambda text: {"Text": text},
}
