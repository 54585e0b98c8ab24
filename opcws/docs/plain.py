"""Blocks as text for a terminal.

Pure.
"""

import textwrap
from typing import Callable, Dict, Iterator, List, Sequence, Tuple

from .blocks import CODE, LINK, Block, Code, Heading, Items, Paragraph, Spans, Table, Terms

#: Narrowest text that is made, and the widest paragraph; wider is harder to read.
MIN_WIDTH, MAX_WIDTH = 40, 100

#: Narrowest column whose text is broken into lines.
_MIN_COLUMN = 10
_GAP = 2

#: Shows *text* as what the second argument says: ``"title"``, ``"section"`` or ``"term"``.
Mark = Callable[[str, str], str]


def unmarked(text: str, _kind: str) -> str:
    return text


def render(blocks: Sequence[Block], width: int = 80, mark: Mark = unmarked) -> str:
    """*blocks* as lines of at most *width* characters, except for what must not be broken."""
    width = max(MIN_WIDTH, min(width, MAX_WIDTH))
    return "\n".join(_lines(blocks, width, mark)).strip("\n") + "\n"


def _lines(blocks: Sequence[Block], width: int, mark: Mark) -> Iterator[str]:
    for block in blocks:
        yield from _block(block, width, mark)
        yield ""


def _block(block: Block, width: int, mark: Mark) -> Iterator[str]:
    if isinstance(block, Heading):
        if block.level == 1:
            yield mark(block.text, "title")
            yield "=" * len(block.text)
        else:
            yield ""
            yield mark(block.text, "section")
            yield ("-" if block.level == 2 else "~") * len(block.text)
    elif isinstance(block, Paragraph):
        yield from _wrapped(block.spans, width)
    elif isinstance(block, Code):
        yield from ("    " + line if line else "" for line in block.text.split("\n"))
    elif isinstance(block, Items):
        for number, item in enumerate(block.items, 1):
            sign = "%d. " % number if block.numbered else "- "
            yield from _hung(sign, _tight(item, width - len(sign), mark))
    elif isinstance(block, Terms):
        for term, item in block.items:
            yield from (mark(line, "term") for line in _wrapped(term, width))
            yield from _hung("    ", _tight(item, width - 4, mark))
    else:
        yield from _table(block, width, mark)


def _tight(blocks: Sequence[Block], width: int, mark: Mark) -> List[str]:
    lines = list(_lines(blocks, width, mark))
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _hung(sign: str, lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield (sign if number == 0 else " " * len(sign)) + line if line else ""


def _shown(spans: Spans) -> str:
    """Marks are left out, except where a reader needs to know what to type or where to look."""
    parts = []
    for span in spans:
        if span.kind == LINK:
            parts.append("%s (%s)" % (span.text, _where(span.target)))
        elif span.kind == CODE and " " in span.text:
            parts.append("'%s'" % span.text)
        else:
            parts.append(span.text)
    return "".join(parts)


def _where(target: str) -> str:
    topic, ending, _section = target.partition(".rst")
    return "opcws docs " + topic if ending and "/" not in topic else target


def _wrapped(spans: Spans, width: int) -> List[str]:
    return _broken(_shown(spans), width)


def _broken(text: str, width: int) -> List[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _table(table: Table, width: int, mark: Mark) -> Iterator[str]:
    header = [_shown(cell) for cell in table.header]
    rows = [[_shown(cell) for cell in row] for row in table.rows]
    columns = _columns([header, *rows], width)
    if not columns:
        yield from _records(header, rows, width, mark)
        return
    several = False
    for number, row in enumerate([header, *rows]):
        cells = [_broken(cell, size) for cell, size in zip(row, columns)]
        height = max(map(len, cells))
        if number > 1 and (height > 1 or several):
            yield ""
        several = height > 1
        for index in range(height):
            parts = (cell[index] if index < len(cell) else "" for cell in cells)
            line = (" " * _GAP).join(part.ljust(size) for part, size in zip(parts, columns))
            yield line.rstrip()
        if number == 0:
            yield (" " * _GAP).join("-" * size for size in columns)


def _columns(rows: Sequence[Sequence[str]], width: int) -> Tuple[int, ...]:
    """The width of each column; empty if they do not fit."""
    sizes = [max(map(len, column)) for column in zip(*rows)]
    least = [
        min(size, max([_MIN_COLUMN, *(len(word) for cell in column for word in cell.split())]))
        for size, column in zip(sizes, zip(*rows))
    ]
    room = width - _GAP * (len(sizes) - 1)
    if sum(least) > room or (len(sizes) > 3 and sum(sizes) > 2 * room):
        return ()
    while sum(sizes) > room:
        widest = max(
            (size - low, index) for index, (size, low) in enumerate(zip(sizes, least)) if size > low
        )[1]
        others = sorted(size for size, low in zip(sizes, least) if size > low)
        beside = others[-2] if len(others) > 1 else 0
        sizes[widest] = max(
            least[widest],
            sizes[widest] - (sum(sizes) - room),
            min(beside, sizes[widest] - 1),
        )
    return tuple(sizes)


def _records(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int, mark: Mark
) -> Iterator[str]:
    """A table that is too wide: the first column as terms, the last as text, others by name."""
    for number, row in enumerate(rows):
        if number:
            yield ""
        yield from (mark(line, "term") for line in _broken(row[0], width))
        between: Dict[str, str] = dict(zip(header[1:-1], row[1:-1]))
        for name, value in between.items():
            if value:
                yield from _hung("    ", _broken("%s: %s" % (name, value), width - 4))
        yield from _hung("    ", _broken(row[-1], width - 4))
