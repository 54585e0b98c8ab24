"""The XML files of an ASNeG installation as trees of elements that know their line.

Rules of this module:

* defusedxml refuses a document type, so there are no entities to expand and nothing external to
  fetch.  Its SAX parser is used, because ElementTree does not give line numbers and requires
  declared prefixes.  This module limits size and depth.
* Real files have a comment before the XML declaration, which XML forbids: everything before the
  declaration is ignored.

Pure: reads the file that it is given.
"""

import io
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml import DTDForbidden
from defusedxml.expatreader import create_parser

from ..model.errors import ConfigError

#: Largest XML file that is read, in bytes.
MAX_FILE_BYTES = 16 * 1024 * 1024

_MAX_DEPTH = 50
_BEFORE_DECLARATION = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:[ \t\r\n]+|<!--.*?-->)*(?=<\?xml[ \t\r\n])", re.DOTALL
)


@dataclass
class Element:
    """One element: ``name`` without prefix, ``text`` with all spaces, ``where`` as "file:line"."""

    name: str
    attributes: Dict[str, str]
    where: str
    children: List["Element"] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> List["Element"]:
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Optional["Element"]:
        return next(iter(self.all(name)), None)

    def get(self, name: str) -> str:
        """The trimmed text of the child *name*; ``""`` if there is none."""
        child = self.first(name)
        return "" if child is None else child.text.strip()


def read_xml(path: str) -> Element:
    """The root element of the file *path*.

    Raises :exc:`~opcws.model.errors.ConfigError`, with file, line and remedy.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            "%s: cannot be read: %s; check the path and the permissions" % (path, reason)
        ) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(
            "%s: is over %d bytes; split it into several client files" % (path, MAX_FILE_BYTES)
        )
    skipped = _BEFORE_DECLARATION.match(raw)
    before = b"" if skipped is None else skipped.group()
    parser = create_parser(forbid_dtd=True)
    builder = _Builder(parser, path, before.count(b"\n"))
    parser.setContentHandler(builder)
    try:
        parser.parse(io.BytesIO(raw[len(before) :]))
    except DTDForbidden:
        problem = "has a document type (<!DOCTYPE), which opcws does not accept; remove it"
    except SAXParseException as error:
        problem = (
            "is not well-formed XML: %s; open it in an XML editor and correct it there"
            % error.getMessage()
        )
    except (LookupError, ValueError) as error:  # the declared encoding
        problem = "cannot be decoded: %s; save the file as UTF-8" % error
    else:
        return builder.document.children[0]
    raise ConfigError("%s: %s" % (builder.where(), problem))


class _Builder(ContentHandler):
    """Builds the tree with a stack, not by recursion; *skipped* is the number of ignored lines."""

    def __init__(self, parser: Any, path: str, skipped: int) -> None:
        super().__init__()
        self._parser = parser
        self._path = path
        self._skipped = skipped
        self.document = Element("", {}, path)
        self._stack = [self.document]

    def where(self) -> str:
        """The place that the parser is at."""
        return "%s:%d" % (self._path, self._skipped + self._parser.getLineNumber())

    def startElement(self, name: str, attrs: Any) -> None:
        if len(self._stack) > _MAX_DEPTH:
            raise ConfigError(
                "%s: is nested over %d levels deep; expected fewer" % (self.where(), _MAX_DEPTH)
            )
        kept = {
            key: value
            for key, value in attrs.items()
            if key != "xmlns" and not key.startswith(("xmlns:", "xsi:"))
        }
        element = Element(name.split(":")[-1], kept, self.where())
        self._stack[-1].children.append(element)
        self._stack.append(element)

    def endElement(self, name: str) -> None:
        self._stack.pop()

    def characters(self, content: str) -> None:
        self._stack[-1].text += content
