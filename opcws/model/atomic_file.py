"""A file is written whole or not at all: whoever reads it meanwhile has the old one or the new one.

Threads: any.
"""

import contextlib
import os
import threading
from typing import BinaryIO, Callable, Iterator, Optional, cast

#: Windows lets nobody replace or remove a file that somebody reads, a virus scanner perhaps: how
#: often, and how many seconds apart, it is tried there.
TRIES, PAUSE_S = 40, 0.05
_READERS_HINDER = os.name == "nt"


@contextlib.contextmanager
def replacing(path: str, meanwhile: Optional[str] = None) -> Iterator[BinaryIO]:
    """A new file, which takes the place of *path* at the end of the block and not before it is on
    the disk; if the block raises, *path* stays what it is.

    Its ``name`` is another one in the same directory, *meanwhile* if that is given: then there is
    one such file at a time (:exc:`FileExistsError`).  Only its owner can read it, until the block
    gives it other rights.  Raises :exc:`OSError`.
    """
    directory = os.path.dirname(os.path.abspath(path))
    name = meanwhile or os.path.join(directory, ".new-" + os.urandom(8).hex())
    file = cast(BinaryIO, open(name, "xb", opener=_for_its_owner))
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        patiently(lambda: os.replace(name, path))
    except BaseException:
        with contextlib.suppress(OSError):  # as with Ctrl-C right behind the replacing
            os.unlink(name)
        raise


def _for_its_owner(name: str, flags: int) -> int:
    """Made with its rights, there is no moment without them."""
    return os.open(name, flags, 0o600)


def patiently(change: Callable[[], None], tries: int = TRIES) -> None:
    """Do *change*, which replaces or removes a file; on Windows again while somebody has the file
    open, *tries* times in all.  Raises :exc:`OSError`."""
    pause = threading.Event()
    for left in reversed(range(tries)):
        try:
            change()
            return
        except PermissionError:
            if not left or not _READERS_HINDER:
                raise
        pause.wait(PAUSE_S)
