"""The list of pages in their order, and the text of each.

A new page is a file below ``pages/`` and a line of :data:`TOPICS`.
"""

import difflib
import functools
import re
from pathlib import Path
from typing import Callable, Dict, NamedTuple, Optional, Sequence, Tuple

from . import reference

_PAGES = Path(__file__).resolve().parent / "pages"

_GENERATED: Dict[str, Callable[[], str]] = {
    "messages": reference.messages,
    "asyncapi": reference.asyncapi,
    "schemas": lambda: _written("schemas") + reference.schema_files(),
    "status": reference.status,
}

#: A title and the line below it, which gives its rank, in the order of :data:`RANKS`.
TITLE = re.compile(r"^(?P<title>\S.*)\n(?P<line>([=~-])\3+)$", re.MULTILINE)
RANKS = "=-~"


class Topic(NamedTuple):
    """A page: *name* is its name in the command, *summary* one line."""

    name: str
    title: str
    group: str
    summary: str


TOPICS: Tuple[Topic, ...] = (
    Topic("start", "First steps", "Guide", "Install it, configure it, check it, serve it."),
    Topic("page", "The page", "Guide", "Lists, trends, history and views in a browser."),
    Topic(
        "browse", "Finding the variables", "Guide", "Endpoints, browsing, patterns, spreadsheets."
    ),
    Topic("secured", "A secured plant, step by step", "Guide", "Certificates, user, roles, TLS."),
    Topic("access", "Who can connect", "Guide", "Roles, tokens, users and passwords."),
    Topic(
        "limits", "Limits", "Guide", "How much a client may ask for, and what happens beyond it."
    ),
    Topic("tls", "TLS towards clients", "Guide", "Certificates of opcws and of clients."),
    Topic("audit", "Who wrote what", "Guide", "A record of every write."),
    Topic("plant", "Towards the plant", "Guide", "Security, redundant servers, values."),
    Topic("history", "History", "Guide", "What opcws records, and where clients read it."),
    Topic("machines", "More than one machine", "Guide", "Values to an MQTT broker."),
    Topic("offline", "Without a network", "Guide", "A kit that installs opcws on Windows."),
    Topic("operation", "Running it", "Guide", "Service, log, health, metrics, alerts."),
    Topic("reload", "Changing it", "Guide", "A new configuration without a restart."),
    Topic("first-hour", "The first hour", "Guide", "The first mistakes, and what opcws prints."),
    Topic("trouble", "When something is wrong", "Guide", "Messages, and what to do about them."),
    Topic("commands", "Commands", "Reference", "Every command, option and exit code."),
    Topic("settings", "Settings", "Reference", "Every setting of the configuration."),
    Topic(
        "protocol",
        "Talking to it",
        "Reference",
        "Connecting, requests, monitoring, values, versions.",
    ),
    Topic("messages", "Messages", "Reference", "Every member of each message, with examples."),
    Topic("asyncapi", "AsyncAPI", "Reference", "Addresses, security and operations."),
    Topic("schemas", "Schema files", "Reference", "The contract as files, for every language."),
    Topic("errors", "Status codes", "Reference", "What each status and close code means."),
    Topic("metrics", "Metrics", "Reference", "Every number at /metrics."),
    Topic("status", "/status", "Reference", "Every member of the document at /status."),
    Topic("faults", "Tried and tested", "Reference", "Faults and OPC UA servers in the tests."),
    Topic("speed", "How fast it is", "Reference", "What an update and a request cost."),
    Topic(
        "architecture",
        "How it is built",
        "Reference",
        "Packages, threads, and how to add something.",
    ),
    Topic("python", "Python", "Recipes", "A client in Python."),
    Topic("javascript", "JavaScript", "Recipes", "A client in a page or in Node."),
    Topic("csharp", "C#", "Recipes", "A client in C#."),
    Topic("go", "Go", "Recipes", "A client in Go."),
    Topic("java", "Java", "Recipes", "A client in Java."),
    Topic(
        "plant-types",
        "The plant as types",
        "Recipes",
        "A source file with your variables.",
    ),
    Topic("node-red", "Node-RED", "Recipes", "Values in a flow."),
    Topic("grafana", "Grafana", "Recipes", "Values and health on a dashboard."),
    Topic("nginx", "nginx", "Recipes", "A reverse proxy with nginx."),
    Topic("iis", "IIS", "Recipes", "A reverse proxy with IIS."),
    Topic("systemd", "systemd", "Recipes", "A service on Linux."),
    Topic("windows-versions", "Windows versions", "Recipes", "Which Windows gets which Python."),
    Topic("windows", "Windows service", "Recipes", "A service on Windows."),
    Topic("asneg", "Coming from ASNeG", "Recipes", "Convert the configuration of ASNeG's server."),
)

NAMES = tuple(topic.name for topic in TOPICS)


class NoTopic(LookupError):
    """There is no such topic or section; its text lists the existing ones."""


@functools.lru_cache(maxsize=None)
def source(name: str) -> str:
    """The page *name* in reStructuredText.  Raises :exc:`NoTopic`."""
    if name not in NAMES:
        raise NoTopic(_unknown("topic", name, NAMES))
    make = _GENERATED.get(name)
    return make() if make else _written(name)


def _written(name: str) -> str:
    return (_PAGES / (name + ".rst")).read_text(encoding="utf-8")


def index(entry: str) -> str:
    """The list of topics in reStructuredText; *entry* is the format of each."""
    parts = [
        "Documentation of opcws\n======================\n",
        "``opcws docs TOPIC`` shows one of these in the terminal, ``opcws docs TOPIC SECTION`` a\n"
        "part of it, and ``opcws docs --search WORDS`` finds words in all of them. A running\n"
        "opcws has them at ``/docs``.\n",
    ]
    group = ""
    for topic in TOPICS:
        if topic.group != group:
            group = topic.group
            parts.append("%s\n%s\n" % (group, "-" * len(group)))
        parts.append("%s\n    %s\n" % (entry.format(topic), topic.summary))
    return "\n".join(parts)


def as_text(name: str = "", section: str = "") -> str:
    """The page *name*, or its part *section*, or the list of pages, for a terminal: its own text.

    Raises :exc:`NoTopic`.
    """
    page = source(name) if name else index("``{0.name}``")
    return _section(page, section) if section else page


def _section(page: str, wanted: str) -> str:
    """The part of *page* below the title that is, begins with, or contains *wanted*."""
    titles = list(TITLE.finditer(page))
    for fits in (str.__eq__, str.startswith, str.__contains__):
        for rank in RANKS:
            for title in titles:
                if title["line"][0] == rank and fits(_words(title["title"]), _words(wanted)):
                    higher = RANKS[: RANKS.index(rank) + 1]
                    ends = (
                        each.start()
                        for each in titles
                        if each.start() > title.start() and each["line"][0] in higher
                    )
                    return page[title.start() : next(ends, len(page))].rstrip() + "\n"
    raise NoTopic(_unknown("section", wanted, [title["title"] for title in titles[1:]]))


def _words(title: str) -> str:
    """*title* reduced to what is compared with a typed one."""
    return "-".join(re.findall(r"[^\W_]+", title.lower()))


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = "did you mean %s?" % near[0] if near else "there are: %s" % ", ".join(known)
    return "there is no %s %r; %s" % (kind, name, hint if known else "the page has none")


def picture(name: str) -> Optional[bytes]:
    """The picture *name* of a page, an SVG; ``None`` if there is none."""
    if name not in {path.name for path in _PAGES.glob("*.svg")}:
        return None
    return (_PAGES / name).read_bytes()
