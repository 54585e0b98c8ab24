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

from ...servers.process import KillableServer
from ...servers.spoilt import NO_UTF8_BYTES, URI
from ...support import PATIENCE, Client, served

GOOD = {"Good": {"node": "nsu=%s;s=Good" % URI}}


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
        found = discovery.discover(discovery.link_for(Server("plant", plant.endpoint)))
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
        with pytest.raises(PlantError, match="cannot be decoded.*deep in one another"):
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
