"""The XML files of an ASNeG installation as trees of elements that know their line.

Rules of this module:

* Files are parsed with expat alone.  A document type is refused, so there are no entities to
  expand and nothing external to fetch; size and depth are bounded.
* Real files have a comment before the XML declaration, which XML forbids: whatever precedes
  the declaration is left out.

Pure: reads the file that it is given.
"""

import re
from typing import Dict, List, NoReturn, Optional
from xml.parsers import expat

from ..model.errors import ConfigError

#: Largest XML file that is read, in bytes.
MAX_FILE_BYTES = 16 * 1024 * 1024

_MAX_DEPTH = 50


class Element:
    """One element; ``name`` without prefix, ``text`` as it stands, spaces included."""

    __slots__ = ("name", "attributes", "line", "children", "text")

    def __init__(self, name: str, attributes: Dict[str, str], line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.line = line
        self.children: List["Element"] = []
        self.text = ""

    def all(self, name: str) -> List["Element"]:
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Optional["Element"]:
        return next((child for child in self.children if child.name == name), None)

    def get(self, name: str) -> str:
        """The trimmed text of the child *name*; ``""`` if there is none."""
        child = self.first(name)
        return "" if child is None else child.text.strip()


_BEFORE_DECLARATION = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:[ \t\r\n]+|<!--.*?-->)*(?=<\?xml[ \t\r\n])", re.DOTALL
)


def read_xml(path: str) -> Element:
    """The root element of the file *path*.

    Raises :exc:`~opcws.model.errors.ConfigError`, with file, line and remedy.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(
            ["%s: cannot be read: %s; check the path and the permissions" % (path, reason)]
        ) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(
            ["%s: is over %d bytes; split it into several client files" % (path, MAX_FILE_BYTES)]
        )
    skipped = _BEFORE_DECLARATION.match(raw)
    first_line = 1
    if skipped is not None:
        first_line += skipped.group().count(b"\n")
        raw = raw[skipped.end() :]
    return _Parser(path, first_line).parse(raw)


class _Parser:
    """Builds the tree with a stack, not by recursion."""

    def __init__(self, path: str, first_line: int) -> None:
        self._path = path
        self._before = first_line - 1
        self._stack: List[Element] = []
        self._root: Optional[Element] = None
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text

    def parse(self, raw: bytes) -> Element:
        try:
            self._expat.Parse(raw, True)
        except expat.ExpatError as error:
            self._stop(
                "is not well-formed XML: %s; open it in an XML editor and correct it there"
                % expat.ErrorString(error.code),
                error.lineno,
            )
        except (LookupError, ValueError) as error:  # the declared encoding
            self._stop("cannot be decoded: %s; save the file as UTF-8" % error, 1)
        assert self._root is not None  # expat refuses a document without an element
        return self._root

    def _stop(self, text: str, line: int) -> NoReturn:
        raise ConfigError(["%s:%d: %s" % (self._path, self._before + line, text)])

    def _doctype(self, *_: object) -> None:
        self._stop(
            "has a document type (<!DOCTYPE), which is not taken; remove it",
            self._expat.CurrentLineNumber,
        )

    def _start(self, name: str, attributes: Dict[str, str]) -> None:
        line = self._expat.CurrentLineNumber
        if len(self._stack) >= _MAX_DEPTH:
            self._stop("is nested over %d levels deep; expected fewer" % _MAX_DEPTH, line)
        kept = {
            key: value
            for key, value in attributes.items()
            if key != "xmlns" and not key.startswith(("xmlns:", "xsi:"))
        }
        element = Element(name.split(":")[-1], kept, self._before + line)
        if self._stack:
            self._stack[-1].children.append(element)
        else:
            self._root = element
        self._stack.append(element)

    def _end(self, name: str) -> None:
        self._stack.pop()

    def _text(self, text: str) -> None:
        self._stack[-1].text += text
