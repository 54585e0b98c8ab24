"""The part of reStructuredText that the pages are written in, read into blocks.

Titles (``=``, ``-``, ``~`` below), paragraphs, bullet, numbered and definition lists, literal
blocks, ``code-block``, ``list-table`` and simple tables; in a line ````code````, ``*emphasis*``,
``**strong**`` and ```text <target>`__`` links.  What else there is raises :exc:`ValueError` with
its line, so that a page which has it never ships: a test reads them all, and compares with
docutils.

Pure.
"""

import re
import textwrap
from typing import List, NamedTuple, Optional, Tuple

from .blocks import (
    CODE,
    EMPHASIS,
    LINK,
    STRONG,
    TEXT,
    Block,
    Code,
    Heading,
    Items,
    Paragraph,
    Span,
    Spans,
    Table,
    Terms,
)

_RANKS = "=-~"
_TITLE = re.compile(r"([=~-])\1+$")
_BORDER = re.compile(r"=+( +=+)+$")
_ITEM = re.compile(r"(-|\d+\.)(?: +|$)")
_DIRECTIVE = re.compile(r"\.\. ([a-z-]+)::(?: (.*))?$")
_SPAN = re.compile(
    r"``(?P<code>.+?)``"
    r"|`(?P<link>[^`<]+?)\s<(?P<target>[^`>]+)>`__"
    r"|\*\*(?P<strong>[^*]+)\*\*"
    r"|(?<![\w\\])\*(?P<emphasis>[^*\s](?:[^*]*[^*\s\\])?)\*(?!\w)",
    re.DOTALL,
)


class _Line(NamedTuple):
    number: int
    text: str


_Lines = List[_Line]


def parse(source: str) -> List[Block]:
    """*source* as blocks.  Raises :exc:`ValueError`."""
    lines = [_Line(number, text.rstrip()) for number, text in enumerate(source.splitlines(), 1)]
    return _blocks(lines)


def spans(text: str) -> Spans:
    """The spans of one paragraph, its line ends as spaces."""
    text = re.sub(r"\s+", " ", text.strip())
    found: List[Span] = []
    at = 0
    for match in _SPAN.finditer(text):
        _add_text(found, text[at : match.start()])
        at = match.end()
        if match.lastgroup == "target":
            found.append(Span(LINK, match.group("link"), match.group("target")))
        else:
            kind = {"code": CODE, "strong": STRONG, "emphasis": EMPHASIS}[str(match.lastgroup)]
            found.append(Span(kind, match.group(str(match.lastgroup))))
    _add_text(found, text[at:])
    return tuple(found)


def _add_text(found: List[Span], text: str) -> None:
    if "`" in text or re.search(r"\w_(?!\w)", text):
        raise ValueError("not understood here: %r" % text)
    if text:
        found.append(Span(TEXT, re.sub(r"\\(.)", r"\1", text)))


def _blocks(lines: _Lines) -> List[Block]:
    found: List[Block] = []
    at = 0
    while at < len(lines):
        if not lines[at].text:
            at += 1
            continue
        try:
            block, at = _block(lines, at)
        except ValueError as problem:
            if str(problem).startswith("line "):
                raise
            raise ValueError("line %d: %s" % (lines[at].number, problem)) from None
        found += block
    return found


def _block(lines: _Lines, at: int) -> Tuple[List[Block], int]:
    line = lines[at].text
    following = lines[at + 1].text if at + 1 < len(lines) else ""
    if line[0].isspace():
        raise ValueError("unexpected indentation")
    if _TITLE.match(following) and not _TITLE.match(line) and len(following) >= len(line):
        return [Heading(_RANKS.index(following[0]) + 1, line)], at + 2
    if _BORDER.match(line):
        return _simple_table(lines, at)
    if line.startswith(".. "):
        return _directive(lines, at)
    if _ITEM.match(line):
        return _items(lines, at)
    if following[:1].isspace():
        return _terms(lines, at)
    return _paragraph(lines, at)


def _indented(lines: _Lines, at: int, least: int = 1) -> Tuple[_Lines, int]:
    """The lines from *at* on that are blank or indented by *least*, and where they end; without
    that indentation, or with *least* 1 without what they have in common."""
    end = at
    while end < len(lines) and (
        not lines[end].text or len(lines[end].text) - len(lines[end].text.lstrip()) >= least
    ):
        end += 1
    while end > at and not lines[end - 1].text:
        end -= 1
    taken = lines[at:end]
    if least > 1:
        return [_Line(each.number, each.text[least:]) for each in taken], end
    plain = textwrap.dedent("\n".join(each.text for each in taken)).split("\n")
    return [_Line(each.number, text) for each, text in zip(taken, plain)], end


def _literal(lines: _Lines, at: int, language: str = "") -> Tuple[Code, int]:
    body, end = _indented(lines, at)
    text = "\n".join(each.text for each in body).strip("\n")
    if not text:
        raise ValueError("a literal block without a line")
    return Code(text, language), end


def _paragraph(lines: _Lines, at: int) -> Tuple[List[Block], int]:
    end = at
    while end < len(lines) and lines[end].text:
        if lines[end].text[0].isspace():
            raise ValueError("line %d: unexpected indentation" % lines[end].number)
        end += 1
    text = "\n".join(each.text for each in lines[at:end])
    if not text.endswith("::"):
        return [Paragraph(spans(text))], end
    code, end = _literal(lines, end)
    text = text[:-1] if len(text) > 2 and not text[-3].isspace() else text[:-2]
    return [*([Paragraph(spans(text))] if text.strip() else []), code], end


def _items(lines: _Lines, at: int) -> Tuple[List[Block], int]:
    items: List[Tuple[Block, ...]] = []
    numbered = not lines[at].text.startswith("-")
    while at < len(lines):
        match = _ITEM.match(lines[at].text)
        if match is None or numbered == (match.group(1) == "-"):
            break
        width = max(2, match.end())
        rest, end = _indented(lines, at + 1, width)
        first = _Line(lines[at].number, lines[at].text[width:])
        items.append(tuple(_blocks([first, *rest])))
        at = end
        while at < len(lines) and not lines[at].text:
            at += 1
    return [Items(tuple(items), numbered)], at


def _terms(lines: _Lines, at: int) -> Tuple[List[Block], int]:
    items: List[Tuple[Spans, Tuple[Block, ...]]] = []
    while at + 1 < len(lines) and lines[at].text and not lines[at].text[0].isspace():
        if not lines[at + 1].text[:1].isspace():
            break
        body, end = _indented(lines, at + 1)
        items.append((spans(lines[at].text), tuple(_blocks(body))))
        at = end
        while at < len(lines) and not lines[at].text:
            at += 1
    return [Terms(tuple(items))], at


def _directive(lines: _Lines, at: int) -> Tuple[List[Block], int]:
    match = _DIRECTIVE.match(lines[at].text)
    if match is None:
        raise ValueError("not understood: %s" % lines[at].text)
    name, argument = match.group(1), match.group(2) or ""
    if name == "code-block":
        code, end = _literal(lines, at + 1, argument)
        return [code], end
    if name == "list-table":
        body, end = _indented(lines, at + 1)
        while body and (not body[0].text or body[0].text.startswith(":")):
            body.pop(0)
        return [_list_table(body)], end
    raise ValueError("no directive %r" % name)


def _list_table(body: _Lines) -> Table:
    (rows,) = _blocks([_Line(each.number, each.text.replace("* -", "- -", 1)) for each in body])
    if not isinstance(rows, Items):
        raise ValueError("a list-table is a list of lists")
    return _table([[_cell(cell) for cell in _cells(row)] for row in rows.items])


def _cells(row: Tuple[Block, ...]) -> Tuple[Tuple[Block, ...], ...]:
    if len(row) != 1 or not isinstance(row[0], Items):
        raise ValueError("a row of a list-table is a list")
    return row[0].items


def _cell(blocks: Tuple[Block, ...]) -> Spans:
    if not blocks:
        return ()
    if len(blocks) != 1 or not isinstance(blocks[0], Paragraph):
        raise ValueError("a cell has one paragraph")
    return blocks[0].spans


def _simple_table(lines: _Lines, at: int) -> Tuple[List[Block], int]:
    columns = [match.span() for match in re.finditer(r"=+", lines[at].text)]
    rows: List[List[str]] = []
    borders = 0
    while borders < 3:
        if at == len(lines):
            raise ValueError("a table without an end")
        line = lines[at].text
        at += 1
        if _BORDER.match(line):
            borders += 1
            continue
        ends: List[Optional[int]] = [start for start, _end in columns[1:]]
        cells = [line[start:end].strip() for (start, _), end in zip(columns, [*ends, None])]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [(old + " " + new).strip() for old, new in zip(rows[-1], cells)]
    return [_table([[spans(cell) for cell in row] for row in rows])], at


def _table(rows: List[List[Spans]]) -> Table:
    if len({len(row) for row in rows}) != 1:
        raise ValueError("the rows of a table have different lengths")
    header, *others = [tuple(row) for row in rows]
    return Table(header, tuple(others))
