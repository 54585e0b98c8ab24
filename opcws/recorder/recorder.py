"""The recorder: records values and answers reads.

Threads: all methods may be called from any; callbacks come on ``opcws-record-read``.
"""

import threading
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ..config.settings import Variable
from ..gateway.plant_interface import ContinuationPoint, HistoryQuery, Owner
from ..model.deadline import Deadline
from ..model.errors import ServiceError
from ..wire.timestamps import timestamp_text
from .columns import Columns
from .reader import ColumnsDone, HistoryDone, Reader
from .series import Rule, Series, key_of
from .writer import Entry, Writer

#: A variable, the MinInterval (ms) and the deadband with which it is recorded.
Recorded = Tuple[Variable, float, float]


class Recorder:
    """Records the variables *recorded* in the file *path*.  Each value stays for *keep_days* at
    least, unless the file exceeds *max_bytes*: then the oldest are removed.

    It is a :class:`~opcws.gateway.plant_interface.HistorySource` of raw values.
    """

    def __init__(
        self, path: str, recorded: Iterable[Recorded], keep_days: float, max_bytes: int
    ) -> None:
        self.path = path
        self._writer = Writer(path)
        self._reader = Reader(self._writer)
        # By name; replaced in one step.
        self._recorded: Dict[str, Series] = {}
        self._stopped = False
        self.change(recorded, keep_days, max_bytes)

    def start(self) -> None:
        """Begin; the log and :meth:`status` report a file that cannot be written."""
        self._writer.thread.start()
        self._reader.thread.start()

    def change(self, recorded: Iterable[Recorded], keep_days: float, max_bytes: int) -> None:
        """Record these variables from now on, with these limits."""
        rules: Dict[Series, Rule] = {}
        for variable, min_interval_ms, deadband in recorded:
            key = key_of(variable)
            series = self._writer.series.setdefault(key, Series(key))
            rules[series] = Rule(min_interval_ms, deadband)
        self._recorded = {series.key[0]: series for series in rules}
        if self._writer.thread.ident is None:
            self._writer.change(rules, keep_days, max_bytes)
        else:
            self._writer.put(lambda: self._writer.change(rules, keep_days, max_bytes))

    def stop(self, deadline: Deadline) -> None:
        """Record the queued values, and end the threads, within *deadline*."""
        self._stopped = True
        self._writer.stop()
        self._join(self._writer.thread, deadline)
        self._reader.stop()
        self._join(self._reader.thread, deadline)

    @staticmethod
    def _join(thread: threading.Thread, deadline: Deadline) -> None:
        if thread.ident is not None:
            thread.join(deadline.remaining())

    @property
    def threads(self) -> List[threading.Thread]:
        """The threads that must live until :meth:`stop`."""
        return [self._writer.thread, self._reader.thread]

    # --- what is recorded -----------------------------------------------------------------------

    def series(self, variable: Variable) -> Optional[Series]:
        """The key of *variable* for :meth:`take`; ``None`` if it is not recorded."""
        series = self._recorded.get(variable.name)
        return series if series is not None and series.key == key_of(variable) else None

    def take(self, entries: List[Entry]) -> None:
        """Queue *entries* to be recorded in this order; the list belongs to the recorder now."""
        self._writer.take(entries)

    def lost(self, serieses: Sequence[Series], status: int, ticks: int) -> None:
        """Record a gap: from *ticks* (100 ns since 1601) on the values of *serieses* are unknown
        until the next entry of each; the Bad *status* is the reason."""
        given = list(serieses)
        self._writer.put(lambda: self._writer.gap(given, ticks, status))

    # --- what was recorded ----------------------------------------------------------------------

    def history(self, query: HistoryQuery, owner: Owner, done: HistoryDone) -> None:
        """See :class:`~opcws.gateway.plant_interface.HistorySource`; the answer includes all values
        taken until now.  ``query.aggregate`` is ignored."""
        self._require()
        self._reader.history(query, owner, done)

    def release_history(self, continuation_point: ContinuationPoint) -> None:
        self._reader.release(continuation_point)

    def columns(
        self,
        variable: Variable,
        start: int,
        end: int,
        each: Callable[[Columns], None],
        done: ColumnsDone,
        owner: Optional[Owner] = None,
    ) -> None:
        """Call *each* with the recorded values of *variable* from *start* to *end* (ticks, both
        included), oldest first, some thousand entries at a time, and *done* at the end, with an
        error or ``None``.  Nothing more is done for an *owner* that has closed.

        Raises :exc:`~opcws.model.errors.ServiceError`.
        """
        self._require()
        self._reader.columns(key_of(variable), start, end, each, done, owner)

    def _require(self) -> None:
        if self._stopped:
            raise ServiceError("opcws is stopping", "BadShutdown")

    # --- how it is ------------------------------------------------------------------------------

    def status(self) -> Mapping[str, Any]:
        """``State`` is ``recording`` or ``failed``, then with a ``Reason``; ``Bytes`` on the disk,
        ``Values`` in all, ``Series`` that are recorded now, the ``Oldest`` time."""
        writer = self._writer
        status: Dict[str, Any] = {"State": "recording"}
        if writer.failure is not None:
            status = {"State": "failed", "Reason": writer.failure}
        status.update(File=self.path, Bytes=writer.bytes, Values=writer.values())
        status["Series"] = len(self._recorded)
        first = writer.first()
        if first:
            status["Oldest"] = timestamp_text(first)
        return status

    @property
    def failed(self) -> bool:
        """Whether nothing can be recorded."""
        return self._writer.failure is not None

    @property
    def values(self) -> int:
        """Number of values taken since the start."""
        return self._writer.recorded

    @property
    def dropped(self) -> int:
        """Number of values lost, because too many waited or the file failed."""
        return self._writer.dropped

    @property
    def backlog(self) -> int:
        """Values that wait."""
        return self._writer.backlog

    @property
    def bytes(self) -> int:
        """Bytes on the disk."""
        return self._writer.bytes
