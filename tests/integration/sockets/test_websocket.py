"""The WebSocket itself (RFC 6455 sections 5 to 8, PROTOCOL section 1), frame by frame."""

import collections
import json
import socket
import struct
import sys
import threading
import time
from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.gateway.client import Client as Connected
from opcws.gateway.outbox import Subject
from opcws.ws.listener import NOT_SENT_BYTES

from ... import support
from ...support import Client, PlantProcess, echo_server
from ...support.byte_client import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    ByteClient,
    connection_of,
    frame,
    narrow,
    no_connections_left,
    no_more_threads_than,
    opening,
    serving,
    upgraded,
)

CONTINUATION = 0
LIMIT = 16384
#: Small enough to be full soon, large enough for a loopback's segments.
RECEIVE_BUFFER = 262144


@pytest.fixture(scope="module")
def server(plant: PlantProcess) -> Iterator[Server]:
    """opcws that takes messages of up to ``LIMIT`` bytes."""
    limits = {"max_message_bytes": LIMIT}
    with serving(plant.endpoint, limits=limits, close_timeout_s=support.PATIENCE) as running:
        yield running


@pytest.fixture
def peer(server: Server) -> Iterator[ByteClient]:
    with upgraded(server) as connected:
        yield connected


@pytest.fixture(autouse=True)
def _nothing_is_a_defect(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]


def _request(operation: str, body: Any = "", handle: Any = "h") -> bytes:
    header = {"MessageType": operation + "_REQUEST", "ClientHandle": handle}
    return json.dumps({"Header": header, "Body": body}).encode()


VALUELIST = _request("VALUELIST")


def _large(handle: Any) -> bytes:
    """A request whose response has about 70 kB."""
    return _request("VALUEINFO", {"Variables": ["Boiler.Temperature"] * 200}, handle)


def _answer(peer: ByteClient) -> Dict[str, Any]:
    message: Dict[str, Any] = json.loads(peer.next(TEXT).payload)
    return message


def _is_answered(peer: ByteClient) -> None:
    peer.frame(TEXT, VALUELIST)
    assert _answer(peer)["Header"]["MessageType"] == "VALUELIST_RESPONSE"


def _padded(size: int, character: str = " ") -> bytes:
    """A VALUELIST_REQUEST of *size* bytes."""
    handle = character * 200
    text = '{"Header":{"MessageType":"VALUELIST_REQUEST","ClientHandle":"%s"}}' % handle
    data = text.encode()
    return data + b" " * (size - len(data))


# --- messages -----------------------------------------------------------------------------------


def test_a_binary_message_closes_with_1003(peer: ByteClient) -> None:
    peer.frame(BINARY, VALUELIST)
    assert peer.closed_with() == 1003


def test_a_fragmented_binary_message_closes_with_1003(peer: ByteClient) -> None:
    peer.frame(BINARY, VALUELIST[:9], final=False)
    peer.frame(CONTINUATION, VALUELIST[9:])
    assert peer.closed_with() == 1003


@pytest.mark.parametrize("character", [" ", "\xe9", "\u20ac", "\U0001f600"])
def test_a_message_of_exactly_the_limit_is_answered(peer: ByteClient, character: str) -> None:
    data = _padded(LIMIT, character)
    assert len(data) == LIMIT
    peer.frame(TEXT, data)
    assert _answer(peer)["Header"]["ClientHandle"] == character * 200


def test_a_fragmented_message_of_exactly_the_limit_is_answered(peer: ByteClient) -> None:
    data = _padded(LIMIT, "\xe9")
    for start in range(0, LIMIT - 1024, 1024):
        peer.frame(TEXT if not start else CONTINUATION, data[start : start + 1024], final=False)
    peer.frame(CONTINUATION, data[-1024:])
    assert _answer(peer)["Header"]["MessageType"] == "VALUELIST_RESPONSE"


@pytest.mark.parametrize("character", ["x", "\xe9", "\u20ac", "\U0001f600"])
def test_a_message_one_byte_over_the_limit_closes_with_1009(
    server: Server, peer: ByteClient, character: str
) -> None:
    text = (character * LIMIT).encode()[: LIMIT + 1].decode("utf-8", "ignore")
    data = text.encode() + b"x" * (LIMIT + 1 - len(text.encode()))
    assert len(data) == LIMIT + 1
    before = server.limit_hits.snapshot()["max_message_bytes"]
    peer.frame(TEXT, data)
    assert peer.closed_with() == 1009
    assert server.limit_hits.snapshot()["max_message_bytes"] == before + 1


@pytest.mark.parametrize("character", ["x", "\u20ac"])
def test_fragments_over_the_limit_together_close_with_1009(
    peer: ByteClient, character: str
) -> None:
    part = (character * (LIMIT // 4)).encode()
    peer.frame(TEXT, part, final=False)
    for _ in range(3):
        peer.frame(CONTINUATION, part, final=False)
    peer.frame(CONTINUATION, part)
    assert peer.closed_with() == 1009


def test_a_frame_that_announces_a_terabyte_closes_with_1009_when_it_is_over_the_limit(
    peer: ByteClient,
) -> None:
    peer.send(struct.pack("!BBQ", 0x81, 0x80 | 127, 1 << 40) + bytes(4) + b"x" * (LIMIT + 1))
    assert peer.until_close()[1].code == 1009


def test_an_endless_fragmented_message_closes_with_1009(peer: ByteClient) -> None:
    peer.frame(TEXT, b"[", final=False)
    for _ in range(20):
        peer.frame(CONTINUATION, b" " * 1000, final=False)
    assert peer.closed_with() == 1009


def test_a_text_in_fragments_with_pings_between_them_is_one_message(peer: ByteClient) -> None:
    data = _request("VALUELIST", handle="between")
    for place, byte in enumerate(data[:-1]):
        peer.frame(CONTINUATION if place else TEXT, bytes([byte]), final=False)
        if place in (0, 17, 40):
            peer.frame(PING, b"between %d" % place)
            assert peer.next(PONG).payload == b"between %d" % place
    peer.frame(CONTINUATION, b"", final=False)
    peer.frame(CONTINUATION, data[-1:])
    assert _answer(peer)["Header"]["ClientHandle"] == "between"


def test_characters_may_be_split_over_fragments(peer: ByteClient) -> None:
    header = '{"MessageType":"VALUELIST_REQUEST","ClientHandle":"\u20ac\U0001f600"}'
    data = ('{"Header":%s}' % header).encode()
    for place in range(len(data)):
        peer.frame(CONTINUATION if place else TEXT, data[place : place + 1], final=False)
    peer.frame(CONTINUATION)
    assert _answer(peer)["Header"]["ClientHandle"] == "\u20ac\U0001f600"


@pytest.mark.parametrize(
    "data", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xe2\x82"]
)
@pytest.mark.parametrize("split", [False, True], ids=["whole", "split"])
def test_text_that_is_not_utf8_closes_with_1007(peer: ByteClient, data: bytes, split: bool) -> None:
    if split:
        peer.frame(TEXT, b'"' + data[:1], final=False)
        peer.frame(CONTINUATION, data[1:])
    else:
        peer.frame(TEXT, b'"' + data)
    assert peer.closed_with() == 1007


@pytest.mark.parametrize(
    "data", [b"", b"{", b"null", b"[]", b"\x00", b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b"NaN"]
)
def test_malformed_json_gets_an_error_and_the_connection_stays_open(
    peer: ByteClient, data: bytes
) -> None:
    peer.frame(TEXT, data)
    header = _answer(peer)["Header"]
    assert header["MessageType"] == "ERROR"
    assert header["StatusCode"] == "BadDecodingError"
    assert header["Reason"]
    _is_answered(peer)


# --- frames that break the protocol -------------------------------------------------------------

BROKEN = {
    "an unmasked text": frame(TEXT, VALUELIST, masked=False),
    "an unmasked ping": frame(PING, b"", masked=False),
    "reserved bit 1": frame(TEXT, VALUELIST, reserved=4),
    "reserved bit 2": frame(TEXT, VALUELIST, reserved=2),
    "reserved bit 3": frame(TEXT, VALUELIST, reserved=1),
    "reserved bits in a ping": frame(PING, b"", reserved=7),
    "a ping of 126 bytes": frame(PING, b"x" * 126),
    "a close of 126 bytes": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "a fragmented ping": frame(PING, b"x", final=False),
    "a fragmented close": frame(CLOSE, b"\x03\xe8", final=False),
    "a continuation of nothing": frame(CONTINUATION, b"x"),
    "a text within a text": frame(TEXT, b"{", final=False) + frame(TEXT, b"}"),
    "a binary within a text": frame(TEXT, b"{", final=False) + frame(BINARY, b"}"),
    "a length with its first bit set": struct.pack("!BBQ", 0x81, 0xFF, 1 << 63) + bytes(4),
    "a length of 16 bits that fits 7": struct.pack("!BBH", 0x81, 0xFE, 2) + bytes(4) + b"{}",
    "a length of 64 bits that fits 16": struct.pack("!BBQ", 0x81, 0xFF, 2) + bytes(4) + b"{}",
    "a close of one byte": frame(CLOSE, b"\x03"),
}
for _opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    BROKEN["the reserved opcode %d" % _opcode] = frame(_opcode, b"x")
for _code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
    BROKEN["the close code %d" % _code] = frame(CLOSE, struct.pack("!H", _code))


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_protocol_closes_with_1002(peer: ByteClient, name: str) -> None:
    peer.send(BROKEN[name])
    assert peer.closed_with() == 1002


def test_a_close_reason_that_is_not_utf8_closes_with_1007(peer: ByteClient) -> None:
    peer.frame(CLOSE, b"\x03\xe8\xff\xfe")
    assert peer.closed_with() == 1007


def test_a_request_before_a_broken_frame_does_no_harm(server: Server) -> None:
    with upgraded(server) as peer:
        peer.send(frame(TEXT, VALUELIST) + frame(3, b"x"))
        before, closing = peer.until_close()
        assert closing.code == 1002
        assert all(json.loads(each.payload) for each in before)
    no_connections_left(server)


# --- pings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(125))])
def test_a_ping_is_answered_with_its_payload(peer: ByteClient, payload: bytes) -> None:
    peer.frame(PING, payload)
    assert peer.next(PONG).payload == payload
    _is_answered(peer)


def test_a_pong_that_nobody_asked_for_is_ignored(peer: ByteClient) -> None:
    peer.frame(PONG, b"unasked")
    _is_answered(peer)


def test_a_flood_of_pings_without_reading_takes_no_memory(server: Server, peer: ByteClient) -> None:
    flood = b"".join(frame(PING, b"%125d" % number) for number in range(500))
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    connection = narrow(server, peer.sock)
    for _ in range(20):
        peer.send(flood)
    assert connection.outbox.queued_bytes == 0
    peer.frame(PING, b"the last")
    peer.frame(TEXT, VALUELIST)
    seen: List[bytes] = []
    while not seen or seen[-1] != b"the last":
        found = peer.receive()
        assert found is not None
        if found.opcode == PONG:
            seen.append(found.payload)
    assert len(seen) <= 10001


def test_the_server_pings_and_closes_after_silence_but_not_while_there_are_pongs() -> None:
    with serving(ping_interval_s=0.2, ping_timeout_s=2) as running:
        with upgraded(running) as alive, upgraded(running) as silent:
            hits = running.limit_hits.snapshot
            while not hits()["ping_timeout_s"]:
                alive.frame(PONG, alive.next(PING).payload)
            alive.frame(TEXT, VALUELIST)
            while True:
                found = alive.receive()
                assert found is not None and found.opcode in (PING, TEXT)
                if found.opcode == TEXT:
                    break
            before, closing = silent.until_close()
            assert closing.code == 1011
            assert len(before) >= 2 and {each.opcode for each in before} == {PING}
            assert hits()["ping_timeout_s"] == 1


def test_a_client_that_only_pongs_is_idle_and_closed_with_1000() -> None:
    with serving(ping_interval_s=0.1, idle_timeout_s=1.5) as running:
        with upgraded(running) as idle, upgraded(running) as busy:
            hits = running.limit_hits.snapshot
            while not hits()["idle_timeout_s"]:
                busy.frame(TEXT, VALUELIST)
                found = busy.receive()
                assert found is not None and found.opcode in (PING, TEXT)
                idle.frame(PONG)
            assert hits()["idle_timeout_s"] == 1
            before, closing = idle.until_close()
            assert closing.code == 1000
            assert b"idle" in closing.payload
            assert PING in {each.opcode for each in before}


# --- closing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 3000, 3999, 4000, 4999])
def test_the_clients_close_code_is_echoed_and_the_stream_ends_cleanly(
    peer: ByteClient, code: int
) -> None:
    peer.frame(CLOSE, struct.pack("!H", code) + "gr\xfc\xdf dich".encode())
    assert peer.next(CLOSE).code == code
    assert peer.rest() == b""


def test_a_close_without_a_code_is_answered(peer: ByteClient) -> None:
    peer.frame(CLOSE)
    assert peer.next(CLOSE).payload in (b"", b"\x03\xe8")
    assert peer.rest() == b""


def test_what_comes_behind_a_close_frame_is_ignored_and_the_end_is_no_reset(
    peer: ByteClient,
) -> None:
    peer.send(frame(CLOSE, b"\x03\xe8") + frame(TEXT, VALUELIST) * 200 + b"\xff" * 500000)
    assert peer.next(CLOSE).code == 1000
    assert peer.rest() == b""


def test_a_close_while_a_large_response_is_under_way_breaks_no_frame(server: Server) -> None:
    for _ in range(5):
        with upgraded(server) as peer:
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            peer.send(b"".join(frame(TEXT, _large(number)) for number in range(20)))
            peer.frame(CLOSE, b"\x03\xe8")
            before, closing = peer.until_close()
            assert closing.code == 1000
            for each in before:
                assert len(json.loads(each.payload)["Body"]["Variables"]) == 200
            assert peer.rest() == b""
    no_connections_left(server)


def test_a_client_that_does_not_answer_the_close_is_left_after_close_timeout() -> None:
    with serving(close_timeout_s=0.5) as running, upgraded(running) as peer:
        peer.frame(BINARY, b"x")
        assert peer.until_close()[1].code == 1003
        began = time.monotonic()
        assert peer.rest() == b""
        assert time.monotonic() - began < 0.5 + support.slack_s()


def test_a_server_that_stops_says_1001() -> None:
    others = set(support.our_threads())
    running = support.serve("opc.tcp://127.0.0.1:%d" % support.free_port())
    with upgraded(running) as peer, upgraded(running) as other:
        stopping = threading.Thread(target=running.stop)
        stopping.start()
        assert peer.closed_with() == 1001
        assert other.closed_with() == 1001
        stopping.join(support.PATIENCE)
        assert not stopping.is_alive()
    no_more_threads_than(others)


class Defective(echo_server.Echo):
    """An echo with a text that it cannot handle."""

    def handle(self, client: Connected, message: Any) -> None:
        if message == "defect":
            raise LookupError("on purpose")
        super().handle(client, message)


def test_a_defect_closes_its_own_connection_with_1011_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with echo_server.echoing(application=Defective()) as listener:
        with ByteClient(listener.addresses[0]) as bad, ByteClient(listener.addresses[0]) as good:
            for peer in (bad, good):
                peer.send(opening())
                assert peer.head()[0] == 101
            bad.send(frame(TEXT, b"before") + frame(TEXT, b"defect") + frame(TEXT, b"behind"))
            assert bad.next(TEXT).payload == b"before"
            assert bad.closed_with() == 1011
            good.frame(TEXT, b"unharmed")
            assert good.next(TEXT).payload == b"unharmed"
    assert ["on purpose" in str(each.exc_text) for each in caplog.records if each.exc_info] == [
        True
    ]
    caplog.clear()


def test_a_defect_in_the_writer_leaves_no_client_without_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with echo_server.echoing(limits={"outbox_messages": 0}) as listener:
        with ByteClient(listener.addresses[0]) as peer:
            peer.send(opening())
            assert peer.head()[0] == 101
            (connection,) = listener.connections()
            support.wait_until(lambda: connection._writer_started, "its writer waits")
            # The update waits, and its frame cannot be made again.
            connection.outbox.put_updates([(Subject(), b"", "something")])
            connection._work.set()
            assert peer.rest() == b""
        support.wait_until(lambda: not listener.connections(), "it has ended")
    assert len([each for each in caplog.records if each.exc_info]) == 1
    caplog.clear()


# --- leaving without a word ---------------------------------------------------------------------


def test_half_a_frame_and_then_nobody_leaves_nothing(server: Server) -> None:
    whole = frame(TEXT, VALUELIST)
    for size in (1, 2, 5, 10, len(whole) - 1):
        peer = upgraded(server)
        peer.send(whole[:size])
        peer.sock.close()
    no_connections_left(server)


def test_a_reset_leaves_nothing(server: Server) -> None:
    for requests in (0, 1, 50):
        peer = upgraded(server)
        peer.send(frame(TEXT, _large(1)) * requests)
        peer.vanish()
    no_connections_left(server)


def _stalled(server: Server, peer: ByteClient) -> Any:
    """Ask until the server stops reading *peer*, which reads nothing; its outbox."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    connection = narrow(server, peer.sock)
    outbox, most = connection.outbox, connection._listen.limits.requests_in_flight

    def stalled() -> bool:
        return outbox.finished or (connection._sender.waits and outbox._owed >= most)

    # A buffer that is full for a moment is no stall: the answers are more than all of them hold.
    for number in range(most + 30):
        if outbox.finished:
            break
        peer.frame(TEXT, _large(number))
    support.wait_until(stalled, "the bound of requests in flight is reached")
    return outbox


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much it holds")
def test_the_system_holds_little_for_a_client_that_does_not_read(server: Server) -> None:
    with upgraded(server) as peer:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        connection = connection_of(server, peer.sock)
        asking = threading.Thread(
            target=peer.send, args=(b"".join(frame(TEXT, _large(number)) for number in range(100)),)
        )
        asking.start()
        support.wait_until(lambda: connection._sender.waits, "the system takes no more")
        # What is on its way arrives; what waits in the system behind it does not.
        support.wait_until(
            lambda: connection._transport.unsent_bytes() < 2 * NOT_SENT_BYTES, "little waits"
        )
        # It is about what waits in the system, not about what can be sent.
        for number in range(100):
            assert _answer(peer)["Header"]["ClientHandle"] == number
        asking.join(support.PATIENCE)
        assert not asking.is_alive()


def test_a_client_that_vanishes_while_the_server_does_not_read_it_leaves_nothing(
    server: Server,
) -> None:
    no_connections_left(server)
    peer = upgraded(server)
    _stalled(server, peer)
    peer.vanish()
    no_connections_left(server)


def test_a_client_that_takes_nothing_is_closed_after_send_timeout() -> None:
    # So few that they are owed long before its time is over.
    limits = {"requests_in_flight": 4}
    with serving(send_timeout_s=1, limits=limits) as running, upgraded(running) as peer:
        _stalled(running, peer)
        with Client(running.urls[0]) as other:
            assert other.body("VALUELIST")["Variables"]
        assert running.limit_hits.snapshot()["requests_in_flight"] >= 1
        no_connections_left(running)
        hits = running.limit_hits.snapshot()
        assert hits["send_timeout_s"] == 1
        assert hits["requests_in_flight"] >= 1, "it stays when the client has gone"


# --- requests without end -----------------------------------------------------------------------


def test_requests_without_reading_are_bounded_and_each_is_answered_once(server: Server) -> None:
    no_connections_left(server)
    total = 300
    with upgraded(server) as peer, Client(server.urls[0]) as other:
        outbox = connection_of(server, peer.sock).outbox
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        requests = b"".join(frame(TEXT, _large(number)) for number in range(total))
        sending = threading.Thread(target=peer.send, args=(requests,), daemon=True)
        sending.start()
        support.wait_until(lambda: outbox._owed == 64, "the bound of requests in flight")
        assert other.body("VALUELIST")["Variables"]
        largest = 0
        seen: "collections.Counter[int]" = collections.Counter()
        for _ in range(total):
            largest = max(largest, outbox.queued_bytes)
            assert outbox._owed <= 64
            seen[_answer(peer)["Header"]["ClientHandle"]] += 1
        sending.join(support.PATIENCE)
        assert not sending.is_alive()
        assert largest <= 65 * 100000
        assert seen == dict.fromkeys(range(total), 1)
        _is_answered(peer)


def test_thousands_of_reads_at_once_are_each_answered_once(server: Server) -> None:
    total = 5000
    with upgraded(server) as peer:
        requests = b"".join(
            frame(TEXT, _request("READ", {"Variable": "Types.Int32"}, number))
            for number in range(total)
        )
        sending = threading.Thread(target=peer.send, args=(requests,), daemon=True)
        sending.start()
        seen: "collections.Counter[int]" = collections.Counter()
        for _ in range(total):
            answer = _answer(peer)
            assert answer["Header"]["MessageType"] == "READ_RESPONSE"
            seen[answer["Header"]["ClientHandle"]] += 1
        sending.join(support.PATIENCE)
        assert seen == dict.fromkeys(range(total), 1)
        _is_answered(peer)
