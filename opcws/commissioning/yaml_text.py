"""Values, keys and comments as YAML text.

Pure.
"""

import json
import re
from typing import Any, List

# JSON's strings are YAML's, except for what YAML takes for a line end or does not take at all.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def quoted(text: str) -> str:
    """*text* in double quotes, on one line."""
    return _ESCAPED.sub(
        lambda match: "\\u%04x" % ord(match.group()), json.dumps(text, ensure_ascii=False)
    )


def key_text(text: str) -> str:
    """*text* as a key of a mapping, in quotes only where it needs them."""
    if _BARE_KEY.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return quoted(text)


def comment_text(text: str) -> str:
    """*text* as it can stand in a comment: what is not printable becomes ``?``."""
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
