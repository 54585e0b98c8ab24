"""Blocks as HTML: static, no script, everything that is shown is escaped.

Addresses are relative to ``/docs/``, where every page is, so that a proxy may have it below a path.
Pure.
"""

from html import escape
from typing import Dict, Iterator, List, NamedTuple, Sequence

from .blocks import (
    CODE,
    EMPHASIS,
    LINK,
    STRONG,
    Block,
    Code,
    Heading,
    Image,
    Items,
    Paragraph,
    Spans,
    Table,
    Terms,
    slug,
    words,
)


class Entry(NamedTuple):
    """A page in the list of pages: *group* is the heading that it stands below."""

    name: str
    title: str
    group: str


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - opcws</title>
<link rel="icon" href="../icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="../docs.css">
</head>
<body>
<a class="skip" href="#content">To the text</a>
<header><a class="brand" href="../"><img src="../icon.svg" alt="" width="28" height="28"> opcws</a>
<a href="./">Documentation</a></header>
<div class="columns">
<nav aria-label="Pages">
{nav}</nav>
<main id="content">
{body}</main>
</div>
</body>
</html>
"""


def render(title: str, blocks: Sequence[Block], entries: Sequence[Entry], current: str = "") -> str:
    """A whole document; *current* is the name of its page."""
    return _PAGE.format(
        title=escape(title),
        nav="\n".join(_nav(entries, current)),
        body="\n".join(_contents(blocks)) + "\n",
    )


def _nav(entries: Sequence[Entry], current: str) -> Iterator[str]:
    group = None
    for entry in entries:
        if entry.group != group:
            if group is not None:
                yield "</ul>"
            yield "<h2>%s</h2>\n<ul>" % escape(entry.group)
            group = entry.group
        here = ' aria-current="page"' if entry.name == current else ""
        yield '<li><a href="%s"%s>%s</a></li>' % (entry.name, here, escape(entry.title))
    if group is not None:
        yield "</ul>"


class _Anchors:
    """Names of headings, each given once."""

    def __init__(self) -> None:
        self._given: Dict[str, int] = {}

    def of(self, title: str) -> str:
        name = slug(title)
        self._given[name] = self._given.get(name, 0) + 1
        return name if self._given[name] == 1 else "%s-%d" % (name, self._given[name])


def _contents(blocks: Sequence[Block]) -> Iterator[str]:
    """The blocks, with a list of the sections behind the title where there are several."""
    named = _Anchors()
    sections = [
        (named.of(block.text), block)
        for block in blocks
        if isinstance(block, Heading) and block.level > 1
    ]
    listed = [(name, block) for name, block in sections if block.level == 2]
    anchors = _Anchors()
    for block in blocks:
        yield from _block(block, anchors)
        if isinstance(block, Heading) and block.level == 1 and len(listed) > 2:
            links = ('<a href="#%s">%s</a>' % (name, escape(h.text)) for name, h in listed)
            yield '<p class="sections">%s</p>' % " ".join(links)


def _block(block: Block, anchors: _Anchors) -> Iterator[str]:
    if isinstance(block, Heading):
        if block.level == 1:
            yield "<h1>%s</h1>" % escape(block.text)
        else:
            name = anchors.of(block.text)
            yield '<h{0} id="{1}"><a href="#{1}">{2}</a></h{0}>'.format(
                block.level, name, escape(block.text)
            )
    elif isinstance(block, Paragraph):
        yield "<p>%s</p>" % _inline(block.spans)
    elif isinstance(block, Code):
        # Focusable, because it may have to be scrolled, and not everybody has a mouse.
        yield '<pre tabindex="0"><code>%s</code></pre>' % escape(block.text)
    elif isinstance(block, Image):
        yield '<p><img src="%s" alt="%s"></p>' % (escape(block.target), escape(block.alt))
    elif isinstance(block, Items):
        kind = "ol" if block.numbered else "ul"
        yield "<%s>" % kind
        for item in block.items:
            yield "<li>%s</li>" % "\n".join(_inner(item, anchors))
        yield "</%s>" % kind
    elif isinstance(block, Terms):
        yield "<dl>"
        for term, item in block.items:
            yield "<dt>%s</dt>\n<dd>%s</dd>" % (
                _inline(term),
                "\n".join(_inner(item, anchors)),
            )
        yield "</dl>"
    else:
        yield from _table(block)


def _inner(blocks: Sequence[Block], anchors: _Anchors) -> Iterator[str]:
    if len(blocks) == 1 and isinstance(blocks[0], Paragraph):
        yield _inline(blocks[0].spans)
        return
    for block in blocks:
        yield from _block(block, anchors)


def _table(table: Table) -> Iterator[str]:
    names = [words(cell) for cell in table.header]
    yield '<div class="table"><table class="of-%d">' % len(names)
    yield "<thead><tr>%s</tr></thead>" % "".join(
        '<th scope="col">%s</th>' % _inline(cell) for cell in table.header
    )
    yield "<tbody>"
    for row in table.rows:
        # On a phone each row becomes a card, and a cell shows its column's name.
        cells: List[str] = ['<th scope="row">%s</th>' % _inline(row[0])]
        cells += [
            '<td data-name="%s">%s</td>' % (escape(name), _inline(cell))
            for name, cell in zip(names[1:], row[1:])
        ]
        yield "<tr>%s</tr>" % "".join(cells)
    yield "</tbody></table></div>"


_TAGS = {CODE: "code", EMPHASIS: "em", STRONG: "strong"}


def _inline(spans: Spans) -> str:
    parts = []
    for span in spans:
        if span.kind == LINK:
            href = escape(_href(span.target))
            parts.append('<a href="%s">%s</a>' % (href, escape(span.text)))
        elif span.kind in _TAGS:
            parts.append("<{0}>{1}</{0}>".format(_TAGS[span.kind], escape(span.text)))
        else:
            parts.append(escape(span.text))
    return "".join(parts)


def _href(target: str) -> str:
    """A page is linked by its file, as in the source; here it is an address."""
    topic, ending, section = target.partition(".rst")
    if ending and "/" not in topic:
        return topic + section
    return target
