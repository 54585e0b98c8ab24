"""Reads a history file for users, while opcws records into it or not.

Rules:

* Only :func:`vacuum` changes the file: it returns free space in such small steps that a recording
  opcws does not have to wait.
* An export has the values at its beginning, and none that are recorded meanwhile.

Threads: any; each call has its own connection.  Raises :exc:`~opcws.model.errors.ConfigError` for a
file that cannot be used.
"""

import contextlib
import os
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..model.data_types import DataValue
from ..model.errors import ConfigError
from . import history_file
from .columns import Run
from .history_file import Errors, HistoryFile, Spoilt, Unusable, VariableRow
from .stored_values import STANDARD_NAMESPACE

#: Pages given back at a time.
STEP = 256


class Recorded(NamedTuple):
    """One variable of one node: the number of its values, their earliest and latest time, 0 if
    there is none.  ``now`` says whether it is being recorded."""

    name: str
    server: str
    node: str
    now: bool
    values: int
    first: int
    last: int


class Content(NamedTuple):
    """A file: its size and free bytes, whether an opcws is recording into it, and its variables by
    name."""

    bytes: int
    free: int
    recording: bool
    series: Sequence[Recorded]


class _Series(NamedTuple):
    """A row of the file, and the entries that are not in a block yet."""

    row: VariableRow
    tail: Run

    @property
    def base(self) -> int:
        return self.row.number + self.row.entries


def look(path: str) -> Content:
    """The content of the file *path*."""
    found = []
    with _opened(path) as file:
        with file.snapshot():
            totals, every = file.totals_of_variables(), _every(file)
        for row, tail in every:
            count, first, last = totals.get(row.id, (0, 0, 0))
            times = [*tail.times, *((first, last) if count else ())]
            span = min(times, default=0), max(times, default=0)
            name, server, node = row.name, row.server, row.node
            found.append(Recorded(name, server, node, bool(row.recorded), count + len(tail), *span))
        _pages, free, size = file.pages()
        return Content(history_file.size_of(path), free * size, history_file.is_locked(path), found)


def values(
    path: str, wanted: Callable[[str], bool], start: int, end: int
) -> Iterator[Tuple[str, DataValue, Sequence[str]]]:
    """Every value of the variables in the file *path* whose name is *wanted*, with a time from
    *start* to *end* (ticks, both included): variable by variable, in the order of recording, each
    with the name and the namespaces of its indexes."""
    with _opened(path) as file:
        with file.snapshot():
            every = [each for each in _every(file) if wanted(each.row.name)]
        for series in every:
            name = series.row.name
            for run, length in _runs(file, series, start, end):
                namespaces = [STANDARD_NAMESPACE]
                times = run.times
                places = [each for each in range(length) if start <= times[each] <= end]
                for value in run.data_values(places, namespaces):
                    yield name, value, namespaces


def vacuum(path: str) -> Tuple[int, int]:
    """Return the free space in the file *path* to the disk; returns its size before and after."""
    with _opened(path) as file:
        before = history_file.size_of(path)
        while file.pages()[1]:
            file.give_back(STEP)
        file.checkpoint()
        return before, history_file.size_of(path)


@contextlib.contextmanager
def telling(path: str) -> Iterator[None]:
    """Converts errors in the block to a ConfigError about the file *path*."""
    try:
        yield
    except Spoilt as error:
        raise ConfigError(history_file.explained(error, path)) from None


@contextlib.contextmanager
def _opened(path: str) -> Iterator[HistoryFile]:
    if not os.path.exists(path):
        raise ConfigError(
            "%s: nothing is recorded yet; name variables in the section 'record', and start opcws"
            % path
        )
    try:
        file = HistoryFile(path)
        try:
            yield file
        finally:
            file.close()
    except (Unusable, *Errors, *Spoilt) as error:
        raise ConfigError(history_file.explained(error, path)) from None


def _every(file: HistoryFile) -> List[_Series]:
    """Every series in the file, by name; those of the same name in the order of recording."""
    series = {row.id: _Series(row, Run()) for row in file.variables()}

    def tail(row: int, variable: int) -> Optional[Run]:
        return series[variable].tail if row > series[variable].row.journal else None

    for _row in file.journal(tail):
        pass
    return sorted(series.values(), key=lambda each: (each.row.name, each.row.id))


def _runs(file: HistoryFile, series: _Series, start: int, end: int) -> Iterator[Tuple[Run, int]]:
    """The entries of *series* in their order, and how many of each run to use: a block may have got
    a part of the tail meanwhile."""
    number = 0
    while number < series.base:
        block = file.next_block(series.row.id, start, end, number, series.base)
        if block is None:
            break
        number = block.number + len(block.run)
        yield block.run, min(len(block.run), series.base - block.number)
    yield series.tail, len(series.tail)
