"""Monitored items (OPC 10000-4 5.13): created and deleted in bulk, in the order of the requests.

The relay says which items are needed, whenever a client starts or stops; the worker makes the
service calls.  Requests that arrive during one call are combined in the next.

A monitor begins in its place among the other requests of its connection: its first value has the
effect of earlier writes, and later writes reach it as changes.  So the item is created in the queue
of its client.  The relay learns of the monitor on its own thread: at once or, if writes of the
client are still pending, after them.  When the worker comes to that place in the queue, it first
lets the relay catch up.

An item that exists already, for another client, may still deliver values from before a write.  So
a value that was written a moment ago is read when a monitor of it begins, in the same place.

A value that has no recognisable end, or that is larger than a message may be, makes its whole
notification unreadable.  opcws reads each value to find it, leaves out its item, and creates the
item again when the value can be read.

A variable's settings for sampling, queue and filter go into its item; the values that the server
uses instead are remembered, and logged once.

Threads: ``create``, ``delete`` on the relay's, ``begin`` on any, ``try_all`` on its caller's,
``find_spoiling`` on one of the worker's slow threads, the rest on the worker's.
"""

import itertools
import logging
import threading
import time
from collections import defaultdict
from functools import partial
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from opcua import ua

from ..config.settings import Deadband, Server, Variable
from ..gateway.monitor import Monitor
from ..gateway.plant_interface import ReadResult, ignores_range
from ..gateway.relay import Relay
from ..gateway.value_source import Created, Present
from ..model import status_codes
from ..model.data_types import DOUBLE, FLOAT, INTEGER_RANGES, DataValue, ValueType
from ..model.deadline import Deadline
from ..model.errors import PlantError, ServiceError
from .channel.link import Link
from .encoding.responses import CreatedItem, library_node_id
from .services.fair_queue import Job
from .services.metadata import link_node_id
from .services.worker import Worker

log = logging.getLogger(__name__)

#: Seconds between two log lines about the progress of a creation in bulk.
PROGRESS_S = 1.0
#: Seconds that the worker gives the relay to catch up; the relay never blocks.
CATCH_UP_S = 1.0
#: Seconds that a change may take to arrive, beside twice the time for sampling and publishing.
SETTLE_S = 1.0
#: The statuses of a value that cannot be read even in a call of its own.
SPOILING = ("BadDecodingError", "BadResponseTooLarge")
#: How often notifications may be wrong although every value can be read, before opcws gives up the
#: connection; and for how many seconds after a finding wrong notifications do not count, because
#: the server may have sent them before.
MAX_FRUITLESS = 5
ON_THEIR_WAY_S = 10.0

Read = Callable[[Link, Sequence[Variable], Deadline], List[ReadResult]]

_NUMBERS = {FLOAT, DOUBLE, *INTEGER_RANGES}
_TRIGGERS = {
    "status": ua.DataChangeTrigger.Status,
    "value": ua.DataChangeTrigger.StatusValue,
    "timestamp": ua.DataChangeTrigger.StatusValueTimestamp,
}


class Revised(NamedTuple):
    """The settings that opcws asked for, and those that the OPC UA server uses (OPC 10000-4
    5.13.2)."""

    asked_interval_ms: float
    interval_ms: float
    asked_queue_size: int
    queue_size: int

    @property
    def differs(self) -> bool:
        """Whether the server changed a setting.  -1 and 0 leave the interval to the server."""
        interval = self.interval_ms != self.asked_interval_ms and self.asked_interval_ms > 0
        return interval or self.queue_size != self.asked_queue_size


class Known(NamedTuple):
    """What opcws must know of a variable before it creates its item."""

    value_type: ValueType
    ignores_range: bool
    has_eu_range: bool


class MonitoredItems:
    """The monitored items of *server*, for *relay*.  *learn* learns variables (completely, or only
    their types), and *known* returns what is known of one; *read* reads variables, each in a call
    of its own where necessary; *written_at* returns when opcws wrote to the node of a variable, 0
    if never."""

    def __init__(
        self,
        server: Server,
        worker: Worker,
        relay: Relay,
        learn: Callable[[Link, Sequence[Variable], bool], None],
        known: Callable[[Variable], Known],
        read: Read,
        written_at: Callable[[str], float],
    ) -> None:
        self._server = server
        self._worker = worker
        self._relay = relay
        self._learn = learn
        self._known = known
        self._read = read
        self._written_at = written_at
        # By variable: the value that was read when a monitor began, as long as it may be sent.
        self._presents: Dict[str, Present] = {}
        #: By variable; entries are replaced whole.
        self.revised: Dict[str, Revised] = {}
        self._told: Set[Tuple[str, Revised]] = set()
        # Guards the attributes up to the blank line.
        self._lock = threading.Lock()
        self._unwanted: List[Tuple[Link, Tuple[int, int]]] = []
        # By queue of a client: the wanted items; the monitors that have not begun, with the number
        # of their place; and the number of the last place that the worker has not reached.
        self._wanted: Dict[object, List[Tuple[Link, str, int]]] = {}
        self._late: Dict[object, List[Tuple[int, Sequence[Monitor]]]] = {}
        self._places: Dict[object, int] = {}
        self._numbers = itertools.count(1)

        # Variables without an item because of their value; replaced whole.
        self._spoiling: FrozenSet[str] = frozenset()
        self._fruitless = 0
        self._found_at = 0.0

    def change(self, server: Server) -> None:
        """The configuration has changed; the relay says which items must be created again."""
        self._server = server
        self.revised = {
            name: each for name, each in list(self.revised.items()) if name in server.variables
        }

    def settle_s(self, name: str) -> float:
        """The seconds that a change of the variable *name* may take to arrive."""
        revised = self.revised.get(name)
        sampling_ms = 0.0 if revised is None else max(0.0, revised.interval_ms)
        return SETTLE_S + 2 * (sampling_ms + self._server.publishing_interval_ms) / 1000.0

    def _is_behind(self, name: str) -> bool:
        """Whether an item of the variable *name* may still deliver values from before a write."""
        written_at = self._written_at(name)
        return written_at > 0.0 and time.monotonic() - written_at <= self.settle_s(name)

    def begin(self, monitors: Sequence[Monitor]) -> None:
        """Begin *monitors*, all of one client, and create their items at this place in its
        queue."""
        line = monitors[0].outbox
        is_late = self._worker.has_write(line) or any(
            self._is_behind(monitor.variable) for monitor in monitors
        )
        with self._lock:
            number = self._places[line] = next(self._numbers)
            if is_late:
                self._late.setdefault(line, []).append((number, monitors))
        if not is_late:
            for monitor in monitors:
                self._relay.begin(monitor)
        self._submit(line, number)

    def create(self, link: Link, wanted: Sequence[Tuple[str, int]], line: object = None) -> None:
        """Create an item for each (variable, client handle) on *link*, in its place in the queue
        *line* of the client that wants it."""
        with self._lock:
            waiting = self._wanted.setdefault(line, [])
            waiting.extend((link, name, handle) for name, handle in wanted)
            # A job that waits at its place creates them too.
            number = 0 if line in self._places else next(self._numbers)
        if number:
            self._submit(line, number)

    def delete(self, link: Link, items: Sequence[Tuple[int, int]]) -> None:
        with self._lock:
            self._unwanted.extend((link, item) for item in items)
        self._submit(None, 0)

    def _submit(self, line: object, number: int) -> None:
        run, failed = partial(self._apply, line, number), partial(self._fail, line, number)
        self._worker.submit(Job(run, failed, merge=self), line)

    def _fail(self, line: object, number: int, problem: ServiceError) -> None:
        self._begin_late(line, number, None)
        wanted = self._take(line, number)
        with self._lock:
            left = [each for each in wanted if not each[0].lost.is_set()]
            if left:
                self._wanted.setdefault(line, []).extend(left)
        log.debug("%s: monitored items: %s", self._server.name, problem.reason)

    def _begin_late(self, line: object, number: int, link: Optional[Link]) -> None:
        """Begin the late monitors of *line*, up to the place *number*."""
        with self._lock:
            late = self._late.pop(line, [])
            left = [each for each in late if each[0] > number]
            if left:
                self._late[line] = left
        beginning = [each for place, monitors in late if place <= number for each in monitors]
        presents: Mapping[str, Present] = {}
        try:
            if link is not None and beginning:
                presents = self._read_behind(link, {monitor.variable for monitor in beginning})
        finally:
            for monitor in beginning:
                self._relay.begin(monitor, presents.get(monitor.variable))

    def _read_behind(self, link: Link, names: Set[str]) -> Mapping[str, Present]:
        """The present values of those of *names* whose items may deliver older ones."""
        behind = [name for name in names if self._is_behind(name)]
        if not behind:
            return {}
        self._relay.catch_up(CATCH_UP_S)  # afterwards the relay knows which items exist
        self._presents = {
            name: present
            for name, present in self._presents.items()
            if self._is_behind(name) and self._is_latest(link, name, present)
        }
        active = [name for name in behind if self._relay.is_active(name)]
        unknown = [name for name in active if name not in self._presents]
        self._presents.update(self._read_now(link, unknown))
        return {name: self._presents[name] for name in active if name in self._presents}

    def _is_latest(self, link: Link, name: str, present: Present) -> bool:
        """Whether nothing was written or published since, as far as opcws can know."""
        if present.link is not link or not self._relay.is_active(name):
            return False
        last = self._relay.last(name)
        told_at = 0.0 if last is None else last[2].arrived
        return present.asked > max(self._written_at(name), told_at)

    def _read_now(self, link: Link, names: Sequence[str]) -> Dict[str, Present]:
        variables = self._server.variables
        there = [name for name in names if name in variables]
        asked = time.monotonic()
        deadline = Deadline(self._server.request_timeout_ms / 1000.0)
        values = self._read(link, [variables[name] for name in there], deadline)
        return {
            name: Present(link, value, asked, asked + self.settle_s(name))
            for name, value in zip(there, values)
            if isinstance(value, DataValue)
        }

    def read_again(self, name: str) -> None:
        """Read the variable *name* for the relay, soon."""

        def run(link: Link) -> None:
            for present in self._read_now(link, [name]).values():
                self._relay.was_read(name, present)

        self._worker.submit(Job(run, _not_read))

    def _take(self, line: object, number: int) -> List[Tuple[Link, str, int]]:
        """The items that are wanted at the place *number* in *line*."""
        with self._lock:
            if self._places.get(line, 0) <= number:
                self._places.pop(line, None)
            return self._wanted.pop(line, [])

    def _apply(self, line: object, number: int, link: Link) -> None:
        if line is not None:
            self._begin_late(line, number, link)
            self._relay.catch_up(CATCH_UP_S)
        # Items for an older generation ended with it.
        mine = [(name, handle) for on, name, handle in self._take(line, number) if on is link]
        with self._lock:
            unwanted, self._unwanted = self._unwanted, []
        ids = [item for on, item in unwanted if on is link]
        most = link.max_items_per_call
        began = told = time.monotonic()
        try:
            for start in range(0, len(mine), most):
                some = mine[start : start + most]
                self._relay.created(link, self._create_some(link, some))
                done, now = start + len(some), time.monotonic()
                if now - told >= PROGRESS_S or done == len(mine) > most:
                    told = now
                    log.info(
                        "%s: %d of %d variables monitored after %.1f s",
                        self._server.name,
                        done,
                        len(mine),
                        now - began,
                    )
        except PlantError as problem:
            # No item was created, or it is unknown which: only a new generation can help.
            link.fail(problem.reason)
            raise
        for start in range(0, len(ids), most):
            link.subscriptions.delete_items(ids[start : start + most])

    def _create_some(self, link: Link, wanted: Sequence[Tuple[str, int]]) -> List[Created]:
        # A change of the configuration may have removed some since they were asked for.
        variables = self._server.variables
        there = [name for name, _handle in wanted if name in variables]
        left_out = self._still_spoiling(link, there)
        self._prepare(link, [variables[name] for name in there if name not in left_out])
        made: List[Created] = []
        requests: List[Any] = []
        asked: List[Tuple[str, int]] = []
        for name, handle in wanted:
            try:
                if name not in variables:
                    raise ServiceError("the configuration no longer has it", "BadNodeIdUnknown")
                if name in left_out:
                    raise left_out[name]
                requests.append(self._request(link, variables[name], handle))
                asked.append((name, handle))
            except ServiceError as problem:
                made.append(Created(handle, None, problem.status, problem.reason))
        if requests:
            results = link.subscriptions.create_items(requests)
            made.extend(map(self._revise, asked, requests, results))
            self._tell([name for name, _handle in asked])
        return made

    def _revise(
        self, asked: Tuple[str, int], request: Any, placed: Tuple[int, CreatedItem]
    ) -> Created:
        (name, handle), (subscription, result) = asked, placed
        if not status_codes.is_bad(result.status):
            parameters = request.RequestedParameters
            self.revised[name] = Revised(
                parameters.SamplingInterval,
                result.sampling_interval_ms,
                parameters.QueueSize,
                result.queue_size,
            )
            return Created(handle, result.item_id, "Good", "", subscription)
        return Created(
            handle, None, status_codes.name(result.status), status_codes.reason(result.status)
        )

    def _tell(self, names: Sequence[str]) -> None:
        """Log what the server revised: one line for all items with the same revision, once."""
        alike: Dict[Revised, List[str]] = defaultdict(list)
        for name in names:
            revised = self.revised.get(name)
            if revised is not None and revised.differs and (name, revised) not in self._told:
                self._told.add((name, revised))
                alike[revised].append(name)
        for revised, revised_names in alike.items():
            log.info(
                "%s: the OPC UA server samples %s%s every %g ms (asked: %g) and keeps %d values "
                "(asked: %d)",
                self._server.name,
                revised_names[0],
                " and %d more" % (len(revised_names) - 1) if revised_names[1:] else "",
                revised.interval_ms,
                revised.asked_interval_ms,
                revised.queue_size,
                revised.asked_queue_size,
            )

    def _prepare(self, link: Link, variables: Sequence[Variable]) -> None:
        """Learn what is needed to decode the items' values before the first value comes."""
        by_depth: Dict[bool, List[Variable]] = {False: [], True: []}
        for variable in variables:
            deadband = self._deadband(variable)
            by_depth[deadband is not None and deadband.percent is not None].append(variable)
        try:
            for in_full, some in by_depth.items():
                if some:
                    self._learn(link, some, in_full)
        except PlantError as problem:
            # Without it structures may stay bytes; the items can be created anyway.
            log.info("%s: data types: %s", self._server.name, problem.reason)

    def _deadband(self, variable: Variable) -> Optional[Deadband]:
        return variable.deadband or self._server.deadband

    def _request(self, link: Link, variable: Variable, handle: int) -> Any:
        """The MonitoredItemCreateRequest (OPC 10000-4 7.21).

        Raises :exc:`~opcws.model.errors.ServiceError` if the server would certainly refuse it.
        """
        node_id = link_node_id(link, variable)
        known = self._known(variable)
        if known.ignores_range:
            raise ignores_range(variable)
        server = self._server
        request = ua.MonitoredItemCreateRequest()
        request.ItemToMonitor.NodeId = library_node_id(node_id)
        request.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        request.ItemToMonitor.IndexRange = variable.index_range
        request.MonitoringMode = ua.MonitoringMode.Reporting
        parameters = request.RequestedParameters
        parameters.ClientHandle = handle
        interval = variable.sampling_interval_ms
        parameters.SamplingInterval = float(
            server.sampling_interval_ms if interval is None else interval
        )
        parameters.QueueSize = variable.queue_size or server.queue_size
        oldest = variable.discard_oldest
        parameters.DiscardOldest = server.discard_oldest if oldest is None else oldest
        parameters.Filter = self._filter(variable, known)
        return request

    def _filter(self, variable: Variable, known: Known) -> Any:
        """The DataChangeFilter (OPC 10000-4 7.22.2), or ``None`` for the server's default, which is
        status and value without a deadband."""
        trigger = _TRIGGERS[variable.trigger or self._server.trigger]
        deadband = self._deadband(variable)
        type_id = known.value_type.type
        if variable.deadband is None and type_id and type_id not in _NUMBERS:
            deadband = None  # the setting of the server applies only to numbers
        absolute = deadband.absolute if deadband is not None else None
        percent = deadband.percent if deadband is not None else None
        if variable.deadband is None and not known.has_eu_range:
            percent = None  # and only to variables with a range
        if percent and not known.has_eu_range:
            raise ServiceError(
                "deadband.percent needs a EURange, which %s does not have; use deadband.absolute"
                % variable.node_text,
                "BadDeadbandFilterInvalid",
            )
        if not absolute and not percent and trigger == ua.DataChangeTrigger.StatusValue:
            return None
        wanted = ua.DataChangeFilter()
        wanted.Trigger = trigger
        kind = ua.DeadbandType.None_
        if absolute:
            kind = ua.DeadbandType.Absolute
        elif percent:
            kind = ua.DeadbandType.Percent
        wanted.DeadbandType = kind
        wanted.DeadbandValue = float(absolute or percent or 0.0)
        return wanted

    def _still_spoiling(self, link: Link, names: Sequence[str]) -> Dict[str, ServiceError]:
        """Those of *names* that were left out and still cannot be read."""
        asked = [name for name in names if name in self._spoiling]
        if not asked:
            return {}
        deadline = Deadline(self._server.request_timeout_ms / 1000.0)
        results = self._read(link, [self._server.variables[name] for name in asked], deadline)
        left_out = {
            name: result for name, result in zip(asked, results) if isinstance(result, ServiceError)
        }
        self._spoiling = self._spoiling.difference(asked).union(left_out)
        return left_out

    def find_spoiling(
        self, link: Link, monitored: Sequence[Tuple[str, int]], reason: str, too_large: bool
    ) -> None:
        """A notification could not be read, for *reason*: read every *monitored* variable, leave
        out the items of those that cannot be read, and send the present values of the others.
        Raises :exc:`~opcws.model.errors.PlantError`."""
        variables = self._server.variables
        asked = [(name, handle) for name, handle in monitored if name in variables]
        deadline = Deadline(self._server.history_timeout_ms / 1000.0)
        results = self._read(link, [variables[name] for name, _handle in asked], deadline)
        left_out: Dict[str, Created] = {}
        values: List[Tuple[int, DataValue]] = []
        for (name, handle), result in zip(asked, results):
            if isinstance(result, DataValue):
                values.append((handle, result))
            elif result.status in SPOILING:
                left_out[name] = Created(handle, None, result.status, result.reason)
        now = time.monotonic()
        if left_out:
            self._spoiling = self._spoiling.union(left_out)
            self._relay.created(link, list(left_out.values()))
            self._fruitless, self._found_at = 0, now
            log.warning(
                "%s: the value of %s%s cannot be read (%s); opcws leaves it out until it can be",
                self._server.name,
                next(iter(left_out)),
                " and %d more" % (len(left_out) - 1) if len(left_out) > 1 else "",
                reason,
            )
        elif now - self._found_at <= ON_THEIR_WAY_S:
            pass
        elif not (too_large and link.subscriptions.ask_for_less()):
            self._fruitless += 1
            if self._fruitless >= MAX_FRUITLESS:
                self._fruitless = 0
                raise PlantError(
                    "the OPC UA server sends notifications that are wrong: %s" % reason,
                    SPOILING[0],
                )
        self._relay.refresh(link, values)

    def try_all(self, link: Link, deadline: Deadline) -> Dict[str, Created]:
        """Create an item for every readable variable, and delete it again, to find out what the
        server answers.  :attr:`revised` has the settings that the server uses.

        Only while nothing is monitored.  Raises :exc:`~opcws.model.errors.PlantError`.
        """
        names = [variable.name for variable in self._server.variables.values() if variable.readable]
        tried: Dict[str, Created] = {}
        most = link.max_items_per_call
        for start in range(0, len(names), most):
            wanted = [(name, start + place) for place, name in enumerate(names[start:][:most], 1)]
            if deadline.expired:
                raise PlantError("no answer in time", "BadTimeout")
            by_handle = {handle: name for name, handle in wanted}
            made = self._create_some(link, wanted)
            tried.update((by_handle[each.handle], each) for each in made)
            ids = [(each.subscription, each.item_id) for each in made if each.item_id is not None]
            if ids:
                link.subscriptions.delete_items(ids)
        return tried


def _not_read(problem: ServiceError) -> None:
    """Nothing to do: the next value comes with a notification."""
    log.debug("not read again: %s", problem.reason)
