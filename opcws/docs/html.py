"""Pages as HTML for ``/docs``: docutils reads and writes them; this module adds the rest.

Pages have no script and no style of their own; all text is escaped.  Addresses are relative to
``/docs/``, so that a proxy may serve the pages below another path.

Importing this module imports docutils, which takes time, so import it for the first page only.

Threads: :func:`page` may be called from any.
"""

import threading
from html import escape
from typing import Any, Dict, Iterator

from docutils import core, nodes
from docutils.transforms import Transform
from docutils.writers import html5_polyglot

from ..model.text import clean
from . import search, topics

_DOCUMENT = """<!DOCTYPE html>
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
<a href="./">Documentation</a>
<form action="./" role="search"><input type="search" name="q" value="{wanted}" maxlength="{length}"
 required aria-label="Search the documentation" placeholder="A word, or a message">
<button>Search</button></form></header>
<div class="columns">
<nav aria-label="Pages">
{nav}
</nav>
<main id="content">
{body}</main>
</div>
</body>
</html>
"""

_SETTINGS: Dict[str, Any] = {
    # The pages are trusted, but docutils still must not read any other file.
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    # A test finds errors in a page; readers see no system messages.
    "report_level": 5,
    "halt_level": 5,
    "doctitle_xform": False,
    "initial_header_level": 1,
    "syntax_highlight": "none",
    "stylesheet_path": None,
    "output_encoding": "unicode",
}

#: Guards the two below: if several threads request a page at once, one makes it and the others
#: wait.
_lock = threading.Lock()
_made: Dict[str, str] = {}


def page(name: str = "") -> str:
    """The page *name*, or the list of pages, as a document.

    Raises :exc:`~opcws.docs.topics.NoTopic`.
    """
    with _lock:
        if name not in _made:
            source = topics.source(name) if name else topics.index("`{0.title} <{0.name}.rst>`__")
            _made[name] = render(source, name)
        return _made[name]


def render(source: str, name: str = "") -> str:
    """The reStructuredText *source* of the topic *name* as a document."""
    parts = core.publish_parts(source, writer=_Writer(), settings_overrides=_SETTINGS)
    title = source.lstrip().partition("\n")[0]
    return _document(title, parts["body"], name)


def results(wanted: str) -> str:
    """The results of a search for *wanted*, as a document."""
    found = search.search(wanted)
    body = "<h1>Search</h1>\n<p>%s</p>\n" % (found.said[0].upper() + found.said[1:])
    if found.hits:
        body += '<ol class="found">\n%s</ol>\n' % "".join(map(_item, found.hits))
    return _document("Search", body, wanted=clean(wanted))


def _item(hit: search.Hit) -> str:
    address = hit.topic.name + ("#" + hit.section if hit.section else "")
    item = '<li><a href="%s">%s</a><p>%s</p></li>\n'
    return item % (address, _marked(hit.title), _marked(hit.line))


def _marked(pieces: search.Pieces) -> str:
    return "".join(("<mark>%s</mark>" if found else "%s") % escape(text) for text, found in pieces)


def _document(title: str, body: str, name: str = "", wanted: str = "") -> str:
    return _DOCUMENT.format(
        title=escape(title),
        nav="\n".join(_nav(name)),
        body=body,
        wanted=escape(wanted),
        length=search.MAX_LENGTH,
    )


def _nav(current: str) -> Iterator[str]:
    for group in dict.fromkeys(topic.group for topic in topics.TOPICS):
        yield "<h2>%s</h2>\n<ul>" % escape(group)
        for topic in topics.TOPICS:
            if topic.group == group:
                here = ' aria-current="page"' if topic.name == current else ""
                yield '<li><a href="%s"%s>%s</a></li>' % (topic.name, here, escape(topic.title))
        yield "</ul>"


class _Linked(Transform):
    """Adapts links to the server, and adds classes for the style sheet."""

    default_priority = 900

    def apply(self) -> None:
        for link in list(self.document.findall(nodes.reference)):
            topic, ending, section = link.get("refuri", "").partition(".rst")
            if ending and "/" not in topic:  # pages link to files, as in the source
                link["refuri"] = topic + section
            elif not topic.startswith("schemas/"):  # pages have no other links
                link.replace_self(link.children)
        for literal in self.document.findall(nodes.literal):
            literal["classes"] = ["code"]
        for table in list(self.document.findall(nodes.table)):
            table["classes"] = ["of-%d" % table[0]["cols"]]
            table.replace_self(nodes.container("", table.deepcopy(), classes=["table"]))
        page = self.document[0]
        sections = nodes.paragraph(classes=["sections"])
        for section in page.findall(nodes.section):
            if section is not page:
                if section.parent is page:
                    title = nodes.Text(section[0].astext())
                    sections += [_link(section, title), nodes.Text(" ")]
                section[0][:] = [_link(section, *section[0].children)]
        if len(sections) > 4:  # more than two
            page.insert(1, sections)


def _link(section: Any, *content: Any) -> Any:
    return nodes.reference("", "", *content, refid=section["ids"][0])


class _Writer(html5_polyglot.Writer):
    def __init__(self) -> None:
        super().__init__()
        self.translator_class = _Translator

    def get_transforms(self) -> Any:
        return [*super().get_transforms(), _Linked]


class _Translator(html5_polyglot.HTMLTranslator):
    def visit_literal_block(self, node: Any) -> None:
        # Focusable, so that users without a mouse can scroll it.
        self.body.append('<pre tabindex="0"><code>')

    def depart_literal_block(self, node: Any) -> None:
        self.body.append("</code></pre>\n")

    def visit_paragraph(self, node: Any) -> None:
        """The text of a cell is not a paragraph."""
        if not isinstance(node.parent, nodes.entry):
            super().visit_paragraph(node)

    def depart_paragraph(self, node: Any) -> None:
        if not isinstance(node.parent, nodes.entry):
            super().depart_paragraph(node)

    def visit_entry(self, node: Any) -> None:
        """On a phone each row becomes a card, and a cell shows its column's name."""
        row = node.parent
        column, group = row.index(node), row.parent.parent
        header = next(group.findall(nodes.row))
        if row is header:
            tag, attributes = "th", {"scope": "col"}
        elif column == 0:
            tag, attributes = "th", {"scope": "row"}
        else:
            tag, attributes = "td", {"data-name": header[column].astext()}
        self.body.append(self.starttag(node, tag, "", **attributes))
        self.context.append("</%s>" % tag)
