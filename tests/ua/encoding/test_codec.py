"""OPC UA binary there and back, against the library's codec, and against nonsense."""

import math
import struct
import uuid
from datetime import datetime, timedelta
from typing import Any, Dict, List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opcua import ua
from opcua.common.utils import Buffer
from opcua.ua import ua_binary

from opcws.model import data_types as dt
from opcws.model import status_codes
from opcws.model.data_types import (
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
from opcws.model.errors import CodecError
from opcws.ua.encoding import codec
from opcws.ua.encoding.codec import Reader, encode_data_value, encode_variant
from opcws.ua.encoding.standard_types import standard_definition

from ...support.sample_values import DEFINITIONS, NESTED_ID, OPTIONAL_ID, RANGE_ID, span

BAD_DECODING = status_codes.code("BadDecodingError")

# --- any value ---------------------------------------------------------------------------------

TEXT = st.text(max_size=12)
URIS = st.text(min_size=1, max_size=12)
INT32 = st.integers(-(2**31), 2**31 - 1)
UINT16 = st.integers(0, 2**16 - 1)
UINT32 = st.integers(0, 2**32 - 1)
FLOATS = st.floats(width=32)
IDENTIFIERS = st.one_of(st.integers(0, 300), UINT32, TEXT, st.uuids(), st.binary(max_size=8))
# With every member given: left to itself, builds() would make up what it likes.
NODE_IDS = st.builds(NodeId, UINT16, IDENTIFIERS, st.none(), st.just(0))
EXPANDED = st.builds(NodeId, UINT16, IDENTIFIERS, st.one_of(st.none(), URIS), UINT32)
DIAGNOSTICS: Any = st.deferred(
    lambda: st.builds(
        DiagnosticInfo,
        *[st.one_of(st.none(), INT32)] * 4,
        st.one_of(st.none(), TEXT),
        st.one_of(st.none(), UINT32),
        st.one_of(st.none(), DIAGNOSTICS),
    )
)
UNKNOWN = st.builds(
    ExtensionObject,
    st.builds(NodeId, st.integers(3, 9), st.integers(1, 2**32 - 1), st.none(), st.just(0)),
    st.one_of(st.none(), st.binary(max_size=20), TEXT),
)
DOUBLES = st.floats()
STRUCTURES = st.builds(
    lambda low, high: ExtensionObject(RANGE_ID, span(low, high)), DOUBLES, DOUBLES
)
VARIANTS: Any = st.deferred(lambda: st.one_of(SCALARS_OF_ANY_TYPE, ARRAYS, MATRICES))
DATA_VALUES = st.builds(
    DataValue,
    st.one_of(st.none(), VARIANTS),
    UINT32,
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    UINT16,
    UINT16,
)
OF_TYPE: Dict[int, Any] = {
    dt.BOOLEAN: st.booleans(),
    **{type_id: st.integers(*limits) for type_id, limits in dt.INTEGER_RANGES.items()},
    dt.FLOAT: FLOATS,
    dt.DOUBLE: DOUBLES,
    dt.STRING: st.one_of(st.none(), TEXT),
    dt.DATETIME: st.integers(-(2**63), 2**63 - 1),
    dt.GUID: st.uuids(),
    dt.BYTESTRING: st.one_of(st.none(), st.binary(max_size=20)),
    dt.XMLELEMENT: st.one_of(st.none(), TEXT),
    dt.NODEID: NODE_IDS,
    dt.EXPANDEDNODEID: EXPANDED,
    dt.STATUSCODE: UINT32,
    dt.QUALIFIEDNAME: st.builds(QualifiedName, UINT16, st.one_of(st.none(), TEXT)),
    dt.LOCALIZEDTEXT: st.builds(
        LocalizedText, st.one_of(st.none(), TEXT), st.one_of(st.none(), TEXT)
    ),
    dt.EXTENSIONOBJECT: st.one_of(st.none(), UNKNOWN, STRUCTURES),
    dt.DATAVALUE: DATA_VALUES,
    dt.VARIANT: st.one_of(st.none(), VARIANTS),
    dt.DIAGNOSTICINFO: DIAGNOSTICS,
}


def of_type(type_id: int) -> Any:
    return OF_TYPE[type_id].map(lambda value: Variant(type_id, value))


def array_of(type_id: int) -> Any:
    items = st.one_of(st.none(), st.lists(OF_TYPE[type_id], max_size=4))
    return items.map(lambda values: Variant(type_id, values, True))


def matrix_of(type_id: int) -> Any:
    def fill(sizes: List[int]) -> Any:
        length = math.prod(sizes)
        items = st.lists(OF_TYPE[type_id], min_size=length, max_size=length)
        return items.map(lambda values: Variant(type_id, values, True, tuple(sizes)))

    return st.lists(st.integers(0, 2), min_size=2, max_size=3).flatmap(fill)


# A Variant holds no Variant except in an array (OPC 10000-6 5.1.6).
TYPES = sorted(OF_TYPE)
SCALARS_OF_ANY_TYPE = st.sampled_from([t for t in TYPES if t != dt.VARIANT]).flatmap(of_type)
ARRAYS = st.sampled_from(TYPES).flatmap(array_of)
MATRICES = st.sampled_from(TYPES).flatmap(matrix_of)

# Without a deadline, because a busy machine is no defect.
slowly = settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit; NaN is itself."""
    return repr(one) == repr(other)


def read_variant(data: bytes) -> Any:
    reader = Reader(data, 0, DEFINITIONS.get)
    value = reader.variant()
    assert reader.position == len(data)
    return value


def read_data_value(data: bytes) -> DataValue:
    reader = Reader(data, 0, DEFINITIONS.get)
    value = reader.data_value()
    assert reader.position == len(data)
    return value


# --- there and back ----------------------------------------------------------------------------


@pytest.mark.parametrize("values", [of_type, array_of], ids=["scalar", "array"])
@pytest.mark.parametrize("type_id", TYPES, ids=dt.TYPE_NAMES.get)
def test_a_value_of_every_type_comes_back_as_it_was(type_id: int, values: Any) -> None:
    @slowly
    @given(values(type_id))
    def check(value: Variant) -> None:
        assert same(read_variant(encode_variant(value)), value)

    check()


@slowly
@given(MATRICES)
def test_a_matrix_keeps_its_dimensions(value: Variant) -> None:
    assert same(read_variant(encode_variant(value)), value)


@slowly
@given(DATA_VALUES)
def test_a_data_value_keeps_status_timestamps_and_picoseconds(value: DataValue) -> None:
    assert same(read_data_value(encode_data_value(value)), value)


def test_nulls_come_back_as_nulls() -> None:
    assert encode_variant(None) == b"\x00"
    assert read_variant(b"\x00") is None
    assert encode_data_value(DataValue(None)) == b"\x00"
    assert read_data_value(b"\x00") == DataValue(None)


@pytest.mark.parametrize("ticks", [1, -1, 134082792001234567, 2**63 - 1, -(2**63)])
def test_a_date_time_keeps_its_100_ns(ticks: int) -> None:
    value = DataValue(Variant(dt.DATETIME, ticks), 0, ticks, ticks, 9999, 1)
    assert read_data_value(encode_data_value(value)) == value


def test_a_structure_with_optional_fields_comes_back_as_it_was() -> None:
    fields = Structure(
        (
            ("Mask", Variant(dt.UINT32, 0b1000)),
            ("Id", Variant(dt.INT64, -5)),
            ("Tags", Variant(dt.INT32, [1, 2], True)),
        )
    )
    value = Variant(dt.EXTENSIONOBJECT, ExtensionObject(OPTIONAL_ID, fields))
    assert read_variant(encode_variant(value)) == value


@pytest.mark.parametrize("spans", [None, [], [span(1.0, 2.0), span(3.0, 4.0)]])
def test_a_structure_of_structures_comes_back_as_it_was(spans: Any) -> None:
    fields = Structure(
        (
            ("Span", Variant(dt.EXTENSIONOBJECT, span(0.0, 1.0))),
            ("Spans", Variant(dt.EXTENSIONOBJECT, spans, True)),
            ("Any", Variant(dt.VARIANT, Variant(dt.STRING, "x"))),
        )
    )
    value = Variant(dt.EXTENSIONOBJECT, ExtensionObject(NESTED_ID, fields))
    assert read_variant(encode_variant(value)) == value


def test_a_structure_that_nobody_knows_keeps_its_bytes() -> None:
    body = ExtensionObject(NodeId(7, "Unknown"), b"\x00\x01\x02")
    value = Variant(dt.EXTENSIONOBJECT, body)
    assert read_variant(encode_variant(value)) == value


@pytest.mark.parametrize("body", [b"", b"\x00" * 15, b"\x00" * 17], ids=lambda body: str(len(body)))
def test_a_body_that_does_not_fit_its_definition_keeps_its_bytes(body: bytes) -> None:
    value = Variant(dt.EXTENSIONOBJECT, ExtensionObject(RANGE_ID, body))
    assert read_variant(encode_variant(value)) == value


# --- as the library has it ---------------------------------------------------------------------

EPOCH = datetime(1970, 1, 1)
MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2900, 1, 1))


def ticks_of(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 10 + dt.EPOCH_S * dt.TICKS_PER_SECOND


def library_node_id(value: NodeId) -> Any:
    made = ua.NodeId(value.identifier, value.namespace)
    made.NamespaceUri, made.ServerIndex = value.namespace_uri or "", value.server_index
    return made


def library_localized_text(value: LocalizedText) -> Any:
    return ua.LocalizedText(value.text, value.locale)


# The library forgets the URI of a NodeId in one of the two short forms.
# The library drops the URI of an id that it takes for the null one.
LONG_EXPANDED = st.builds(
    NodeId, UINT16, st.one_of(TEXT, st.uuids()), st.one_of(st.none(), URIS), UINT32
).filter(lambda node_id: node_id.identifier not in ("", "0"))
NONEMPTY = st.one_of(st.none(), URIS)
# Per type: values that the library gets right, and how it represents them.  Its null ByteString
# and String, empty LocalizedTexts and DiagnosticInfo are not among them.
LIBRARY: Dict[int, Any] = {
    **{type_id: (OF_TYPE[type_id], lambda value: value) for type_id in range(1, 12)},
    dt.STRING: (TEXT, str),
    dt.DATETIME: (MOMENTS.map(ticks_of), lambda ticks: ua.win_epoch_to_datetime(ticks)),
    dt.GUID: (st.uuids(), lambda value: value),
    dt.BYTESTRING: (st.binary(max_size=20), lambda value: value),
    dt.XMLELEMENT: (TEXT, ua.XmlElement),
    dt.NODEID: (NODE_IDS, library_node_id),
    dt.EXPANDEDNODEID: (LONG_EXPANDED, library_node_id),
    dt.STATUSCODE: (st.sampled_from([0, 0x80340000, 0x40900000, 0x80010000]), ua.StatusCode),
    dt.QUALIFIEDNAME: (
        st.builds(QualifiedName, UINT16, TEXT),
        lambda value: ua.QualifiedName(value.name, value.namespace),
    ),
    dt.LOCALIZEDTEXT: (st.builds(LocalizedText, NONEMPTY, NONEMPTY), library_localized_text),
}
LIBRARY_TYPES = sorted(LIBRARY)


def both_ways(value: Variant, theirs: Any) -> None:
    """Their bytes give our value, our bytes are theirs, and they read the same out of ours."""
    their_bytes = bytes(ua_binary.variant_to_binary(theirs))
    assert same(read_variant(their_bytes), value)
    our_bytes = encode_variant(value)
    if value.type not in (dt.NODEID, dt.EXPANDEDNODEID):  # we take the shortest form
        assert our_bytes == their_bytes
    understood = ua_binary.variant_from_binary(Buffer(our_bytes))
    assert understood == theirs or value.type in (dt.FLOAT, dt.DOUBLE)  # NaN is not NaN
    assert same(read_variant(bytes(ua_binary.variant_to_binary(understood))), value)


@pytest.mark.parametrize("type_id", LIBRARY_TYPES, ids=dt.TYPE_NAMES.get)
def test_a_scalar_is_to_the_library_what_it_is_to_us(type_id: int) -> None:
    values, represent = LIBRARY[type_id]
    kind = ua.VariantType(type_id)

    @slowly
    @given(values)
    def check(value: Any) -> None:
        theirs = ua.Variant(represent(value), kind)
        both_ways(Variant(type_id, value), theirs)

    check()


@pytest.mark.parametrize("type_id", LIBRARY_TYPES, ids=dt.TYPE_NAMES.get)
def test_an_array_is_to_the_library_what_it_is_to_us(type_id: int) -> None:
    values, represent = LIBRARY[type_id]
    kind = ua.VariantType(type_id)

    @slowly
    @given(st.lists(values, max_size=4))
    def check(items: List[Any]) -> None:
        theirs = ua.Variant([represent(item) for item in items], kind, is_array=True)
        both_ways(Variant(type_id, items, True), theirs)

    check()


def test_a_matrix_is_to_the_library_what_it_is_to_us() -> None:
    theirs = ua.Variant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], ua.VariantType.Double)
    ours = Variant(dt.DOUBLE, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], True, (2, 3))
    both_ways(ours, theirs)


@given(st.floats(allow_nan=False), st.sampled_from([0, 0x40900000, 0x80340000]), MOMENTS, MOMENTS)
def test_a_data_value_is_to_the_library_what_it_is_to_us(
    number: float, status: int, source: datetime, server: datetime
) -> None:
    theirs = ua.DataValue(
        ua.Variant(number, ua.VariantType.Double),
        ua.StatusCode(status),
        sourceTimestamp=source,
        serverTimestamp=server,
    )
    their_bytes = bytes(ua_binary.struct_to_binary(theirs))
    ours = DataValue(Variant(dt.DOUBLE, number), status, ticks_of(source), ticks_of(server))
    assert read_data_value(their_bytes) == ours
    back = ua_binary.struct_from_binary(ua.DataValue, Buffer(encode_data_value(ours)))
    assert back.Value.Value == number
    assert back.SourceTimestamp == source and back.ServerTimestamp == server
    assert (back.StatusCode.value if back.StatusCode else 0) == status


def test_a_structure_of_the_standard_is_to_the_library_what_it_is_to_us() -> None:
    theirs = ua.EUInformation()
    theirs.NamespaceUri, theirs.UnitId = "urn:units", 4408652
    theirs.DisplayName = ua.LocalizedText("°C")
    theirs.Description = ua.LocalizedText("degree Celsius", "en")
    data = bytes(ua_binary.variant_to_binary(ua.Variant(theirs)))
    ours = Reader(data, 0, standard_definition).variant()
    assert ours is not None
    assert dict(ours.value.body.fields) == {
        "NamespaceUri": Variant(dt.STRING, "urn:units"),
        "UnitId": Variant(dt.INT32, 4408652),
        "DisplayName": Variant(dt.LOCALIZEDTEXT, LocalizedText(None, "°C")),
        "Description": Variant(dt.LOCALIZEDTEXT, LocalizedText("en", "degree Celsius")),
    }
    assert encode_variant(ours) == data


def test_members_of_a_diagnostic_info_are_where_the_standard_has_them() -> None:
    info = DiagnosticInfo(symbolic_id=1, namespace_uri=2, localized_text=3, locale=4)
    assert codec.encode_diagnostic_info(info) == b"\x0f" + struct.pack("<iiii", 1, 2, 4, 3)
    assert Reader(b"\x08\x04\x00\x00\x00").diagnostic_info() == DiagnosticInfo(locale=4)


# --- nonsense ----------------------------------------------------------------------------------


def read_or_refuse(data: bytes, definitions: Any = DEFINITIONS.get) -> None:
    """Bytes of anybody's make give a value or one of the errors that the callers map."""
    for read in (Reader.data_value, Reader.variant, Reader.diagnostic_info, Reader.node_id):
        try:
            read(Reader(data, 0, definitions))
        except (CodecError, struct.error, IndexError):
            pass


@slowly
@given(st.binary(max_size=200))
def test_random_bytes_are_a_value_or_an_error(data: bytes) -> None:
    read_or_refuse(data)


@slowly
@given(DATA_VALUES, st.data())
def test_a_truncated_value_is_a_value_or_an_error(value: DataValue, data: Any) -> None:
    encoded = encode_data_value(value)
    read_or_refuse(encoded[: data.draw(st.integers(0, len(encoded)))])


@slowly
@given(DATA_VALUES, st.data())
def test_a_value_with_changed_bytes_is_a_value_or_an_error(value: DataValue, data: Any) -> None:
    encoded = bytearray(encode_data_value(value))
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(encoded) - 1), st.integers(0, 255)), max_size=4)
    ):
        encoded[place] = byte
    read_or_refuse(bytes(encoded))


@pytest.mark.parametrize("type_id", TYPES, ids=dt.TYPE_NAMES.get)
@pytest.mark.parametrize("length", [2**31 - 1, 1000])
def test_an_array_longer_than_its_message_is_refused_before_anything_is_made(
    type_id: int, length: int
) -> None:
    data = bytes((type_id | 0x80,)) + struct.pack("<i", length) + b"\x00" * 100
    with pytest.raises(CodecError, match="longer"):
        Reader(data).variant()


def test_a_string_longer_than_its_message_is_refused() -> None:
    with pytest.raises(CodecError, match="longer"):
        Reader(b"\x0c" + struct.pack("<i", 2**31 - 1) + b"abc").variant()


@pytest.mark.parametrize(
    "sizes",
    [[3, 2], [2**31 - 1, 2**31 - 1], [0, 0], [-1, -5], [2**31 - 1] * 100000],
    ids=["6", "large", "empty", "negative", "a number too long to multiply"],
)
def test_dimensions_that_do_not_match_the_length_are_refused_at_once(sizes: List[int]) -> None:
    value = Variant(dt.DOUBLE, [1.0] * 5, True, tuple(sizes))
    with pytest.raises(CodecError, match="dimensions"):
        Reader(encode_variant(value)).variant()


@pytest.mark.parametrize("data", [b"\x20", b"\x3f\x00", b"\x11\x06", b"\x16\x00\x01\x03"])
def test_an_encoding_that_the_standard_does_not_have_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError, match="unknown"):
        Reader(data).variant()


def test_types_to_come_are_read_as_byte_strings() -> None:
    assert read_variant(b"\x1e\x02\x00\x00\x00ab") == Variant(dt.BYTESTRING, b"ab")


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b"\x98\x01\x00\x00\x00" * 100000, Reader.variant),
        (b"\x01\x17" * 100000, Reader.data_value),
        (b"\x40" * 100000, Reader.diagnostic_info),
    ],
    ids=["Variant", "DataValue", "DiagnosticInfo"],
)
def test_what_lies_too_deep_in_itself_is_refused(data: bytes, read: Any) -> None:
    with pytest.raises(CodecError, match="deep"):
        read(Reader(data))


def test_values_may_lie_a_hundred_deep_in_one_another() -> None:
    value = Variant(dt.INT32, 5)
    for _ in range(codec.MAX_NESTING - 1):
        value = Variant(dt.VARIANT, [value], True)
    assert read_variant(encode_variant(value)) == value


def test_one_string_that_is_not_utf_8_spoils_only_its_own_data_value() -> None:
    good = DataValue(Variant(dt.STRING, "good"), 0, 5)
    bad = encode_data_value(DataValue(Variant(dt.STRING, "????"), 0, 7)).replace(b"?", b"\xff")
    data = struct.pack("<i", 3) + encode_data_value(good) + bad + encode_data_value(good)
    reader = Reader(data)
    first, spoilt, last = reader.items(reader.data_value) or []
    assert first == last == good
    assert spoilt == DataValue(None, BAD_DECODING, 7)


def test_a_string_that_is_not_utf_8_inside_a_structure_spoils_the_data_value() -> None:
    fields = Structure(
        (
            ("Mask", Variant(dt.UINT32, 1)),
            ("Id", Variant(dt.INT64, 0)),
            ("Note", Variant(dt.STRING, "????")),
        )
    )
    value = DataValue(Variant(dt.EXTENSIONOBJECT, ExtensionObject(OPTIONAL_ID, fields)))
    data = encode_data_value(value).replace(b"?", b"\xff")
    assert read_data_value(data) == DataValue(None, BAD_DECODING)


def test_a_structure_without_bytes_of_its_own_cannot_be_multiplied() -> None:
    empty = StructureDefinition("Empty", NodeId(2, 1), ())
    reader = Reader(struct.pack("<i", 2**31 - 1))
    with pytest.raises(CodecError, match="longer"):
        reader.items(lambda: reader.structure(empty))


@pytest.mark.parametrize(
    ("node_id", "length"),
    [
        (NodeId(0, 255), 2),
        (NodeId(0, 256), 4),
        (NodeId(255, 65535), 4),
        (NodeId(256, 1), 7),
        (NodeId(1, 65536), 7),
        (NodeId(1, "ab"), 9),
        (NodeId(1, uuid.UUID(int=5)), 19),
    ],
)
def test_a_node_id_takes_its_shortest_form(node_id: NodeId, length: int) -> None:
    data = codec.encode_node_id(node_id)
    assert len(data) == length
    assert Reader(data).node_id() == node_id


# --- a value of its own, and its cost ----------------------------------------------------------


@slowly
@given(DATA_VALUES)
def test_where_a_value_ends_is_found_without_making_it(value: DataValue) -> None:
    data = codec.encode_variant(value.value)
    reader = Reader(data + b"behind")
    reader._pass_variant()
    assert reader.position == len(data)


DEEP = b"\x98\x01\x00\x00\x00" * 100000 + b"\x06" + bytes(4)
MANY = 4000000
LIMITS_EXCEEDED = status_codes.code("BadEncodingLimitsExceeded")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (encode_variant(Variant(dt.DOUBLE, [1.0] * 8, True, (3, 3))), BAD_DECODING),
        (DEEP, BAD_DECODING),
        (b"\x19" + b"\x40" * 1000 + b"\x00", BAD_DECODING),
        (b"\x97" + struct.pack("<i", MANY) + bytes(MANY), LIMITS_EXCEEDED),
        (b"\x81" + struct.pack("<i", MANY) + bytes(MANY), LIMITS_EXCEEDED),
    ],
    ids=["dimensions", "deep Variants", "deep DiagnosticInfos", "empty DataValues", "Booleans"],
)
def test_a_value_that_cannot_be_decoded_spoils_only_its_own_data_value(
    value: bytes, status: int
) -> None:
    good = DataValue(Variant(dt.STRING, "good"), 0, 5)
    bad = b"\x05" + value + struct.pack("<q", 7)
    reader = Reader(encode_data_value(good) + bad + encode_data_value(good))
    assert reader.data_value() == good
    assert reader.data_value() == DataValue(None, status, 7)
    assert reader.data_value() == good


def test_a_long_name_is_not_written_out_for_each_of_many_structures() -> None:
    inner = StructureDefinition("Inner", NodeId(2, 1), (FieldDefinition("x" * 5000, dt.BOOLEAN),))
    outer = StructureDefinition(
        "Outer", NodeId(2, 2), (FieldDefinition("a", dt.EXTENSIONOBJECT, True, inner),)
    )

    def read(count: int) -> DataValue:
        body = struct.pack("<i", count) + bytes(count)
        value = Variant(dt.EXTENSIONOBJECT, ExtensionObject(outer.type_id, body))
        data = encode_data_value(DataValue(value))
        return Reader(data, 0, {outer.type_id: outer}.get).data_value()

    few = read(100)
    assert few.value is not None and len(dict(few.value.value.body.fields)["a"].value) == 100
    assert read(100000) == DataValue(None, LIMITS_EXCEEDED)


def test_what_one_message_may_become_is_bounded_for_all_its_values_together() -> None:
    count = codec.MAX_VALUE_BYTES // 128 - 1
    one = b"\x01\x97" + struct.pack("<i", count) + bytes(count)
    reader = Reader(one * 6)
    statuses = [reader.data_value().status for _ in range(6)]
    assert statuses == [0] * 4 + [LIMITS_EXCEEDED] * 2
