"""Flat binary codec (OPC 10000-6 5.2) of values; :mod:`opcws.ua.encoding.service_bodies` builds on
it.

Rules of this file:

* It works on one ``bytes`` object and a position; it uses no stream, and does not copy skipped
  bytes.
* It makes the immutable data of :mod:`opcws.model.data_types`, never the library's classes, so that
  a DateTime keeps its 100 ns and no text of the server is ever executed.
* Invalid bytes raise a :exc:`~opcws.model.errors.CodecError`, without a hang and without an
  allocation larger than the input: a length is compared with the remaining bytes before it is used.
* One bad value affects one DataValue.  Its end is found without decoding it, so reading continues
  after it, and only that DataValue becomes ``BadDecodingError``.
* What few bytes may become is bounded, too: a count of empty elements, a field's name that is
  written out for each of a thousand structures.  Beyond it is ``BadEncodingLimitsExceeded``.
"""

import struct
import uuid
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar, Union

from ...model import status_codes
from ...model.data_types import (
    BOOLEAN,
    BYTE,
    BYTESTRING,
    DATAVALUE,
    DATETIME,
    DIAGNOSTICINFO,
    DOUBLE,
    EXPANDEDNODEID,
    EXTENSIONOBJECT,
    FLOAT,
    GUID,
    INT16,
    INT32,
    INT64,
    LOCALIZEDTEXT,
    NODEID,
    QUALIFIEDNAME,
    SBYTE,
    STATUSCODE,
    STRING,
    SWITCH_FIELD,
    UINT16,
    UINT32,
    UINT64,
    VARIANT,
    XMLELEMENT,
    DataValue,
    DiagnosticInfo,
    ExtensionObject,
    FieldDefinition,
    LocalizedText,
    NodeId,
    QualifiedName,
    Structure,
    StructureDefinition,
    Variant,
)
from ...model.errors import CodecError, ExpandsTooFar

#: How deep Variants, DataValues, structures and DiagnosticInfos may lie in one another
#: (OPC 10000-6 5.1.5 asks for at least 100).
MAX_NESTING = 100
#: Most items that are skipped one by one in one place.
MAX_PASSED = 100000

#: What one value, and all of a message, may take when they are decoded, in bytes as estimated by
#: the next four: for an element of an array that is a number or something else, for a field of a
#: structure, and for each character of its name, which is written out and copied.
MAX_VALUE_BYTES = 64 * 1024 * 1024
MAX_DECODED_BYTES = 256 * 1024 * 1024
_NUMBER_BYTES = 32
_ITEM_BYTES = 128
_FIELD_BYTES = 128
_NAME_BYTES = 6

Definitions = Callable[[NodeId], Optional[StructureDefinition]]

T = TypeVar("T")

U16_PACKING = struct.Struct("<H")
I32_PACKING = struct.Struct("<i")
U32_PACKING = struct.Struct("<I")
I64_PACKING = struct.Struct("<q")
DOUBLE_PACKING = struct.Struct("<d")
#: The packing of every built-in number type.
NUMBERS: Dict[int, struct.Struct] = {
    BOOLEAN: struct.Struct("<?"),
    SBYTE: struct.Struct("<b"),
    BYTE: struct.Struct("<B"),
    INT16: struct.Struct("<h"),
    UINT16: U16_PACKING,
    INT32: I32_PACKING,
    UINT32: U32_PACKING,
    INT64: I64_PACKING,
    UINT64: struct.Struct("<Q"),
    FLOAT: struct.Struct("<f"),
    DOUBLE: DOUBLE_PACKING,
    DATETIME: I64_PACKING,
    STATUSCODE: U32_PACKING,
}


def no_definitions(_type_id: NodeId) -> Optional[StructureDefinition]:
    """Knows no structure: every ExtensionObject keeps its bytes."""
    return None


class Reader:
    """Reads one message.  ``position`` is where the next item begins; ``bad_text`` becomes true
    when a string was not UTF-8 (it then reads as ``None``)."""

    __slots__ = ("data", "position", "bad_text", "_definitions", "_depth", "_left")

    def __init__(
        self, data: bytes, position: int = 0, definitions: Definitions = no_definitions
    ) -> None:
        self.data = data
        self.position = position
        self.bad_text = False
        self._definitions = definitions
        self._depth = 0
        # Of MAX_DECODED_BYTES.
        self._left = MAX_DECODED_BYTES

    def number(self, packing: struct.Struct) -> Any:
        value = packing.unpack_from(self.data, self.position)[0]
        self.position += packing.size
        return value

    def byte(self) -> int:
        value = self.data[self.position]
        self.position += 1
        return value

    def uint32(self) -> int:
        return self.number(U32_PACKING)  # type: ignore[no-any-return]

    def length(self) -> int:
        """The length of an array: -1 for null; never more than the remaining bytes."""
        length: int = self.number(I32_PACKING)
        if length > len(self.data) - self.position:
            raise CodecError("an array is longer than its message")
        return length

    def bytestring(self) -> Optional[bytes]:
        length = self.length()
        if length < 0:
            return None
        start = self.position
        self.position = start + length
        return self.data[start : self.position]

    def string(self) -> Optional[str]:
        raw = self.bytestring()
        if raw is None:
            return None
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return self._not_text(raw)

    def _not_text(self, raw: bytes) -> Optional[str]:
        self.bad_text = True
        return None

    def guid(self) -> uuid.UUID:
        start = self.position
        if start + 16 > len(self.data):
            raise CodecError("the message ends inside a Guid")
        self.position = start + 16
        return uuid.UUID(bytes_le=self.data[start : self.position])

    def node_id(self) -> NodeId:
        """A NodeId or ExpandedNodeId (OPC 10000-6 5.2.2.9, 5.2.2.10)."""
        encoding = self.byte()
        kind = encoding & 0x3F
        namespace = 0
        identifier: Any
        if kind == 0:
            identifier = self.byte()
        elif kind == 1:
            namespace = self.byte()
            identifier = self.number(U16_PACKING)
        elif kind <= 5:
            namespace = self.number(U16_PACKING)
            if kind == 2:
                identifier = self.uint32()
            elif kind == 3:
                identifier = self.string() or ""
            elif kind == 4:
                identifier = self.guid()
            else:
                identifier = self.bytestring() or b""
        else:
            raise CodecError("unknown NodeId encoding %#x" % encoding)
        if not encoding & 0xC0:
            return NodeId(namespace, identifier)
        uri = self.string() if encoding & 0x80 else None
        server = self.uint32() if encoding & 0x40 else 0
        return NodeId(namespace, identifier, uri, server)

    def qualified_name(self) -> QualifiedName:
        return QualifiedName(self.number(U16_PACKING), self.string())

    def localized_text(self) -> LocalizedText:
        mask = self.byte()
        locale = self.string() if mask & 1 else None
        return LocalizedText(locale, self.string() if mask & 2 else None)

    def extension_object(self) -> Optional[ExtensionObject]:
        """OPC 10000-6 5.2.2.15; ``None`` for the null object (TypeId 0 and no body)."""
        type_id = self.node_id()
        encoding = self.byte()
        if encoding == 0:
            return None if not type_id.identifier else ExtensionObject(type_id)
        if encoding == 2:
            return ExtensionObject(type_id, self.string() or "")
        if encoding != 1:
            raise CodecError("unknown ExtensionObject encoding %#x" % encoding)
        body = self.bytestring() or b""
        definition = self._definitions(type_id)
        if definition is None:
            return ExtensionObject(type_id, body)
        inner = Reader(body, 0, self._definitions)
        inner._depth = self._depth
        inner._left = self._left
        try:
            fields = inner.structure(definition)
        except ExpandsTooFar:
            raise
        except (CodecError, struct.error, IndexError):
            return ExtensionObject(type_id, body)
        finally:
            self._left = inner._left
        if inner.bad_text:
            self.bad_text = True
        if inner.position != len(body):  # the server means a later version of the type
            return ExtensionObject(type_id, body)
        return ExtensionObject(type_id, fields)

    def structure(self, definition: StructureDefinition) -> Structure:
        self._enter()
        fields: List[Tuple[str, Variant]] = []
        masks: Dict[str, int] = {}
        members = definition.fields
        taken = 0
        if definition.is_union:
            chosen = self.uint32()
            if chosen > len(members):
                raise CodecError("a union with field %d of %d" % (chosen, len(members)))
            fields.append((SWITCH_FIELD, Variant(UINT32, chosen)))
            members = members[chosen - 1 : chosen]
        for field in members:
            if field.switch is not None:
                mask, bit = field.switch
                if not masks.get(mask, 0) >> bit & 1:
                    continue
            taken += _FIELD_BYTES + _NAME_BYTES * len(field.name)
            if field.dimensions > 1:
                fields.append((field.name, self._matrix(field)))
                continue
            if field.structure is not None:
                read = partial(self.structure, field.structure)
                value: Any = self.items(read) if field.is_array else read()
            elif field.is_array:
                value = self.array(field.type)
            else:
                value = self._scalar(field.type)
            if isinstance(value, int):
                masks[field.name] = value
            fields.append((field.name, Variant(field.type, value, field.is_array)))
        self.take(taken)
        self._depth -= 1
        return Structure(tuple(fields))

    def _matrix(self, field: FieldDefinition) -> Variant:
        """A field with its lengths before its elements (OPC 10000-6 5.2.5)."""
        sizes = self.array(INT32) or []
        most = len(self.data) - self.position
        length = _product(sizes, most) if sizes else 0
        if length > most or sizes and len(sizes) != field.dimensions:
            raise CodecError("the dimensions of a matrix are wrong")
        if field.structure is not None:
            values: Any = self.items(partial(self.structure, field.structure), length)
        else:
            values = self.array(field.type, length)
        return Variant(field.type, values, True, tuple(sizes) or (0,) * field.dimensions)

    def diagnostic_info(self) -> DiagnosticInfo:
        self._enter()
        mask = self.byte()
        info = DiagnosticInfo(
            symbolic_id=self.number(I32_PACKING) if mask & 0x01 else None,
            namespace_uri=self.number(I32_PACKING) if mask & 0x02 else None,
            locale=self.number(I32_PACKING) if mask & 0x08 else None,
            localized_text=self.number(I32_PACKING) if mask & 0x04 else None,
            additional_info=self.string() if mask & 0x10 else None,
            inner_status_code=self.uint32() if mask & 0x20 else None,
            inner_diagnostic_info=self.diagnostic_info() if mask & 0x40 else None,
        )
        self._depth -= 1
        return info

    def pass_diagnostic_info(self) -> None:
        """Skip the next DiagnosticInfo, at any depth."""
        for _ in range(MAX_PASSED):
            mask = self.byte()
            self.position += 4 * (mask & 1) + 2 * (mask & 2) + (mask & 4) + (mask & 8) // 2
            if mask & 0x10:
                self.pass_bytes()
            if mask & 0x20:
                self.position += 4
            if not mask & 0x40:
                return
        raise CodecError("DiagnosticInfos are nested more than %d levels deep" % MAX_PASSED)

    def pass_bytes(self) -> None:
        """Skip the next String or ByteString."""
        self.position = self.end_of_body()

    def variant(self) -> Optional[Variant]:
        """OPC 10000-6 5.2.2.16; ``None`` for the null Variant."""
        encoding = self.byte()
        type_id = encoding & 0x3F
        if type_id > 31:
            raise CodecError("unknown Variant encoding %#x" % encoding)
        if type_id > DIAGNOSTICINFO:
            type_id = BYTESTRING  # what 5.2.2.16 tells decoders to assume of 26 to 31
        if type_id == 0:
            return None
        if not encoding & 0x80:
            return Variant(type_id, self._scalar(type_id))
        value = self.array(type_id)
        dimensions = None
        if encoding & 0x40:
            sizes = self.array(INT32) or []
            if _product(sizes, len(value or ())) != len(value or ()):
                raise CodecError("the dimensions of a matrix do not match its length")
            if len(sizes) > 1:
                dimensions = tuple(sizes)
        return Variant(type_id, value, True, dimensions)

    def data_value(self) -> DataValue:
        """OPC 10000-6 5.2.2.17.  A value in it that cannot be decoded, or has a string that is not
        UTF-8, makes it BadDecodingError."""
        mask = self.byte()
        clean, self.bad_text = self.bad_text, False
        value: Union[Variant, CodecError, None] = None
        if mask & 0x01:
            # A scalar without anything in it: where it ends is known only if it can be decoded.
            plain = self.data[self.position] < EXTENSIONOBJECT
            value = self.variant() if plain or self._depth else self._value_alone()
        status = self.uint32() if mask & 0x02 else 0
        source = self.number(I64_PACKING) if mask & 0x04 else 0
        source_pico = self.number(U16_PACKING) if mask & 0x10 else 0
        server = self.number(I64_PACKING) if mask & 0x08 else 0
        server_pico = self.number(U16_PACKING) if mask & 0x20 else 0
        if self.bad_text:
            value, status = None, status_codes.code("BadDecodingError")
        elif isinstance(value, CodecError):
            status, value = status_codes.code(value.status), None
        self.bad_text = clean
        return DataValue(value, status, source, server, source_pico, server_pico)

    def _value_alone(self) -> Union[Variant, CodecError, None]:
        """The next variant, or why it cannot be decoded.  Raises only if its end cannot be
        found."""
        start, left = self.position, self._left
        allowed = left if left < MAX_VALUE_BYTES else MAX_VALUE_BYTES
        self._left = allowed
        value: Union[Variant, CodecError, None]
        try:
            value = self.variant()
        except (CodecError, struct.error, IndexError, RecursionError) as error:
            self.position, self._depth, self._left = start, 0, left
            try:
                self._pass_variant()
            except (CodecError, struct.error, IndexError):
                raise error from None
            if isinstance(error, CodecError):
                return error
            return CodecError("the value cannot be decoded: %s" % error)
        self._left += left - allowed
        return value

    def _pass_variant(self) -> None:
        """Skip the next Variant, with memory only for its depth."""
        # Types still to skip, the next one last, and the number of each.
        todo = [[VARIANT, 1]]
        while todo:
            nearest = todo[-1]
            if not nearest[1]:
                todo.pop()
                continue
            nearest[1] -= 1
            if not nearest[1]:
                todo.pop()
            type_id = nearest[0]
            if type_id == DATAVALUE:
                mask = self.byte()
                if mask & 0x3E:
                    todo.append([_BYTES, TIMES_BYTES[mask & 0x3E]])
                if mask & 0x01:
                    todo.append([VARIANT, 1])
            elif type_id == VARIANT:
                encoding = self.byte()
                type_id = encoding & 0x3F
                if type_id > 31:
                    raise CodecError("unknown Variant encoding %#x" % encoding)
                if encoding & 0x80:
                    if encoding & 0x40:
                        todo.append([_ARRAY, 1])
                    todo.append([type_id, max(self.length(), 0)])
                elif type_id:
                    todo.append([type_id, 1])
            elif type_id == _ARRAY:
                todo.append([INT32, max(self.length(), 0)])
            else:
                size = 1 if type_id == _BYTES else _SIZES.get(type_id)
                if size is None:
                    self._pass_scalar(type_id)
                else:
                    self.position += size * (nearest[1] + 1)
                    nearest[1] = 0
            if self.position > len(self.data) or len(todo) > MAX_PASSED:
                raise CodecError("a value has no end")

    def _pass_scalar(self, type_id: int) -> None:
        """Skip a value of a type without fixed size and without a Variant in it."""
        if type_id in (NODEID, EXPANDEDNODEID):
            self.node_id()
        elif type_id == QUALIFIEDNAME:
            self.position += 2
            self.pass_bytes()
        elif type_id == LOCALIZEDTEXT:
            self.localized_text()
        elif type_id == DIAGNOSTICINFO:
            self.pass_diagnostic_info()
        elif type_id == EXTENSIONOBJECT:
            self.node_id()
            encoding = self.byte()
            if encoding > 2:
                raise CodecError("unknown ExtensionObject encoding %#x" % encoding)
            if encoding:
                self.pass_bytes()
        else:  # a String, an XmlElement, a ByteString and what is taken for one
            self.pass_bytes()

    def take(self, decoded_bytes: int) -> None:
        """Raises :exc:`~opcws.model.errors.ExpandsTooFar` if that is more than may be taken."""
        self._left -= decoded_bytes
        if self._left < 0:
            raise ExpandsTooFar("a value would become too large when it is decoded")

    def take_items(self, count: int) -> None:
        """As :meth:`take`, for so many things that are no numbers."""
        self.take(_ITEM_BYTES * count)

    def end_of_body(self) -> int:
        """The end of the body whose length is next (OPC 10000-6 5.2.2.15)."""
        length = self.length()
        return self.position + max(length, 0)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise CodecError("values are nested more than %d levels deep" % MAX_NESTING)

    def _nested(self, read: Callable[[], Any]) -> Any:
        self._enter()
        value = read()
        self._depth -= 1
        return value

    def _scalar(self, type_id: int) -> Any:
        packing = NUMBERS.get(type_id)
        if packing is not None:
            return self.number(packing)
        return _SCALARS[type_id](self)

    def array(self, type_id: int, length: Optional[int] = None) -> Optional[List[Any]]:
        """*length*: of one that does not say it itself."""
        packing = NUMBERS.get(type_id)
        if packing is None:
            read = _SCALARS[type_id]
            return self.items(lambda: read(self), length)
        if length is None:
            length = self.length()
        if length < 0:
            return None
        self.take(_NUMBER_BYTES * length)
        size = packing.size * length
        if size > len(self.data) - self.position:
            raise CodecError("an array is longer than its message")
        values = struct.unpack_from(
            "<%d%s" % (length, packing.format[1:]), self.data, self.position
        )
        self.position += size
        return list(values)

    def items(self, read: Callable[[], Any], length: Optional[int] = None) -> Optional[List[Any]]:
        if length is None:
            length = self.length()
        if length < 0:
            return None
        self.take(_ITEM_BYTES * length)
        return [read() for _ in range(length)]


#: What else can be passed: so many bytes, and an array of Int32.
_BYTES, _ARRAY = -1, -2
_SIZES = {GUID: 16, **{type_id: packing.size for type_id, packing in NUMBERS.items()}}
#: The bytes of what a DataValue's EncodingMask says there is behind the Value.
TIMES_BYTES = {
    mask: sum(
        size for bit, size in ((0x02, 4), (0x04, 8), (0x08, 8), (0x10, 2), (0x20, 2)) if mask & bit
    )
    for mask in range(0x40)
}


class TolerantReader(Reader):
    """For descriptions from a server, which are useful even if damaged: replaces invalid UTF-8."""

    __slots__ = ()

    def _not_text(self, raw: bytes) -> Optional[str]:
        return raw.decode("utf-8", "replace")


def decoded(reader: Reader, read: Callable[[Reader], T]) -> T:
    """What *read* finds.  Raises :exc:`~opcws.model.errors.CodecError`."""
    try:
        return read(reader)
    except (struct.error, IndexError, KeyError, RecursionError) as error:
        raise CodecError("the response is incomplete: %s" % error) from None


def list_of(read: Callable[[Reader], T], reader: Reader) -> List[T]:
    """An array of what *read* finds; empty for null.  Raises
    :exc:`~opcws.model.errors.CodecError`."""
    return decoded(reader, lambda reader: reader.items(lambda: read(reader)) or [])


def _product(sizes: Sequence[int], most: int) -> int:
    """The product of *sizes*, or any number over *most*: the full product of many large sizes
    would be a number that takes minutes to make."""
    if any(size <= 0 for size in sizes):
        return 0
    product = 1
    for size in sizes:
        product *= size
        if product > most:
            break
    return product


# --- writing -----------------------------------------------------------------------------------


def encode_string(text: Optional[str]) -> bytes:
    return encode_bytestring(None if text is None else text.encode("utf-8"))


def encode_bytestring(raw: Optional[bytes]) -> bytes:
    return b"\xff\xff\xff\xff" if raw is None else I32_PACKING.pack(len(raw)) + raw


def encode_node_id(node_id: NodeId) -> bytes:
    """The shortest of the encodings of OPC 10000-6 5.2.2.9 that holds *node_id*."""
    namespace, identifier, uri, server = node_id
    flags = (0x80 if uri else 0) | (0x40 if server else 0)
    if isinstance(identifier, int):
        if namespace == 0 and identifier < 256:
            head = struct.pack("<BB", flags, identifier)
        elif namespace < 256 and identifier < 65536:
            head = struct.pack("<BBH", 1 | flags, namespace, identifier)
        else:
            head = struct.pack("<BHI", 2 | flags, namespace, identifier)
    elif isinstance(identifier, str):
        head = struct.pack("<BH", 3 | flags, namespace) + encode_string(identifier)
    elif isinstance(identifier, uuid.UUID):
        head = struct.pack("<BH", 4 | flags, namespace) + identifier.bytes_le
    else:
        head = struct.pack("<BH", 5 | flags, namespace) + encode_bytestring(identifier)
    if uri:
        head += encode_string(uri)
    if server:
        head += U32_PACKING.pack(server)
    return head


def encode_qualified_name(name: QualifiedName) -> bytes:
    return U16_PACKING.pack(name.namespace) + encode_string(name.name)


def encode_localized_text(text: LocalizedText) -> bytes:
    mask = (text.locale is not None) | (text.text is not None) << 1
    parts = [bytes((mask,))]
    if text.locale is not None:
        parts.append(encode_string(text.locale))
    if text.text is not None:
        parts.append(encode_string(text.text))
    return b"".join(parts)


def encode_extension_object(value: Optional[ExtensionObject]) -> bytes:
    if value is None:
        return b"\x00\x00\x00"
    head = encode_node_id(value.type_id)
    body = value.body
    if body is None:
        return head + b"\x00"
    if isinstance(body, str):
        return head + b"\x02" + encode_string(body)
    if isinstance(body, Structure):
        body = encode_structure(body)
    return head + b"\x01" + encode_bytestring(body)


def encode_structure(value: Structure) -> bytes:
    """The fields one after another (OPC 10000-6 5.2.6); masks are fields like others."""
    parts = []
    for _name, field in value.fields:
        if field.is_array:
            items = field.value
            if field.dimensions is not None:
                parts.append(_encode_matrix(field))
            elif items is not None and items and isinstance(items[0], Structure):
                parts.append(I32_PACKING.pack(len(items)))
                parts.extend(encode_structure(item) for item in items)
            else:
                parts.append(_encode_array(field.type, items))
        elif isinstance(field.value, Structure):
            parts.append(encode_structure(field.value))
        else:
            parts.append(_encode_scalar(field.type, field.value))
    return b"".join(parts)


def _encode_matrix(field: Variant) -> bytes:
    """The lengths, then the elements without their number (OPC 10000-6 5.2.5)."""
    sizes = _encode_array(INT32, list(field.dimensions or ()))
    values = field.value or []
    if values and isinstance(values[0], Structure):
        return sizes + b"".join([encode_structure(value) for value in values])
    return sizes + _encode_array(field.type, values)[4:]


def encode_diagnostic_info(info: DiagnosticInfo) -> bytes:
    return _masked(
        (0x01, info.symbolic_id, I32_PACKING.pack),
        (0x02, info.namespace_uri, I32_PACKING.pack),
        (0x08, info.locale, I32_PACKING.pack),
        (0x04, info.localized_text, I32_PACKING.pack),
        (0x10, info.additional_info, encode_string),
        (0x20, info.inner_status_code, U32_PACKING.pack),
        (0x40, info.inner_diagnostic_info, encode_diagnostic_info),
    )


def _masked(*members: Tuple[int, Any, Callable[[Any], bytes]]) -> bytes:
    """A mask, then the members that are there, each with its bit."""
    mask = 0
    parts = [b""]
    for bit, member, encode in members:
        if member is not None:
            mask |= bit
            parts.append(encode(member))
    parts[0] = bytes((mask,))
    return b"".join(parts)


def encode_variant(value: Optional[Variant]) -> bytes:
    if value is None:
        return b"\x00"
    if not value.is_array:
        return bytes((value.type,)) + _encode_scalar(value.type, value.value)
    encoding = value.type | 0x80
    body = _encode_array(value.type, value.value)
    if value.dimensions is None:
        return bytes((encoding,)) + body
    return bytes((encoding | 0x40,)) + body + _encode_array(INT32, list(value.dimensions))


def encode_data_value(value: DataValue) -> bytes:
    return _masked(
        (0x01, value.value, encode_variant),
        (0x02, value.status or None, U32_PACKING.pack),
        (0x04, value.source_timestamp or None, I64_PACKING.pack),
        (0x10, value.source_picoseconds or None, U16_PACKING.pack),
        (0x08, value.server_timestamp or None, I64_PACKING.pack),
        (0x20, value.server_picoseconds or None, U16_PACKING.pack),
    )


def _encode_scalar(type_id: int, value: Any) -> bytes:
    packing = NUMBERS.get(type_id)
    if packing is not None:
        return packing.pack(value)
    return _ENCODERS[type_id](value)


def _encode_array(type_id: int, values: Optional[List[Any]]) -> bytes:
    if values is None:
        return b"\xff\xff\xff\xff"
    packing = NUMBERS.get(type_id)
    head = I32_PACKING.pack(len(values))
    if packing is not None:
        return head + struct.pack("<%d%s" % (len(values), packing.format[1:]), *values)
    encode = _ENCODERS[type_id]
    return head + b"".join([encode(value) for value in values])


#: Functions to read and write every built-in type that is not a number.
_CODED: Dict[int, Tuple[Callable[[Reader], Any], Callable[[Any], bytes]]] = {
    STRING: (Reader.string, encode_string),
    XMLELEMENT: (Reader.string, encode_string),
    GUID: (Reader.guid, lambda value: value.bytes_le),
    BYTESTRING: (Reader.bytestring, encode_bytestring),
    NODEID: (Reader.node_id, encode_node_id),
    EXPANDEDNODEID: (Reader.node_id, encode_node_id),
    QUALIFIEDNAME: (Reader.qualified_name, encode_qualified_name),
    LOCALIZEDTEXT: (Reader.localized_text, encode_localized_text),
    EXTENSIONOBJECT: (Reader.extension_object, encode_extension_object),
    DATAVALUE: (lambda reader: reader._nested(reader.data_value), encode_data_value),
    VARIANT: (lambda reader: reader._nested(reader.variant), encode_variant),
    DIAGNOSTICINFO: (Reader.diagnostic_info, encode_diagnostic_info),
}
_SCALARS = {type_id: read for type_id, (read, _encode) in _CODED.items()}
_ENCODERS = {type_id: encode for type_id, (_read, encode) in _CODED.items()}
