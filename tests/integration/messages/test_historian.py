"""HISTORICALREAD against a historian that keeps few continuation points and counts their fate."""

import gc
import json
import time
from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.ua.channel import framing

from ... import support
from ...servers import historian
from ...servers.process import KillableServer
from ...support import PATIENCE, Client, wait_until

VARIABLES = [
    *("Long", "Generous", "Gated", "Flat", "Spoilt", "Unpaged", "Gate", "Limit"),
    *("Asked", "Held", "Released", "Cancelled", "Waiting"),
]
#: Seconds that a continuation point lives here.
LIFETIME_S = 4.0


@pytest.fixture(scope="module")
def process() -> Iterator[KillableServer]:
    running = KillableServer.of_module("historian")
    yield running
    running.kill()


def _serve(process: KillableServer, **settings: Any) -> Server:
    listed: Dict[str, Any] = {
        name: {"node": "nsu=%s;s=%s" % (historian.URI, name), "access": "readwrite"}
        for name in VARIABLES
    }
    running = support.serve(process.endpoint, variables=listed, server=settings)
    support.wait_connected(running)
    return running


@pytest.fixture(scope="module")
def server(process: KillableServer) -> Iterator[Server]:
    running = _serve(process, history_timeout_ms=3 * PATIENCE * 1000)
    yield running
    running.stop()
    support.no_threads_left()


@pytest.fixture
def brief(process: KillableServer) -> Iterator[Server]:
    """Continuation points that live briefly."""
    running = _serve(process, history_continuation_s=LIFETIME_S)
    yield running
    running.stop()


@pytest.fixture
def impatient(process: KillableServer) -> Iterator[Server]:
    """Little time for a page, and much for everything else."""
    running = _serve(process, history_timeout_ms=500, request_timeout_ms=3 * PATIENCE * 1000)
    yield running
    running.stop()


@pytest.fixture
def watcher(server: Server) -> Iterator[Client]:
    """Another client, which asks the historian what it counted and opens its gate."""
    with Client(server.urls[0]) as connected:
        connected.write("Gate", False)
        connected.write("Limit", 4)
        yield connected
        connected.write("Gate", True)


def _stamp(second: int) -> str:
    """*second* seconds after the beginning of 2020."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1577836800 + second))


def _span(first: int, last: int) -> Dict[str, str]:
    return {"StartTime": _stamp(first), "EndTime": _stamp(last)}


def _read(client: Client, variable: str, **more: Any) -> Any:
    return client.body("HISTORICALREAD", {"Variable": variable, **more})


def _numbers(body: Any) -> List[int]:
    return [value["Value"]["Body"] for value in body["DataValues"]]


def _count(client: Client, name: str) -> int:
    number: int = client.body("READ", {"Variable": name})["Value"]["Body"]
    return number


def _wait_count(client: Client, name: str, number: int) -> None:
    wait_until(lambda: _count(client, name) == number, "%s is %d" % (name, number))


def _hold(client: Client, points: int) -> List[str]:
    """Continuation points of ``Long``, each behind the numbers 0 and 1."""
    return [
        _read(client, "Long", **_span(0, 99), MaxValues=2)["ContinuationPoint"]
        for _ in range(points)
    ]


# --- towards the OPC UA server ----------------------------------------------------------------


def test_a_client_that_leaves_has_its_continuation_points_released(
    server: Server, watcher: Client
) -> None:
    released = _count(watcher, "Released")
    with Client(server.urls[0]) as client:
        _hold(client, 3)
        assert _count(watcher, "Held") == 3
    _wait_count(watcher, "Held", 0)
    assert _count(watcher, "Released") == released + 3


def test_the_oldest_continuation_point_makes_room_when_the_server_holds_no_more(
    server: Server, watcher: Client
) -> None:
    with Client(server.urls[0]) as client:
        tokens = _hold(client, 6)
        assert _count(watcher, "Held") == 4
        for token in tokens[:2]:
            body = _read(client, "Long", ContinuationPoint=token)
            assert body["StatusCode"] == "BadContinuationPointInvalid"
        for token in tokens[2:]:
            assert _numbers(_read(client, "Long", ContinuationPoint=token)) == [2, 3]
    _wait_count(watcher, "Held", 0)


def test_a_continuation_point_that_nobody_uses_is_released_when_its_lifetime_is_over(
    brief: Server, watcher: Client
) -> None:
    with Client(brief.urls[0]) as client:
        began = time.monotonic()
        used, unused = _hold(client, 2)
        following = _read(client, "Long", ContinuationPoint=used)
        assert _numbers(following) == [2, 3], "in time it is good"
        _wait_count(watcher, "Held", 0)
        assert time.monotonic() - began >= LIFETIME_S
        for token in (unused, following["ContinuationPoint"]):
            body = _read(client, "Long", ContinuationPoint=token)
            assert body["StatusCode"] == "BadContinuationPointInvalid"


def test_a_page_that_its_client_no_longer_waits_for_is_cancelled_and_its_point_released(
    server: Server, watcher: Client
) -> None:
    cancelled, released = _count(watcher, "Cancelled"), _count(watcher, "Released")
    client = Client(server.urls[0])
    client.send("HISTORICALREAD", {"Variable": "Gated", **_span(0, 99), "MaxValues": 2})
    _wait_count(watcher, "Waiting", 1)
    client.vanish()
    _wait_count(watcher, "Cancelled", cancelled + 1)
    watcher.write("Gate", True)  # this server answers what was cancelled all the same
    _wait_count(watcher, "Released", released + 1)
    assert _count(watcher, "Held") == 0


def test_pages_that_wait_behind_another_are_not_asked_for_when_their_client_leaves(
    server: Server, watcher: Client
) -> None:
    asked, cancelled = _count(watcher, "Asked"), _count(watcher, "Cancelled")
    client = Client(server.urls[0])
    for _ in range(20):
        client.send("HISTORICALREAD", {"Variable": "Gated", **_span(0, 99)})
    _wait_count(watcher, "Waiting", 1)
    client.vanish()
    _wait_count(watcher, "Cancelled", cancelled + 1)
    watcher.write("Gate", True)
    _wait_count(watcher, "Asked", asked + 1)
    with Client(server.urls[0]) as other:
        assert _numbers(_read(other, "Long", **_span(5, 6))) == [5, 6]
    assert _count(watcher, "Asked") == asked + 2


def test_a_page_that_takes_longer_than_history_timeout_ms_is_cancelled_and_says_so(
    impatient: Server, watcher: Client
) -> None:
    cancelled, released = _count(watcher, "Cancelled"), _count(watcher, "Released")
    with Client(impatient.urls[0]) as client:
        began = time.monotonic()
        body = _read(client, "Gated", **_span(0, 99), MaxValues=2)
        assert body["StatusCode"] == "BadTimeout"
        assert 0.5 <= time.monotonic() - began < PATIENCE
        _wait_count(watcher, "Cancelled", cancelled + 1)
        assert _count(client, "Asked") >= 0, "the connection to the plant lives on"
        watcher.write("Gate", True)
        _wait_count(watcher, "Released", released + 1)
    assert _count(watcher, "Held") == 0


# --- towards the clients ----------------------------------------------------------------------


def test_a_client_whose_history_hangs_holds_up_no_other(server: Server, watcher: Client) -> None:
    with Client(server.urls[0]) as hanging, Client(server.urls[0]) as other:
        handles = [
            hanging.send("HISTORICALREAD", {"Variable": "Gated", **_span(n, n)}) for n in range(30)
        ]
        _wait_count(watcher, "Waiting", 1)
        for _ in range(5):
            assert _numbers(_read(other, "Long", **_span(3, 4))) == [3, 4]
        assert _count(watcher, "Waiting") == 1, "the other one's are answered while it hangs"
        watcher.write("Gate", True)
        answers = [hanging.answer() for _ in handles]
        assert [answer["Header"]["ClientHandle"] for answer in answers] == handles
        assert [_numbers(answer["Body"]) for answer in answers] == [[n] for n in range(30)]


def test_a_continuation_point_survives_a_request_for_which_there_was_no_room(
    process: KillableServer, watcher: Client
) -> None:
    more = {"requests_in_flight": 200}
    running = support.serve(
        process.endpoint,
        variables={
            name: {"node": "nsu=%s;s=%s" % (historian.URI, name)} for name in ("Long", "Gated")
        },
        server={"history_timeout_ms": 3 * PATIENCE * 1000},
        listen={"limits": more},
    )
    support.wait_connected(running)
    try:
        with Client(running.urls[0]) as client:
            (token,) = _hold(client, 1)
            gated = [
                client.send("HISTORICALREAD", {"Variable": "Gated", **_span(7, 7)})
                for _ in range(100)
            ]
            asked = client.send("HISTORICALREAD", {"Variable": "Long", "ContinuationPoint": token})
            refused = {}
            while asked not in refused:
                answer = client.answer()
                refused[answer["Header"]["ClientHandle"]] = answer["Body"].get("StatusCode")
            assert set(refused.values()) == {"BadTooManyOperations"}
            watcher.write("Gate", True)
            for _ in range(len(gated) + 1 - len(refused)):
                assert _numbers(client.answer()["Body"]) == [7]
            assert _numbers(_read(client, "Long", ContinuationPoint=token)) == [2, 3]
    finally:
        running.stop()


def test_two_requests_with_one_continuation_point_get_one_page(
    server: Server, watcher: Client
) -> None:
    with Client(server.urls[0]) as client:
        (token,) = _hold(client, 1)
        for _ in range(2):
            client.send("HISTORICALREAD", {"Variable": "Long", "ContinuationPoint": token})
        first, second = client.answer()["Body"], client.answer()["Body"]
        assert _numbers(first) == [2, 3]
        assert second["StatusCode"] == "BadContinuationPointInvalid"


def test_values_that_a_server_sends_beyond_what_was_asked_for_are_the_next_page(
    server: Server, watcher: Client
) -> None:
    with Client(server.urls[0]) as client:
        body = _read(client, "Generous", **_span(0, 13), MaxValues=3)
        pages = [_numbers(body)]
        while "ContinuationPoint" in body:
            body = _read(client, "Generous", ContinuationPoint=body["ContinuationPoint"])
            pages.append(_numbers(body))
    assert pages == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11], [12, 13]]


@pytest.mark.parametrize("turned", [False, True], ids=["oldest first", "newest first"])
def test_aggregates_of_a_long_span_come_in_pages_that_the_server_can_calculate(
    server: Server, watcher: Client, turned: bool
) -> None:
    """10 s intervals of 25 005 s: 2500 whole ones and a rest, 1000 a page at most."""
    ends = (25_005, 0) if turned else (0, 25_005)
    with Client(server.urls[0]) as client:
        more = {"Aggregate": "Count", "ProcessingInterval": 10_000, "MaxValues": 900}
        body = _read(client, "Flat", **_span(*ends), **more)
        sizes, counts, stamps = [], [], []
        while True:
            sizes.append(len(body["DataValues"]))
            counts += _numbers(body)
            stamps += [value["SourceTimestamp"] for value in body["DataValues"]]
            if "ContinuationPoint" not in body:
                break
            body = _read(client, "Flat", ContinuationPoint=body["ContinuationPoint"])
    assert sizes == [900, 900, 701]
    assert counts == [10] * 2500 + [5]
    sign = -1 if turned else 1
    assert stamps == [_stamp(ends[0] + sign * 10 * number) for number in range(2501)]


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, True], ids=["oldest first", "newest first"])
def test_a_long_history_passes_a_page_at_a_time(
    server: Server, watcher: Client, turned: bool
) -> None:
    """Every number arrives once and in order, and opcws is no larger after the last page than
    after the fifth."""
    length = 100_000 if turned else 300_000
    body: Dict[str, Any] = {"Variable": "Long", **_span(0, length - 1)}
    if turned:
        body["StartTime"], body["EndTime"] = body["EndTime"], body["StartTime"]
    expected = iter(range(length - 1, -1, -1) if turned else range(length))
    pages, after_the_fifth = 0, 0
    with Client(server.urls[0]) as client:
        while True:
            client.send("HISTORICALREAD", body)
            answer = json.loads(client.ws.recv())["Body"]
            assert all(number == next(expected) for number in _numbers(answer))
            pages += 1
            if "ContinuationPoint" not in answer:
                break
            body = {"Variable": "Long", "ContinuationPoint": answer.pop("ContinuationPoint")}
            del answer
            if pages == 5:
                after_the_fifth = _resident()
    assert next(expected, None) is None
    assert pages == length // 10_000
    assert _resident() - after_the_fifth < 16 * 1024 * 1024
    assert _count(watcher, "Held") == 0


def _resident() -> int:
    """Bytes of this process in memory; 0 where the system does not tell that way."""
    gc.collect()
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return 0


# --- pages that cannot be had whole ---------------------------------------------------------------


def _pages(client: Client, variable: str, span: Dict[str, str], most: int) -> List[List[Any]]:
    body = _read(client, variable, **span, MaxValues=most)
    pages = [body["DataValues"]]
    while "ContinuationPoint" in body:
        point = body["ContinuationPoint"]
        body = _read(client, variable, **span, MaxValues=most, ContinuationPoint=point)
        assert "DataValues" in body, body
        pages.append(body["DataValues"])
    return pages


@pytest.mark.parametrize("variable", ["Spoilt", "Unpaged"])
@pytest.mark.parametrize("first, last", [(0, 49), (49, 0), (5, 16)])
@pytest.mark.parametrize("most", [1, 4, 6, 100])
def test_a_value_that_cannot_be_decoded_is_told_in_its_place_and_the_others_go_on(
    server: Server, watcher: Client, variable: str, first: int, last: int, most: int
) -> None:
    before = _count(watcher, "Asked")
    with Client(server.urls[0]) as client:
        pages = _pages(client, variable, _span(first, last), most)
    assert max(map(len, pages)) <= most
    values = [value for page in pages for value in page]
    step = 1 if first < last else -1
    expected = range(first, last + step, step)
    assert [each["SourceTimestamp"] for each in values] == [_stamp(each) for each in expected]
    for number, value in zip(expected, values):
        if number % 10 == 5:
            assert value["StatusCode"] == "BadDecodingError" and "Value" not in value
        else:
            assert value["Value"]["Body"] == number
    assert _count(watcher, "Held") == 0
    # A few more for a value that cannot be decoded, and one to know that a page was the last.
    spoilt = sum(number % 10 == 5 for number in expected)
    assert _count(watcher, "Asked") - before <= 2 * len(pages) + 5 * spoilt


def test_a_page_that_is_too_large_is_asked_for_in_halves(
    server: Server, watcher: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "MAX_MESSAGE_BYTES", 20000)
    generations = server.plants["plant"].supervisor.generations
    with Client(server.urls[0]) as client:
        pages = _pages(client, "Unpaged", _span(6, 14), 2000)
        assert [value["Value"]["Body"] for page in pages for value in page] == [*range(6, 15)]
        pages = _pages(client, "Long", _span(0, 2999), 3000)
    assert [value["Value"]["Body"] for page in pages for value in page] == [*range(3000)]
    assert 2 <= len(pages) <= 4
    assert server.plants["plant"].supervisor.generations == generations


def test_one_value_that_is_too_large_is_an_error_that_says_what_to_do(
    server: Server, watcher: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "MAX_MESSAGE_BYTES", 90)
    monkeypatch.setattr(framing, "MOST_DROPPED", 1000)
    before = _count(watcher, "Asked")
    body = _read(watcher, "Long", **_span(0, 99), MaxValues=100)
    monkeypatch.undo()
    assert body["StatusCode"] == "BadResponseTooLarge"
    assert "another period" in body["Reason"]
    assert _count(watcher, "Asked") - before < 10
    assert _count(watcher, "Held") == 0
