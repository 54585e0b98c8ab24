"""The values that a monitor missed: values from history, sent before the live ones (PROTOCOL
section 4, Since and Backfill).

Rules:

* While the past of a monitor is being read, its live values are held back, so that no value is
  missing between the last one of history and the first live one; values in both are sent once.
* Of more than ``limits.backfill_values`` values the newest are sent, the first of them with
  Overflow.  If the past cannot be read, the first live value has Overflow.
* The pasts of one client are read one after another, and not while more values than that wait to be
  taken.
* A page of history is one place in the client's queue and becomes frames when it is sent; it never
  gives way to a later value.

Threads: :meth:`Past.fetch` is called on the relay's thread; pages of history come on threads of
their source; the sending thread takes the frames.
"""

import threading
from collections import OrderedDict
from functools import partial
from typing import Callable, List, Optional, Sequence, Union

from ..config.settings import Variable
from ..model import status_codes
from ..model.data_types import LAST_TICKS, DataValue
from ..model.errors import ServiceError
from ..wire import messages, values_to_json
from ..wire.frames import text_frame
from .monitor import Missed, Monitor
from .outbox import LargeReply
from .plant_interface import ContinuationPoint, HistoryPage, HistoryQuery, HistorySource, Owner

#: How many values become frames at a time.
PAGE = 500
#: About how many bytes the message of one value takes.
VALUE_BYTES = 200


class Pasts:
    """The pasts of the monitors of one client, *owner*, read one after another, each at most
    *most* values."""

    def __init__(self, owner: Owner, most: int) -> None:
        self._owner = owner
        self._most = most
        # Guards everything below.
        self._lock = threading.Lock()
        self._waiting: "OrderedDict[_Reading, None]" = OrderedDict()
        self._reading = False
        # Number of values that were read, and that wait to be taken.
        self._untaken = 0

    def fetch(
        self,
        source: HistorySource,
        variable: Variable,
        since: int,
        exact: bool,
        done: Callable[[Missed], None],
    ) -> Callable[[], None]:
        """Call *done*, on any thread, with the values of *variable* later than *since*, unless the
        client has left.  The returned function cancels this, if it has not begun."""
        reading = _Reading(source, variable, since, exact, self._most, done)
        with self._lock:
            self._waiting[reading] = None
        self._next()
        return partial(self._give_up, reading)

    def _give_up(self, reading: "_Reading") -> None:
        with self._lock:
            self._waiting.pop(reading, None)

    def _next(self) -> None:
        while not self._owner.closed:
            with self._lock:
                if self._reading or not self._waiting or self._untaken > self._most:
                    return
                self._reading = True
                reading, _ = self._waiting.popitem(last=False)
            if self._ask(reading, None):
                return

    def _ask(self, reading: "_Reading", point: Optional[ContinuationPoint]) -> bool:
        """Whether the answer comes later."""
        try:
            reading.source.history(reading.query(point), self._owner, partial(self._take, reading))
            return True
        except ServiceError as problem:
            self._end(reading, problem)
            return False

    def _take(self, reading: "_Reading", page: Union[HistoryPage, ServiceError]) -> None:
        if isinstance(page, ServiceError):
            self._end(reading, page)
        elif reading.take(page) and page.continuation_point is not None:
            if self._owner.closed:
                reading.source.release_history(page.continuation_point)
                return
            if self._ask(reading, page.continuation_point):
                return
        else:
            if page.continuation_point is not None:
                reading.source.release_history(page.continuation_point)
            self._end(reading, None)
        self._next()

    def _end(self, reading: "_Reading", problem: Optional[ServiceError]) -> None:
        if problem is not None:
            reading.lost = True
        missed = reading.missed()
        count = len(missed.values)
        missed = missed._replace(forget=partial(self._taken, count))
        with self._lock:
            self._reading = False
            self._untaken += count
        if not self._owner.closed:
            reading.done(missed)

    def _taken(self, count: int) -> None:
        with self._lock:
            self._untaken -= count
        self._next()

    def put(self, monitor: Monitor, missed: Missed) -> None:
        """Queue the values of *missed* for *monitor*, a monitor of this client."""
        prefix = messages.update_prefix(monitor.handle, monitor.variable, monitor.dialect)
        values = missed.values
        with self._lock:
            self._untaken += len(values)
        for first in range(0, len(values), PAGE):
            part = values[first : first + PAGE]
            lost = missed.lost and not first
            frames = partial(self._frames, monitor, prefix, part, missed.namespaces, lost)
            monitor.outbox.put_past(LargeReply(len(part) * VALUE_BYTES, frames))

    def _frames(
        self,
        monitor: Monitor,
        prefix: str,
        values: Sequence[DataValue],
        namespaces: Sequence[str],
        lost: bool,
    ) -> bytes:
        """The messages with *values* for *monitor*; nothing if it has ended."""
        self._taken(len(values))
        if not monitor.active:
            return b""
        frames = []
        for value in values:
            if lost:
                lost, value = False, value._replace(status=value.status | status_codes.OVERFLOW)
            members = values_to_json.historical_members(value, namespaces, monitor.dialect)
            frames.append(text_frame(messages.update(prefix, members)))
        return b"".join(frames)


class _Reading:
    """Reading one past: newest first, so that the newest remain if there are too many."""

    def __init__(
        self,
        source: HistorySource,
        variable: Variable,
        since: int,
        exact: bool,
        most: int,
        done: Callable[[Missed], None],
    ) -> None:
        self.source = source
        self.done = done
        self.lost = self._some_missing = False
        self._variable = variable
        self._since = since
        self._exact = exact
        self._most = most
        self._values: List[DataValue] = []
        self._namespaces: Sequence[str] = ()

    def query(self, point: Optional[ContinuationPoint]) -> HistoryQuery:
        # One more than may be sent, to know whether there are more.
        wanted = self._most + 1 - len(self._values)
        return HistoryQuery(
            self._variable, LAST_TICKS, max(self._since, 1), wanted, False, None, 0.0, point
        )

    def take(self, page: HistoryPage) -> bool:
        """Take a page; returns whether to read another one."""
        self._values += [value for value in page.values if value.moment > self._since]
        self._namespaces = page.namespaces
        self._some_missing = self._some_missing or page.missing is not None
        if len(self._values) > self._most:
            self.lost = True
            del self._values[self._most :]
        return not self.lost

    def missed(self) -> Missed:
        lost = self.lost or self._some_missing
        return Missed(self._values[::-1], self._namespaces, lost, self._exact)


class HistoryPast:
    """The :class:`~opcws.gateway.monitor.Past` of a monitor of *variable*, of which *source* has
    the history, read by the client's *pasts*.  *exact*: the source has exactly the values that the
    relay has relayed before."""

    __slots__ = ("since", "backfill", "needs_server", "_pasts", "_source", "_variable", "_exact")

    def __init__(
        self,
        pasts: Pasts,
        source: HistorySource,
        variable: Variable,
        since: Optional[int],
        backfill: bool,
        exact: bool = False,
        needs_server: bool = False,
    ) -> None:
        self.since = since
        self.backfill = backfill
        self.needs_server = needs_server
        self._pasts = pasts
        self._source = source
        self._variable = variable
        self._exact = exact

    def fetch(self, since: int, done: Callable[[Missed], None]) -> Callable[[], None]:
        """See :class:`~opcws.gateway.monitor.Past`."""
        return self._pasts.fetch(self._source, self._variable, since, self._exact, done)

    def put(self, monitor: Monitor, missed: Missed) -> None:
        """See :class:`~opcws.gateway.monitor.Past`."""
        self._pasts.put(monitor, missed)
