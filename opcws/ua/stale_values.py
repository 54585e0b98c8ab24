"""Finds values that stand still although the plant changes: connected, green, and wrong.

Rules:

* Only variables with ``stale_after_s`` are checked.  A value is stale if no change came for so
  long, or if a READ in the background differs from it by more than its deadband, twice, with enough
  time between for the change to be sampled and published.
* The item of a stale value is created again; until the new item has delivered its first value, the
  last value is UncertainLastUsableValue.  If none comes, this is repeated.
* Reading is slow and in turns: a few variables of a server at a time.

Threads: ``tick`` on the supervisor's, ``change`` on any, reading on the worker's.  ``_busy`` is set
in one step; one thread at a time uses the rest.
"""

import logging
import math
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..config.settings import Server, Variable
from ..gateway.relay import Relay
from ..model import data_types as dt
from ..model import status_codes
from ..model.deadline import Deadline
from ..model.errors import ServiceError
from ..wire.notifications import Notification
from .channel.link import Link
from .services.fair_queue import Job
from .services.worker import Worker

log = logging.getLogger(__name__)

#: Seconds between two checks, and how many variables one check reads.
LOOK_S = 1.0
SAMPLE = 20
#: Not compared: opcws may have decoded the older value without knowing its type.
_NOT_COMPARED = (dt.EXTENSIONOBJECT, dt.DATAVALUE, dt.VARIANT)


class StaleValues:
    """The variables of *server* with a value in *relay*; *settle_s* returns the seconds that a
    change of one may take to arrive, *eu_range* its Low and High, if known."""

    def __init__(
        self,
        server: Server,
        worker: Worker,
        relay: Relay,
        settle_s: Callable[[str], float],
        eu_range: Callable[[str], Optional[Tuple[float, float]]],
    ) -> None:
        self._worker = worker
        self._relay = relay
        self._settle_s = settle_s
        self._eu_range = eu_range
        #: How many stale values were found, and the last of them with the reason.
        self.found = 0
        self.last: Optional[Tuple[str, str]] = None
        self._busy: Optional[object] = None
        self._due = 0.0
        # By variable: since when its item has delivered nothing; the value from which a READ
        # differed, and when.
        self._remade: Dict[str, float] = {}
        self._suspects: Dict[str, Tuple[Notification, float]] = {}
        self._turn: List[str] = []
        self.change(server)

    def change(self, server: Server) -> None:
        """The configuration has changed."""
        self._server = server
        limits = {}
        for name, variable in server.variables.items():
            own = variable.stale_after_s
            limit = server.stale_after_s if own is None else own
            if limit and variable.readable:
                limits[name] = limit
        #: By variable, in seconds.
        self.limits: Dict[str, float] = limits

    def tick(self, link: Link) -> None:
        """Check if it is time, on *link*, which is up; returns at once."""
        limits, now = self.limits, time.monotonic()
        if not limits or now < self._due:
            return
        self._due = now + min(LOOK_S, min(limits.values()) / 4.0)
        there: List[str] = []
        for name, limit in limits.items():
            last = self._relay.last(name)
            if last is not None:
                self._remade.pop(name, None)
                there.append(name)
                if now - last[2].arrived > limit:
                    self._renew(name, last, "no change for %g s" % limit)
            elif not self._relay.is_active(name):
                self._remade.pop(name, None)
            elif now - self._remade.setdefault(name, now) > limit:
                self._renew(name, None, "no value for %g s" % limit)
        if self._busy is link or not there:
            return
        self._busy = link
        variables = self._server.variables
        chosen = [variables[name] for name in self._chosen(there, now) if name in variables]

        def run(current: Link) -> None:
            try:
                if current is link:
                    self._compare(link, chosen)
            finally:
                self._busy = None

        def failed(problem: ServiceError) -> None:
            self._busy = None
            log.debug("%s: comparing values: %s", self._server.name, problem.reason)

        self._worker.submit(Job(run, failed, is_long=True, owner=self))

    def _chosen(self, there: List[str], now: float) -> List[str]:
        """The variables to read now: suspects whose time to settle is over, then the next ones."""
        chosen = [
            name
            for name, (_value, since) in list(self._suspects.items())
            if now - since > self._settle_s(name)
        ][:SAMPLE]
        if not self._turn:
            self._turn = there[::-1]
        while self._turn and len(chosen) < SAMPLE:
            name = self._turn.pop()
            if name not in self._suspects:
                chosen.append(name)
        return chosen

    def _renew(
        self, name: str, last: Optional[Notification], reason: str, lost: bool = False
    ) -> None:
        self._suspects.pop(name, None)
        self._remade[name] = time.monotonic()
        self.found += 1
        self.last = name, reason
        log.warning("%s: %s stands still: %s; monitoring it anew", self._server.name, name, reason)
        self._relay.renew(name, last, lost)

    # --- the worker's threads -------------------------------------------------------------------

    def _compare(self, link: Link, variables: List[Variable]) -> None:
        before = [(each, self._relay.last(each.name)) for each in variables]
        asked: List[Tuple[Variable, Notification]] = []
        for variable, last in before:
            if last is not None and (variable.trigger or self._server.trigger) != "status":
                asked.append((variable, last))
            else:
                self._suspects.pop(variable.name, None)
        deadline = Deadline(self._server.request_timeout_ms / 1000.0)
        results = self._worker.read_apart(link, [each for each, _last in asked], deadline)
        now = time.monotonic()
        # Not "is": compiled code may build an equal tuple instead of keeping the same one.
        for (variable, last), result in zip(asked, results):
            name = variable.name
            published = last[0].data_value(last[1])
            if (
                isinstance(result, ServiceError)
                or self._relay.last(name) != last
                or not self._disagree(variable, published, result)
            ):
                self._suspects.pop(name, None)
                continue
            suspect, since = self._suspects.get(name, (None, now))
            if suspect != last:
                self._suspects[name] = last, now
            elif now - since > self._settle_s(name):
                self._renew(name, last, "READ gives another value than was published", True)

    def _disagree(self, variable: Variable, published: dt.DataValue, read: dt.DataValue) -> bool:
        if status_codes.is_bad(read.status) or read.value is None:
            return False  # this says nothing about the published value
        if published.value is None or read.value.type in _NOT_COMPARED:
            return False
        if published.value.type != read.value.type:
            return True
        numbers = read.value.type in (dt.FLOAT, dt.DOUBLE, *dt.INTEGER_RANGES)
        deadband = self._deadband(variable) if numbers else 0.0
        return deadband is not None and differs(published.value.value, read.value.value, deadband)

    def _deadband(self, variable: Variable) -> Optional[float]:
        """In the unit of the value; ``None`` if it is unknown."""
        deadband = variable.deadband or self._server.deadband
        if deadband is None:
            return 0.0
        if deadband.percent:
            eu_range = self._eu_range(variable.name)
            if eu_range is None:
                return None
            return deadband.percent / 100.0 * abs(eu_range[1] - eu_range[0])
        return deadband.absolute or 0.0


def differs(one: Any, other: Any, deadband: float) -> bool:
    """Whether two values differ by more than *deadband*; lists differ if any elements do."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) != len(other) or any(
            differs(mine, theirs, deadband) for mine, theirs in zip(one, other)
        )
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers) and not isinstance(one, bool):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) != math.isnan(other)
        return one != other and not abs(one - other) <= deadband
    return bool(one != other)
