"""Writes a file whole or not at all: readers see the old or the new one.

Threads: any.
"""

import contextlib
import os
import threading
from typing import BinaryIO, Callable, Iterator, Optional, cast

#: Windows does not replace or remove a file while a program, such as a virus scanner, reads it: how
#: often it is tried again there, and the pause in seconds.
TRIES, PAUSE_S = 40, 0.05
_READERS_HINDER = os.name == "nt"


@contextlib.contextmanager
def replacing(path: str, meanwhile: Optional[str] = None) -> Iterator[BinaryIO]:
    """A new file that replaces *path* at the end of the block, after it is on the disk; if the
    block raises, *path* stays unchanged.

    Until then it has another ``name`` in the same directory: *meanwhile*, if that is given, so that
    there is only one such file at a time (:exc:`FileExistsError`).  Only its owner can read it,
    unless the block changes its rights.  Raises :exc:`OSError`.
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
    """Created with its final rights, so that it is never open to others."""
    return os.open(name, flags, 0o600)


def patiently(change: Callable[[], None], tries: int = TRIES) -> None:
    """Call *change*, which replaces or removes a file; on Windows up to *tries* times, while
    another program has the file open.  Raises :exc:`OSError`."""
    pause = threading.Event()
    for left in reversed(range(tries)):
        try:
            change()
            return
        except PermissionError:
            if not left or not _READERS_HINDER:
                raise
        pause.wait(PAUSE_S)
