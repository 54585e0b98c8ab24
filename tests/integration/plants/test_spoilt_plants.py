"""OPC UA servers that say of themselves, or of one value, what opcws does not know or cannot
decode: nothing else suffers."""

import socket
import struct
import threading

import pytest

from opcws.config.settings import Server
from opcws.model.deadline import Deadline
from opcws.model.errors import PlantError
from opcws.ua.channel.link import Link
from opcws.ua.channel.subscription import Events
from opcws.ua.services import discovery

from ...servers.process import KillableServer, ServerProcess
from ...servers.spoilt import NO_UTF8_BYTES, URI
from ...support import PATIENCE, Client, served

GOOD = {"Good": {"node": "nsu=%s;s=Good" % URI}}
ALL = {name: {"node": "nsu=%s;s=%s" % (URI, name)} for name in ("Good", "Bad", "Other")}


@pytest.mark.parametrize(
    "fault",
    [
        "unknown-enumeration-values",
        "no-utf8",
        "null-endpoints",
        "no-endpoints",
        "null-policy-uri",
        "deep-diagnostics",
    ],
)
def test_what_a_server_says_of_itself_hinders_no_connection(fault: str) -> None:
    plant = KillableServer.of_module("spoilt", fault)
    try:
        with served(plant.endpoint, variables=GOOD) as opcws, Client(opcws.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": "Good"}, handle="m")
            assert client.update(handle="m")["Value"]["Body"] == 1.5
            assert client.body("READ", {"Variable": "Good"})["Value"]["Body"] == 1.5
    finally:
        plant.kill()


def test_what_opcws_does_not_know_is_left_out_of_what_it_discovers() -> None:
    plant = KillableServer.of_module("spoilt", "unknown-enumeration-values", "no-utf8")
    try:
        found = discovery.discover(Link(Server("plant", plant.endpoint), 1, Events()))
    finally:
        plant.kill()
    assert found.name == NO_UTF8_BYTES.decode("utf-8", "replace")
    assert [offer.usable for offer in found.offers] == [True, False]
    assert found.best is not None and "anonymous" in found.best.users
    assert "77" in found.offers[1].mode


def test_diagnostics_beyond_all_bounds_end_the_attempt_with_a_sentence() -> None:
    plant = KillableServer.of_module("spoilt", "too-deep-diagnostics")
    try:
        link = Link(Server("plant", plant.endpoint), 1, Events())
        with pytest.raises(PlantError, match="cannot be decoded.*nested more than"):
            link.open(Deadline(PATIENCE))
        link.close(0.0)
    finally:
        plant.kill()


def test_the_reason_of_an_error_message_may_be_any_bytes() -> None:
    def refuse() -> None:
        sock = listener.accept()[0]
        sock.recv(4096)
        text = struct.pack("<Ii", 0x80BB0000, len(NO_UTF8_BYTES)) + NO_UTF8_BYTES
        sock.sendall(b"ERRF" + struct.pack("<I", 8 + len(text)) + text)
        sock.recv(4096)
        sock.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing = threading.Thread(target=refuse)
        refusing.start()
        endpoint = "opc.tcp://127.0.0.1:%d" % listener.getsockname()[1]
        link = Link(Server("plant", endpoint), 1, Events())
        with pytest.raises(PlantError, match="ended the connection: "):
            link.open(Deadline(PATIENCE))
        link.close(0.0)
        refusing.join()


@pytest.mark.parametrize(
    "fault, status",
    [
        ("wrong-dimensions", "BadDecodingError"),
        ("unknown-encoding", "BadDecodingError"),
        ("too-large", "BadResponseTooLarge"),
    ],
)
def test_a_value_that_cannot_be_had_costs_the_other_variables_nothing(
    fault: str, status: str
) -> None:
    plant = ServerProcess("spoilt", fault)
    # A message that is too large takes its time on a busy machine.
    quick = {"retry_interval_ms": 200, "request_timeout_ms": 1000 * PATIENCE}
    try:
        with served(plant.endpoint, variables=ALL, server=quick) as opcws, Client(
            opcws.urls[0]
        ) as client:
            for name in ALL:
                client.body("MONITORSTART", {"Variable": name}, handle=name)
            body = client.update_where(lambda body: "StatusCode" in body, handle="Bad")
            assert body["StatusCode"] == status
            assert client.status("READ", {"Variable": "Bad"}) == status
            values = client.body("READ", {"Variables": list(ALL)})["Values"]
            assert [each.get("StatusCode") for each in values] == [None, status, None]
            for number in range(2, 12):
                plant.order(Good=number)
                client.update_where(
                    lambda body, number=number: body.get("Value", {}).get("Body") == number,
                    handle="Good",
                )
            assert client.body("READ", {"Variable": "Other"})["Value"]["Body"] == 1.5
            plant.order(Bad=5)
            body = client.update_where(lambda body: "StatusCode" not in body, handle="Bad")
            assert body["Value"]["Body"] == 5.0
            assert opcws.plants["plant"].supervisor.connections == 1
    finally:
        plant.kill()


def test_a_change_that_came_with_a_value_that_cannot_be_decoded_is_read() -> None:
    plant = ServerProcess("spoilt", "unknown-encoding")
    try:
        plant.order(Bad=5)
        with served(plant.endpoint, variables=ALL) as opcws, Client(opcws.urls[0]) as client:
            for name in ALL:
                client.body("MONITORSTART", {"Variable": name}, handle=name)
                assert "StatusCode" not in client.update(handle=name)
            plant.order(Good=9, Bad=None)
            seen = {}
            while seen.keys() != {"Good", "Bad"}:
                message = client.push()
                seen[message["Header"]["ClientHandle"]] = message["Body"]
            assert seen["Good"]["Value"]["Body"] == 9.0
            assert seen["Bad"]["StatusCode"] == "BadDecodingError"
            assert opcws.plants["plant"].supervisor.connections == 1
    finally:
        plant.kill()


def test_an_entry_of_the_namespace_array_that_is_no_utf8_is_replaced() -> None:
    plant = KillableServer.of_module("spoilt", "no-utf8")
    link = Link(Server("plant", plant.endpoint), 1, Events())
    try:
        link.open(Deadline(PATIENCE))
        assert link.namespaces[-1] == NO_UTF8_BYTES.decode("utf-8", "replace")
        assert URI in link.namespaces
    finally:
        link.close(0.0)
        plant.kill()
