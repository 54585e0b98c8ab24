"""The reader: reads history from the file and from the writer's memory.

Rules:

* A read begins when the writer has taken all values queued before it, and sees the state of that
  moment: later values are not in its later pages either.
* It takes the tail first, with the writer's lock, and then the blocks before it.  A page is read in
  one piece, a chart some blocks at a time; in between no transaction is open, and other reads have
  their turn.
* A continuation point is the number of an entry and holds no data; it can be used once.  If the
  entry was removed meanwhile, the read fails, because a page must not begin after an invisible
  hole.
* Bounds are the entries nearest to the two times of the query, outside of them (OPC 10000-11
  6.5.3.2); a missing one is BadBoundNotFound at that time.

Threads: the methods under "any thread" only queue; the rest runs on ``opcws-record-read``.
"""

import logging
import queue
import threading
from collections import deque
from functools import partial
from typing import Callable, Deque, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..gateway.plant_interface import (
    DEFECT,
    ContinuationPoint,
    HistoryPage,
    HistoryQuery,
    Owner,
)
from ..model import status_codes
from ..model.data_types import DataValue
from ..model.errors import ServiceError
from .columns import Columns, Run
from .history_file import Block, Errors, HistoryFile, Unusable, explained
from .series import Key, key_of
from .stored_values import STANDARD_NAMESPACE
from .writer import Writer

log = logging.getLogger(__name__)

#: Most values of one page, and about the most bytes of values that are not numbers.
PAGE, PAGE_BYTES = 10000, 4 * 1024 * 1024
#: Later than any time.
_NEVER = 2**63 - 1
BOUND_NOT_FOUND = status_codes.code("BadBoundNotFound")

HistoryDone = Callable[[Union[HistoryPage, ServiceError]], None]
ColumnsDone = Callable[[Optional[ServiceError]], None]


class Job:
    """A read: *step* reads a part and returns whether there is more, *fail* is called after an
    error.  Nothing more is done for an *owner* that has closed."""

    def __init__(
        self,
        step: Callable[[], bool],
        fail: Callable[[ServiceError], None],
        owner: Optional[Owner] = None,
    ) -> None:
        self.step = step
        self.fail = fail
        self.owner = owner


class Point:
    """A :class:`~opcws.gateway.plant_interface.ContinuationPoint`: the entries with the numbers
    from *first* to before *stop* remain."""

    def __init__(self, first: int, stop: int) -> None:
        self.first = first
        self.stop = stop
        self.usable = True


class _View(NamedTuple):
    """The state of a series at a moment: its *tail* begins at the number *base*."""

    id: int
    tail: Run
    base: int

    @property
    def stop(self) -> int:
        return self.base + len(self.tail)


class Reader:
    """Reads what *writer* has recorded."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._jobs: "queue.SimpleQueue[Optional[Job]]" = queue.SimpleQueue()
        # Guards ``usable`` of all points.
        self._lock = threading.Lock()
        # Of the thread: the file, and to which opening by the writer it belongs.
        self._file: Optional[HistoryFile] = None
        self._generation = 0
        # A daemon, because a disk may never answer; stop() of the recorder joins it.
        self.thread = threading.Thread(target=self._run, name="opcws-record-read", daemon=True)
        # SQLite keeps its state of a file while any connection is open, even if the file was
        # replaced.
        writer.forsaken = lambda: self._jobs.put(Job(self._forsake, lambda problem: None))

    # --- any thread -----------------------------------------------------------------------------

    def history(self, query: HistoryQuery, owner: Owner, done: HistoryDone) -> None:
        """Raises :exc:`~opcws.model.errors.ServiceError` for a used point."""
        point = query.continuation_point
        if point is not None:
            assert isinstance(point, Point)
            with self._lock:
                usable, point.usable = point.usable, False
            if not usable:
                raise ServiceError(
                    "the continuation point was used; read from a StartTime again",
                    "BadContinuationPointInvalid",
                )
        self._submit(Job(partial(self._page, query, point, done), done, owner))

    def release(self, point: ContinuationPoint) -> None:
        assert isinstance(point, Point)
        with self._lock:
            point.usable = False

    def columns(
        self,
        key: Key,
        low: int,
        high: int,
        each: Callable[[Columns], None],
        done: ColumnsDone,
        owner: Optional[Owner],
    ) -> None:
        steps = self._columns(key, low, high, each, done)
        self._submit(Job(lambda: next(steps, False), done, owner))

    def _submit(self, job: Job) -> None:
        self._writer.put(lambda: self._jobs.put(job), hurry=True)

    def stop(self) -> None:
        """End the thread; refuse the remaining reads."""
        self._jobs.put(None)

    # --- opcws-record-read ----------------------------------------------------------------------

    def _run(self) -> None:
        turns: Deque[Job] = deque()
        while True:
            while not turns or not self._jobs.empty():
                job = self._jobs.get()
                if job is None:
                    break
                turns.append(job)
            else:
                job = turns.popleft()
                if self._step(job):
                    turns.append(job)
                continue
            break
        while not self._jobs.empty():
            left = self._jobs.get()
            if left is not None:
                turns.append(left)
        for job in turns:
            self._refuse(job, ServiceError("opcws is stopping", "BadShutdown"))
        self._close()

    def _step(self, job: Job) -> bool:
        """Read a part of *job*; returns whether there is more."""
        if job.owner is not None and job.owner.closed:
            return False
        try:
            return job.step()
        except ServiceError as problem:
            self._refuse(job, problem)
        except (Unusable, *Errors) as error:
            self._close()
            reason = "the history cannot be read: " + explained(error, self._writer.path)
            self._refuse(job, ServiceError(reason, "BadResourceUnavailable"))
        except Exception:
            log.exception("the recorder: a defect while reading")
            self._refuse(job, ServiceError(DEFECT, "BadInternalError"))
        return False

    def _refuse(self, job: Job, problem: ServiceError) -> None:
        try:
            job.fail(problem)
        except Exception:
            log.exception("the recorder: a defect while answering")

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _forsake(self) -> bool:
        self._close()
        return False

    def _open(self) -> HistoryFile:
        writer = self._writer
        if not writer.generation:
            raise ServiceError(
                "there is no history: recording has stopped: %s" % writer.failure,
                "BadResourceUnavailable",
            )
        if self._file is None or self._generation != writer.generation:
            self._close()
            self._generation = writer.generation
            self._file = HistoryFile(writer.path)
        return self._file

    def _view(self, key: Key) -> _View:
        with self._writer.lock:
            series = self._writer.series.get(key)
            if series is None:
                return _View(0, Run(), 0)
            return _View(series.id, series.tail.part(0), series.base)

    # --- pages ----------------------------------------------------------------------------------

    def _page(self, query: HistoryQuery, point: Optional[Point], done: HistoryDone) -> bool:
        file = self._open()
        view = self._view(key_of(query.variable))
        with file.snapshot():
            page = _read(file, view, query, point)
        done(page)
        return False

    def _columns(
        self,
        key: Key,
        low: int,
        high: int,
        each: Callable[[Columns], None],
        done: ColumnsDone,
    ) -> Iterator[bool]:
        file = self._open()
        view = self._view(key)
        for _number, run, places in found(file, view, low, high, 0, view.stop, False):
            if places:
                each(run.columns(places))
            yield True
        done(None)


def _read(
    file: HistoryFile, view: _View, query: HistoryQuery, point: Optional[Point]
) -> HistoryPage:
    low, high, backwards = _span(query)
    most = min(query.max_values or PAGE, PAGE)
    bounded = query.return_bounds and low != high
    namespaces = [STANDARD_NAMESPACE]
    values: List[DataValue] = []
    left = PAGE_BYTES
    first, stop = (0, view.stop) if point is None else (point.first, point.stop)
    expected = first if point is not None and first < stop and not backwards else None

    def bound(moment: int) -> None:
        values.extend(_bound(file, view, moment, moment == low, namespaces))

    if bounded and point is None:
        bound(high if backwards else low)
    more = False
    for number, run, places in found(file, view, low, high, first, stop, backwards):
        if expected is not None and expected - number in places:
            expected = None
        if expected is not None:
            break
        room = most - len(values)
        if run.texts:
            room = min(room, run.fitting(places, left)) if left > 0 else 0
            left -= sum([len(run.texts.get(place, b"")) for place in places[:room]])
        values += run.data_values(places[:room], namespaces)
        more = len(places) > room
        if more:
            following = number + places[room]
            first, stop = (first, following + 1) if backwards else (following, stop)
            break
    if expected is not None:
        raise ServiceError(
            "the values that follow were removed meanwhile because of record.keep_days or "
            "record.max_bytes; read from a StartTime again",
            "BadContinuationPointInvalid",
        )
    if not more and bounded:
        bound(low if backwards else high)
        if len(values) > most:
            del values[most:]
            more, first, stop = True, 0, 0  # only the bound
    # Without one of the times the number of values ends the period, not the page.
    if not (query.start and query.end) and len(values) == query.max_values:
        more = False
    return HistoryPage(values, Point(first, stop) if more else None, namespaces)


def _span(query: HistoryQuery) -> Tuple[int, int, bool]:
    """The earliest and latest time of *query*, and whether the latest comes first."""
    start, end = query.start, query.end
    if not start:
        return 0, end or _NEVER, True
    if not end:
        return start, _NEVER, False
    return min(start, end), max(start, end), start > end


def found(
    file: HistoryFile,
    view: _View,
    low: int,
    high: int,
    first: int,
    stop: int,
    backwards: bool,
) -> Iterator[Tuple[int, Run, Sequence[int]]]:
    """Runs, each with the number of its first entry and the indexes of the matching ones: times
    from *low* to *high* and numbers from *first* to before *stop*, or all of them in reverse."""
    for number, run in _runs(file, view, low, high, first, stop, backwards):
        times = run.times
        places: Sequence[int] = range(max(first - number, 0), min(stop - number, len(run)))
        if min(times) < low or max(times) > high:
            places = [place for place in places if low <= times[place] <= high]
        yield number, run, places[::-1] if backwards else places


def _runs(
    file: HistoryFile,
    view: _View,
    low: int,
    high: int,
    first: int,
    stop: int,
    backwards: bool,
) -> Iterator[Block]:
    """The blocks and the tail that may contain them."""
    tail = [Block(view.base, view.tail)] if first < view.stop and stop > view.base else []
    tail = [each for each in tail if len(each.run)]
    if backwards:
        yield from tail
    stop = min(stop, view.base)
    while first < stop:
        read = file.block_before if backwards else file.next_block
        block = read(view.id, low, high, first, stop)
        if block is None:
            break
        block = _before_tail(block, view)
        yield block
        if backwards:
            stop = block.number
        else:
            first = block.number + len(block.run)
    if not backwards:
        yield from tail


def _bound(
    file: HistoryFile, view: _View, moment: int, before: bool, namespaces: List[str]
) -> List[DataValue]:
    """The entry nearest to *moment*, *before* it or after; none if there is one exactly then, or no
    moment."""
    if moment in (0, _NEVER):
        return []
    blocks = (file.at_or_before if before else file.at_or_after)(view.id, moment)
    runs = [_before_tail(block, view) for block in blocks if block.number < view.base]
    nearest = None
    for number, run in [*runs, Block(view.base, view.tail)]:
        for place, time in enumerate(run.times):
            if time <= moment if before else time >= moment:
                key = (time, number + place) if before else (-time, -number - place)
                if nearest is None or key > nearest[0]:
                    nearest = key, run, place
    if nearest is None:
        return [DataValue(None, BOUND_NOT_FOUND, moment)]
    (time, _number), run, place = nearest
    return [] if abs(time) == moment else run.data_values([place], namespaces)


def _before_tail(block: Block, view: _View) -> Block:
    """*block* without entries of the tail that were added to it since."""
    count = view.base - block.number
    return block if len(block.run) <= count else Block(block.number, block.run.part(0, count))
