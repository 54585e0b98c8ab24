"""Requests of edges: received from the broker, handled by the gateway, answered at the broker.

Rules:

* A request is a message of the WebSocket, and handled like one of a client: with the role, the
  limits and the continuation points of the edge's client, and in the audit log.
* The topic names the edge, and the broker must guard that.  The message names the edge's client; it
  is believed only if the configuration says so.
* A request is executed once: a repeated one (same correlation data), a retained one, and one that
  is too old are dropped.
* An answer goes only to the edge's own topic.
* The memory that edges can make us use is limited; the log says what is wrong with a message.

Threads: ``received`` runs on ``opcws-publish-mqtt`` and only queues; ``opcws-requests`` handles
the requests; answers come on the plants' threads.
"""

import logging
import threading
import time
from collections import OrderedDict, deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Set, Tuple

from ..access.authenticator import Grant
from ..config.roles import Role
from ..config.settings import Edge, Limits, Mqtt
from ..gateway.audit_log import Unaudited
from ..gateway.client import Client
from ..gateway.connected_clients import ConnectedClients
from ..gateway.outbox import Outbox
from ..gateway.plant_interface import DEFECT, Wake
from ..model.deadline import Deadline
from ..model.errors import MalformedMessage, OpcwsError
from ..operations.log_limit import LogLimit
from ..wire import messages
from ..wire.values_to_json import TYPED
from . import topics
from .asking import CLIENT, IDENTITY, MOST_NAME
from .connection import MOST_BYTES as MOST_ANSWER_BYTES
from .message import Incoming, Message
from .request_messages import MOST_BYTES, header

log = logging.getLogger(__name__)

#: Requests that edges may send.
OPERATIONS = ("WRITE", "HISTORICALREAD")
#: Most requests of one edge under way, and number of its requests whose correlation data are
#: remembered.
MOST_UNDER_WAY, REMEMBERED = 256, 10_000
#: Most bytes of requests that wait to be handled, of all edges.
MOST_WAITING_BYTES = 16 * 1024 * 1024
#: Most bytes of correlation data.
MOST_CORRELATION = 64
#: Most clients of edges that are remembered, and seconds after which an idle one is forgotten.
MOST_CLIENTS, IDLE_S = 2000, 300.0
#: Seconds for which a request is valid if it does not say so itself.
GOOD_S = 30.0
#: Log lines of one kind about one edge within the time of a LogLimit.
LINES = 1


class Serve(NamedTuple):
    """The present clients and audit log; *admit* returns the grant of a client of the *edge* with
    the identity *told*, or raises :exc:`~opcws.model.errors.OpcwsError`."""

    clients: Callable[[], ConnectedClients]
    audit: Callable[[], Unaudited]
    admit: Callable[[str, Edge, str], Grant]


class _Asked(NamedTuple):
    """A received request, and how to answer it."""

    edge: str
    reply_to: str
    correlation: bytes
    deadline: Deadline


#: An edge, the identity that it reports for its client, and the client's connection to it.
_Who = Tuple[str, str, str]


class _Client(Client):
    """A client of an edge; *answer* is called with a request and its answer."""

    def __init__(self, who: _Who, grant: Grant, answer: Callable[[_Asked, str], None]) -> None:
        edge, _told, connection = who
        limits = Limits()
        outbox = Outbox(limits.outbox_messages, limits.outbox_bytes, MOST_UNDER_WAY, lambda: None)
        super().__init__(
            " ".join(["edge", edge, connection]).rstrip(),
            outbox,
            TYPED,
            grant.role,
            limits,
            peer="edge " + edge,
            identity=grant.identity,
        )
        self.disconnect = lambda _code, _reason: outbox.close()
        self.used_at = time.monotonic()
        self._answer = answer
        # Guards the table, by ClientHandle: answers come on any thread.
        self._table_lock = threading.Lock()
        self._asked: Dict[Any, _Asked] = {}

    def expect(self, handle: Any, asked: _Asked) -> bool:
        """The reply with *handle* will answer *asked*; False if the handle is in use already."""
        self.used_at = time.monotonic()
        key = type(handle), handle
        with self._table_lock:
            if key in self._asked:
                return False
            self._asked[key] = asked
            return True

    @property
    def is_idle(self) -> bool:
        return not self._asked

    def reply(self, text: str) -> None:
        head = header(text)
        handle = head.get("ClientHandle", head.get("ClientHandler"))
        with self._table_lock:
            asked = self._asked.pop((type(handle), handle), None)
        if asked is not None:
            self._answer(asked, text)

    def reply_soon(self, text: str) -> Wake:
        self.reply(text)
        return self.flush

    def reply_large(self, size: int, make: Callable[[], str]) -> None:
        self.reply(make())


class Requests:
    """Handles requests of the edges that :meth:`change` names; *put* sends answers."""

    def __init__(self, serve: Serve, put: Callable[[List[Message]], None]) -> None:
        self._serve = serve
        self._put = put
        self._complaints = LogLimit()
        # Guards everything below.
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._mqtt: Optional[Mqtt] = None
        self._waiting: Deque[Tuple[_Asked, Incoming]] = deque()
        self._bytes = 0
        self._under_way: Dict[str, int] = {}
        self._came: Dict[str, "OrderedDict[bytes, None]"] = {}
        self._started = self._stopping = False
        # Only for opcws-requests.
        self._clients: "OrderedDict[_Who, _Client]" = OrderedDict()
        self.thread = threading.Thread(target=self._run, name="opcws-requests", daemon=True)

    # --- any thread -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start, as soon as there is an edge."""
        with self._lock:
            self._started = True
            self._begin()

    def change(self, mqtt: Optional[Mqtt]) -> None:
        """Handle requests as *mqtt* says from now on."""
        with self._lock:
            self._mqtt = mqtt
            self._begin()

    def _begin(self) -> None:
        wanted = self._mqtt is not None and self._mqtt.requests
        if wanted and self._started and not self._stopping and self.thread.ident is None:
            self.thread.start()

    def stop(self, deadline: Deadline) -> None:
        """Accept no more, and end the thread."""
        with self._lock:
            self._stopping = True
            self._arrived.notify()
        if self.thread.ident is not None:
            self.thread.join(deadline.bounded(1.0))

    @property
    def threads(self) -> List[threading.Thread]:
        return [] if self.thread.ident is None else [self.thread]

    def topics(self) -> Set[str]:
        """The topics of requests."""
        mqtt = self._mqtt
        if mqtt is None:
            return set()
        return {topics.request(mqtt.prefix, mqtt.publisher, edge) for edge in mqtt.requests}

    # --- opcws-publish-mqtt ---------------------------------------------------------------------

    def received(self, message: Incoming) -> None:
        """Queue a received message, or drop it."""
        edge = topics.last_level(message.topic)
        size = len(message.payload)
        asked = _Asked(
            edge, message.reply_to, message.correlation, Deadline(message.expiry_s or GOOD_S)
        )
        with self._lock:
            wrong = self._wrong(edge, message)
            if wrong is None:
                under_way = self._under_way.get(edge, 0)
                full = under_way >= MOST_UNDER_WAY or self._bytes + size > MOST_WAITING_BYTES
                self._under_way[edge] = under_way + 1
                if not full:
                    self._waiting.append((asked, message))
                    self._bytes += size
                    self._arrived.notify()
        if wrong is not None:
            self._complain(edge, wrong)
        elif full:
            self._refuse(asked, "BadTooManyOperations", _TOO_MANY)

    def _wrong(self, edge: str, message: Incoming) -> Optional[str]:
        """Why *message* is dropped without an answer, if so; under the lock."""
        mqtt = self._mqtt
        if mqtt is None or edge not in mqtt.requests:
            return "publish.mqtt.requests does not name it"
        if message.kept:
            return "the broker had kept it; a request must not be retained"
        if message.reply_to != topics.answer(mqtt.prefix, mqtt.publisher, edge):
            return "it has no Response Topic, or one that is not that of the edge"
        if not message.payload:
            return None
        if not 0 < len(message.correlation) <= MOST_CORRELATION:
            return "its Correlation Data have not 1 to %d bytes" % MOST_CORRELATION
        if len(message.payload) > MOST_BYTES:
            return "it has more than %d bytes" % MOST_BYTES
        if max(len(message.told.get(each, "")) for each in (IDENTITY, CLIENT)) > MOST_NAME:
            return "a name in it has more than %d characters" % MOST_NAME
        came = self._came.setdefault(edge, OrderedDict())
        if message.correlation in came:
            return "it came again; it is not done again"
        came[message.correlation] = None
        if len(came) > REMEMBERED:
            came.popitem(last=False)
        return None

    def _complain(self, edge: str, what: str, kind: str = "") -> None:
        text = "a request of the edge %s is dropped: %s"
        self._complaints.log(
            log, logging.WARNING, edge, kind or what, text, edge, what, lines=LINES
        )

    # --- opcws-requests -------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            first = self._next()
            try:
                if first is not None:
                    self._handle(*first)
                self._forget()
            except Exception:
                log.exception("a defect while handling a request of an edge")
                if first is not None and first[1].payload:
                    self._refuse(first[0], "BadInternalError", DEFECT)
        for client in self._clients.values():
            self._serve.clients().close(client)

    def _next(self) -> Optional[Tuple[_Asked, Incoming]]:
        """The next request; ``None`` if none came for a while, or at the end."""
        with self._lock:
            if not self._waiting and not self._stopping:
                self._arrived.wait(IDLE_S / 10)
            if not self._waiting or self._stopping:
                return None
            first = self._waiting.popleft()
            self._bytes -= len(first[1].payload)
            return first

    def _handle(self, asked: _Asked, message: Incoming) -> None:
        who = asked.edge, message.told.get(IDENTITY, ""), message.told.get(CLIENT, "")
        if not message.payload:
            self._ended(asked)
            self._leave(who)
            return
        if asked.deadline.expired:
            self._ended(asked)
            self._complain(asked.edge, "it is too old")
            return
        try:
            text = message.payload.decode("utf-8")
            request = messages.parse(text)
            if request.operation not in OPERATIONS:
                raise ValueError("by way of a broker there are only " + " and ".join(OPERATIONS))
        except (MalformedMessage, ValueError) as problem:
            self._complain(asked.edge, str(problem), "malformed")
            self._refuse(asked, "BadRequestHeaderInvalid", str(problem))
            return
        try:
            grant = self._grant(who)
        except OpcwsError as problem:
            if request.operation == "WRITE":
                stranger = _Client(who, Grant(_told(who), _NOBODY), self._answer)
                self._serve.audit().refused_request(stranger, request.body, problem)
            status = "BadUserAccessDenied"
            self._answer(asked, messages.refusal(request, TYPED, status, problem.reason))
            return
        client = self._client(who, grant)
        if not client.expect(request.handle, asked):
            self._refuse(
                *(asked, "BadRequestHeaderInvalid"),
                "a request with this ClientHandle is under way; give each its own",
            )
            return
        self._serve.clients().handle(client, text)

    def _client(self, who: _Who, grant: Grant) -> _Client:
        client = self._clients.get(who)
        if client is not None and client.gone:
            self._leave(who)
            client = None
        if client is None:
            client = self._clients[who] = _Client(who, grant, self._answer)
            client.judge = lambda: self._role(who)
            self._serve.clients().open(client, False)
        self._clients.move_to_end(who)
        with client.lock:
            client.identity = grant.identity
            if grant.role is not client.role:
                client.take_role(grant.role)
        return client

    def _grant(self, who: _Who) -> Grant:
        """The present grant of *who*.  Raises :exc:`~opcws.model.errors.OpcwsError`."""
        mqtt = self._mqtt
        edge = None if mqtt is None else mqtt.requests.get(who[0])
        if edge is None:
            raise OpcwsError("the configuration does not let you in any more")
        return self._serve.admit(who[0], edge, who[1])

    def _role(self, who: _Who) -> Optional[Role]:
        try:
            return self._grant(who).role
        except OpcwsError:
            return None

    def _leave(self, who: _Who) -> None:
        client = self._clients.pop(who, None)
        if client is not None:
            self._serve.clients().close(client)

    def _forget(self) -> None:
        """Forget idle clients."""
        old = time.monotonic() - IDLE_S
        idle: List[_Who] = []
        for who, client in self._clients.items():
            if client.used_at > old and len(self._clients) - len(idle) <= MOST_CLIENTS:
                break
            if client.is_idle:
                idle.append(who)
        for who in idle:
            self._leave(who)

    # --- any thread -----------------------------------------------------------------------------

    def _answer(self, asked: _Asked, text: str) -> None:
        self._ended(asked)
        expiry_s = max(1, int(asked.deadline.bounded(GOOD_S)))
        if len(text) > MOST_ANSWER_BYTES:
            problem = "the answer has more than %d bytes; ask for less at a time"
            text = messages.error(
                MalformedMessage(problem % MOST_ANSWER_BYTES, "BadResponseTooLarge"), TYPED
            )
        payload, correlation = text.encode("ascii"), asked.correlation
        answer = Message(
            asked.reply_to, payload, expiry_s=expiry_s, correlation=correlation, passing=True
        )
        self._put([answer])

    def _refuse(self, asked: _Asked, status: str, reason: str) -> None:
        self._answer(asked, messages.error(MalformedMessage(reason, status), TYPED))

    def _ended(self, asked: _Asked) -> None:
        with self._lock:
            self._under_way[asked.edge] -= 1


_NOBODY = Role("nobody", {}, may_connect=False)
_TOO_MANY = "as many requests of this edge are under way already as may; ask for less at a time"


def _told(who: _Who) -> str:
    """The name in the audit log of a client that is not admitted."""
    edge, told, _connection = who
    return "edge %s%s" % (edge, " (%s, as it says)" % told if told else "")
