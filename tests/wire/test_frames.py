"""One ready server frame, read back as RFC 6455 5.2 says."""

import struct
from typing import Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.wire import frames


def parse(frame: bytes) -> Tuple[int, bytes]:
    """First byte and payload of the one frame that *frame* is."""
    length, start = frame[1], 2
    assert length < 128, "a server frame is not masked (RFC 6455 5.1)"
    if length == 126:
        (length,), start = struct.unpack("!H", frame[2:4]), 4
        assert length > 125, "the shortest form of the length is due (RFC 6455 5.2)"
    elif length == 127:
        (length,), start = struct.unpack("!Q", frame[2:10]), 10
        assert length > 65535, "the shortest form of the length is due (RFC 6455 5.2)"
    assert len(frame) == start + length
    return frame[0], frame[start:]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 200000])
def test_a_text_frame_of_any_length_is_final_and_unmasked_with_the_shortest_length(
    length: int,
) -> None:
    assert parse(frames.text_frame("x" * length)) == (0x81, b"x" * length)


@given(st.text(max_size=400))
def test_a_text_frame_carries_the_text_in_utf_8(text: str) -> None:
    assert parse(frames.text_frame(text)) == (0x81, text.encode("utf-8"))


def test_a_length_counts_bytes_and_not_characters() -> None:
    assert parse(frames.text_frame("ü" * 100))[1] == "ü".encode() * 100


@pytest.mark.parametrize("opcode", [frames.CLOSE, frames.PING, frames.PONG])
def test_a_control_frame_is_final_with_its_opcode(opcode: int) -> None:
    assert parse(frames.control_frame(opcode, b"ab")) == (0x80 | opcode, b"ab")
    assert parse(frames.control_frame(opcode, b"x" * 125))[1] == b"x" * 125


def test_a_control_frame_over_125_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="125"):
        frames.control_frame(frames.PING, b"x" * 126)


def test_a_close_frame_has_its_code_before_its_reason() -> None:
    assert parse(frames.close_frame(1001, "bye")) == (0x88, b"\x03\xe9bye")
    assert parse(frames.close_frame(1000)) == (0x88, b"\x03\xe8")


def test_a_long_close_reason_is_cut_between_characters() -> None:
    _, payload = parse(frames.close_frame(1008, "x" + "ü" * 100))
    assert payload[2:].decode("utf-8") == "x" + "ü" * 61
