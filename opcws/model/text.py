"""Text for a terminal: without control characters, and ready to type."""

import re
import unicodedata
from typing import Optional

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_SIZE = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,3})?) ?([KMGT])iB")
_WORD = re.compile(r"[\w./:\\@%+=,~-]+")


def clean(text: str) -> str:
    """*text* with control characters as escape sequences of Python."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if unicodedata.category(each) not in _HIDDEN else _SHORT.get(each, ascii(each)[1:-1])
        for each in text
    )


def is_blank(character: str) -> bool:
    """Whether the character is invisible: a space of any kind, or one without width, as pasted text
    may contain."""
    return character.isspace() or unicodedata.category(character) == "Cf"


def has_blank_end(text: str) -> bool:
    """Whether *text* begins or ends with an invisible character."""
    return bool(text) and (is_blank(text[0]) or is_blank(text[-1]))


def word(text: str) -> str:
    """*text*, such as a path, as one word of a command to type.

    In double quotes if it needs quotes: every shell accepts them, and the whole command can be in
    single ones.
    """
    return text if _WORD.fullmatch(text) else '"%s"' % text


def size(text: str) -> Optional[int]:
    """The bytes of a size such as ``64 KiB``, ``1.5 MiB``, ``2 GiB`` or ``1 TiB``; ``None`` if
    *text* is not a size."""
    found = _SIZE.fullmatch(text)
    return round(float(found[1]) * 1024 ** (1 + "KMGT".index(found[2]))) if found else None


def counted(number: int, thing: str) -> str:
    """``1 variable``, ``2 variables``."""
    return "%d %s%s" % (number, thing, "" if number == 1 else "s")
