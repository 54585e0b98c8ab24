"""The secure channel without security, beside the library's, and chunks from a real socket."""

import os
import socket
import struct
import threading
from typing import Any, Iterator, List, Optional, Tuple

import pytest
from opcua import ua
from opcua.common.connection import SecureConnection
from opcua.common.utils import Buffer
from opcua.ua.ua_binary import header_from_binary

from opcws.model import status_codes
from opcws.ua.channel import framing
from opcws.ua.channel.answers import Answer
from opcws.ua.channel.framing import MAX_CHUNK_BYTES, Incoming, PlantSocket
from opcws.ua.channel.secure_channel import SecureChannel
from opcws.ua.encoding import service_bodies

from ...support import PATIENCE, wait_until

TOKEN, CHANNEL = 3, 7


def opened() -> Any:
    result = ua.OpenSecureChannelResult()
    result.SecurityToken.TokenId, result.SecurityToken.ChannelId = TOKEN, CHANNEL
    return result


@pytest.fixture
def peers() -> Tuple[SecureChannel, SecureConnection]:
    """A client's channel and a server's, opened, with chunks of 8192 bytes."""
    result = opened()
    client, server = SecureChannel(ua.SecurityPolicy()), SecureConnection(ua.SecurityPolicy())
    client.set_channel(result, ua.SecurityTokenRequestType.Issue, b"")
    server.security_token = result.SecurityToken
    client._max_chunk_size = server._max_chunk_size = 8192
    return client, server


def chunks_of(data: bytes) -> List[bytes]:
    found = []
    while data:
        size = int.from_bytes(data[4:8], "little")
        found.append(data[:size])
        data = data[size:]
    return found


def received(connection: SecureConnection, data: bytes) -> Tuple[int, bytes]:
    """RequestId and body of the message, as the library reads it."""
    buffer, message = Buffer(data), None
    while message is None:
        message = connection.receive_from_header_and_body(header_from_binary(buffer), buffer)
    body = message.body()
    return message.request_id(), body.read(len(body))


def unwrapped(channel: SecureChannel, data: bytes) -> Optional[Tuple[int, bytes]]:
    *first, last = [channel.unwrap(chunk) for chunk in chunks_of(data)]
    assert first == [None] * len(first)
    return last


def chunk(
    number: int,
    body: bytes = b"body",
    kind: bytes = b"MSGF",
    channel: int = CHANNEL,
    token: int = TOKEN,
    request: int = 5,
) -> bytes:
    return struct.pack("<4sIIIII", kind, 24 + len(body), channel, token, number, request) + body


@pytest.mark.parametrize("size", [1, 8168, 8169, 30000])
def test_messages_are_those_of_the_library_in_both_directions(peers: Any, size: int) -> None:
    client, server = peers
    for request_id in (1, 2, 3):
        body = os.urandom(size)
        assert received(server, client.wrap(body, request_id)) == (request_id, body)
        sent = server.message_to_binary(body, request_id=request_id)
        assert unwrapped(client, sent) == (request_id, body)


def test_either_reader_may_take_the_next_chunk(peers: Any) -> None:
    client, _server = peers
    assert client.unwrap(chunk(1)) == (5, b"body")
    assert received(client, chunk(2)) == (5, b"body")
    assert client.unwrap(chunk(3)) == (5, b"body")


def test_sequence_numbers_begin_again_at_the_end_of_their_range(peers: Any) -> None:
    client, server = peers
    client._sequence_number = server._peer_sequence_number = 2**32 - 2
    for body in (b"last", b"first"):
        assert received(server, client.wrap(body, 1)) == (1, body)
    assert client._sequence_number == 1
    client._peer_sequence_number = 2**32 - 1
    assert client.unwrap(chunk(1)) == (5, b"body")


@pytest.mark.parametrize(
    "wrong, says",
    [
        (chunk(3), "message 3 where 2 was expected"),
        (chunk(1), "message 1 where 2 was expected"),
        (chunk(2, channel=8), "unknown secure channel 8"),
        (chunk(2, token=4), "unknown security token 4"),
        (chunk(2, kind=b"MSGX"), "MSGX"),
    ],
    ids=["gap", "repeated", "channel", "token", "kind"],
)
def test_a_chunk_that_is_out_of_place_ends_the_channel(peers: Any, wrong: bytes, says: str) -> None:
    client, _server = peers
    client.unwrap(chunk(1))
    with pytest.raises(ua.UaError, match=says):
        client.unwrap(wrong)


def test_a_chunk_without_all_of_its_headers_is_refused(peers: Any) -> None:
    client, _server = peers
    with pytest.raises(struct.error):
        client.unwrap(chunk(1)[:23])


def test_parts_of_two_messages_do_not_mix(peers: Any) -> None:
    client, _server = peers
    assert client.unwrap(chunk(1, kind=b"MSGC")) is None
    with pytest.raises(ua.UaError, match="message 6 inside of message 5"):
        client.unwrap(chunk(2, request=6))


def test_a_message_that_its_sender_gave_up_is_dropped_and_the_next_one_read(peers: Any) -> None:
    client, _server = peers
    assert client.unwrap(chunk(1, b"half", b"MSGC")) is None
    assert client.unwrap(chunk(2, b"", b"MSGA")) is None
    assert client.unwrap(chunk(3, b"whole")) == (5, b"whole")


def test_a_dead_channel_keeps_no_part_of_a_message(peers: Any) -> None:
    client, _server = peers
    client.unwrap(chunk(1, b"half", b"MSGC"))
    client.forget_parts()
    assert client._parts == client._incoming_parts == []


# --- chunks from a socket ----------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[Tuple[socket.socket, Incoming]]:
    one, other = socket.socketpair()
    other.settimeout(PATIENCE)
    yield one, Incoming(other)
    one.close()
    other.close()


def test_chunks_come_whole_however_they_are_cut(pair: Any) -> None:
    peer, incoming = pair
    sent = [chunk(number, os.urandom(size)) for number, size in enumerate((1, 500, 3, 3000))]
    stream = b"".join(sent)

    def send(step: int) -> None:
        for start in range(0, len(stream), step):
            peer.sendall(stream[start : start + step])

    for step in (1, 7, 1000, len(stream)):
        sender = threading.Thread(target=send, args=(step,))
        sender.start()
        assert [incoming.chunk() for _ in sent] == sent
        sender.join(PATIENCE)
        assert not sender.is_alive()


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1",
        b"MSGF" + struct.pack("<I", 8),
        b"MSGF" + struct.pack("<I", MAX_CHUNK_BYTES + 1),
        b"MSGF\xff\xff\xff\xff",
    ],
)
def test_what_is_no_chunk_is_refused_before_more_of_it_is_waited_for(
    pair: Any, garbage: bytes
) -> None:
    peer, incoming = pair
    peer.sendall(garbage)
    with pytest.raises(ua.UaError, match="a chunk that begins with"):
        incoming.chunk()


@pytest.mark.parametrize("sent", [b"", b"MSG", chunk(1)[:-1]])
def test_the_end_of_the_stream_inside_a_chunk_is_told(pair: Any, sent: bytes) -> None:
    peer, incoming = pair
    peer.sendall(sent)
    peer.close()
    with pytest.raises(ua.utils.SocketClosedException):
        incoming.chunk()


@pytest.fixture(params=["by us", "by the library"])
def dialled(
    request: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tuple[socket.socket, PlantSocket, List[str]]]:
    """A server's socket, and the client's, which takes messages of 1000 bytes and drops those of
    up to 4000; what broke it."""
    monkeypatch.setattr(framing, "MAX_MESSAGE_BYTES", 1000)
    broken: List[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        peer, _address = listener.accept()
    client = PlantSocket(PATIENCE, ua.SecurityPolicy(), "test-rx", broken.append)
    client.set_channel(opened(), ua.SecurityTokenRequestType.Issue, b"")
    client._connection.plain = request.param == "by us"
    client.attach(sock)
    yield peer, client, broken
    peer.close()
    wait_until(lambda: not client.receiving, "the receiver has ended")
    sock.close()


def test_a_message_that_is_too_large_is_dropped_and_the_next_one_read(dialled: Any) -> None:
    peer, client, broken = dialled
    large, small = Answer(), Answer()
    client._callbackmap.update({5: large, 6: small})
    for number in range(1, 7):
        peer.sendall(chunk(number, bytes(500), b"MSGC"))
    wait_until(lambda: client._chunks == 6, "that much has come in")
    assert len(client._connection._parts + client._connection._incoming_parts) <= 2
    peer.sendall(chunk(7) + chunk(8, b"whole", request=6))
    body = large.wait(PATIENCE)
    head = service_bodies.response_head(body.read(len(body)))
    assert head.type_id == service_bodies.SERVICE_FAULT
    assert status_codes.name(head.service_result) == "BadResponseTooLarge"
    body = small.wait(PATIENCE)
    assert body.read(len(body)) == b"whole"
    assert not broken


def test_a_message_without_an_end_ends_the_connection(dialled: Any) -> None:
    peer, _client, broken = dialled
    for number in range(1, 9):
        peer.sendall(chunk(number, bytes(500), b"MSGC"))
    wait_until(lambda: broken, "the connection has ended")
    assert framing.TOO_LARGE in broken[0]
