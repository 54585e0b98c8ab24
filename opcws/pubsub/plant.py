"""A publisher at a broker as a plant for the gateway: another collector reads its values.

Rules:

* A *link* lasts while the broker is connected, the publisher is Operational in its last ua-status
  (without one: it has sent something), and it is not *silent*.  Otherwise the variables are
  BadNotConnected.
* A publisher is silent if nothing came for :data:`SILENT_TIMES` times the longest silence that it
  announces: its KeepAliveTime, or the time between two key frames.  If it announces none, it is
  never silent, unless the configuration has a MessageReceiveTimeout.
* A link begins when all retained messages have come, or after :data:`SETTLE_S`.
* This module notes the contents of messages and hands their values to the relay, which holds the
  values of the link: so a READ returns nothing newer than an update did.

Threads: the gateway's calls on any; ``opcws-mqtt-NAME`` connects, and notes messages; calls from
the relay run on its thread.
"""

import logging
import socket
import threading
import time
from itertools import repeat
from typing import (
    Any,
    Callable,
    Collection,
    Dict,
    FrozenSet,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from ..config.difference import ServerChange
from ..config.publishing import access_of
from ..config.settings import Server, Variable
from ..gateway.monitor import Monitor
from ..gateway.plant_interface import (
    CHANGED,
    DEFECT,
    REMOVED,
    ContinuationPoint,
    HistoryPage,
    HistoryQuery,
    Owner,
    ReadDone,
    TakeFound,
    Wake,
    Write,
    WriteDone,
    WriteResult,
)
from ..gateway.relay import Relay
from ..gateway.value_source import Created, Source
from ..model.data_types import TYPE_NAMES, DataValue, NodeId, StructureDefinition, ValueType
from ..model.deadline import Deadline
from ..model.errors import PlantError, ServiceError
from ..operations.log_limit import LogLimit
from ..wire.notifications import Change, generic
from ..wire.timestamps import utc_text
from ..wire.values_from_json import Definitions
from . import network_messages, publication, request_messages, topics
from .asking import Asking, Request
from .connection import MOST_BYTES, BrokerError, connect
from .message import Incoming
from .publication import WAITING, Changes, Publication

log = logging.getLogger(__name__)

#: Multiple of the announced longest silence after which a publisher is silent.
SILENT_TIMES = 3.0
#: Seconds for the retained messages to come; and at most, if more and more come.
SETTLE_S, AT_LAST_S = 1.0, 5.0
#: Longest wait for the broker, in seconds.
WAIT_S = 0.25
#: Most messages that wait for the relay; beyond that the broker must wait.
MOST_WAITING = 1000
#: Log lines of one kind within the time of a LogLimit.
LINES = 1


class _Present(NamedTuple):
    """The relay shall get the present values of *handles*."""

    handles: Sequence[int]


class _Point:
    """The collector's ContinuationPoint, where it continues a history."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.usable = True


class Link:
    """One period in which the publisher is available; *values* are those of its fields.  Only the
    relay's thread uses it, except that any thread may look up a value."""

    def __init__(self, values: Dict[str, DataValue]) -> None:
        self.values = values
        self._fields: Dict[int, str] = {}
        # Handles by field that have got their first value; only these get changes.
        self._handles: Dict[str, Set[int]] = {}

    def add(self, handle: int, field: str) -> None:
        self._fields[handle] = field

    def remove(self, items: Sequence[Tuple[int, int]]) -> None:
        """Forget *items*, each a subscription and a handle."""
        for _subscription, handle in items:
            field = self._fields.pop(handle, None)
            if field is not None:
                self._handles.get(field, set()).discard(handle)

    def present(self, handles: Sequence[int]) -> List[Change]:
        """The present values of *handles*; from now on they also get changes."""
        changes: List[Change] = []
        for handle in handles:
            field = self._fields.get(handle)
            if field is not None:
                self._handles.setdefault(field, set()).add(handle)
                changes.append(generic(handle, self.values.get(field, WAITING)))
        return changes

    def take(self, values: Sequence[Tuple[str, DataValue]]) -> List[Change]:
        """The changes because fields have new *values*."""
        changes: List[Change] = []
        for name, value in values:
            self.values[name] = value
            changes += [generic(handle, value) for handle in self._handles.get(name, ())]
        return changes


class Plant:
    """The publisher that *server* names, at its broker; *found* is called with its fields if the
    configuration lists none."""

    def __init__(
        self, server: Server, found: TakeFound = lambda _name, _browse, _variables: None
    ) -> None:
        self.name = server.name
        self.server = server
        self._tell_found = found
        self.relay = Relay(
            server.name,
            Source(
                self._create,
                lambda link, items: link.remove(items),
                self._decode,
                lambda _link: self._publication.namespaces,
                lambda _link: self.failed(),
            ),
            len(server.variables),
            server.retry_interval_ms / 1000.0,
        )
        # Only for opcws-mqtt-NAME, but any may look up in it; replaced with the publisher.
        self._publication = _publication(server)
        self._complaints = LogLimit()
        # Names of the last call of *found*, and whether to look again.
        self._found: Optional[Set[str]] = None
        self._look = False
        # Set while the publisher is available, in one step.
        self._link: Optional[Link] = None
        # Our clients' requests to the publisher.
        self._asking = Asking(server, self._wake)
        # When the last message came that was not retained.
        self._heard_at = 0.0
        self._heard = False
        # Number of received messages.
        self._came = 0
        # The topic of answers.
        self._answers: Optional[str] = None
        self._reader, self._waker = socket.socketpair()
        for each in (self._reader, self._waker):
            each.setblocking(False)
        # Read by the thread when it is woken.
        self._stopping = False
        self._again = threading.Event()
        self._why_leaving = "opcws is stopping"
        # Guards the number of messages that wait for the relay.
        self._lock = threading.Lock()
        self._waiting = 0
        #: The state, for the status pages.
        self.state = "connecting"
        self.since = utc_text(time.time())
        self.reason: Optional[str] = None
        self.connected_at: Optional[float] = None
        self.connections = 0
        self.failures = 0
        #: The protocol of the broker, while it is connected.
        self.protocol: Optional[str] = None
        #: Set when the first attempt has succeeded or failed.
        self.settled = threading.Event()
        # A daemon, because a name service or a TLS handshake may hang; stop() joins it.
        self._thread = threading.Thread(
            target=self._run, name="opcws-mqtt-" + server.name, daemon=True
        )

    # --- started, changed and stopped -----------------------------------------------------------

    def start(self) -> None:
        self.relay.start()
        self._thread.start()

    def quit(self) -> None:
        self._stopping = True
        self._again.set()
        self._wake()

    def stop(self, deadline: Deadline) -> None:
        self.quit()
        self._thread.join(deadline.bounded(1.0))
        self.relay.stop(deadline.bounded(1.0))

    def change(self, change: ServerChange) -> None:
        self.server = self._asking.server = server = change.new
        self.relay.change(
            len(server.variables), server.retry_interval_ms / 1000.0, change.remade, change.moved
        )
        if change.old.browse != server.browse:
            self._found, self._look = None, True
        if _types(change.old) != _types(server):
            self._again_because(CHANGED)

    def reconnect(self, deadline: Deadline) -> None:
        self._again_because(CHANGED)

    def _again_because(self, reason: str) -> None:
        self._why_leaving = reason
        self._again.set()
        self._wake()

    def retire(self, deadline: Deadline) -> None:
        self.state, self.reason = "disconnected", REMOVED
        self._why_leaving = REMOVED
        self.relay.status("disconnected", utc_text(time.time()), REMOVED)
        self.stop(deadline)

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except OSError:  # the thread is awake, or has ended
            pass

    @property
    def threads(self) -> List[threading.Thread]:
        return [*self.relay.threads, self._thread]

    # --- for the gateway, on any thread ---------------------------------------------------------

    @property
    def namespaces(self) -> Sequence[str]:
        return self._publication.namespaces

    def read(
        self,
        variables: Sequence[Variable],
        max_age_s: float,
        done: ReadDone,
        line: object = None,
    ) -> None:
        link = self._require_link()
        wake = done([self._value(link, each) for each in variables])
        if wake is not None:
            wake()

    def _value(self, link: Link, variable: Variable) -> Union[DataValue, ServiceError]:
        field = _field(variable)
        if self._is_missing(field):
            return ServiceError(self._no_field(field), "BadNodeIdUnknown")
        value: DataValue = link.values.get(field, WAITING)
        return value

    def write(self, writes: Sequence[Write], done: WriteDone, line: object = None) -> None:
        self._require_requests("BadNotWritable", "write it where it is published")
        refused: Dict[int, ServiceError] = {}

        def make(handle: str) -> str:
            values: List[Tuple[str, Any]] = []
            for place, each in enumerate(writes):
                try:
                    each.require()
                    values.append((_field(each.variable), each.given))
                except ServiceError as problem:
                    refused[place] = problem
            if not values:
                raise refused[0]
            return request_messages.write_text(handle, values)

        def read(body: Mapping[str, Any]) -> List[WriteResult]:
            number = len(writes) - len(refused)
            return request_messages.results(body, number, self.server.publisher)

        def take(answer: Union[List[WriteResult], ServiceError]) -> Optional[Wake]:
            told = repeat(answer) if isinstance(answer, ServiceError) else iter(answer)
            places = range(len(writes))
            return done([refused[place] if place in refused else next(told) for place in places])

        owner = writes[0].owner if writes else None
        self._ask(Request(make, read, take, owner, self.server.request_timeout_ms / 1000.0, True))

    def _require_requests(self, status: str, instead: str) -> None:
        """Raises :exc:`~opcws.model.errors.ServiceError` if requests are not possible."""
        if self.server.edge is None:
            raise ServiceError(
                "%s comes from a broker; to ask for it there, set 'edge' of the server in the "
                "configuration, or %s" % (self.name, instead),
                status,
            )

    def _ask(self, request: Request) -> None:
        self._require_link()
        if self.protocol == _OLD:
            raise ServiceError(
                "the broker speaks MQTT 3.1.1, which knows no answers; nothing can be written, and "
                "no history read, by way of a broker without MQTT 5",
                "BadNotSupported",
            )
        self._asking.ask(request)

    def begin(self, monitors: Sequence[Monitor]) -> None:
        for monitor in monitors:
            self.relay.begin(monitor)

    def history(
        self,
        query: HistoryQuery,
        owner: Owner,
        done: Callable[[Union[HistoryPage, ServiceError]], None],
    ) -> None:
        self._require_requests(
            "BadHistoryOperationUnsupported", "have it recorded here: set 'record' to true"
        )
        point = query.continuation_point
        assert point is None or isinstance(point, _Point)

        def make(handle: str) -> str:
            if point is not None:
                if not point.usable:
                    raise ServiceError(
                        "the continuation point was used; read from a StartTime again",
                        "BadContinuationPointInvalid",
                    )
                point.usable = False
            token = None if point is None else point.token
            return request_messages.history_text(handle, _field(query.variable), query, token)

        def read(body: Mapping[str, Any]) -> HistoryPage:
            page = request_messages.page(body, self.namespaces)
            following = None if page.point is None else _Point(page.point)
            return HistoryPage(page.values, following, self.namespaces, page.missing)

        def take(answer: Union[HistoryPage, ServiceError]) -> None:
            done(answer)

        seconds = self.server.history_timeout_ms / 1000.0
        self._ask(Request(make, read, take, owner, seconds, False))

    def release_history(self, continuation_point: ContinuationPoint) -> None:
        # The collector releases it when the client leaves, requests others, or is idle.
        assert isinstance(continuation_point, _Point)
        continuation_point.usable = False

    def learn(self, variables: Sequence[Variable], owner: Owner, done: Callable[[], None]) -> None:
        done()

    def leave(self, owner: Owner) -> None:
        self._asking.leave(owner)

    def value_type(self, variable: Variable) -> ValueType:
        # The publisher checks the written value.
        return ValueType()

    def field_type(self, variable: Variable) -> ValueType:
        """The type of *variable* in the metadata."""
        known = self._publication.fields.get(_field(variable))
        return ValueType() if known is None else known.value_type

    def allows(self, variable: Variable) -> Tuple[bool, bool]:
        return True, bool(self._access_level(variable) & network_messages.CURRENT_WRITE)

    def keeps_history(self, variable: Variable) -> Optional[bool]:
        return bool(self._access_level(variable) & network_messages.HISTORY_READ)

    def _access_level(self, variable: Variable) -> int:
        """The AccessLevel of *variable*, as the publisher says."""
        known = self._publication.fields.get(_field(variable))
        if known is None or self.server.edge is None:
            return 0
        return publication.access_level(known.about)

    def is_stepped(self, variable: Variable) -> bool:
        return False

    def info(self, variable: Variable) -> Mapping[str, Any]:
        known = self._publication.fields.get(_field(variable))
        info: Dict[str, Any] = {}
        if known is not None:
            value_type = known.value_type
            type_id = value_type.type
            if not type_id and known.value.value is not None:
                type_id = known.value.value.type
            if type_id in TYPE_NAMES:
                info["Type"] = TYPE_NAMES[type_id]
            if value_type.is_array is not None:
                info["IsArray"] = value_type.is_array
            info.update(publication.members(known.about))
        if variable.description is not None:
            info["Description"] = variable.description
        return info

    def definitions(self) -> Definitions:
        def definition(_type_id: NodeId) -> Optional[StructureDefinition]:
            return None

        return definition

    def status(self) -> Mapping[str, Any]:
        status: Dict[str, Any] = {
            "Server": self.name,
            "State": self.state,
            "Since": self.since,
            "Connections": self.connections,
            "Required": self.server.required,
        }
        if self.connected_at is not None:
            status["LastConnected"] = utc_text(self.connected_at)
        reason = self.reason
        if reason is not None:
            status["Reason"] = reason
        return {**status, **self.relay.health().members(True)}

    def statistics(self) -> Mapping[str, Any]:
        relay, health = self.relay, self.relay.health()
        connected = self._link is not None
        return {
            "required": self.server.required,
            "connected": connected,
            "connected_at": self.connected_at,
            "connections": self.connections,
            "failures": self.failures,
            "configured": health.configured,
            "active": health.active,
            "failed": len(health.failed),
            "values": relay.values,
            "updates": relay.updates,
            "relay_backlog": relay.backlog,
            "worker_backlog": 0,
            "published_s": max(0.0, time.monotonic() - self._heard_at) if connected else None,
            "calls": {},
            "failed_calls": {},
            "levels": {},
            "stale": 0,
        }

    @property
    def fields(self) -> Collection[str]:
        """The names of the publisher's fields."""
        return self._publication.fields.keys()

    @property
    def described(self) -> bool:
        """Whether the publisher has described its fields."""
        return self._publication.described

    def failed(self) -> Mapping[str, Tuple[str, str]]:
        """Status and reason of the variables whose field the publisher does not have."""
        return {
            name: ("BadNodeIdUnknown", self._no_field(_field(variable)))
            for name, variable in list(self.server.variables.items())
            if self._is_missing(_field(variable))
        }

    def _require_link(self) -> Link:
        link = self._link
        if link is None:
            raise PlantError(
                "%s is not connected: %s" % (self.name, self.reason or "connecting"),
                "BadNotConnected",
            )
        return link

    def _is_missing(self, field: str) -> bool:
        """Whether the publisher has described its fields, and *field* is not among them."""
        return self._publication.described and field not in self._publication.fields

    def _no_field(self, field: str) -> str:
        return "the publisher %s has no field %s; correct its 'field', case and dots matter" % (
            self.server.publisher,
            field,
        )

    # --- on the relay's thread ------------------------------------------------------------------

    def _create(self, link: Link, wanted: List[Tuple[str, int]], _line: object) -> None:
        results: List[Created] = []
        handles: List[int] = []
        for name, handle in wanted:
            variable = self.server.variables.get(name)
            field = name if variable is None else _field(variable)
            if self._is_missing(field):
                results.append(Created(handle, None, "BadNodeIdUnknown", self._no_field(field)))
                continue
            known = self._publication.fields.get(field)
            data_set = 0 if known is None else known.data_set.number
            link.add(handle, field)
            handles.append(handle)
            results.append(Created(handle, handle, "Good", "", data_set))
        self.relay.created(link, results)
        self.relay.published(link, _Present(handles), _nothing)

    def _decode(self, link: Link, body: Any) -> Sequence[Change]:
        return link.present(body.handles) if isinstance(body, _Present) else link.take(body)

    # --- opcws-mqtt-NAME ------------------------------------------------------------------------

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping:
            if self._again.is_set():
                self._again.clear()
                self._publication = _publication(self.server)
            least = self.server.reconnect_min_ms / 1000.0
            pause = min(max(2 * pause, least), self.server.reconnect_max_ms / 1000.0)
            try:
                reason = self._serve()
                pause = least
            except BrokerError as error:
                reason = str(error)
                self.failures += 1
            except Exception:
                log.exception("%s: a defect at the broker", self.name)
                reason = DEFECT
            if self._stopping or self._again.is_set():
                reason = self._why_leaving
            self._part(reason)
            if not self._stopping:
                self._again.wait(pause)
        self._reader.close()
        self._waker.close()

    def _serve(self) -> str:
        """Hold a connection; returns why it has ended.  Raises :exc:`BrokerError`."""
        server = self.server
        connection = connect(
            access_of(server),
            woken=self._reader,
            arrived=self._asking.arrived,
            received=self._received,
        )
        try:
            self.protocol = _OLD if connection.old else "MQTT 5"
            self._publication.forget_values()
            self._heard_at, self._heard = time.monotonic(), False
            connection.subscribe(topics.of_publisher(server.prefix, server.publisher))
            self._answers = None
            if server.edge is not None and not connection.old:
                self._answers = topics.answer(server.prefix, server.publisher, server.edge)
                connection.subscribe([self._answers], "the answers for " + server.edge)
            settling: Optional[Deadline] = None
            at_last = Deadline(0.0)
            while connection.failure is None:
                if self._stopping or self._again.is_set():
                    return self._why_leaving
                if self._waiting > MOST_WAITING:
                    self._again.wait(0.01)
                    continue
                self._asking.send(connection.publish)
                before = self._came
                connection.step(WAIT_S if self._link or not settling else 0.05)
                if settling is None:
                    if not connection.subscribed:
                        continue
                    settling, at_last = Deadline(SETTLE_S), Deadline(AT_LAST_S)
                if not self._publication.works:
                    settling, at_last = Deadline(SETTLE_S), Deadline(AT_LAST_S)
                is_quiet = before == self._came
                self._judge((settling.expired and is_quiet) or at_last.expired)
            return connection.failure
        finally:
            self.protocol = None
            connection.close()

    def _received(self, message: Incoming) -> None:
        if message.topic == self._answers:
            self._asking.answered(message)
        else:
            self._published(message.topic, message.payload, message.kept)

    def _published(self, topic: str, payload: bytes, kept: bool) -> None:
        self._came += 1
        if not payload:
            return  # the retained message was deleted
        try:
            if len(payload) > MOST_BYTES:
                raise ValueError("it has more than %d bytes" % MOST_BYTES)
            message = network_messages.parse(payload.decode("utf-8"))
            changes = self._publication.take(message, topics.last_level(topic), kept)
        except ValueError as error:
            self._complain(topic, "it is left out: %s" % error)
            return
        except Exception:
            log.exception("%s: a defect while reading a message; it is left out", self.name)
            return
        if not kept:
            self._heard_at, self._heard = time.monotonic(), True
        if changes.fields or isinstance(message, network_messages.MetaData):
            self._look = True
        if changes.odd:
            self._complain(topic, changes.odd)
        self._hand_over(changes)

    def _complain(self, topic: str, what: str) -> None:
        text = "%s: a message at %s: %s"
        self._complaints.log(
            log, logging.WARNING, topic, "", text, *(self.name, topic, what), lines=1
        )

    def _hand_over(self, changes: Changes) -> None:
        link = self._link
        if link is not None:
            for data_set in changes.gaps:
                self.relay.values_lost(link, data_set)
            if changes.values:
                with self._lock:
                    self._waiting += 1
                self.relay.published(link, changes.values, self._relayed)
            if changes.fields:
                self._tell_fields(link, changes.fields)

    def _relayed(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _tell_fields(self, link: Link, fields: Set[str]) -> None:
        """Tell the relay that *fields* are new or gone."""
        server = self.server
        names: FrozenSet[str] = frozenset(
            [name for name, each in server.variables.items() if _field(each) in fields]
        )
        if names:
            self.relay.change(
                len(server.variables), server.retry_interval_ms / 1000.0, names, frozenset()
            )
        self.relay.recount(link)

    def _find(self) -> None:
        """Find the variables if the configuration lists none: each field is one."""
        server = self.server
        described = {
            name for name, field in self._publication.fields.items() if field.about is not None
        }
        if not server.browse or described == self._found or not self._publication.described:
            return
        self._found = described
        most = server.browse[0].max_variables
        names = sorted(described)[:most]
        if len(described) > most:
            log.warning(
                "%s: the publisher has %d fields, of which the first %d are served; list those "
                "that are wanted under 'variables'",
                *(self.name, len(described), most),
            )
        access = "read" if server.edge is None else "readwrite"
        variables = [
            Variable(name, server.name, NodeId(0, name), name, field=name, access=access)
            for name in names
            if len(name) <= 256
        ]
        self._tell_found(server.name, server.browse, variables)

    def _judge(self, has_settled: bool) -> None:
        """Begin or end a link, depending on what came."""
        if self._look:
            self._look = False
            self._find()
        told, publisher = self._publication, self.server.publisher
        reason: Optional[str] = None
        limit_s = self.server.message_receive_timeout_ms / 1000.0 or SILENT_TIMES * told.silence_s
        if not told.works:
            told.forget_present()
            what = _STATES.get(told.state or 0, "its state is %s" % told.state)
            reason = "the publisher %s is not there: %s" % (publisher, what)
        elif limit_s and time.monotonic() - self._heard_at > limit_s:
            reason = "nothing came from the publisher %s for %g s" % (publisher, limit_s)
        elif self._link is None and told.state is None and not self._heard:
            reason = (
                "nothing has come from a publisher %s at the broker; is it there, are 'publisher' "
                "and 'prefix' right, and may the user read there?" % publisher
            )
        if reason is None:
            if self._link is None and (has_settled or told.complete):
                self._open()
        elif self._link is not None or has_settled or not told.works:
            self._part(reason)

    def _open(self) -> None:
        link = Link(self._publication.values())
        self.connected_at = time.time()
        self.connections += 1
        self.relay.opened(link, _nothing)
        self._asking.open()
        self._link = link
        log.info("%s: connected: the publisher %s is there", self.name, self.server.publisher)
        self._is("connected", None)

    def _part(self, reason: str) -> None:
        """End the link: the publisher is gone, or its state is unknown."""
        link, self._link = self._link, None
        self._asking.close(reason)
        if reason != self.reason and not self._stopping:
            log.warning("%s: %s", self.name, reason)
        if link is not None:
            self.relay.lost(link, reason)
        if link is not None or self.state != "disconnected" or reason != self.reason:
            self._is("disconnected", reason)

    def _is(self, state: str, reason: Optional[str]) -> None:
        if state != self.state:
            self.since = utc_text(time.time())
        self.state, self.reason = state, reason
        self.relay.status(state, self.since, reason)
        self.settled.set()


_OLD = "MQTT 3.1.1"
#: The meaning of each PubSubState other than Operational.
_STATES = {
    network_messages.DISABLED: "it has taken its leave (Disabled)",
    network_messages.PAUSED: "it says that it pauses (Paused)",
    network_messages.ERROR: "it has vanished, or has failed (Error)",
    network_messages.PRE_OPERATIONAL: "it begins (PreOperational)",
}


def _publication(server: Server) -> Publication:
    return Publication(server.publisher, _types(server))


def _types(server: Server) -> Dict[str, ValueType]:
    """The types of fields in the configuration."""
    return {
        _field(each): ValueType(each.type, each.is_array)
        for each in list(server.variables.values())
        if each.type
    }


def _field(variable: Variable) -> str:
    return variable.field or variable.name


def _nothing() -> None:
    pass
