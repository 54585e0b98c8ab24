"""What a client may write, and the sentence it gets for what it may not."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.model import data_types as dt
from opcws.model.errors import ValueRejected
from opcws.ua.encoding import codec
from opcws.wire.timestamps import parse_timestamp
from opcws.wire.values_from_json import says_type, written_value
from opcws.wire.values_to_json import STRING, TYPED

from ..support.sample_values import (
    GUID,
    NAMESPACES,
    NODE,
    RANGE_ID,
    TICKS,
    TIME,
    out,
    read,
    rejection,
    same,
)

# --- what a client may write ----------------------------------------------------------------


NOON = parse_timestamp("2026-11-22T12:00:00Z")


@pytest.mark.parametrize(
    "value, type_id, taken",
    [
        (20.5, dt.DOUBLE, 20.5),
        ({"Body": 20.5}, dt.DOUBLE, 20.5),
        ({"Value": {"Body": 20.5}}, dt.DOUBLE, 20.5),
        ({"Value": 20.5}, dt.DOUBLE, 20.5),
        ({"Type": 11, "Body": 20.5}, 0, 20.5),
        ({"Type": "11", "Body": 20.5}, 0, 20.5),
        ({"Type": "Double", "Body": 20.5}, 0, 20.5),
        ({"Type": "", "Body": 20.5}, dt.DOUBLE, 20.5),
        (20, dt.DOUBLE, 20.0),
        ("20.5", dt.DOUBLE, 20.5),
        ("-30", dt.DOUBLE, -30.0),
        ("1e3", dt.DOUBLE, 1000.0),
        ("NaN", dt.DOUBLE, math.nan),
        ("nan", dt.FLOAT, math.nan),
        ("-inf", dt.DOUBLE, -math.inf),
        ("Infinity", dt.FLOAT, math.inf),
        ("-0", dt.DOUBLE, -0.0),
        (0.1, dt.DOUBLE, 0.1),
        (0.1, dt.FLOAT, 0.10000000149011612),
        (2**53, dt.DOUBLE, 2.0**53),
        (2**60, dt.DOUBLE, 2.0**60),
        (1152921504606847000, dt.DOUBLE, 2.0**60),  # what JavaScript prints for 2**60
        (268435460, dt.FLOAT, 2.0**28),  # what opcws prints for this float
        ("true", dt.BOOLEAN, True),
        ("0", dt.BOOLEAN, False),
        (5.0, dt.INT32, 5),
        (9007199254740991.0, dt.INT64, 2**53 - 1),
        ("-20", dt.INT32, -20),
        ("555", dt.UINT16, 555),
        (2**62, dt.INT64, 2**62),
        (str(2**64 - 1), dt.UINT64, 2**64 - 1),
        ("", dt.STRING, ""),
        (None, dt.STRING, None),
        (None, dt.BYTESTRING, None),
        (None, dt.XMLELEMENT, None),
        ("2026-11-22T13:00:00+01:00", dt.DATETIME, NOON),
        ("nsu=urn:demo:plant;s=Name", dt.NODEID, NODE),
        ("ns=2;s=Name", dt.NODEID, NODE),
        ({"Body": {"IdType": 1, "Id": "Name", "Namespace": 2}}, dt.NODEID, NODE),
        ({"Body": {"Id": 5}}, dt.NODEID, dt.NodeId(0, 5)),
        ({"Body": {"Id": 5.0, "IdType": 0.0, "Namespace": 1.0}}, dt.NODEID, dt.NodeId(1, 5)),
        ({"Body": {"Id": 5, "IdType": None, "Namespace": None}}, dt.NODEID, dt.NodeId(0, 5)),
        ({"Body": {"Code": None, "Symbol": "BadNodeIdUnknown"}}, dt.STATUSCODE, 0x80340000),
        ({"Body": {"Code": 2150891520.0, "Symbol": None}}, dt.STATUSCODE, 0x80340000),
        ({"Body": {"Name": "N", "Uri": 2.0}}, dt.QUALIFIEDNAME, dt.QualifiedName(2, "N")),
        ({"Body": {"Name": "N", "Uri": None}}, dt.QUALIFIEDNAME, dt.QualifiedName(0, "N")),
        ({"Body": {"Locale": None, "Text": "x"}}, dt.LOCALIZEDTEXT, dt.LocalizedText(None, "x")),
        ({"Type": 6.0, "Body": 5}, dt.INT32, 5),
        ({"Type": None, "Body": 5, "Dimensions": None}, dt.INT32, 5),
        ({"Body": {"Id": "5", "Namespace": "urn:server"}}, dt.NODEID, dt.NodeId(1, 5)),
        ("nsu=urn:elsewhere;i=1", dt.EXPANDEDNODEID, dt.NodeId(0, 1, "urn:elsewhere")),
        (0x80340000, dt.STATUSCODE, 0x80340000),
        ("2150891520", dt.STATUSCODE, 0x80340000),
        ("BadNodeIdUnknown", dt.STATUSCODE, 0x80340000),
        ({"Body": {"Code": 0x80340000}}, dt.STATUSCODE, 0x80340000),
        ({"Body": {"Symbol": "BadNodeIdUnknown"}}, dt.STATUSCODE, 0x80340000),
        ({"Body": {"Name": "N", "Uri": 2}}, dt.QUALIFIEDNAME, dt.QualifiedName(2, "N")),
        ({"Body": {"Name": "N", "Uri": ""}}, dt.QUALIFIEDNAME, dt.QualifiedName(0, "N")),
        ({"Body": {"Name": "N", "NamespaceIndex": 2}}, dt.QUALIFIEDNAME, dt.QualifiedName(2, "N")),
        (
            {"Body": {"Name": "N", "Uri": "2", "NamespaceIndex": "2"}},
            dt.QUALIFIEDNAME,
            dt.QualifiedName(2, "N"),
        ),
        (
            {"Body": {"Name": "N", "Uri": "", "NamespaceIndex": None}},
            dt.QUALIFIEDNAME,
            dt.QualifiedName(0, "N"),
        ),
        ({"Body": {"Text": "x"}}, dt.LOCALIZEDTEXT, dt.LocalizedText(None, "x")),
    ],
)
def test_a_scalar_is_taken_in_every_form_of_the_contract(value, type_id, taken):
    variant = read(value, type_id).value
    assert same(variant.value, taken)
    assert not variant.is_array


@pytest.mark.parametrize(
    "value, taken",
    [
        ([1, "2", 3.0], [1, 2, 3]),
        ({"Body": [1, 2]}, [1, 2]),
        ([], []),
        ("", []),
        ({"Body": ""}, []),
        ({"Type": 6, "Body": ""}, []),
        (None, None),
        ({"Body": None}, None),
    ],
)
def test_an_array_is_taken_in_every_form_of_the_contract(value, taken):
    assert read(value, dt.INT32, True) == dt.DataValue(dt.Variant(dt.INT32, taken, True))


def test_an_empty_text_is_an_empty_array_of_strings_where_the_variable_is_one():
    assert read("", dt.STRING, True).value == dt.Variant(dt.STRING, [], True)
    assert read("", dt.STRING).value == dt.Variant(dt.STRING, "")


def test_dimensions_make_a_matrix_and_a_single_one_adds_nothing():
    assert read({"Body": [1, 2], "Dimensions": ["2", 1]}, dt.INT32, True).value == (
        dt.Variant(dt.INT32, [1, 2], True, (2, 1))
    )
    assert read({"Body": "", "Dimensions": [0, 3]}, dt.INT32).value == (
        dt.Variant(dt.INT32, [], True, (0, 3))
    )
    assert read({"Body": [1, 2], "Dimensions": [2]}, dt.INT32).value.dimensions is None


def test_with_a_type_the_value_is_what_the_client_says_whatever_the_variable_is():
    assert read({"Type": "Int32", "Body": 5}, dt.DOUBLE, True).value == dt.Variant(dt.INT32, 5)
    assert read({"Type": "Int32", "Body": [5]}, dt.DOUBLE, False).value == (
        dt.Variant(dt.INT32, [5], True)
    )
    assert read({"Type": 0, "Body": None}, dt.DOUBLE) == dt.DataValue(None)


def test_status_and_timestamps_are_taken_only_if_they_are_given():
    assert read({"Value": {"Body": 1}}, dt.INT32) == dt.DataValue(dt.Variant(dt.INT32, 1))
    assert read(
        {
            "Value": {"Body": 1},
            "Status": "1083310080",
            "SourceTimestamp": TIME,
            "SourcePicoseconds": "12",
            "ServerTimestamp": "",
            "ServerPicoseconds": 9999,
        },
        dt.INT32,
    ) == dt.DataValue(dt.Variant(dt.INT32, 1), 0x40920000, TICKS, 0, 12, 9999)
    assert read({"Value": 1, "Status": "BadNoData"}, dt.INT32).status == 0x809B0000
    assert read({"Value": 1, "Symbol": "BadNoData"}, dt.INT32).status == 0x809B0000


def test_a_mask_of_optional_fields_is_computed_or_must_say_the_truth():
    body = {"Id": 1, "Tags": [7]}
    value = {"TypeId": "nsu=urn:demo:plant;s=Optional", "Body": body}
    structure = read({"Type": 22, "Body": value}).value.value.body
    assert [(name, field.value) for name, field in structure.fields] == [
        ("Mask", 8),
        ("Id", 1),
        ("Tags", [7]),
    ]
    body["Mask"] = 9
    status, reason = rejection({"Type": 22, "Body": value})
    assert (status, reason) == (
        "BadTypeMismatch",
        "Body.Value.Body.Body: Mask is 9 but must be 8 for the fields that are given; leave it out",
    )


MISMATCH, RANGE_ERROR = "BadTypeMismatch", "BadOutOfRange"


@pytest.mark.parametrize(
    "value, type_id, status, reason",
    [
        (20.5, dt.INT32, MISMATCH, "Body.Value: expected an Int32 (a whole number from"),
        ("5.0", dt.INT32, MISMATCH, "an Int32"),
        ("+5", dt.INT32, MISMATCH, "an Int32"),
        ("1e3", dt.INT32, MISMATCH, "an Int32"),
        ("", dt.INT32, MISMATCH, "an Int32"),
        (" 5", dt.INT32, MISMATCH, "an Int32"),
        ("\u0665", dt.INT32, MISMATCH, "an Int32"),
        (True, dt.INT32, MISMATCH, "got true"),
        (None, dt.INT32, MISMATCH, "got null"),
        (2**31, dt.INT32, RANGE_ERROR, "from -2147483648 to 2147483647), got 2147483648"),
        ("128", dt.SBYTE, RANGE_ERROR, "an SByte"),
        (-1, dt.UINT64, RANGE_ERROR, "a UInt64"),
        (2**63, dt.INT64, RANGE_ERROR, "an Int64"),
        (1e300, dt.INT64, RANGE_ERROR, "an Int64"),
        (math.inf, dt.INT64, RANGE_ERROR, "an Int64"),
        ("9" * 5000, dt.INT64, RANGE_ERROR, "an Int64"),
        (10**3000, dt.INT64, RANGE_ERROR, "a number of some 3000 digits"),
        (1, dt.BOOLEAN, MISMATCH, "a Boolean (true or false), got 1"),
        ("yes", dt.BOOLEAN, MISMATCH, "a Boolean"),
        (None, dt.BOOLEAN, MISMATCH, "a Boolean"),
        (True, dt.DOUBLE, MISMATCH, "a Double (a number), got true"),
        ("", dt.DOUBLE, MISMATCH, "a Double"),
        ("0x10", dt.DOUBLE, MISMATCH, "a Double"),
        ("1_000", dt.DOUBLE, MISMATCH, "a Double"),
        (" 1", dt.DOUBLE, MISMATCH, "a Double"),
        ({"Body": {}}, dt.DOUBLE, MISMATCH, "Body.Value.Body: expected a Double"),
        (2**53 + 1, dt.DOUBLE, RANGE_ERROR, "cannot hold all digits of 9007199254740993"),
        (str(2**53 + 1), dt.DOUBLE, RANGE_ERROR, "cannot hold all digits"),
        (2**24 + 1, dt.FLOAT, RANGE_ERROR, "cannot hold all digits of 16777217"),
        (json.loads("9007199254740993.0"), dt.INT64, RANGE_ERROR, "without point and exponent"),
        (-1e18, dt.INT64, RANGE_ERROR, "without point and exponent"),
        (10**400, dt.DOUBLE, RANGE_ERROR, "a Double"),
        ("1e999", dt.DOUBLE, RANGE_ERROR, "a Double"),
        ("1e-999", dt.DOUBLE, RANGE_ERROR, "a Double"),
        (math.inf, dt.DOUBLE, RANGE_ERROR, "a Double"),
        ("9" * 5000, dt.DOUBLE, RANGE_ERROR, "a Double"),
        (1e39, dt.FLOAT, RANGE_ERROR, ": 1e+39 is too large for a Float (at most 3.4028235e+38)"),
        (
            "1e300",
            dt.FLOAT,
            RANGE_ERROR,
            ": 1e300 is too large for a Float (at most 3.4028235e+38)",
        ),
        (-1e39, dt.FLOAT, RANGE_ERROR, "-1e+39 is too low for a Float (at least -3.4028235e+38)"),
        (
            -(10**400),
            dt.DOUBLE,
            RANGE_ERROR,
            "some 400 digits is too low for a Double (at least -1",
        ),
        ("-" + "9" * 5000, dt.FLOAT, RANGE_ERROR, "-9999999999"),
        (math.inf, dt.FLOAT, RANGE_ERROR, "above 1.7976931348623157e+308 is too large for a Float"),
        (
            -math.inf,
            dt.INT16,
            RANGE_ERROR,
            "to 32767), got a number below -1.7976931348623157e+308",
        ),
        (1e-60, dt.FLOAT, RANGE_ERROR, "1e-60 is too close to 0 for a Float (1e-45 at least)"),
        ("-1e-999", dt.DOUBLE, RANGE_ERROR, "-1e-999 is too close to 0 for a Double (5e-324 at"),
        ("NaN", dt.INT16, MISMATCH, "a whole number from -32768 to 32767), got 'NaN'"),
        (5, dt.STRING, MISMATCH, "a String, got 5"),
        (True, dt.STRING, MISMATCH, "a String, got true"),
        ("a\ud800", dt.STRING, MISMATCH, "surrogate"),
        (5, dt.DATETIME, MISMATCH, "a DateTime"),
        ("soon", dt.DATETIME, MISMATCH, "a DateTime"),
        ("2016-12-31T23:59:60Z", dt.DATETIME, RANGE_ERROR, "leap second"),
        ("1200-01-01", dt.DATETIME, RANGE_ERROR, "1601"),
        ("{%s}" % GUID, dt.GUID, MISMATCH, "a Guid"),
        (None, dt.GUID, MISMATCH, "a Guid"),
        ("AP8", dt.BYTESTRING, MISMATCH, "base64"),
        ("A P8=", dt.BYTESTRING, MISMATCH, "base64"),
        ("\u00e4", dt.BYTESTRING, MISMATCH, "base64"),
        ("Name", dt.NODEID, MISMATCH, "expected a NodeId such as"),
        (5, dt.NODEID, MISMATCH, "a NodeId"),
        ("s=\ud800", dt.NODEID, MISMATCH, "surrogate"),
        ("svr=1;i=5", dt.NODEID, MISMATCH, "a NodeId"),
        ("nsu=urn:gone;i=5", dt.NODEID, RANGE_ERROR, "no namespace 'urn:gone'"),
        ({"Body": {"Id": "x"}}, dt.NODEID, MISMATCH, "after 'i='"),
        ({"Body": {"IdType": 4, "Id": 1}}, dt.NODEID, MISMATCH, "Body.Value.Body.IdType"),
        ({"Body": {"Id": 1, "Namespace": 65536}}, dt.NODEID, RANGE_ERROR, ".Namespace: "),
        ({"Body": {"ID": 1}}, dt.NODEID, MISMATCH, "unknown member 'ID'"),
        ("BadHairDay", dt.STATUSCODE, MISMATCH, "a StatusCode"),
        (2**32, dt.STATUSCODE, RANGE_ERROR, "4294967295"),
        ({"Body": {}}, dt.STATUSCODE, MISMATCH, "a StatusCode"),
        ({"Body": {"Code": 0, "Symbol": "Bad"}}, dt.STATUSCODE, MISMATCH, "is Good, not Bad"),
        ("Name", dt.QUALIFIEDNAME, MISMATCH, '{"Name": "...", "Uri": "..."}'),
        ({"Body": {"Name": "x", "Uri": "urn:gone"}}, dt.QUALIFIEDNAME, RANGE_ERROR, ".Uri: "),
        (
            {"Body": {"Name": "x", "Uri": "2", "NamespaceIndex": 0}},
            dt.QUALIFIEDNAME,
            MISMATCH,
            "Uri is that of namespace 2, NamespaceIndex is 0",
        ),
        ({"Body": {"NamespaceIndex": "x"}}, dt.QUALIFIEDNAME, MISMATCH, ".NamespaceIndex: "),
        ({"Body": {"NamespaceIndex": 65536}}, dt.QUALIFIEDNAME, RANGE_ERROR, ".NamespaceIndex: "),
        ("Level", dt.LOCALIZEDTEXT, MISMATCH, '{"Locale": "en", "Text": "..."}'),
        ({"Body": {"Text": 5}}, dt.LOCALIZEDTEXT, MISMATCH, "Body.Value.Body.Text: "),
        ({"Locale": "en"}, dt.LOCALIZEDTEXT, MISMATCH, 'put the value itself into "Body"'),
        ({}, dt.DOUBLE, MISMATCH, '"Body" is missing'),
        ({"Type": 11}, 0, MISMATCH, '"Body" is missing'),
        ({"Type": 26, "Body": 1}, 0, MISMATCH, "Body.Value.Type: "),
        ({"Type": "double", "Body": 1}, 0, MISMATCH, "built-in type"),
        ({"Type": True, "Body": 1}, 0, MISMATCH, "built-in type"),
        ({"Type": 11.5, "Body": 1}, 0, MISMATCH, "built-in type"),
        ({"Type": 11, "Body": 1, "Dim": 1}, 0, MISMATCH, "unknown member 'Dim'"),
        ({"Type": 0, "Body": 1}, 0, MISMATCH, "give a Type"),
        (5, 0, MISMATCH, "give a Type"),
        (None, 0, MISMATCH, "give a Type"),
        ([5], 0, MISMATCH, "give a Type"),
        ({"Body": 5}, 0, MISMATCH, "give a Type"),
        (5, dt.VARIANT, MISMATCH, "give a Type"),
        ({"Body": 5}, dt.VARIANT, MISMATCH, "give a Type"),
        ({"Value": 5, "Stat": 1}, dt.INT32, MISMATCH, "unknown member 'Stat'"),
        ({"Value": 5, "Status": -1}, dt.INT32, RANGE_ERROR, "Body.Value.Status: "),
        ({"Value": 5, "Status": 0, "Symbol": "Bad"}, dt.INT32, MISMATCH, "is Good, not Bad"),
        ({"Value": 5, "SourceTimestamp": "x"}, dt.INT32, MISMATCH, "Body.Value.SourceTimestamp"),
        ({"Value": 5, "ServerPicoseconds": 10000}, dt.INT32, RANGE_ERROR, "0 to 9999"),
        ({"Value": {"Body": "x"}}, dt.INT32, MISMATCH, "Body.Value.Value.Body: "),
    ],
)
def test_a_scalar_that_does_not_fit_is_rejected_with_path_and_expected_type(
    value, type_id, status, reason
):
    found = rejection(value, type_id, False)
    assert found[0] == status
    assert reason in found[1]


@pytest.mark.parametrize(
    "value, is_array, status, reason",
    [
        ([5], False, MISMATCH, "Body.Value: expected one Int32, not an array"),
        (5, True, MISMATCH, "Body.Value: expected an array of Int32, got 5"),
        ({"Body": 5}, True, MISMATCH, "expected an array of Int32, got 5"),
        ([1, 2, "x"], True, MISMATCH, "Body.Value[2]: expected an Int32"),
        ({"Body": [1, 2**31]}, True, RANGE_ERROR, "Body.Value.Body[1]: "),
        ([1, None], True, MISMATCH, "Body.Value[1]: "),
        ([[1, 2], [3, 4]], True, MISMATCH, "a matrix is the flat array plus Dimensions"),
        (
            {"Body": [1, 2, 3], "Dimensions": [2, 2]},
            True,
            MISMATCH,
            "has 4 elements, but Body has 3",
        ),
        ({"Body": [1], "Dimensions": [-1, -1]}, True, RANGE_ERROR, "Body.Value.Dimensions[0]: "),
        ({"Body": [1], "Dimensions": 1}, True, MISMATCH, "Body.Value.Dimensions: "),
        ({"Body": 1, "Dimensions": [1]}, False, MISMATCH, "an array with Dimensions"),
        ({"Type": 6, "Body": 1, "Dimensions": [1]}, None, MISMATCH, "an array with Dimensions"),
        ({"Body": "", "Dimensions": [2, 2]}, True, MISMATCH, "has 4 elements, but Body has 0"),
    ],
)
def test_an_array_that_does_not_fit_is_rejected_with_path_and_expected_type(
    value, is_array, status, reason
):
    found = rejection(value, dt.INT32, is_array)
    assert found[0] == status
    assert reason in found[1]


POINT = "nsu=urn:demo:plant;i=5001"


@pytest.mark.parametrize(
    "body, status, reason",
    [
        ("AP8=", MISMATCH, "an ExtensionObject"),
        ({"Body": {}}, MISMATCH, '"TypeId" is missing'),
        ({"TypeId": "x", "Body": {}}, MISMATCH, "Body.Value.Body.TypeId: "),
        ({"TypeId": POINT, "Body": None}, MISMATCH, '"Body" is null'),
        ({"TypeId": POINT, "Encoding": 1}, MISMATCH, '"Body" is null or missing'),
        ({"TypeId": POINT, "Encoding": 3, "Body": ""}, MISMATCH, ".Encoding: expected 1"),
        ({"TypeId": POINT, "Encoding": 1, "Body": "A"}, MISMATCH, "base64"),
        ({"TypeId": "i=1", "Body": {}}, MISMATCH, '"Encoding": 1'),
        ({"TypeId": POINT, "Body": "AP8="}, MISMATCH, 'base64 needs "Encoding": 1'),
        ({"TypeId": POINT, "Body": {"Low": 1}}, MISMATCH, "High, a field of Range, is missing"),
        (
            {"TypeId": POINT, "Body": {"Low": 1, "High": 2, "Hihg": 3}},
            MISMATCH,
            "unknown member 'Hihg'; the fields of Range are Low, High",
        ),
        ({"TypeId": POINT, "Body": {"Low": 1, "High": True}}, MISMATCH, "Body.Body.High: expected"),
        (
            {"TypeId": "nsu=urn:demo:plant;s=Optional", "Body": {"Id": 1, "Tags": 5}},
            MISMATCH,
            "Body.Body.Tags: expected an array of Int32, got 5",
        ),
        (
            {"TypeId": "nsu=urn:demo:plant;s=Optional", "Body": {"Id": 1, "Tags": [1, 2**40]}},
            RANGE_ERROR,
            "Body.Value.Body.Body.Tags[1]: ",
        ),
    ],
)
def test_a_structure_that_does_not_fit_is_rejected_with_path_and_what_is_wrong(
    body, status, reason
):
    found = rejection({"Type": "ExtensionObject", "Body": body})
    assert found[0] == status
    assert reason in found[1]


def test_without_definitions_a_structure_can_still_be_written_as_bytes():
    nothing = dt.ValueType()
    value = {"Type": 22, "Body": {"TypeId": POINT, "Encoding": 1, "Body": "AP8="}}
    assert written_value(value, nothing, NAMESPACES).value.value == (
        dt.ExtensionObject(RANGE_ID, b"\x00\xff")
    )
    with pytest.raises(ValueRejected, match="not known here"):
        written_value({"Type": 22, "Body": {"TypeId": POINT, "Body": {}}}, nothing, NAMESPACES)


def nested_variants(depth):
    value = {"Type": 6, "Body": 1}
    for _ in range(depth):
        value = {"Type": 24, "Body": [value]}
    return value


def test_variants_nest_to_a_bounded_depth():
    assert read(nested_variants(32)).value.is_array
    status, reason = rejection(nested_variants(33))
    assert status == RANGE_ERROR
    assert "more than 32 levels deep" in reason
    assert rejection(nested_variants(200))[0] == RANGE_ERROR


def test_the_path_begins_where_the_value_lies():
    with pytest.raises(ValueRejected, match=r"^Body\.Writes\[3\]\.Value\.Body\[1\]: "):
        written_value(
            {"Body": [1, "x"]}, dt.ValueType(dt.INT32), NAMESPACES, name="Writes[3].Value"
        )


def test_a_reason_stays_short_whatever_the_client_sends():
    for value in ("x" * 10**6, {"x" * 10**6: 1}, {"Type": "x" * 10**6, "Body": 1}, 10**3000):
        rejection(value, dt.BOOLEAN)
    rejection("nsu=" + "x" * 10**6 + ";i=1", dt.NODEID)


# --- anything at all ---

MEMBERS = (
    "Value Type Body Dimensions Status Symbol SourceTimestamp TypeId Encoding IdType Id Namespace"
    " Name Uri Text Locale Code Low High Mask Tags InnerDiagnosticInfo"
).split()
TEXTS = ["", "true", "5", "-1", "NaN", "i=5", "AP8=", TIME, str(GUID), POINT, "Bad"]
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 25)
    | st.floats()
    | st.text()
    | st.sampled_from(TEXTS)
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=3), inner, max_size=4)
        | st.fixed_dictionaries({"Type": st.integers(0, 25), "Body": inner})
    ),
    max_leaves=8,
)


@settings(max_examples=2000, deadline=None)
@given(anything, st.integers(0, 25), st.sampled_from([True, False, None]))
def test_any_json_is_either_written_or_rejected_with_a_reason(value, type_id, is_array):
    try:
        dv = read(value, type_id, is_array)
    except ValueRejected as rejected:
        assert rejected.status in (MISMATCH, RANGE_ERROR)
        assert rejected.reason.startswith("Body.Value")
    else:
        if dv.value is not None and is_array is not None and not isinstance(value, dict):
            assert dv.value.is_array == is_array
        for dialect in (TYPED, STRING):
            out(dv, dialect)
        assert codec.encode_data_value(dv)


def test_what_is_null_beside_a_value_says_nothing():
    members = ("Status", "Symbol", "SourceTimestamp", "SourcePicoseconds", "StatusCode", "Reason")
    value = {"Value": {"Body": 5}, **dict.fromkeys(members)}
    assert read(value, dt.INT32) == read({"Value": {"Body": 5}}, dt.INT32)
    assert not says_type({"Type": None, "Body": 5})
    matrix = {"Body": [1, 2], "Dimensions": [2.0, 1e0]}
    assert read(matrix, dt.INT32, True).value.dimensions == (2, 1)
