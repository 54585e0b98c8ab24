"""A plot of numbers over time, for a terminal.

plotext was looked at: release 6 is compiled and has no wheel for 32-bit Windows, release 5 is not
maintained, its characters are missing in the fonts of an old Windows console, and neither draws a
value until the next one.
"""

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from rich.text import Text


class Point(NamedTuple):
    """A time in seconds and the number at that time, or ``None`` if there was none."""

    at: float
    number: Optional[float]


class _Bucket(NamedTuple):
    low: float
    high: float
    last: float


def plot(points: Sequence[Point], start: float, end: float, columns: int, rows: int) -> List[Text]:
    """*points* from *start* to *end* in *rows* lines of at most *columns*.

    A column stands for a span of time and reaches from its lowest to its highest number, so that no
    peak is lost; a value holds until the next one.  Bad values have a mark on the bottom line, and
    no curve.
    """
    numbers = [p.number for p in points if p.number is not None and math.isfinite(p.number)]
    if not numbers:
        return []
    low, high = min(numbers), max(numbers)
    if low == high:
        spread = abs(low) * 0.05 or 1.0
        low, high = low - spread, high + spread
    labels = _labels(low, high, rows)
    margin = max(map(len, labels))
    wide = max(8, columns - margin - 2)
    buckets, bad = _buckets(points, start, end, wide)
    grid = [[" "] * wide for _ in range(rows)]

    def row_of(number: float) -> int:
        share = (number - low) / (high - low) if math.isfinite(high - low) else 0.5
        return min(rows - 1, max(0, int(round((1.0 - share) * (rows - 1)))))

    before: Optional[int] = None
    for column in range(wide):
        bucket = buckets.get(column)
        if bucket is None:
            before = None
            continue
        # From the end of the previous column to the start of the next one.
        top, bottom, last = map(row_of, (bucket.high, bucket.low, bucket.last))
        came = last if before is None else before
        first, final = min(top, came), max(bottom, came)
        for row in range(first, final + 1):
            grid[row][column] = "│"
        if first == final:
            grid[first][column] = "─"
        elif top == bottom:
            grid[came][column], grid[last][column] = "┐└" if came < last else "┘┌"
        before = last
    lines = [
        Text.assemble(label.rjust(margin) + " ┤", ("".join(row).rstrip(), "cyan"))
        for label, row in zip(labels, grid)
    ]
    if bad:
        marks = "".join("×" if column in bad else " " for column in range(max(bad) + 1))
        lines.append(Text.assemble("bad".rjust(margin) + "  ", (marks, "red")))
    return lines


def _buckets(
    points: Sequence[Point], start: float, end: float, wide: int
) -> Tuple[Dict[int, _Bucket], Set[int]]:
    """The numbers of each column, and the columns with a bad value."""
    span = (end - start) or 1.0
    found: Dict[int, _Bucket] = {}
    bad: Set[int] = set()
    column = 0
    for point in sorted(points, key=lambda each: each.at):
        column = min(wide - 1, max(0, int((point.at - start) / span * wide)))
        number = point.number
        if number is None or not math.isfinite(number):
            bad.add(column)
            continue
        known = found.get(column, _Bucket(number, number, number))
        found[column] = _Bucket(min(known.low, number), max(known.high, number), number)
    held: Optional[float] = None
    for each in range(column + 1):
        if each in found:
            held = found[each].last
        elif each in bad:
            held = None
        elif held is not None:
            found[each] = _Bucket(held, held, held)
    return found, bad


def _labels(low: float, high: float, rows: int) -> List[str]:
    """The labels of the rows: a number at every fourth row and at both ends."""
    return [
        "%.5g" % (high - (high - low) * row / (rows - 1 or 1))
        if row in (0, rows - 1) or (row % 4 == 0 and row < rows - 2)
        else ""
        for row in range(rows)
    ]
