"""The requests of an edge to the collector.

Rules:

* A request is sent at most once.  It ends with its answer, at its timeout, or when the publisher is
  gone; a later answer is dropped.
* Nobody knows whether a write was executed that was sent but not answered; the client is told so.
* The requests under way and those that wait are limited.

Threads: :meth:`Asking.ask` and :meth:`Asking.leave` may be called from any; the rest runs on
``opcws-mqtt-NAME``, which also handles answers.
"""

import logging
import math
import secrets
import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, Mapping, Optional, Set, Tuple

from ..config.settings import Server
from ..gateway.plant_interface import DEFECT, UNKNOWN_OUTCOME, Owner, Wake
from ..model.deadline import Deadline
from ..model.errors import PlantError, ServiceError
from . import request_messages, topics
from .connection import NOBODY_LISTENS, REFUSED
from .message import Incoming, Message

log = logging.getLogger(__name__)

#: Most requests under way at a time, and most that wait.
MOST_UNDER_WAY, MOST_WAITING = 64, 10_000
#: User properties with the client's identity, and with its connection.
IDENTITY, CLIENT = "Identity", "Client"
#: Most characters of each.
MOST_NAME = 256

#: Gets the answer, or the reason why there is none.
Done = Callable[[Any], Optional[Wake]]


class Request:
    """A request of *owner*.  *make* gets the ClientHandle and returns the text, right before it is
    sent; if *make* raises :exc:`~opcws.model.errors.ServiceError`, nothing is sent.  *read*, which
    may raise :exc:`ValueError`, converts the Body of the answer; *done* gets its result within
    *seconds*, or the reason why there is none."""

    __slots__ = ("make", "read", "done", "owner", "seconds", "deadline", "key", "writes")

    def __init__(
        self,
        make: Callable[[str], str],
        read: Callable[[Mapping[str, Any]], Any],
        done: Done,
        owner: Optional[Owner],
        seconds: float,
        writes: bool,
    ) -> None:
        self.make = make
        self.read = read
        self.done = done
        self.owner = owner
        self.seconds = seconds
        self.deadline = Deadline(seconds)
        #: CorrelationData of the answer.
        self.key = secrets.token_bytes(16)
        self.writes = writes

    def end(self, answer: Any) -> None:
        try:
            wake = self.done(answer)
            if wake is not None:
                wake()
        except Exception:
            log.exception("a defect while telling an answer")

    def lost(self, reason: str, status: str) -> None:
        """The request was sent, but there will be no answer."""
        self.end(PlantError(reason + UNKNOWN_OUTCOME if self.writes else reason, status))


class Asking:
    """The requests of *server*'s clients; *wake* is called when there is something to send."""

    def __init__(self, server: Server, wake: Callable[[], None]) -> None:
        #: Replaced in one step.
        self.server = server
        self._wake = wake
        # Guards what follows.
        self._lock = threading.Lock()
        self._why_closed: Optional[str] = "connecting"
        self._waiting: Deque[Request] = deque()
        # Clients for which the collector may keep something, and those that have left since.
        self._known: Set[Tuple[str, str]] = set()
        self._left: Deque[Tuple[str, str]] = deque()
        # Only for opcws-mqtt-NAME.
        self._sent: Dict[bytes, Request] = {}

    # --- any thread -----------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        """Queue *request*.  Raises :exc:`~opcws.model.errors.ServiceError` if that is not possible
        now."""
        with self._lock:
            if self._why_closed is not None:
                raise PlantError(
                    "%s is not connected: %s" % (self.server.name, self._why_closed),
                    "BadNotConnected",
                )
            if len(self._waiting) >= MOST_WAITING:
                raise ServiceError(
                    "%d requests wait for the broker already; ask for less at a time"
                    % len(self._waiting),
                    "BadTooManyOperations",
                )
            self._waiting.append(request)
        self._wake()

    def leave(self, owner: Owner) -> None:
        """*owner* has left: the collector need not keep anything for it."""
        who = _who(owner)
        with self._lock:
            if who not in self._known:
                return
            self._known.discard(who)
            self._left.append(who)
        self._wake()

    # --- opcws-mqtt-NAME ------------------------------------------------------------------------

    def open(self) -> None:
        """The publisher is available."""
        with self._lock:
            self._why_closed = None

    def close(self, reason: str) -> None:
        """The publisher is gone, or its state is unknown."""
        with self._lock:
            self._why_closed = reason
            waiting, self._waiting = self._waiting, deque()
            self._known.clear()
            self._left.clear()
        sent, self._sent = self._sent, {}
        for request in sent.values():
            request.lost(reason, "BadCommunicationError")
        for request in waiting:
            request.end(PlantError(reason, "BadNotConnected"))

    def send(self, publish: Callable[[Message], None]) -> None:
        """Send waiting requests, and give up those that have waited too long."""
        late = [request for request in self._sent.values() if request.deadline.expired]
        for request in late:
            del self._sent[request.key]
            request.lost(
                "%s has not answered within %g s" % (self.server.publisher, request.seconds),
                "BadTimeout",
            )
        while len(self._sent) < MOST_UNDER_WAY:
            with self._lock:
                if not self._waiting:
                    break
                request = self._waiting.popleft()
            try:
                publish(self._message(request))
            except ServiceError as problem:
                request.end(problem)
            except Exception:
                log.exception("%s: a defect while asking", self.server.name)
                request.end(ServiceError(DEFECT, "BadInternalError"))
            else:
                self._sent[request.key] = request
        while self._left:
            publish(self._empty(self._left.popleft()))

    def _message(self, request: Request) -> Message:
        owner = request.owner
        if owner is not None and owner.closed:
            raise ServiceError("the client has left", "BadRequestCancelledByClient")
        if request.deadline.expired:
            raise PlantError("the request has waited its whole time and was not sent", "BadTimeout")
        payload = request.make(request.key.hex()).encode("ascii")
        if len(payload) > request_messages.MOST_BYTES:
            raise ServiceError(
                "a request by way of a broker has %d bytes at most" % request_messages.MOST_BYTES,
                "BadRequestTooLarge",
            )
        empty = self._empty(("", "") if owner is None else _who(owner))
        if owner is not None and not request.writes:
            with self._lock:
                self._known.add(_who(owner))
        return empty._replace(
            payload=payload,
            expiry_s=max(1, math.ceil(request.deadline.bounded(request.seconds))),
            correlation=request.key,
        )

    def _empty(self, who: Tuple[str, str]) -> Message:
        """The message that says that *who* has left."""
        server = self.server
        where = server.prefix, server.publisher, server.edge or ""
        return Message(
            topics.request(*where),
            b"",
            reply_to=topics.answer(*where),
            told=tuple(pair for pair in zip((IDENTITY, CLIENT), who) if pair[1]),
            passing=True,
        )

    def arrived(self, message: Message, code: int) -> None:
        """The broker has accepted *message*, or refused it, with the reason *code*."""
        if code != NOBODY_LISTENS and code < REFUSED:
            return
        request = self._sent.pop(message.correlation, None)
        if request is None:
            return
        server = self.server
        if code >= REFUSED:
            request.end(
                ServiceError(
                    "the broker refuses what goes to %s; give the user of opcws the right to "
                    "publish there" % message.topic,
                    "BadUserAccessDenied",
                )
            )
            return
        request.end(
            ServiceError(
                "%s takes nothing from %s; name it in publish.mqtt.requests there"
                % (server.publisher, server.edge),
                "BadNotWritable" if request.writes else "BadHistoryOperationUnsupported",
            )
        )

    def answered(self, message: Incoming) -> None:
        """A message came at the topic of answers."""
        request = self._sent.pop(message.correlation, None)
        if request is None:
            return  # late, or for another edge with our name
        publisher = self.server.publisher
        try:
            answer = request.read(request_messages.body(message.payload, publisher))
        except ServiceError as problem:
            answer = problem
        except ValueError as error:
            reason = "the answer of %s cannot be read: %s" % (publisher, error)
            request.lost(reason, "BadDecodingError")
            return
        request.end(answer)


def _who(owner: Owner) -> Tuple[str, str]:
    return _name(owner.identity), _name(owner.name)


def _name(text: str) -> str:
    """*text* in characters that a user property may have (MQTT 5 1.5.4)."""
    return "".join([each if each.isprintable() else "?" for each in text[:MOST_NAME]])
