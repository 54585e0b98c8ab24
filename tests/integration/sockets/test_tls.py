"""TLS in the listener (``listen.tls``): it works, and a bad client costs nobody."""

import json
import random
import select
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from opcws.app import Server
from opcws.config import loads
from opcws.model.errors import ConfigError

from ... import support
from ...support import Client, PlantProcess, pki
from ...support.byte_client import CLOSE, ByteClient, connect, no_connections_left, opening, serving


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    """A self-signed certificate for this machine and its key, one of a curve: the ``listen.tls``
    section."""
    made = pki.make("localhost", None, own_key=ec.generate_private_key(ec.SECP256R1()))
    saved = made.save(tmp_path_factory.mktemp("tls"), "own")
    pem = Path(saved.certificate_path).with_suffix(".crt")
    pem.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    return {"certificate": str(pem), "key": saved.key_path}


@pytest.fixture(scope="module")
def server(plant: PlantProcess, pair: Dict[str, str]) -> Iterator[Server]:
    with serving(plant.endpoint, tls=pair, handshake_timeout_s=3) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_a_defect(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]


def _client(server: Server, pair: Dict[str, str], **options: Any) -> Client:
    return Client(server.urls[0], sslopt={"ca_certs": pair["certificate"]}, **options)


def _context(pair: Dict[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=pair["certificate"])


def test_wss_works_and_the_certificate_is_the_configured_one(
    server: Server, pair: Dict[str, str]
) -> None:
    assert server.urls[0].startswith("https://127.0.0.1:")
    with _client(server, pair) as client:
        assert client.body("READ", {"Variable": "Types.String"})["Value"]["Type"] == 12


def test_pages_are_served_over_tls(server: Server, pair: Dict[str, str]) -> None:
    with connect(server) as peer:
        peer.sock = _context(pair).wrap_socket(peer.sock, server_hostname="localhost")
        peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = peer.answer()
        assert (answer.status, answer.body) == (200, b"ok\n")


def test_the_same_origin_is_https(server: Server, pair: Dict[str, str]) -> None:
    for origin, status in [("https://plant.example", 101), ("http://plant.example", 403)]:
        with connect(server) as peer:
            peer.sock = _context(pair).wrap_socket(peer.sock, server_hostname="localhost")
            peer.send(opening(Host="plant.example", Origin=origin))
            assert peer.head()[0] == status


def test_the_closing_handshake_ends_the_stream_cleanly(
    server: Server, pair: Dict[str, str]
) -> None:
    with connect(server) as peer:
        peer.sock = _context(pair).wrap_socket(peer.sock, server_hostname="localhost")
        peer.send(opening())
        assert peer.head()[0] == 101
        peer.frame(CLOSE, b"\x03\xe8")
        assert peer.next(CLOSE).code == 1000
        assert peer.rest() == b""


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", opening()])
def test_plain_http_is_told_in_plain_http_what_to_do(
    server: Server, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with connect(server) as peer:
        peer.send(data)
        answer = peer.answer()
    assert answer.status == 400
    assert b"use wss:// or https://" in answer.body
    no_connections_left(server)
    assert "plain HTTP on a TLS listener" in caplog.text


def test_a_client_of_a_byte_at_a_time_has_no_longer_than_any_other(server: Server) -> None:
    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(
            ssl.MemoryBIO(), hello, server_hostname="x"
        ).do_handshake()
    with connect(server) as peer:
        began = time.monotonic()
        for byte in hello.read():
            peer.send(bytes([byte]))
            if select.select([peer.sock], [], [], 0.2)[0]:
                break
        assert peer.rest() == b""
        assert 2.5 < time.monotonic() - began < 3.0 + 2 * support.slack_s()
    no_connections_left(server)


@pytest.mark.parametrize("data", [b"\x16\x03\x01\xff\xff", b"\x80" * 99, b"\x00"])
def test_what_is_not_tls_is_closed(server: Server, data: bytes) -> None:
    with connect(server) as peer:
        peer.send(data)
        try:
            assert not peer.rest().startswith(b"HTTP")
        except ConnectionResetError:
            pass
    no_connections_left(server)


def test_a_silent_client_costs_nobody_anything(server: Server, pair: Dict[str, str]) -> None:
    silent = [connect(server) for _ in range(20)]
    began = time.monotonic()
    with _client(server, pair) as client:
        assert client.body("VALUELIST")["Variables"]
    assert time.monotonic() - began < 30, "it waited for those who say nothing, 3 s each"
    for peer in silent:
        assert peer.rest() == b""
        peer.sock.close()
    no_connections_left(server)


def test_a_handshake_left_half_done_leaves_nothing(server: Server, pair: Dict[str, str]) -> None:
    hello = ssl.MemoryBIO()
    tls = _context(pair).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    data = hello.read()
    for size in (1, 5, 50, len(data)):
        for leave in (ByteClient.vanish, lambda peer: peer.sock.close()):
            peer = connect(server)
            peer.send(data[:size])
            leave(peer)
    no_connections_left(server)


def test_a_listener_whose_certificate_is_unreadable_is_a_configuration_error(
    pair: Dict[str, str], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.key"
    wrong.write_text("this is no key", "ascii")
    tls = {"certificate": pair["certificate"], "key": str(wrong)}
    settings = support.settings("opc.tcp://127.0.0.1:1", listen={"tls": tls})
    with pytest.raises(ConfigError, match="listen.tls"):
        Server(loads(json.dumps(settings)))


# --- storm --------------------------------------------------------------------------------------

#: Length of the text that each write carries.
LARGE = 60000
ROUNDS = 12
CLIENTS = 5


def _storm(client: Client, number: int, problems: List[BaseException]) -> None:
    """Large messages both ways with pings between them, up to four requests ahead."""
    chance = random.Random(number)
    try:
        for turn in range(ROUNDS):
            waiting = set()
            for part in range(chance.randint(1, 4)):
                handle = "%d-%d-%d-%s" % (number, turn, part, "h" * 200)
                client.ws.ping(b"ping %d" % turn)
                names = ["Types.Int32", "%d" % number + "x" * LARGE]
                client.send("VALUEINFO", {"Variables": names[:1] * 150}, handle)
                waiting.add(handle)
                client.send("WRITE", {"Variable": "Types.Int32", "Value": names[1]}, handle + "w")
                waiting.add(handle + "w")
            while waiting:
                answer = client.answer()
                handle = answer["Header"]["ClientHandle"]
                waiting.remove(handle)
                if handle.endswith("w"):
                    assert answer["Body"]["StatusCode"] == "BadTypeMismatch"
                else:
                    assert len(answer["Body"]["Variables"]) == 150
    except BaseException as problem:
        problems.append(problem)


def test_no_frame_is_corrupted_under_pings_and_large_messages_both_ways(
    plant: PlantProcess, pair: Dict[str, str]
) -> None:
    """Updates come in beside the answers, and the server pings as often as it can."""
    problems: List[BaseException] = []
    with serving(plant.endpoint, tls=pair, ping_interval_s=0.01) as running:
        clients = [_client(running, pair) for _ in range(CLIENTS)]
        for client in clients:
            client.body("MONITORSTART", {"Variables": ["Test.Counter", "Types.String"]}, "m")
        threads = [
            threading.Thread(target=_storm, args=(client, number, problems))
            for number, client in enumerate(clients)
        ]
        with Client(running.urls[0], sslopt={"ca_certs": pair["certificate"]}) as writer:
            for thread in threads:
                thread.start()
            value = 0
            while any(thread.is_alive() for thread in threads):
                value += 1
                writer.write("Test.Counter", value % 30000)
        for thread in threads:
            thread.join(support.PATIENCE)
        assert not problems, problems
        for client in clients:
            client.update_where(lambda body: body.get("Value"), handle="m")
            client.close()
        no_connections_left(running)


def test_the_stream_stays_whole_when_the_client_reads_late(
    server: Server, pair: Dict[str, str]
) -> None:
    """What the socket does not take at once is offered to TLS again, byte for byte."""
    no_connections_left(server)
    sockopt = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)]
    with _client(server, pair, sockopt=sockopt) as client:
        (connection,) = server.listeners[0].connections()
        handles = [
            client.send("VALUEINFO", {"Variables": ["Types.Int32"] * 1000}) for _ in range(60)
        ]
        support.wait_until(lambda: connection.outbox.queued_bytes > 100000, "answers pile up")
        for handle in handles:
            answer = json.loads(client.ws.recv())
            assert answer["Header"]["ClientHandle"] == handle
            assert len(answer["Body"]["Variables"]) == 1000
