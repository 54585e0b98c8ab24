"""One method per request type: names + access + plants + relay -> reply.

A request comes on its connection's reader thread, which never waits here, except for the line of a
write if the audit log is required.  Requests to an OPC UA server go to its plant with a function
that answers later, on a thread of the plant.  Whatever happens, every request gets exactly one
response.

The order of the checks is that of the failure table in PROTOCOL section 2.
"""

import logging
import secrets
import threading
from functools import partial
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from ..config import roles
from ..config.roles import Role
from ..config.settings import Variable
from ..model import status_codes
from ..model.data_types import LAST_TICKS, DataValue, ValueType
from ..model.errors import MalformedMessage, RequestError, ServiceError, TooDeep
from ..operations.per_thread_counter import PerThreadCounter
from ..wire import contract, messages, values_to_json
from ..wire.messages import Request
from ..wire.timestamps import parse_timestamp
from ..wire.values_from_json import says_type, written_value
from .audit_log import UNAUDITED, Unaudited
from .charts import Chart
from .client import Client, HeldPoint
from .histories import Histories
from .monitor import Monitor
from .past import HistoryPast
from .plant_interface import (
    DEFECT,
    HistoryPage,
    HistoryQuery,
    HistorySource,
    Plant,
    ReadResult,
    Recorder,
    Wake,
    Write,
    WriteResult,
)
from .relay import Relay

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

Replies = PerThreadCounter[Tuple[str, str]]

#: Most continuation points of one connection; the oldest is released first.
MAX_CONTINUATION_POINTS = 16


#: The status of history that may be incomplete.
_INCOMPLETE = status_codes.code("GoodResultsMayBeIncomplete")

#: Members of ``Limits`` by the names of their settings.
_LIMITS = {"low_low": "LowLow", "low": "Low", "high": "High", "high_high": "HighHigh"}

#: Returned by a step that answers later, or has answered and counted itself.
LATER = object()


class Gateway:
    """*variables* by name, *plants* by the name of their server, *audit* for writes, *recorder*
    with the recorded values."""

    def __init__(
        self,
        variables: Mapping[str, Variable],
        plants: Mapping[str, Plant],
        audit: Unaudited = UNAUDITED,
        replies: Optional[Replies] = None,
        recorder: Optional[Recorder] = None,
    ) -> None:
        self._variables = variables
        #: All names, sorted.
        self.names = sorted(variables)
        self._plants = plants
        self._histories = Histories(plants, recorder)
        self._operations: Dict[str, Callable[[Client, Request], Optional[str]]] = {
            "VALUELIST": self._value_list,
            "VALUEINFO": self._value_info,
            "READ": self._read,
            "WRITE": self._write,
            "HISTORICALREAD": self._historical_read,
            "MONITORSTART": self._monitor_start,
            "MONITORSTOP": self._monitor_stop,
        }
        #: Number of replies by operation and status; a message that is not a request counts as
        #: ``ERROR``.
        self.replies: Replies = PerThreadCounter() if replies is None else replies
        #: The gateway that has replaced this one after a change of the configuration.
        self.successor: Optional[Gateway] = None
        self._list_texts: Dict[Tuple[Role, str], str] = {}
        self._audit = audit
        audit.attach(self._find)

    # --- the connection's reader thread ---------------------------------------------------------

    def close(self, client: Client) -> None:
        """A client has left: remove everything of it."""
        with client.lock:
            client.closed = True
            monitors = list(client.monitors.values())
            client.monitors.clear()
            left = list(client.continuation_points.values())
            client.continuation_points.clear()
            listens = list(client.listens)
        for monitor in monitors:
            client.outbox.withdraw(monitor)
        _end(monitors)
        for plant in self._plants.values():
            plant.leave(client)
        for relay in listens:
            relay.leave(client.outbox)
        for held in left:
            if held.query.variable.server in self._plants:
                held.source.release_history(held.point)

    def handle(self, client: Client, text: str) -> None:
        """Answer one message of *client*, now or later."""
        try:
            request = messages.parse(text, client.limits.max_depth)
        except MalformedMessage as problem:
            if isinstance(problem, TooDeep):
                client.limit_hits.hit("max_depth")
            if problem.message and problem.message["Header"].get("MessageType") == "WRITE_REQUEST":
                self._audit.refused_request(client, problem.message.get("Body"), problem)
            client.reply(messages.error(problem, client.dialect))
            self.replies.add(("ERROR", problem.status))
            return
        self._guarded(client, request, lambda: self._answer(client, request))

    def _answer(self, client: Client, request: Request) -> object:
        try:
            return self._perform(client, request)
        except Exception as problem:
            if request.operation == "WRITE":
                self._audit.refused_request(client, request.body, problem)
            raise

    def _perform(self, client: Client, request: Request) -> object:
        if not client.within_rate():
            raise RequestError(
                "more than %g requests per second; send fewer, or ask for "
                "limits.requests_per_second to be raised" % client.limits.requests_per_second,
                "BadTooManyOperations",
            )
        self._check(client, request)
        members = self._operations[request.operation](client, request)
        if members is None:
            return LATER
        client.reply_soon(messages.response(request, client.dialect, members))
        return None

    def _guarded(self, client: Client, request: Request, step: Callable[[], object]) -> None:
        """Execute *step*; an error becomes the response.  Counts the response, unless *step*
        returns :data:`LATER`."""
        status = "Good"
        try:
            if step() is LATER:
                return
        except ServiceError as problem:
            status = problem.status
            client.reply(messages.failure(request, client.dialect, problem.status, problem.reason))
        except RequestError as refused:
            status = refused.status
            client.reply(messages.refusal(request, client.dialect, refused.status, refused.reason))
        except Exception:
            status = "BadInternalError"
            log.exception("%s: a defect while answering %s", client.name, request.message_type)
            client.reply(messages.refusal(request, client.dialect, "BadInternalError", DEFECT))
        self.replies.add((request.operation, status))

    def _respond(self, client: Client, request: Request, members: Callable[[], str]) -> Wake:
        """Returns a function that answers with the *members* of the Body; an error in making them
        becomes the response."""

        def step() -> None:
            client.reply_soon(messages.response(request, client.dialect, members()))

        self._guarded(client, request, step)
        return client.outbox.wake

    def _reply_listed(
        self, client: Client, request: Request, member: str, items: List[str]
    ) -> None:
        def make() -> str:
            members = '"%s":%s' % (member, messages.array_text(items, client.dialect))
            return messages.response(request, client.dialect, members)

        client.reply_listed(items, make)

    # --- names ----------------------------------------------------------------------------------

    def _find(self, name: str) -> Optional[Tuple[Variable, Plant]]:
        variable = self._variables.get(name)
        return None if variable is None else (variable, self._plants[variable.server])

    def _variable(self, client: Client, name: str) -> Variable:
        variable = self._variables.get(name) if roles.visible(client.role, name) else None
        if variable is None:
            raise ServiceError(
                "no variable is named %s; VALUELIST lists the names" % messages.describe(name),
                "BadNodeIdUnknown",
            )
        return variable

    @property
    def plants(self) -> Mapping[str, Plant]:
        """By the name of their server."""
        return self._plants

    def home(self, client: Client, name: str) -> Plant:
        """The plant that monitors the variable *name* for *client*.

        Raises :exc:`~opcws.model.errors.ServiceError` if *client* may not have it monitored.
        """
        variable = self._variable(client, name)
        roles.require_read(client.role, variable)
        return self._plants[variable.server]

    def _still(
        self,
        client: Client,
        role: Role,
        variable: Variable,
        require: Callable[[Role, Variable], None],
    ) -> None:
        """Check again, with the present rights, a request of *client* for *variable* that was
        accepted with *role*, before it is executed or answered.  Raises
        :exc:`~opcws.model.errors.ServiceError`."""
        if client.gone:
            raise ServiceError("the client has left", "BadRequestCancelledByClient")
        if client.role is role and self.successor is None:
            return
        present = self
        while present.successor is not None:
            present = present.successor
        require(client.role, present._variable(client, variable.name))

    def _check(self, client: Client, request: Request) -> None:
        """Rows 5 to 7: the form of the subject, the subject, the rest of the body."""
        try:
            contract.check_body(request.message_type, request.message)
        except RequestError:
            name = contract.single_variable(request.message_type, request.message)
            if name is not None:
                self._variable(client, name)
            raise

    # --- VALUELIST, VALUEINFO -------------------------------------------------------------------

    def _value_list(self, client: Client, request: Request) -> str:
        key = (client.role, client.dialect)
        text = self._list_texts.get(key)
        if text is None:
            seen = [quote(name) for name in self.names if roles.visible(client.role, name)]
            text = '"Variables":' + messages.array_text(seen, client.dialect)
            self._list_texts[key] = text
        return text

    def _value_info(self, client: Client, request: Request) -> None:
        names = list(dict.fromkeys(request.body["Variables"]))
        wanted: Dict[str, List[Variable]] = {}
        for name in names:
            if roles.visible(client.role, name) and name in self._variables:
                variable = self._variables[name]
                wanted.setdefault(variable.server, []).append(variable)

        def answer() -> None:
            infos: Dict[str, str] = {}
            for name in names:
                try:
                    info = self._info(client, self._variable(client, name))
                    infos[name] = messages.json_text(info, client.dialect)
                except ServiceError as problem:
                    infos[name] = _failed(name, problem)
            listed = [infos[name] for name in request.body["Variables"]]
            self._reply_listed(client, request, "Variables", listed)

        gather = _Gather(len(wanted) + 1, lambda: self._guarded(client, request, answer))
        for server, variables in wanted.items():
            self._plants[server].learn(variables, client, gather.arrived)
        gather.arrived()

    def _info(self, client: Client, variable: Variable) -> Dict[str, Any]:
        plant = self._plants[variable.server]
        info: Dict[str, Any] = {"Variable": variable.name}
        info.update(plant.info(variable))
        info["Server"] = variable.server
        granted = roles.narrowed(roles.granted(client.role, variable), *plant.allows(variable))
        if granted is not None:
            info["Access"] = granted
        source = self._histories.told(variable)
        if source is not None:
            info["HistorySource"] = source
        if variable.limits is not None:
            info["Limits"] = {
                _LIMITS[name]: float(value)
                for name, value in vars(variable.limits).items()
                if value is not None
            }
        info["MetaData"] = variable.metadata
        return info

    # --- READ -----------------------------------------------------------------------------------

    def _read(self, client: Client, request: Request) -> None:
        body = request.body
        max_age_s = float(body.get("MaxAge", 0)) / 1000.0
        if "Variable" in body:
            variable = self._variable(client, body["Variable"])
            role = client.role
            roles.require_read(role, variable)
            plant = self._plants[variable.server]

            def answer(results: List[ReadResult]) -> Wake:
                def members() -> str:
                    self._still(client, role, variable, roles.require_read)
                    value, namespaces = _good(results[0]), plant.namespaces
                    return values_to_json.data_value_members(value, namespaces, client.dialect)

                return self._respond(client, request, members)

            plant.read([variable], max_age_s, answer, client.outbox)
            return
        role = client.role
        names = list(dict.fromkeys(body["Variables"]))  # read each only once
        items: List[str] = [""] * len(names)

        def finish() -> None:
            found = dict(zip(names, items))
            listed = [found[name] for name in body["Variables"]]
            self._guarded(
                client, request, lambda: self._reply_listed(client, request, "Values", listed)
            )

        def read(
            plant: Plant, wanted: List[Tuple[int, Variable]], arrived: Callable[[], None]
        ) -> None:
            def take(results: List[ReadResult]) -> None:
                for (place, variable), result in zip(wanted, results):
                    try:
                        self._still(client, role, variable, roles.require_read)
                    except ServiceError as problem:
                        result = problem
                    items[place] = _item(variable.name, self._result_members(client, plant, result))
                arrived()

            variables = [variable for _place, variable in wanted]
            plant.read(variables, max_age_s, take, client.outbox)

        self._for_each_plant(client, names, items, roles.require_read, read, finish)

    def _result_members(self, client: Client, plant: Plant, result: ReadResult) -> str:
        """One item's members; a defect affects only this item, never the response."""
        if isinstance(result, ServiceError):
            return messages.status_members(result.status, result.reason)
        try:
            return values_to_json.data_value_members(result, plant.namespaces, client.dialect)
        except Exception:
            log.exception("%s: a defect while writing a value as JSON", client.name)
            return messages.status_members("BadInternalError", DEFECT)

    def _for_each_plant(
        self,
        client: Client,
        names: Sequence[str],
        items: List[str],
        require: Callable[[Role, Variable], None],
        submit: Callable[[Plant, List[Tuple[int, Variable]], Callable[[], None]], None],
        finish: Callable[[], None],
        refused: Callable[[int, ServiceError], None] = lambda place, problem: None,
    ) -> None:
        """Sort *names* by OPC UA server and *submit* each server's (place, variable) pairs;
        *refused* makes the text of an item that fails here.  *finish* is called when all texts have
        arrived."""
        wanted: Dict[str, List[Tuple[int, Variable]]] = {}
        for place, name in enumerate(names):
            try:
                variable = self._variable(client, name)
                require(client.role, variable)
                wanted.setdefault(variable.server, []).append((place, variable))
            except ServiceError as problem:
                refused(place, problem)
                items[place] = _failed(name, problem)
        # One part more than there are plants: it arrives when all are submitted.
        gather = _Gather(len(wanted) + 1, finish)
        for server, pairs in wanted.items():
            try:
                submit(self._plants[server], pairs, gather.arrived)
            except ServiceError as problem:
                for place, variable in pairs:
                    items[place] = _failed(variable.name, problem)
                gather.arrived()
        gather.arrived()

    # --- WRITE ----------------------------------------------------------------------------------

    def _write(self, client: Client, request: Request) -> None:
        body = request.body
        if "Variable" in body:
            variable = self._variable(client, body["Variable"])
            roles.require_write(client.role, variable)
            plant = self._plants[variable.server]
            write = self._prepare(client, plant, variable, body["Value"], "Value")

            def answer(results: List[WriteResult]) -> Wake:
                def members() -> str:
                    return values_to_json.status_members(_good(results[0]), client.dialect)

                return self._respond(client, request, members)

            self._audit.write(client, plant, [(write, body["Value"])], answer)
            return
        given = body["Writes"]
        items: List[str] = [""] * len(given)

        def finish() -> None:
            def members() -> str:
                return '"Results":' + messages.array_text(items, client.dialect)

            self._respond(client, request, members)()

        def submit(
            plant: Plant, wanted: List[Tuple[int, Variable]], arrived: Callable[[], None]
        ) -> None:
            ready: List[Tuple[int, Write]] = []
            for place, variable in wanted:
                try:
                    where = "Writes[%d].Value" % place
                    write = self._prepare(client, plant, variable, given[place]["Value"], where)
                    ready.append((place, write))
                except ServiceError as problem:
                    refused(place, problem)
                    items[place] = _failed(variable.name, problem)

            def take(results: List[WriteResult]) -> None:
                for (place, write), result in zip(ready, results):
                    name = write.variable.name
                    if isinstance(result, ServiceError):
                        items[place] = _failed(name, result)
                    else:
                        told = values_to_json.status_members(result, client.dialect)
                        items[place] = _item(name, told)
                arrived()

            if not ready:
                arrived()
                return
            pairs = [(write, given[place]["Value"]) for place, write in ready]
            try:
                self._audit.write(client, plant, pairs, take)
            except ServiceError as problem:
                take([problem] * len(ready))

        def refused(place: int, problem: ServiceError) -> None:
            self._audit.refused(client, given[place]["Variable"], given[place]["Value"], problem)

        names = [item["Variable"] for item in given]
        self._for_each_plant(client, names, items, roles.require_write, submit, finish, refused)

    def _prepare(
        self, client: Client, plant: Plant, variable: Variable, value: Any, where: str
    ) -> Write:
        def make(value_type: ValueType, namespaces: Sequence[str]) -> DataValue:
            return written_value(value, value_type, namespaces, plant.definitions(), name=where)

        require = partial(self._still, client, client.role, variable, roles.require_write)
        value_type = plant.value_type(variable)
        if value_type.type or says_type(value):
            written = make(value_type, plant.namespaces)
            return Write(variable, written, make, require, client, value)
        return Write(variable, None, make, require, client, value)

    # --- HISTORICALREAD -------------------------------------------------------------------------

    def _historical_read(self, client: Client, request: Request) -> None:
        body = request.body
        if "Variables" in body:
            self._chart(client, request)
            return
        variable = self._variable(client, body["Variable"])
        token = body.get("ContinuationPoint")
        start, end = _ticks(body, "StartTime"), _ticks(body, "EndTime")
        if start and not end:
            # To the end of time instead of "MaxValues from there": only a period has pages.
            end = LAST_TICKS
        query = HistoryQuery(
            variable,
            start,
            end,
            int(float(body.get("MaxValues", 0))),
            body.get("ReturnBounds", False) in (True, "true"),
            body.get("Aggregate"),
            float(body.get("ProcessingInterval", 0)),
        )
        role = client.role
        roles.require_history(role, variable)
        if token is None:
            source = self._histories.source(variable)
        else:
            with client.lock:
                held = client.continuation_points.get(token)
            if held is None or held.query.variable.name != variable.name:
                raise ServiceError(
                    "this connection holds no such continuation point for %s, or no longer; "
                    "read from a StartTime again" % variable.name,
                    "BadContinuationPointInvalid",
                )
            query = held.query._replace(
                continuation_point=held.point,
                max_values=query.max_values or held.query.max_values,
            )
            source = held.source

        def answer(page: Union[HistoryPage, ServiceError]) -> None:
            def members() -> str:
                found = _good(page)
                try:
                    self._still(client, role, variable, roles.require_history)
                except ServiceError:
                    if found.continuation_point is not None:
                        source.release_history(found.continuation_point)
                    raise
                return self._page(client, query, source, found)

            # A point that could not be used yet stays valid.
            point = query.continuation_point
            if token is not None and not (point is not None and point.usable):
                with client.lock:
                    client.continuation_points.pop(token, None)
            self._respond(client, request, members)()

        source.history(query, client, answer)

    def _chart(self, client: Client, request: Request) -> None:
        body, role = request.body, client.role
        start, end = _ticks(body, "StartTime"), _ticks(body, "EndTime") or LAST_TICKS
        if not start:
            raise ServiceError(
                "a chart needs a StartTime later than 1601-01-01T00:00:00Z, which is no time in "
                "OPC UA",
                "BadInvalidArgument",
            )
        refused: Dict[str, str] = {}
        variables: List[Variable] = []
        for name in dict.fromkeys(body["Variables"]):
            try:
                variable = self._variable(client, name)
                roles.require_history(role, variable)
            except ServiceError as problem:
                refused[name] = _failed(name, problem)
            else:
                variables.append(variable)

        def text(variable: Variable, answer: Union[HistoryPage, ServiceError]) -> str:
            try:
                found = _good(answer)
                self._still(client, role, variable, roles.require_history)
                members = _history_members(found, client.dialect)
                source = self._histories.told(variable)
            except ServiceError as problem:
                return _failed(variable.name, problem)
            except Exception:
                log.exception("%s: a defect while writing history as JSON", client.name)
                return _failed(variable.name, ServiceError(DEFECT, "BadInternalError"))
            if source is not None:
                members += ',"HistorySource":"%s"' % source
            return _item(variable.name, members)

        def finish(texts: Mapping[str, str]) -> None:
            def reply() -> None:
                found = {**refused, **texts}
                listed = [found[name] for name in body["Variables"]]
                self._reply_listed(client, request, "Histories", listed)

            self._guarded(client, request, reply)

        room = client.limits.outbox_bytes
        most = int(float(body["MaxPoints"]))
        Chart(self._histories, client, variables, start, end, most, room, text, finish).begin()

    def _page(
        self, client: Client, query: HistoryQuery, source: HistorySource, page: HistoryPage
    ) -> str:
        members = _history_members(page, client.dialect)
        if page.continuation_point is None:
            return members
        token = secrets.token_urlsafe(12)
        held = HeldPoint(query, page.continuation_point, source)
        released = [held]
        with client.lock:
            points = client.continuation_points
            if not client.closed:
                points[token] = held
                released = []
                for old in [each for each in points if not points[each].point.usable]:
                    del points[old]
                while len(points) > MAX_CONTINUATION_POINTS:
                    released.append(points.pop(next(iter(points))))
        for each in released:
            each.source.release_history(each.point)
        return '%s,"ContinuationPoint":"%s"' % (members, token)

    # --- MONITORSTART, MONITORSTOP --------------------------------------------------------------

    def _monitor_start(self, client: Client, request: Request) -> None:
        min_interval = float(request.body.get("MinInterval", 0)) / 1000.0
        since = _ticks(request.body, "Since") if request.body.get("Since") else None
        backfill = request.body.get("Backfill", False) in (True, "true")
        started: List[Monitor] = []

        def start(name: str) -> None:
            monitor = self._monitor(client, request.handle, name, min_interval, since, backfill)
            started.append(monitor)

        members = _one_or_each(request, client.dialect, start)
        # The response goes first: no update may come before it.
        client.reply(messages.response(request, client.dialect, members))
        self.replies.add((request.operation, "Good"))
        by_server: Dict[str, List[Monitor]] = {}
        for monitor in started:
            by_server.setdefault(self._variables[monitor.variable].server, []).append(monitor)
        for server, monitors in by_server.items():
            self._plants[server].begin(monitors)

    def _monitor(
        self,
        client: Client,
        handle: Any,
        name: str,
        min_interval: float,
        since: Optional[int],
        backfill: bool,
    ) -> Monitor:
        relay = self.home(client, name).relay
        if since is not None or backfill:
            roles.require_history(client.role, self._variables[name])
        key = (type(handle), handle, name)
        if key in client.monitors:
            raise ServiceError(
                "%s is monitored with this ClientHandle already; stop it first, or use another "
                "ClientHandle" % name,
                "BadEntryExists",
            )
        if len(client.monitors) >= client.limits.monitors:
            client.limit_hits.hit("monitors")
            raise ServiceError(
                "this connection has %d monitors, as many as limits.monitors allows"
                % len(client.monitors),
                "BadTooManyMonitoredItems",
            )
        monitor = Monitor(client.outbox, name, handle, client.dialect, min_interval, relay)
        monitor.extra = client.monitors.is_extra(name)
        if since is not None or backfill:
            variable = self._variables[name]
            source = self._histories.source(variable)
            chosen = self._histories.chosen(variable)
            monitor.past = HistoryPast(
                *(client.pasts, source, variable, since, backfill),
                exact=chosen == "own",
                needs_server=chosen == "plant",
            )
        client.monitors[key] = monitor
        return monitor

    def _monitor_stop(self, client: Client, request: Request) -> str:
        return _one_or_each(
            request, client.dialect, lambda name: self._stop(client, request.handle, name)
        )

    def _stop(self, client: Client, handle: Any, name: str) -> None:
        key = (type(handle), handle, name)
        keys = [key] if key in client.monitors else []
        if not keys:
            keys = client.monitors.of(name)
        if not keys:
            self._variable(client, name)
            raise ServiceError("%s is not monitored on this connection" % name, "BadNoEntryExists")
        with client.lock:  # a change of the configuration may replace them
            ended = [client.monitors.pop(key) for key in keys]
        for monitor in ended:
            client.outbox.withdraw(monitor)
        _end(ended)


class _Gather:
    """Collects the parts of one response from several plants."""

    def __init__(self, parts: int, finish: Callable[[], None]) -> None:
        self._missing = parts
        self._finish = finish
        # Guards _missing: plants answer on threads of their own.
        self._lock = threading.Lock()

    def arrived(self) -> None:
        with self._lock:
            self._missing -= 1
            complete = not self._missing
        if complete:
            self._finish()


def _good(result: Union[_Result, ServiceError]) -> _Result:
    if isinstance(result, ServiceError):
        raise result
    return result


def _end(monitors: Sequence[Monitor]) -> None:
    """End *monitors* at their relays."""
    by_relay: Dict[Relay, List[Monitor]] = {}
    for monitor in monitors:
        if monitor.relay is not None:
            by_relay.setdefault(monitor.relay, []).append(monitor)
    for relay, some in by_relay.items():
        relay.end(some)


def _ticks(body: Mapping[str, Any], member: str) -> int:
    """The time in *body*'s *member*, LAST_TICKS at most; 0 if there is none."""
    text = body.get(member)
    if text is None or text == "":
        return 0
    try:
        return min(parse_timestamp(text), LAST_TICKS)
    except ValueError as error:
        raise RequestError("Body.%s: %s" % (member, error)) from None


def _history_members(page: HistoryPage, dialect: str) -> str:
    """The members with the values of *page*, and the reason if they may be incomplete."""
    namespaces = page.namespaces
    texts = [
        "{%s}" % values_to_json.data_value_members(value, namespaces, dialect)
        for value in page.values
    ]
    members = '"DataValues":' + messages.array_text(texts, dialect)
    if page.missing is None:
        return members
    status = values_to_json.status_members(_INCOMPLETE, dialect)
    return '%s,%s,"Reason":%s' % (members, status, quote(page.missing.reason))


def _one_or_each(request: Request, dialect: str, do: Callable[[str], None]) -> str:
    """Call *do* for the Variable, or each of the Variables, of *request*; returns the members of
    the response."""
    if "Variable" in request.body:
        do(request.body["Variable"])
        return ""
    items = []
    for name in request.body["Variables"]:
        try:
            do(name)
            items.append(_item(name, ""))
        except ServiceError as problem:
            items.append(_failed(name, problem))
    return '"Results":' + messages.array_text(items, dialect)


def _failed(name: str, problem: ServiceError) -> str:
    return _item(name, messages.status_members(problem.status, problem.reason))


def _item(name: str, members: str) -> str:
    """One entry of a list form."""
    if members:
        return '{"Variable":%s,%s}' % (quote(name), members)
    return '{"Variable":%s}' % quote(name)
