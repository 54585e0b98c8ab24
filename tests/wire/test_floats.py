"""Floats of 32 bits as text."""

import math
import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.wire.floats import float32_text


def float_of(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def reads_back(decimal, bits):
    """Whether *decimal*, rounded exactly to 32 bits, is the positive float with *bits*."""
    here = Fraction(float_of(bits))
    below = Fraction(float_of(bits - 1))
    above = Fraction(float_of(bits + 1)) if bits < 0x7F7FFFFF else Fraction(2) ** 128
    low, high = (below + here) / 2, (here + above) / 2
    return low < decimal < high or (bits % 2 == 0 and decimal in (low, high))


def fewest_digits(bits):
    exact = Decimal(float_of(bits))
    for digits in range(1, 10):
        unit = Decimal((0, (1,), exact.adjusted() - digits + 1))
        steps = int(exact / unit)
        for candidate in (steps, steps + 1):
            if candidate and reads_back(Fraction(candidate) * Fraction(unit), bits):
                return digits
    raise AssertionError(bits)


def assert_shortest(bits):
    text = float32_text(float_of(bits))
    assert reads_back(Fraction(Decimal(text)), bits), (bits, text)
    digits = len(Decimal(text).normalize().as_tuple().digits)
    assert digits == fewest_digits(bits), (bits, text)
    assert float32_text(-float_of(bits)) == "-" + text


def test_every_power_of_two_prints_as_the_shortest_text_that_reads_back():
    for exponent in range(1, 255):
        assert_shortest(exponent << 23)
    for bit in range(23):
        assert_shortest(1 << bit)


def test_the_smallest_and_the_largest_floats_print_as_the_shortest_text_that_reads_back():
    for bits in [*range(1, 1500), *range(0x7FFFF0, 0x800010), *range(0x7F7FFFF0, 0x7F800000)]:
        assert_shortest(bits)


@settings(deadline=None)
@given(st.integers(1, 0x7FFFFF))
def test_a_subnormal_float_prints_as_the_shortest_text_that_reads_back(bits):
    assert_shortest(bits)


@settings(max_examples=2000, deadline=None)
@given(st.integers(1, 0x7F7FFFFF))
def test_any_float_prints_as_the_shortest_text_that_reads_back(bits):
    assert_shortest(bits)


@pytest.mark.parametrize(
    "number, text",
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (float_of(0x3DCCCCCD), "0.1"),
        (float_of(1), "1e-45"),
        (16777216.0, "16777216.0"),
        (float_of(0x7F7FFFFF), "3.4028235e+38"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (0.1, "0.1"),
        (1e39, "inf"),
    ],
)
def test_a_float_of_32_bits_prints_like_this(number, text):
    assert float32_text(number) == text
