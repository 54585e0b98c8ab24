"""Floats of 32 bits: the nearest one, and the shortest text that reads back to it.

Python's ``repr`` does this for 64 bits; NumPy would do it for 32 bits, but is too large for this.
"""

import struct

_FLOAT = struct.Struct("<f")
_FLOAT_BITS = struct.Struct("<I")
_SMALLEST_NORMAL = 2.0**-126


def to_float32(number: float) -> float:
    """The nearest number of 32 bits; infinity if it is too large for them."""
    try:
        return float(_FLOAT.unpack(_FLOAT.pack(number))[0])
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def float32_text(number: float) -> str:
    """The shortest text that reads back to the same 32 bits; ``nan``, ``inf``, ``-inf``."""
    text = repr(float("%.6g" % number))
    # Every decimal of 6 digits survives a normal float, so here it is the shortest.
    if to_float32(float(text)) == number and not 0 < abs(number) < _SMALLEST_NORMAL:
        return text
    number = to_float32(number)
    if number - number != 0.0:
        return repr(number)
    for digits in range(1, 10):
        text = "%.*e" % (digits - 1, number)
        if to_float32(float(text)) == number:
            break
        # The floats below a power of two are closer together than those above, so the nearest
        # decimal may miss it while the next one farther from zero does not.
        if not _FLOAT_BITS.unpack(_FLOAT.pack(number))[0] & 0x7FFFFF:
            mantissa, exponent = text.split("e")
            sign = "-" if number < 0 else ""
            following = int(mantissa.lstrip("-").replace(".", "")) + 1
            text = "%s%de%d" % (sign, following, int(exponent) - digits + 1)
            if to_float32(float(text)) == number:
                break
    return repr(float(text))
