"""What Autobahn's fuzzing client found worth a case (1 to 7, 9, 10), with peer sockets.

``tests/support/echo_server.py`` is what it talks to; see there for how to run the suite itself.
Every connection here ends with a closing handshake and the end of the stream, never with a reset.
"""

import contextlib
import json
import socket
import ssl
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
import websocket

from opcws.model.deadline import Deadline
from opcws.ws.listener import Listener

from ... import ROOT, support
from ...support import echo_server
from ...support.byte_client import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    ByteClient,
    Frame,
    frame,
    opening,
)

CONTINUATION = 0
MEGA = 1024 * 1024

Connect = Callable[[bytes], ByteClient]


@pytest.fixture(scope="module")
def plain() -> Iterator[Listener]:
    with echo_server.echoing(close_timeout_s=support.PATIENCE) as listener:
        yield listener
    support.no_threads_left()


@pytest.fixture(scope="module", params=["plain", "tls"])
def open_raw(request: Any, plain: Listener, tmp_path_factory: Any) -> Iterator[Connect]:
    """Opens a connection; what is given is sent in one piece with the opening handshake."""
    with contextlib.ExitStack() as ending:
        listener, context = plain, None
        if request.param == "tls":
            directory: Path = tmp_path_factory.mktemp("echo")
            tls = echo_server.self_signed(directory)
            listener = ending.enter_context(
                echo_server.echoing(tls=tls, close_timeout_s=support.PATIENCE)
            )
            context = ssl.create_default_context(cafile=tls.certificate)

        def connect(glued: bytes) -> ByteClient:
            peer = ByteClient(listener.addresses[0])
            if context is not None:
                peer.sock = context.wrap_socket(peer.sock, server_hostname="localhost")
            peer.send(opening() + glued)
            assert peer.head()[0] == 101
            return peer

        yield connect


@pytest.fixture
def peer(open_raw: Connect) -> Iterator[ByteClient]:
    with open_raw(b"") as connected:
        yield connected


def _closes(peer: ByteClient) -> None:
    """A clean end that the client begins."""
    peer.frame(CLOSE, struct.pack("!H", 1000))
    assert peer.until_close()[1].code == 1000
    assert peer.rest() == b""


def _text(text: str) -> Frame:
    return Frame(TEXT, text.encode())


KOSME = "\u03ba\u1f79\u03c3\u03bc\u03b5"
#: What is sent, and what must come, in this order.
EXCHANGES: Dict[str, Tuple[bytes, List[Frame]]] = {
    "1.1.1 an empty text": (frame(TEXT), [_text("")]),
    "1.2.1 an empty binary": (frame(BINARY), [Frame(BINARY, b"")]),
    "1.2 every byte": (frame(BINARY, bytes(range(256))), [Frame(BINARY, bytes(range(256)))]),
    "2.5 a text behind a ping": (
        frame(PING, b"\x00\xff") + frame(TEXT, b"x"),
        [Frame(PONG, b"\x00\xff"), _text("x")],
    ),
    "2.7 pongs unasked": (frame(PONG) + frame(PONG, b"x") + frame(TEXT, b"y"), [_text("y")]),
    "2.10 ten pings": (
        b"".join(frame(PING, b"payload-%d" % number) for number in range(10)),
        [Frame(PONG, b"payload-%d" % number) for number in range(10)],
    ),
    "5.6 a ping between two fragments": (
        frame(TEXT, b"one", final=False) + frame(PING, b"p") + frame(CONTINUATION, b"two"),
        [Frame(PONG, b"p"), _text("onetwo")],
    ),
    "5.19 pings between fragments": (
        frame(TEXT, b"1", final=False)
        + frame(CONTINUATION, b"2", final=False)
        + frame(PING, b"a")
        + frame(CONTINUATION, b"3", final=False)
        + frame(PING, b"b")
        + frame(CONTINUATION, b"4"),
        [Frame(PONG, b"a"), Frame(PONG, b"b"), _text("1234")],
    ),
    "6.1.2 empty fragments": (
        frame(TEXT, final=False) + frame(CONTINUATION, final=False) + frame(CONTINUATION),
        [_text("")],
    ),
    "6.2.3 a character in pieces": (
        b"".join(
            frame(CONTINUATION if place else TEXT, bytes([byte]), final=False)
            for place, byte in enumerate(KOSME.encode())
        )
        + frame(CONTINUATION),
        [_text(KOSME)],
    ),
    "messages in their order": (
        b"".join(frame(TEXT, b"%d" % number) for number in range(300)),
        [_text("%d" % number) for number in range(300)],
    ),
}


@pytest.mark.parametrize("name", EXCHANGES)
@pytest.mark.parametrize("way", ["glued to the handshake", "in one piece", "byte by byte"])
def test_what_is_echoed_and_in_which_order(open_raw: Connect, name: str, way: str) -> None:
    data, expected = EXCHANGES[name]
    glued = way.startswith("glued")
    with open_raw(data if glued else b"") as peer:
        if way == "in one piece":
            peer.send(data)
        elif not glued:
            for place in range(len(data)):
                peer.send(data[place : place + 1])
        found = [peer.receive() for _ in expected]
        if glued or way == "in one piece":
            assert found == expected
        else:  # a ping that arrives behind a message may be answered behind it
            assert sorted(map(repr, found)) == sorted(map(repr, expected))
        _closes(peer)


@pytest.mark.parametrize(
    "sent",
    [
        frame(TEXT, b"good \xf4\x90\x80\x80", final=False),
        frame(TEXT, b"\xce\xba", final=False) + frame(CONTINUATION, b"\xed\xa0\x80", final=False),
        struct.pack("!BBH", 0x81, 0xFE, 1000) + bytes(4) + b"good \xff\xff bad",
    ],
    ids=["6.4.1 first fragment", "6.4.2 second fragment", "6.4.3 within a frame"],
)
def test_text_that_cannot_become_utf8_any_more_closes_with_1007_before_it_ends(
    peer: ByteClient, sent: bytes
) -> None:
    peer.send(sent)
    assert peer.closed_with() == 1007


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", None),
        (b"\x03", 1002),
        (struct.pack("!H", 1000) + b"\xce\xba\xe1", 1007),
        (struct.pack("!H", 1005), 1002),
        (struct.pack("!H", 4999) + b"x" * 123, 4999),
    ],
)
def test_a_close_frame_is_answered_cleanly_whatever_it_says(
    peer: ByteClient, payload: bytes, code: Any
) -> None:
    peer.frame(CLOSE, payload)
    closing = peer.next(CLOSE)
    assert closing.payload == b"" if code is None else closing.code == code
    assert peer.rest() == b""


def test_after_the_close_frame_nothing_is_echoed_and_no_ping_is_answered(peer: ByteClient) -> None:
    close = frame(CLOSE, struct.pack("!H", 1000))
    peer.send(frame(TEXT, b"x") + close + frame(PING, b"late") + frame(TEXT, b"late") + close)
    before, closing = peer.until_close()
    assert [each.payload for each in before] == [b"x"] and closing.code == 1000
    assert peer.rest() == b""


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_large_message_in_small_fragments_comes_back_whole(peer: ByteClient, opcode: int) -> None:
    data = b"0123456789abcdef" * (MEGA // 16)
    parts = [data[start : start + 16384] for start in range(0, len(data), 16384)]
    sent = b"".join(
        frame(CONTINUATION if number else opcode, part, final=False)
        for number, part in enumerate(parts)
    )
    peer.send(sent + frame(CONTINUATION))
    assert peer.next(opcode).payload == data
    _closes(peer)


def test_a_message_of_32_mib_is_echoed(plain: Listener) -> None:
    data = bytes(echo_server.MAX_BYTES)
    with ByteClient(plain.addresses[0]) as peer:
        peer.send(opening())
        assert peer.head()[0] == 101
        peer.frame(BINARY, data)
        assert peer.next(BINARY).payload == data
        _closes(peer)


def test_a_close_behind_a_large_echo_that_is_under_way_comes_after_it(peer: ByteClient) -> None:
    data = b"x" * (4 * MEGA)
    peer.frame(TEXT, data)
    while peer._buffer[:1] != b"\x81":  # the echo has begun
        peer._more()
    peer.frame(CLOSE, struct.pack("!H", 1000))
    assert peer.next(TEXT).payload == data
    assert peer.next(CLOSE).code == 1000
    assert peer.rest() == b""


def test_a_stop_while_a_large_message_comes_in_is_no_reset() -> None:
    with echo_server.echoing(close_timeout_s=support.PATIENCE) as listener, ByteClient(
        listener.addresses[0]
    ) as peer:
        peer.send(opening())
        assert peer.head()[0] == 101
        whole = frame(BINARY, bytes(8 * MEGA))
        peer.send(whole[:MEGA])
        stopping = threading.Thread(target=listener.stop, args=(Deadline(support.PATIENCE),))
        stopping.start()
        assert peer.next(CLOSE).code == 1001
        peer.send(whole[MEGA:])
        peer.frame(CLOSE, struct.pack("!H", 1001))
        assert peer.rest() == b""
        peer.sock.close()
        stopping.join(support.PATIENCE)
        assert not stopping.is_alive()


def test_who_sends_and_does_not_read_is_not_read_and_costs_a_bounded_memory() -> None:
    limits = {"outbox_bytes": MEGA, "requests_in_flight": 4}
    for size, bound in ((1000, 4 * 1100), (MEGA, MEGA + 100)):
        with echo_server.echoing(limits=limits) as listener:
            peer = ByteClient(listener.addresses[0])
            peer.send(opening())
            assert peer.head()[0] == 101
            (connection,) = listener.connections()
            sending = threading.Thread(target=_send_until_closed, args=(peer, bytes(size)))
            sending.start()
            support.wait_until(
                lambda c=connection: c._sender.waits and not c._reading,
                "the server reads no more",
            )
            assert connection.outbox.queued_bytes <= bound
            peer.sock.shutdown(socket.SHUT_RDWR)
            sending.join(support.PATIENCE)
            assert not sending.is_alive()
            peer.sock.close()


def _send_until_closed(peer: ByteClient, message: bytes) -> None:
    data = frame(BINARY, message)
    try:
        while True:
            peer.send(data)
    except OSError:
        pass


def test_who_is_too_slow_and_reads_again_sees_1008_behind_the_frame_that_was_half_sent() -> None:
    listen = {"send_timeout_s": 0.3, "close_timeout_s": support.PATIENCE}
    with echo_server.echoing(**listen) as listener, ByteClient(listener.addresses[0]) as peer:
        peer.send(opening())
        assert peer.head()[0] == 101
        data = bytes(16 * MEGA)
        peer.frame(BINARY, data)
        (connection,) = listener.connections()
        support.wait_until(lambda: connection.outbox.finished, "patience with it ends")
        assert peer.next(BINARY).payload == data
        assert peer.closed_with() == 1008


@pytest.mark.parametrize("options", [[], ["--tls"]], ids=["plain", "tls"])
def test_the_echo_is_a_command_and_the_suite_has_its_list_of_cases(options: List[str]) -> None:
    cases = json.loads((ROOT / "tests" / "autobahn.json").read_text())["cases"]
    assert cases == ["%d.*" % group for group in (1, 2, 3, 4, 5, 6, 7, 9, 10)]
    command = [sys.executable, "-m", "tests.support.echo_server", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            assert url.startswith("wss:" if options else "ws:")
            client = websocket.create_connection(
                url, timeout=support.PATIENCE, sslopt={"cert_reqs": ssl.CERT_NONE}
            )
            client.send("whatever")
            assert client.recv() == "whatever"
            client.close()
        finally:
            process.kill()


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
def test_who_is_too_slow_for_many_small_frames_sees_whole_ones_and_1008(
    tmp_path: Path, secured: bool
) -> None:
    total = 20000
    limits = {"requests_in_flight": total}
    listen = {"send_timeout_s": 0.3, "close_timeout_s": support.PATIENCE, "limits": limits}
    tls = echo_server.self_signed(tmp_path) if secured else None
    with echo_server.echoing(tls=tls, **listen) as listener, ByteClient(
        listener.addresses[0]
    ) as peer:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        if tls is not None:
            context = ssl.create_default_context(cafile=tls.certificate)
            peer.sock = context.wrap_socket(peer.sock, server_hostname="localhost")
        peer.send(opening())
        assert peer.head()[0] == 101
        (connection,) = listener.connections()
        # So small that a record of TLS, once begun, does not fit whole.
        connection._transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        peer.send(b"".join(frame(TEXT, b"%0100d" % number) for number in range(total)))
        support.wait_until(lambda: connection.outbox.finished, "patience with it ends")
        before, closing = peer.until_close()
        assert closing.code == 1008
        assert 0 < len(before) < total
        assert before == [_text("%0100d" % number) for number in range(len(before))]
        peer.frame(CLOSE, closing.payload)
        assert peer.rest() == b""
