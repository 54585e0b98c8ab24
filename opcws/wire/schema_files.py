"""The files of ``schemas/``, unchanged: to read, serve or copy them.

A name is the path of a file below that folder, with ``/`` on every system:
``READ_REQUEST.json``, ``examples/READ_REQUEST.json``.

Pure, except for reading and writing these files.  Any thread may call any function.
"""

from functools import lru_cache
from pathlib import Path
from typing import Tuple

_PACKAGE = Path(__file__).resolve().parent.parent
#: Where the folder may be: in an installed package, or beside the package in a checkout.
_PLACES = (_PACKAGE / "schemas", _PACKAGE.parent / "schemas")


@lru_cache(maxsize=None)
def names() -> Tuple[str, ...]:
    """The names of all files, sorted.  Raises :exc:`FileNotFoundError` if there is no folder."""
    for place in _PLACES:
        if place.is_dir():
            return tuple(
                sorted(each.relative_to(place).as_posix() for each in place.rglob("*.json"))
            )
    raise _missing("")


def read(name: str) -> bytes:
    """The content of the file *name*.  Raises :exc:`FileNotFoundError` if there is none."""
    for place in _PLACES:
        path = place / name
        if path.is_file():
            return path.read_bytes()
    raise _missing(name)


def copy_into(folder: Path) -> int:
    """Write all files into *folder*, which is created if necessary; existing files of these names
    are replaced.  Returns their number.  Raises :exc:`OSError`."""
    for name in names():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read(name))
    return len(names())


def _missing(name: str) -> FileNotFoundError:
    return FileNotFoundError("opcws is not installed completely: there is no schemas/%s" % name)
