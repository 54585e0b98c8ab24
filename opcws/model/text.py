"""What a terminal shows: text of a known width, tables, a plot of numbers over time.

Pure: every function returns text.  What comes from elsewhere goes through :func:`clean` first: a
value must not be able to move the cursor, clear the screen or write from right to left.

*paint* is a function of text and a colour's name that returns the text in that colour.
"""

import math
import re
import unicodedata
from typing import Callable, Iterable, List, NamedTuple, Optional, Sequence, Tuple

Paint = Callable[[str, str], str]

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_WORD = re.compile(r"[\w./:\\@%+=,~-]+")


class Marks(NamedTuple):
    """The characters that are ours, for a terminal that has them or has not."""

    more: str
    flat: str
    upright: str
    #: Going on downwards and upwards: where the step begins, where it ends.
    down: Tuple[str, str]
    up: Tuple[str, str]
    axis: str
    dash: str
    bad: str


# Only what the fonts of an old Windows console have too (WGL4).
UNICODE = Marks("…", "─", "│", ("┐", "└"), ("┘", "┌"), "┤", "–", "×")
ASCII = Marks("~", "-", "|", ("+", "+"), ("+", "+"), "|", "-", "x")


def marks(encoding: Optional[str]) -> Marks:
    """The characters that *encoding* can write."""
    try:
        "".join(part for mark in UNICODE for part in mark).encode(encoding or "ascii")
        return UNICODE
    except (UnicodeError, LookupError):
        return ASCII


def clean(text: str) -> str:
    """*text* with everything that a terminal would act upon as an escape sequence of Python."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if unicodedata.category(each) not in _HIDDEN else _SHORT.get(each, ascii(each)[1:-1])
        for each in text
    )


def word(text: str) -> str:
    """*text*, such as a path, as one word of a command that a person is told to type.

    In double quotes if it needs any: every shell takes them, and the whole command can stand in
    single ones.
    """
    return text if _WORD.fullmatch(text) else '"%s"' % text


def width(text: str) -> int:
    """Columns that *text*, which is clean, takes."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(each) or unicodedata.category(each) == "Me"
        else 2
        if unicodedata.east_asian_width(each) in "WF"
        else 1
        for each in text
    )


def cut(text: str, columns: int, more: str) -> str:
    """*text* in at most *columns*; *more* stands for what was cut off."""
    if width(text) <= columns:
        return text
    kept, used = "", width(more)
    if columns < used:
        return ""
    for each in text:
        used += width(each)
        if used > columns:
            break
        kept += each
    return kept + more


def tail(text: str, columns: int, more: str) -> str:
    """The end of *text* in at most *columns*; *more* stands for what was cut off before it."""
    if width(text) <= columns:
        return text
    kept, used = len(text), width(more)
    if columns < used:
        return ""
    while used + width(text[kept - 1]) <= columns:
        kept -= 1
        used += width(text[kept])
    return more + text[kept:]


class Cell(NamedTuple):
    """Clean text with a colour's name, or none; *right* aligns it there."""

    text: str
    colour: str = ""
    right: bool = False


#: Columns that texts of any length are aligned in where nothing is cut.
_UNCUT_COLUMNS = 32


class Layout:
    """The widths of a table's columns, by its headers and first rows, within *columns*.

    What does not fit is taken from the column *elastic*, and what is still too wide then from the
    first, of which the end is kept: names tell themselves apart there.  Without *columns* nothing
    is cut, and one long text does not push the columns behind it away in each line.
    """

    def __init__(
        self,
        headers: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        columns: Optional[int],
        elastic: int,
        characters: Marks,
    ) -> None:
        self._headers = headers
        self._more = characters.more
        self._widths = [width(header) for header in headers]
        for row in rows:
            for number, cell in enumerate(row):
                self._widths[number] = max(self._widths[number], width(cell.text))
        self._columns = columns
        if columns is None:
            self._widths[elastic] = min(self._widths[elastic], _UNCUT_COLUMNS)
        else:
            excess = sum(self._widths) + 2 * (len(headers) - 1) - columns
            for number in (elastic, 0):
                least = max(8, width(headers[number]))
                taken = max(0, min(excess, self._widths[number] - least))
                self._widths[number] -= taken
                excess -= taken

    def header(self, paint: Paint) -> str:
        return self.line([Cell(header, "title") for header in self._headers], paint)

    def line(self, row: Sequence[Cell], paint: Paint) -> str:
        """One line, without spaces at its end."""
        parts: List[str] = []
        left = self._columns
        for number, cell in enumerate(row):
            room = self._widths[number]
            if left is not None:
                room = max(0, min(room, left))
                left -= room + 2
                text = (cut if number else tail)(cell.text, room, self._more)
            else:
                text = cell.text
            pad = " " * max(0, room - width(text))
            painted = paint(text, cell.colour) if cell.colour and text else text
            parts.append(pad + painted if cell.right else painted + pad)
        return "  ".join(parts).rstrip()


# --- the plot -----------------------------------------------------------------------------------


class Point(NamedTuple):
    """A number at a time in seconds; ``None`` where there was none to be had."""

    at: float
    number: Optional[float]


class _Bucket(NamedTuple):
    low: float
    high: float
    last: float


def plot(
    points: Sequence[Point],
    start: float,
    end: float,
    columns: int,
    rows: int,
    characters: Marks,
    paint: Paint,
) -> List[str]:
    """*points* from *start* to *end* in *rows* lines of at most *columns*.

    A column stands for a span of time and shows all between its least and its greatest number, so
    that no peak is lost; a value holds until the next one.  Where values were bad there is a mark
    on the bottom line, and no line above it.
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
    for column, bucket in enumerate(buckets):
        if bucket is None:
            before = None
            continue
        top, bottom, last = row_of(bucket.high), row_of(bucket.low), row_of(bucket.last)
        _draw(grid, column, before, top, bottom, last, characters)
        before = last
    lines = []
    for number, row in enumerate(grid):
        label = labels[number].rjust(margin)
        lines.append("%s %s%s" % (label, characters.axis, paint("".join(row).rstrip(), "line")))
    if any(bad):
        shown = "".join(characters.bad if each else " " for each in bad).rstrip()
        lines.append("%s  %s" % ("bad".rjust(margin), paint(shown, "bad")))
    return lines


def _draw(
    grid: List[List[str]],
    column: int,
    before: Optional[int],
    top: int,
    bottom: int,
    last: int,
    characters: Marks,
) -> None:
    """One column: from where the line came from to where it goes on, over all between."""
    came = last if before is None else before
    first, end = min(top, came), max(bottom, came)
    for row in range(first, end + 1):
        grid[row][column] = characters.upright
    if first == end:
        grid[first][column] = characters.flat
    elif top == bottom:
        begins, ends = characters.down if came < last else characters.up
        grid[came][column], grid[last][column] = begins, ends


def _buckets(
    points: Sequence[Point], start: float, end: float, wide: int
) -> Tuple[List[Optional[_Bucket]], List[bool]]:
    span = (end - start) or 1.0
    found: List[Optional[_Bucket]] = [None] * wide
    bad = [False] * wide
    last_column = 0
    for point in sorted(points, key=lambda each: each.at):
        column = min(wide - 1, max(0, int((point.at - start) / span * wide)))
        last_column = max(last_column, column)
        number = point.number
        if number is None or not math.isfinite(number):
            bad[column] = True
            continue
        known = found[column]
        if known is None:
            found[column] = _Bucket(number, number, number)
        else:
            found[column] = _Bucket(min(known.low, number), max(known.high, number), number)
    held: Optional[float] = None
    for column in range(last_column + 1):
        bucket = found[column]
        if bucket is not None:
            held = bucket.last
        elif bad[column]:
            held = None
        elif held is not None:
            found[column] = _Bucket(held, held, held)
    return found, bad


def _labels(low: float, high: float, rows: int) -> List[str]:
    """What stands beside each row: a number at every fourth, and at both ends."""
    labels = []
    for row in range(rows):
        number = high - (high - low) * row / (rows - 1 or 1)
        shown = row in (0, rows - 1) or (row % 4 == 0 and row < rows - 2)
        labels.append("%.5g" % number if shown else "")
    return labels
