"""Which pages there are, in which order, and each as blocks, text or HTML.

Pure, except that the pages are read from the package's own files, once each.
"""

import difflib
import functools
import json
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..wire import contract
from . import html, plain, reference
from .blocks import Block, Heading, Paragraph, Terms, code, slug, text, words
from .restructured import parse, spans

_PAGES = Path(__file__).resolve().parent / "pages"

_GENERATED: Dict[str, Callable[[], List[Block]]] = {
    "messages": reference.messages,
    "status": reference.status,
}


class Topic(NamedTuple):
    """A page: *name* is what is typed for it, *summary* one line."""

    name: str
    title: str
    group: str
    summary: str


TOPICS: Tuple[Topic, ...] = (
    Topic("start", "First steps", "Guide", "Install it, configure it, check it, serve it."),
    Topic("page", "The page", "Guide", "What a browser shows at /."),
    Topic(
        "browse", "Finding the variables", "Guide", "Endpoints, browsing, patterns, spreadsheets."
    ),
    Topic("access", "Who can connect", "Guide", "Roles, tokens, users and passwords."),
    Topic("limits", "Limits", "Guide", "What a client can ask for, and what happens past it."),
    Topic("tls", "TLS towards clients", "Guide", "Certificates, theirs too."),
    Topic("audit", "Who wrote what", "Guide", "The record of every write."),
    Topic("plant", "Towards the plant", "Guide", "Security, redundant servers, values."),
    Topic("operation", "Running it", "Guide", "Service, log, health, metrics, alerts."),
    Topic("reload", "Changing it", "Guide", "A new configuration without a restart."),
    Topic("first-hour", "The first hour", "Guide", "What goes wrong then, and what is said."),
    Topic("trouble", "When something is wrong", "Guide", "Messages, and what to do about them."),
    Topic("commands", "Commands", "Reference", "Every command, option and exit code."),
    Topic("settings", "Settings", "Reference", "Every setting of the configuration."),
    Topic("protocol", "Talking to it", "Reference", "How a client connects, asks and is answered."),
    Topic("messages", "Messages", "Reference", "Every member of each message, with examples."),
    Topic("errors", "Status codes", "Reference", "Which one is answered when."),
    Topic("metrics", "Metrics", "Reference", "Every number at /metrics."),
    Topic("status", "/status", "Reference", "Every member of the document at /status."),
    Topic(
        "faults", "Tried and tested", "Reference", "Faults and OPC UA servers it was tried with."
    ),
    Topic("speed", "How fast it is", "Reference", "What an update and a request cost."),
    Topic("python", "Python", "Recipes", "A client in Python."),
    Topic("javascript", "JavaScript", "Recipes", "A client in a page or in Node."),
    Topic("csharp", "C#", "Recipes", "A client in C#."),
    Topic("node-red", "Node-RED", "Recipes", "Values in a flow."),
    Topic("grafana", "Grafana", "Recipes", "Values and health on a dashboard."),
    Topic("nginx", "nginx", "Recipes", "A reverse proxy with nginx."),
    Topic("iis", "IIS", "Recipes", "A reverse proxy with IIS."),
    Topic("systemd", "systemd", "Recipes", "A service on Linux."),
    Topic("windows", "Windows service", "Recipes", "A service on Windows."),
    Topic("asneg", "Coming from ASNeG", "Recipes", "Take over its configuration."),
)

NAMES = tuple(topic.name for topic in TOPICS)


class NoTopic(LookupError):
    """There is no such topic or section; ``str`` of it says what there is."""


@functools.lru_cache(maxsize=None)
def blocks(name: str) -> Tuple[Block, ...]:
    """The page *name*.  Raises :exc:`NoTopic`."""
    if name not in NAMES:
        raise NoTopic(_unknown("topic", name, NAMES))
    make = _GENERATED.get(name)
    if make is not None:
        return tuple(make())
    return tuple(parse((_PAGES / (name + ".rst")).read_text(encoding="utf-8")))


def index() -> List[Block]:
    """The list of topics."""
    found: List[Block] = [
        Heading(1, "Documentation of opcws"),
        Paragraph(
            spans(
                "``opcws docs TOPIC`` shows one of these in the terminal, ``opcws docs TOPIC "
                "SECTION`` a part of it. A running opcws has them all at ``/docs``."
            )
        ),
    ]
    for group in dict.fromkeys(topic.group for topic in TOPICS):
        listed = (topic for topic in TOPICS if topic.group == group)
        found += [
            Heading(2, group),
            Terms(tuple((code(each.name), (Paragraph(text(each.summary)),)) for each in listed)),
        ]
    return found


def as_text(
    name: str = "", section: str = "", width: int = 80, mark: plain.Mark = plain.unmarked
) -> str:
    """The page *name*, or its part *section*, or the list of pages, for a terminal.

    Raises :exc:`NoTopic`.
    """
    page: Sequence[Block] = blocks(name) if name else index()
    return plain.render(_section(page, section) if section else page, width, mark)


def _section(page: Sequence[Block], section: str) -> Sequence[Block]:
    """The part of *page* below the heading that is called, or begins with, or has *section*."""
    wanted = slug(section)
    headings = [(number, block) for number, block in enumerate(page) if isinstance(block, Heading)]
    judged = [(slug(heading.text), number, heading) for number, heading in headings]
    judged.sort(key=lambda each: each[2].level)
    for fits in (str.__eq__, str.startswith, str.__contains__):
        for name, number, heading in judged:
            if wanted and fits(name, wanted):
                ends = (n for n, h in headings if n > number and h.level <= heading.level)
                return page[number : next(ends, len(page))]
    names = [heading.text for _number, heading in headings[1:]]
    raise NoTopic(_unknown("section", section, names))


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = "did you mean %s?" % near[0] if near else "there are: %s" % ", ".join(known)
    return "there is no %s %r; %s" % (kind, name, hint if known else "the page has none")


@functools.lru_cache(maxsize=None)
def as_html(name: str = "") -> str:
    """The page *name*, or the list of pages, as a document.  Raises :exc:`NoTopic`."""
    entries = [html.Entry(each.name, each.title, each.group) for each in TOPICS]
    if not name:
        return html.render("Documentation", _linked_index(), entries)
    page = blocks(name)
    title = page[0].text if isinstance(page[0], Heading) else name
    return html.render(title, page, entries, name)


def _linked_index() -> List[Block]:
    found: List[Block] = []
    for block in index():
        if isinstance(block, Terms):
            block = Terms(
                tuple(
                    (spans("`%s <%s.rst>`__" % (_title(words(term)), words(term))), body)
                    for term, body in block.items
                )
            )
        found.append(block)
    return found


def _title(name: str) -> str:
    return next(topic.title for topic in TOPICS if topic.name == name)


def picture(name: str) -> Optional[bytes]:
    """The picture *name* of a page, an SVG; ``None`` if there is none."""
    if name not in {path.name for path in _PAGES.glob("*.svg")}:
        return None
    return (_PAGES / name).read_bytes()


def schema(name: str) -> Optional[str]:
    """The schema file *name*, such as ``READ_REQUEST.json``; ``None`` if there is none."""
    files = [each + ".json" for each in contract.MESSAGE_TYPES]
    if name not in [*files, "config.schema.json", "status.schema.json"]:
        return None
    return json.dumps(contract.document(name), ensure_ascii=False, indent=2) + "\n"
