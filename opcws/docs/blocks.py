"""What a page is made of, whatever it is made from and shown as.

Pure.
"""

from typing import NamedTuple, Tuple, Union

TEXT = "text"
CODE = "code"
EMPHASIS = "emphasis"
STRONG = "strong"
LINK = "link"


class Span(NamedTuple):
    """A run of text: *kind* is one of the constants above, *target* where a link leads."""

    kind: str
    text: str
    target: str = ""


Spans = Tuple[Span, ...]


class Heading(NamedTuple):
    """*level* 1 is the page's own title."""

    level: int
    text: str


class Paragraph(NamedTuple):
    spans: Spans


class Code(NamedTuple):
    """Text to be shown as it is; *language* is ``""`` where there is none."""

    text: str
    language: str = ""


class Image(NamedTuple):
    """A picture: *target* is its file beside the pages, *alt* says what it shows."""

    target: str
    alt: str


class Items(NamedTuple):
    """A list; each item has blocks of its own."""

    items: Tuple[Tuple["Block", ...], ...]
    numbered: bool = False


class Terms(NamedTuple):
    """Terms, each with the blocks that explain it."""

    items: Tuple[Tuple[Spans, Tuple["Block", ...]], ...]


class Table(NamedTuple):
    header: Tuple[Spans, ...]
    rows: Tuple[Tuple[Spans, ...], ...]


Block = Union[Heading, Paragraph, Code, Image, Items, Terms, Table]


def text(words: str) -> Spans:
    return (Span(TEXT, words),)


def code(words: str) -> Spans:
    return (Span(CODE, words),)


def words(spans: Spans) -> str:
    """*spans* without what they look like."""
    return "".join(span.text for span in spans)


def slug(title: str) -> str:
    """The name that a heading is linked by."""
    kept = "".join(each if each.isalnum() else " " for each in title.lower())
    return "-".join(kept.split())
