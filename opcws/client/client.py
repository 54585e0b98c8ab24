"""The client: requests with a deadline, monitors that survive a lost connection.

Rules:

* A request is sent once.  The client reconnects before it sends a request, never after: if the
  connection breaks during a write, the caller must find out whether the write took effect.
* Updates that arrive while a request waits for its response are kept for their monitor.
* Only one thread may use a :class:`Client` and its monitors.
"""

import collections
import itertools
import json
import random
import threading
import time
from typing import (
    Any,
    Deque,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Type,
    TypeVar,
)

from ..model import status_codes
from ..model.deadline import Deadline
from . import address as addresses
from . import errors, values
from .address import DEFAULT_URL
from .values import OVERFLOW, Value
from .websocket import WebSocket

T = TypeVar("T")

#: First and longest pause in seconds between two attempts to reconnect.
RETRY_MIN_S, RETRY_MAX_S = 0.5, 10.0
#: Most updates that wait in a monitor; beyond it the oldest are dropped, and Overflow is set.
MAX_WAITING = 100_000
#: Most names in one request, so that no message is too large for the server.
MAX_NAMES = 1000
#: Most values in one answer with the history of several variables, for the same reason.
MAX_POINTS = 20_000
#: How many updates of the same time are recognized when they come again.
MAX_SAME = 100
#: Added to the message when the answer to a write is missing.
UNKNOWN = "; it is not known whether the value was written: read the variable"

# On Windows a longer wait could not be interrupted with Ctrl-C.
_SLICE_S = 0.2


class History(NamedTuple):
    """The past of one of several variables.

    ``values`` are in the requested order, and a Bad one is a gap.  ``source`` is where they come
    from: ``"plant"`` (the OPC UA server), ``"own"`` (opcws) or ``"both"``.  ``symbol`` is
    ``"Good"``, or says with ``reason`` why values may be missing; ``error`` says why there is no
    history.
    """

    name: str
    values: List[Value]
    source: Optional[str] = None
    symbol: str = "Good"
    reason: str = ""
    error: Optional[errors.VariableError] = None


class Client:
    """A client of the opcws at *url*; it connects at the first request, or at ``with``.

    :param url: ``ws://``, ``wss://``, or just ``HOST:PORT``. :param token: a bearer token; or
    *user* and *password*. :param ca_file: PEM file with the authorities to trust, instead of those
    of the system. :param certificate: PEM file with the client's own certificate, *key* with its
    key. :param verify: false accepts any certificate, so that anybody in between can read and
    change everything; for a first try only. :param timeout_s: seconds for connecting, and for each
    request.

    Raises :exc:`~opcws.client.AddressError`; each method that talks to opcws raises other
    :exc:`~opcws.client.ClientError`.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: Optional[str] = None,
        user: Optional[str] = None,
        password: Optional[str] = None,
        ca_file: Optional[str] = None,
        certificate: Optional[str] = None,
        key: Optional[str] = None,
        verify: bool = True,
        timeout_s: float = 10.0,
    ) -> None:
        self._address = addresses.parse(url)
        self._headers = addresses.credential(token, user, password)
        self._context = None
        if self._address.secure:
            self._context = addresses.tls_context(ca_file, certificate, key, verify)
        elif ca_file or certificate or key:
            raise errors.AddressError(
                "certificates go with wss:// only, not with %s" % self._address.url
            )
        self._timeout_s = timeout_s
        self._websocket: Optional[WebSocket] = None
        self._remembers = False  # opcws supports Since on this connection, unless it has refused it
        self._handles = itertools.count(1)
        self._monitors: Dict[str, Monitor] = {}

    @property
    def url(self) -> str:
        """The address, without its query."""
        return self._address.url

    @property
    def contract(self) -> Optional[str]:
        """The version of the contract that opcws speaks on the present connection, such as
        ``"1.1"``; ``None`` without a connection, and where opcws is too old to say it."""
        return None if self._websocket is None else self._websocket.contract

    def __enter__(self) -> "Client":
        self.connect()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def connect(self) -> None:
        """Connect, if it is not.  Raises :exc:`~opcws.client.ConnectError`."""
        self._connected(Deadline(self._timeout_s))

    def close(self) -> None:
        """Close the connection, in one second at most.  Never raises.  A later request connects
        again; monitors end."""
        for monitor in self._monitors.values():
            monitor._reconnect = False
        self._drop()

    def _drop(self) -> None:
        websocket, self._websocket = self._websocket, None
        if websocket is not None:
            websocket.close()

    # --- requests -----------------------------------------------------------------------------

    def request(self, operation: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        """Send ``operation_REQUEST`` and return the ``Body`` of its response.

        Raises :exc:`~opcws.client.RequestRefused` if opcws refused the whole message; the caller
        checks for a ``StatusCode`` in the Body.
        """
        deadline = Deadline(self._timeout_s)
        return self._exchange(self._connected(deadline), operation, body, deadline)

    def names(self) -> List[str]:
        """The names of all variables that this client may see, sorted."""
        return _list(self.request("VALUELIST", {}), "Variables", str)

    def info(self, names: Sequence[str]) -> List[Dict[str, Any]]:
        """The items of VALUEINFO for *names*, in their order; with ``StatusCode`` and ``Reason``
        for an unknown variable."""
        found: List[Dict[str, Any]] = []
        for some in _portions(names):
            found += _items(self.request("VALUEINFO", {"Variables": some}), "Variables")
        return found

    def read(self, name: str, max_age_ms: float = 0) -> Value:
        """The present value; raises :exc:`~opcws.client.VariableError` if it is Bad, so that a
        program cannot use the value of a broken sensor by mistake."""
        (value,) = self.read_many([name], max_age_ms)
        if value.bad:
            raise errors.VariableError(name, value.symbol, value.reason or value.symbol)
        return value

    def read_many(self, names: Sequence[str], max_age_ms: float = 0) -> List[Value]:
        """The present values, in the order of *names*; check ``bad`` of each.

        *max_age_ms*: accept a monitored value that is younger; 0 reads from the OPC UA server.
        """
        found: List[Value] = []
        for some in _portions(names):
            body: Dict[str, Any] = {"Variables": some}
            if max_age_ms:
                body["MaxAge"] = max_age_ms
            found += map(_value, _items(self.request("READ", body), "Values"))
        return found

    def write(self, name: str, value: Any, type: Optional[str] = None) -> str:
        """Write *value*; *type* is a built-in type's name, by default the variable's own. Returns
        ``"Good"``, or another good status such as ``"GoodClamped"`` if it was not written as asked.

        Raises :exc:`~opcws.client.VariableError` if it was not written, and
        :exc:`~opcws.client.ConnectionLost` or :exc:`~opcws.client.NoAnswer` if the result is
        unknown.
        """
        body = self.request("WRITE", {"Variable": name, "Value": values.variant(value, type)})
        problem = _problem(name, body)
        if problem is not None:
            raise problem
        return str(body.get("Symbol", "Good"))

    def write_many(
        self, pairs: Sequence[Tuple[str, Any]], type: Optional[str] = None
    ) -> List[Optional[errors.VariableError]]:
        """Write each (name, value), in that order; returns for each its error, or ``None``."""
        items = self.write_items(pairs, type)
        return [_problem(item["Variable"], item) for item in items]

    def write_items(
        self, pairs: Sequence[Tuple[str, Any]], type: Optional[str] = None
    ) -> List[Mapping[str, Any]]:
        """As :meth:`write_many`; returns the items of the response unchanged."""
        items: List[Mapping[str, Any]] = []
        for some in _portions(pairs):
            writes = [
                {"Variable": name, "Value": values.variant(value, type)} for name, value in some
            ]
            items += _items(self.request("WRITE", {"Writes": writes}), "Results")
        return items

    def history(
        self,
        name: str,
        start: Optional[str] = None,
        end: Optional[str] = None,
        *,
        max_values: int = 0,
        aggregate: Optional[str] = None,
        interval_ms: Optional[float] = None,
        bounds: bool = False,
    ) -> Iterator[Value]:
        """The values of the past from *start* to *end* (ISO 8601, UTC without an offset), page
        by page; newest first if start is later than end.

        *max_values*: the most values in all, 0 for no limit.  *aggregate*: a name of OPC 10000-13
        such as ``Average``, with *interval_ms*.  Raises :exc:`~opcws.client.VariableError`.
        """
        body: Dict[str, Any] = {"Variable": name}
        given = {
            "StartTime": start,
            "EndTime": end,
            "Aggregate": aggregate,
            "ProcessingInterval": interval_ms,
            "ReturnBounds": bounds or None,
        }
        body.update((key, value) for key, value in given.items() if value is not None)
        left = max_values
        # A ContinuationPoint is valid only on its connection.
        deadline = Deadline(self._timeout_s)
        websocket = self._connected(deadline)
        while True:
            if max_values:
                body["MaxValues"] = left
            answer = self._exchange(websocket, "HISTORICALREAD", body, deadline)
            problem = _problem(name, answer)
            if problem is not None:
                raise problem
            page: List[Mapping[str, Any]] = _list({"DataValues": [], **answer}, "DataValues", dict)
            if max_values:
                page = page[:left]
                left -= len(page)
            for each in page:
                yield _value({**each, "Variable": name})
            point = answer.get("ContinuationPoint")
            if point is None or (max_values and left <= 0):
                return
            body["ContinuationPoint"] = point
            deadline = Deadline(self._timeout_s)

    def history_many(
        self, names: Sequence[str], start: str, end: Optional[str] = None, *, max_points: int = 1000
    ) -> List[History]:
        """The history of several variables for a chart, in the order of *names*, from *start* to
        *end*, or to now (ISO 8601, UTC without an offset).

        If a variable has more than *max_points* (2 to 10000) values, the first, the last, each
        extreme and each gap stay.  Check ``error`` of each.
        """
        body: Dict[str, Any] = {"StartTime": start, "MaxPoints": max_points}
        if end is not None:
            body["EndTime"] = end
        found: List[History] = []
        for some in _portions(names, max(1, min(MAX_NAMES, MAX_POINTS // max(1, max_points)))):
            answer = self.request("HISTORICALREAD", {"Variables": some, **body})
            if "StatusCode" in answer:
                raise errors.RequestRefused(answer.get("Reason", ""), answer["StatusCode"])
            found += map(_history, _items(answer, "Histories"))
        return found

    def monitor(
        self,
        names: Sequence[str],
        *,
        min_interval_ms: Optional[float] = None,
        reconnect: bool = True,
        since: Optional[str] = None,
        backfill: bool = False,
        resume: Optional[bool] = None,
    ) -> "Monitor":
        """Monitor *names*: their present values, then each change.

        *min_interval_ms*: the shortest time between two values; the latest value wins.

        Past values come first, in order, with ``historical`` set: with *since* (ISO 8601, UTC
        without an offset) the changes after that time; with *resume* the changes while the client
        was not connected to opcws (the default without *min_interval_ms*); with *backfill* also the
        changes while opcws was not connected to the OPC UA server.
        """
        if resume is None:
            resume = not min_interval_ms
        return Monitor(self, names, min_interval_ms, reconnect, since, backfill, resume)

    # --- the connection -----------------------------------------------------------------------

    def _connected(self, deadline: Deadline) -> WebSocket:
        if self._websocket is not None:
            # Handle what has arrived since: pings to answer, updates to keep, perhaps the end.
            try:
                while True:
                    text = self._websocket.receive(Deadline(0))
                    if text is None:
                        return self._websocket
                    self._push(_parsed(text))
            except errors.ConnectionLost:
                self._drop()
        self._websocket = WebSocket(self._address, self._headers, self._context, deadline)
        self._remembers = self._websocket.contract is not None
        return self._websocket

    def _exchange(
        self,
        websocket: WebSocket,
        operation: str,
        body: Mapping[str, Any],
        deadline: Deadline,
        handle: str = "",
    ) -> Dict[str, Any]:
        handle = handle or "r%d" % next(self._handles)
        text = _request(operation, body, handle)
        unknown = UNKNOWN if operation == "WRITE" else ""
        while True:
            try:
                if text:
                    websocket.send(text, deadline)
                    text = ""
                answer = websocket.receive(deadline)
            except errors.ConnectionLost as error:
                raise errors.ConnectionLost(error.reason + unknown, error.close_code) from None
            if answer is None:
                reason = "no answer to %s within %g s%s" % (operation, self._timeout_s, unknown)
                raise errors.NoAnswer(reason)
            message = _parsed(answer)
            header = message["Header"]
            kind, answered = header["MessageType"], header.get("ClientHandle")
            if answered == handle and not kind.endswith("_MESSAGE"):
                return _body(message)
            if kind == "ERROR" and "ClientHandle" not in header:
                return _body(message)
            self._push(message)

    def _push(self, message: Dict[str, Any]) -> None:
        """Keep an update; drop a late answer to a request that has timed out."""
        header, body = message["Header"], message.get("Body") or {}
        kind = header["MessageType"]
        if kind == "MONITORUPDATE_MESSAGE":
            monitor = self._monitors.get(header.get("ClientHandle", ""))
            if monitor is not None:
                monitor._take(_value(body))
        elif kind == "SERVERSTATUS_MESSAGE":
            for each in self._monitors.values():
                each.servers[body["Server"]] = body


class _Known:
    """The newest known value of a variable: its ``time`` (:func:`.values.time_of`), and ``same``,
    the updates of that time."""

    def __init__(self) -> None:
        self.time = ""
        self.same: List[Value] = []
        self.heard_at: Optional[float] = None  # by the clock of this machine
        self.age_s = 0.0  # how long before the loss of the connection


class Monitor:
    """Variables that are monitored; made by :meth:`Client.monitor`.

    Iterate over it, or call :meth:`next`.  When the connection to opcws is lost, each variable gets
    one more value with ``BadNotConnected`` and its last value, just as when opcws loses its OPC UA
    server; then it tries to reconnect until it succeeds.  Then the missed values come, as far as
    opcws has them; if nothing changed, the last value comes again.

    ``names`` are the variables, ``servers`` the last SERVERSTATUS of each OPC UA server, ``lost``
    is the reason why there is no connection at the moment, or ``None``.
    """

    def __init__(
        self,
        client: Client,
        names: Sequence[str],
        min_interval_ms: Optional[float],
        reconnect: bool,
        since: Optional[str],
        backfill: bool,
        resume: bool,
    ) -> None:
        self.names = list(dict.fromkeys(names))
        self.servers: Dict[str, Mapping[str, Any]] = {}
        self.lost: Optional[str] = None
        self._client = client
        self._interval_ms = min_interval_ms
        self._reconnect = reconnect
        self._since = since
        self._backfill = backfill
        self._resume = resume
        self._known: Dict[str, _Known] = {}
        self._handle = "m%d" % next(client._handles)
        self._waiting: Deque[Value] = collections.deque()
        self._last: Dict[str, Value] = {}
        self._missed: Set[str] = set()
        self._websocket: Optional[WebSocket] = None
        self._attempts = 0
        self._retry_at = Deadline(0)
        client._monitors[self._handle] = self
        try:
            self._start()
        except BaseException:
            self._client._monitors.pop(self._handle, None)
            raise

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Value]:
        while True:
            value = self.next()
            if value is not None:
                yield value

    def close(self) -> None:
        """End it, at opcws too.  Never raises."""
        self._client._monitors.pop(self._handle, None)
        websocket, self._websocket = self._websocket, None
        if websocket is None or websocket.lost is not None or not self.names:
            return
        body = {"Variables": self.names}
        try:
            websocket.send(_request("MONITORSTOP", body, self._handle), Deadline(1.0))
        except errors.ClientError:
            pass  # a monitor ends with its connection

    def next(self, timeout_s: Optional[float] = None) -> Optional[Value]:
        """The next value, or ``None`` after *timeout_s*; while it reconnects this may take longer,
        by the time for one attempt.

        Raises :exc:`~opcws.client.NotAllowed` if a credential is not valid any more, and
        :exc:`~opcws.client.ConnectionLost` if it must not reconnect.
        """
        deadline = Deadline(timeout_s)
        while not self._waiting:
            try:
                if self._websocket is None:
                    if not self._try_again(deadline):
                        return None
                    continue
                text = self._websocket.receive(deadline)
                if text is None:
                    return None
                self._client._push(_parsed(text))
            except errors.ConnectionLost as error:
                self._break(error)
        value = self._waiting.popleft()
        if value.name in self._missed:
            self._missed.discard(value.name)
            value = value._replace(status=value.status | OVERFLOW)
        return value

    # --- the connection ------------------------------------------------------------------------

    def _start(self) -> None:
        client = self._client
        websocket = client._connected(Deadline(client._timeout_s))
        missing = self.names
        while missing:
            some, since = self._alike(missing)
            for item in self._ask(websocket, some, since):
                if _problem(item["Variable"], item) is not None:
                    self._keep(_value(item))
            begun = set(some)
            missing = [name for name in missing if name not in begun]
        self._websocket = websocket
        self._attempts = 0
        self.lost = None

    def _alike(self, names: Sequence[str]) -> Tuple[Sequence[str], Optional[str]]:
        """Groups *names* for requests, each with its Since.  A variable that changed long before
        the others gets a request of its own, or many known values of the others would come
        again."""
        fresh = [name for name in names if name not in self._known]
        if fresh or not self._resume:
            return (fresh or names)[:MAX_NAMES], self._since if fresh else None
        first = min((self._known[name] for name in names), key=lambda known: known.time)
        begin_s = values.seconds(first.time)
        some = []
        for name in names:
            known = self._known[name]
            if values.seconds(known.time) - begin_s <= known.age_s + 1.0:
                some.append(name)
        full = len(first.same) > MAX_SAME
        return some[:MAX_NAMES], first.time + "Z" if full else values.just_before(first.time)

    def _ask(
        self, websocket: WebSocket, names: Sequence[str], since: Optional[str]
    ) -> List[Dict[str, Any]]:
        """Start *names*; returns the result of each."""
        client = self._client
        body: Dict[str, Any] = {"Variables": names}
        if self._interval_ms is not None:
            body["MinInterval"] = self._interval_ms
        past: Dict[str, Any] = {}
        if client._remembers and since is not None:
            past["Since"] = since
        if client._remembers and self._backfill:
            past["Backfill"] = True
        resumed = "Since" in past and names[0] in self._known
        # Updates have the ClientHandle of their MONITORSTART.
        deadline = Deadline(client._timeout_s)
        try:
            answer = client._exchange(
                websocket, "MONITORSTART", {**body, **past}, deadline, self._handle
            )
        except errors.RequestRefused as error:
            if not past or error.status != "BadAttributeIdInvalid":
                raise
            client._remembers = False  # it is too old
            return self._ask(websocket, names, None)
        items = _items(answer, "Results")
        # The role may monitor, but not read history.
        refused = {each["Variable"] for each in items if resumed and _problem("", each) is not None}
        if refused:
            items = [each for each in items if each["Variable"] not in refused]
            items += self._ask(websocket, sorted(refused), None)
        return items

    def _break(self, error: errors.ConnectionLost) -> None:
        self._websocket = None
        now = time.monotonic()
        for known in self._known.values():
            if known.heard_at is not None:
                known.age_s = now - known.heard_at
            known.heard_at = None
        self.servers.clear()
        if not self._reconnect:
            raise error
        self.lost = error.reason
        self._retry_at = Deadline(random.uniform(0, RETRY_MIN_S))
        symbol = "BadNotConnected"
        code = status_codes.CODES[symbol]
        for name in self.names:
            last = self._last.get(name, Value(name))
            if last.symbol != "BadNodeIdUnknown":
                lost = {"Status": code, "Symbol": symbol, "StatusCode": symbol}
                message = {**last.message, "Variable": name, **lost, "Reason": error.reason}
                self._keep(values.from_json(name, message))

    def _try_again(self, deadline: Deadline) -> bool:
        """Wait for the next attempt, and make it; false if the deadline came first."""
        pause = threading.Event()
        while not self._retry_at.expired:
            if deadline.expired:
                return False
            pause.wait(deadline.bounded(self._retry_at.bounded(_SLICE_S)))
        try:
            self._start()
            return True
        except errors.NotAllowed:
            raise
        except (errors.ConnectError, errors.ConnectionLost, errors.NoAnswer) as error:
            # Monitors of that connection would be started twice.
            self._client._drop()
            self.lost = error.reason
            self._attempts += 1
            longest = min(RETRY_MAX_S, RETRY_MIN_S * 2.0 ** min(self._attempts, 10))
            after = error.retry_after_s if isinstance(error, errors.Busy) else 0.0
            # A random part, so that many clients do not reconnect at the same moment.
            self._retry_at = Deadline(max(after, random.uniform(longest / 2, longest)))
            return not deadline.expired

    def _take(self, value: Value) -> None:
        """Keep an update, unless it was known before the connection was lost: the past values begin
        with the time of the last update, and several updates may have that time."""
        at = values.time_of(value)
        known = self._known.get(value.name)
        has_value = "Value" in value.message
        if at and (known is not None or has_value):
            if known is None:
                known = self._known[value.name] = _Known()
            if value.historical and (at < known.time or _is_among(value, known.same)):
                return
            if has_value and at != known.time:  # a gap has the time of another clock
                known.time, known.same = at, []
            if len(known.same) <= MAX_SAME:
                known.same.append(value)
            known.heard_at = time.monotonic()
        self._keep(value)

    def _keep(self, value: Value) -> None:
        self._last[value.name] = value
        if len(self._waiting) >= MAX_WAITING:
            self._missed.add(self._waiting.popleft().name)
        self._waiting.append(value)


# --- messages ---------------------------------------------------------------------------------


def _portions(items: Sequence[Any], most: int = MAX_NAMES) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), most):
        yield list(items[first : first + most])


def _is_among(value: Value, others: Sequence[Value]) -> bool:
    return any(map(_identity(value).__eq__, map(_identity, others)))


def _identity(value: Value) -> Tuple[str, int, Any]:
    return values.time_of(value), value.status, value.message.get("Value")


def _request(operation: str, body: Mapping[str, Any], handle: str) -> str:
    header = {"MessageType": operation + "_REQUEST", "ClientHandle": handle}
    return json.dumps({"Header": header, "Body": body}, allow_nan=False)


def _parsed(text: str) -> Dict[str, Any]:
    try:
        message = json.loads(text)
        header = message["Header"]
        for each in (header["MessageType"], header.get("StatusCode", ""), header.get("Reason", "")):
            each.endswith("")
        (message.get("Body") or {}).keys()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _nonsense() from None
    found: Dict[str, Any] = message
    return found


def _nonsense() -> errors.RequestRefused:
    return errors.RequestRefused(
        "the answer is not a message of opcws; is another program at this address?",
        "BadDecodingError",
    )


def _list(body: Mapping[str, Any], member: str, kind: Type[T]) -> List[T]:
    found = body.get(member)
    if not isinstance(found, list) or not all(isinstance(each, kind) for each in found):
        raise _nonsense()
    return found


def _items(body: Mapping[str, Any], member: str) -> List[Dict[str, Any]]:
    found: List[Dict[str, Any]] = _list(body, member, dict)
    if not all(isinstance(each.get("Variable"), str) for each in found):
        raise _nonsense()
    return found


def _value(item: Mapping[str, Any]) -> Value:
    try:
        return values.from_json(item["Variable"], item)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _nonsense() from None


def _history(item: Mapping[str, Any]) -> History:
    name = item["Variable"]
    page: List[Mapping[str, Any]] = _list({"DataValues": [], **item}, "DataValues", dict)
    return History(
        name,
        [_value({**each, "Variable": name}) for each in page],
        item.get("HistorySource"),
        item.get("StatusCode", item.get("Symbol", "Good")),
        item.get("Reason", ""),
        _problem(name, item),
    )


def _body(message: Dict[str, Any]) -> Dict[str, Any]:
    header = message["Header"]
    if "StatusCode" in header:
        raise errors.RequestRefused(header.get("Reason", ""), header["StatusCode"])
    return message.get("Body") or {}


def _problem(name: str, item: Mapping[str, Any]) -> Optional[errors.VariableError]:
    """The error of *item* of a response, if any, for the variable *name*."""
    code = item.get("StatusCode", "Good")
    if status_codes.is_bad(status_codes.CODES.get(code, status_codes.CODES["Bad"])):
        return errors.VariableError(name, code, item.get("Reason", ""))
    return None
