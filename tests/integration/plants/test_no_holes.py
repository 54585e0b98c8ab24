"""Monitors without holes: Since and Backfill, with the history of the plant and of the recorder."""

import contextlib
import json
from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.config import loads

from ... import support
from ...support import Client, PlantProcess
from ...support.proxy import Proxy

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

COUNTER = "Test.Counter"


@contextlib.contextmanager
def serving(endpoint: str, connected: bool = True, **changes: Any) -> Iterator[Server]:
    server = support.serve(endpoint, **changes)
    try:
        if connected:
            support.wait_connected(server)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def writer(plant: PlantProcess) -> Iterator[Client]:
    """Writes to the plant, whatever becomes of the others' connection."""
    with serving(plant.endpoint) as server, Client(server.urls[0]) as client:
        yield client


@pytest.fixture(scope="module")
def way(plant: PlantProcess) -> Iterator[Proxy]:
    """The way to the plant, which may be cut."""
    with Proxy(plant.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(way: Proxy) -> Iterator[Server]:
    with serving(way.endpoint) as server:
        yield server


class Numbers:
    """Numbers written one after another, and those that a monitor is told."""

    def __init__(self, writer: Client) -> None:
        self._writer = writer
        self.written = writer.body("READ", {"Variable": COUNTER})["Value"]["Body"]

    def write(self, count: int = 5) -> List[int]:
        first = self.written + 1
        for _ in range(count):
            self.written += 1
            self._writer.write(COUNTER, self.written)
        return list(range(first, self.written + 1))

    def told(self, client: Client, until: int) -> List[Dict[str, Any]]:
        """The updates up to that of the number *until*."""
        updates: List[Dict[str, Any]] = []
        while not updates or updates[-1].get("Value", {}).get("Body") != until:
            updates.append(client.update(variable=COUNTER))
        return updates


@pytest.fixture
def numbers(writer: Client) -> Numbers:
    return Numbers(writer)


def bodies(updates: List[Dict[str, Any]]) -> List[int]:
    return [update["Value"]["Body"] for update in updates]


def last_moment(client: Client) -> str:
    """When the counter became what it is; the client monitors it no more."""
    client.body("MONITORSTART", {"Variable": COUNTER}, "now")
    update = client.update("now")
    client.body("MONITORSTOP", {"Variable": COUNTER}, "now")
    moment: str = update["SourceTimestamp"]
    return moment


@pytest.mark.parametrize("others", [False, True], ids=["alone", "beside another"])
def test_a_client_that_was_away_is_told_every_number_once(
    server: Server, numbers: Numbers, others: bool
) -> None:
    with Client(server.urls[0]) as client:
        if others:
            client.body("MONITORSTART", {"Variable": COUNTER}, "other")
        seen = last_moment(client)
    missed = numbers.write()
    with Client(server.urls[0]) as client:
        client.body("MONITORSTART", {"Variable": COUNTER, "Since": seen}, "m")
        past = numbers.told(client, missed[-1])
        assert bodies(past) == missed
        assert [update.get("Historical") for update in past] == [True] * 4 + [None]
        live = numbers.write()
        updates = numbers.told(client, live[-1])
        assert bodies(updates) == live
        assert not any("Historical" in update for update in updates)
        assert not any("Status" in update for update in past + updates), "nothing was lost"


def test_several_variables_are_resumed_in_one_request(server: Server, numbers: Numbers) -> None:
    with Client(server.urls[0]) as client:
        seen = last_moment(client)
        missed = numbers.write()
        names = [COUNTER, "Boiler.Temperature", "no such name"]
        answer = client.body("MONITORSTART", {"Variables": names, "Since": seen}, "m")
        assert [item.get("StatusCode") for item in answer["Results"]] == [
            *(None, None, "BadNodeIdUnknown")
        ]
        assert bodies(numbers.told(client, missed[-1])) == missed
        client.update_where(lambda body: "Historical" not in body, variable="Boiler.Temperature")


def test_the_present_value_alone_is_told_if_nothing_changed(
    server: Server, numbers: Numbers
) -> None:
    with Client(server.urls[0]) as client:
        seen = last_moment(client)
        client.body("MONITORSTART", {"Variable": COUNTER, "Since": seen}, "m")
        present = client.update("m")
        assert present["SourceTimestamp"] == seen and "Historical" not in present
        written = numbers.write(1)
        assert bodies(numbers.told(client, written[-1])) == written


def test_of_too_much_the_newest_comes_and_says_so(way: Proxy, numbers: Numbers) -> None:
    limits = {"limits": {"backfill_values": 3}}
    with serving(way.endpoint, listen=limits) as server, Client(server.urls[0]) as client:
        seen = last_moment(client)
        missed = numbers.write(6)
        client.body("MONITORSTART", {"Variable": COUNTER, "Since": seen}, "m")
        updates = numbers.told(client, missed[-1])
        assert bodies(updates) == missed[-3:]
        assert updates[0]["Status"] == 0x480, "Overflow"
        assert not any("Status" in update for update in updates[1:])


def test_what_the_plant_had_while_the_way_to_it_was_cut_comes_first(
    server: Server, way: Proxy, numbers: Numbers
) -> None:
    with Client(server.urls[0]) as client, Client(server.urls[0]) as plain:
        client.body("MONITORSTART", {"Variable": COUNTER, "Backfill": True}, "m")
        plain.body("MONITORSTART", {"Variable": COUNTER}, "m")
        before = numbers.write(2)
        numbers.told(client, before[-1])
        numbers.told(plain, before[-1])
        way.refusing = True
        way.cut()
        for each in (client, plain):
            each.update_where(lambda body: body.get("StatusCode") == "BadNotConnected")
        missed = numbers.write()
        way.heal()
        support.wait_connected(server)
        live = numbers.write()
        updates = numbers.told(client, live[-1])
        good = [update for update in updates if "StatusCode" not in update]
        assert bodies(good) == missed + live
        assert all("Historical" in update for update in good[: len(missed) - 1])
        assert not any("Historical" in update for update in good[len(missed) :])
        assert bodies(numbers.told(plain, live[-1]))[-5:] == live


@pytest.mark.parametrize("stopped", [False, True], ids=["all", "one stopped"])
def test_who_resumes_while_the_plant_is_away_is_told_when_it_is_back(
    server: Server, way: Proxy, numbers: Numbers, stopped: bool
) -> None:
    with Client(server.urls[0]) as client:
        seen = last_moment(client)
    missed = numbers.write()
    way.refusing = True
    way.cut()
    with serving(way.endpoint, connected=False) as later, Client(later.urls[0]) as client:
        for handle in ("m", "stopped") if stopped else ("m",):
            client.body("MONITORSTART", {"Variable": COUNTER, "Since": seen}, handle)
            assert client.update(handle)["StatusCode"] == "BadNotConnected"
        if stopped:
            client.body("MONITORSTOP", {"Variable": COUNTER}, "stopped")
        way.heal()
        updates = numbers.told(client, missed[-1])
        assert bodies([each for each in updates if "StatusCode" not in each]) == missed
        assert not any("Status" in update for update in updates[1:]), "nothing was lost"
    support.wait_connected(server)


def test_a_variable_without_history_is_monitored_with_overflow(server: Server) -> None:
    with Client(server.urls[0]) as client:
        body = {"Variable": "Types.Int32", "Since": "2026-01-01"}
        assert client.body("MONITORSTART", body, "m") == {}
        assert client.update("m")["Status"] == 0x480
        assert client.status("READ", {"Variable": "Types.Int32"}) is None


@pytest.mark.parametrize("wish", [{"Since": "2026-01-01"}, {"Backfill": True}])
def test_who_may_not_read_history_may_not_monitor_it(way: Proxy, wish: Dict[str, Any]) -> None:
    roles = {"anonymous": {"read": ["*"]}}
    server = Server(loads(json.dumps({**support.settings(way.endpoint), "roles": roles})))
    server.start()
    try:
        with Client(server.urls[0]) as client:
            status = client.status("MONITORSTART", {"Variable": COUNTER, **wish})
            assert status == "BadUserAccessDenied"
            assert client.status("MONITORSTART", {"Variable": COUNTER, "Backfill": False}) is None
    finally:
        server.stop()
