"""What a stop still does for clients and for the plant, step by step."""

import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any, Iterable, List, Tuple

import pytest
from opcua import ua

from opcws import app
from opcws.app import Server
from opcws.cli.serve import serve_file
from opcws.config import load
from opcws.demo import Plant
from opcws.model.errors import ListenError
from opcws.operations import control_socket, logs

from ... import support
from ...support import PATIENCE, Client, wait_until
from ...support.proxy import RESPONSES, Chunk, Flow, Proxy
from ..messages.test_monitoring import LETTERS, deaf, ends_with, items, product_threads
from .test_shutdown import opcws, posix, write_config

__all__ = ["opcws"]

#: What the tests give a stop that must not be cut short on a busy machine.
LONG_S = 15.0
WRITE_REQUEST = ua.ObjectIds.WriteRequest_Encoding_DefaultBinary


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "ANSWERS_S", LONG_S)
    monkeypatch.setattr(app, "CLIENTS_S", LONG_S)


def _stopping(server: Server) -> threading.Thread:
    """A thread that stops *server*, which has shut its door."""
    address = server.listeners[0].addresses[0]  # it has none once it is stopping
    thread = threading.Thread(target=server.stop, args=(3 * LONG_S,))
    thread.start()
    wait_until(lambda: _refuses(address), "no connection is taken any more")
    return thread


def _refuses(address: Tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, PATIENCE).close()
    except OSError:
        return True
    return False


class Held:
    """A proxy in front of *plant* that holds writes back, and keeps what the plant has answered."""

    def __init__(self, plant: Plant) -> None:
        self.writes = 0
        self.free = threading.Event()
        self.answered: List[int] = []
        self.proxy = Proxy(plant.port)
        self.proxy.to_server = self._to_server
        self.proxy.to_client = self._to_client

    def _to_server(self, chunk: Chunk, flow: Flow) -> Iterable[Chunk]:
        if chunk.type_id == WRITE_REQUEST:
            self.writes += 1
            self.free.wait(PATIENCE)
        return (chunk,)

    def _to_client(self, chunk: Chunk, flow: Flow) -> Iterable[Chunk]:
        self.answered.append(chunk.type_id)
        return (chunk,)


def test_a_write_in_flight_is_done_and_answered_before_1001_and_nothing_new_is_begun(
    in_process: Plant, patient: None
) -> None:
    in_process.set("Types.Int32", 0)
    in_process.set("Types.Int16", 0)
    held = Held(in_process)
    with held.proxy:
        server = support.serve(held.proxy.endpoint, server={"request_timeout_ms": 30000})
        support.wait_connected(server)
        with Client(server.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
            client.update("m")
            handle = client.send("WRITE", {"Variable": "Types.Int32", "Value": 4711})
            wait_until(lambda: held.writes, "the write is on its way to the plant")
            stopping = _stopping(server)
            client.send("WRITE", {"Variable": "Types.Int16", "Value": 4711})
            # The plant's answer, not the time that passed, is what the stop waits for.
            assert RESPONSES["CloseSession"] not in held.answered
            held.free.set()
            answer = client.answer()
            assert answer["Header"]["ClientHandle"] == handle
            assert "StatusCode" not in answer["Body"]
            assert ends_with(client) == 1001
            client.vanish()
            stopping.join(PATIENCE)
            assert not stopping.is_alive()
    assert in_process.get("Types.Int32") == 4711
    assert in_process.get("Types.Int16") == 0, "it came after the stop had begun"
    done = [RESPONSES[each] for each in ("Write", "DeleteSubscriptions", "CloseSession")]
    assert [each for each in held.answered if each in done] == done
    assert not items(in_process)
    wait_until(lambda: not product_threads(), "every thread ends")


def test_what_waits_for_a_client_is_sent_before_the_close_frame(
    in_process: Plant, patient: None
) -> None:
    listen = {"close_timeout_s": LONG_S, "limits": {"outbox_messages": 5}}
    server = support.serve(in_process.endpoint, listen=listen)
    support.wait_connected(server)
    with deaf(server) as slow, Client(server.urls[0]) as healthy:
        for client in (slow, healthy):
            client.body("MONITORSTART", {"Variable": "Types.String"}, "m")
            client.update("m")
        (outbox,) = {
            each.outbox
            for each in server.listeners[0].connections()
            if each.peer.endswith(":%d" % slow.ws.sock.getsockname()[1])
        }
        number = 0
        while not outbox.collapsed:
            number += 1
            text = "%d %s" % (number, "x" * LETTERS)
            in_process.set("Types.String", text)
            assert healthy.update("m")["Value"]["Body"] == text
        stopping = _stopping(server)
        last = slow.update_where(lambda body: body["Value"]["Body"] == text, handle="m")
        assert last["Status"] == 0x480
        assert ends_with(slow) == 1001
        assert ends_with(healthy) == 1001
        slow.vanish()
        healthy.vanish()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()
    wait_until(lambda: not product_threads(), "every thread ends")


@posix
def test_a_second_signal_leaves_at_once(opcws: Any, tmp_path: Path) -> None:
    plant = support.PlantProcess()
    try:
        path, url = write_config(tmp_path, plant.endpoint, listen={"close_timeout_s": 10})
        process = opcws("serve", "--config", path)
        process.wait_for("connected to")
        port = int(url.rsplit(":", 1)[1].strip("/"))
        address = ("127.0.0.1", port)
        with Client(url) as client:
            client.body("VALUELIST")
            plant.freeze()
            client.send("READ", {"Variable": "Types.Double"})
            process.process.send_signal(signal.SIGTERM)

            def refused() -> bool:
                try:
                    socket.create_connection(address, PATIENCE).close()
                except OSError:
                    return True
                return False

            wait_until(refused, "it stops, which the plant and this client hold up")
            code, _seconds = process.end(signal.SIGTERM)
            assert code == 128 + signal.SIGTERM
            client.vanish()
    finally:
        plant.kill()


def test_opcws_can_be_told_to_stop_before_anyone_finds_that_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "setup", lambda _settings: None)
    monkeypatch.setattr(signal, "signal", lambda _number, _handler: None)
    path, url = write_config(tmp_path, "opc.tcp://127.0.0.1:9", state_dir=str(tmp_path / "state"))
    answers: List[Any] = []
    real = Server.start

    def start(server: Server) -> None:
        answers.append(control_socket.ask(str(tmp_path / "state"), path, "ping", PATIENCE))
        real(server)

    monkeypatch.setattr(Server, "start", start)
    with socket.create_server(("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]))):
        with pytest.raises(ListenError):
            serve_file(load(path), [], lambda settings: settings)
    assert answers == [{"pid": os.getpid()}]
    assert not (tmp_path / "state").exists()
