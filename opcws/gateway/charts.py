"""The histories of several variables for one chart: reads a few at a time, reduces them, and
answers once.

Threads: a request comes on its connection's reader thread; values come on threads of their source,
which also make the text of the answer.
"""

import threading
from collections import deque
from typing import Callable, Deque, Dict, Mapping, Optional, Sequence

from ..config.settings import Variable
from ..history.thinning import Thinning
from ..model.clock import utc_ticks
from ..model.deadline import Deadline
from ..model.errors import ServiceError
from . import histories
from .histories import LEFT, TOO_LONG, Answer, Histories, Reading, ask, run
from .plant_interface import HistoryPage, HistoryQuery, HistorySource, Owner

#: How many histories of one request are read at the same time.
AT_A_TIME = 4

_TOO_LARGE = ServiceError("the response would be too large", "BadResponseTooLarge")


class Chart:
    """One request for the histories of *variables* from their sources *kept*, from *start* to
    *end*, at most *most* values of each; the newest first if *start* is later.  *text* makes the
    text of a page or of a problem.  *finish* gets the texts by the names of the variables; some may
    be missing if all together exceed *room* characters."""

    def __init__(
        self,
        kept: Histories,
        owner: Owner,
        variables: Sequence[Variable],
        start: int,
        end: int,
        most: int,
        room: int,
        text: Callable[[Variable, Answer], str],
        finish: Callable[[Mapping[str, str]], None],
    ) -> None:
        self._histories = kept
        self._owner = owner
        self._start, self._end = start, end
        self._most = most
        self._room = room
        self._text = text
        self._finish = finish
        self._deadline = Deadline(histories.READ_S)
        # Guards what follows.
        self._lock = threading.Lock()
        self._waiting: Deque[Variable] = deque(variables)
        self._left = len(self._waiting)
        self._texts: Dict[str, str] = {}
        self._size = 0

    def begin(self) -> None:
        """Start reading; returns at once."""
        if not self._left:
            self._finish(self._texts)
        for _ in range(AT_A_TIME):
            self._next()

    def _next(self) -> None:
        """Start reading the next variable."""
        while True:
            with self._lock:
                if not self._waiting:
                    return
                variable = self._waiting.popleft()
            try:
                over = self._over()
                if over is not None:
                    raise over
                self._read(variable)
                return
            except ServiceError as problem:
                self._told(variable, problem)

    def _over(self) -> Optional[ServiceError]:
        """Why no more must be read, if so."""
        if self._owner.closed:
            return LEFT
        if self._size > self._room:
            return _TOO_LARGE
        return TOO_LONG if self._deadline.expired else None

    def _read(self, variable: Variable) -> None:
        low, high = min(self._start, self._end), max(self._start, self._end)
        thinning = Thinning(self._most, low, min(high, utc_ticks()))
        recorder = self._histories.recorder_of(variable)
        if recorder is None:
            reading = self._pages(self._histories.source(variable), variable, low, high, thinning)
            run(reading, self._owner, lambda answer: self._done(variable, answer))
            return

        def ended(problem: Optional[ServiceError]) -> None:
            problem = problem or self._over()
            page = HistoryPage(thinning.values(), None, thinning.namespaces)
            self._done(variable, problem or page)

        recorder.columns(variable, low, high, thinning.add_columns, ended, self._owner)

    def _pages(
        self,
        source: HistorySource,
        variable: Variable,
        low: int,
        high: int,
        thinning: Thinning,
    ) -> Reading[HistoryPage]:
        query = HistoryQuery(variable, low, high, 0, False, None, 0.0)
        missing: Optional[ServiceError] = None
        while True:
            page = yield from ask(source, query)
            thinning.add(page.values, page.namespaces)
            missing = missing or page.missing
            if page.continuation_point is None:
                return HistoryPage(thinning.values(), None, thinning.namespaces, missing)
            over = self._over()
            if over is not None:
                source.release_history(page.continuation_point)
                raise over
            query = query._replace(continuation_point=page.continuation_point)

    def _done(self, variable: Variable, answer: Answer) -> None:
        self._told(variable, answer)
        self._next()

    def _told(self, variable: Variable, answer: Answer) -> None:
        if isinstance(answer, HistoryPage) and self._start > self._end:
            answer = answer._replace(values=answer.values[::-1])
        text = self._text(variable, answer)
        with self._lock:
            self._texts[variable.name] = text
            self._size += len(text)
            self._left -= 1
            complete = not self._left
        if complete:
            self._finish(self._texts)
