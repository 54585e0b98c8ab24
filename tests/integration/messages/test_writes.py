"""What a client may write, in which forms, and what is rejected rather than changed."""

from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Tuple

import pytest

from ... import support
from ...support import URI, Client, PlantProcess
from ...support.built_in_types import AWKWARD, SAMPLES
from ...support.wire_tap import Tap

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant


def read(client: Client, variable: str) -> Any:
    """The Value of a READ."""
    return client.body("READ", {"Variable": variable})["Value"]


# --- every type in every form -----------------------------------------------------------------

#: How the Value of a WRITE may be put, given the type's id, its name and the body.
FORMS: Dict[str, Callable[[int, str, Any], Any]] = {
    "DataValue": lambda index, name, body: {"Value": {"Type": index, "Body": body}},
    "DataValue with a numeric string": lambda index, name, body: {
        "Value": {"Body": body, "Type": str(index)}
    },
    "DataValue without a type": lambda index, name, body: {"Value": {"Body": body}},
    "short": lambda index, name, body: {"Type": index, "Body": body},
    "short with a numeric string": lambda index, name, body: {"Type": str(index), "Body": body},
    "short with a name": lambda index, name, body: {"Type": name, "Body": body},
    "short without a type": lambda index, name, body: {"Body": body},
    "bare": lambda index, name, body: body,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_built_in_type_is_written_in_every_form_of_both_dialects(
    client: Client, name: str
) -> None:
    sample = SAMPLES[name]
    variable = "Types." + name
    # Each write changes the value, so that none can be taken for the one before it.
    present = 0
    for bodies in (sample.typed, sample.string):
        for form, make in FORMS.items():
            present = 1 - present
            if form == "bare" and isinstance(bodies[present], dict):
                continue  # an object that is a value itself goes into Body
            client.write(variable, make(sample.index, name, bodies[present]))
            expected = {"Type": sample.index, "Body": sample.typed[present]}
            assert read(client, variable) == expected, form


@pytest.mark.parametrize("name", SAMPLES)
def test_an_array_of_every_built_in_type_is_written_in_every_form_of_both_dialects(
    client: Client, name: str
) -> None:
    sample = SAMPLES[name]
    variable = "Types.%sArray" % name
    orders = [(1, 0, 1), (0,), (), (1, 1)]
    turn = 0
    for bodies in (sample.typed, sample.string):
        for form, make in FORMS.items():
            turn = (turn + 1) % len(orders)
            written = [bodies[which] for which in orders[turn]]
            client.write(variable, make(sample.index, name, written))
            expected = [sample.typed[which] for which in orders[turn]]
            assert read(client, variable) == {"Type": sample.index, "Body": expected}, form


@pytest.mark.parametrize("name", AWKWARD)
def test_every_awkward_value_is_written_as_it_is_read_in_both_dialects(
    client: Client, name: str
) -> None:
    typed, string = AWKWARD[name]
    for value in (typed, {"Value": string}):
        client.write(name, value)
        if string["Body"] == "" and value is not typed:
            # What is empty in the string dialect may have been null: it is empty, of its type.
            back = read(client, name)
            assert back["Type"] == typed["Type"] and not back["Body"]
        elif value is typed:
            assert read(client, name) == typed
        else:
            assert _without_empty(read(client, name)) == _without_empty(typed)


def _without_empty(value: Any) -> Any:
    """A member that is null is empty in the string dialect, and so when it is written again."""
    if isinstance(value, list):
        return [_without_empty(each) for each in value]
    if isinstance(value, dict):
        return {key: _without_empty(each) for key, each in value.items() if each != ""}
    return value


@pytest.mark.parametrize(
    ("variable", "written", "read_back"),
    [
        ("Types.Int64", 2**53 + 1, str(2**53 + 1)),
        ("Types.Int64", -(2**63), str(-(2**63))),
        ("Types.Int64", "9223372036854775807", "9223372036854775807"),
        ("Types.UInt64", 2**64 - 1, str(2**64 - 1)),
        ("Types.Int32", 5.0, 5),
        ("Types.Double", 5, 5.0),
        ("Types.Double", "1e-300", 1e-300),
        ("Types.Double", "NaN", "NaN"),
        ("Types.Double", "-inf", "-Infinity"),
        ("Types.Float", "Infinity", "Infinity"),
        ("Types.Float", 3.4028235e38, 3.4028235e38),
        ("Types.Float", 1e-45, 1e-45),
        ("Types.Boolean", "true", True),
        ("Types.Boolean", "false", False),
        ("Types.String", None, None),
        ("Types.String", "a;b\u0000\U0001f600", "a;b\u0000\U0001f600"),
        ("Types.DateTime", "20261122T100000+0100", "2026-11-22T09:00:00Z"),
        ("Types.NodeId", "nsu=%s;s=a;b=c" % URI, "nsu=%s;s=a;b=c" % URI),
        ("Types.NodeId", {"Body": {"IdType": 0, "Id": 85}}, "i=85"),
        ("Types.StatusCode", "Bad", {"Code": 0x80000000, "Symbol": "Bad"}),
    ],
)
def test_a_value_at_the_edge_is_written_as_it_is(
    client: Client, variable: str, written: Any, read_back: Any
) -> None:
    client.write(variable, written)
    back = read(client, variable)["Body"]
    assert back == read_back and type(back) is type(read_back)


def test_a_known_structure_is_written_field_by_field(client: Client) -> None:
    for low, high in ((1.0, 2.0), (-3.5, 1e6)):
        body = {"TypeId": "i=886", "Body": {"High": high, "Low": low}}
        client.write("Types.ExtensionObject", {"Body": body})
        assert read(client, "Types.ExtensionObject")["Body"]["Body"] == {"Low": low, "High": high}


def test_an_unknown_structure_is_written_as_its_bytes(client: Client) -> None:
    for encoded in ("AAECAw==", "BwAAAAAAAAAAIFJABAAAAE1hbHQ="):
        body = {"TypeId": "nsu=%s;i=5002" % URI, "Encoding": 1, "Body": encoded}
        client.write("Types.UnknownStructure", {"Body": body})
        assert read(client, "Types.UnknownStructure")["Body"] == body


def test_a_matrix_is_written_as_a_flat_array_with_its_dimensions(client: Client) -> None:
    for sizes in ([3, 2], [1, 6], [6, 1], [2, 3]):
        value = {"Type": 11, "Body": [1.5, 2.5, 3.5, 4.5, 5.5, 6.5], "Dimensions": sizes}
        client.write("Types.Matrix", value)
        assert read(client, "Types.Matrix") == value


def test_a_variable_of_any_type_takes_each_type_that_the_client_names(client: Client) -> None:
    for name, sample in SAMPLES.items():
        if name == "DataValue":
            continue  # OPC 10000-6 5.2.2.16: not as a scalar of a Variant
        client.write("Types.Any", {"Type": name, "Body": sample.typed[0]})
        assert read(client, "Types.Any") == {"Type": sample.index, "Body": sample.typed[0]}
    client.write("Types.Any", {"Type": 6, "Body": 7})


def test_a_type_other_than_the_variables_is_sent_as_the_client_says_and_the_plant_judges(
    client: Client,
) -> None:
    client.write("Types.Double", 0.5)
    for value in ({"Type": 6, "Body": 1}, {"Value": {"Type": "Float", "Body": "1"}}):
        body = client.body("WRITE", {"Variable": "Types.Double", "Value": value})
        assert body["StatusCode"] == "BadTypeMismatch"
        assert "Body.Value" not in body["Reason"], "not ours, the plant's"
    assert read(client, "Types.Double") == {"Type": 11, "Body": 0.5}


# --- status and timestamps --------------------------------------------------------------------


def test_status_and_source_timestamp_are_written_where_the_value_has_them(client: Client) -> None:
    value = {
        "Value": {"Type": 11, "Body": 4.5},
        "Status": 0x40900000,
        "SourceTimestamp": "2031-01-02T03:04:05.678901Z",
    }
    client.write("Types.Double", value)
    body = client.body("READ", {"Variable": "Types.Double"})
    assert body["Value"]["Body"] == 4.5
    assert body["Status"] == 0x40900000 and body["Symbol"] == "UncertainLastUsableValue"
    assert body["SourceTimestamp"] == "2031-01-02T03:04:05.678901Z"
    client.write("Types.Double", {"Value": {"Body": 5.5}})
    body = client.body("READ", {"Variable": "Types.Double"})
    assert "Status" not in body
    assert not body["SourceTimestamp"].startswith("2031")


def test_a_source_timestamp_beside_the_value_is_ignored(client: Client) -> None:
    beside = {"SourceTimestamp": "2031-01-02T03:04:05Z"}
    assert client.body("WRITE", {"Variable": "Types.Double", "Value": 6.5, **beside}) == {}
    body = client.body("READ", {"Variable": "Types.Double"})
    assert body["Value"]["Body"] == 6.5
    assert not body["SourceTimestamp"].startswith("2031")


def test_a_date_time_reaches_the_wire_with_all_its_100_ns(plant: PlantProcess) -> None:
    tap = Tap(plant.port)
    server = support.serve(tap.endpoint)
    try:
        support.wait_connected(server)
        with Client(server.urls[0]) as client:
            time = "2026-11-22T10:00:00.1234567Z"
            client.write("Types.DateTime", time)
            moment = datetime(2026, 11, 22, 10) - datetime(1601, 1, 1)
            ticks = moment // timedelta(microseconds=1) * 10 + 1234567
            tap.wait_sent(ticks.to_bytes(8, "little"))
            # And back as far as the plant's library goes, which is 1 us.
            assert read(client, "Types.DateTime")["Body"] == "2026-11-22T10:00:00.123456Z"
            stamped = {"Value": {"Body": 1.5}, "SourceTimestamp": "2026-11-22T10:00:00.1234568Z"}
            client.write("Types.Double", stamped)
            tap.wait_sent((ticks + 1).to_bytes(8, "little"))
    finally:
        server.stop()
        tap.cut()


# --- what is rejected -------------------------------------------------------------------------

MISMATCH, RANGE = "BadTypeMismatch", "BadOutOfRange"

REJECTED: List[Tuple[str, Any, str, str]] = [
    # another kind of thing
    ("Types.Boolean", 1, MISMATCH, "a Boolean"),
    ("Types.Boolean", "yes", MISMATCH, "a Boolean"),
    ("Types.Int32", True, MISMATCH, "an Int32"),
    ("Types.Int32", "five", MISMATCH, "an Int32"),
    ("Types.Int32", "", MISMATCH, "an Int32"),
    ("Types.Int32", None, MISMATCH, "an Int32"),
    ("Types.Int32", {"Body": {}}, MISMATCH, "an Int32"),
    ("Types.Double", True, MISMATCH, "a Double"),
    ("Types.Double", "1,5", MISMATCH, "a Double"),
    ("Types.Double", " 1", MISMATCH, "a Double"),
    ("Types.Double", "1_0", MISMATCH, "a Double"),
    ("Types.String", 5, MISMATCH, "a String"),
    ("Types.String", True, MISMATCH, "a String"),
    ("Types.String", "\ud800", MISMATCH, "surrogate"),
    ("Types.DateTime", 5, MISMATCH, "a DateTime"),
    ("Types.DateTime", "yesterday", MISMATCH, "a DateTime"),
    ("Types.Guid", "72962b91", MISMATCH, "a Guid"),
    ("Types.ByteString", "no base64!", MISMATCH, "a ByteString"),
    ("Types.NodeId", "Boiler", MISMATCH, "a NodeId"),
    ("Types.NodeId", 5, MISMATCH, "a NodeId"),
    ("Types.StatusCode", "BadLuck", MISMATCH, "a StatusCode"),
    ("Types.QualifiedName", {"Body": {"Nam": "x"}}, MISMATCH, "a QualifiedName"),
    ("Types.LocalizedText", "text", MISMATCH, "a LocalizedText"),
    ("Types.ExtensionObject", "x", MISMATCH, "an ExtensionObject"),
    (
        "Types.ExtensionObject",
        {"Body": {"TypeId": "i=886", "Body": {"Low": 1}}},
        MISMATCH,
        "High",
    ),
    # a fraction for an integer
    ("Types.Int32", 1.5, MISMATCH, "an Int32"),
    ("Types.Int64", "1.5", MISMATCH, "an Int64"),
    # too large, too small, too fine
    ("Types.SByte", 128, RANGE, "from -128 to 127"),
    ("Types.Byte", -1, RANGE, "from 0 to 255"),
    ("Types.Byte", "256", RANGE, "from 0 to 255"),
    ("Types.Int16", 2**15, RANGE, "an Int16"),
    ("Types.UInt16", 2**16, RANGE, "a UInt16"),
    ("Types.Int32", 2**31, RANGE, "an Int32"),
    ("Types.Int32", 1e300, RANGE, "an Int32"),
    ("Types.UInt32", 2**32, RANGE, "a UInt32"),
    ("Types.Int64", 2**63, RANGE, "an Int64"),
    ("Types.Int64", str(-(2**63) - 1), RANGE, "an Int64"),
    ("Types.UInt64", 2**64, RANGE, "a UInt64"),
    ("Types.UInt64", "-1", RANGE, "a UInt64"),
    ("Types.Float", 1e39, RANGE, "a Float"),
    ("Types.Float", 1e-60, RANGE, "a Float"),
    ("Types.Double", "1e400", RANGE, "a Double"),
    ("Types.Double", 10**400, RANGE, "a Double"),
    ("Types.Double", 2**53 + 1, RANGE, "all digits"),
    ("Types.DateTime", "2026-02-30T00:00:00Z", RANGE, "2026-02-30"),
    ("Types.DateTime", "2026-01-01T00:00:00.12345678Z", RANGE, "100 ns"),
    ("Types.DateTime", "1600-01-01T00:00:00Z", RANGE, "1601"),
    ("Types.NodeId", "nsu=urn:nowhere;i=1", RANGE, "urn:nowhere"),
    # a wrong shape
    ("Types.Double", [1.5], MISMATCH, "one Double"),
    ("Types.Double", [], MISMATCH, "one Double"),
    ("Types.DoubleArray", 1.5, MISMATCH, "an array of Double"),
    ("Types.DoubleArray", [1.5, "x"], MISMATCH, "[1]"),
    ("Types.DoubleArray", [1.5, None], MISMATCH, "[1]"),
    ("Types.DoubleArray", [[1.5]], MISMATCH, "[0]"),
    ("Types.ByteArray", [0, 256], RANGE, "[1]"),
    ("Types.Matrix", {"Body": [1, 2, 3], "Dimensions": [2, 2]}, MISMATCH, "Dimensions"),
    # a type that does not exist
    ("Types.Double", {"Type": 99, "Body": 1}, MISMATCH, "Body.Value.Type"),
    ("Types.Double", {"Type": "Duble", "Body": 1}, MISMATCH, "Body.Value.Type"),
    # the client's own type is kept to
    ("Types.Double", {"Type": "Byte", "Body": 256}, RANGE, "a Byte"),
    # a variable without a type of its own
    ("Types.Null", 5, MISMATCH, "give a Type"),
]


@pytest.mark.parametrize(
    ("variable", "value", "status", "told"),
    REJECTED,
    ids=["%s %.30r" % (variable[6:], value) for variable, value, *_ in REJECTED],
)
def test_a_value_that_would_have_to_be_changed_is_rejected_with_the_expected_type(
    client: Client, variable: str, value: Any, status: str, told: str
) -> None:
    before = client.body("READ", {"Variable": variable})
    body = client.body("WRITE", {"Variable": variable, "Value": value})
    assert body["StatusCode"] == status, body
    assert body["Reason"].startswith("Body.Value") and told in body["Reason"], body
    after = client.body("READ", {"Variable": variable})
    del before["ServerTimestamp"], after["ServerTimestamp"]
    assert after == before
