"""HISTORICALREAD: pages, bounds, order, times and aggregates, through the socket.

Two histories are known beforehand: some of the hour of ``Boiler.Temperature`` that the plant
remembers, read at once by a server that may, and ten values of ``Test.Counter`` that are written
here, the number 0 to 9 at the second 0 to 9 of the year 2030.
"""

from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server

from ... import support
from ...support import Client, PlantProcess

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

#: Most values of one page, as configured here.
MOST = 200


@pytest.fixture(scope="module")
def server(plant: PlantProcess) -> Iterator[Server]:
    running = support.serve(plant.endpoint, server={"history_max_values": MOST})
    support.wait_connected(running)
    with Client(running.urls[0]) as client:
        for second in range(10):
            stamped = {
                "Value": {"Type": "UInt32", "Body": second},
                "SourceTimestamp": _second(second),
            }
            client.write("Test.Counter", stamped)
    yield running
    running.stop()
    support.no_threads_left()


@pytest.fixture(scope="module")
def whole(server: Server, plant: PlantProcess) -> Iterator[List[Any]]:
    """700 values of Boiler.Temperature out of the past, oldest first, in one piece."""
    running = support.serve(plant.endpoint, server={"history_max_values": 10000})
    support.wait_connected(running)
    with Client(running.urls[0]) as client:
        body = _read(client, "Boiler.Temperature", StartTime="2020-01-01", MaxValues=700)
    running.stop()
    assert len(body["DataValues"]) == 700
    yield body["DataValues"]


@pytest.fixture(scope="module")
def span(whole: List[Any]) -> Dict[str, str]:
    """StartTime and EndTime of these values."""
    return _span(whole)


def _span(values: List[Any]) -> Dict[str, str]:
    return {
        "StartTime": values[0]["SourceTimestamp"],
        "EndTime": values[-1]["SourceTimestamp"],
    }


def _second(second: float) -> str:
    return "2030-01-01T00:00:%06.3fZ" % second


def _read(client: Client, variable: str, **more: Any) -> Any:
    return client.body("HISTORICALREAD", {"Variable": variable, **more})


def _numbers(body: Dict[str, Any]) -> List[int]:
    return [value["Value"]["Body"] for value in body["DataValues"]]


def _counter(client: Client, **more: Any) -> List[int]:
    """The numbers of Test.Counter's history; there must not be a further page."""
    body = _read(client, "Test.Counter", **more)
    assert "ContinuationPoint" not in body
    return _numbers(body)


def _pages(client: Client, body: Dict[str, Any]) -> List[List[Any]]:
    """All pages that begin with *body*, itself one."""
    pages = [body["DataValues"]]
    while "ContinuationPoint" in body:
        token = body["ContinuationPoint"]
        body = _read(client, "Boiler.Temperature", ContinuationPoint=token)
        pages.append(body["DataValues"])
    return pages


# --- pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "length"), [(7, 100), (7, 98), (99, 700), (100, 700), (MOST, 700), (MOST, MOST)]
)
def test_pages_together_have_every_value_once_in_order(
    client: Client, whole: List[Any], most: int, length: int
) -> None:
    expected = whole[:length]
    first = _read(client, "Boiler.Temperature", **_span(expected), MaxValues=most)
    pages = _pages(client, first)
    assert [len(page) for page in pages[:-1]] == [most] * ((length - 1) // most)
    assert [value for page in pages for value in page] == expected
    stamps = [value["SourceTimestamp"] for value in expected]
    assert len(set(stamps)) == length


def test_a_response_has_at_most_as_many_values_as_the_configuration_allows(
    client: Client, span: Dict[str, str]
) -> None:
    for more in ({}, {"MaxValues": 0}, {"MaxValues": "0"}, {"MaxValues": MOST + 1}):
        body = _read(client, "Boiler.Temperature", **span, **more)
        assert len(body["DataValues"]) == MOST
        assert body["ContinuationPoint"]


def test_a_later_page_may_have_another_size(client: Client, span: Dict[str, str]) -> None:
    body = _read(client, "Boiler.Temperature", **span, MaxValues=3)
    token = body["ContinuationPoint"]
    body = _read(client, "Boiler.Temperature", ContinuationPoint=token, MaxValues=5)
    assert len(body["DataValues"]) == 5


def test_pages_of_the_newest_first_are_the_same_values_backwards(
    client: Client, span: Dict[str, str], whole: List[Any]
) -> None:
    turned = {"StartTime": span["EndTime"], "EndTime": span["StartTime"]}
    pages = _pages(client, _read(client, "Boiler.Temperature", **turned, MaxValues=150))
    assert [value for page in pages for value in page] == whole[::-1]


def test_a_continuation_point_is_good_once(client: Client, span: Dict[str, str]) -> None:
    token = _token(client, span)
    _read(client, "Boiler.Temperature", ContinuationPoint=token)
    assert _refused(client, "Boiler.Temperature", token)


def test_a_continuation_point_of_nobody_another_variable_or_another_connection_is_invalid(
    server: Server, client: Client, span: Dict[str, str]
) -> None:
    assert _refused(client, "Boiler.Temperature", "nobodys")
    assert _refused(client, "Boiler.Level", _token(client, span))
    token = _token(client, span)
    with Client(server.urls[0]) as other:
        assert _refused(other, "Boiler.Temperature", token)
    assert _read(client, "Boiler.Temperature", ContinuationPoint=token)["DataValues"], (
        "trying it elsewhere does not spoil it"
    )


def test_a_connection_holds_sixteen_continuation_points_and_the_oldest_goes_first(
    client: Client, span: Dict[str, str]
) -> None:
    tokens = [_token(client, span) for _ in range(18)]
    assert _refused(client, "Boiler.Temperature", tokens[0])
    assert _refused(client, "Boiler.Temperature", tokens[1])
    for token in tokens[2:]:
        body = _read(client, "Boiler.Temperature", ContinuationPoint=token)
        assert len(body["DataValues"]) == 2


def test_a_continuation_point_does_not_outlive_the_connection_to_the_plant() -> None:
    process = PlantProcess()
    running = support.serve(process.endpoint)
    try:
        support.wait_connected(running)
        with Client(running.urls[0], "?status=1") as client:
            token = _token(client, {"StartTime": "2020-01-01", "EndTime": "2040-01-01"})
            process.kill()
            process.start()
            seen: List[str] = []
            while seen[-1:] != ["connected"] or "disconnected" not in seen:
                seen.append(client.push()["Body"]["State"])
            assert "connection" in _refused(client, "Boiler.Temperature", token)
    finally:
        running.stop()
        process.kill()


def _token(client: Client, span: Dict[str, str]) -> str:
    body = _read(client, "Boiler.Temperature", **span, MaxValues=2)
    token: str = body["ContinuationPoint"]
    return token


def _refused(client: Client, variable: str, token: str) -> str:
    body = _read(client, variable, ContinuationPoint=token)
    assert body["StatusCode"] == "BadContinuationPointInvalid"
    reason: str = body["Reason"]
    return reason


# --- the span ---------------------------------------------------------------------------------


def test_the_values_of_a_span_come_oldest_first_with_their_times(client: Client) -> None:
    body = _read(client, "Test.Counter", StartTime=_second(2), EndTime=_second(4))
    assert body == {
        "DataValues": [
            {
                "Value": {"Type": 7, "Body": number},
                "SourceTimestamp": "2030-01-01T00:00:0%dZ" % number,
            }
            for number in (2, 3, 4)
        ]
    }


def test_the_string_dialect_writes_them_as_text(string_client: Client) -> None:
    body = _read(string_client, "Test.Counter", StartTime=_second(2), EndTime=_second(2.5))
    assert body == {
        "DataValues": [
            {"Value": {"Type": "7", "Body": "2"}, "SourceTimestamp": "2030-01-01T00:00:02Z"}
        ]
    }
    nothing = _read(string_client, "Test.Counter", StartTime=_second(2.1), EndTime=_second(2.5))
    assert nothing == {"DataValues": ""}


def test_a_start_later_than_the_end_gives_the_newest_first(client: Client) -> None:
    assert _counter(client, StartTime=_second(4), EndTime=_second(2)) == [4, 3, 2]


@pytest.mark.parametrize("nothing", [{}, {"EndTime": None}, {"EndTime": ""}], ids=str)
def test_without_an_end_the_first_values_from_the_start_on_come_and_the_others_in_pages(
    client: Client, nothing: Dict[str, Any]
) -> None:
    first = _read(client, "Test.Counter", StartTime=_second(3), MaxValues=4, **nothing)
    assert _numbers(first) == [3, 4, 5, 6]
    token = first["ContinuationPoint"]
    second = _read(client, "Test.Counter", ContinuationPoint=token)
    assert _numbers(second)[0] == 7


@pytest.mark.parametrize("nothing", [{}, {"StartTime": None}, {"StartTime": ""}], ids=str)
def test_without_a_start_the_last_values_before_the_end_come_newest_first(
    client: Client, nothing: Dict[str, Any]
) -> None:
    assert _counter(client, EndTime=_second(6), MaxValues="3", **nothing) == [6, 5, 4]


@pytest.mark.parametrize("bounds", [{}, {"ReturnBounds": False}, {"ReturnBounds": "false"}])
def test_a_span_without_bounds_has_only_what_lies_in_it(
    client: Client, bounds: Dict[str, Any]
) -> None:
    span = {"StartTime": _second(0.5), "EndTime": _second(3.5)}
    assert _counter(client, **span, **bounds) == [1, 2, 3]


@pytest.mark.parametrize("yes", [True, "true"])
def test_a_span_with_bounds_has_the_values_on_either_side_too(client: Client, yes: Any) -> None:
    span = {"StartTime": _second(0.5), "EndTime": _second(3.5)}
    assert _counter(client, **span, ReturnBounds=yes) == [0, 1, 2, 3, 4]


def test_a_bound_that_does_not_exist_has_a_status_in_its_place(client: Client) -> None:
    span = {"StartTime": _second(8), "EndTime": "2031-01-01"}
    values = _read(client, "Test.Counter", **span, ReturnBounds=True)["DataValues"]
    assert [value.get("StatusCode") for value in values] == [None, None, "BadBoundNotFound"]
    assert "Value" not in values[2]


@pytest.mark.parametrize(
    "start",
    [
        "2030-01-01T00:00:05Z",
        "2030-01-01T00:00:05",
        "2030-01-01 00:00:05.000",
        "20300101T000005",
        "20300101T000005Z",
        "20300101T000005,0Z",
        "2030-01-01T01:00:05+01:00",
        "2029-12-31T19:00:05-0500",
        "20300101T013005+0130",
    ],
)
def test_times_are_iso_8601_basic_or_extended_and_utc_without_an_offset(
    client: Client, start: str
) -> None:
    assert _counter(client, StartTime=start, EndTime="2030-01-02") == [5, 6, 7, 8, 9]


# --- aggregates -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("Average", [2.0, 7.0]),
        ("Minimum", [0.0, 5.0]),
        ("Maximum", [4.0, 9.0]),
        ("Count", [5, 5]),
        ("Interpolative", [0, 5]),
    ],
)
@pytest.mark.parametrize("interval", [5000, 5000.0, "5000"])
def test_an_aggregate_gives_one_value_for_each_interval(
    client: Client, aggregate: str, expected: List[float], interval: Any
) -> None:
    body = _read(
        client,
        "Test.Counter",
        StartTime=_second(0),
        EndTime=_second(10),
        Aggregate=aggregate,
        ProcessingInterval=interval,
    )
    assert "ContinuationPoint" not in body
    assert _numbers(body) == expected
    stamps = [value["SourceTimestamp"] for value in body["DataValues"]]
    assert stamps == ["2030-01-01T00:00:00Z", "2030-01-01T00:00:05Z"]


def test_an_aggregated_value_says_that_it_was_calculated(client: Client) -> None:
    span = {"StartTime": _second(0), "EndTime": _second(10)}
    body = _read(client, "Test.Counter", **span, Aggregate="Average")
    assert len(body["DataValues"]) == 1, "without an interval, one for the whole span"
    value = body["DataValues"][0]
    assert value["Value"] == {"Type": 11, "Body": 4.5}
    assert value["Status"] == 0x401 and value["Symbol"] == "Good"  # OPC 10000-11 6.3.2


def test_an_interval_without_data_has_a_status_in_its_place(client: Client) -> None:
    body = _read(
        client,
        "Test.Counter",
        StartTime=_second(5),
        EndTime=_second(15),
        Aggregate="Maximum",
        ProcessingInterval=5000,
    )
    values = body["DataValues"]
    assert [value.get("StatusCode") for value in values] == [None, "BadNoData"]


@pytest.mark.parametrize("aggregate", ["Mean", "average", "", "AggregateFunction_Average"])
def test_an_unknown_aggregate_is_told_with_some_known_ones(client: Client, aggregate: str) -> None:
    span = {"StartTime": _second(0), "EndTime": _second(10)}
    body = _read(client, "Test.Counter", **span, Aggregate=aggregate)
    assert body["StatusCode"] == "BadAggregateNotSupported"
    assert "Body.Aggregate" in body["Reason"] and "Interpolative" in body["Reason"]


def test_an_aggregate_that_only_the_plant_does_not_know_has_the_plants_status(
    client: Client,
) -> None:
    span = {"StartTime": _second(0), "EndTime": _second(10)}
    body = _read(client, "Test.Counter", **span, Aggregate="StandardDeviationSample")
    assert body["StatusCode"] == "BadAggregateNotSupported"
    assert "Body.Aggregate" not in body["Reason"]


#: What the plant does not compute, of the numbers 0 to 9 at the seconds 0 to 9.
COMPUTED = {
    "Range": [4, 4],
    "Delta": [4, 4],
    "Start": [0, 5],
    "End": [4, 9],
    "DurationGood": [5000.0, 4001.0],
    "MaximumActualTime": [4, 9],
}


@pytest.mark.parametrize("most", [0, 1])
@pytest.mark.parametrize("aggregate", COMPUTED)
def test_an_aggregate_that_the_plant_does_not_know_is_computed_of_its_raw_values(
    client: Client, aggregate: str, most: int
) -> None:
    body = _read(
        client,
        "Test.Counter",
        StartTime=_second(0),
        EndTime=_second(10),
        Aggregate=aggregate,
        ProcessingInterval=5000,
        MaxValues=most,
    )
    found = _numbers(body)
    if most:
        assert len(found) == 1
        token = body["ContinuationPoint"]
        body = _read(client, "Test.Counter", ContinuationPoint=token)
        assert _refused(client, "Test.Counter", token)
        found += _numbers(body)
    assert found == COMPUTED[aggregate] and "ContinuationPoint" not in body


def test_of_what_is_no_number_nothing_is_computed(client: Client) -> None:
    span = {"StartTime": "2020-01-01", "EndTime": "2040-01-01"}
    body = _read(client, "Batch.Id", **span, Aggregate="TimeAverage")
    assert body["StatusCode"] == "BadAggregateNotSupported"


def test_a_variable_without_history_has_the_plants_status(client: Client) -> None:
    body = _read(client, "Types.Double", StartTime=_second(0), EndTime=_second(10))
    assert body["StatusCode"] == "BadHistoryOperationUnsupported"
    assert body["Reason"] and "DataValues" not in body


def test_a_set_point_was_something_else_before(client: Client) -> None:
    body = _read(client, "Boiler.Setpoint", StartTime="2020-01-01", EndTime="2030-01-01")
    assert len(set(_numbers(body))) > 1
