"""The writer: from the values of the relays to the history file.

Rules:

* Other threads only queue values.  When too much waits, only the latest value of each series is
  kept until there is room, and recorded with the Overflow bit; earlier ones are dropped and
  counted.
* Entries go into the tails of their series, in memory, and at most COMMIT_S later, all together,
  into the journal.  A kill costs only the entries of that time.
* A tail becomes a block when it is long or old, or one of the longest when all take TAIL_BYTES
  together.  A short block is made again with the entries that follow.
* Old entries are removed a few blocks at a time, between two rounds of the queue; the newest value
  of a recorded variable stays as long as it is valid.
* A failing file is reported once, with advice, and tried again every RETRY_S seconds.  Recording
  then begins as after a start, and each series continues with its latest value.
* After a start each series has a gap from the last sign of life on.

Threads: the methods under "any thread" take the lock for a moment; the rest runs on
``opcws-record``.
"""

import logging
import math
import threading
import time
from collections import deque
from heapq import nlargest
from itertools import islice
from operator import attrgetter
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from ..gateway.plant_interface import DEFECT
from ..model import status_codes
from ..model.clock import utc_ticks
from ..model.data_types import TICKS_PER_SECOND, DataValue
from ..wire.notifications import Notification
from .columns import ENTRY_BYTES, Run
from .history_file import (
    MOST,
    Errors,
    HistoryFile,
    OldBlock,
    Unusable,
    explained,
    size_of,
)
from .series import EVERY_VALUE, Key, Rule, Series

log = logging.getLogger(__name__)

Entry = Tuple[Series, Notification]
Command = Callable[[], None]
Item = Union[List[Entry], Command]

#: Seconds in which entries gather before they are processed, and between two commits.
GATHER_S, COMMIT_S = 0.4, 0.5
#: Number of entries that are processed sooner, that are taken at a time with the lock, and that may
#: wait.
MUCH, SLICE, MOST_WAITING = 5000, 500, 200_000
#: About the most bytes that may wait.
WAITING_BYTES = 128 * 1024 * 1024
#: Pause in seconds after each of these, for other threads.
AWAY_S = 0.0002
#: About how many entries, or how many bytes, make a block.
BLOCK, LARGE = 1024, 512 * 1024
#: Bytes of all tails together.
TAIL_BYTES = 64 * 1024 * 1024
#: With more rows of the journal the oldest tails become blocks.
JOURNAL_ROWS = 3600
#: Blocks written or removed in one transaction, and longest time in seconds of such work at once.
STEP, WORK_S = 8, 0.05
#: Free pages that stay in the file, and pages returned at a time.
SPARE_PAGES, GIVE_BACK = 1024, 64
#: Seconds between two signs of life without recorded values, and before a failed file is tried
#: again.
ALIVE_S, RETRY_S = 15.0, 60.0

OUT_OF_SERVICE = status_codes.code("BadOutOfService")
#: A value that opcws could not encode.
NOT_STORED = status_codes.code("BadEncodingError")
_BYTES = attrgetter("bytes")


class Writer:
    """Records into the file *path*; :meth:`change` sets the rules."""

    def __init__(self, path: str) -> None:
        self.path = path
        # Guards the queue and its fill level.
        self._queue_lock = threading.Lock()
        self._arrived = threading.Condition(self._queue_lock)
        self._queue: Deque[Item] = deque()
        self._waiting = 0
        self._most_waiting = MOST_WAITING
        self._hurry = False
        self._stopping = False
        # The latest value of each series for which there was no room.
        self._late: Dict[Series, Notification] = {}
        #: Numbers of dropped and of recorded entries.
        self.dropped = 0
        self.recorded = 0
        # Guards the tails.
        self.lock = threading.Lock()
        #: All series; any thread adds to it, in one step.
        self.series: Dict[Key, Series] = {}
        #: How often the file was opened; why it cannot be written.
        self.generation = 0
        self.failure: Optional[str] = None
        self.bytes = 0
        self.oldest = 0
        #: Called on the thread when the file cannot be used any more.
        self.forsaken: Callable[[], None] = lambda: None
        # Of the thread: its next work, the file, whether that is in use, series by their ids in it;
        # series with entries that are not in the journal yet, with a tail in the journal (in the
        # order of its rows), with a long tail, and with a held value.
        self._items: Deque[Item] = deque()
        self._file: Any = None
        self._ready = False
        self._by_id: Dict[int, Series] = {}
        self._dirty: Dict[Series, None] = {}
        self._tails: Dict[Series, None] = {}
        self._full: Dict[Series, None] = {}
        self._held: Dict[Series, None] = {}
        # The newest row of the journal, and about the bytes of all tails in it.
        self._row = 0
        self._tail_bytes = 0
        self._in_blocks = 0
        # Number of series in a row with only a newest value left, which stays.
        self._spared = 0
        self._committed_at = 0.0
        # Whether work that can wait is left.
        self._behind = False
        self._never = threading.Event()
        self._rules: Mapping[Series, Rule] = {}
        self._keep_days = 0.0
        self._max_bytes = 0
        self._told: Optional[str] = None
        # A daemon, because a disk may never answer; stop() joins it.
        self.thread = threading.Thread(target=self._run, name="opcws-record", daemon=True)

    # --- any thread -----------------------------------------------------------------------------

    def take(self, entries: List[Entry]) -> None:
        """Record *entries*; the list does not belong to the caller any more."""
        with self._queue_lock:
            if self._waiting + len(entries) > self._most_waiting:
                before = len(self._late)
                self._late.update(entries)
                self.dropped += before + len(entries) - len(self._late)
                return
            if self._late:
                self._put_late()
            self._queue.append(entries)
            self._waiting += len(entries)
            if len(self._queue) == 1 or self._waiting >= MUCH:
                self._arrived.notify()

    def _put_late(self) -> None:
        late, self._late = self._late, {}
        self._queue.append(lambda: self._lost(late))
        self._queue.append(list(late.items()))

    def put(self, command: Command, hurry: bool = False) -> None:
        """Run *command* on the writer's thread, after everything put before; soon if it is in a
        *hurry*."""
        with self._queue_lock:
            self._queue.append(command)
            self._hurry = self._hurry or hurry
            self._arrived.notify()

    @property
    def backlog(self) -> int:
        """Entries that wait."""
        return self._waiting

    def stop(self) -> None:
        """End the thread after everything put before."""
        with self._queue_lock:
            self._stopping = True
            self._arrived.notify()

    def values(self) -> int:
        """About how many entries are stored."""
        return self._in_blocks + sum([len(each.tail) for each in list(self.series.values())])

    def first(self) -> int:
        """The time of the oldest entry, about; 0 if there is none."""
        tails = [each.tail for each in list(self.series.values())]
        times = [_first(tail) for tail in tails if tail.servers]
        return min([*times, self.oldest] if self.oldest else times, default=0)

    # --- opcws-record: the file -----------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._file = HistoryFile(self.path, create=True)
                try:
                    self._open()
                    self._serve()
                finally:
                    self._ready = False
                    self._file.close()
            except (Unusable, *Errors) as error:
                self._fail(explained(error, self.path))
            except Exception:
                log.exception("the recorder: a defect")
                self._fail("%s: %s" % (self.path, DEFECT))
            until = time.monotonic() + RETRY_S
            while not self._stopping and time.monotonic() < until:
                self._wait(until - time.monotonic())
        self._wait(0.0)

    def _fail(self, problem: str) -> None:
        if problem != self._told:
            log.error("recording has stopped: %s; it is tried again every %g s", problem, RETRY_S)
        self._told = self.failure = problem
        self.forsaken()

    def _wait(self, patience: float) -> None:
        """Wait while nothing can be recorded; commands are still answered."""
        if not self._items:
            self._items = self._next(patience)
        while self._items:
            item = self._items.popleft()
            if isinstance(item, list):
                self.dropped += len(item)
                for series, update in item:
                    series.last = update
            else:
                item()

    def _open(self) -> None:
        """Read the state of the file, and continue with it."""
        self._load()
        self._begin(self._file.alive())
        self._commit()
        self._apply(self._rules)
        self.generation += 1
        self._ready = True
        known = [(each, each.last) for each in self._by_id.values() if each.last is not None]
        if self._told is not None and known:
            self._items.appendleft(known)
        else:
            self._goes_on()

    def _goes_on(self) -> None:
        """Log that recording works again, after a successful write: opening the file does not show
        that a disk is full."""
        self.failure = None
        if self._told is not None:
            log.warning("recording goes on: %s is written again", self.path)
            self._told = None

    def _load(self) -> None:
        file = self._file
        self._by_id.clear()
        for each in (self._dirty, self._tails, self._full, self._held):
            each.clear()
        with self.lock:
            for series in list(self.series.values()):
                series.forget()
            for row in file.variables():
                key = (row.name, row.server, row.node)
                series = self._by_id[row.id] = self.series.setdefault(key, Series(key))
                series.id, series.base = row.id, row.number + row.entries
                series.block_number, series.block_count = row.number, row.entries
                series.journal = row.journal
                series.rule = EVERY_VALUE if row.recorded else None
            self._row = max([series.journal for series in self._by_id.values()], default=0)
            for number in file.journal(self._tail):
                self._row = max(self._row, number)
                self._give_way()
            for series in self._tails:
                series.journaled = len(series.tail)
                series.bytes = series.journaled * ENTRY_BYTES + series.tail.text_bytes
                if series.journaled >= BLOCK:
                    self._full[series] = None
            self._tail_bytes = sum([series.bytes for series in self._tails])
            self._in_blocks, self.oldest = file.totals()

    def _tail(self, row: int, variable: int) -> Optional[Run]:
        """The run for entries of *variable* in the *row* of the journal, unless they are in a
        block."""
        series = self._by_id[variable]
        if row <= series.journal:
            return None
        if not series.since:
            series.since = row
            self._tails[series] = None
        return series.tail

    def _begin(self, alive: int) -> None:
        """Record gaps from the last sign of life on."""
        for series in self._by_id.values():
            if not (series.base or len(series.tail)):
                continue
            if series.rule is not None and series.tail.last_status != OUT_OF_SERVICE:
                self._gap([series], alive, OUT_OF_SERVICE)
            series.gap = OUT_OF_SERVICE

    def change(self, rules: Mapping[Series, Rule], keep_days: float, max_bytes: int) -> None:
        """Record by *rules* from now on; remove entries older than *keep_days*, and the oldest if
        the file exceeds *max_bytes*."""
        self._keep_days, self._max_bytes = keep_days, max_bytes
        before, self._rules = self._rules, rules
        if self._ready:
            # A kill in between leaves a gap too many, not one too few.
            self._gap([each for each in before if each not in rules], utc_ticks(), OUT_OF_SERVICE)
            self._commit()
            self._apply(rules)

    def _apply(self, rules: Mapping[Series, Rule]) -> None:
        file = self._file
        with file, self.lock:
            for series in {**dict.fromkeys(self._by_id.values()), **rules}:
                rule = rules.get(series)
                if not series.id:
                    series.id = file.add_variable(*series.key)
                    self._by_id[series.id] = series
                if (rule is None) != (series.rule is None):
                    file.set_recorded(series.id, rule is not None)
                if rule != series.rule:
                    series.release(math.inf)
                    self._touched(series)
                series.rule = rule
                series.settle()

    # --- opcws-record: entries ------------------------------------------------------------------

    def _serve(self) -> None:
        stopped = False
        while not stopped:
            if not self._items:
                self._items = self._next(self._patience())
            self._process(self._items)
            stopped = self._stopping and not self._queue
            now = math.inf if stopped else time.monotonic()
            for series in [each for each in self._held if now >= each.due]:
                self._release(series, now)
            if now >= self._due:
                self._commit()
                self._goes_on()
                self._tidy()
            elif self._behind and not self._dirty:
                self._tidy()

    def _patience(self) -> float:
        """Seconds until the next work."""
        if self._behind and not self._dirty:
            return 0.0
        due = min([self._due, *[series.due for series in self._held]])
        return max(0.0, due - time.monotonic())

    @property
    def _due(self) -> float:
        """The time of the next commit, monotonic."""
        return self._committed_at + (COMMIT_S if self._dirty else ALIVE_S)

    def _give_way(self) -> None:
        """Let other threads run that wait for the interpreter."""
        self._never.wait(AWAY_S)

    def _next(self, patience: float) -> Deque[Item]:
        """The next work, as soon as there is much of it, it has gathered for a while, or it is
        urgent; nothing if none comes within *patience* seconds."""
        with self._queue_lock:
            self._arrived.wait_for(lambda: self._queue or self._stopping, patience)
            if self._queue:
                self._arrived.wait_for(
                    lambda: self._hurry or self._stopping or self._waiting >= MUCH,
                    min(patience, GATHER_S),
                )
            if self._late:
                self._put_late()
            items, self._queue = self._queue, deque()
            self._waiting = 0
            self._hurry = False
        return items

    def _process(self, items: Deque[Item]) -> None:
        # Converts times of the monotonic clock to ticks.
        offset = utc_ticks() - int(time.monotonic() * TICKS_PER_SECOND)
        taken = 0
        while items:
            item = items.popleft()
            if not isinstance(item, list):
                item()
                continue
            for first in range(0, len(item), SLICE):
                part = item[first : first + SLICE]
                with self.lock:
                    self._take(part, offset)
                taken += len(part)
                if taken >= SLICE:
                    taken = 0
                    self._give_way()
            self.recorded += len(item)

    def _take(self, entries: Sequence[Entry], offset: int) -> None:
        dirty = self._dirty
        for series, update in entries:
            series.last = update
            layout, row, _origin = update
            if layout.type == series.plain and layout.source and layout.server:
                _handle, value, source, server = row
                if source > 0 and server >= 0:
                    tail = series.tail
                    tail.values.append(value)
                    tail.sources.append(source)
                    tail.servers.append(server)
                    dirty[series] = None
                    continue
            self._take_one(series, update, offset)

    def _take_one(self, series: Series, update: Notification, offset: int) -> None:
        layout, row, origin = update
        arrived = origin.arrived or time.monotonic()
        now = offset + int(arrived * TICKS_PER_SECOND)
        value = layout.data_value(row)
        try:
            series.take(value, origin.namespaces, arrived, now, self._newest)
        except Errors:
            raise
        except Exception:
            log.exception("a value of %s cannot be recorded: a defect", series.key[0])
            series.lose(DataValue(None, NOT_STORED, value.source_timestamp or now))
        self._touched(series)

    def _touched(self, series: Series) -> None:
        if len(series.tail) > series.journaled:
            self._dirty[series] = None
        if series.held is not None:
            self._held[series] = None

    def _newest(self, series: Series) -> Run:
        run: Run = self._file.block_at(series.id, series.block_number)
        return run

    def _release(self, series: Series, moment: float) -> None:
        with self.lock:
            series.release(moment)
        self._touched(series)
        if series.held is None:
            del self._held[series]

    def gap(self, serieses: Sequence[Series], ticks: int, status: int) -> None:
        """Record that the values of *serieses* are unknown from *ticks* on, for the reason
        *status*."""
        if self._ready:
            self._gap(serieses, ticks, status)

    def _gap(self, serieses: Sequence[Series], ticks: int, status: int) -> None:
        with self.lock:
            for series in serieses:
                series.lose(DataValue(None, status, ticks))
                self._touched(series)

    def _lost(self, serieses: Iterable[Series]) -> None:
        with self.lock:
            for series in serieses:
                series.lost = True
                series.settle()

    # --- opcws-record: commits, blocks, and what is too much ------------------------------------

    def _commit(self) -> None:
        """Write all new entries to the journal."""
        file, row, pieces = self._file, self._row + 1, []
        oldest = next(iter(self._tails), None)
        entries = 0
        for number, series in enumerate(self._dirty, 1):
            entries += len(series.tail) - series.journaled
            piece = series.tail.journal(series.journaled)
            pieces += [series.id.to_bytes(4, "little"), piece]
            if not series.journaled:
                series.since = row
                self._tails[series] = None
            series.journaled = len(series.tail)
            series.bytes += len(piece)
            self._tail_bytes += len(piece)
            if series.journaled >= BLOCK or series.bytes >= LARGE:
                self._full[series] = None
            if not number % SLICE:
                self._give_way()
        with file:
            if pieces:
                file.add_journal(row, pieces)
            file.shorten_journal(row if oldest is None else oldest.since)
            file.set_alive(utc_ticks())
        if pieces:
            self._row = row
            # The next entries are probably about as large as the last.
            large = sum(map(len, pieces)) // entries
            self._most_waiting = min(MOST_WAITING, WAITING_BYTES // max(large, 1))
        self._dirty.clear()
        self._committed_at = time.monotonic()
        self.bytes = size_of(self.path)
        file.require()

    def _tidy(self) -> None:
        """Do some of the work that can wait; all entries are in the journal now."""
        while self._tail_bytes > min(TAIL_BYTES, self._max_bytes // 8) and not self._hurry:
            longest = nlargest(max(STEP, len(self._tails) // 20), self._tails, key=_BYTES)
            for first in range(0, len(longest), STEP):
                if not self._hurry:
                    self._flush(longest[first : first + STEP])
        until = time.monotonic() + WORK_S
        self._behind = True
        while self._behind and time.monotonic() < until and not self._hurry:
            self._behind = self._some_work()

    def _some_work(self) -> bool:
        """Returns whether there was any."""
        last = self._row - JOURNAL_ROWS
        due = islice(self._full, STEP) if self._full else islice(self._tails, STEP)
        serieses = [each for each in due if self._full or each.since <= last]
        if serieses:
            self._flush(serieses)
            return True
        return self._remove_old() or self._give_back()

    def _flush(self, serieses: Sequence[Series]) -> None:
        """Make blocks of the tails of *serieses*."""
        file, stored, newest = self._file, utc_ticks(), []
        with file:
            for series in serieses:
                number, run = series.base, series.tail
                self.oldest = min(self.oldest or _first(run), _first(run))
                if series.block_count + len(run) <= BLOCK and series.bytes < LARGE:
                    short = file.block_at(series.id, series.block_number, LARGE // 8)
                    if len(short):
                        number, run = series.block_number, short
                        run.extend(series.tail)
                        file.remove_block(series.id, number)
                for first in range(0, len(run), MOST):
                    part = run.part(first, first + MOST)
                    file.add_block(series.id, number + first, part, stored)
                newest.append((number + first, len(part), self._row))
                file.set_newest(series.id, *newest[-1])
        with self.lock:
            for series, block in zip(serieses, newest):
                self._in_blocks += len(series.tail)
                self._tail_bytes -= series.bytes
                series.flushed(*block)
                del self._tails[series]
                self._full.pop(series, None)
        self._spared = 0

    def _remove_old(self) -> bool:
        """Remove old blocks; returns whether there were any."""
        file = self._file
        count, free, size = file.pages()
        too_much = (count - free) * size > self._max_bytes and self._spared < len(self._by_id)
        kept = int(self._keep_days * 86400 * TICKS_PER_SECOND)
        too_old = utc_ticks() - kept if kept else 0
        blocks = [block for block in file.oldest_blocks(STEP) if too_much or block.stored < too_old]
        if not blocks:
            return False
        with file:
            for block in blocks:
                self._remove(block)
        self.oldest = file.oldest()
        return True

    def _remove(self, block: OldBlock) -> None:
        file, series = self._file, self._by_id[block.variable]
        kept = 0
        if series.rule is not None and block.number == series.block_number:
            # Its last value may still be that of the variable.
            last = file.block_at(series.id, block.number).part(block.entries - 1)
            kept = len(last)
        file.remove_block(series.id, block.number)
        self._in_blocks -= block.entries - kept
        self._spared += 1 if kept == block.entries else -self._spared
        if kept:
            series.block_number, series.block_count = block.number + block.entries - 1, 1
            file.add_block(series.id, series.block_number, last, utc_ticks())
            file.set_newest(series.id, series.block_number, 1, series.journal)

    def _give_back(self) -> bool:
        """Shorten the file; returns whether it was possible."""
        count, free, size = self._file.pages()
        if free <= SPARE_PAGES and count * size <= self._max_bytes or not free:
            return False
        self._file.give_back(GIVE_BACK)
        return True


def _first(run: Run) -> int:
    """The time of its first entry."""
    return run.sources[0] or run.servers[0]
