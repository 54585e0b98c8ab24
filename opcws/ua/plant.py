"""One OPC UA server as the gateway sees it: its worker, relay, metadata and supervisor.

Threads: the gateway calls it on connection threads; these calls only queue.
"""

import itertools
import logging
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ..config.difference import ServerChange
from ..config.settings import Server, Variable
from ..gateway.monitor import Monitor
from ..gateway.plant_interface import (
    CHANGED,
    REMOVED,
    ContinuationPoint,
    HistoryPage,
    HistoryQuery,
    Owner,
    ReadDone,
    StandingBy,
    TakeFound,
    Write,
    WriteDone,
    ignores_range,
)
from ..gateway.relay import Relay
from ..gateway.value_source import Created, Source
from ..model import status_codes
from ..model.data_types import DataValue, NodeId, StructureDefinition, ValueType
from ..model.deadline import Deadline
from ..model.errors import CodecError, PlantError, ServiceError
from ..wire.notifications import Change
from ..wire.values_from_json import Definitions
from .channel.link import Link
from .channel.subscription import Events
from .encoding import service_bodies
from .encoding.codec import encode_node_id
from .encoding.standard_types import standard_definition, standard_structure
from .looking import Looking
from .monitored_items import Known, MonitoredItems, Revised
from .services import history
from .services.address_space import learn_encodings
from .services.browsed_variables import Found, find_variables
from .services.call_statistics import CallStatistics
from .services.fair_queue import Job, ReadOperation, WriteOperation
from .services.metadata import ALL, CHUNK, NAMES, TYPES, Metadata, link_node_id
from .services.worker import CLIENT_LEFT, WAITED_TOO_LONG, Worker
from .stale_values import StaleValues
from .supervisor import Supervisor

log = logging.getLogger(__name__)

#: The longest pause, in seconds, before opcws asks again for what a server did not tell.
MAX_PAUSE_S = 300.0
_NO_HISTORY = PlantError(
    status_codes.REASONS["BadHistoryOperationUnsupported"], "BadHistoryOperationUnsupported"
)


class Plant(Events):
    """The OPC UA server *server* with its variables; *found* gets the variables that a browse
    found, on a thread that may wait; opcws does not connect while *standing_by* gives a reason."""

    def __init__(
        self,
        server: Server,
        found: TakeFound = lambda _name, _browse, _variables: None,
        standing_by: StandingBy = lambda: None,
    ) -> None:
        self.name = server.name
        self.server = server
        self._standing_by = standing_by
        self.metadata = Metadata(server)
        self.call_statistics = CallStatistics()
        self.relay = Relay(
            server.name,
            Source(
                lambda link, wanted, line: self.items.create(link, wanted, line),
                lambda link, item_ids: self.items.delete(link, item_ids),
                self._decode,
                lambda link: link.namespaces,
                self._failures,
                self._retry,
                lambda variable: self.items.read_again(variable),
            ),
            len(server.variables),
            server.retry_interval_ms / 1000.0,
        )
        self.worker = Worker(
            server,
            lambda: self.supervisor.link,
            self._node_id,
            self._latest,
            self._make,
            self._learn_types,
            lambda: self.history_reader.tend(self.supervisor.link),
            self.metadata.value_type,
            standing_by,
        )
        self.history_reader = history.HistoryReader(server, self._release_later)
        self.items = MonitoredItems(
            server,
            self.worker,
            self.relay,
            self._learn_for_items,
            self._known,
            self.worker.read_apart,
            self._written_at,
        )
        # By link: what must be asked again, when, and the pause after the next failure; each
        # operation is one step, so it needs no lock.
        self._undescribed: List[Tuple[Link, float, List[Variable], float]] = []
        self._types_due = self._limits_due = 0.0
        self.looking = Looking(server, self.worker, lambda: self.supervisor.link, found)
        self._searching = object()
        self.stale = StaleValues(
            server, self.worker, self.relay, self.items.settle_s, self._eu_range
        )
        self._generations = itertools.count(1)
        # Guards _stopped and replacing the supervisor.
        self._lock = threading.Lock()
        self._stopped = False
        self._reconnecting = False
        self.supervisor = self._supervisor()

    def _supervisor(self) -> Supervisor:
        return Supervisor(
            self.server,
            self.worker,
            self.relay,
            self,
            self._connected,
            self._tick,
            lambda: next(self._generations),
            self._standing_by,
        )

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self.relay.start()
        self.worker.start()
        self.supervisor.start()

    def quit(self) -> None:
        """Begin to stop: close the session politely if that is quick."""
        self.supervisor.leave()

    def stop(self, deadline: Deadline) -> None:
        """Close the session and end every thread, within *deadline*."""
        with self._lock:
            self._stopped = True
        self.supervisor.stop(deadline)
        self.worker.stop(deadline.bounded(1.0))
        self.relay.stop(deadline.bounded(1.0))

    def change(self, change: ServerChange) -> None:
        """Take over the new configuration, at once; where it needs a new connection, call
        :meth:`reconnect`."""
        server = self.server = change.new
        self.metadata.change(server, change.moved | change.removed)
        self.worker.change(server)
        self.history_reader.change(server)
        # Before the relay, which makes it create items.
        self.items.change(server)
        self.looking.change(server)
        self.stale.change(server)
        self.relay.change(
            len(server.variables), server.retry_interval_ms / 1000.0, change.remade, change.moved
        )
        link = self.supervisor.link
        if link is not None and self.supervisor.connected:
            anew = change.added | change.moved
            self._describe_in_background(link, [server.variables[name] for name in anew])

    def reconnect(self, deadline: Deadline) -> None:
        """Connect again with the present configuration; pending requests are answered first."""
        old = self.supervisor
        self._reconnecting = True
        old.refuse(CHANGED)
        self._drain(deadline)
        old.stop(deadline, CHANGED)
        with self._lock:
            if self._stopped:
                return
            self.supervisor = self._supervisor()
            self.supervisor.continue_from(old)
            self.supervisor.start()
            self._reconnecting = False

    def retire(self, deadline: Deadline) -> None:
        """The configuration no longer has this server: as :meth:`stop`, but pending requests are
        answered."""
        self.supervisor.dismiss(REMOVED)
        self._drain(deadline)
        self.stop(deadline)

    def _drain(self, deadline: Deadline) -> None:
        self.worker.drain(Deadline(deadline.bounded(self.server.request_timeout_ms / 1000.0)))

    def describe(self, deadline: Deadline) -> Tuple[Dict[str, Created], Dict[str, Revised]]:
        """Learn now what the server says of every variable, and what it would answer to a monitor
        of each readable one: whether it creates the item, and with which parameters.

        Raises :exc:`~opcws.model.errors.PlantError`.
        """
        link = self.supervisor.link
        if link is None:
            raise PlantError("not connected", "BadNotConnected")
        variables = list(self.server.variables.values())
        for start in range(0, len(variables), CHUNK):
            some = self._encoded(link, variables[start : start + CHUNK])
            self.metadata.learn(link, some, deadline)
        return self.items.try_all(link, deadline), self.items.revised

    # --- for the gateway, on any thread ---------------------------------------------------------

    @property
    def namespaces(self) -> Sequence[str]:
        """The NamespaceArray as last known."""
        return self.supervisor.namespaces

    def read(
        self,
        variables: Sequence[Variable],
        max_age_s: float,
        done: ReadDone,
        line: object = None,
    ) -> None:
        self._require_connection()
        self.worker.submit(ReadOperation(variables, max_age_s, self._deadline(), done), line)

    def write(self, writes: Sequence[Write], done: WriteDone, line: object = None) -> None:
        self._require_connection()
        self.worker.submit(WriteOperation(writes, self._deadline(), done), line)

    def begin(self, monitors: Sequence[Monitor]) -> None:
        if self.supervisor.connected and monitors:
            self.items.begin(monitors)
            return
        for monitor in monitors:
            self.relay.begin(monitor)

    def history(
        self,
        query: HistoryQuery,
        owner: Owner,
        done: Callable[[Union[HistoryPage, ServiceError]], None],
    ) -> None:
        self._require_connection()
        deadline = Deadline(self.server.history_timeout_ms / 1000.0)
        call = self.history_reader.call(lambda link: self._node_id(link, query.variable))

        def run(link: Link) -> None:
            if owner.closed:
                raise PlantError(CLIENT_LEFT, "BadRequestCancelledByClient")
            if deadline.expired:
                raise PlantError(WAITED_TOO_LONG, "BadTimeout")
            node_id = self._node_id(link, query.variable)
            try:
                page = self.history_reader.page(link, query, node_id, call, deadline)
            except ServiceError as problem:
                # open62541 also answers so for a variable without history.
                is_denied = problem.status == "BadUserAccessDenied"
                if is_denied and self.keeps_history(query.variable) is False:
                    raise _NO_HISTORY from None
                raise
            done(page)

        job = Job(run, done, is_long=True, owner=owner, give_up=call.give_up)
        self.worker.submit(job, owner.outbox)

    def learn(self, variables: Sequence[Variable], owner: Owner, done: Callable[[], None]) -> None:
        link = self.supervisor.link
        if not self.supervisor.connected or link is None or not self._unknown(link, variables):
            done()
            return
        deadline = self._deadline()

        def run(current: Link) -> None:
            # The background learns the same: ask only for what is not known yet.
            for start in range(0, len(variables), CHUNK):
                some = self._unknown(current, variables[start : start + CHUNK])
                self.metadata.learn(current, self._encoded(current, some), deadline)
            done()

        def failed(problem: ServiceError) -> None:
            log.info("%s: metadata: %s", self.name, problem.reason)
            done()

        self.worker.submit(Job(run, failed, is_long=True, owner=owner), owner.outbox)

    def _unknown(self, link: Link, variables: Sequence[Variable]) -> List[Variable]:
        knows = self.metadata.knows
        return [each for each in variables if not knows(each.name, link.generation, ALL)]

    def release_history(self, continuation_point: ContinuationPoint) -> None:
        assert isinstance(continuation_point, history.HistoryContinuation)
        point = continuation_point
        self._release_later(lambda link: self.history_reader.release(link, point))

    def _release_later(self, step: Callable[[Link], None]) -> None:
        self.worker.submit(Job(step, _ignore, is_long=True, owner=self.history_reader))

    def leave(self, owner: Owner) -> None:
        self.worker.leave(owner)

    def value_type(self, variable: Variable) -> ValueType:
        link = self.supervisor.link
        if (
            self.supervisor.connected
            and link is not None
            and not self.metadata.knows(variable.name, link.generation, NAMES)
        ):
            return ValueType()  # what an older generation said may be wrong now
        return self.metadata.value_type(variable)

    def allows(self, variable: Variable) -> Tuple[bool, bool]:
        return self.metadata.allows(variable.name)

    def keeps_history(self, variable: Variable) -> Optional[bool]:
        return self.metadata.keeps_history(variable.name)

    def is_stepped(self, variable: Variable) -> bool:
        known = self.metadata.description(variable.name)
        return known is not None and known.stepped

    def info(self, variable: Variable) -> Mapping[str, Any]:
        return self.metadata.info(variable, self.namespaces)

    def definitions(self) -> Definitions:
        link = self.supervisor.link

        def definition(type_id: NodeId) -> Optional[StructureDefinition]:
            """By the id of the encoding, or by that of the data type."""
            known = standard_definition(type_id) or standard_structure(type_id)
            return known if known or link is None else link.data_types.known(type_id)

        return definition

    def status(self) -> Dict[str, Any]:
        """What ``/status`` says: the connection, and the state of the variables."""
        status = {
            **self.supervisor.status(),
            "Required": self.server.required,
            **self.relay.health().members(True),
        }
        if self.stale.limits:
            status["StaleValues"] = self.stale.found
        if self.stale.last is not None:
            name, reason = self.stale.last
            status["LastStale"] = {"Variable": name, "Reason": reason}
        return status

    @property
    def threads(self) -> List[threading.Thread]:
        """The threads that must live until :meth:`stop`."""
        watching = [] if self._reconnecting else self.supervisor.threads
        return [*self.relay.threads, *self.worker.threads, *watching]

    def statistics(self) -> Dict[str, Any]:
        """Counts and measurements for ``/metrics``; takes no lock that a request or a value
        needs."""
        supervisor, relay = self.supervisor, self.relay
        link, health = supervisor.link, relay.health()
        published_s = None
        if link is not None and supervisor.connected:
            published_s = max(0.0, time.monotonic() - link.subscriptions.published_at)
        return {
            "required": self.server.required,
            "connected": supervisor.connected,
            "connected_at": supervisor.connected_at,
            "connections": supervisor.connections,
            "failures": supervisor.failures,
            "configured": health.configured,
            "active": health.active,
            "failed": len(health.failed),
            "values": relay.values,
            "updates": relay.updates,
            "relay_backlog": relay.backlog,
            "worker_backlog": self.worker.backlog,
            "published_s": published_s,
            "calls": self.call_statistics.calls(),
            "failed_calls": self.call_statistics.failures(),
            "levels": supervisor.service_levels(),
            "stale": self.stale.found,
        }

    def _require_connection(self) -> None:
        if not self.supervisor.connected:
            raise PlantError(
                "%s is not connected: %s" % (self.name, self.supervisor.reason or "connecting"),
                "BadNotConnected",
            )

    def _deadline(self) -> Deadline:
        return Deadline(self.server.request_timeout_ms / 1000.0)

    # --- on the worker's threads ----------------------------------------------------------------

    def _node_id(self, link: Link, variable: Variable) -> bytes:
        encoded = link.encoded_node_ids.get(variable.node_text)
        if encoded is None:
            encoded = encode_node_id(link_node_id(link, variable))
            link.encoded_node_ids[variable.node_text] = encoded
        return encoded

    def _written_at(self, name: str) -> float:
        link, variable = self.supervisor.link, self.server.variables.get(name)
        if link is None or variable is None:
            return 0.0
        node_id = link.encoded_node_ids.get(variable.node_text)  # there is one if there is an item
        return 0.0 if node_id is None else link.written_at.get(node_id, 0.0)

    def _latest(self, name: str, max_age_s: float, written_at: float) -> Optional[DataValue]:
        """The monitored value, unless its item may still deliver one from before the write."""
        if time.monotonic() - written_at <= self.items.settle_s(name):
            return None
        return self.relay.latest(name, max_age_s, written_at)

    def _make(self, link: Link, write: Write) -> DataValue:
        if write.variable.index_range is not None:
            known = self.metadata.description(write.variable.name)
            if known is not None and known.ignores_range:
                raise ignores_range(write.variable)
        if write.value is not None:
            return write.value
        return write.make(self.metadata.value_type(write.variable), link.namespaces)

    def _learn_types(self, link: Link, variables: Sequence[Variable], deadline: Deadline) -> None:
        self.metadata.learn(link, self._encoded(link, variables), deadline, NAMES)

    def _learn_for_items(self, link: Link, variables: Sequence[Variable], in_full: bool) -> None:
        level = ALL if in_full else TYPES
        self.metadata.learn(link, self._encoded(link, variables), self._deadline(), level)

    def _known(self, variable: Variable) -> Known:
        known = self.metadata.description(variable.name)
        if known is None:
            return Known(ValueType(variable.type, variable.is_array), False, False)
        return Known(known.value_type, known.ignores_range, "EURange" in known.members)

    def _eu_range(self, name: str) -> Optional[Tuple[float, float]]:
        known = self.metadata.description(name)
        eu_range = None if known is None else known.members.get("EURange")
        return None if eu_range is None else (eu_range["Low"], eu_range["High"])

    def _encoded(self, link: Link, variables: Sequence[Variable]) -> List[Tuple[Variable, bytes]]:
        encoded = []
        for variable in variables:
            try:
                encoded.append((variable, self._node_id(link, variable)))
            except PlantError as problem:
                self.metadata.cannot(variable, link.generation, problem)
        return encoded

    def _connected(self, link: Link) -> None:
        """A generation is up: learn what it says of the variables, a chunk at a time."""
        self._describe_in_background(link, list(self.server.variables.values()))
        self._tick(link)

    def _tick(self, link: Link) -> None:
        """Called repeatedly while *link* is up, on the supervisor's thread, which must survive."""
        try:
            self.looking.tick(link)
            self.stale.tick(link)
            now = time.monotonic()
            if not link.data_types.complete and now >= self._types_due:
                if link.data_types.ask_again():
                    self._types_due = now + self._retry_s()
            for waiting in self._undescribed[:]:
                if waiting[0] is not link:
                    self._undescribed.remove(waiting)
                elif now >= waiting[1]:
                    self._undescribed.remove(waiting)
                    self._describe_in_background(link, *waiting[2:])
            if not link.limits_told and now >= self._limits_due:
                self._limits_due = now + self._retry_s()
                deadline = self._deadline()
                self.worker.submit(
                    Job(lambda link: link.learn_limits(deadline), _ignore, True, owner=link)
                )
        except Exception:
            log.exception("%s: a defect while looking after the variables", self.name)

    def look(self, link: Link, warn: Optional[Callable[[str], None]] = None) -> Found:
        """The variables that ``browse`` finds on *link*; *warn* gets the warnings instead of the
        log.  Raises :exc:`~opcws.model.errors.PlantError`."""
        return find_variables(link, self.server, warn=warn)

    def _retry_s(self) -> float:
        return self.server.retry_interval_ms / 1000.0

    def _describe_in_background(
        self, link: Link, left: List[Variable], pause_s: Optional[float] = None
    ) -> None:
        """Learn what the server says of the variables *left*; what it does not tell now is asked
        again after *pause_s* seconds, then less and less often."""
        pause_s = pause_s or self._retry_s()
        untold: List[Variable] = []

        def again(some: List[Variable]) -> None:
            waits = {each.name for waiting in self._undescribed for each in waiting[2]}
            some = [each for each in some if each.name not in waits]
            if some and self.supervisor.link is link:
                pause = max(min(2 * pause_s, MAX_PAUSE_S), self._retry_s())
                self._undescribed.append((link, time.monotonic() + pause_s, some, pause))

        def run(current: Link) -> None:
            if current is not link:
                return
            chunk = left[-CHUNK:]
            deadline = Deadline(self.server.history_timeout_ms / 1000.0)
            untold.extend(self.metadata.learn(link, self._encoded(link, chunk), deadline))
            del left[-CHUNK:]
            if left:
                self.worker.submit(Job(run, failed, is_long=True, owner=link))
            else:
                again(untold)
                self.relay.recount(link)

        def failed(problem: ServiceError) -> None:
            log.info("%s: metadata: %s", self.name, problem.reason)
            # The variables for which the server does not answer go behind the others.
            again(left[-CHUNK:] + left[:-CHUNK] + untold)
            self.relay.recount(link)

        if left:
            self.worker.submit(Job(run, failed, is_long=True, owner=link))

    # --- for the relay --------------------------------------------------------------------------

    def published(self, link: Link, body: bytes) -> None:
        def done() -> None:
            if link.subscriptions.consumed():
                self.worker.submit(Job(lambda _link: link.subscriptions.catch_up(), _ignore))

        self.relay.published(link, body, done)

    def gap(self, link: Link) -> None:
        self.worker.submit(Job(lambda _link: link.subscriptions.recover(), _ignore))

    def values_lost(self, link: Link, subscription_id: int) -> None:
        self.relay.values_lost(link, subscription_id)

    def called(self, type_id: int, seconds: float, status: str) -> None:
        self.call_statistics.called(type_id, seconds, status)

    def _decode(self, link: Link, body: bytes) -> Sequence[Change]:
        head = service_bodies.response_head(body)
        if head.type_id == service_bodies.SERVICE_FAULT:
            self._find_spoiling(link, "a message with notifications is too large", True)
            return ()
        read = (
            service_bodies.republish_response
            if head.type_id == service_bodies.REPUBLISH_RESPONSE
            else service_bodies.publish_response
        )
        try:
            notifications = read(body, head.position, link.definitions)
        except CodecError as error:
            self._find_spoiling(link, error.reason)
            return ()
        if link.data_types.pending:
            # A type that the variable's data type did not announce: known from the next value on.
            self.worker.submit(
                Job(self._learn_in_background, _ignore, True, merge=self.relay, owner=link)
            )
        if notifications.events:
            self.looking.changed_there()
        if status_codes.is_bad(notifications.status):
            link.fail(
                "the OPC UA server ended the subscription: %s"
                % status_codes.name(notifications.status)
            )
        return notifications.changes

    def _find_spoiling(self, link: Link, reason: str, too_large: bool = False) -> None:
        """Search for the values that made a notification unreadable; which values it had is
        unknown."""
        self.relay.values_lost(link)
        monitored = self.relay.monitored()

        def run(current: Link) -> None:
            if current is link:
                self.items.find_spoiling(link, monitored, reason, too_large)

        def failed(problem: ServiceError) -> None:
            # A new generation gets all values again.
            link.fail(problem.reason)

        self.worker.submit(
            Job(run, failed, is_long=True, merge=self._searching, owner=self._searching)
        )

    def _learn_in_background(self, link: Link) -> None:
        learn_encodings(link, self._deadline())

    def _failures(self, link: Link) -> Mapping[str, Tuple[str, str]]:
        return self.metadata.failures(link.generation)

    def _retry(self, link: Link) -> None:
        """Ask again about the variables that the server did not have."""
        failed = self.metadata.failures(link.generation)
        self._describe_in_background(
            link, [self.server.variables[name] for name in failed if name in self.server.variables]
        )


def _ignore(problem: ServiceError) -> None:
    """For steps that may fail: if one does, the generation is over or nearly so."""
    log.debug("not done: %s", problem.reason)
