"""A log file that is full is renamed: it becomes ``path.1``, what was that ``path.2``, and so on.

What may fail comes first: on Windows a file that another program reads cannot be renamed, and then
no other has moved, and none is lost.  (:class:`logging.handlers.RotatingFileHandler` begins with
the oldest: each attempt in vain would lose one.)
"""

import os
from functools import partial

from ..model.atomic_file import patiently

#: How often Windows is asked, a twentieth of a second apart: who logs waits that long, and one who
#: reads the file all day is not waited for.
TRIES = 3


def rename(path: str, backups: int) -> None:
    """Make *path* the first of *backups* renamed files; the one beyond the last goes.

    Raises :exc:`OSError`.  Nothing is lost then, and the next call goes on from there.
    """
    if not backups:
        patiently(partial(os.remove, path), TRIES)
        return
    aside = path + ".0"
    if os.path.exists(aside):  # left by an attempt that did not come to its end
        _number(path, aside, backups)
    patiently(partial(os.replace, path, aside), TRIES)
    _number(path, aside, backups)


def _number(path: str, aside: str, backups: int) -> None:
    for number in range(backups - 1, 0, -1):
        older = "%s.%d" % (path, number)
        if os.path.exists(older):
            patiently(partial(os.replace, older, "%s.%d" % (path, number + 1)), TRIES)
    patiently(partial(os.replace, aside, path + ".1"), TRIES)
