"""Changes the text of a configuration file, and leaves every other character as it is.

A user's file has comments, an order, quotes and blank lines that no loader keeps.  So the file is
not loaded and written again: the parser gives the positions, and text is inserted there.

Rules of this module:

* Inserted text follows the text around it: indentation, line ends, block style (one entry per line)
  or flow style (braces, as in JSON).
* Comments are written above or behind their entry; within braces they are left out, because JSON
  has none.
* The file is known to be good (:func:`opcws.config.loader.loads`): no aliases, no duplicate keys,
  bounded depth.

ruamel.yaml was looked at: it keeps comments, but not every character around them.  Pure.
"""

import bisect
import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import yaml

from ..config.yaml_document import join_surrogates
from ..model.errors import ConfigError
from .yaml_text import Entry, entry_lines, flow_text, quoted

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_END_OF_ITEM = re.compile(r"[ \t]*(,?)[ \t]*(#[^\r\n]*)?(?=\r|\n|\Z)")


class _Change(NamedTuple):
    start: int
    order: int
    end: int
    text: str


class Editor:
    """Collects changes to *text*; :meth:`result` is the text with all of them.

    A path is a sequence of keys from the top.  Raises :exc:`~opcws.model.errors.ConfigError` for a
    text that is not YAML.
    """

    def __init__(self, text: str) -> None:
        self._mark = "\ufeff" if text.startswith("\ufeff") else ""
        text = text[len(self._mark) :]
        if text.lstrip().startswith("{"):
            text = join_surrogates(text)
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._changes: List[_Change] = []
        try:
            self._root: Any = yaml.compose(text, Loader=_SafeLoader)
        except yaml.YAMLError as error:
            raise ConfigError("is not YAML: %s" % error) from None
        self._members: Dict[int, Dict[str, Tuple[Any, Any]]] = {}

    def is_flow(self, path: Sequence[str]) -> bool:
        """Whether the mapping at *path* is written in braces."""
        pair = self._find(path)
        return pair is not None and bool(pair[1].flow_style)

    def insert(self, path: Sequence[str], entries: Sequence[Entry]) -> None:
        """Insert the sorted *entries* into the mapping at *path*, which is made if it is missing or
        empty.  If the present entries are sorted, all are sorted afterwards; else the new ones come
        last.  Call it once for each mapping."""
        if not entries:
            return
        pair = self._find(path)
        if pair is None and path:
            nested = {entry.key: entry for entry in entries}
            self.insert(path[:-1], [Entry(path[-1], nested, block=True)])
            return
        node = self._root if pair is None else pair[1]
        members = self._mapping(node)
        if not members:
            self._fill(path, entries)
        elif node.flow_style:
            self._insert_flow(node, members, entries)
        else:
            self._insert_block(members, entries)

    def replace(self, path: Sequence[str], value: Any) -> None:
        """Replace the value at *path* with *value*."""
        key, node = self._found(path)
        text = self._inline(value)
        start, end = node.start_mark.index, self._end(node)
        if start >= end:  # there was no value after the colon
            start = end = self._text.index(":", key.end_mark.index) + 1
            text = " " + text
        self._change(start, end, text)

    def remove(self, path: Sequence[str]) -> None:
        """Remove the entry at *path* from a mapping in block style that has others."""
        key, node = self._found(path)
        start = self._line_start(key.start_mark.index)
        end = self._line_end(self._end(node))
        if end < len(self._text):
            end = self._text.index("\n", end) + 1
        self._change(start, end, "")

    def result(self) -> str:
        text = self._text
        parts: List[str] = []
        position = 0
        for change in sorted(self._changes):
            parts += [text[position : change.start], change.text]
            position = change.end
        return self._mark + "".join(parts) + text[position:]

    # --- where things stand ---------------------------------------------------------------------

    def _find(self, path: Sequence[str]) -> Optional[Tuple[Any, Any]]:
        """The nodes of the last key of *path* and of its value."""
        pair: Optional[Tuple[Any, Any]] = None if self._root is None else (None, self._root)
        for step in path:
            if pair is None:
                return None
            pair = self._mapping(pair[1]).get(step)
        return pair

    def _found(self, path: Sequence[str]) -> Tuple[Any, Any]:
        pair = self._find(path)
        assert pair is not None, path
        return pair

    def _mapping(self, node: Any) -> Dict[str, Tuple[Any, Any]]:
        if not isinstance(node, yaml.MappingNode):
            return {}
        known = self._members.get(id(node))
        if known is None:
            known = {key.value: (key, value) for key, value in node.value}
            self._members[id(node)] = known
        return known

    def _is_json(self) -> bool:
        return bool(getattr(self._root, "flow_style", False))

    def _end(self, node: Any) -> int:
        """The end of *node*: the index after its last character.  The end mark of a block would
        include comments after it."""
        while isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) and not node.flow_style:
            last = node.value[-1]
            node = last[1] if isinstance(node, yaml.MappingNode) else last
        end: int = node.end_mark.index
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            while end > node.start_mark.index and self._text[end - 1] in "\r\n \t":
                end -= 1
        return end

    def _line_start(self, index: int) -> int:
        return self._text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        end = self._text.find("\n", index)
        if end < 0:
            return len(self._text)
        return end - 1 if self._text[end - 1 : end] == "\r" else end

    def _change(self, start: int, end: int, text: str) -> None:
        self._changes.append(_Change(start, len(self._changes), end, text))

    # --- putting in -----------------------------------------------------------------------------

    def _insert_block(self, members: Dict[str, Tuple[Any, Any]], entries: Sequence[Entry]) -> None:
        keys = list(members)
        indent = " " * next(iter(members.values()))[0].start_mark.column
        for place, some in _placed(keys, entries):
            lines = [line for entry in some for line in entry_lines(entry, indent)]
            if place:
                at = self._line_end(self._end(members[keys[place - 1]][1]))
                self._change(at, at, "".join(self._newline + line for line in lines))
            else:
                at = self._above(members[keys[0]][0].start_mark.index)
                self._change(at, at, "".join(line + self._newline for line in lines))

    def _above(self, index: int) -> int:
        """The beginning of the line at *index*, or of the comment right above it."""
        start = self._line_start(index)
        while start:
            before = self._line_start(start - 1)
            if not self._text[before:start].lstrip().startswith("#"):
                break
            start = before
        return start

    def _insert_flow(
        self, node: Any, members: Dict[str, Tuple[Any, Any]], entries: Sequence[Entry]
    ) -> None:
        keys = list(members)
        first = members[keys[0]][0].start_mark
        gap = self._newline + " " * first.column
        if first.line == node.start_mark.line and len(entries) == 1:
            gap = " "
        for place, some in _placed(keys, entries):
            texts = [self._flow_entry(entry) for entry in some]
            if not place:
                self._change(first.index, first.index, "".join(text + "," + gap for text in texts))
                continue
            end = self._end(members[keys[place - 1]][1])
            rest = _END_OF_ITEM.match(self._text, end)
            if rest is None or gap == " ":
                self._change(end, end, "".join("," + gap + text for text in texts))
                continue
            # A comment after the entry stays.
            if not rest.group(1):
                self._change(end, end, ",")
            more = place < len(keys) or bool(rest.group(1))
            self._change(rest.end(), rest.end(), gap + ("," + gap).join(texts) + "," * more)

    def _fill(self, path: Sequence[str], entries: Sequence[Entry]) -> None:
        """Insert *entries* for an empty value, ``null`` or ``{}``."""
        if not path:
            if self._root is not None:
                self._change(self._root.start_mark.index, self._root.end_mark.index, "")
            lines = [line for entry in entries for line in entry_lines(entry)]
            text = "".join(line + self._newline for line in lines)
            if self._text and not self._text.endswith("\n"):
                text = self._newline + text
            self._change(len(self._text), len(self._text), text)
            return
        key, node = self._found(path)
        start, end = node.start_mark.index, node.end_mark.index
        if any(self._found(path[:depth])[1].flow_style for depth in range(len(path))):
            inner = ", ".join(map(self._flow_entry, entries))
            self._change(start, end, "{%s}" % inner)
            return
        if start < end:
            while self._text[start - 1] == " ":
                start -= 1
            self._change(start, end, "")
        indent = " " * (key.start_mark.column + 2)
        lines = [line for entry in entries for line in entry_lines(entry, indent)]
        at = self._line_end(end)
        self._change(at, at, "".join(self._newline + line for line in lines))

    # --- text -----------------------------------------------------------------------------------

    def _flow_entry(self, entry: Entry) -> str:
        key = json.dumps(entry.key, ensure_ascii=False) if self._is_json() else quoted(entry.key)
        return "%s: %s" % (key, self._inline(entry.value))

    def _inline(self, value: Any) -> str:
        if self._is_json():
            return json.dumps(_bare(value), ensure_ascii=False)
        return flow_text(value)


def _bare(value: Any) -> Any:
    """*value* with the values of its entries."""
    if isinstance(value, dict):
        return {
            key: _bare(each.value if isinstance(each, Entry) else each)
            for key, each in value.items()
        }
    return value


def _placed(keys: Sequence[str], entries: Sequence[Entry]) -> List[Tuple[int, List[Entry]]]:
    """For each of *entries*, the number of *keys* before it."""
    if any(first > second for first, second in zip(keys, keys[1:])):
        return [(len(keys), list(entries))]
    found: Dict[int, List[Entry]] = {}
    for entry in entries:
        found.setdefault(bisect.bisect(keys, entry.key), []).append(entry)
    return sorted(found.items())
