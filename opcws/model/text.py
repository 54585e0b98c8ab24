"""Text for a person at a terminal: harmless, and good to type."""

import re
import unicodedata

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_WORD = re.compile(r"[\w./:\\@%+=,~-]+")


def clean(text: str) -> str:
    """*text* with everything that a terminal would act upon as an escape sequence of Python."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if unicodedata.category(each) not in _HIDDEN else _SHORT.get(each, ascii(each)[1:-1])
        for each in text
    )


def word(text: str) -> str:
    """*text*, such as a path, as one word of a command that a person is told to type.

    In double quotes if it needs any: every shell takes them, and the whole command can stand in
    single ones.
    """
    return text if _WORD.fullmatch(text) else '"%s"' % text
