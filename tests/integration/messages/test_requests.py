"""Each request as PROTOCOL section 4 describes it, against the plant, through the socket.

History has a file of its own (``test_history``), and so have values (``test_dialects``,
``test_writes``), failures (``test_failures``) and the loss of the plant (``test_plant_lost``).
"""

import time
from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.demo import variables
from opcws.wire.timestamps import parse_timestamp

from ... import support
from ...support import URI, Client

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant


@pytest.fixture
def other(server: Server) -> Iterator[Client]:
    """A second client of the same server."""
    with Client(server.urls[0]) as connected:
        yield connected


def read(client: Client, variable: str, **more: Any) -> Any:
    return client.body("READ", {"Variable": variable, **more})["Value"]["Body"]


# --- VALUELIST, VALUEINFO ---------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, "", {}], ids=["absent", "empty string", "empty object"])
def test_value_list_tells_every_configured_name_sorted(client: Client, body: Any) -> None:
    names = client.body("VALUELIST", body)["Variables"]
    assert names == sorted(variable.name for variable in variables())


def test_value_info_tells_all_that_is_known_of_a_variable(client: Client) -> None:
    assert _info(client, "Boiler.Temperature") == {
        "Variable": "Boiler.Temperature",
        "Type": "Double",
        "IsArray": False,
        "NodeId": "nsu=%s;s=Boiler.Temperature" % URI,
        "Server": "plant",
        "Access": "read",
        "Description": "Water temperature, follows the set point",
        "EngineeringUnits": {
            "DisplayName": "°C",
            "Description": "degree Celsius",
            "UnitId": 4408652,
        },
        "EURange": {"Low": 0.0, "High": 150.0},
        "Historizing": True,
        "HistorySource": "plant",
        "MinimumSamplingInterval": 0.0,
        "MetaData": {},
    }


def test_value_info_tells_the_texts_of_an_enumeration(client: Client) -> None:
    assert _info(client, "Motor.Mode")["EnumStrings"] == ["Hand", "Automatic", "Service"]
    assert _info(client, "Motor.State")["EnumStrings"] == ["Off", "Starting", "Running", "Fault"]


def test_value_info_is_written_in_the_clients_dialect(
    client: Client, string_client: Client
) -> None:
    info = string_client.body("VALUEINFO", {"Variables": ["Boiler.Profile"]})["Variables"][0]
    assert info["IsArray"] == "true"
    assert info["Historizing"] == "false"
    assert info["MetaData"] == ""
    assert info["EngineeringUnits"]["UnitId"] == "4408652"


def test_value_info_answers_in_the_order_asked_with_unknown_names_in_their_place(
    client: Client,
) -> None:
    names = ["Types.Matrix", "nowhere", "Test.WriteOnly", "Boiler.Setpoint", "Types.Matrix"]
    infos = client.body("VALUEINFO", {"Variables": names})["Variables"]
    assert [info["Variable"] for info in infos] == names
    assert infos[1]["StatusCode"] == "BadNodeIdUnknown"
    assert "nowhere" in infos[1]["Reason"]
    assert [info.get("Access") for info in infos] == [
        "readwrite",
        None,
        "write",
        "readwrite",
        "readwrite",
    ]


def test_value_info_answers_from_the_configuration_while_the_server_was_never_connected() -> None:
    listed = {
        "A": {
            "node": "nsu=urn:x;s=A",
            "type": "Int16",
            "array": True,
            "access": "readwrite",
            "metadata": {"panel": {"row": 3, "names": ["a", "b"]}},
            "description": "The first",
        },
        "B": {"node": "nsu=urn:x;s=B"},
    }
    server = support.serve("opc.tcp://127.0.0.1:%d" % support.free_port(), variables=listed)
    try:
        with Client(server.urls[0]) as client:
            infos = client.body("VALUEINFO", {"Variables": ["A", "B"]})["Variables"]
            assert infos[0] == {
                "Variable": "A",
                "Type": "Int16",
                "IsArray": True,
                "NodeId": "nsu=urn:x;s=A",
                "Server": "plant",
                "Access": "readwrite",
                "Description": "The first",
                "MetaData": {"panel": {"row": 3, "names": ["a", "b"]}},
            }
            assert "Type" not in infos[1] and "IsArray" not in infos[1]
    finally:
        server.stop()


def _info(client: Client, variable: str) -> Dict[str, Any]:
    found: Dict[str, Any] = client.body("VALUEINFO", {"Variables": [variable]})["Variables"][0]
    return found


# --- READ -------------------------------------------------------------------------------------


def test_read_of_several_answers_in_the_order_asked_each_with_its_own_fate(client: Client) -> None:
    names = ["Types.Int32", "nowhere", "Types.Bad", "Test.WriteOnly", "Types.Int32", "Types.String"]
    values = client.body("READ", {"Variables": names})["Values"]
    assert [value["Variable"] for value in values] == names
    assert [value.get("StatusCode") for value in values] == [
        None,
        "BadNodeIdUnknown",
        "BadSensorFailure",
        "BadNotReadable",
        None,
        None,
    ]
    assert all(("Reason" in value) == ("StatusCode" in value) for value in values)
    assert values[0]["Value"] == values[4]["Value"] == {"Type": 6, "Body": -(2**31)}
    assert values[2]["Value"] == {"Type": 11, "Body": 0.0}, "the last value stays"


def test_read_of_no_variables_answers_with_no_values(client: Client) -> None:
    assert client.body("READ", {"Variables": []}) == {"Values": []}


def test_read_of_many_variables_answers_for_every_one(client: Client) -> None:
    names = [variable.name for variable in variables() if variable.access != "write"] * 30
    values = client.body("READ", {"Variables": names})["Values"]
    assert [value["Variable"] for value in values] == names


def test_read_with_max_age_is_served_by_a_younger_monitored_value(client: Client) -> None:
    client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
    monitored = client.update("m")
    del monitored["Variable"]
    one = client.body("READ", {"Variable": "Types.Double", "MaxAge": 600000})
    assert one == monitored, "not asked of the plant, which would stamp it anew"
    both = ["Types.Double", "Types.Float"]
    listed = client.body("READ", {"Variables": both, "MaxAge": "600000"})["Values"]
    assert listed[0] == dict(monitored, Variable="Types.Double")
    assert listed[1]["Value"]["Body"] == 0.1, "not monitored, so asked of the plant"


@pytest.mark.parametrize("max_age", [{}, {"MaxAge": 0}, {"MaxAge": 0.001}, {"MaxAge": "0"}])
def test_read_asks_the_plant_when_the_monitored_value_is_too_old(
    client: Client, max_age: Dict[str, Any]
) -> None:
    client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
    monitored = client.update("m")
    fresh = client.body("READ", {"Variable": "Types.Double", **max_age})
    assert parse_timestamp(fresh["ServerTimestamp"]) > parse_timestamp(monitored["ServerTimestamp"])


def test_read_with_max_age_never_returns_a_value_older_than_ones_own_write(client: Client) -> None:
    client.body("MONITORSTART", {"Variable": "Test.Counter"}, "m")
    client.update("m")
    expected: List[int] = []
    got: List[int] = []
    for number in range(300):
        client.send("WRITE", {"Variable": "Test.Counter", "Value": number}, "w")
        client.send("READ", {"Variable": "Test.Counter", "MaxAge": 600000}, number)
        for answer in (client.answer(), client.answer()):
            if answer["Header"]["MessageType"] == "READ_RESPONSE":
                expected.append(number)
                got.append(answer["Body"]["Value"]["Body"])
    assert got == expected


# --- WRITE ------------------------------------------------------------------------------------


def test_write_of_several_tells_the_fate_of_each_in_the_order_given(client: Client) -> None:
    writes = [
        {"Variable": "Types.Int32", "Value": 5},
        {"Variable": "nowhere", "Value": 5},
        {"Variable": "Boiler.Temperature", "Value": 5},
        {"Variable": "Types.Byte", "Value": 256},
        {"Variable": "Boiler.Setpoint", "Value": 1000},
        {"Variable": "Types.Int16", "Value": {"Type": "Int16", "Body": 7}},
    ]
    results = client.body("WRITE", {"Writes": writes})["Results"]
    assert [result["Variable"] for result in results] == [write["Variable"] for write in writes]
    assert [result.get("StatusCode") for result in results] == [
        None,
        "BadNodeIdUnknown",
        "BadNotWritable",
        "BadOutOfRange",
        "BadOutOfRange",
        None,
    ]
    assert "Body.Writes[3].Value" in results[3]["Reason"]
    assert read(client, "Types.Int32") == 5
    assert read(client, "Types.Int16") == 7


def test_write_of_the_same_variable_twice_in_one_request_ends_with_the_second(
    client: Client,
) -> None:
    for first in (100, 200, 300):
        writes = [{"Variable": "Test.Counter", "Value": first + step} for step in range(5)]
        assert (
            client.body("WRITE", {"Writes": writes})["Results"]
            == [{"Variable": "Test.Counter"}] * 5
        )
        assert read(client, "Test.Counter") == first + 4


def test_write_of_nothing_answers_with_no_results(client: Client) -> None:
    assert client.body("WRITE", {"Writes": []}) == {"Results": []}


def test_write_of_a_variable_that_may_not_be_read(client: Client) -> None:
    client.write("Test.WriteOnly", 4.5)


# --- order ------------------------------------------------------------------------------------


def test_requests_of_one_connection_take_effect_in_the_order_sent(client: Client) -> None:
    for number in range(1, 51):
        client.send("WRITE", {"Variable": "Test.Counter", "Value": number}, "w%d" % number)
        client.send("READ", {"Variable": "Test.Counter"}, number)
    answers = [client.answer() for _ in range(100)]
    found = {
        answer["Header"]["ClientHandle"]: answer["Body"]["Value"]["Body"]
        for answer in answers
        if answer["Header"]["MessageType"] == "READ_RESPONSE"
    }
    assert found == {number: number for number in range(1, 51)}
    assert sum(answer["Body"] == {} for answer in answers) == 50


def test_a_list_form_keeps_its_place_between_single_requests(client: Client) -> None:
    counter = {"Variable": "Test.Counter"}
    client.send("WRITE", dict(counter, Value=1), "a")
    client.send("READ", {"Variables": ["Test.Counter", "Types.Guid"]}, "after 1")
    client.send("WRITE", {"Writes": [dict(counter, Value=2), dict(counter, Value=3)]}, "b")
    client.send("READ", counter, "after 3")
    client.send("WRITE", dict(counter, Value=4), "c")
    answers = {}
    for _ in range(5):
        answer = client.answer()
        answers[answer["Header"]["ClientHandle"]] = answer["Body"]
    assert answers["after 1"]["Values"][0]["Value"]["Body"] == 1
    assert answers["after 3"]["Value"]["Body"] == 3
    assert read(client, "Test.Counter") == 4


# --- MONITORSTART, MONITORSTOP ----------------------------------------------------------------


def test_a_monitor_answers_first_then_tells_the_present_value_then_every_change_once(
    client: Client, other: Client
) -> None:
    other.write("Test.Counter", 1000)
    client.send("MONITORSTART", {"Variable": "Test.Counter"}, "m")
    assert client.receive()["Header"]["MessageType"] == "MONITORSTART_RESPONSE"
    present = client.update("m")
    assert present["Variable"] == "Test.Counter" and present["Value"] == {"Type": 7, "Body": 1000}
    for number in range(1001, 1101):
        other.send("WRITE", {"Variable": "Test.Counter", "Value": number})
    assert [client.update("m")["Value"]["Body"] for _ in range(100)] == list(range(1001, 1101))


def test_monitor_start_of_several_tells_the_fate_of_each(client: Client) -> None:
    names = ["Types.Int32", "nowhere", "Test.WriteOnly", "Types.Int32", "Types.Guid"]
    results = client.body("MONITORSTART", {"Variables": names}, "m")["Results"]
    assert [result["Variable"] for result in results] == names
    assert [result.get("StatusCode") for result in results] == [
        None,
        "BadNodeIdUnknown",
        "BadNotReadable",
        "BadEntryExists",
        None,
    ]
    assert {client.update("m")["Variable"], client.update("m")["Variable"]} == {
        "Types.Int32",
        "Types.Guid",
    }


def test_the_same_monitor_twice_is_refused_but_another_handle_is_not(client: Client) -> None:
    body = {"Variable": "Types.Int32"}
    assert client.body("MONITORSTART", body, "7") == {}
    assert client.status("MONITORSTART", body, "7") == "BadEntryExists"
    assert client.body("MONITORSTART", body, 7) == {}, "a number is another handle than its text"
    assert client.status("MONITORSTART", body, 7) == "BadEntryExists"
    told = [client.push() for _ in range(2)]
    assert {update["Header"]["ClientHandle"] for update in told} == {"7", 7}
    assert [update["Body"]["Variable"] for update in told] == ["Types.Int32"] * 2


def test_a_monitor_with_min_interval_gets_the_latest_value_and_never_more_often(
    client: Client, other: Client
) -> None:
    interval_s = 0.4
    other.write("Test.Counter", 5000)
    began = time.monotonic()
    client.body("MONITORSTART", {"Variable": "Test.Counter", "MinInterval": 400}, "slow")
    client.body("MONITORSTART", {"Variable": "Test.Counter"}, "each")
    last = 5000
    seen = []
    while time.monotonic() - began < 3 * interval_s:
        last += 1
        other.write("Test.Counter", last)
    while last not in seen:
        seen.append(client.update("slow")["Value"]["Body"])
    elapsed = time.monotonic() - began
    assert seen == sorted(set(seen))
    assert 2 <= len(seen) <= 1 + elapsed / interval_s, (seen, elapsed)


def test_a_stopped_monitor_is_silent_from_its_response_on(client: Client, other: Client) -> None:
    client.body("MONITORSTART", {"Variable": "Test.Counter"}, "m")
    client.body("MONITORSTART", {"Variable": "Test.Counter"}, "n")
    client.update("m")
    client.send("MONITORSTOP", {"Variable": "Test.Counter"}, "m")
    while client.receive()["Header"]["MessageType"] != "MONITORSTOP_RESPONSE":
        pass
    client.pushed.clear()
    for number in range(7000, 7020):
        other.write("Test.Counter", number)
    while True:
        message = client.push()
        assert message["Header"]["ClientHandle"] == "n"
        if message["Body"]["Value"]["Body"] == 7019:
            break


def test_monitor_stop_of_a_handle_without_one_ends_every_monitor_of_the_variable(
    client: Client,
) -> None:
    body = {"Variable": "Types.Int32"}
    client.body("MONITORSTART", body, "a")
    client.body("MONITORSTART", body, "b")
    client.body("MONITORSTART", {"Variable": "Types.Guid"}, "a")
    assert client.body("MONITORSTOP", body, "c") == {}
    assert client.status("MONITORSTOP", body, "a") == "BadNoEntryExists"
    assert client.status("MONITORSTOP", body, "b") == "BadNoEntryExists"
    assert client.body("MONITORSTOP", {"Variable": "Types.Guid"}, "a") == {}


def test_monitor_stop_of_a_handle_with_one_ends_no_other(client: Client) -> None:
    body = {"Variable": "Types.Int32"}
    client.body("MONITORSTART", body, "a")
    client.body("MONITORSTART", body, "b")
    assert client.body("MONITORSTOP", body, "a") == {}
    assert client.status("MONITORSTART", body, "b") == "BadEntryExists"


def test_monitor_stop_of_several_tells_the_fate_of_each(client: Client) -> None:
    client.body("MONITORSTART", {"Variables": ["Types.Int32", "Types.Guid"]}, "m")
    names = ["Types.Guid", "nowhere", "Types.Double", "Types.Int32", "Types.Int32"]
    results = client.body("MONITORSTOP", {"Variables": names}, "m")["Results"]
    assert [result["Variable"] for result in results] == names
    assert [result.get("StatusCode") for result in results] == [
        None,
        "BadNodeIdUnknown",
        "BadNoEntryExists",
        None,
        "BadNoEntryExists",
    ]


def test_a_monitor_that_was_stopped_can_be_started_again(client: Client) -> None:
    for _ in range(3):
        client.body("MONITORSTART", {"Variable": "Types.Int32"}, "m")
        assert client.update("m")["Variable"] == "Types.Int32"
        client.body("MONITORSTOP", {"Variable": "Types.Int32"}, "m")
        client.pushed.clear()


def test_connections_with_the_same_handle_do_not_disturb_one_another(
    client: Client, other: Client
) -> None:
    client.body("MONITORSTART", {"Variable": "Types.Int32"}, "1")
    other.body("MONITORSTART", {"Variable": "Types.Guid"}, "1")
    assert client.update("1")["Variable"] == "Types.Int32"
    assert other.update("1")["Variable"] == "Types.Guid"
    assert client.status("MONITORSTOP", {"Variable": "Types.Guid"}, "1") == "BadNoEntryExists"
    other.body("MONITORSTOP", {"Variable": "Types.Guid"}, "1")
    assert client.status("MONITORSTART", {"Variable": "Types.Int32"}, "1") == "BadEntryExists"
