"""What a client reads in either dialect, and what a client of the ASNeG server sees.

The requests of the last part are those of that server's own tests, documentation and panel; the
answers are compared as text, to the letter.
"""

import json
import re
from typing import Any, Dict, Iterator, Tuple

import pytest
from opcua import ua

from opcws.app import Server
from opcws.demo import variables

from .. import support
from ..support import URI, Client, PlantProcess
from ..tap import Tap
from .type_samples import AWKWARD, SAMPLES

DIALECTS = ["typed", "string"]


@pytest.fixture(scope="module")
def plant() -> Iterator[PlantProcess]:
    """A plant of this module's own, to which nobody else has written."""
    process = PlantProcess()
    yield process
    process.kill()


@pytest.fixture
def clients(client: Client, string_client: Client) -> Dict[str, Client]:
    return {"typed": client, "string": string_client}


def read(client: Client, variable: str) -> Any:
    """The DataValue without its timestamps, which must be there."""
    body = client.body("READ", {"Variable": variable})
    assert body.pop("SourceTimestamp") and body.pop("ServerTimestamp")
    return body


# --- the value table of section 3 -------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_built_in_type_is_read_as_the_table_says(
    clients: Dict[str, Client], dialect: str, name: str
) -> None:
    sample = SAMPLES[name]
    bodies = sample.typed if dialect == "typed" else sample.string
    type_id = sample.index if dialect == "typed" else str(sample.index)
    scalar = read(clients[dialect], "Types." + name)
    assert scalar == {"Value": {"Type": type_id, "Body": bodies[0]}}
    assert type(scalar["Value"]["Body"]) is type(bodies[0]), "true is not 1"
    array = read(clients[dialect], "Types.%sArray" % name)
    assert array == {"Value": {"Type": type_id, "Body": list(bodies)}}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", AWKWARD)
def test_every_awkward_value_is_read_as_the_table_says(
    clients: Dict[str, Client], dialect: str, name: str
) -> None:
    assert read(clients[dialect], name) == {"Value": AWKWARD[name][DIALECTS.index(dialect)]}


def test_no_variable_of_the_plant_is_left_out_of_these_tables() -> None:
    covered = {"Types." + name for name in SAMPLES} | {"Types.%sArray" % name for name in SAMPLES}
    covered |= set(AWKWARD) | {"Types.Null", "Types.Uncertain", "Types.Bad"}
    assert {v.name for v in variables() if v.name.startswith("Types.")} == covered


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_null_variant_has_no_value(clients: Dict[str, Client], dialect: str) -> None:
    assert read(clients[dialect], "Types.Null") == {}


def test_an_uncertain_value_has_its_status_beside_it(clients: Dict[str, Client]) -> None:
    symbol = "UncertainLastUsableValue"
    status = ua.StatusCodes.UncertainLastUsableValue
    assert read(clients["typed"], "Types.Uncertain") == {
        "Value": {"Type": 11, "Body": 20.5},
        "Status": status,
        "Symbol": symbol,
    }
    assert read(clients["string"], "Types.Uncertain") == {
        "Value": {"Type": "11", "Body": "20.5"},
        "Status": str(status),
        "Symbol": symbol,
    }


def test_a_bad_value_has_a_status_code_and_a_reason_and_keeps_the_last_value(
    clients: Dict[str, Client],
) -> None:
    symbol = "BadSensorFailure"
    status = ua.StatusCodes.BadSensorFailure
    expected: Dict[str, Tuple[Any, Any]] = {
        "typed": ({"Type": 11, "Body": 0.0}, status),
        "string": ({"Type": "11", "Body": "0"}, str(status)),
    }
    for dialect, (value, number) in expected.items():
        body = read(clients[dialect], "Types.Bad")
        assert body.pop("Reason")
        assert body == {
            "Value": value,
            "Status": number,
            "Symbol": symbol,
            "StatusCode": symbol,
        }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_monitor_tells_the_same_as_a_read(clients: Dict[str, Client], dialect: str) -> None:
    client = clients[dialect]
    names = [v.name for v in variables() if v.name.startswith("Types.")]
    client.body("MONITORSTART", {"Variables": names}, "m")
    for _ in names:
        update = client.update("m")
        name = update.pop("Variable")
        for stamp in ("SourceTimestamp", "ServerTimestamp"):
            assert update.pop(stamp)
        assert update == read(client, name)


def test_a_whole_double_is_written_without_a_fraction_in_the_string_dialect_only(
    clients: Dict[str, Client],
) -> None:
    clients["typed"].write("Types.Double", -30.0)
    texts = {}
    for dialect, client in clients.items():
        client.send("READ", {"Variable": "Types.Double"}, "h")
        texts[dialect] = client.ws.recv()
    assert '"Body":-30.0}' in texts["typed"]
    assert '"Body":"-30"}' in texts["string"]
    clients["typed"].write("Types.Double", 0.1)


def test_a_date_time_is_read_to_100_ns_also_as_a_timestamp(plant: PlantProcess) -> None:
    tap = Tap(plant.port)
    seen = _ticks("2026-11-22T10:00:00.123456")
    # The plant's library ends at 1 us, so the last digit is put in on the way.
    tap.rewrite[seen] = (int.from_bytes(seen, "little") + 7).to_bytes(8, "little")
    server = support.serve(tap.endpoint)
    try:
        support.wait_connected(server)
        with Client(server.urls[0]) as client:
            assert read(client, "Types.DateTime")["Value"]["Body"] == "2026-11-22T10:00:00.1234567Z"
            nested = read(client, "Types.DataValue")["Value"]["Body"]
            assert nested["SourceTimestamp"] == "2026-11-22T10:00:00.1234567Z"
            client.body("MONITORSTART", {"Variable": "Types.DateTime"}, "m")
            assert client.update("m")["Value"]["Body"] == "2026-11-22T10:00:00.1234567Z"
    finally:
        server.stop()
        tap.cut()


def _ticks(time: str) -> bytes:
    from datetime import datetime, timedelta

    moment = datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%f")
    return ((moment - datetime(1601, 1, 1)) // timedelta(microseconds=1) * 10).to_bytes(8, "little")


# --- clients of the ASNeG server --------------------------------------------------------------


@pytest.fixture(scope="module")
def asneg_server(plant: PlantProcess) -> Iterator[Server]:
    listed = {
        "BooleanTest": {"node": "nsu=%s;s=Types.Boolean" % URI, "access": "readwrite"},
        "Int64Test": {"node": "nsu=%s;s=Types.Int64" % URI, "access": "readwrite"},
        "DoubleTest": {"node": "nsu=%s;s=Types.Double" % URI, "access": "readwrite"},
        "ByteArrayTest": {"node": "nsu=%s;s=Types.ByteArray" % URI, "access": "readwrite"},
        "History": {"node": "nsu=%s;s=Boiler.Temperature" % URI},
        "Boolean": {
            "node": "nsu=%s;s=Types.Boolean" % URI,
            "type": "Boolean",
            "metadata": {"DisplayName": " Switch", "Limits": {"Max": " 1", "Min": " 0"}},
        },
    }
    running = support.serve(plant.endpoint, variables=listed, listen={"scalars": "string"})
    support.wait_connected(running)
    yield running
    running.stop()


@pytest.fixture
def asneg(asneg_server: Server) -> Iterator[Client]:
    """A client that names no subprotocol and no dialect."""
    with Client(asneg_server.urls[0], subprotocols=None) as connected:
        yield connected


def _text(client: Client, operation: str, body: Any, handle: str = "1") -> str:
    """The answer to such a request, as it came."""
    client.send(operation, body, handle)
    text: str = client.ws.recv()
    return text


def _timeless(text: str) -> str:
    """*text* with T for every timestamp."""
    return re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"', "T", text)


@pytest.mark.parametrize(
    ("name", "type_id", "value", "read_back"),
    [
        ("BooleanTest", "1", "false", "false"),
        ("BooleanTest", "1", "true", "true"),
        ("Int64Test", "8", "555", "555"),
        ("Int64Test", "8", "-20", "-20"),
        ("DoubleTest", "11", "88", "88"),
        ("DoubleTest", "11", "10.56", "10.56"),
        ("DoubleTest", "11", "-30.0", "-30"),
    ],
)
def test_asneg_a_write_is_answered_with_an_empty_string_and_read_back_as_text(
    asneg: Client, name: str, type_id: str, value: str, read_back: str
) -> None:
    body = {"Variable": name, "Value": {"Value": {"Body": value, "Type": type_id}}}
    assert _text(asneg, "WRITE", body) == (
        '{"Header":{"MessageType":"WRITE_RESPONSE","ClientHandle":"1"},"Body":""}'
    )
    assert _timeless(_text(asneg, "READ", {"Variable": name})) == (
        '{"Header":{"MessageType":"READ_RESPONSE","ClientHandle":"1"},'
        '"Body":{"Value":{"Type":"%s","Body":"%s"},"SourceTimestamp":T,"ServerTimestamp":T}}'
        % (type_id, read_back)
    )


def test_asneg_the_panels_write_has_a_source_timestamp_that_is_ignored(asneg: Client) -> None:
    body = {
        "Variable": "DoubleTest",
        "SourceTimestamp": "2015-09-06T09:03:21.000Z",
        "Value": {"Value": {"Body": "21", "Type": "11"}},
    }
    assert json.loads(_text(asneg, "WRITE", body, "DoubleTest"))["Body"] == ""
    answer = json.loads(_text(asneg, "READ", {"Variable": "DoubleTest"}))["Body"]
    assert answer["Value"]["Body"] == "21"
    assert not answer["SourceTimestamp"].startswith("2015")


@pytest.mark.parametrize(
    "operation", ["READ", "WRITE", "VALUEINFO", "HISTORICALREAD", "MONITORSTART", "MONITORSTOP"]
)
def test_asneg_a_wrong_format_is_told_in_the_header(asneg: Client, operation: str) -> None:
    answer = json.loads(_text(asneg, operation, {"WRONG_FIELD": "WRONG_VALUE"}))
    assert answer["Header"]["MessageType"] == operation + "_RESPONSE"
    assert answer["Header"]["StatusCode"] == "BadAttributeIdInvalid"
    assert answer["Header"]["ClientHandle"] == "1"


def test_asneg_an_unknown_message_type_is_an_error(asneg: Client) -> None:
    header = {"MessageType": "WRONG_REQUEST", "ClientHandle": "1"}
    answer = asneg.raw(json.dumps({"Header": header, "Body": {}}))
    assert answer["Header"]["MessageType"] == "ERROR"
    assert answer["Header"]["StatusCode"] == "BadRequestHeaderInvalid"


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("READ", {"Variable": "NOT_EXIST"}),
        ("WRITE", {"Variable": "NOT_EXIST"}),
        ("MONITORSTART", {"Variable": "NOT_EXIST"}),
        (
            "HISTORICALREAD",
            {
                "Variable": "NOT_EXIST",
                "StartTime": "20020131T225959",
                "EndTime": "20020131T235959",
            },
        ),
    ],
)
def test_asneg_a_variable_that_is_not_found_is_told_in_the_body(
    asneg: Client, operation: str, body: Any
) -> None:
    answer = json.loads(_text(asneg, operation, body))
    assert answer["Header"] == {"MessageType": operation + "_RESPONSE", "ClientHandle": "1"}
    assert answer["Body"]["StatusCode"] == "BadNodeIdUnknown"


def test_asneg_value_list_and_value_info(asneg: Client) -> None:
    assert _text(asneg, "VALUELIST", {}, "VALUELIST") == (
        '{"Header":{"MessageType":"VALUELIST_RESPONSE","ClientHandle":"VALUELIST"},"Body":'
        '{"Variables":["Boolean","BooleanTest","ByteArrayTest","DoubleTest","History","Int64Test"]}}'
    )
    names = ["BooleanTest", "ByteArrayTest", "Boolean", "NOT_EXIST"]

    def infos() -> Any:
        found = json.loads(_text(asneg, "VALUEINFO", {"Variables": names}))["Body"]["Variables"]
        return found if "Type" in found[0] else None

    first, second, third, fourth = support.wait_until(infos, "the types are known")
    assert (first["Variable"], first["Type"], first["IsArray"]) == (
        "BooleanTest",
        "Boolean",
        "false",
    )
    assert (second["Variable"], second["Type"], second["IsArray"]) == (
        "ByteArrayTest",
        "Byte",
        "true",
    )
    assert third["MetaData"] == {"DisplayName": " Switch", "Limits": {"Max": " 1", "Min": " 0"}}
    assert fourth["StatusCode"] == "BadNodeIdUnknown"


def test_asneg_a_monitor_is_started_told_and_stopped(asneg: Client) -> None:
    empty = '{"Header":{"MessageType":"%s_RESPONSE","ClientHandle":"1"},"Body":""}'
    value = {"Variable": "BooleanTest", "Value": {"Value": {"Body": "false", "Type": "1"}}}
    assert _text(asneg, "WRITE", value) == empty % "WRITE"
    boolean = {"Variable": "BooleanTest"}
    assert _text(asneg, "MONITORSTART", boolean) == empty % "MONITORSTART"
    update = (
        '{"Header":{"MessageType":"MONITORUPDATE_MESSAGE","ClientHandle":"1"},"Body":'
        '{"Variable":"BooleanTest","Value":{"Type":"1","Body":"%s"},'
        '"SourceTimestamp":T,"ServerTimestamp":T}}'
    )
    assert _timeless(asneg.ws.recv()) == update % "false"
    assert asneg.body("MONITORSTART", boolean, "1")["StatusCode"] == "BadEntryExists"
    value["Value"] = {"Value": {"Body": "true", "Type": "1"}}
    asneg.write("BooleanTest", value["Value"])
    assert asneg.update("1")["Value"]["Body"] == "true"
    assert _text(asneg, "MONITORSTOP", boolean) == empty % "MONITORSTOP"
    assert asneg.body("MONITORSTOP", boolean, "1")["StatusCode"] == "BadNoEntryExists"
    assert not asneg.pushed, "in this dialect nothing else is ever pushed"


def test_asneg_the_panels_historical_read_may_have_no_end(asneg: Client) -> None:
    body = {"Variable": "History", "StartTime": "2015-09-06T09:03:21.000Z", "EndTime": None}
    values = json.loads(_text(asneg, "HISTORICALREAD", body, "History"))["Body"]["DataValues"]
    assert values and all(value["Value"]["Type"] == "11" for value in values)
    basic = {"Variable": "History", "StartTime": "20020131T225959", "EndTime": "20020131T235959"}
    assert _text(asneg, "HISTORICALREAD", basic) == (
        '{"Header":{"MessageType":"HISTORICALREAD_RESPONSE","ClientHandle":"1"},'
        '"Body":{"DataValues":""}}'
    )
