"""Text messages cut from the bytes of a client: wsproto alone finds the same, in the same order."""

import struct
from typing import Any, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from opcws.ws.frame_reader import FrameReader, unmasked

from ..support.byte_client import BINARY, CLOSE, PING, PONG, TEXT, frame

CONTINUATION = 0
LIMIT = 1000

Found = List[Tuple[Any, Any]]


class Judge:
    """wsproto, fed with bytes; ``found`` is what there was, in order, an error at the end."""

    def __init__(self) -> None:
        self.found: Found = []
        self.failed = False
        self._protocol = FrameProtocol(client=False, extensions=[])
        self._parts: List[Any] = []

    def feed(self, data: bytes) -> None:
        self._protocol.receive_bytes(data)
        try:
            for received in self._protocol.received_frames():
                if received.opcode.iscontrol():
                    self.found.append((received.opcode, received.payload))
                    self.failed = self.failed or received.opcode is Opcode.CLOSE
                    continue
                self._parts.append(received.payload)
                if received.message_finished:
                    kind = str if received.opcode is Opcode.TEXT else bytes
                    self.found.append((kind, kind().join(self._parts)))
                    self._parts = []
        except ParseFailed as error:
            self.found.append(("failed", error.code))
            self.failed = True


def by_wsproto(chunks: List[bytes]) -> Found:
    judge = Judge()
    for chunk in chunks:
        if not judge.failed:
            judge.feed(chunk)
    return judge.found


class Cut:
    """*chunks* through FrameReader to a judge, which takes part as simple-websocket does."""

    def __init__(self, chunks: List[bytes]) -> None:
        judge = Judge()
        self.taken: List[str] = []
        self.passed: List[bytes] = []
        left = list(chunks)

        def take(texts: List[str]) -> None:
            self.taken += texts
            judge.found += [(str, text) for text in texts]

        frame_reader = FrameReader(lambda _size: left.pop(0) if left else b"", take, LIMIT)
        while not judge.failed:
            data = frame_reader.recv(65536)
            if not data:
                break
            self.passed.append(data)
            judge.feed(data)
        self.found = judge.found


def in_chunks(data: bytes, cuts: List[int]) -> List[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:stop] for start, stop in zip(places, places[1:])]


TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "a" * 125, "a" * 126, "\u20ac" * 42, "x" * LIMIT, "x" * (LIMIT + 1)]),
).map(lambda text: text.encode("utf-8", "surrogatepass"))
FRAMES = st.one_of(
    TEXTS.map(lambda raw: frame(TEXT, raw)),
    TEXTS.map(lambda raw: frame(TEXT, raw)),
    TEXTS.map(lambda raw: frame(TEXT, raw, final=False) + frame(CONTINUATION, b"!")),
    st.builds(
        lambda raw, at: (
            frame(TEXT, raw[:at], final=False)
            + frame(PING, b"between")
            + frame(CONTINUATION, raw[at:])
        ),
        TEXTS,
        st.integers(0, 9),
    ),
    st.binary(max_size=9).map(lambda raw: frame(BINARY, raw)),
    st.binary(max_size=9).map(lambda raw: frame(PING, raw)),
    st.binary(max_size=9).map(lambda raw: frame(PONG, raw)),
)
WRONG = st.one_of(
    st.binary(min_size=1, max_size=20),
    st.binary(max_size=9).map(lambda raw: frame(TEXT, raw)),
    st.binary(max_size=9).map(lambda raw: frame(TEXT, raw, masked=False)),
    st.builds(
        lambda opcode, reserved, final: frame(opcode, b"abc", final=final, reserved=reserved),
        st.integers(0, 15),
        st.integers(0, 7),
        st.booleans(),
    ),
    st.just(frame(CLOSE, struct.pack("!H", 1000) + b"bye")),
    st.just(b"\x81\xfe\x00\x05" + frame(TEXT, b"short")[2:]),
    st.just(b"\x81\xff" + struct.pack("!Q", 5) + frame(TEXT, b"short")[2:]),
    st.just(b"\x81\xff" + struct.pack("!Q", 1 << 63) + bytes(4)),
    TEXTS.map(lambda raw: frame(TEXT, raw)[:-1]),
)


@settings(deadline=None)
@given(
    st.lists(FRAMES, max_size=6),
    st.lists(WRONG, max_size=1),
    st.lists(FRAMES, max_size=2),
    st.lists(st.integers(0, 5000), max_size=6),
)
def test_whatever_comes_is_found_as_wsproto_alone_finds_it(
    good: List[bytes], wrong: List[bytes], more: List[bytes], cuts: List[int]
) -> None:
    chunks = in_chunks(b"".join(good + wrong + more), cuts)
    assert Cut(chunks).found == by_wsproto(chunks)


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=3))
def test_bytes_that_come_one_by_one_are_found_alike(frames: List[bytes]) -> None:
    data = b"".join(frames)
    chunks = in_chunks(data, list(range(len(data))))
    assert Cut(chunks).found == by_wsproto(chunks)


def test_whole_texts_are_taken_together_and_wsproto_sees_nothing_of_them() -> None:
    texts = [b"", b"{}", b"a" * 126, b"b" * LIMIT]
    cut = Cut([b"".join(frame(TEXT, text) for text in texts)])
    assert [text.encode() for text in cut.taken] == texts
    assert cut.passed == []


def test_what_is_behind_a_ping_waits_until_wsproto_has_seen_the_ping() -> None:
    before, ping, behind = frame(TEXT, b"1"), frame(PING, b"p"), frame(TEXT, b"2")
    cut = Cut([before + ping + behind])
    assert cut.passed == [ping]
    assert cut.found == [(str, "1"), (Opcode.PING, b"p"), (str, "2")]


def test_nothing_is_held_back_of_a_frame_that_is_not_whole() -> None:
    whole = frame(TEXT, b"one in pieces")
    for place in range(1, len(whole)):
        cut = Cut([whole[:place], whole[place:], frame(TEXT, b"next")])
        assert cut.passed == [whole[:place], whole[place:]]
        assert cut.taken == ["next"]


def test_behind_the_last_part_of_a_message_texts_are_taken_again() -> None:
    first, last = frame(TEXT, b"a", final=False), frame(CONTINUATION, b"b")
    cut = Cut([first + frame(PING) + last + frame(TEXT, b"next")])
    assert cut.taken == ["next"]
    assert cut.found == [(Opcode.PING, b""), (str, "ab"), (str, "next")]


@pytest.mark.parametrize("too_long", [LIMIT + 1, 65536])
def test_a_text_over_the_limit_is_left_to_the_judge_of_limits(too_long: int) -> None:
    assert Cut([frame(TEXT, b"x" * too_long)]).taken == []


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=70))
def test_a_mask_is_taken_off_byte_by_byte(key: bytes, payload: bytes) -> None:
    expected = bytes(each ^ key[index % 4] for index, each in enumerate(payload))
    assert unmasked(key, payload) == expected
