"""HISTORICALREAD of a historian that takes nothing but what it was asked for at first."""

from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server

from ... import support
from ...servers import particular
from ...servers.process import ServerProcess

VARIABLES: Dict[str, Any] = {
    name: {"node": "nsu=%s;s=%s" % (particular.URI, name), "access": "readwrite"}
    for name in ("Past", "Refused", "Unsupported", "Held")
}
SPAN = {"Variable": "Past", "StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-01-02T00:00:00Z"}
ALL = [float(number) for number in range(particular.LENGTH)]


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    running = ServerProcess("particular")
    yield running
    running.kill()


@pytest.fixture
def server(process: ServerProcess) -> Iterator[Server]:
    process.order(Refused=[0], Unsupported=[0])
    with support.served(process.endpoint, variables=VARIABLES) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[support.Client]:
    with support.Client(server.urls[0]) as connected:
        yield connected


def count(client: support.Client, name: str) -> Any:
    return client.body("READ", {"Variable": name})["Value"]["Body"]


def numbers(body: Dict[str, Any]) -> List[float]:
    assert "DataValues" in body, body
    return [value["Value"]["Body"] for value in body["DataValues"]]


@pytest.mark.parametrize("sizes", [[10, 3], [3, 10], [2, 1, 30], [1, 7, 2], [30], [4]])
def test_pages_of_whatever_sizes_bring_every_value_once(
    client: support.Client, sizes: List[int]
) -> None:
    body = client.body("HISTORICALREAD", {**SPAN, "MaxValues": sizes[0]})
    taken = numbers(body)
    lengths = [len(taken)]
    while "ContinuationPoint" in body:
        most = sizes[min(len(lengths), len(sizes) - 1)]
        more = {"MaxValues": most, "ContinuationPoint": body["ContinuationPoint"]}
        body = client.body("HISTORICALREAD", {**SPAN, **more})
        lengths.append(len(numbers(body)))
        assert lengths[-1] <= most
        taken += numbers(body)
    assert taken == ALL, lengths
    assert count(client, "Refused") == 0
    # A page that was asked to be larger than the first is as large.
    if sizes[0] < particular.PAGE:
        assert lengths[1] == sizes[1]


def test_that_there_are_source_timestamps_only_is_found_out_once(client: support.Client) -> None:
    for _ in range(3):
        body = client.body("HISTORICALREAD", {**SPAN, "MaxValues": 2})
        assert numbers(body) == ALL[:2]
        assert body["DataValues"][1]["SourceTimestamp"] == "2026-01-01T00:00:01Z"
        assert "ServerTimestamp" not in body["DataValues"][1]
    assert count(client, "Unsupported") == 1


def test_a_history_denied_to_everybody_is_none(client: support.Client) -> None:
    assert client.body("VALUEINFO", {"Variables": ["Held"]})["Variables"], "what it is, is known"
    body = client.body("HISTORICALREAD", {**SPAN, "Variable": "Held"})
    assert body["StatusCode"] == "BadHistoryOperationUnsupported", body
    assert body["Reason"] == "the OPC UA server does not keep or give this history"


def test_a_point_is_released_with_what_it_came_with(server: Server, client: support.Client) -> None:
    before = count(client, "Held")
    with support.Client(server.urls[0]) as other:
        assert "ContinuationPoint" in other.body("HISTORICALREAD", {**SPAN, "MaxValues": 2})
        assert count(client, "Held") == before + 1
    support.wait_until(lambda: count(client, "Held") == before, "the point is released")
    assert count(client, "Refused") == 0
