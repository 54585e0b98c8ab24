"""The file of the audit log: whole lines are appended, and nothing is ever removed.

Rules:

* One line is one ``write`` to a file opened with ``O_APPEND``.  If the disk accepted only a part of
  a line, the rest is written before the next one.  If that is not possible any more, because the
  file or the process is another, the half line gets a line end and the line is written again.
* The file is found by its name: if somebody moves, removes or replaces it, that is noticed before
  the next line, and the file is opened again.
* No renamed file is removed while its last line is younger than ``keep_s``: then the full file
  keeps growing.  So nobody can push out old lines by adding new ones.
* If a full file cannot be renamed (on Windows, while another program reads it), it keeps growing; a
  line in a file that is too large is better than no line.

Not thread-safe; any call may block as long as the disk does.
"""

import contextlib
import errno
import os
import stat
import time
from typing import Optional

from ..operations import log_rotation

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
for _name in ("O_CLOEXEC", "O_BINARY", "O_NOINHERIT"):
    _FLAGS |= getattr(os, _name, 0)
#: Only the user of opcws may read it: it says who did what in the plant.
_MODE = 0o600
#: After these errors the rest of a line can be written when there is room again.
_NO_ROOM = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EAGAIN", "EINTR")
    if hasattr(errno, name)
}


class AuditFile:
    """The file *path*, renamed to ``path.1``, ``path.2`` ... up to *backups* when another line
    would make it larger than *max_bytes* (0: never); none younger than *keep_s* seconds is removed
    for it.  With *sync*, :meth:`settle` waits for the disk."""

    def __init__(
        self, path: str, max_bytes: int, backups: int, sync: bool, keep_s: float = 0.0
    ) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._sync = sync
        self._keep_s = keep_s
        self._fd: Optional[int] = None
        self._is_file = False
        self._size = 0
        # The rest of a line that the disk has not accepted.
        self._rest: Optional[bytes] = None
        # The size at which renaming is tried again after it failed or was too early.
        self._grows_to = 0
        #: Why the full file could not be renamed; None if it could.
        self.not_renamed: Optional[str] = None

    def open(self) -> None:
        """Open or create the file, if it is not open.  Raises :exc:`OSError`."""
        if self._fd is not None:
            return
        self._rest = None
        made = self._sync and not os.path.exists(self.path)
        fd = os.open(self.path, _FLAGS, _MODE)
        try:
            status = os.fstat(fd)
            self._is_file = stat.S_ISREG(status.st_mode)
            self._size = status.st_size if self._is_file else 0
            if self._size and not self._ends_with_line_end():
                self._size += os.write(fd, b"\n")
            if made:
                self._settle_directory()
        except OSError:
            os.close(fd)
            raise
        self._fd = fd

    def append(self, line: bytes) -> None:
        """Write *line*, which ends with a line end.

        Raises :exc:`OSError`; then the caller must pass the same line again.
        """
        if self._fd is not None and not self._is_still_there():
            self.close()
            self._grows_to = 0
        if self._fd is None:
            self.open()
        elif self._is_full(len(line)):
            self._rename()
        assert self._fd is not None
        data = line if self._rest is None else self._rest
        try:
            while data:
                written = os.write(self._fd, data)
                self._size += written
                data = data[written:]
                self._rest = data
        except OSError as error:
            if error.errno not in _NO_ROOM:
                self.close()  # the disk or share is gone; the descriptor is closed anyway
            raise
        self._rest = None

    def settle(self) -> None:
        """Wait until the lines would survive a power cut, if *sync* is set. Raises
        :exc:`OSError`."""
        if self._sync and self._fd is not None and self._is_file:
            os.fsync(self._fd)

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):  # it is closed anyway
                os.close(fd)

    def _is_full(self, more: int) -> bool:
        if not self._max_bytes or not self._is_file or self._rest is not None or not self._size:
            return False
        return self._size + more > max(self._max_bytes, self._grows_to)

    def _is_still_there(self) -> bool:
        assert self._fd is not None
        if os.name == "nt":
            return True  # Windows does not move or remove an open file
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._fd))
        except OSError:
            return False

    def _ends_with_line_end(self) -> bool:
        with open(self.path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _would_remove_a_young_one(self) -> bool:
        oldest = "%s.%d" % (self.path, self._backups) if self._backups else self.path
        try:
            # After the clock was set back, a file of the future counts as young.
            return time.time() - os.stat(oldest).st_mtime < self._keep_s
        except OSError:
            return False

    def _rename(self) -> None:
        if self._would_remove_a_young_one():
            self._grows_to = self._size + max(self._max_bytes // 10, 1)
            return
        self.settle()
        self.close()
        try:
            log_rotation.rename(self.path, self._backups)
            self.not_renamed = None
            self._grows_to = 0
        except OSError as error:
            self.not_renamed = error.strerror or str(error)
            self._grows_to = self._size + self._max_bytes // 10
        self.open()

    def _settle_directory(self) -> None:
        """A new name is on the disk when its directory is (not so on Windows)."""
        if os.name == "nt":
            return
        directory = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
