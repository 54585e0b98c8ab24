"""From what was found on an OPC UA server to a configuration file: made, merged into, or only
compared."""

import difflib
import os
from typing import List, NamedTuple, Optional, Sequence

from ..config import loads, read_text
from ..config.loader import MAX_FILE_BYTES
from ..model.errors import ConfigError
from . import config_file, spreadsheet
from .browse import Explored, Target


class Written(NamedTuple):
    """What became, or would become, of the file ``path``; ``before`` is ``""`` for a new one."""

    path: str
    before: str
    after: str
    server: str
    added: int
    known: int
    missing: Sequence[str] = ()
    changed: int = 0
    unreadable: int = 0
    off: int = 0

    @property
    def is_new(self) -> bool:
        return not self.before.strip()

    def lines(self) -> List[str]:
        """What was done, for people."""
        lines = self._lines()
        if self.off:
            lines.append("%s that are comments in it stay so" % _variables(self.off))
        if self.unreadable:
            lines.append(
                "%s that the server does not let this user read left out"
                % _variables(self.unreadable)
            )
        return lines

    def _lines(self) -> List[str]:
        if self.is_new:
            return ["wrote %s: %s" % (self.path, _variables(self.added))]
        if self.before == self.after:
            lines = ["%s has all of it already; nothing was changed" % self.path]
        else:
            lines = [
                "%s: added %s to server %s; %d were there"
                % (self.path, _variables(self.added), self.server, self.known)
            ]
        if self.missing:
            some = ", ".join(self.missing[:5]) + (", ..." if len(self.missing) > 5 else "")
            lines.append(
                "%s in it and not among what was found, and kept: %s"
                % (_variables(len(self.missing)), some)
            )
        return lines


def prepare(path: str, target: Target, explored: Explored, wanted: Optional[str]) -> Written:
    """What the file *path* becomes with what was *explored* of *target*; nothing is written.

    Raises :exc:`~opcws.model.errors.ConfigError`, also if there is nothing to write.
    """
    before = read_text(path) if os.path.exists(path) else ""
    found = [each for each in explored.found if each.readable]
    unreadable = len(explored.found) - len(found)
    if not before.strip():
        if not found:
            raise ConfigError(
                [
                    "nothing was found, so %s is not written; 'opcws browse' without "
                    "--write-config shows why" % path
                ]
            )
        name = wanted or "plant"
        after = config_file.new_text(name, target.settings, found)
        loads(after, path)
        return Written(path, before, after, name, len(found), 0, unreadable=unreadable)
    merged = config_file.merged(before, path, target.settings, found, wanted, explored.namespaces)
    return Written(
        path,
        before,
        merged.text,
        merged.server,
        len(merged.added),
        len(merged.known),
        [] if explored.partial else merged.missing,
        unreadable=unreadable,
        off=merged.off,
    )


def from_table(path: str, table: str, server: Optional[str]) -> Written:
    """What the configuration *path* becomes with the CSV file *table*; nothing is written.

    Raises :exc:`~opcws.model.errors.ConfigError`.
    """
    before = read_text(path)
    try:
        with open(table, "rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(["%s: cannot be read: %s" % (table, error.strerror)]) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(["%s: is over %d bytes; split it" % (table, MAX_FILE_BYTES)])
    imported = spreadsheet.import_into(before, path, spreadsheet.read(raw, table), table, server)
    return Written(
        path,
        before,
        imported.text,
        server or "",
        len(imported.added),
        0,
        changed=len(imported.changed),
    )


def diff(written: Written) -> List[str]:
    """What changes in the file, as a unified diff."""
    before = "" if written.is_new else written.before
    return list(
        difflib.unified_diff(
            before.splitlines(),
            written.after.splitlines(),
            written.path,
            written.path + " (new)",
            lineterm="",
        )
    )


def carry_out(written: Written) -> None:
    """Write the file.  Raises :exc:`~opcws.model.errors.ConfigError`."""
    if written.after != written.before:
        config_file.save(written.path, written.after)


def _variables(number: int) -> str:
    return "%d variable%s" % (number, "" if number == 1 else "s")
