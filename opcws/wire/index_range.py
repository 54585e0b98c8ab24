"""Index ranges: one element, or a range of elements, of an array (OPC 10000-4 7.27).  Pure.

``"2"`` is the third element, ``"0:3"`` the first four, ``"0:1,2:2"`` a part of a matrix; a string
or ByteString has ranges too.  An array that is read with a range stays an array, even if the range
names a single element: an array of one.
"""

from typing import Optional, Tuple

from ..model.data_types import BYTESTRING, STRING, Variant

#: The largest index (OPC 10000-4 7.27 leaves the width open; arrays have Int32 lengths).
MAX_INDEX = 2**31 - 1


def parse_range(text: str) -> Tuple[Tuple[int, int], ...]:
    """The first and last index of each dimension.

    Raises :exc:`ValueError` with a sentence that says what is wrong.
    """
    bounds = []
    for part in text.split(","):
        low, colon, high = part.partition(":")
        if not all(
            index.isdigit() and index.isascii() and len(index) <= 10
            for index in ((low, high) if colon else (low,))
        ):
            raise ValueError(
                "expected an index range such as '2', '0:3' or '0:1,2:3', got %r" % text
            )
        first, last = int(low), int(high) if colon else int(low)
        if colon and first >= last:
            raise ValueError(
                "the range %r in %r does not rise; write one element as its index alone"
                % (part, text)
            )
        if last > MAX_INDEX:
            raise ValueError("the index %d in %r is over %d" % (last, text, MAX_INDEX))
        bounds.append((first, last))
    return tuple(bounds)


def too_long(value: Optional[Variant], text: str) -> bool:
    """Whether *value* has more elements than the index range *text* names: then the OPC UA server
    has ignored the range.  It may have fewer: OPC 10000-4 7.27 allows a range beyond the end."""
    if value is None or value.value is None:
        return False
    most = 1
    for first, last in parse_range(text):
        most *= last - first + 1
    if not value.is_array and value.type not in (STRING, BYTESTRING):
        return False
    return len(value.value) > most
