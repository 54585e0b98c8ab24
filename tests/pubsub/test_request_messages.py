"""What is asked by way of a broker, and what is made of the answers."""

import json
from typing import Any, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.config.settings import Variable
from opcws.gateway.plant_interface import HistoryQuery
from opcws.model import status_codes
from opcws.model.data_types import DOUBLE, LAST_TICKS, DataValue, NodeId, Variant
from opcws.model.errors import ServiceError
from opcws.pubsub import request_messages, topics
from opcws.wire import contract, messages
from opcws.wire.timestamps import parse_timestamp

A = Variable("A", "hall", NodeId(0, "A"), field="A")
MOMENT = parse_timestamp("2026-11-30T03:00:00Z")


def query(start: int = MOMENT, end: int = LAST_TICKS, most: int = 0, **more: Any) -> HistoryQuery:
    aggregate, interval = more.get("aggregate"), more.get("interval_ms", 0.0)
    return HistoryQuery(A, start, end, most, more.get("bounds", False), aggregate, interval)


def body_of(text: str) -> Dict[str, Any]:
    """The Body of a request that keeps the contract."""
    request = messages.parse(text)
    contract.check_body(request.message_type, request.message)
    assert request.handle == "h"
    return request.body


def test_a_write_is_asked_for_with_the_value_as_the_client_gave_it() -> None:
    given_values = [1, 1.5, "1", True, {"Type": "Double", "Body": "NaN"}, [1, 2], float("inf")]
    body = body_of(request_messages.write_text("h", [("A", each) for each in given_values]))
    assert [each["Variable"] for each in body["Writes"]] == ["A"] * 7
    told = [each["Value"] for each in body["Writes"]]
    assert told == [*given_values[:6], "Infinity"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (query(), {"StartTime": "2026-11-30T03:00:00Z"}),
        (query(0, MOMENT, 5), {"EndTime": "2026-11-30T03:00:00Z", "MaxValues": 5}),
        (query(MOMENT, MOMENT + 1, bounds=True), {"ReturnBounds": True}),
        (
            query(aggregate="Average", interval_ms=1500.0),
            {"Aggregate": "Average", "ProcessingInterval": 1500},
        ),
    ],
)
def test_history_is_asked_for(asked: HistoryQuery, expected: Dict[str, Any]) -> None:
    body = body_of(request_messages.history_text("h", "A", asked, None))
    assert body["Variable"] == "A" and expected.items() <= body.items()
    assert ("EndTime" in body) == (asked.end != LAST_TICKS)
    assert ("StartTime" in body) == bool(asked.start)


def test_the_newest_of_all_values_are_asked_for() -> None:
    body = body_of(request_messages.history_text("h", "A", query(0, LAST_TICKS, 1), None))
    assert set(body) == {"Variable", "EndTime", "MaxValues"}


def test_the_next_page_is_asked_for_by_its_continuation_point() -> None:
    body = body_of(request_messages.history_text("h", "A", query(most=7), "c-1"))
    assert body == {"Variable": "A", "ContinuationPoint": "c-1", "MaxValues": 7}


def answer(**members: Any) -> bytes:
    return json.dumps({"Header": {"MessageType": "WRITE_RESPONSE"}, **members}).encode()


def results(number: int, *items: Any) -> Any:
    body = request_messages.body(answer(Body={"Results": list(items)}), "plant-3")
    return request_messages.results(body, number, "plant-3")


def test_what_became_of_writes_is_read() -> None:
    clamped = status_codes.code("GoodClamped")
    bad = {"Variable": "A", "StatusCode": "BadOutOfRange", "Reason": "too much"}
    told = results(3, {"Variable": "A"}, bad, {"Variable": "A", "Status": clamped})
    assert (told[0], told[2]) == (0, clamped)
    assert (told[1].status, told[1].reason) == ("BadOutOfRange", "plant-3: too much")


@pytest.mark.parametrize("place", ["Header", "Body"])
def test_what_was_refused_is_an_error(place: str) -> None:
    members = {place: {"StatusCode": "BadUserAccessDenied", "Reason": "no"}}
    with pytest.raises(ServiceError) as caught:
        request_messages.body(answer(**members), "plant-3")
    assert (caught.value.status, caught.value.reason) == ("BadUserAccessDenied", "plant-3: no")


@pytest.mark.parametrize(
    "items",
    [
        (),
        ({}, {}),
        (5,),
        ({"Status": "Good"},),
        ({"Status": -1},),
        ({"StatusCode": 5},),
        ({"StatusCode": "BadNonsense"},),
    ],
)
def test_results_that_are_none_are_refused(items: Any) -> None:
    with pytest.raises(ValueError):
        results(1, *items)


@given(st.binary(max_size=40) | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_an_answer_is_read_or_refused(data: Any) -> None:
    payload = data if isinstance(data, bytes) else data.encode()
    try:
        request_messages.page(request_messages.body(payload, "p"), [])
    except (ServiceError, ValueError):
        pass


def test_a_page_of_history_is_read() -> None:
    values = [
        {
            "Value": {"Type": "Double", "Body": 1.5},
            "SourceTimestamp": "2026-11-30T03:00:00Z",
        },
        {"Status": status_codes.code("BadNoData"), "StatusCode": "BadNoData", "Reason": "none"},
        {"Value": {"Type": "Nonsense", "Body": 1}, "SourceTimestamp": "2026-11-30T03:00:00Z"},
        {},
    ]
    page = request_messages.page({"DataValues": values, "ContinuationPoint": "c"}, [])
    good = DataValue(Variant(DOUBLE, 1.5), 0, MOMENT)
    bad = [status_codes.code(name) for name in ("BadNoData", "BadDecodingError")]
    assert page.values[0] == good
    assert page.values[1:] == [
        DataValue(None, bad[0]),
        DataValue(None, bad[1], MOMENT),
        DataValue(None),
    ]
    assert (page.point, page.missing) == ("c", None)


@pytest.mark.parametrize("body", [{}, {"DataValues": 5}, {"DataValues": [5]}])
def test_a_page_that_is_none_is_refused(body: Dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        request_messages.page(body, [])


def test_names_are_one_level_of_a_topic_each() -> None:
    topic = topics.request("opcua", "plant-3", "a/b+#%")
    assert topic == "opcua/json/action-request/plant-3/a%2Fb%2B%23%25"
    assert topics.last_level(topic) == "a/b+#%"
    assert topics.answer("x", "p", "e") == "x/json/action-response/p/e"
