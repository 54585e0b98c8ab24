"""A file in some programming language with the variables of a plant: their names, types, units,
enumerations and rights.  A program with a variable that no longer exists does not compile.

The same variables give the same bytes.  ``client_names`` has the variables and the identifiers
that they get, ``client_csharp``, ``client_python`` and ``client_typescript`` have the languages.

Pure.
"""

import functools
from typing import Callable, Dict, Sequence

from .. import __version__
from ..wire import contract
from .client_csharp import NAMESPACE, csharp
from .client_names import Tag
from .client_python import python
from .client_typescript import typescript

_WRITERS: Dict[str, Callable[[Sequence[Tag], Sequence[str]], str]] = {
    "csharp": csharp,
    "python": python,
    "ts": typescript,
}
#: What ``--lang`` takes.
LANGUAGES = tuple(sorted(_WRITERS))


def text_of(language: str, tags: Sequence[Tag], source: str, namespace: str = NAMESPACE) -> str:
    """The file for *language*; *source* is the option that says where *tags* come from, *namespace*
    the namespace for C#."""
    write = _WRITERS[language]
    if namespace != NAMESPACE:
        source += " --namespace " + namespace
        write = functools.partial(csharp, namespace=namespace)
    head = [
        "Made by 'opcws client --lang %s %s'" % (language, source),
        "of opcws %s, contract %s.  Make it anew when the plant has changed;"
        % (__version__, contract.VERSION),
        "what is edited here is lost then.",
    ]
    return write(sorted(tags), head)
