"""What an edge asks the collector for: its requests under way.

Rules:

* A request is sent once at most.  It ends with its answer, with its time, or when the publisher is
  not there any more; an answer that comes later is dropped.
* Of a write that was sent and has no answer nobody knows whether it was carried out, and the client
  is told so.
* So many are under way at a time; so many more wait.

Threads: :meth:`Asking.ask` and :meth:`Asking.leave` may be called from any; the rest runs on
``opcws-mqtt-NAME``, and so do the answers.
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

#: Requests that are under way at a time, and that wait, at most.
MOST_UNDER_WAY, MOST_WAITING = 64, 10_000
#: User properties that say whom the client proved to be, and which connection it is.
IDENTITY, CLIENT = "Identity", "Client"
#: Characters of each at most.
MOST_NAME = 256

#: Told what was answered, or why there is no answer.
Done = Callable[[Any], Optional[Wake]]


class Request:
    """Asks for *owner* what the text says that *make* makes, handed the ClientHandle, right before
    it is sent; it is not sent if that raises :exc:`~opcws.model.errors.ServiceError`.  *done* is
    told within *seconds* what *read* makes of the Body of the answer, or why there is none; *read*
    may raise :exc:`ValueError`."""

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
        #: Of the answer.
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
        """It was sent, and has no answer."""
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
        # Of the thread alone.
        self._sent: Dict[bytes, Request] = {}

    # --- any thread -----------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        """Raises :exc:`~opcws.model.errors.ServiceError` if it cannot be sent now."""
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
        """The publisher is there."""
        with self._lock:
            self._why_closed = None

    def close(self, reason: str) -> None:
        """The publisher is not there any more, or nobody knows."""
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
        """Send what waits, and give up what has waited too long."""
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
        """What says that *who* has left."""
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
        """The broker has taken *message*, or not."""
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
        """What came at the topic of answers."""
        request = self._sent.pop(message.correlation, None)
        if request is None:
            return  # late, or of another one of our name
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
    """*text* as a user property may have it (MQTT 5 1.5.4)."""
    return "".join([each if each.isprintable() else "?" for each in text[:MOST_NAME]])
