"""Finds the sections of the pages with the given words.

A search word matches the beginning of a word or of a part of it: ``max``, ``message`` and ``bytes``
all find ``max_message_bytes``, and ``notconn`` finds ``BadNotConnected``.  A word of two letters
must match completely.  Case does not matter.

Pure.  Any thread may call any function.
"""

import functools
import math
import re
import threading
from bisect import bisect_left
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

from ..model.text import counted
from . import topics

#: Most characters of a search.
MAX_LENGTH = 300
#: Most results, and most results if no section has all words.
MOST, MOST_NEAR = 30, 10

#: Characters of a paragraph that are shown, and how many before the first match.
_SHOWN, _BEFORE = 200, 60

# The beginning of a word, or of a part of one such as Connected in BadNotConnected.
_BEGINNING = re.compile(r"(?<![^\W_])(?=[^\W_])|(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]\w*")

#: Replacements for directives with options, terms, tables, rows or items, and cells.
_MARKUP = (
    (re.compile(r"^ *\.\. [\w-]+::.*\n( +:[\w-]+:.*\n)*", re.MULTILINE), "\n"),
    (re.compile(r"^(\S.*)\n(?=    \S)", re.MULTILINE), "\n\\1 \u2013 "),
    (re.compile(r"^=+( +=+)+$", re.MULTILINE), ""),
    (re.compile(r"^(``\S+``) {2,}", re.MULTILINE), "\n\\1 \u2013 "),
    (re.compile(r"^( {3}\* - | {0,2}(?:-|[0-9]\.) )", re.MULTILINE), "\n"),
    (re.compile(r"^ {5}- ", re.MULTILINE), "\u2013 "),
)
_INLINE = re.compile(
    r"``(.+?)``|`([^`<]+?)\s+<[^`]*>`__|(?<![\w.\"'])\*{1,2}(\w[^*]{0,60})\*{1,2}|(:):$|\\(\W)",
    re.DOTALL | re.MULTILINE,
)

#: A text in pieces, each with whether it matches.
Pieces = Sequence[Tuple[str, bool]]


class Hit(NamedTuple):
    """A result: the *title* of a section after that of its page, and a *line* of its text.
    *section* is its name in an address and in a command, ``""`` for the page."""

    topic: topics.Topic
    section: str
    title: Pieces
    line: Pieces


class Found(NamedTuple):
    """The best *hits* of *many*.  They contain all *words*; if *complete* is false, no section
    does, and these come closest."""

    words: Sequence[str]
    hits: Sequence[Hit]
    many: int
    complete: bool

    @property
    def said(self) -> str:
        """A sentence about the result."""
        if not self.words:
            return "type a word, or the message of a program"
        if not self.hits:
            return "no page has any of these words"
        if not self.complete:
            return "no section has all of these words; these come closest:"
        if self.many > len(self.hits):
            return "%d sections have it, the best %d of them:" % (self.many, len(self.hits))
        return "%s:" % counted(self.many, "section")


def search(text: str) -> Found:
    """The sections that have all words of *text*, in their own text and title or the page's title.

    For a message that no page has word for word, the sections that come closest.
    """
    said = _WORD.findall(text.lower())
    wanted = list(dict.fromkeys(said))
    index = _index()
    having = index.having(wanted)
    # The weight of a word: the fewer texts have it, the larger.
    counts = {word: sum(word in each for each in having.values()) for word in wanted}
    tells = {word: math.log(1 + len(index.texts) / (1 + counts[word])) for word in wanted}
    nothing: Set[str] = set()
    # Texts that begin with the search text, like the messages that a page explains.
    quoting = {
        number
        for number, words in having.items()
        if len(words) == len(wanted)
        and _WORD.findall(index.texts[number].lower())[: len(said)] == said
    }
    complete: List[Tuple[float, _Section, int]] = []
    near: List[Tuple[float, _Section, int]] = []
    for section in index.sections:
        title, page = (having.get(each, nothing) for each in (section.title, section.page))
        texts = {number: having[number] for number in section.paragraphs if number in having}
        if not title and not texts:
            continue
        weights = {number: sum(tells[word] for word in words) for number, words in texts.items()}
        best = max(
            weights,
            key=lambda number: (weights[number], number in quoting),
            default=section.paragraphs.start,
        )
        weight = weights.get(best, 0.0)
        near.append((weight + sum(tells[word] for word in title), section, best))
        if len(title.union(page, *texts.values())) == len(wanted):
            rank = len(title) * (4 if section.title == section.page else 2)
            rank += sum(word in wanted for word in index.texts[section.title].lower().split())
            rank += 2 * (best in quoting)
            complete.append((rank + len(texts.get(best, nothing)), section, best))
    found, most = (complete, MOST) if complete else (near, MOST_NEAR)
    found.sort(key=lambda each: -each[0])
    hits = [index.hit(section, best, wanted) for _, section, best in found[:most]]
    return Found(wanted, hits, len(found), bool(complete))


def marked(text: str, wanted: Sequence[str]) -> Pieces:
    """*text* in pieces, each with whether it matches a word of *wanted*."""
    pieces: List[Tuple[str, bool]] = []
    done = 0
    for begin, length in _places(text, wanted):
        if begin >= done:
            pieces += [(text[done:begin], False), (text[begin : begin + length], True)]
            done = begin + length
    return [piece for piece in (*pieces, (text[done:], False)) if piece[0]]


def _places(text: str, wanted: Sequence[str]) -> Iterator[Tuple[int, int]]:
    """Position and length of the words of *wanted* in *text*."""
    for run in _runs(text):
        length = max((len(word) for word in wanted if _fits(run[0].lower(), word)), default=0)
        if length:
            yield run.start(), length


def _runs(text: str) -> Iterator[Any]:
    """Each word of *text*, and its rest from the beginning of each part."""
    return filter(None, (_WORD.match(text, each.start()) for each in _BEGINNING.finditer(text)))


def _fits(run: str, word: str) -> bool:
    return run.startswith(word) if len(word) > 2 else run == word


def _shown(text: str, wanted: Sequence[str]) -> Pieces:
    """An excerpt of *text* around the first word of *wanted*."""
    if len(text) > _SHOWN:
        first, _ = next(_places(text, wanted), (0, 0))
        begin = text.find(" ", first - _BEFORE) + 1 if first > _BEFORE else 0
        end = text.rfind(" ", begin, begin + _SHOWN) if begin + _SHOWN < len(text) else len(text)
        text = "\u2026 " * (begin > 0) + text[begin:end] + " \u2026" * (end < len(text))
    return marked(text, wanted)


# --- The pages as plain text ---------------------------------------------------------------------


class _Section(NamedTuple):
    """*page*, *title* and *paragraphs* are numbers of texts; at the top of a page *title* is
    *page*."""

    topic: topics.Topic
    name: str
    page: int
    title: int
    paragraphs: range


class _Index(NamedTuple):
    """*numbers* are those of the *texts* that have each of *words*, which are sorted."""

    texts: Sequence[str]
    sections: Sequence[_Section]
    words: Sequence[str]
    numbers: Sequence[Sequence[int]]

    def having(self, wanted: Sequence[str]) -> Dict[int, Set[str]]:
        """The words of *wanted* in each text that has any."""
        found: Dict[int, Set[str]] = {}
        for word in wanted:
            place = bisect_left(self.words, word)
            while place < len(self.words) and _fits(self.words[place], word):
                for number in self.numbers[place]:
                    found.setdefault(number, set()).add(word)
                place += 1
        return found

    def hit(self, section: _Section, best: int, wanted: Sequence[str]) -> Hit:
        title = self.texts[section.page]
        if section.name:
            title += ": " + self.texts[section.title]
        line = self.texts[best] if best in section.paragraphs else ""
        return Hit(section.topic, section.name, marked(title, wanted), _shown(line, wanted))


#: If several threads search at once, one makes the index and the others wait.
_lock = threading.Lock()


def _index() -> _Index:
    with _lock:
        return _made()


@functools.lru_cache(maxsize=None)
def _made() -> _Index:
    texts: List[str] = []
    sections: List[_Section] = []
    for topic in topics.TOPICS:
        source = topics.source(topic.name)
        titles = list(topics.TITLE.finditer(source))
        page = len(texts)
        for title, end in zip(titles, [each.start() for each in titles[1:]] + [len(source)]):
            number = len(texts)
            texts += [title["title"], *_plain(source[title.end() : end])]
            name = _id(title["title"]) if number > page else ""
            paragraphs = range(number + 1, len(texts))
            sections.append(_Section(topic, name, page, number, paragraphs))
    numbers: Dict[str, List[int]] = {}
    for number, text in enumerate(texts):
        for word in {run[0].lower() for run in _runs(text)}:
            numbers.setdefault(word, []).append(number)
    words = sorted(numbers)
    return _Index(texts, sections, words, [numbers[word] for word in words])


def _id(title: str) -> str:
    """The id that docutils gives to the section with this title."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")


def _plain(source: str) -> List[str]:
    """The paragraphs of *source* without markup; an item of a list or a row of a table is one."""
    for pattern, instead in _MARKUP:
        source = pattern.sub(instead, source)
    source = _INLINE.sub(lambda found: str(found[found.lastindex or 0]), source)
    return [" ".join(each.split()) for each in re.split(r"\n\s*\n", source) if each.strip()]
