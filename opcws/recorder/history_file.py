"""The history file; the only module that uses SQL.

Rules:

* ``variables`` has a row for each series, which says how far it is in blocks.  ``journal`` has a
  row for each commit, with all its entries; a row is removed when all of them are in blocks.  A row
  of ``blocks`` has up to some thousand entries of one variable.  ``alive`` has the time of the last
  sign of life.
* The number of entries rises by one in each series.  ``number`` of a block is that of its first
  entry, ``first`` and ``last`` are its earliest and latest time.  The newest block has the largest
  ``id``, independent of clocks.
* One process at a time writes: it locks a file beside it, which is an SQLite database itself, so
  the lock ends with the process, on any system.  Others may read at any time.
* WAL with ``synchronous=NORMAL`` (https://sqlite.org/wal.html): a commit does not wait for the disk
  and is safe as soon as the operating system has it; a power failure costs the last commits, but
  not the file.

Threads: each has its own object.  Raises :exc:`sqlite3.Error` or :exc:`OSError`, which
:func:`explained` turns into a sentence, or :exc:`Unusable`.
"""

import contextlib
import errno
import os
import sqlite3
import struct
import sys
import zlib
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import columns
from .columns import Run

#: The steps from each version of the schema to the next one, from an empty file on.
MIGRATIONS = (
    """
    CREATE TABLE variables(
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, server TEXT NOT NULL, node TEXT NOT NULL,
        recorded INTEGER NOT NULL DEFAULT 0, number INTEGER NOT NULL DEFAULT 0,
        count INTEGER NOT NULL DEFAULT 0, journal INTEGER NOT NULL DEFAULT 0,
        UNIQUE(name, server, node));
    CREATE TABLE journal(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE blocks(
        id INTEGER PRIMARY KEY, variable INTEGER NOT NULL, number INTEGER NOT NULL,
        count INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        stored INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE INDEX blocks_of_variable ON blocks(variable, number, count, first, last);
    CREATE TABLE alive(ticks INTEGER NOT NULL);
    INSERT INTO alive VALUES(0);
    """,
)
#: Most entries of a block.
MOST = 4096
#: Number of blocks in which the oldest entry is searched.
FIRST_BLOCKS = 1000
#: Seconds to wait for another connection of SQLite, which locks the file only for moments.
BUSY_S = 10.0
#: Seconds to wait for the lock.
LOOK_S = 0.5

Errors = (sqlite3.Error, OSError, zlib.error)
#: Errors of reading a file that another program has changed.
Spoilt = (struct.error, AttributeError, LookupError, OverflowError, TypeError, ValueError)


class Unusable(Exception):
    """The file cannot be used; the text says why and what to do."""


class VariableRow(NamedTuple):
    """A series in the file.  Its newest block has ``entries`` entries from ``number`` on; all
    entries up to the row ``journal`` of the journal are in blocks."""

    id: int
    name: str
    server: str
    node: str
    recorded: bool
    number: int
    entries: int
    journal: int


class Block(NamedTuple):
    """Entries of one variable, from *number* on."""

    number: int
    run: Run


class OldBlock(NamedTuple):
    """The *entries* of the series *variable* from *number* on came until *stored*, in ticks."""

    variable: int
    number: int
    entries: int
    stored: int


class HistoryFile:
    """The history file at *path*, which must exist unless *create* is set."""

    def __init__(self, path: str, create: bool = False) -> None:
        self.path = path
        self._lock: Optional[sqlite3.Connection] = None
        if create:
            self._take_lock()
        try:
            self._connection = self._connect(create)
        except BaseException:
            if self._lock is not None:
                self._lock.close()
            raise
        self._execute = self._connection.execute
        self._identity = self._look()

    def _look(self) -> List[Tuple[int, int]]:
        """Identifies the file, and the one beside it with the newest data, to notice replaced
        ones."""
        try:
            found = [os.stat(self.path), os.stat(self.path + "-wal")]
        except FileNotFoundError:
            return []
        return [(each.st_dev, each.st_ino) for each in found]

    def require(self) -> None:
        """Raises :exc:`Unusable` if the open file has been removed or replaced."""
        if self._look() != self._identity:
            raise Unusable(
                "%s, or the -wal beside it, was removed or replaced while opcws recorded into it; "
                "opcws begins with what is there now" % self.path
            )

    def _take_lock(self) -> None:
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), 0o700, exist_ok=True)
        # A check for the lock holds it for a moment.
        lock = sqlite3.connect(self.path + "-lock", timeout=LOOK_S, isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            if "locked" not in str(error):
                raise
            raise Unusable(
                "another opcws records into %s; give each a state_dir of its own" % self.path
            ) from None
        self._lock = lock

    def _connect(self, create: bool) -> sqlite3.Connection:
        if create and not os.path.exists(self.path):
            # Only for its owner; SQLite gives the files beside it the same rights.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        uri = Path(self.path).absolute().as_uri() + "?mode=rw"
        connection = sqlite3.connect(uri, timeout=BUSY_S, isolation_level=None, uri=True)
        try:
            execute = connection.execute
            if create:
                execute("PRAGMA auto_vacuum = INCREMENTAL")
                execute("PRAGMA journal_mode = WAL")
                execute("PRAGMA synchronous = NORMAL")
            self._migrate(connection, create)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection, create: bool) -> None:
        execute = connection.execute
        tables = execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        version = 0
        if tables:
            if not execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone():
                raise Unusable("%s is not a history file of opcws; move it away" % self.path)
            (version,) = execute("SELECT version FROM schema_version").fetchone()
        if version > len(MIGRATIONS):
            raise Unusable(
                "%s was written by a newer opcws (schema %d, this one knows %d); install that "
                "again, or move the file away" % (self.path, version, len(MIGRATIONS))
            )
        if version == len(MIGRATIONS):
            return
        if not create and not version:
            raise Unusable("%s: nothing is recorded yet" % self.path)
        if not create:
            raise Unusable(
                "%s has the schema %d of an older opcws; 'opcws serve' brings it up to date"
                % (self.path, version)
            )
        script = "".join(MIGRATIONS[version:])
        if not version:
            script += "CREATE TABLE schema_version(version INTEGER NOT NULL);"
            script += "INSERT INTO schema_version VALUES(0);"
        connection.executescript(
            "BEGIN;%s;UPDATE schema_version SET version = %d;COMMIT" % (script, len(MIGRATIONS))
        )

    def close(self) -> None:
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    # --- whole transactions ---------------------------------------------------------------------

    def __enter__(self) -> None:
        """The steps of the block are one transaction."""
        self._execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._execute("COMMIT")
        elif self._connection.in_transaction:
            self._execute("ROLLBACK")

    # --- reading --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads in the block see the same state; they do not block others."""
        self._execute("BEGIN")
        try:
            yield
        finally:
            self._execute("COMMIT")

    def variables(self) -> List[VariableRow]:
        rows = self._execute(
            "SELECT id, name, server, node, recorded, number, count, journal FROM variables"
        )
        return [VariableRow(*row) for row in rows]

    def alive(self) -> int:
        """Time of the last sign of life; 0 if there was none."""
        (ticks,) = self._execute("SELECT ticks FROM alive").fetchone()
        return int(ticks)

    def journal(self, into: Callable[[int, int], Optional[Run]]) -> Iterator[int]:
        """Add the entries of the journal to runs, and yield the ids of the rows: *into* returns the
        run for the id of a row and of a variable."""
        for row, data in self._execute("SELECT id, data FROM journal ORDER BY id"):
            data = zlib.decompress(data)
            position = 0
            while position < len(data):
                variable = int.from_bytes(data[position : position + 4], "little")
                position = columns.from_journal(data, position + 4, into(row, variable))
            yield row

    def block_at(self, variable: int, number: int, most: int = sys.maxsize) -> Run:
        """The entries of the block of *variable* that begins at *number*; none if it was removed,
        or takes more than *most* bytes."""
        found = self._execute(
            "SELECT data FROM blocks WHERE variable = ? AND number = ? AND length(data) <= ?",
            (variable, number, most),
        ).fetchone()
        return Run() if found is None else columns.from_block(found[0])

    def next_block(
        self, variable: int, low: int, high: int, first: int, stop: int
    ) -> Optional[Block]:
        """The first block of *variable* that may have a time from *low* to *high*, and a number
        from *first* to before *stop*."""
        return self._block(
            "number > ? AND number + count > ? AND number < ? AND last >= ? AND first <= ? "
            "ORDER BY number LIMIT 1",
            (variable, first - MOST, first, stop, low, high),
        )

    def block_before(
        self, variable: int, low: int, high: int, first: int, stop: int
    ) -> Optional[Block]:
        """The last such block."""
        return self._block(
            "number + count > ? AND number < ? AND last >= ? AND first <= ? "
            "ORDER BY number DESC LIMIT 1",
            (variable, first, stop, low, high),
        )

    def _block(self, condition: str, values: Sequence[int]) -> Optional[Block]:
        found = self._execute(
            "SELECT number, data FROM blocks WHERE variable = ? AND " + condition, values
        ).fetchone()
        return None if found is None else Block(found[0], columns.from_block(found[1]))

    def at_or_before(self, variable: int, moment: int) -> List[Block]:
        """The blocks of *variable* that may contain the latest entry not later than *moment*."""
        return self._bounding(
            variable,
            "first <= :moment AND last >= ifnull((SELECT max(last) FROM blocks WHERE "
            "variable = :variable AND last <= :moment), first)",
            moment,
        )

    def at_or_after(self, variable: int, moment: int) -> List[Block]:
        """The blocks of *variable* that may contain the earliest entry not earlier than
        *moment*."""
        return self._bounding(
            variable,
            "last >= :moment AND first <= ifnull((SELECT min(first) FROM blocks WHERE "
            "variable = :variable AND first >= :moment), last)",
            moment,
        )

    def _bounding(self, variable: int, condition: str, moment: int) -> List[Block]:
        rows = self._execute(
            "SELECT number, data FROM blocks WHERE variable = :variable AND " + condition,
            {"variable": variable, "moment": moment},
        )
        return [Block(number, columns.from_block(data)) for number, data in rows]

    def totals(self) -> Tuple[int, int]:
        """How many entries are in blocks, and the earliest time in them (:meth:`oldest`)."""
        (count,) = self._execute("SELECT ifnull(sum(count), 0) FROM blocks").fetchone()
        return count, self.oldest()

    def totals_of_variables(self) -> Dict[int, Tuple[int, int, int]]:
        """Of each variable: how many entries are in blocks, their earliest and latest time."""
        rows = self._execute(
            "SELECT variable, sum(count), min(first), max(last) FROM blocks GROUP BY variable"
        )
        return {variable: (count, first, last) for variable, count, first, last in rows}

    def oldest(self) -> int:
        """The earliest time in blocks, 0 if there are none.  It is in one of the first stored
        blocks; a short block may have been stored again since."""
        (first,) = self._execute(
            "SELECT min(first) FROM (SELECT first FROM blocks ORDER BY id LIMIT ?)", (FIRST_BLOCKS,)
        ).fetchone()
        return first or 0

    # --- writing, within a transaction ----------------------------------------------------------

    def add_variable(self, name: str, server: str, node: str) -> int:
        cursor = self._execute(
            "INSERT INTO variables(name, server, node) VALUES(?, ?, ?)", (name, server, node)
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def set_recorded(self, variable: int, recorded: bool) -> None:
        self._execute("UPDATE variables SET recorded = ? WHERE id = ?", (recorded, variable))

    def add_journal(self, row: int, pieces: Sequence[bytes]) -> None:
        data = zlib.compress(b"".join(pieces), 1)
        self._execute("INSERT INTO journal VALUES(?, ?)", (row, data))

    def shorten_journal(self, row: int) -> None:
        """Remove the rows before *row*."""
        self._execute("DELETE FROM journal WHERE id < ?", (row,))

    def set_alive(self, ticks: int) -> None:
        self._execute("UPDATE alive SET ticks = ?", (ticks,))

    def remove_block(self, variable: int, number: int) -> None:
        self._execute("DELETE FROM blocks WHERE variable = ? AND number = ?", (variable, number))

    def add_block(self, variable: int, number: int, run: Run, stored: int) -> None:
        """*stored* is the latest arrival of its entries in ticks."""
        times = run.times
        self._execute(
            "INSERT INTO blocks(variable, number, count, first, last, stored, data) "
            "VALUES(?, ?, ?, ?, ?, ?, ?)",
            (variable, number, len(run), min(times), max(times), stored, run.block()),
        )

    def set_newest(self, variable: int, number: int, count: int, journal: int) -> None:
        """Note that all entries of *variable* up to the row *journal* are in blocks, the newest of
        which has *count* entries from *number* on."""
        self._execute(
            "UPDATE variables SET number = ?, count = ?, journal = ? WHERE id = ?",
            (number, count, journal, variable),
        )

    # --- size -----------------------------------------------------------------------------------

    def oldest_blocks(self, most: int) -> List[OldBlock]:
        """The *most* blocks that were stored first."""
        rows = self._execute(
            "SELECT variable, number, count, stored FROM blocks ORDER BY id LIMIT ?", (most,)
        )
        return [OldBlock(*row) for row in rows]

    def pages(self) -> Tuple[int, int, int]:
        """Number of pages of the file, how many of them are free, and the bytes of each."""
        count, free, size = (
            self._execute("PRAGMA " + name).fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return count, free, size

    def give_back(self, pages: int) -> None:
        """Shorten the file by this number of free *pages*; outside of a transaction."""
        self._execute("PRAGMA incremental_vacuum(%d)" % pages).fetchall()

    def checkpoint(self) -> None:
        """Move the contents of SQLite's files beside it into the file, as far as other connections
        allow."""
        self._execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def is_locked(path: str) -> bool:
    """Whether a process writes into the history file *path*."""
    if not os.path.exists(path + "-lock"):
        return False
    lock = sqlite3.connect(path + "-lock", timeout=0, isolation_level=None)
    try:
        lock.execute("SELECT count(*) FROM sqlite_master").fetchall()
        return False
    except sqlite3.OperationalError:
        return True
    finally:
        lock.close()


def size_of(path: str) -> int:
    """Bytes of the history file *path* and SQLite's files beside it; 0 if there is none."""
    total = 0
    for name in (path, path + "-wal"):
        try:
            total += os.path.getsize(name)
        except OSError:
            pass
    return total


def explained(error: Exception, path: str) -> str:
    """One sentence about the problem of the file *path*, and what to do."""
    text = str(error)
    if isinstance(error, Unusable):
        return text
    if isinstance(error, Spoilt) or "no such" in text or "UTF-8" in text:
        return "%s: another program than opcws has written into the file; move it away" % path
    if isinstance(error, OSError):
        full, forbidden = error.errno == errno.ENOSPC, isinstance(error, PermissionError)
        text = error.strerror or text
    else:
        full, forbidden = "full" in text, "readonly" in text or "unable to open" in text
    if full:
        advice = "the disk is full; make room there, or lower record.max_bytes or keep_days"
    elif forbidden:
        advice = "opcws may not write it; give its user the right to write it and its directory"
    elif isinstance(error, zlib.error) or "malformed" in text or "not a database" in text:
        advice = "the file is broken; move it away, and opcws begins a new one"
    elif "locked" in text:
        advice = "another program holds it; end that"
    else:
        advice = "%s; check the disk" % text
    return "%s: %s" % (path, advice)
