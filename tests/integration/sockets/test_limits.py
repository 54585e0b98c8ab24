"""Every limit on what comes from outside, hit once: the offender is told, the hit is counted, and
a good client beside it is served.

What one client sends or does not take is in test_websocket.py, requests per second also in
test_failures.py; their hits are counted there.
"""

import contextlib
import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest

from opcws.app import Server
from opcws.config import loads
from opcws.config.settings import Limits, Listen
from opcws.gateway.client import Client as Connected
from opcws.gateway.outbox import Subject
from opcws.model.deadline import Deadline
from opcws.model.errors import ConfigError
from opcws.operations import log_limit
from opcws.operations.limit_hits import LimitHits
from opcws.wire.frames import text_frame
from opcws.ws import http_message, opening_handshake, processor_share
from opcws.ws.application import Application
from opcws.ws.listener import Listener

from ... import support
from ...support import Client, PlantProcess, pki
from ...support.byte_client import (
    PING,
    PONG,
    TEXT,
    Answer,
    ByteClient,
    connect,
    exchange,
    frame,
    no_connections_left,
    opening,
    serving,
    upgraded,
)
from ...support.key_updates import KeyUpdates
from ...support.wire_tap import Tap

GOOD = "198.51.100.9"
BAD = "203.0.113.66"

LIMITS: Dict[str, Any] = {
    "max_connections": 6,
    "max_connections_per_address": 2,
    "exempt_addresses": [],
    "max_handshakes": 8,
    "max_header_bytes": 2048,
    "max_headers": 20,
    "max_depth": 10,
    "monitors": 1,
    "wrong_credentials": 3,
    "lockout_min_s": 3,
    "lockout_max_s": 30,
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    """The ``listen.tls`` section of a certificate for this machine."""
    made = pki.make("limits").save(tmp_path_factory.mktemp("tls"), "own")
    path = Path(made.certificate_path).with_suffix(".crt")
    path.write_text(ssl.DER_cert_to_PEM_cert(made.der))
    return {"certificate": str(path), "key": made.key_path}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Behind a reverse proxy, which the tests are: so a client has any address they like."""
    with serving(limits=LIMITS, trusted_proxies=["127.0.0.1"], handshake_timeout_s=20) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_left_and_nothing_is_a_defect(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        no_connections_left(request.getfixturevalue("server"))
    assert not [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]


def _from(address: str, path: str = "/", **headers: Optional[str]) -> bytes:
    return opening(path, X_Forwarded_For=address, **headers)


def _client(server: Server, address: str = GOOD) -> Client:
    return Client(server.urls[0], header={"X-Forwarded-For": address})


def _joined(server: Server, address: str) -> ByteClient:
    peer = connect(server)
    peer.send(_from(address))
    assert peer.head()[0] == 101
    return peer


def _is_served(server: Server) -> None:
    with _client(server) as client:
        assert client.body("VALUELIST")["Variables"]


def _hits(server: Server, limit: str) -> int:
    return server.limit_hits.snapshot()[limit]


class Counted:
    """Within it *limit* is hit *times* times, and no other but what a slow machine may hit."""

    def __init__(self, server: Server, limit: str, times: int = 1) -> None:
        self._server = server
        self._limit = limit
        self._times = times

    def __enter__(self) -> None:
        self._before = self._server.limit_hits.snapshot()

    def __exit__(self, kind: Any, *error: object) -> None:
        if kind is not None:
            return
        after = self._server.limit_hits.snapshot()
        changed = {name: n - self._before[name] for name, n in after.items()}
        del changed["processor_share"]
        assert {name: n for name, n in changed.items() if n} == {self._limit: self._times}


# --- connections --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        (BAD, BAD, "203.0.113.67"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:2::1"),
    ],
)
def test_one_address_takes_so_many_places_and_no_more(
    server: Server, address: str, same: str, other: str
) -> None:
    with _joined(server, address) as first, _joined(server, address):
        with Counted(server, "max_connections_per_address"):
            answer = exchange(server, _from(same))
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) > 0
        assert b"from your address" in answer.body
        _joined(server, other).sock.close()
        _is_served(server)
        first.vanish()

        def again() -> int:
            with connect(server) as peer:
                peer.send(_from(same))
                return peer.head()[0] == 101

        support.wait_until(again, "the place that is free again is given")


def test_when_all_places_are_taken_503_is_told_and_pages_are_served(server: Server) -> None:
    joined = [_joined(server, "203.0.113.%d" % number) for number in range(5)]
    with _client(server) as good:
        with Counted(server, "max_connections"):
            answer = exchange(server, _from(BAD))
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert exchange(server, _from(BAD, "/healthz", Upgrade=None)).status == 200
        assert good.body("VALUELIST")["Variables"]
    for peer in joined:
        peer.sock.close()


def test_exempt_addresses_have_no_limit_of_their_own() -> None:
    with serving(limits={"max_connections_per_address": 1}) as running:
        with upgraded(running), upgraded(running), upgraded(running):
            pass  # loopback is exempt unless the configuration says otherwise
    limits = {"max_connections_per_address": 1, "exempt_addresses": ["203.0.113.0/28"]}
    with serving(limits=limits, trusted_proxies=["127.0.0.1"]) as running:
        with _joined(running, "203.0.113.1"), _joined(running, "203.0.113.1"):
            with _joined(running, BAD), Counted(running, "max_connections_per_address"):
                assert exchange(running, _from(BAD)).status == 429


def test_over_tls_a_client_too_many_is_told_within_tls(pair: Dict[str, str]) -> None:
    context = ssl.create_default_context(cafile=pair["certificate"])

    def secured(server: Server) -> ByteClient:
        peer = connect(server)
        peer.sock = context.wrap_socket(peer.sock, server_hostname="localhost")
        peer.send(opening())
        return peer

    with serving(tls=pair, limits={"max_connections": 1}) as running:
        with secured(running) as first:
            assert first.head()[0] == 101
            with Counted(running, "max_connections"), secured(running) as second:
                assert second.head()[0] == 503


# --- handshakes ---------------------------------------------------------------------------------


def test_silent_strangers_shut_out_nobody_the_oldest_gives_way(server: Server) -> None:
    """Three times as many as there is room for; no deadline comes to help."""
    before = _hits(server, "max_handshakes")
    silent: List[ByteClient] = []
    for _ in range(24):
        silent.append(connect(server))
        silent[-1].send(b"GET / HTTP/1.1\r\n")
    _is_served(server)
    for peer in silent[:16]:
        try:
            assert peer.rest() == b""
        except ConnectionResetError:
            pass  # the server had not read everything yet
        peer.sock.close()
    assert _hits(server, "max_handshakes") >= before + 16
    with silent[-1] as last:
        last.send(_from(GOOD)[len(b"GET / HTTP/1.1\r\n") :])
        assert last.head()[0] == 101, "the youngest is still there"
    for peer in silent[16:-1]:
        peer.sock.close()


@pytest.mark.skipif(sys.platform == "darwin", reason="not run: there is only 127.0.0.1")
def test_a_flood_from_one_machine_ends_no_other_ones_handshake(server: Server) -> None:
    with connect(server, source="127.0.0.2") as slow:
        slow.send(opening()[:40])
        flood = [connect(server) for _ in range(24)]
        _is_served(server)
        slow.send(opening()[40:])
        assert slow.head()[0] == 101
        for peer in flood:
            peer.sock.close()


def _drip(peer: ByteClient, data: bytes, stop: threading.Event) -> None:
    """Send *data*, one byte a second."""
    try:
        for byte in data:
            peer.send(bytes([byte]))
            if stop.wait(1.0):
                return
    except OSError:
        pass  # the server has had enough


def _client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def test_one_byte_a_second_ends_at_the_deadline_in_tls_and_behind_it(pair: Dict[str, str]) -> None:
    context = ssl.create_default_context(cafile=pair["certificate"])
    # The end is between two bytes: one that is sent behind the server's patience makes a reset.
    settings = {"tls": pair, "handshake_timeout_s": 3.5, "close_timeout_s": 1}
    stop = threading.Event()
    with serving(**settings) as running:
        in_tls, behind = connect(running), connect(running)
        behind.sock = context.wrap_socket(behind.sock, server_hostname="localhost")
        other = threading.Thread(target=_drip, args=(in_tls, _client_hello(), stop))
        try:
            with Counted(running, "handshake_timeout_s", 2):
                other.start()
                for byte in opening():
                    behind.send(bytes([byte]))
                    # In this thread: OpenSSL allows no read and write of one TLS object at once.
                    if behind.hears(1.0):
                        break
                assert behind.head()[0] == 408
                with Client(running.urls[0], sslopt={"ca_certs": pair["certificate"]}) as good:
                    assert good.body("VALUELIST")["Variables"]
                no_connections_left(running)
        finally:
            stop.set()
            other.join(support.PATIENCE)
            in_tls.sock.close()
            behind.sock.close()


@pytest.mark.parametrize("first", [b"\x16", b"\x00", b"\x80", b"GET /\xff", b"G\x01"])
def test_what_cannot_become_http_is_refused_before_its_line_ends(
    server: Server, first: bytes
) -> None:
    assert exchange(server, first).status == 400


def test_a_head_that_is_too_large_or_has_too_many_headers_gets_431(server: Server) -> None:
    with Counted(server, "max_header_bytes"):
        assert exchange(server, _from(BAD, Cookie="x" * 8000)).status == 431
    many = _from(BAD)[:-2] + b"X: y\r\n" * 20 + b"\r\n"
    with Counted(server, "max_headers"):
        answer = exchange(server, many)
    assert (answer.status, b"20 headers" in answer.body) == (431, True)
    _is_served(server)


SCRIPT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))
from opcws.cli.main import main
main(["serve", "--config", sys.argv[1]])
"""


def test_when_few_files_can_be_opened_silent_strangers_give_way(
    tmp_path: Path,
) -> None:
    pytest.importorskip("resource", reason="not run: this system has no such limit")
    port = support.free_port()
    path = tmp_path / "opcws.json"
    settings = support.settings("opc.tcp://127.0.0.1:%d" % support.free_port())
    settings["listen"]["port"] = port
    path.write_text(json.dumps(settings))
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(path)], stdout=log, stderr=log
        )
        strangers: List[socket.socket] = []
        try:
            address = ("127.0.0.1", port)
            support.wait_until(
                lambda: "listening on" in (tmp_path / "log").read_text(), "it listens"
            )
            strangers = [socket.create_connection(address) for _ in range(150)]
            with Client("http://127.0.0.1:%d/" % port) as good:
                assert good.body("VALUELIST")["Variables"]
        finally:
            for sock in strangers:
                sock.close()
            process.kill()
            process.wait(support.PATIENCE)
        lines = (tmp_path / "log").read_text().splitlines()
    assert len([line for line in lines if "no room" in line]) in range(1, 20)
    assert not [line for line in lines if "defect" in line]
    assert any("LimitNOFILE" in line for line in lines)


# --- messages -----------------------------------------------------------------------------------


def test_a_message_that_is_nested_too_deep_is_refused_and_the_next_one_answered(
    server: Server,
) -> None:
    with _client(server) as client:
        for depth, status in [(9, "BadRequestHeaderInvalid"), (10, "BadDecodingError")]:
            times = int(status == "BadDecodingError")
            before = _hits(server, "max_depth")
            answer = client.raw('{"a":%s%s}' % ("[" * depth, "]" * depth))
            assert answer["Header"]["StatusCode"] == status
            assert _hits(server, "max_depth") == before + times
        assert "10 levels" in answer["Header"]["Reason"]
        assert client.body("VALUELIST")["Variables"]


def test_a_monitor_too_many_is_refused(server: Server) -> None:
    with _client(server) as client:
        names = client.body("VALUELIST")["Variables"][:2]
        with Counted(server, "monitors"):
            first, second = client.body("MONITORSTART", {"Variables": names})["Results"]
        assert "StatusCode" not in first
        assert second["StatusCode"] == "BadTooManyMonitoredItems"
        client.body("MONITORSTOP", {"Variable": names[0]})
        assert client.status("MONITORSTART", {"Variable": names[1]}) is None


def test_a_response_is_no_larger_than_what_may_wait_for_a_client() -> None:
    with serving(limits={"outbox_bytes": 65536}) as running, Client(running.urls[0]) as client:
        some = ["Boiler.Temperature"] * 100
        assert len(client.body("VALUEINFO", {"Variables": some})["Variables"]) == 100
        with Counted(running, "outbox_bytes"):
            header = client.request("VALUEINFO", {"Variables": some * 300})["Header"]
        assert header["StatusCode"] == "BadResponseTooLarge"
        assert "65536 bytes" in header["Reason"] and "fewer variables" in header["Reason"]
        assert len(client.body("VALUEINFO", {"Variables": some})["Variables"]) == 100


def test_what_is_named_again_and_again_is_asked_of_the_plant_once(plant: PlantProcess) -> None:
    tap = Tap(plant.port)
    with serving(tap.endpoint, limits={"outbox_bytes": 1048576}) as running:
        with Client(running.urls[0]) as client:
            before = tap.sent.count(b"Types.Int64")
            found = client.body("READ", {"Variables": ["Types.Int64", "Types.Int8"] * 2000})
            assert [each["Variable"] for each in found["Values"]] == [
                "Types.Int64",
                "Types.Int8",
            ] * 2000
            assert "Value" in found["Values"][-2] and "StatusCode" in found["Values"][-1]
            assert tap.sent.count(b"Types.Int64") - before < 100, "metadata is read besides"
            with Counted(running, "outbox_bytes"):
                header = client.request("READ", {"Variables": ["Types.Int64"] * 50000})["Header"]
            assert header["StatusCode"] == "BadResponseTooLarge"
    tap.cut()


@pytest.mark.parametrize("rate", [0.2, 3])
def test_the_first_requests_are_within_every_rate_and_a_flood_is_counted(rate: float) -> None:
    with serving(limits={"requests_per_second": rate}) as running:
        with Client(running.urls[0]) as client, Client(running.urls[0]) as good:
            handles = [client.send("VALUELIST") for _ in range(50)]
            answers = [client.answer()["Header"] for _ in handles]
            refused = [each for each in answers if "StatusCode" in each]
            assert "StatusCode" not in answers[0]
            assert {each["StatusCode"] for each in refused} == {"BadTooManyOperations"}
            assert _hits(running, "requests_per_second") == len(refused) >= 30
            assert good.body("VALUELIST")["Variables"]


class Pouring(Application):
    """Answers each message, behind 100 updates of 64 KiB if it says so."""

    def open(self, client: Connected, wants_status: bool) -> None:
        pass

    def handle(self, client: Connected, text: str) -> None:
        monitor = Subject()
        for _ in range(100 if text == "pour" else 0):
            client.outbox.put_updates([(monitor, text_frame("x" * 65536), None)])
        client.reply("done")

    def close(self, client: Connected) -> None:
        pass


@pytest.mark.parametrize(
    ("limit", "limits"),
    [
        ("outbox_messages", Limits(outbox_messages=50)),
        ("outbox_bytes", Limits(outbox_bytes=2**20)),
    ],
)
def test_what_waits_for_one_client_is_bounded_in_messages_and_in_bytes(
    limit: str, limits: Limits
) -> None:
    limit_hits = LimitHits()
    listener = Listener(Listen(port=0, limits=limits), Pouring(), limit_hits)
    listener.open()
    listener.start()
    try:
        with ByteClient(listener.addresses[0]) as slow, ByteClient(listener.addresses[0]) as good:
            for peer in (slow, good):
                peer.send(opening())
                assert peer.head()[0] == 101
            slow.frame(TEXT, b"pour")
            good.frame(TEXT, b"hello")
            assert good.next(TEXT).payload == b"done"
            seen = 0
            while slow.next(TEXT).payload != b"done":
                seen += 1
            assert seen < 60, "the rest collapsed to the latest"
            assert len(slow.next(TEXT).payload) == 65536, "which comes last"
            hits = limit_hits.snapshot()
            assert {name: n for name, n in hits.items() if n} == {limit: 1}
    finally:
        listener.stop(Deadline(5.0))
    assert limit_hits.snapshot()[limit] == 1, "it stays when the client has gone"


# --- what costs the processor -------------------------------------------------------------------

#: What a client sends again and again, behind what it sends first; and what it is.
FLOODS = {
    "continuations": (frame(TEXT, final=False), frame(0, final=False)),
    "pings": (b"", frame(PING, b"x")),
    "pongs": (b"", frame(PONG)),
    "empty messages": (b"", frame(TEXT)),
    "messages that are none": (b"", frame(TEXT, b'{"Header":')),
}


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads wait too long for the interpreter, however long it is."""
    monkeypatch.setattr(processor_share, "LATE_S", -1000.0)


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("name", FLOODS)
def test_whoever_floods_with_anything_is_read_more_slowly_and_a_good_client_is_answered(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor_share, "BURST_S", 0.02)
    monkeypatch.setattr(processor_share, "SHARE", 0.02)
    first, again = FLOODS[name]
    with serving() as running:
        clients = [upgraded(running) for _ in range(8)]
        for peer in clients:
            peer.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                peer.sock.send(first + again * 3000)
        support.wait_until(lambda: _hits(running, "processor_share"), "they have to pay")
        with Client(running.urls[0]) as client:
            assert client.body("VALUELIST")["Variables"]
        for peer in clients:
            peer.vanish()


def test_who_keeps_nobody_waiting_may_have_all_of_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_share, "BURST_S", 0.001)
    monkeypatch.setattr(processor_share, "SHARE", 0.001)
    monkeypatch.setattr(processor_share, "LATE_S", 1000.0)
    with serving() as running, Client(running.urls[0]) as client:
        for _ in range(100):
            assert client.body("VALUELIST")["Variables"]
        assert not _hits(running, "processor_share")


@pytest.mark.usefixtures("crowded")
def test_many_addresses_that_each_send_little_pay_together_and_a_good_client_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_share, "BURST_ALL_S", 0.05)
    monkeypatch.setattr(processor_share, "SHARE", 0.1)
    with serving() as running:
        crowd = [upgraded(running, source="127.0.1.%d" % (number + 1)) for number in range(20)]
        for peer in crowd:
            peer.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                peer.sock.send(frame(PING, b"x") * 5000)
        support.wait_until(lambda: _hits(running, "processor_share"), "they have to pay")
        with Client(running.urls[0]) as client:
            assert client.body("VALUELIST")["Variables"]
        for peer in crowd:
            peer.vanish()


@pytest.mark.usefixtures("crowded")
def test_handshakes_cost_too_and_who_comes_through_a_proxy_pays_for_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(processor_share, "BURST_S", 0.02)
    monkeypatch.setattr(processor_share, "SHARE", 0.001)

    def asks(address: str) -> int:
        assert exchange(running, _from(address, "/nowhere", Upgrade=None)).status == 404
        return _hits(running, "processor_share")

    with serving(trusted_proxies=["127.0.0.1"]) as running:
        support.wait_until(lambda: asks(BAD), "it has to pay")
        asks(GOOD)
    assert GOOD + " sends too much" not in caplog.text


@pytest.mark.usefixtures("crowded")
def test_tls_handshakes_that_never_end_cost_their_address_and_nobody_else(
    pair: Dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor_share, "BURST_S", 0.02)
    monkeypatch.setattr(processor_share, "SHARE", 0.01)
    hello = _client_hello()
    with serving(tls=pair) as running:
        flood: List[ByteClient] = []

        def has_to_pay() -> int:
            flood.append(connect(running, source="127.0.0.66"))
            flood[-1].send(hello)
            return _hits(running, "processor_share")

        support.wait_until(has_to_pay, "it has to pay")
        with Client(running.urls[0], sslopt={"ca_certs": pair["certificate"]}) as client:
            assert client.body("VALUELIST")["Variables"]
        for peer in flood:
            peer.vanish()


@pytest.mark.usefixtures("crowded")
def test_key_updates_of_tls_cost_as_anything_else_does(
    pair: Dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processor_share, "BURST_S", 0.005)
    monkeypatch.setattr(processor_share, "SHARE", 0.02)
    with serving(tls=pair) as running:
        flood = KeyUpdates(running.listeners[0].addresses[0], tmp_path)
        flood.send(opening())
        assert b" 101 " in flood.receive()
        before = _hits(running, "processor_share")
        (connection,) = running.listeners[0].connections()

        def has_to_pay() -> bool:
            flood.sock.sendall(flood.records(200))
            return _hits(running, "processor_share") > before + 1

        support.wait_until(has_to_pay, "it has to pay")
        assert connection.received == 0
        with Client(running.urls[0], sslopt={"ca_certs": pair["certificate"]}) as client:
            assert client.body("VALUELIST")["Variables"]
        flood.sock.close()


# --- behind a reverse proxy ---------------------------------------------------------------------


def _peers(server: Server) -> List[str]:
    return [each.peer for each in server.listeners[0].connections()]


def test_the_peer_is_the_client_that_the_proxy_names(server: Server) -> None:
    for told, peer in [
        (BAD, BAD),
        ("1.2.3.4, %s:4711" % BAD, BAD + ":4711"),
        ("1.2.3.4, 2001:db8::7", "[2001:db8::7]"),
    ]:
        no_connections_left(server)
        with _joined(server, told):
            assert _peers(server) == [peer]
    no_connections_left(server)
    with upgraded(server) as peer:
        assert _peers(server) == ["127.0.0.1:%d" % peer.sock.getsockname()[1]]


def test_the_other_header_is_read_if_the_configuration_says_so() -> None:
    with serving(trusted_proxies=["127.0.0.0/8"], forwarded_header="Forwarded") as running:
        told = 'for="%s:80";proto=https' % BAD
        with upgraded(running, Forwarded=told, X_Forwarded_For="1.2.3.4"):
            assert _peers(running) == [BAD + ":80"]
        origin = {"Forwarded": told, "Origin": "https://plant.example"}
        upgraded(running, Host="plant.example", **origin).sock.close()


def test_who_is_no_trusted_proxy_cannot_say_that_it_is_somebody_else() -> None:
    limits = {"max_connections_per_address": 1, "exempt_addresses": []}
    for trusted in ([], ["192.0.2.0/24"]):
        with serving(trusted_proxies=trusted, limits=limits) as running:
            with upgraded(running, X_Forwarded_For="1.2.3.4", Forwarded="for=1.2.3.4"):
                assert _peers(running)[0].startswith("127.0.0.1:")
                with Counted(running, "max_connections_per_address"):
                    assert exchange(running, _from("1.2.3.5")).status == 429
            lie = {"Origin": "https://plant.example", "X_Forwarded_Proto": "https"}
            assert exchange(running, opening(Host="plant.example", **lie)).status == 403


@pytest.mark.parametrize(
    ("told", "origin", "status"),
    [
        ("https", "https://192.0.2.9", 101),
        ("https", "http://192.0.2.9", 403),
        ("http", "http://192.0.2.9", 101),
        ("http", "https://192.0.2.9", 403),
        (None, "http://192.0.2.9", 101),
    ],
)
def test_the_same_origin_is_that_of_the_proxys_scheme(
    server: Server, told: Optional[str], origin: str, status: int
) -> None:
    with connect(server) as peer:
        peer.send(_from(GOOD, Host="192.0.2.9", Origin=origin, X_Forwarded_Proto=told))
        assert peer.head()[0] == status


# --- brute force --------------------------------------------------------------------------------


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    """One credential is right; another one gets 401."""
    upgrade = opening_handshake.upgrade

    def judged(request: http_message.Request, *arguments: Any) -> Any:
        if request.header("authorization") not in (None, "Bearer right"):
            raise http_message.refuse(401, "wrong")
        return upgrade(request, *arguments)

    monkeypatch.setattr(opening_handshake, "upgrade", judged)
    return "Bearer right"


def _login(server: Server, address: str, authorization: Optional[str]) -> Answer:
    with connect(server) as peer:
        peer.send(_from(address, Authorization=authorization))
        status, headers = peer.head()
        return Answer(status, headers, b"")


def test_brute_force_is_slowed_for_its_address_and_for_nobody_else(
    server: Server, password: str
) -> None:
    crowd = "203.0.113.99"
    for address in (crowd, BAD):
        for number in range(3):
            assert _login(server, address, "Bearer %d" % number).status == 401
    with Counted(server, "wrong_credentials"):
        answer = _login(server, BAD, "Bearer 3")
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) in (1, 2, 3)
    assert _login(server, GOOD, password).status == 101
    assert _login(server, BAD, None).status == 101, "who shows nothing guesses nothing"
    support.wait_until(
        lambda: _login(server, BAD, password).status == 101, "behind the wait a right one is taken"
    )
    assert _login(server, BAD, "Bearer 4").status == 401
    assert _login(server, BAD, password).status == 429, "a right one does not buy the next guess"
    # Whoever guesses from many connections at once gets one guess behind the wait, too.
    seen: List[int] = []
    threads = [
        threading.Thread(target=lambda: seen.append(_login(server, crowd, "Bearer y").status))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(support.PATIENCE)
    assert sorted(seen) == [401] + [429] * 5


# --- the log ------------------------------------------------------------------------------------


def test_a_flood_of_refusals_is_told_in_a_few_lines(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    address, began = "203.0.113.111", time.monotonic()
    with caplog.at_level(logging.INFO):
        for _ in range(60):
            assert exchange(server, _from(address, "/nowhere")).status == 404
    lines = [each for each in caplog.records if "refused with 404" in each.getMessage()]
    windows = 1 + int((time.monotonic() - began) / log_limit.SECONDS)
    assert 1 <= len(lines) <= windows * log_limit.LINES
    assert all(address in each.getMessage() for each in lines)


# --- the configuration --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        (
            {"trusted_proxies": ["proxy.example"]},
            "listen.trusted_proxies[0]: 'proxy.example' is neither an address",
        ),
        ({"trusted_proxies": ["10.0.0.5/8"]}, "did you mean 10.0.0.0/8?"),
        ({"limits": {"exempt_addresses": ["::1", "x"]}}, "listen.limits.exempt_addresses[1]"),
        ({"limits": {"lockout_min_s": 9, "lockout_max_s": 3}}, "lockout_min_s (9) is over"),
        ({"limits": {"max_depth": 201}}, "expected at most 200"),
        ({"forwarded_header": "X-Real-IP"}, "expected one of X-Forwarded-For, Forwarded"),
    ],
)
def test_a_wrong_setting_is_told_with_what_would_be_right(
    listen: Dict[str, Any], told: str
) -> None:
    settings = support.settings("opc.tcp://127.0.0.1:1", listen=listen)
    with pytest.raises(ConfigError) as caught:
        loads(json.dumps(settings))
    assert told in str(caught.value)


def test_trusting_everybody_is_warned_of() -> None:
    settings = support.settings("opc.tcp://127.0.0.1:1", listen={"trusted_proxies": ["0.0.0.0/0"]})
    assert any("is every address" in each for each in loads(json.dumps(settings)).warnings)
