"""Values to JSON and back: each line of PROTOCOL section 3, then properties."""

import json
import math
import struct

import fastjsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.model import data_types as dt
from opcws.model import status_codes
from opcws.wire import contract
from opcws.wire.timestamps import parse_timestamp
from opcws.wire.values_from_json import written_value
from opcws.wire.values_to_json import STRING, TYPED, data_value_members, value_text

from ..support.sample_values import (
    DEFINITIONS,
    GUID,
    NAMESPACES,
    NESTED_ID,
    NODE,
    OPTIONAL_ID,
    RANGE_ID,
    TICKS,
    TIME,
    out,
    same,
    span,
)

# --- the value table of PROTOCOL section 3 --------------------------------------------------

EXTENSION = dt.ExtensionObject(RANGE_ID, span(0.0, 100.5))
TABLE = [
    (dt.Variant(dt.BOOLEAN, True), True, "true"),
    (dt.Variant(dt.BOOLEAN, False), False, "false"),
    (dt.Variant(dt.SBYTE, -128), -128, "-128"),
    (dt.Variant(dt.BYTE, 255), 255, "255"),
    (dt.Variant(dt.INT16, -32768), -32768, "-32768"),
    (dt.Variant(dt.UINT16, 65535), 65535, "65535"),
    (dt.Variant(dt.INT32, 555), 555, "555"),
    (dt.Variant(dt.UINT32, 4294967295), 4294967295, "4294967295"),
    (dt.Variant(dt.INT64, -(2**63)), "-9223372036854775808", "-9223372036854775808"),
    (dt.Variant(dt.UINT64, 2**64 - 1), "18446744073709551615", "18446744073709551615"),
    (dt.Variant(dt.FLOAT, struct.unpack("<f", b"\xcd\xcc\xcc\x3d")[0]), 0.1, "0.1"),
    (dt.Variant(dt.DOUBLE, 20.5), 20.5, "20.5"),
    (dt.Variant(dt.DOUBLE, -30.0), -30.0, "-30"),
    (dt.Variant(dt.DOUBLE, 1e300), 1e300, "1e+300"),
    (dt.Variant(dt.DOUBLE, math.nan), "NaN", "nan"),
    (dt.Variant(dt.DOUBLE, math.inf), "Infinity", "inf"),
    (dt.Variant(dt.FLOAT, -math.inf), "-Infinity", "-inf"),
    (
        dt.Variant(dt.STRING, 'Gr\u00fc\u00df "Gott"\n'),
        'Gr\u00fc\u00df "Gott"\n',
        'Gr\u00fc\u00df "Gott"\n',
    ),
    (dt.Variant(dt.STRING, None), None, ""),
    (dt.Variant(dt.STRING, ""), "", ""),
    (dt.Variant(dt.DATETIME, TICKS), TIME, TIME),
    (dt.Variant(dt.GUID, GUID), str(GUID), str(GUID)),
    (dt.Variant(dt.BYTESTRING, b"\x00\xff"), "AP8=", "AP8="),
    (dt.Variant(dt.BYTESTRING, None), None, ""),
    (dt.Variant(dt.XMLELEMENT, "<a/>"), "<a/>", "<a/>"),
    (dt.Variant(dt.XMLELEMENT, None), None, ""),
    (
        dt.Variant(dt.NODEID, NODE),
        "nsu=urn:demo:plant;s=Name",
        {"IdType": "1", "Id": "Name", "Namespace": "2"},
    ),
    (
        dt.Variant(dt.NODEID, dt.NodeId(0, 2258)),
        "i=2258",
        {"IdType": "0", "Id": "2258", "Namespace": "0"},
    ),
    (
        dt.Variant(dt.NODEID, dt.NodeId(1, GUID)),
        "nsu=urn:server;g=%s" % GUID,
        {"IdType": "2", "Id": str(GUID), "Namespace": "1"},
    ),
    (
        dt.Variant(dt.NODEID, dt.NodeId(1, b"\x00\xff")),
        "nsu=urn:server;b=AP8=",
        {"IdType": "3", "Id": "AP8=", "Namespace": "1"},
    ),
    (
        dt.Variant(dt.EXPANDEDNODEID, dt.NodeId(0, 1, "urn:elsewhere", 4)),
        "svr=4;nsu=urn:elsewhere;i=1",
        {"IdType": "0", "Id": "1", "Namespace": "urn:elsewhere", "ServerUri": "4"},
    ),
    (
        dt.Variant(dt.STATUSCODE, 0x80000000),
        {"Code": 2147483648, "Symbol": "Bad"},
        {"Code": "2147483648", "Symbol": "Bad"},
    ),
    (
        dt.Variant(dt.QUALIFIEDNAME, dt.QualifiedName(2, "Name")),
        {"Name": "Name", "Uri": "urn:demo:plant"},
        {"Name": "Name", "Uri": "2", "NamespaceIndex": "2"},
    ),
    (
        dt.Variant(dt.QUALIFIEDNAME, dt.QualifiedName(0, "Name")),
        {"Name": "Name"},
        {"Name": "Name", "NamespaceIndex": "0"},
    ),
    (
        dt.Variant(dt.QUALIFIEDNAME, dt.QualifiedName(0, None)),
        {},
        {"Name": "", "NamespaceIndex": "0"},
    ),
    (
        dt.Variant(dt.QUALIFIEDNAME, dt.QualifiedName(7, "N")),
        {"Name": "N", "Uri": 7},
        {"Name": "N", "Uri": "7", "NamespaceIndex": "7"},
    ),
    (
        dt.Variant(dt.QUALIFIEDNAME, dt.QualifiedName(3, "N")),
        {"Name": "N", "Uri": 3},
        {"Name": "N", "Uri": "3", "NamespaceIndex": "3"},
    ),
    (
        dt.Variant(dt.LOCALIZEDTEXT, dt.LocalizedText("en", "Level")),
        {"Locale": "en", "Text": "Level"},
        {"Locale": "en", "Text": "Level"},
    ),
    (
        dt.Variant(dt.LOCALIZEDTEXT, dt.LocalizedText(None, "Level")),
        {"Text": "Level"},
        {"Locale": "", "Text": "Level"},
    ),
    (
        dt.Variant(dt.LOCALIZEDTEXT, dt.LocalizedText(None, None)),
        {},
        {"Locale": "", "Text": ""},
    ),
    (
        dt.Variant(dt.EXTENSIONOBJECT, EXTENSION),
        {"TypeId": "nsu=urn:demo:plant;i=5001", "Body": {"Low": 0.0, "High": 100.5}},
        {
            "TypeId": {"IdType": "0", "Id": "5001", "Namespace": "2"},
            "Body": {"Low": "0", "High": "100.5"},
        },
    ),
    (
        dt.Variant(dt.EXTENSIONOBJECT, dt.ExtensionObject(NODE, b"\x00\xff")),
        {"TypeId": "nsu=urn:demo:plant;s=Name", "Encoding": 1, "Body": "AP8="},
        {
            "TypeId": {"IdType": "1", "Id": "Name", "Namespace": "2"},
            "Encoding": "1",
            "Body": "AP8=",
        },
    ),
    (
        dt.Variant(dt.EXTENSIONOBJECT, dt.ExtensionObject(dt.NodeId(0, 9), "<a/>")),
        {"TypeId": "i=9", "Encoding": 2, "Body": "<a/>"},
        {
            "TypeId": {"IdType": "0", "Id": "9", "Namespace": "0"},
            "Encoding": "2",
            "Body": "<a/>",
        },
    ),
    (dt.Variant(dt.EXTENSIONOBJECT, None), None, ""),
    (
        dt.Variant(dt.DATAVALUE, dt.DataValue(dt.Variant(dt.INT32, 5), 0, TICKS)),
        {"Value": {"Type": 6, "Body": 5}, "SourceTimestamp": TIME},
        {"Value": {"Type": "6", "Body": "5"}, "SourceTimestamp": TIME},
    ),
    (dt.Variant(dt.DATAVALUE, dt.DataValue(None)), {}, ""),
    (
        dt.Variant(dt.VARIANT, [dt.Variant(dt.BOOLEAN, True), None], True),
        [{"Type": 1, "Body": True}, None],
        [{"Type": "1", "Body": "true"}, ""],
    ),
    (
        dt.Variant(dt.DIAGNOSTICINFO, dt.DiagnosticInfo(1, 2, 3, 4, "x", 5, dt.DiagnosticInfo(6))),
        {
            "SymbolicId": 1,
            "NamespaceUri": 2,
            "LocalizedText": 3,
            "Locale": 4,
            "AdditionalInfo": "x",
            "InnerStatusCode": 5,
            "InnerDiagnosticInfo": {"SymbolicId": 6},
        },
        {
            "SymbolicId": "1",
            "NamespaceUri": "2",
            "LocalizedText": "3",
            "Locale": "4",
            "AdditionalInfo": "x",
            "InnerStatusCode": "5",
            "InnerDiagnosticInfo": {"SymbolicId": "6"},
        },
    ),
    (dt.Variant(dt.DOUBLE, [1.5, math.nan, 3.0], True), [1.5, "NaN", 3.0], ["1.5", "nan", "3"]),
    (dt.Variant(dt.INT64, [1, 2**62], True), ["1", str(2**62)], ["1", str(2**62)]),
    (dt.Variant(dt.STRING, ["a", None], True), ["a", None], ["a", ""]),
    (
        dt.Variant(dt.LOCALIZEDTEXT, [dt.LocalizedText(None, "x")], True),
        [{"Text": "x"}],
        [{"Locale": "", "Text": "x"}],
    ),
    (dt.Variant(dt.DOUBLE, [], True), [], ""),
    (dt.Variant(dt.DOUBLE, None, True), None, ""),
    (dt.Variant(dt.LOCALIZEDTEXT, None, True), None, ""),
]


@pytest.mark.parametrize("variant, typed, string", TABLE)
def test_a_body_is_written_as_the_value_table_says(variant, typed, string):
    for dialect, body, type_id in (
        (TYPED, typed, variant.type),
        (STRING, string, str(variant.type)),
    ):
        written = json.loads(value_text(variant, NAMESPACES, dialect))
        assert same(written, {"Type": type_id, "Body": body})
        assert out(dt.DataValue(variant), dialect) == {"Value": written}


@pytest.mark.parametrize("variant, typed, string", TABLE)
def test_what_is_written_is_accepted_as_input_in_both_dialects(variant, typed, string):
    shape = dt.ValueType(variant.type, variant.is_array)
    for body in (typed, string):
        value = {"Type": variant.type, "Body": body}
        taken = written_value(value, shape, NAMESPACES, DEFINITIONS.get)
        # In the string dialect null, empty text and empty array look alike.
        if '""' not in json.dumps(body):
            assert same(taken, dt.DataValue(variant))


def test_a_matrix_is_the_flat_array_plus_dimensions():
    matrix = dt.Variant(dt.INT32, [1, 2, 3, 4, 5, 6], True, (2, 3))
    assert value_text(matrix, NAMESPACES, TYPED) == (
        '{"Type":6,"Body":[1,2,3,4,5,6],"Dimensions":[2,3]}'
    )
    assert value_text(matrix, NAMESPACES, STRING) == (
        '{"Type":"6","Body":["1","2","3","4","5","6"],"Dimensions":["2","3"]}'
    )


def test_members_come_in_the_order_of_the_contract_and_only_where_there_is_something():
    dv = dt.DataValue(dt.Variant(dt.DOUBLE, 20.5), 0x40920000, TICKS, TICKS + 1, 12, 13)
    assert data_value_members(dv, NAMESPACES, TYPED) == (
        '"Value":{"Type":11,"Body":20.5},'
        '"Status":1083310080,"Symbol":"UncertainInitialValue",'
        '"SourceTimestamp":"2025-11-22T10:00:00.123456Z","SourcePicoseconds":12,'
        '"ServerTimestamp":"2025-11-22T10:00:00.1234561Z","ServerPicoseconds":13'
    )
    assert data_value_members(dv, NAMESPACES, STRING) == (
        '"Value":{"Type":"11","Body":"20.5"},'
        '"Status":"1083310080","Symbol":"UncertainInitialValue",'
        '"SourceTimestamp":"2025-11-22T10:00:00.123456Z","SourcePicoseconds":"12",'
        '"ServerTimestamp":"2025-11-22T10:00:00.1234561Z","ServerPicoseconds":"13"'
    )
    good = data_value_members(dt.DataValue(dt.Variant(dt.INT32, 1)), NAMESPACES, TYPED)
    assert good == '"Value":{"Type":6,"Body":1}'


@pytest.mark.parametrize("dialect", [TYPED, STRING])
def test_a_null_variant_has_no_value_and_an_empty_data_value_no_members(dialect):
    assert data_value_members(dt.DataValue(None), NAMESPACES, dialect) == ""
    assert out(dt.DataValue(None, 0, TICKS), dialect) == {"SourceTimestamp": TIME}


def test_a_bad_value_says_status_code_and_reason_and_may_keep_its_last_value():
    dv = dt.DataValue(dt.Variant(dt.INT32, 5), status_codes.code("BadSensorFailure"))
    assert out(dv, TYPED) == {
        "Value": {"Type": 6, "Body": 5},
        "Status": 0x808C0000,
        "Symbol": "BadSensorFailure",
        "StatusCode": "BadSensorFailure",
        "Reason": status_codes.reason(0x808C0000),
    }
    members = data_value_members(dv, NAMESPACES, STRING, reason='the cable "A" is cut')
    assert json.loads("{%s}" % members)["Reason"] == 'the cable "A" is cut'


def test_an_overflow_on_a_good_value_shows_in_the_status_and_nowhere_else():
    dv = dt.DataValue(dt.Variant(dt.INT32, 5), status_codes.OVERFLOW)
    assert out(dv, TYPED) == {"Value": {"Type": 6, "Body": 5}, "Status": 1152, "Symbol": "Good"}


def test_text_with_a_lone_surrogate_stays_ascii():
    text = value_text(dt.Variant(dt.STRING, "a\ud800\U0001f600"), NAMESPACES, TYPED)
    assert text == '{"Type":12,"Body":"a\\ud800\\ud83d\\ude00"}'


def test_every_scalar_of_the_string_dialect_is_a_json_string_at_every_depth():
    def check(value):
        assert isinstance(value, (str, list, dict))
        for inner in value.values() if isinstance(value, dict) else value:
            if not isinstance(value, str):
                check(inner)

    for variant, _, _ in TABLE:
        check(out(dt.DataValue(variant, 0x80000000, TICKS, TICKS, 1, 2), STRING))


def test_an_index_into_another_servers_namespaces_is_not_named_by_ours():
    variant = dt.Variant(dt.EXPANDEDNODEID, dt.NodeId(2, 1, None, 4))
    assert json.loads(value_text(variant, NAMESPACES, TYPED))["Body"] == "svr=4;ns=2;i=1"


# --- properties -----------------------------------------------------------------------------

identifiers = st.one_of(
    st.integers(0, 2**32 - 1), st.text(min_size=1), st.uuids(), st.binary(max_size=20)
)
node_ids = st.builds(dt.NodeId, st.integers(0, 65535), identifiers, st.none(), st.just(0))
small_node_ids = st.builds(dt.NodeId, st.integers(0, 3), identifiers, st.none(), st.just(0))
uris = st.text(min_size=1).map("urn:".__add__).filter(lambda uri: uri not in NAMESPACES)
expanded_node_ids = st.one_of(
    small_node_ids,
    st.builds(dt.NodeId, st.just(0), identifiers, uris, st.integers(0, 2**32 - 1)),
    st.builds(dt.NodeId, st.integers(0, 65535), identifiers, st.none(), st.integers(1, 2**32 - 1)),
)
END_OF_TIME = 2**63 - 1
LAST_TICKS = parse_timestamp("9999-12-31T23:59:58.9999999Z")
times = st.one_of(st.just(0), st.integers(1, LAST_TICKS), st.just(END_OF_TIME))
statuses = st.one_of(
    st.integers(0, 2**32 - 1), st.sampled_from(sorted(status_codes.CODES.values()))
)
doubles = st.floats()


class Same:
    """Strategies for values whose form in *dialect* says everything about them."""

    def __init__(self, dialect):
        self.null = st.none() if dialect == TYPED else st.nothing()
        self.text = st.text() | self.null
        self.dialect = dialect

    def scalar(self, type_id, depth=0):
        if type_id in dt.INTEGER_RANGES:
            return st.integers(*dt.INTEGER_RANGES[type_id])
        if type_id == dt.EXTENSIONOBJECT:
            return self.extension_objects(depth)
        if type_id == dt.DATAVALUE:
            return self.data_values(depth)
        if type_id == dt.VARIANT:
            return st.none() | self.nested(depth)
        return {
            dt.BOOLEAN: st.booleans(),
            dt.FLOAT: st.floats(width=32),
            dt.DOUBLE: doubles,
            dt.STRING: self.text,
            dt.DATETIME: times,
            dt.GUID: st.uuids(),
            dt.BYTESTRING: st.binary() | self.null,
            dt.XMLELEMENT: self.text,
            dt.NODEID: small_node_ids | node_ids,
            dt.EXPANDEDNODEID: expanded_node_ids,
            dt.STATUSCODE: statuses,
            dt.QUALIFIEDNAME: st.builds(
                dt.QualifiedName,
                st.integers(0, 3) | st.integers(0, 65535),
                self.text,
            ),
            dt.LOCALIZEDTEXT: st.builds(dt.LocalizedText, self.text, self.text),
            dt.DIAGNOSTICINFO: diagnostic_infos,
        }[type_id]

    def arrays(self, type_id, depth=0, least=0):
        items = st.lists(self.scalar(type_id, depth), min_size=least, max_size=5)
        return st.builds(dt.Variant, st.just(type_id), items, st.just(True), st.none())

    def matrices(self, type_id):
        shapes = st.lists(st.integers(0, 3), min_size=2, max_size=3).map(tuple)
        return shapes.flatmap(
            lambda shape: st.builds(
                dt.Variant,
                st.just(type_id),
                st.lists(
                    self.scalar(type_id, 1), min_size=math.prod(shape), max_size=math.prod(shape)
                ),
                st.just(True),
                st.just(shape),
            )
        )

    def scalars(self, type_id, depth=0):
        value = self.scalar(type_id, depth)
        return st.builds(dt.Variant, st.just(type_id), value, st.just(False), st.none())

    def nested(self, depth):
        """Variants within others: there an empty array of texts looks like an empty text."""
        kinds = [t for t in dt.TYPE_NAMES if t < dt.EXTENSIONOBJECT]
        if depth < 2:
            kinds += [dt.EXTENSIONOBJECT, dt.DATAVALUE]
        return st.sampled_from(kinds).flatmap(
            lambda kind: self.scalars(kind, depth + 1) | self.arrays(kind, depth + 1, least=1)
        )

    def data_values(self, depth):
        variants = st.none() | self.nested(depth)
        picoseconds = st.integers(0, 9999)
        return st.builds(dt.DataValue, variants, statuses, times, times, picoseconds, picoseconds)

    def spans(self):
        return st.builds(span, doubles, doubles)

    def structures(self, depth):
        optional = st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.none() | self.text.filter(lambda text: text is not None),
            st.none() | st.lists(st.integers(-5, 5)),
        ).map(optional_structure)
        nested = st.builds(
            nested_structure, self.spans(), st.lists(self.spans(), max_size=2), self.nested(depth)
        )
        return st.one_of(
            st.builds(dt.ExtensionObject, st.just(RANGE_ID), self.spans()),
            st.builds(dt.ExtensionObject, st.just(OPTIONAL_ID), optional),
            st.builds(dt.ExtensionObject, st.just(NESTED_ID), nested),
        )

    def extension_objects(self, depth):
        bodies = st.none() | st.binary() | st.text()
        plain = st.none() | st.builds(dt.ExtensionObject, expanded_node_ids, bodies)
        return plain | self.structures(depth + 1) if depth < 2 else plain


def optional_structure(parts):
    number, note, tags = parts
    mask = (note is not None) | (tags is not None) << 3
    fields = [("Mask", dt.Variant(dt.UINT32, mask)), ("Id", dt.Variant(dt.INT64, number))]
    if note is not None:
        fields.append(("Note", dt.Variant(dt.STRING, note)))
    if tags is not None:
        fields.append(("Tags", dt.Variant(dt.INT32, tags, True)))
    return dt.Structure(tuple(fields))


def nested_structure(one, several, anything):
    return dt.Structure(
        (
            ("Span", dt.Variant(dt.EXTENSIONOBJECT, one)),
            ("Spans", dt.Variant(dt.EXTENSIONOBJECT, several, True)),
            ("Any", dt.Variant(dt.VARIANT, anything)),
        )
    )


def diagnostic_info(inner):
    number = st.none() | st.integers(-(2**31), 2**31 - 1)
    text, status = st.none() | st.text(), st.none() | statuses
    return st.builds(dt.DiagnosticInfo, number, number, number, number, text, status, inner)


diagnostic_infos = diagnostic_info(st.none() | diagnostic_info(st.none()))

VALUES = {
    dialect: {
        type_id: (
            Same(dialect).arrays(type_id)
            | Same(dialect).matrices(type_id)
            | (st.nothing() if type_id == dt.VARIANT else Same(dialect).scalars(type_id))
        )
        for type_id in dt.TYPE_NAMES
    }
    for dialect in (TYPED, STRING)
}


HEADER = {"MessageType": "READ_RESPONSE", "ClientHandle": "1"}
follows_the_contract = fastjsonschema.compile(contract.document("READ_RESPONSE.json"))


@pytest.mark.parametrize("dialect", [TYPED, STRING])
@pytest.mark.parametrize("type_id", dt.TYPE_NAMES, ids=dt.TYPE_NAMES.get)
@settings(deadline=None)
@given(data=st.data())
def test_what_is_written_out_follows_the_contract_and_reads_back(dialect, type_id, data):
    variant = data.draw(VALUES[dialect][type_id])
    rest = data.draw(st.tuples(statuses, times, times, st.integers(0, 9999), st.integers(0, 9999)))
    dv = dt.DataValue(variant, *rest)
    expected = dt.ValueType(variant.type, variant.is_array)
    value = out(dv, dialect)
    follows_the_contract({"Header": HEADER, "Body": value})
    assert same(written_value(value, expected, NAMESPACES, DEFINITIONS.get), dv)
    del value["Value"]["Type"]
    assert same(written_value(value, expected, NAMESPACES, DEFINITIONS.get), dv)


@settings(deadline=None)
@given(st.sampled_from(sorted(dt.TYPE_NAMES)))
def test_a_null_array_reads_back_as_one(type_id):
    dv = dt.DataValue(dt.Variant(type_id, None, True))
    assert written_value(out(dv, TYPED), dt.ValueType(type_id, True), NAMESPACES) == dv


@settings(deadline=None)
@given(VALUES[TYPED][dt.VARIANT])
def test_text_is_ascii_and_one_json_value_without_spaces_between_tokens(variant):
    text = value_text(variant, NAMESPACES, TYPED)
    assert text.isascii()
    assert json.dumps(json.loads(text), separators=(",", ":")).count(",") == text.count(",")
