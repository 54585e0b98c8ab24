"""Monitoring, end to end: one item per variable in the plant, every change to every client."""

import socket
from typing import Any, Dict, Iterator, List

import pytest
import websocket

from opcws.app import Server
from opcws.demo import Plant

from ... import support
from ...support import Client, wait_until
from ...support.byte_client import connection_threads, narrow

NAME, OTHER = "Test.Counter", "Types.Double"
OVERFLOW = 0x480


def items(plant: Plant) -> List[int]:
    """The ids of the monitored items in *plant*."""
    subscriptions = plant._server.iserver.subscription_service.subscriptions
    return [
        item_id
        for subscription in list(subscriptions.values())
        for item_id in list(subscription.monitored_item_srv._monitored_items)
    ]


def product_threads() -> List[str]:
    """The threads of opcws, without those of the plant in this process."""
    return [name for name in support.our_threads() if not name.startswith("opcws-demo-")]


@pytest.fixture(scope="module")
def in_process() -> Iterator[Plant]:
    """A plant in this process, whose monitored items can be counted; its values stand still."""
    with Plant(clock_period_s=3600.0) as running:
        yield running


@pytest.fixture(scope="module")
def server(in_process: Plant) -> Iterator[Server]:
    running = support.serve(in_process.endpoint)
    support.wait_connected(running)
    yield running
    running.stop()
    wait_until(lambda: not product_threads(), "every thread ends")


@pytest.fixture(autouse=True)
def nothing_is_left(in_process: Plant, server: Server) -> Iterator[None]:
    """Whatever a test started, its clients' end must end."""
    yield
    wait_until(lambda: not items(in_process), "every monitored item is deleted")
    wait_until(lambda: not server.listeners[0].connections(), "every connection is gone")
    relay = server.plants["plant"].relay
    wait_until(
        lambda: not relay._items and not relay._by_handle and not relay._listeners, "it forgets"
    )


def url(server: Server) -> str:
    return server.urls[0]


def start(client: Client, variable: str, handle: Any = "m", **more: Any) -> Any:
    """Start a monitor and return its first value."""
    client.body("MONITORSTART", {"Variable": variable, **more}, handle)
    return client.update(handle, variable)["Value"]["Body"]


def numbers(client: Client, count: int, handle: Any = None) -> List[Any]:
    return [client.update(handle)["Value"]["Body"] for _ in range(count)]


# --- one item, whoever listens -----------------------------------------------------------------


def test_a_variable_has_one_item_in_the_plant_however_many_clients_monitor_it(
    in_process: Plant, server: Server
) -> None:
    clients = [Client(url(server), "?scalars=" + each) for each in ("typed", "string") * 3]
    for number, client in enumerate(clients):
        client.body("MONITORSTART", {"Variable": NAME}, "one")
        client.body("MONITORSTART", {"Variable": NAME}, "two %d" % number)
        client.update("one")
    assert len(items(in_process)) == 1
    clients[0].body("MONITORSTART", {"Variable": OTHER}, "other")
    clients[0].update("other")
    assert len(items(in_process)) == 2
    for client in clients[:-1]:
        client.close()
    wait_until(lambda: len(items(in_process)) == 1, "the other variable's item is deleted")
    in_process.set(NAME, 4711)
    clients[-1].update_where(lambda body: body["Value"]["Body"] == "4711", handle="one")
    clients[-1].close()


def test_the_last_stop_deletes_the_item_while_the_client_stays(
    in_process: Plant, server: Server
) -> None:
    with Client(url(server)) as one, Client(url(server)) as other:
        start(one, NAME)
        start(other, NAME)
        one.body("MONITORSTOP", {"Variable": NAME}, "m")
        in_process.set(NAME, 99)
        assert other.update("m")["Value"]["Body"] == 99
        other.body("MONITORSTOP", {"Variable": NAME}, "m")
        wait_until(lambda: not items(in_process), "the item is deleted")
        assert start(one, NAME) == 99, "and made again when somebody wants it"


# --- the values --------------------------------------------------------------------------------


def test_the_present_value_comes_at_once_to_the_first_and_to_the_second_client(
    in_process: Plant, server: Server
) -> None:
    in_process.set(NAME, 123)
    with Client(url(server)) as one, Client(url(server)) as other:
        assert start(one, NAME) == 123
        in_process.set(NAME, 124)
        assert one.update("m")["Value"]["Body"] == 124
        assert start(other, NAME) == 124
        in_process.set(NAME, 125)
        assert one.update("m")["Value"]["Body"] == other.update("m")["Value"]["Body"] == 125


def test_every_change_comes_in_order_and_none_twice(in_process: Plant, server: Server) -> None:
    in_process.set(NAME, 0)
    with Client(url(server)) as one, Client(url(server), "?scalars=string") as other:
        assert start(one, NAME, "a") == 0
        assert start(other, NAME, "b") == "0"
        for number in range(1, 501):
            in_process.set(NAME, number)
        assert numbers(one, 500) == list(range(1, 501))
        assert numbers(other, 500) == [str(number) for number in range(1, 501)]


def test_what_one_client_writes_another_sees_write_by_write(
    in_process: Plant, server: Server
) -> None:
    in_process.set(NAME, 0)
    with Client(url(server)) as writer, Client(url(server)) as watcher:
        assert start(watcher, NAME) == 0
        for number in range(1, 101):
            writer.send("WRITE", {"Variable": NAME, "Value": number})
        assert numbers(watcher, 100) == list(range(1, 101))
        for _ in range(100):
            assert writer.answer()["Body"] == {}


def test_a_client_that_joins_while_values_flow_misses_none_and_gets_none_twice(
    in_process: Plant, server: Server
) -> None:
    in_process.set(NAME, 0)
    with Client(url(server)) as first, Client(url(server)) as second:
        start(first, NAME)
        for number in range(1, 101):
            in_process.set(NAME, number)
        began = start(second, NAME)
        for number in range(101, 201):
            in_process.set(NAME, number)
        assert numbers(second, 200 - began) == list(range(began + 1, 201))
        assert numbers(first, 200) == list(range(1, 201))


def test_a_change_of_the_status_alone_is_a_change(in_process: Plant, server: Server) -> None:
    in_process.set(NAME, 5)
    with Client(url(server)) as client:
        start(client, NAME)
        in_process.set(NAME, 5, status=0x40900000)
        update = client.update("m")
        assert (update["Value"]["Body"], update["Status"]) == (5, 0x40900000)
        in_process.set(NAME, 5)


def test_the_value_of_a_monitor_has_its_timestamps(server: Server) -> None:
    with Client(url(server)) as client:
        client.body("MONITORSTART", {"Variable": NAME}, "m")
        body = client.update("m")
        assert body["SourceTimestamp"].endswith("Z") and body["ServerTimestamp"].endswith("Z")


# --- handles -----------------------------------------------------------------------------------


def test_two_clients_with_one_handle_for_different_variables_do_not_disturb_one_another(
    in_process: Plant, server: Server
) -> None:
    with Client(url(server)) as one, Client(url(server)) as other:
        start(one, NAME, "same")
        start(other, OTHER, "same")
        in_process.set(NAME, 21)
        in_process.set(OTHER, 2.5)
        assert one.update()["Variable"] == NAME
        assert other.update()["Variable"] == OTHER
        one.body("MONITORSTOP", {"Variable": NAME}, "same")
        in_process.set(NAME, 22)
        in_process.set(OTHER, 3.5)
        assert other.update("same")["Value"]["Body"] == 3.5
        assert one.body("VALUELIST") and not one.pushed


def test_one_handle_carries_several_variables_of_one_client(
    in_process: Plant, server: Server
) -> None:
    with Client(url(server)) as client:
        answer = client.body("MONITORSTART", {"Variables": [NAME, OTHER]}, "both")
        assert answer == {"Results": [{"Variable": NAME}, {"Variable": OTHER}]}
        assert {client.update("both")["Variable"] for _ in range(2)} == {NAME, OTHER}
        client.body("MONITORSTOP", {"Variable": NAME}, "both")
        in_process.set(NAME, 31)
        in_process.set(OTHER, 31.5)
        assert client.update("both")["Variable"] == OTHER


def test_one_variable_goes_to_every_handle_that_a_client_gave_it(
    in_process: Plant, server: Server
) -> None:
    with Client(url(server)) as client:
        for handle in ("7", 7, "eight"):
            start(client, NAME, handle)
        in_process.set(NAME, 41)
        told = [client.push() for _ in range(3)]
        assert [each["Header"]["ClientHandle"] for each in told] == ["7", 7, "eight"]
        assert [each["Body"]["Value"]["Body"] for each in told] == [41] * 3
        client.body("MONITORSTOP", {"Variable": NAME}, 7)
        in_process.set(NAME, 42)
        told = [client.push() for _ in range(2)]
        assert [each["Header"]["ClientHandle"] for each in told] == ["7", "eight"]


def test_in_the_string_dialect_an_integer_handle_comes_back_as_a_string(server: Server) -> None:
    with Client(url(server), "?scalars=string") as client:
        client.request("MONITORSTART", {"Variable": NAME}, 7)
        assert client.update("7")["Variable"] == NAME


def test_both_dialects_at_once_get_the_same_value_each_in_its_form(
    in_process: Plant, server: Server
) -> None:
    with Client(url(server)) as typed, Client(url(server), "?scalars=string") as string:
        start(typed, OTHER)
        start(string, OTHER)
        in_process.set(OTHER, -30.0)
        assert typed.update("m")["Value"] == {"Type": 11, "Body": -30.0}
        value = string.update("m")["Value"]
        assert (value["Type"], value["Body"]) == ("11", "-30")


# --- stop, twice, never ------------------------------------------------------------------------


def test_a_monitor_started_twice_exists_already_and_goes_on(
    in_process: Plant, server: Server
) -> None:
    with Client(url(server)) as client:
        start(client, NAME)
        assert client.status("MONITORSTART", {"Variable": NAME}, "m") == "BadEntryExists"
        answer = client.body("MONITORSTART", {"Variables": [OTHER, NAME]}, "m")
        assert [each.get("StatusCode") for each in answer["Results"]] == [None, "BadEntryExists"]
        client.update("m", OTHER)
        in_process.set(NAME, 51)
        assert client.update("m", NAME)["Value"]["Body"] == 51
        assert client.body("VALUELIST") and not client.pushed, "told once"


def test_a_stop_with_a_foreign_handle_stops_every_monitor_of_the_variable(
    in_process: Plant, server: Server
) -> None:
    with Client(url(server)) as client:
        for handle in ("a", "b"):
            start(client, NAME, handle)
        assert client.body("MONITORSTOP", {"Variable": NAME}, "neither") == {}
        wait_until(lambda: not items(in_process), "the item is deleted")
        assert client.status("MONITORSTOP", {"Variable": NAME}, "a") == "BadNoEntryExists"


def test_a_stop_of_what_is_not_monitored_is_refused(server: Server) -> None:
    with Client(url(server)) as client, Client(url(server)) as other:
        start(other, NAME)
        assert client.status("MONITORSTOP", {"Variable": NAME}, "m") == "BadNoEntryExists"
        start(client, OTHER)
        answer = client.body("MONITORSTOP", {"Variables": [NAME, OTHER, "None.Such"]}, "m")
        assert [each.get("StatusCode") for each in answer["Results"]] == [
            "BadNoEntryExists",
            None,
            "BadNodeIdUnknown",
        ]


def test_no_update_comes_after_the_response_to_a_stop(in_process: Plant, server: Server) -> None:
    with Client(url(server)) as client, Client(url(server)) as witness:
        start(witness, NAME)
        for round_number in range(20):
            start(client, NAME)
            for number in range(10):
                in_process.set(NAME, 1000 + 10 * round_number + number)
            client.body("MONITORSTOP", {"Variable": NAME}, "m")
            client.pushed.clear()
            last = 2000 + round_number
            in_process.set(NAME, last)
            witness.update_where(lambda body, last=last: body["Value"]["Body"] == last)
            client.body("VALUELIST")
            assert not client.pushed


def test_no_update_comes_before_the_response_to_a_start(in_process: Plant, server: Server) -> None:
    with Client(url(server)) as client, Client(url(server)) as witness:
        start(witness, NAME)
        for number in range(20):
            in_process.set(NAME, 3000 + number)
            handle = client.send("MONITORSTART", {"Variable": NAME})
            mine = [client.receive() for _ in range(2)]
            assert [each["Header"]["ClientHandle"] for each in mine] == [handle] * 2
            assert mine[0]["Header"]["MessageType"] == "MONITORSTART_RESPONSE"
            client.body("MONITORSTOP", {"Variable": NAME}, handle)
            client.pushed.clear()


# --- nodes that are not there ------------------------------------------------------------------


def test_a_node_that_the_plant_does_not_have_is_told_as_an_update_and_costs_others_nothing(
    in_process: Plant,
) -> None:
    node = "nsu=urn:demo:plant;s="
    variables: Dict[str, Any] = {
        "Good": {"node": node + "Test.Counter"},
        "Missing": {"node": node + "No.Such"},
        "Elsewhere": {"node": "nsu=urn:not:here;s=X"},
    }
    running = support.serve(in_process.endpoint, variables=variables)
    try:
        support.wait_connected(running)
        with Client(url(running)) as client:
            names = sorted(variables)
            answer = client.body("MONITORSTART", {"Variables": names}, "m")
            assert answer == {"Results": [{"Variable": name} for name in names]}
            told = {body["Variable"]: body for body in (client.update("m") for _ in names)}
            assert told["Missing"]["StatusCode"] == "BadNodeIdUnknown"
            assert "urn:not:here" in told["Elsewhere"]["Reason"]
            assert "StatusCode" not in told["Good"]
            in_process.set(NAME, 61)
            assert client.update("m")["Value"]["Body"] == 61
            assert client.status("MONITORSTART", {"Variable": "None"}) == "BadNodeIdUnknown"
    finally:
        running.stop()


# --- clients that leave ------------------------------------------------------------------------


@pytest.mark.parametrize("leave", [Client.close, Client.vanish, "reset"])
def test_a_client_that_goes_away_leaves_no_item_no_thread_and_no_connection(
    in_process: Plant, server: Server, leave: Any
) -> None:
    wait_until(lambda: not server.listeners[0].connections(), "nobody else is connected")
    wait_until(lambda: not connection_threads(), "and nobody's thread is left")
    threads = product_threads()
    client = Client(url(server))
    client.body("MONITORSTART", {"Variables": [NAME, OTHER]}, "m")
    client.update("m")
    assert len(items(in_process)) == 2
    if leave == "reset":
        client.ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.ws.sock.close()
    else:
        leave(client)
    wait_until(lambda: not items(in_process), "the items are deleted")
    wait_until(lambda: product_threads() == threads, "its threads end")


# --- clients that do not read ------------------------------------------------------------------


SWIFT = {"publishing_interval_ms": 10}
#: Together more than the buffers of a socket and the queue take.
ROUNDS, LETTERS = 30, 150000


@pytest.fixture
def brief(in_process: Plant) -> Iterator[Server]:
    """opcws with room for ten updates per client."""
    limits = {"outbox_messages": 10, "requests_in_flight": 1000}
    running = support.serve(in_process.endpoint, listen={"limits": limits}, server=SWIFT)
    support.wait_connected(running)
    yield running
    running.stop()


def deaf(server: Server) -> Client:
    """A client between small buffers, so that not reading is soon felt."""
    options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
    client = Client(url(server), sockopt=options)
    narrow(server, client.ws.sock)
    return client


def fill(plant: Plant, watcher: Client, handle: Any, rounds: int = ROUNDS) -> str:
    """Change Types.String *rounds* times to something large, each seen by *watcher*."""
    text = ""
    for number in range(rounds):
        text = "%d %s" % (number, "x" * LETTERS)
        plant.set("Types.String", text)
        assert watcher.update(handle)["Value"]["Body"] == text
    return text


def test_a_client_that_does_not_read_gets_the_latest_with_the_overflow_bit_and_every_reply(
    in_process: Plant, brief: Server
) -> None:
    in_process.set("Types.String", "")
    in_process.set(NAME, 0)
    with deaf(brief) as slow, Client(url(brief)) as healthy:
        start(slow, "Types.String", "s")
        start(slow, NAME, "n")
        start(healthy, "Types.String", "h")
        last = fill(in_process, healthy, "h")
        in_process.set(NAME, 1)
        handles = [slow.send("VALUELIST") for _ in range(200)]
        assert healthy.body("VALUELIST"), "who reads is served meanwhile"

        answers = [slow.answer() for _ in handles]
        assert [answer["Header"]["ClientHandle"] for answer in answers] == handles
        told: List[Any] = []
        while not told or told[-1]["Value"]["Body"] != last:
            told.append(slow.update("s"))
        assert len(told) < ROUNDS
        before = 0
        for body in told:
            number = int(body["Value"]["Body"].split()[0]) + 1
            flagged = body.get("Status", 0) == OVERFLOW
            assert flagged == (number > before + 1), "the bit is where values were lost"
            before = number
        in_process.set("Types.String", "after")
        after = slow.update("s")
        assert after["Value"]["Body"] == "after" and "Status" not in after
    in_process.set("Types.String", "")


def test_a_client_that_takes_nothing_for_send_timeout_is_closed_and_freed(
    in_process: Plant,
) -> None:
    listen = {"send_timeout_s": 1, "limits": {"outbox_messages": 10}}
    running = support.serve(in_process.endpoint, listen=listen, server=SWIFT)
    try:
        support.wait_connected(running)
        slow = deaf(running)
        with Client(url(running)) as healthy:
            start(slow, "Types.String", "s")
            start(slow, NAME, "n")
            start(healthy, "Types.String", "h")
            assert len(items(in_process)) == 2
            fill(in_process, healthy, "h")
            wait_until(lambda: len(running.listeners[0].connections()) == 1, "the slow one goes")
            wait_until(lambda: len(items(in_process)) == 1, "its item is deleted")
            fill(in_process, healthy, "h", 3)
        assert ends_with(slow) in (1008, None)
        slow.vanish()
    finally:
        running.stop()
        in_process.set("Types.String", "")


def ends_with(client: Client) -> Any:
    """Read until the connection ends; its close code, or None if it just broke."""
    try:
        while True:
            opcode, data = client.ws.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")
    except (websocket.WebSocketException, OSError):
        return None
