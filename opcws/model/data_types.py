"""The values in opcws, as plain immutable Python data.

Both sides use these types: ``ua/encoding/codec.py`` converts them from and to OPC UA Binary,
``wire/values_to_json.py`` and ``values_from_json.py`` to and from JSON. This module uses neither
bytes nor JSON.

The built-in types (OPC 10000-6 5.1.2) are represented by:

===================  ==========================================================
Boolean              ``bool``
SByte ... UInt64     ``int``
Float, Double        ``float``
String, XmlElement   ``str`` or ``None``
DateTime             ``int``: ticks of 100 ns since 1601-01-01 UTC, 0 for "no time"
Guid                 ``uuid.UUID``
ByteString           ``bytes`` or ``None``
NodeId               :class:`NodeId` (ExpandedNodeId too, with its two more fields)
StatusCode           ``int``, all 32 bits
QualifiedName        :class:`QualifiedName`
LocalizedText        :class:`LocalizedText`
ExtensionObject      :class:`ExtensionObject`
DataValue, Variant   :class:`DataValue`, :class:`Variant`
DiagnosticInfo       :class:`DiagnosticInfo`
===================  ==========================================================
"""

import base64
import binascii
import re
import uuid
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple, Union
from urllib.parse import unquote

BOOLEAN = 1
SBYTE = 2
BYTE = 3
INT16 = 4
UINT16 = 5
INT32 = 6
UINT32 = 7
INT64 = 8
UINT64 = 9
FLOAT = 10
DOUBLE = 11
STRING = 12
DATETIME = 13
GUID = 14
BYTESTRING = 15
XMLELEMENT = 16
NODEID = 17
EXPANDEDNODEID = 18
STATUSCODE = 19
QUALIFIEDNAME = 20
LOCALIZEDTEXT = 21
EXTENSIONOBJECT = 22
DATAVALUE = 23
VARIANT = 24
DIAGNOSTICINFO = 25

#: Names of the built-in types by id, as OPC 10000-6 table 1 spells them.
TYPE_NAMES: Dict[int, str] = dict(
    enumerate(
        "Boolean SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64 Float Double String DateTime "
        "Guid ByteString XmlElement NodeId ExpandedNodeId StatusCode QualifiedName LocalizedText "
        "ExtensionObject DataValue Variant DiagnosticInfo".split(),
        BOOLEAN,
    )
)
TYPE_IDS: Dict[str, int] = {name: type_id for type_id, name in TYPE_NAMES.items()}

#: Inclusive limits of the integer types.
INTEGER_RANGES: Dict[int, Tuple[int, int]] = {
    SBYTE: (-(2**7), 2**7 - 1),
    BYTE: (0, 2**8 - 1),
    INT16: (-(2**15), 2**15 - 1),
    UINT16: (0, 2**16 - 1),
    INT32: (-(2**31), 2**31 - 1),
    UINT32: (0, 2**32 - 1),
    INT64: (-(2**63), 2**63 - 1),
    UINT64: (0, 2**64 - 1),
}

Identifier = Union[int, str, uuid.UUID, bytes]


class NodeId(NamedTuple):
    """A NodeId or ExpandedNodeId (OPC 10000-3 8.2, OPC 10000-6 5.2.2.9 and 5.2.2.10).

    ``namespace_uri``, if set, replaces the index.
    """

    namespace: int
    identifier: Identifier
    namespace_uri: Optional[str] = None
    server_index: int = 0


class QualifiedName(NamedTuple):
    """OPC 10000-3 8.3."""

    namespace: int
    name: Optional[str]


class LocalizedText(NamedTuple):
    """OPC 10000-3 8.5."""

    locale: Optional[str]
    text: Optional[str]


class Variant(NamedTuple):
    """OPC 10000-6 5.2.2.16.  For an array ``value`` is a list (flat, also for a matrix,
    whose ``dimensions`` are then given) or ``None`` for a null array."""

    type: int
    value: Any
    is_array: bool = False
    dimensions: Optional[Tuple[int, ...]] = None


class DataValue(NamedTuple):
    """OPC 10000-4 7.11.  ``value`` is ``None`` for no or a null Variant; timestamps are
    ticks of 100 ns since 1601-01-01 UTC (0: none), picoseconds units of 10 ps (OPC 10000-6
    5.2.2.17), status all 32 bits."""

    value: Optional[Variant]
    status: int = 0
    source_timestamp: int = 0
    server_timestamp: int = 0
    source_picoseconds: int = 0
    server_picoseconds: int = 0

    @property
    def moment(self) -> int:
        """The SourceTimestamp, or without one the ServerTimestamp."""
        return self.source_timestamp or self.server_timestamp


class Structure(NamedTuple):
    """The decoded fields of a structure, in order; each value is a Variant with its type.  A field
    that is itself a structure of fixed type holds a :class:`Structure`."""

    fields: Tuple[Tuple[str, Variant], ...]


class ExtensionObject(NamedTuple):
    """OPC 10000-6 5.2.2.15.  ``type_id`` is the id of the *encoding* for a binary body,
    ``body`` the bytes, the XML text, a decoded :class:`Structure`, or ``None``."""

    type_id: NodeId
    body: Union[bytes, str, Structure, None] = None


class DiagnosticInfo(NamedTuple):
    """OPC 10000-4 7.12; members that were absent are ``None``."""

    symbolic_id: Optional[int] = None
    namespace_uri: Optional[int] = None
    localized_text: Optional[int] = None
    locale: Optional[int] = None
    additional_info: Optional[str] = None
    inner_status_code: Optional[int] = None
    inner_diagnostic_info: Optional["DiagnosticInfo"] = None


#: The names of an enumeration's values; one value may have several.
Enumeration = Mapping[str, int]


class FieldDefinition(NamedTuple):
    """One field of a structure (OPC 10000-3 8.51).  ``type`` is the built-in type that is encoded;
    ``structure`` describes a field that is itself a structure of fixed type; ``switch`` is the name
    of the mask field and the bit that say whether it is present; ``names`` are those of an
    enumeration; an array with more than one of the ``dimensions`` is a matrix."""

    name: str
    type: int
    is_array: bool = False
    structure: Optional["StructureDefinition"] = None
    switch: Optional[Tuple[str, int]] = None
    names: Optional[Enumeration] = None
    dimensions: int = 1


#: The field that says which field of a union is there, counted from 1; 0: none (OPC 10000-6
#: 5.2.8), and the one whose bits say which optional fields are (5.2.7).
SWITCH_FIELD = "SwitchField"
ENCODING_MASK = "EncodingMask"


class StructureDefinition(NamedTuple):
    """How a structure is encoded (OPC 10000-3 8.48).  ``type_id`` is the encoding's id.  A union
    has at most one of its ``fields``."""

    name: str
    type_id: NodeId
    fields: Tuple[FieldDefinition, ...]
    is_union: bool = False


class ValueType(NamedTuple):
    """The type of a variable's Value attribute: the built-in type (0: unknown, or any), whether it
    is an array (``None``: unknown, or both), and the names of its values if it is an
    enumeration."""

    type: int = 0
    is_array: Optional[bool] = None
    names: Optional[Enumeration] = None


NULL_NODE_ID = NodeId(0, 0)

_NODE_ID = re.compile(
    r"(?:svr=(?P<svr>[0-9]{1,10});)?"
    r"(?:ns=(?P<ns>[0-9]{1,5});|nsu=(?P<nsu>[^;]*);)?"
    r"(?P<kind>[isgb])=(?P<id>.*)",
    re.DOTALL,
)


def parse_node_id(text: str) -> NodeId:
    """The NodeId that *text* writes (OPC 10000-6 5.1.12): ``i=``, ``s=``, ``g=`` or ``b=``,
    after ``ns=<index>;`` or ``nsu=<uri>;`` (with ``%3B`` and ``%25`` for ``;`` and ``%``).

    Everything after ``s=`` belongs to the identifier, including semicolons and spaces.  Raises
    :exc:`ValueError` with a sentence about the problem.
    """
    match = _NODE_ID.fullmatch(text)
    if match is None:
        raise ValueError(
            "expected a NodeId such as 'nsu=urn:plant;s=Name' or 'i=2258', got %r" % text
        )
    namespace = int(match["ns"] or 0)
    if namespace > 0xFFFF:
        raise ValueError("namespace index %d in %r is over 65535" % (namespace, text))
    server = int(match["svr"] or 0)
    if server > 0xFFFFFFFF:
        raise ValueError("server index %d in %r is over 4294967295" % (server, text))
    uri = unquote(match["nsu"]) if match["nsu"] is not None else None
    if uri == "":
        raise ValueError("the namespace URI after 'nsu=' is empty in %r" % text)
    if uri == "http://opcfoundation.org/UA/":
        uri = None  # the standard's namespace always has index 0
    return NodeId(namespace, _parse_identifier(match["kind"], match["id"]), uri, server)


def _parse_identifier(kind: str, text: str) -> Identifier:
    if kind == "i":
        if not re.fullmatch("[0-9]{1,10}", text) or int(text) > 0xFFFFFFFF:
            raise ValueError("expected a number from 0 to 4294967295 after 'i=', got %r" % text)
        return int(text)
    if kind == "g":
        if not re.fullmatch("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", text):
            raise ValueError("expected a Guid after 'g=', got %r" % text)
        return uuid.UUID(text)
    if kind == "b":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("expected base64 after 'b=', got %r" % text) from None
    if not text:
        raise ValueError("the identifier after 's=' is empty")
    return text


def format_node_id(node_id: NodeId, namespaces: Sequence[str] = ()) -> str:
    """The text of *node_id*: the namespace by URI (``nsu=``) if *namespaces*, the server's
    NamespaceArray, leads from it back to the index; else ``ns=<index>``; nothing for namespace
    0."""
    identifier = node_id.identifier
    if isinstance(identifier, str):
        text = "s=" + identifier
    elif isinstance(identifier, int):
        text = "i=%d" % identifier
    elif isinstance(identifier, uuid.UUID):
        text = "g=%s" % identifier
    else:
        text = "b=" + base64.b64encode(identifier).decode("ascii")
    uri = node_id.namespace_uri
    if uri is None and node_id.namespace:
        uri = uri_of_namespace(node_id.namespace, namespaces)
    if uri:
        text = "nsu=%s;%s" % (uri.replace("%", "%25").replace(";", "%3B"), text)
    elif node_id.namespace:
        text = "ns=%d;%s" % (node_id.namespace, text)
    if node_id.server_index:
        text = "svr=%d;%s" % (node_id.server_index, text)
    return text


def uri_of_namespace(index: int, namespaces: Sequence[str]) -> Optional[str]:
    """The URI of the namespace *index*; ``None`` if there is none, or if it appears twice and means
    another index: the first one wins, here and in :func:`resolve_node_id`."""
    if index < len(namespaces):
        uri = namespaces[index]
        if uri and namespaces.index(uri) == index:
            return uri
    return None


def resolve_node_id(node_id: NodeId, namespaces: Sequence[str]) -> NodeId:
    """*node_id* with its namespace as an index into *namespaces*.

    Raises :exc:`LookupError` if the server does not have the namespace.
    """
    if node_id.namespace_uri is None:
        return node_id
    try:
        return NodeId(namespaces.index(node_id.namespace_uri), node_id.identifier)
    except ValueError:
        raise LookupError("the OPC UA server has no namespace %r" % node_id.namespace_uri) from None


#: Seconds from 1601-01-01 to 1970-01-01.
EPOCH_S = 11644473600
TICKS_PER_SECOND = 10_000_000
#: 9999-12-31T23:59:59Z, the last second that OPC 10000-6 5.2.2.5 knows.
LAST_TICKS = 2650467743990000000
