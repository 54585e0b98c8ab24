"""Renames a full log file to ``path.1``, the present ``path.1`` to ``path.2``, and so on.

The step that may fail comes first: on Windows a file that another program reads cannot be renamed,
and then no other file has moved, and none is lost.  (:class:`logging.handlers.RotatingFileHandler`
begins with the oldest: each failed attempt would lose a file.)
"""

import os
from functools import partial

from ..model.atomic_file import patiently

#: How often renaming is tried on Windows, a twentieth of a second apart: the logging thread waits
#: that long, but not for a program that reads the file all day.
TRIES = 3


def rename(path: str, backups: int) -> None:
    """Make *path* the first of *backups* renamed files; the one after the last is removed.

    Raises :exc:`OSError`; nothing is lost then, and the next call continues.
    """
    if not backups:
        patiently(partial(os.remove, path), TRIES)
        return
    aside = path + ".0"
    if os.path.exists(aside):  # left by an unfinished attempt
        _number(path, aside, backups)
    patiently(partial(os.replace, path, aside), TRIES)
    _number(path, aside, backups)


def _number(path: str, aside: str, backups: int) -> None:
    for number in range(backups - 1, 0, -1):
        older = "%s.%d" % (path, number)
        if os.path.exists(older):
            patiently(partial(os.replace, older, "%s.%d" % (path, number + 1)), TRIES)
    patiently(partial(os.replace, aside, path + ".1"), TRIES)
