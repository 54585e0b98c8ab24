"""Values as the plant means them: enumerations, structures, ranges of arrays, ids of every kind."""

import base64
import json
from typing import Any, Dict, Iterator

import pytest

pytest.importorskip("asyncua", reason="not run: needs asyncua")

from opcws.app import Server

from ... import support
from ...servers.process import ServerProcess
from ...support import Client

NSU = "nsu=urn:test:values%3B with 100%25 of everything;"


def variables(**more: Dict[str, Any]) -> Dict[str, Any]:
    names = (
        *("Recipe", "Recipes", "Choice", "Anything", "Mode", "Grades", "Old", "Level", "State"),
        *("Count", "Small", "Text", "Row", "SeenOnly"),
    )
    listed = {name: {"node": NSU + "s=" + name, "access": "readwrite"} for name in names}
    return {**listed, **more}


ELEMENTS = {
    "Row.Third": {"node": NSU + "s=Row", "access": "readwrite", "index_range": "2"},
    "Row.Start": {"node": NSU + "s=Row", "access": "readwrite", "index_range": "0:1"},
    "Row.Beyond": {"node": NSU + "s=Row", "index_range": "7:9"},
    "Level.Part": {"node": NSU + "s=Level", "index_range": "0"},
}
IDS = {
    "numeric": {"node": NSU + "i=4294967295", "access": "readwrite"},
    "string": {"node": NSU + "s=a;b = c;s=d %41", "access": "readwrite"},
    "guid": {"node": NSU + "g=72962b91-fa75-4ae6-8d28-b404dc7daf63", "access": "readwrite"},
    "opaque": {
        "node": NSU + "b=" + base64.b64encode(b"\x00\xff;").decode(),
        "access": "readwrite",
    },
}


@pytest.fixture(scope="module")
def server(values_plant: ServerProcess) -> Iterator[Server]:
    with support.served(values_plant.endpoint, variables=variables(**ELEMENTS, **IDS)) as running:
        yield running


def read(client: Client, name: str) -> Any:
    value = client.body("READ", {"Variable": name})
    assert "StatusCode" not in value, value
    return value["Value"]["Body"]


def info(client: Client, name: str) -> Any:
    return client.body("VALUEINFO", {"Variables": [name]})["Variables"][0]


def informed(client: Client, name: str, member: str) -> Any:
    """VALUEINFO of *name* once *member* is known."""
    support.wait_until(lambda: member in info(client, name), member + " is known")
    return info(client, name)


# --- enumerations ------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["Service", "SERVICE", 2, "2"])
def test_an_enumeration_is_written_by_name_or_number_as_int32(client: Client, written: Any) -> None:
    client.write("Mode", 0)
    client.write("Mode", written)
    assert client.body("READ", {"Variable": "Mode"})["Value"] == {"Type": 6, "Body": 2}


def test_an_unknown_name_is_refused_and_told_the_known_ones(client: Client) -> None:
    answer = client.body("WRITE", {"Variable": "Mode", "Value": "Autopilot"})
    assert answer["StatusCode"] == "BadOutOfRange"
    for name in ("Hand", "Auto", "Service"):
        assert name in answer["Reason"]


def test_an_array_of_an_enumeration_with_gaps_is_written_by_names(client: Client) -> None:
    client.write("Grades", ["High", 10, "LOW"])
    assert read(client, "Grades") == [20, 10, 10]


def test_names_that_stand_on_the_variable_itself_serve_too(client: Client) -> None:
    client.write("State", "On")
    assert client.body("READ", {"Variable": "State"})["Value"] == {"Type": 7, "Body": 1}


def test_names_that_an_older_server_keeps_in_properties_serve_too(
    plant: support.PlantProcess,
) -> None:
    running = support.serve(plant.endpoint)
    try:
        support.wait_connected(running)
        with Client(running.urls[0]) as client:
            client.write("Motor.Mode", "Service")
            assert client.body("READ", {"Variable": "Motor.Mode"})["Value"]["Body"] == 2
            answer = client.body("WRITE", {"Variable": "Motor.Mode", "Value": "service"})
            assert "Hand, Automatic, Service" in answer["Reason"]
            client.write("Motor.Mode", "Automatic")
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("name", "type_id", "value"), [("Count", 8, "123"), ("Small", 3, 255), ("Level", 11, 7.0)]
)
def test_a_number_is_written_as_the_nodes_own_type(
    client: Client, name: str, type_id: int, value: Any
) -> None:
    client.write(name, int(value))
    assert client.body("READ", {"Variable": name})["Value"] == {"Type": type_id, "Body": value}


# --- structures --------------------------------------------------------------------------------

STEPS = [{"Name": "heat", "Seconds": 1.5}, {"Name": "cool", "Seconds": 60.0}]
RECIPE = {
    "EncodingMask": 2,
    "Title": "Beer",
    "Mode": 1,
    "First": STEPS[0],
    "Steps": STEPS,
    "Limits": [0.5, 1.5],
    "Count": 3,
}


def test_a_structure_is_read_field_by_field_nested_and_with_optional_fields(
    values_plant: ServerProcess,
) -> None:
    fresh = support.serve(values_plant.endpoint, variables=variables())
    try:
        support.wait_connected(fresh)
        with Client(fresh.urls[0]) as client:
            # The very first answer, before anything could be known of the variable.
            value = client.body("READ", {"Variable": "Recipe"})["Value"]
            assert value["Type"] == 22 and value["Body"]["Body"] == RECIPE
            assert [each["Body"] for each in read(client, "Recipes")] == [RECIPE, RECIPE]
    finally:
        fresh.stop()


def test_the_first_update_of_a_monitored_structure_is_decoded_in_every_generation() -> None:
    process = ServerProcess("values_plant")
    # So many that describing them all takes longer than the first publish.
    others = {"Other%d" % number: {"node": NSU + "i=%d" % number} for number in range(1, 6000)}
    fresh = support.serve(process.endpoint, variables=variables(**others))
    try:
        support.wait_connected(fresh)
        with Client(fresh.urls[0]) as client:
            process.kill()
            client.body("MONITORSTART", {"Variable": "Recipes"}, "m")
            client.body("MONITORSTART", {"Variable": "Anything"}, "any")
            client.update_where(lambda body: body.get("StatusCode"), handle="any")
            process.start()
            first: Dict[str, Any] = {}
            while len(first) < 2:
                body = client.update()
                if "StatusCode" not in body:
                    first.setdefault(body["Variable"], body["Value"]["Body"])
            assert first["Recipes"][1]["Body"] == RECIPE
            assert first["Anything"]["Body"] == STEPS[0]
    finally:
        fresh.stop()
        process.kill()


def test_a_structure_that_was_read_can_be_changed_and_written_back(client: Client) -> None:
    was = read(client, "Recipe")
    body = {**RECIPE, "Title": "Ale", "Mode": "Hand", "Note": "bitter", "Steps": STEPS[::-1]}
    del body["Count"], body["EncodingMask"]
    client.write("Recipe", {"Type": 22, "Body": {"TypeId": was["TypeId"], "Body": body}})
    expected = {**body, "Mode": 0, "EncodingMask": 1}
    assert read(client, "Recipe")["Body"] == expected
    client.write("Recipe", {"Body": was})
    assert read(client, "Recipe")["Body"] == RECIPE


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"Limits": [1e300]}, ".Limits[0]"),
        ({"Mode": "Autopilot"}, "Service"),
        ({"Steps": [{"Name": "x"}]}, "Seconds"),
        ({"Titel": "Ale"}, "Titel"),
    ],
)
def test_a_structure_with_a_wrong_field_is_refused_and_told_where(
    client: Client, change: Dict[str, Any], hint: str
) -> None:
    was = read(client, "Recipe")
    value = {"TypeId": was["TypeId"], "Body": {**RECIPE, **change}}
    answer = client.body("WRITE", {"Variable": "Recipe", "Value": {"Body": value}})
    assert answer["StatusCode"] in ("BadTypeMismatch", "BadOutOfRange")
    assert hint in answer["Reason"]
    assert read(client, "Recipe")["Body"] == RECIPE


def test_a_union_shows_its_one_field_and_takes_another(client: Client) -> None:
    was = read(client, "Choice")
    assert was["Body"] == {"SwitchField": 2, "Words": "sixty"}
    client.write("Choice", {"Body": {"TypeId": was["TypeId"], "Body": {"Number": 60}}})
    assert read(client, "Choice")["Body"] == {"SwitchField": 1, "Number": 60}
    both = {"TypeId": was["TypeId"], "Body": {"Number": 60, "Words": "sixty"}}
    answer = client.body("WRITE", {"Variable": "Choice", "Value": {"Body": both}})
    assert answer["StatusCode"] == "BadTypeMismatch" and "one of its fields" in answer["Reason"]
    client.write("Choice", {"Body": was})


def test_a_structure_that_the_server_does_not_define_stays_bytes(client: Client) -> None:
    value = read(client, "Old")
    assert base64.b64decode(value["Body"]) == b"\x07\x00\x00\x00" and value["Encoding"] == 1
    value["Body"] = base64.b64encode(b"\x08\x00\x00\x00").decode()
    client.write("Old", {"Body": value})
    assert read(client, "Old") == value


def test_the_string_dialect_shows_the_fields_as_text(server: Server) -> None:
    with Client(server.urls[0], "?scalars=string") as client:
        body = client.body("READ", {"Variable": "Recipe"})["Value"]["Body"]["Body"]
        assert body["Count"] == "3" and body["First"] == {"Name": "heat", "Seconds": "1.5"}


# --- VALUEINFO ---------------------------------------------------------------------------------


def test_valueinfo_tells_range_unit_description_and_access(client: Client) -> None:
    told = informed(client, "Level", "EURange")
    assert told["EURange"] == {"Low": 0, "High": 200}
    assert told["EngineeringUnits"] == {"DisplayName": "°C", "Description": "", "UnitId": 4408652}
    assert told["Description"] == "How full it is"
    assert told["Type"] == "Double" and told["IsArray"] is False
    assert told["Access"] == "readwrite" and told["Historizing"] is False


def test_valueinfo_tells_names_of_an_enumeration_with_and_without_gaps(client: Client) -> None:
    assert informed(client, "Mode", "EnumStrings")["EnumStrings"] == ["HAND", "AUTO", "SERVICE"]
    assert informed(client, "State", "EnumStrings")["EnumStrings"] == ["Off", "On"]
    told = informed(client, "Grades", "EnumValues")
    assert "EnumStrings" not in told
    assert told["EnumValues"] == [
        {"Value": 10, "DisplayName": "LOW"},
        {"Value": 20, "DisplayName": "HIGH"},
    ]


def test_valueinfo_access_is_no_more_than_the_plant_lets_our_user(client: Client) -> None:
    support.wait_until(
        lambda: info(client, "SeenOnly")["Access"] == "read", "UserAccessLevel narrows"
    )


# --- ranges ------------------------------------------------------------------------------------


def test_one_element_of_an_array_is_a_variable_and_stays_an_array(client: Client) -> None:
    client.write("Row", [0, 10, 20, 30, 40])
    assert client.body("READ", {"Variable": "Row.Third"})["Value"] == {"Type": 6, "Body": [20]}
    assert read(client, "Row.Start") == [0, 10]
    told = informed(client, "Row.Third", "IsArray")
    assert told["IsArray"] is True and told["IndexRange"] == "2"


def test_a_written_element_leaves_the_others_as_they_are(client: Client) -> None:
    client.write("Row", [0, 10, 20, 30, 40])
    client.write("Row.Third", [-1])
    client.write("Row.Start", [7, 8])
    assert read(client, "Row") == [7, 8, -1, 30, 40]
    too_many = {"Variable": "Row.Third", "Value": [1, 2]}
    assert client.status("WRITE", too_many) == "BadIndexRangeDataMismatch"
    assert client.status("WRITE", {"Variable": "Row.Third", "Value": 5}) == "BadTypeMismatch"
    assert read(client, "Row") == [7, 8, -1, 30, 40]


def test_a_monitored_element_changes_only_with_itself(client: Client) -> None:
    client.write("Row", [0, 10, 20, 30, 40])
    client.body("MONITORSTART", {"Variable": "Row.Third"}, "e")
    assert client.update("e")["Value"]["Body"] == [20]
    client.write("Row", [99, 99, 20, 99, 99])
    client.write("Row", [0, 0, 21, 0, 0])
    assert client.update("e")["Value"]["Body"] == [21]
    client.body("MONITORSTOP", {"Variable": "Row.Third"}, "e")


@pytest.mark.parametrize("name", ["Row.Beyond", "Level.Part"])
def test_a_range_without_data_is_that_variables_own_status(client: Client, name: str) -> None:
    assert client.status("READ", {"Variable": name}) == "BadIndexRangeNoData"
    client.body("MONITORSTART", {"Variables": [name, "Row"]}, "m")
    assert client.update("m", name)["StatusCode"] == "BadIndexRangeNoData"
    client.body("MONITORSTART", {"Variable": "Row"}, "w")
    assert "StatusCode" not in client.update("w", "Row")
    client.body("MONITORSTOP", {"Variables": [name, "Row"]}, "m")


def test_a_server_that_ignores_ranges_is_never_taken_for_one_that_keeps_them() -> None:
    process = ServerProcess("values_plant", "plain")
    running = support.serve(process.endpoint, variables=variables(**ELEMENTS))
    try:
        support.wait_connected(running)
        with Client(running.urls[0]) as client:
            before = read(client, "Row")
            assert client.status("READ", {"Variable": "Row.Third"}) == "BadIndexRangeInvalid"
            write = {"Variable": "Row.Third", "Value": [-1]}
            assert client.status("WRITE", write) == "BadIndexRangeInvalid"
            typed = {"Variable": "Row.Third", "Value": {"Type": "Int32", "Body": [-1]}}
            assert client.status("WRITE", typed) == "BadIndexRangeInvalid"
            assert read(client, "Row") == before, "the whole array would have been overwritten"
            client.body("MONITORSTART", {"Variable": "Row.Third"}, "m")
            assert client.update("m")["StatusCode"] == "BadIndexRangeInvalid"
    finally:
        running.stop()
        process.kill()


# --- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(IDS))
def test_an_id_of_every_kind_is_read_written_monitored_and_printed(
    client: Client, name: str
) -> None:
    client.write(name, 77)
    assert read(client, name) == "77"
    client.body("MONITORSTART", {"Variable": name}, name)
    assert client.update(name, name)["Value"]["Body"] == "77"
    assert info(client, name)["NodeId"] == IDS[name]["node"]
    assert json.dumps(IDS[name]["node"])
