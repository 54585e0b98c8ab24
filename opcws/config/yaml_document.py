"""Reads YAML text as data, and finds the line of a path in the data.

Rules of this module:

* Scalars follow the YAML 1.2 core schema, so ``on``, ``yes``, ``1:30`` and ``2026-11-22`` are text;
  a key is always text.
* Aliases and merge keys are refused: nine lines of them can stand for gigabytes.  Size and
  depth are bounded.
* Problems are collected, so that the user sees all of them at once, unless one prevents further
  reading.

Only the events of PyYAML are used: its nodes overrun the C stack for a deeply nested text, and
follow YAML 1.1. ruamel.yaml, which has lines and YAML 1.2, and strictyaml, which is based on it,
were looked at: for 10,000 variables ruamel.yaml takes 4 s, this takes 0.13 s.

Pure.
"""

import json
import math
import re
from typing import Any, Dict, Iterable, List, NoReturn, Optional, Sequence, Set, Tuple, Union

import yaml

from ..model.errors import ConfigError

_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"

# The YAML 1.2 core schema (10.3.2), less .inf and .nan, which JSON does not have.
_PLAIN = re.compile(
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<true>true|True|TRUE)"
    r"|(?P<false>false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
)
_TAG_GROUPS = {
    "null": ("null",),
    "bool": ("true", "false"),
    "int": ("int",),
    "float": ("int", "float"),
}

Step = Union[str, int]
Path = Tuple[Step, ...]

# Deeper than any setting, including metadata trees, so that later code may recurse.
_MAX_DEPTH = 100
_TOO_DEEP = "is nested over %d levels deep; expected fewer" % _MAX_DEPTH


class Document:
    """The text as data, and the line of each path in the data.

    Collects problems and warnings; reading stops only at a syntax error.  It uses the parser's
    events, not a tree of nodes: that needs no recursion, finds aliases in place, and is faster.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.empty = True
        self.problems: Set[Tuple[int, str]] = set()
        self.warnings: Set[Tuple[int, str]] = set()
        #: Paths with a problem.
        self.wrong: Set[Path] = set()
        self._text = text[1:] if text.startswith("\ufeff") else text
        # By identity of a mapping or list in the data: the lines of its keys or items.
        self._lines: Dict[int, Dict[Step, int]] = {}
        self._first_line = 1
        self.data: Any = None
        self._parse()
        if self.empty:
            self.problem_at(1, (), "the file is empty; expected at least 'servers'")

    def sorted_problems(self) -> List[str]:
        return [text for _, text in sorted(self.problems)]

    def sorted_warnings(self) -> List[str]:
        return [text for _, text in sorted(self.warnings)]

    def problem(self, path: Sequence[Step], text: str) -> None:
        self.wrong.add(tuple(path))
        self.problem_at(self.line(path), path, text)

    def problem_at(self, line: int, path: Sequence[Step], text: str) -> None:
        self.problems.add((line, self._sentence(line, path, text)))

    def warn(self, path: Sequence[Step], text: str) -> None:
        line = self.line(path)
        self.warnings.add((line, self._sentence(line, path, text)))

    def _sentence(self, line: int, path: Sequence[Step], text: str) -> str:
        where = "%s:%d: " % (self.name, line)
        return where + (path_text(path) + ": " if path else "") + text

    def line(self, path: Sequence[Step]) -> int:
        """The line, from 1, of the key or item that *path* leads to, or of the nearest one
        around it."""
        line, data = self._first_line, self.data
        for step in path:
            # Every mapping and list of the data is registered; another object may have the identity
            # of one that a duplicate key has replaced.
            lines = self._lines.get(id(data)) if isinstance(data, (dict, list)) else None
            if lines is None or step not in lines:
                break
            line, data = lines[step], data[step]
        return line

    def _stop(self, line: int, text: str) -> NoReturn:
        self.problem_at(line, (), text)
        raise ConfigError(self.sorted_problems())

    def _parse(self) -> None:
        text = self._text
        bad = _NOT_YAML.search(text)
        if bad is not None:
            line = text.count("\n", 0, bad.start()) + 1
            self._stop(
                line,
                "the character U+%04X does not belong in a text file; is this a "
                "YAML or JSON file?" % ord(bad.group()),
            )
        if text.lstrip().startswith("{"):
            text = join_surrogates(text)
        try:
            self._read(yaml.parse(text, Loader=_SafeLoader))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else 1
            if "maximum nesting depth" in (error.problem or ""):
                self._stop(line, _TOO_DEEP)  # the scanner of libyaml 0.2.6 and later reads ahead
            self._stop(line, "is not YAML: " + self._yaml_reason(error, line))
        except yaml.YAMLError as error:
            self._stop(1, "is not YAML: %s; is this a YAML or JSON file?" % error)

    def _yaml_reason(self, error: yaml.MarkedYAMLError, line: int) -> str:
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        lines = self._text.splitlines()
        if line <= len(lines) and re.match(r" *\t", lines[line - 1]):
            return reason + "; indent with spaces, not with tabs"
        if "escape" in reason:
            return reason + "; in double quotes write \\\\ for \\, or use single quotes"
        if "alias" in reason:
            return reason + "; in YAML a word that begins with '*' needs quotes"
        if "cannot start any token" in reason:
            return reason + "; a text that begins with @, ` or % needs quotes"
        return reason + "; check indentation, colons and quotes here and in the line before"

    def _read(self, events: Iterable[Any]) -> None:
        # Open containers, the innermost last, each mapping with its current key.  A key of None
        # means that the next scalar is a key.
        stack: List[Any] = []
        keys: List[Optional[str]] = []
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                if stack and type(stack[-1]) is dict and keys[-1] is None:
                    keys[-1] = self._key(event, stack, keys)
                    continue
                value = self._scalar(event, stack, keys)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                value = {} if kind is yaml.MappingStartEvent else []
                if event.tag not in (None, "!", _TAG + "map", _TAG + "seq"):
                    self._tag(event, stack, keys)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                stack.pop()
                keys.pop()
                if keys:
                    keys[-1] = None
                continue
            elif kind is yaml.AliasEvent:
                self._stop(
                    _line(event),
                    "YAML aliases (*name) are not supported; write the value out, or quote a "
                    "text that begins with '*'",
                )
            elif kind is yaml.DocumentStartEvent and not self.empty:
                self._stop(_line(event), "a second document begins; remove the '---'")
            else:
                continue
            line = _line(event)
            if not stack:
                self.empty = False
                self.data, self._first_line = value, line
            else:
                parent = stack[-1]
                if type(parent) is dict:
                    step = keys[-1]
                    if step is None:
                        self._stop(
                            line,
                            "a key is a list or a mapping; expected text (quote "
                            "it if it begins with [ or {)",
                        )
                    parent[step] = value
                    if kind is yaml.ScalarEvent:
                        keys[-1] = None
                else:
                    self._lines[id(parent)][len(parent)] = line
                    parent.append(value)
            if kind is not yaml.ScalarEvent:
                if len(stack) >= _MAX_DEPTH:
                    self._stop(line, _TOO_DEEP)
                stack.append(value)
                keys.append(None)
                self._lines[id(value)] = {}
        if self.data is None and not self._text.strip():
            self.empty = True

    def _key(self, event: Any, stack: List[Any], keys: List[Optional[str]]) -> str:
        key: str = event.value
        line = _line(event)
        lines = self._lines[id(stack[-1])]
        if key in lines:
            self.problem_at(
                line,
                _open_path(stack, keys) + (key,),
                "appears twice, first in line %d; remove or rename one" % lines[key],
            )
        else:
            lines[key] = line
        return key

    def _scalar(self, event: Any, stack: List[Any], keys: List[Optional[str]]) -> Any:
        text: str = event.value
        tag = event.tag
        if tag is None:
            if not event.implicit[0]:
                return text  # quoted, or a block
        elif tag in ("!", _TAG + "str"):
            return text
        match = _PLAIN.fullmatch(text)
        if tag is not None:
            groups = _TAG_GROUPS.get(tag[len(_TAG) :] if tag.startswith(_TAG) else "")
            if groups is None or match is None or match.lastgroup not in groups:
                self._tag(event, stack, keys)
                return text
        if match is None:
            return text
        group = match.lastgroup
        if group == "null":
            return None
        if group == "true" or group == "false":
            return group == "true"
        try:
            if group == "int" and tag != _TAG + "float":
                return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
            value = float(text)
        except ValueError:  # more digits than Python converts
            value = math.inf
        if not math.isfinite(value):
            self.problem_at(
                _line(event),
                _open_path(stack, keys),
                "%s is too large; expected a "
                "number in the range of a Double, or quotes" % shown(text),
            )
        return value

    def _tag(self, event: Any, stack: List[Any], keys: List[Optional[str]]) -> None:
        tag = event.tag.replace(_TAG, "!!")
        self.problem_at(
            _line(event), _open_path(stack, keys), "the tag %s does not fit here; remove it" % tag
        )


def _open_path(stack: Sequence[Any], keys: Sequence[Optional[str]]) -> Path:
    """The path of the current value: the current key or index of every open container."""
    path: List[Step] = []
    for container, key in zip(stack, keys):
        if isinstance(container, list):
            # Only the innermost list does not have its current item yet.
            path.append(len(container) - (container is not stack[-1]))
        elif key is not None:
            path.append(key)
    return tuple(path)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def join_surrogates(text: str) -> str:
    # JSON writes a character beyond U+FFFF as two escapes, which YAML does not know.
    return re.sub(
        r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})",
        lambda match: chr(
            0x10000 + ((int(match[1], 16) - 0xD800) << 10) + int(match[2], 16) - 0xDC00
        ),
        text,
    )


def path_text(path: Sequence[Step]) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += "[%d]" % step
        elif re.fullmatch(r"[\w-]+", step):
            text += ("." if text else "") + step
        else:
            text += "[%s]" % shown(step)
    return text


def shown(value: Any) -> str:
    """*value* as the user would recognise it in the file, no longer than a line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
