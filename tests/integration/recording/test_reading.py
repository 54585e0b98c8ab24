"""HISTORICALREAD of what the plant keeps, of what was recorded, and of both as one: a real plant, a
real recorder, and the socket."""

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.config import loads
from opcws.wire.timestamps import parse_timestamp, timestamp_text

from ... import support
from ...support import URI, Client, PlantProcess, wait_until

pytestmark = pytest.mark.own_plant

COUNTER, MODE, SPEED = "Test.Counter", "Motor.Mode", "Motor.Speed"
#: Both Doubles, of which the plant says that the first holds until it is set anew.
SETPOINT, LEVEL = "Boiler.Setpoint", "Boiler.Level"


def variable(name: str, **more: Any) -> Dict[str, Any]:
    return {"node": "nsu=%s;s=%s" % (URI, name), "access": "readwrite", **more}


#: The plant keeps the counter's past and not that of the others; both are recorded.
VARIABLES: Dict[str, Any] = {
    "Both": variable(COUNTER, record=True),
    "Plant": variable(COUNTER, record=True, history="plant"),
    "Own": variable(COUNTER, record=True, history="own"),
    "Unrecorded": variable(COUNTER),
    "Mode": variable(MODE, record=True),
    "Nobody": variable(MODE),
    "Speed": variable(SPEED, record=True, access="read"),
    "Setpoint": variable(SETPOINT, record=True, history="own"),
    "Level": variable(LEVEL, record=True, history="own", access="read"),
}
#: What was written to the counter and the mode, one after another.
WRITTEN = [5, 7, 3, 6, 9, 8, 5, 4, 1, 2]
MODES = [0, 1, 2, 1, 0, 2]
PAST = {"StartTime": "2020-01-01", "EndTime": "2100-01-01"}


def serve(plant: PlantProcess, directory: Path, **changes: Any) -> Server:
    settings = support.settings(plant.endpoint, variables=VARIABLES, **changes)
    settings["state_dir"] = str(directory)
    server = Server(loads(json.dumps(settings)))
    server.start()
    support.wait_connected(server)
    recorded = [name for name, each in VARIABLES.items() if "record" in each]
    relay = server.plants["plant"].relay
    wait_until(lambda: relay.health().active == len(recorded), "all of them are monitored")
    return server


@pytest.fixture(scope="module")
def server(plant: PlantProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = serve(plant, tmp_path_factory.mktemp("state"))
    with Client(running.urls[0]) as client:
        wait_until(lambda: len(read(client, "Own")) >= 1, "the first value is recorded")
        for number in WRITTEN:
            client.body("WRITE", {"Variable": "Both", "Value": number})
        for number in MODES:
            client.body("WRITE", {"Variable": "Mode", "Value": number})
        wait_until(
            lambda: numbers(read(client, "Mode"))[-1:] == MODES[-1:], "the modes are recorded"
        )
        wait_until(lambda: numbers(read(client, "Own"))[-1:] == WRITTEN[-1:], "the counter is")
    yield running
    running.stop()
    support.no_threads_left()


def ask(client: Client, name: str, **more: Any) -> Any:
    return client.body("HISTORICALREAD", {"Variable": name, **PAST, **more})


def pages(client: Client, name: str, **more: Any) -> List[List[Any]]:
    body = ask(client, name, **more)
    found = [body["DataValues"]]
    while "ContinuationPoint" in body:
        again = {"Variable": name, "ContinuationPoint": body["ContinuationPoint"]}
        body = client.body("HISTORICALREAD", again)
        found.append(body["DataValues"])
    return found


def read(client: Client, name: str, **more: Any) -> List[Any]:
    return [value for page in pages(client, name, **more) for value in page]


def numbers(values: List[Any]) -> List[Any]:
    return [each["Value"]["Body"] for each in values if "Value" in each]


def between(one: str, other: str) -> str:
    """The middle of two times, to the microsecond, as the plant knows them."""
    middle = (parse_timestamp(one) + parse_timestamp(other)) // 2
    return timestamp_text(middle - middle % 10)


def test_valueinfo_tells_who_keeps_the_history(client: Client) -> None:
    infos = client.body("VALUEINFO", {"Variables": sorted(VARIABLES)})["Variables"]
    assert {each["Variable"]: each.get("HistorySource") for each in infos} == {
        "Both": "both",
        "Plant": "plant",
        "Own": "own",
        "Unrecorded": "plant",
        "Mode": "own",
        "Nobody": None,
        "Speed": "own",
        "Setpoint": "own",
        "Level": "own",
    }


def test_what_the_plant_does_not_keep_was_recorded(client: Client) -> None:
    found = numbers(read(client, "Mode"))
    assert found[-len(MODES) :] == MODES
    refused = ask(client, "Nobody")
    assert refused["StatusCode"] == "BadHistoryOperationUnsupported"


def moment(value: Dict[str, Any]) -> int:
    """Its texts do not sort: a fraction has no zeros at its end."""
    return parse_timestamp(value["SourceTimestamp"])


def test_what_both_have_is_told_once_as_the_plant_has_it(client: Client) -> None:
    kept, recorded, joined = (read(client, name) for name in ("Plant", "Own", "Both"))
    assert len(kept) >= len(WRITTEN) and numbers(recorded)[-len(WRITTEN) :] == WRITTEN
    assert all("ServerTimestamp" in each for each in recorded)
    of_plant = [each for each in joined if "ServerTimestamp" not in each]
    assert of_plant == kept
    # What the recorder has more is what was before the plant's first value.
    stamps = [each["SourceTimestamp"] for each in joined]
    assert stamps == sorted(stamps, key=parse_timestamp) and len(set(stamps)) == len(stamps)
    assert numbers(joined)[-len(WRITTEN) :] == WRITTEN


@pytest.mark.parametrize("name", ["Both", "Own", "Mode"])
@pytest.mark.parametrize("most", [1, 3, 4])
def test_pages_have_every_value_once_in_both_directions(
    client: Client, name: str, most: int
) -> None:
    whole = read(client, name)
    found = pages(client, name, MaxValues=most)
    assert [value for page in found for value in page] == whole
    assert {len(page) for page in found[:-1]} == {most}
    turned = {"StartTime": PAST["EndTime"], "EndTime": PAST["StartTime"]}
    assert read(client, name, **turned, MaxValues=most) == whole[::-1]
    assert read(client, name, EndTime=None) == whole
    newest = client.body(
        "HISTORICALREAD", {"Variable": name, "EndTime": PAST["EndTime"], "MaxValues": 2}
    )
    assert newest["DataValues"] == whole[:-3:-1]


@pytest.mark.parametrize("name", ["Both", "Own", "Mode"])
def test_bounds_are_the_values_around_a_span(client: Client, name: str) -> None:
    # What is recorded at the start may be right before the first of them.
    whole = read(client, name)[-len(MODES) :]
    stamps = [each["SourceTimestamp"] for each in whole]
    inside = {"StartTime": between(*stamps[2:4]), "EndTime": between(*stamps[4:6])}
    assert read(client, name, **inside) == whole[3:5]
    assert read(client, name, **inside, ReturnBounds=True) == whole[2:6]
    late = read(client, name, StartTime=stamps[-1], ReturnBounds=True)
    assert late[:1] == whole[-1:] and late[1]["StatusCode"] == "BadBoundNotFound"


def test_a_continuation_point_is_good_once(client: Client) -> None:
    for name in ("Both", "Own"):
        again = {
            "Variable": name,
            "ContinuationPoint": ask(client, name, MaxValues=2)["ContinuationPoint"],
        }
        assert len(client.body("HISTORICALREAD", again)["DataValues"]) == 2
        assert client.status("HISTORICALREAD", again) == "BadContinuationPointInvalid"


@pytest.mark.parametrize("name", ["Plant", "Both", "Own"])
def test_aggregates_are_computed_whoever_keeps_the_values(client: Client, name: str) -> None:
    values = read(client, "Plant")[-len(WRITTEN) :]
    span = {"StartTime": values[0]["SourceTimestamp"], "EndTime": values[-1]["SourceTimestamp"]}
    for aggregate, expected in (("Delta", 1 - 5), ("Range", 9 - 1), ("End", 1), ("Count", 9)):
        (value,) = read(client, name, **span, Aggregate=aggregate)
        assert int(value["Value"]["Body"]) == expected, aggregate
    found = pages(client, name, **span, Aggregate="Maximum", ProcessingInterval=1, MaxValues=2)
    assert {len(page) for page in found[:-1]} <= {2}
    assert max(numbers([value for page in found for value in page])) == 9
    unknown = ask(client, name, Aggregate="Mood")
    assert unknown["StatusCode"] == "BadAggregateNotSupported"


def test_an_aggregate_of_the_end_of_time_is_refused(client: Client) -> None:
    for name in ("Both", "Own"):
        span = {"StartTime": "9999-12-31T23:59:59Z", "EndTime": "1601-01-01T00:00:00Z"}
        found = ask(client, name, Aggregate="Average", **span)
        assert found["StatusCode"] == "BadInvalidArgument", name


def test_a_line_leads_from_one_value_to_the_next_unless_the_plant_says_that_they_hold(
    client: Client,
) -> None:
    for number in (60, 70):
        client.body("WRITE", {"Variable": "Setpoint", "Value": number})
    wait_until(lambda: numbers(read(client, "Setpoint"))[-2:] == [60, 70], "it is recorded")
    wait_until(lambda: len({*numbers(read(client, "Level"))}) > 2, "the level has changed")
    for name, is_held in (("Setpoint", True), ("Level", False)):
        one, other = [each for each in read(client, name) if "StatusCode" not in each][-2:]
        middle = between(one["SourceTimestamp"], other["SourceTimestamp"])
        span = {"StartTime": middle, "EndTime": other["SourceTimestamp"]}
        (found,) = numbers(read(client, name, **span, Aggregate="Interpolative"))
        low, high = sorted(numbers([one, other]))
        assert found == low if is_held else low < found < high


def test_what_was_recorded_has_held_until_now(client: Client) -> None:
    (value,) = read(client, "Mode", EndTime=None, Aggregate="End", ProcessingInterval=0)[-1:]
    assert value["Value"]["Body"] == MODES[-1]
    last = read(client, "Mode")[-1]["SourceTimestamp"]
    (held,) = read(client, "Mode", StartTime=last, EndTime=None, Aggregate="TimeAverage2")
    assert held["Value"]["Body"] == MODES[-1] and held["Status"] & 0xFFFF0000 == 0


def test_a_chart_has_what_each_is_kept_of(client: Client) -> None:
    names = ["Both", "Plant", "Own", "Mode", "Nobody", "Speed"]
    asked = {"Variables": names, **PAST, "MaxPoints": 100}
    found = client.body("HISTORICALREAD", asked)["Histories"]
    assert [each.get("HistorySource") for each in found] == [
        *("both", "plant", "own", "own", None, "own")
    ]
    assert found[4]["StatusCode"] == "BadHistoryOperationUnsupported"
    for each in found[:4]:
        whole = sorted(read(client, each["Variable"]), key=moment)
        stamps = [value["SourceTimestamp"] for value in whole]
        assert [value["SourceTimestamp"] for value in each["DataValues"]] == stamps
        assert numbers(each["DataValues"]) == numbers(whole)
    asked = {"Variables": names, **PAST, "MaxPoints": 5}
    for each in client.body("HISTORICALREAD", asked)["Histories"][:4]:
        whole = sorted(read(client, each["Variable"]), key=moment)
        values = each["DataValues"]
        assert len(values) <= 5
        assert values[0]["SourceTimestamp"] == whole[0]["SourceTimestamp"]
        assert values[-1]["SourceTimestamp"] == whole[-1]["SourceTimestamp"]
        assert max(numbers(values)) == max(numbers(whole))


def test_monitors_are_told_what_was_recorded(client: Client) -> None:
    for name, whole in (("Mode", read(client, "Mode")), ("Both", read(client, "Both"))):
        since = whole[-4]["SourceTimestamp"]
        handle = client.send("MONITORSTART", {"Variable": name, "Since": since}, handle=name)
        assert "StatusCode" not in client.answer()["Body"]
        told = [client.update(handle, name) for _ in range(3)]
        assert numbers(told) == numbers(whole[-3:])
        assert all(each["Historical"] is True for each in told[:2])


def test_what_was_recorded_is_told_while_the_plant_is_away(tmp_path: Path) -> None:
    plant = PlantProcess()
    running = serve(plant, tmp_path)
    try:
        with Client(running.urls[0], "?status=1") as client:
            for number in (1, 2, 3):
                client.body("WRITE", {"Variable": "Both", "Value": number})
            wait_until(lambda: numbers(read(client, "Own"))[-3:] == [1, 2, 3], "recorded")
            plant.kill()
            while client.push()["Body"].get("State") != "disconnected":
                pass
            wait_until(lambda: "StatusCode" in read(client, "Own")[-1], "the gap is recorded")
            body = ask(client, "Both")
            assert body["Symbol"] == "GoodResultsMayBeIncomplete"
            assert "not connected" in body["Reason"]
            before = body["DataValues"]
            assert numbers(before)[-3:] == [1, 2, 3]
            assert before[-1]["StatusCode"] == "BadNotConnected"
            asked = {"Variables": ["Both", "Plant", "Own"], **PAST, "MaxPoints": 100}
            both, of_plant, own = client.body("HISTORICALREAD", asked)["Histories"]
            assert both["Symbol"] == "GoodResultsMayBeIncomplete"
            assert of_plant["StatusCode"] == "BadNotConnected"
            assert "Status" not in own and numbers(own["DataValues"])[-3:] == [1, 2, 3]
            # Another plant, which remembers nothing of it.
            plant.start()
            while client.push()["Body"].get("State") != "connected":
                pass
            client.body("WRITE", {"Variable": "Both", "Value": 4})
            wait_until(lambda: numbers(read(client, "Own"))[-1] == 4, "recorded")
            joined = read(client, "Both")
            assert joined[: len(before)] == before
            assert numbers(joined)[-1] == 4 and "ServerTimestamp" not in joined[-1]
    finally:
        running.stop()
        plant.kill()
