"""Values, keys and comments as YAML text for users: PyYAML writes no comments, and cannot mix block
and flow style.  Pure."""

import json
import re
from typing import Any, List, NamedTuple, Sequence

# JSON's strings are valid YAML, except for characters that YAML takes for a line end or does not
# allow.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_PLAIN = re.compile(r"[A-Za-z][\w-]*(\.[\w-]+)*|\d+(\.\d+){3}", re.ASCII)
_URL = re.compile(r"[a-z.]+://[\w.:/-]*[\w/]", re.ASCII)


class Entry(NamedTuple):
    """A key with its value; ``above`` are lines of comment, ``behind`` one at the line's end.
    A mapping is written in braces unless ``block``."""

    key: str
    value: Any
    above: Sequence[str] = ()
    behind: str = ""
    block: bool = False


def quoted(text: str) -> str:
    """*text* in double quotes, on one line."""
    return _ESCAPED.sub(
        lambda match: "\\u%04x" % ord(match.group()), json.dumps(text, ensure_ascii=False)
    )


def key_text(text: str) -> str:
    """*text* as a key of a mapping, in quotes only if it needs them."""
    if _BARE_KEY.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return quoted(text)


def comment_text(text: str) -> str:
    """*text* for a comment: characters that are not printable become ``?``."""
    return re.sub(r"[^ -~\xa0-\ud7ff]", "?", text).replace("\u2028", "?").replace("\u2029", "?")


def block_lines(value: Any, indent: str) -> List[str]:
    """The lines of a mapping or list in block style; all text is quoted, so that
    ``"50"`` stays text."""
    lines: List[str] = []
    pairs = value.items() if isinstance(value, dict) else [(None, item) for item in value]
    for key, item in pairs:
        lead = indent + ("-" if key is None else key_text(key) + ":")
        if isinstance(item, str):
            lines.append("%s %s" % (lead, quoted(item)))
        elif not item:
            lines.append("%s %s" % (lead, "{}" if isinstance(item, dict) else "[]"))
        else:
            lines.append(lead)
            lines += block_lines(item, indent + "  ")
    return lines


def entry_lines(entry: Entry, indent: str = "") -> List[str]:
    """The lines of *entry* in a mapping of block style."""
    lines = [indent + ("# " + comment_text(each) if each else "#") for each in entry.above]
    behind = "  # " + comment_text(entry.behind) if entry.behind else ""
    lead = indent + key_text(entry.key) + ":"
    value = entry.value
    if isinstance(value, dict) and entry.block and value:
        lines.append(lead + behind)
        for key, each in value.items():
            nested = each if isinstance(each, Entry) else Entry(key, each)
            lines += entry_lines(nested, indent + "  ")
        return lines
    text = _scalar(value, True) if isinstance(value, str) else flow_text(value)
    lines.append("%s %s%s" % (lead, text, behind))
    return lines


def flow_text(value: Any) -> str:
    """*value* on one line, in braces and brackets where it is a mapping or list."""
    if isinstance(value, Entry):
        return flow_text(value.value)
    if isinstance(value, dict):
        pairs = ["%s: %s" % (key_text(key), flow_text(each)) for key, each in value.items()]
        return "{%s}" % ", ".join(pairs)
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(map(flow_text, value))
    return _scalar(value, False)


def _scalar(value: Any, block: bool) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return value if block and _URL.fullmatch(value) else quoted(value)
