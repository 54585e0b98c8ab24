"""HISTORICALREAD of several variables: as a chart needs their histories, in one answer."""

from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.gateway import histories
from opcws.wire.timestamps import parse_timestamp

from ... import support
from ...support import Client, PlantProcess

#: What is configured here: values of one page, so that a history has several.
PAGE = 500
#: The hour that the plant remembers.
PAST = {"StartTime": "2020-01-01", "EndTime": "2100-01-01"}
KEPT = ["Boiler.Temperature", "Boiler.Pressure", "Boiler.Level"]


@pytest.fixture(scope="module")
def server(plant: PlantProcess) -> Iterator[Server]:
    with support.served(plant.endpoint, server={"history_max_values": PAGE}) as running:
        yield running


def chart(client: Client, names: List[str], most: int = 50, **more: Any) -> List[Any]:
    asked = {"Variables": names, "MaxPoints": most, **(more or PAST)}
    found: List[Any] = client.body("HISTORICALREAD", asked)["Histories"]
    assert [each["Variable"] for each in found] == names
    return found


def all_values(client: Client, name: str, until: str) -> List[Dict[str, Any]]:
    """The values of the past in pages, as they are without a chart."""
    body = client.body("HISTORICALREAD", {"Variable": name, **PAST, "EndTime": until})
    values = list(body["DataValues"])
    while "ContinuationPoint" in body:
        again = {"Variable": name, "ContinuationPoint": body["ContinuationPoint"]}
        body = client.body("HISTORICALREAD", again)
        values += body["DataValues"]
    return values


def numbers(values: List[Dict[str, Any]]) -> List[float]:
    return [each["Value"]["Body"] for each in values]


def test_of_each_variable_the_first_the_last_and_the_extremes_are_told(client: Client) -> None:
    histories = chart(client, KEPT)
    for found in histories:
        values = found["DataValues"]
        assert 40 <= len(values) <= 50 and found["HistorySource"] == "plant"
        assert "StatusCode" not in found and "Status" not in found
        stamps = [each["SourceTimestamp"] for each in values]
        assert stamps == sorted(stamps, key=parse_timestamp)
    raw = all_values(client, histories[-1]["Variable"], until=stamps[-1])
    assert len(raw) > PAGE
    assert (stamps[0], stamps[-1]) == (raw[0]["SourceTimestamp"], raw[-1]["SourceTimestamp"])
    assert min(numbers(values)) == min(numbers(raw))
    assert max(numbers(values)) == max(numbers(raw))
    assert {*stamps} <= {each["SourceTimestamp"] for each in raw}


def test_there_may_be_few_values_or_room_for_few(client: Client) -> None:
    (found,) = chart(client, ["Boiler.Temperature"], 2)
    assert len(found["DataValues"]) == 2
    first, last = (each["SourceTimestamp"] for each in found["DataValues"])
    (one,) = chart(client, ["Boiler.Temperature"], 10000, StartTime=first, EndTime=first)
    assert one["DataValues"] == found["DataValues"][:1]
    (none,) = chart(client, ["Boiler.Temperature"], StartTime="1999-01-01", EndTime="2000-01-01")
    assert none["DataValues"] == []


def test_a_start_later_than_the_end_gives_the_newest_first(client: Client) -> None:
    end = chart(client, KEPT[:1], 2)[0]["DataValues"][1]["SourceTimestamp"]
    (forwards,) = chart(client, KEPT[:1], StartTime="2020-01-01", EndTime=end)
    (backwards,) = chart(client, KEPT[:1], StartTime=end, EndTime="2020-01-01")
    assert backwards["DataValues"] == forwards["DataValues"][::-1]


def test_without_an_end_it_goes_to_the_newest(client: Client) -> None:
    client.body("HISTORICALREAD", {"Variables": KEPT, "StartTime": "2020-01-01", "MaxPoints": "9"})
    (found,) = chart(client, KEPT[:1], 9, StartTime="2020-01-01")
    assert 5 <= len(found["DataValues"]) <= 9


def test_one_that_cannot_be_had_is_told_in_its_place(client: Client) -> None:
    names = ["Boiler.Level", "Nowhere", "Types.Double", "Test.WriteOnly", "Boiler.Level"]
    found = chart(client, names)
    told = [each.get("StatusCode") for each in found]
    assert told == [
        None,
        "BadNodeIdUnknown",
        "BadHistoryOperationUnsupported",
        "BadNotReadable",
        None,
    ]
    assert found[0] == found[-1] and all(each["Reason"] for each in found[1:4])
    assert chart(client, []) == []


def test_the_string_dialect_has_it_as_text(string_client: Client) -> None:
    (found,) = chart(string_client, ["Boiler.Level"], 5)
    assert all(isinstance(each["Value"]["Body"], str) for each in found["DataValues"])
    asked = {"Variables": [], "MaxPoints": "9", **PAST}
    assert string_client.body("HISTORICALREAD", asked) == {"Histories": ""}


def test_a_start_that_is_no_time_is_told(client: Client) -> None:
    for start in ("", "1601-01-01T00:00:00Z", "0001-01-01T00:00:00Z"):
        asked = {"Variables": KEPT, "MaxPoints": 9, "StartTime": start, "EndTime": "2026-01-01"}
        body = client.body("HISTORICALREAD", asked)
        assert body["StatusCode"] == "BadInvalidArgument"
        assert "a StartTime later than 1601-01-01T00:00:00Z" in body["Reason"]
    asked["StartTime"] = "1601-01-01T00:00:00.0000001Z"
    assert "Histories" in client.body("HISTORICALREAD", asked)


def test_more_than_a_client_has_room_for_is_refused(plant: PlantProcess) -> None:
    limits = {"limits": {"outbox_bytes": 65536}}
    running = support.serve(plant.endpoint, listen=limits)
    try:
        support.wait_connected(running)
        with Client(running.urls[0]) as client:
            asked = {"Variables": KEPT * 3, "MaxPoints": 1000, **PAST}
            header = client.request("HISTORICALREAD", asked)["Header"]
            assert header["StatusCode"] == "BadResponseTooLarge"
            assert len(chart(client, KEPT, 20)) == 3
    finally:
        running.stop()


def test_a_plant_that_is_not_connected_is_told_of_each_variable() -> None:
    running = support.serve("opc.tcp://127.0.0.1:%d" % support.free_port())
    try:
        with Client(running.urls[0]) as client:
            told = {each["StatusCode"] for each in chart(client, KEPT)}
            assert told == {"BadNotConnected"}
            info = client.body("VALUEINFO", {"Variables": KEPT[:1]})["Variables"][0]
            assert "HistorySource" not in info
    finally:
        running.stop()


def test_a_plant_that_hangs_costs_a_chart_its_time_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(histories, "READ_S", 0.2)
    hanging = PlantProcess()
    timeouts = {"history_timeout_ms": 500, "heartbeat_interval_ms": 60000}
    running = support.serve(hanging.endpoint, server=timeouts)
    try:
        support.wait_connected(running)
        with Client(running.urls[0]) as client, Client(running.urls[0]) as other:
            hanging.freeze()
            asked = {"Variables": KEPT * 2, "MaxPoints": 5, **PAST}
            handle = client.send("HISTORICALREAD", asked)
            other.send("HISTORICALREAD", asked)
            other.vanish()
            assert client.body("VALUELIST")["Variables"]
            answer = client.answer()
            assert answer["Header"]["ClientHandle"] == handle
            told = [each["StatusCode"] for each in answer["Body"]["Histories"]]
            assert told == ["BadTimeout"] * 6
            hanging.thaw()
            monkeypatch.setattr(histories, "READ_S", 60.0)
            assert len(chart(client, KEPT)) == 3
    finally:
        running.stop()
        hanging.kill()
