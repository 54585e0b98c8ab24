"""The subscription of one link: publish requests, acknowledgements, gaps, monitored items.

Rules:

* Every message with notifications is acknowledged, with the next publish request.
* A gap in the sequence numbers is asked for again (Republish, OPC 10000-4 5.14.6); what came
  after it is held until then, so that the relay sees every message in order.  What cannot be
  had again is reported as lost.
* As many publish requests wait at the server as the load asks for: one more each time it has
  more to say than fits, one fewer when it has nothing, and never more than it takes.
* Publish requests are answered in the order in which they were sent; one that many later ones
  have passed by will not be answered any more and is replaced.
* While the relay is behind, no more is asked for; the server queues, and flags what overflows.

Threads: ``_on_*`` run on the receiver, ``consumed`` on the relay, everything else on the
worker's or the supervisor's; the lock guards what they share.
"""

import itertools
import logging
import threading
import time
from collections import deque
from functools import partial
from typing import Any, Deque, Dict, List, Optional, Protocol, Sequence, Tuple

from opcua import ua

from ...config.settings import Server
from ...model import status_codes
from ...model.deadline import Deadline
from ...model.errors import CodecError, PlantError
from ..encoding import responses, service_bodies
from ..encoding.responses import CreatedItem
from .answers import PublishAnswer
from .framing import plant_error

log = logging.getLogger(__name__)

#: Publish requests that wait at the server: at first and at least, and at most.
MIN_DEPTH = 3
MAX_DEPTH = 12
#: Later publish requests that may be answered before one is given up.
MAX_PASSED_BY = 4
#: Publish bodies that the relay may have waiting before no more are asked for.
MAX_WAITING_BODIES = 64
#: Seconds after which a subscription without changes must say that it lives.
KEEP_ALIVE_S = 5.0
MAX_NOTIFICATIONS = 1000
#: Messages that are asked for again at most; a larger gap is no gap but another numbering.
MAX_REPUBLISHED = 100


class SubscribedLink(Protocol):
    """What a subscription needs of its link."""

    server: Server
    lost: threading.Event

    def call(
        self, type_id: int, parameters: bytes, deadline: Deadline, doing: str
    ) -> Tuple[bytes, int]: ...

    def send(self, type_id: int, parameters: bytes, answer: Any) -> None: ...

    def fail(self, reason: str) -> None: ...


class Events:
    """What a subscription tells of its *link*; each must return at once."""

    def published(self, link: Any, body: bytes) -> None:
        """A publish (or republish) body, in the order of the sequence numbers."""
        raise NotImplementedError

    def gap(self, link: Any) -> None:
        """Messages are missing: :meth:`Subscription.recover` must run on a thread that waits."""
        raise NotImplementedError

    def values_lost(self, link: Any) -> None:
        """Messages could not be had again."""
        raise NotImplementedError

    def called(self, type_id: int, seconds: float, status: str) -> None:
        """A service call ended with *status* after *seconds*; *type_id* is the id of its
        request's encoding.  On the thread that made the call."""


class _Slot:
    """One message that is held until those before it are there; ``body`` is ``None`` while it
    is missing itself."""

    __slots__ = ("number", "body")

    def __init__(self, number: int, body: Optional[bytes]) -> None:
        self.number = number
        self.body = body


class Subscription:
    """The one subscription of *link*."""

    def __init__(self, link: SubscribedLink, events: Events) -> None:
        self._link = link
        self._events = events
        self.id: Optional[int] = None
        #: What the server made of our wishes, by the name of the setting.
        self.revised: Dict[str, float] = {}
        #: When the server last published anything (monotonic).
        self.published_at = time.monotonic()
        self._silence_s = 0.0
        # Guards everything below.
        self._lock = threading.Lock()
        self._acknowledgements: List[Tuple[int, int]] = []
        self._tickets = itertools.count()
        # The publish requests that wait at the server, in order, with what they acknowledge.
        self._outstanding: Dict[int, List[Tuple[int, int]]] = {}
        self._depth = MIN_DEPTH
        self._max_depth = MAX_DEPTH
        self._waiting_bodies = 0
        self._expected = 1
        self._begun = False
        # The messages from the first missing one on; None while none is missing.
        self._held: Optional[Deque[_Slot]] = None
        # Only of the thread that recovers.
        self._can_republish = True

    # --- the supervisor's thread ----------------------------------------------------------------

    def create(self) -> None:
        """CreateSubscription, and the first publish requests.

        Raises :exc:`~opcws.model.errors.PlantError`.
        """
        interval = float(self._link.server.publishing_interval_ms)
        keep_alive = max(1, min(10000, int(KEEP_ALIVE_S * 1000 / max(interval, 1.0))))
        doing = "creating the subscription"
        data, position = self._link.call(
            service_bodies.CREATE_SUBSCRIPTION_REQUEST,
            service_bodies.create_subscription_request(
                interval, max(keep_alive * 10, 30), keep_alive, MAX_NOTIFICATIONS
            ),
            Deadline(self._link.server.request_timeout_ms / 1000.0),
            doing,
        )
        try:
            revised = responses.created_subscription(data, position)
        except CodecError as error:
            raise plant_error(error, doing) from None
        self.id = revised.subscription_id
        self.revised["publishing_interval_ms"] = revised.publishing_interval_ms
        keep_alive_s = revised.max_keep_alive_count * revised.publishing_interval_ms / 1000.0
        self._silence_s = keep_alive_s * 1.5 + self._link.server.request_timeout_ms / 1000.0
        self.published_at = time.monotonic()
        self._ask()

    def silent_for(self) -> float:
        """Seconds by which the server is overdue with publishing; 0 if it is not."""
        if self.id is None or self._waiting_bodies > MAX_WAITING_BODIES:
            return 0.0
        silence = time.monotonic() - self.published_at
        return silence if silence > self._silence_s else 0.0

    def starving(self) -> bool:
        """Whether fewer publish requests wait at the server than should:
        :meth:`catch_up` must run on a thread that may wait."""
        with self._lock:
            return self.id is not None and self._may_ask()

    # --- threads that may wait ------------------------------------------------------------------

    def catch_up(self) -> None:
        """Send the publish requests that were held back or refused."""
        self._ask()

    def recover(self) -> None:
        """Ask again for what is missing and release in order what was held for it."""
        while True:
            with self._lock:
                held = self._held
                while held:
                    body = held[0].body
                    if body is None:
                        break
                    held.popleft()
                    # Under the lock, so that the receiver cannot overtake what was held.
                    self._events.published(self._link, body)
                if not held:
                    self._held = None
                    return
                number = held[0].number
            body = self._republished(number)
            with self._lock:
                slot = held.popleft()
                if slot.body is None and body is not None:
                    self._waiting_bodies += 1
                    self._acknowledgements.append((self.id or 0, number))
                    slot.body = body
                if slot.body is None:
                    self._events.values_lost(self._link)
                else:
                    self._events.published(self._link, slot.body)

    def _republished(self, number: int) -> Optional[bytes]:
        """Message *number* by Republish (OPC 10000-4 5.14.6), or ``None``."""
        server = self._link.server
        if not self._can_republish or self._link.lost.is_set():
            return None
        try:
            data, position = self._link.call(
                service_bodies.REPUBLISH_REQUEST,
                service_bodies.republish_request(self.id or 0, number),
                Deadline(server.request_timeout_ms / 1000.0),
                "asking for message %d again" % number,
            )
        except PlantError as problem:
            self._can_republish = problem.status not in ("BadServiceUnsupported", "BadTimeout")
            log.warning("%s: %s; values are lost", server.name, problem.reason)
            return None
        # Some servers answer Good and an empty message for one that they do not have.
        if int.from_bytes(data[position : position + 4], "little") != number:
            log.warning("%s: message %d cannot be had again; values are lost", server.name, number)
            return None
        log.info("%s: message %d was missing and came again", server.name, number)
        return data

    def create_items(self, items: Sequence[Any], deadline: Deadline) -> List[CreatedItem]:
        """CreateMonitoredItems (OPC 10000-4 5.13.2) for library ``MonitoredItemCreateRequest``
        *items*.

        Asks in parts where the server finds the request too large.  Raises
        :exc:`~opcws.model.errors.PlantError`.
        """
        parameters = ua.CreateMonitoredItemsParameters()
        parameters.SubscriptionId = self.id
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        parameters.ItemsToCreate = list(items)
        doing = "creating monitored items"
        try:
            data, position = self._link.call(
                service_bodies.CREATE_ITEMS_REQUEST,
                ua.ua_binary.struct_to_binary(parameters),
                deadline,
                doing,
            )
        except PlantError as problem:
            if len(items) < 2 or problem.status not in service_bodies.NOTHING_DONE:
                raise
            middle = len(items) // 2
            made = self.create_items(items[:middle], deadline)
            return made + self.create_items(items[middle:], deadline)
        try:
            results = responses.created_items(data, position)
        except CodecError as error:
            raise plant_error(error, doing) from None
        if len(results) != len(items):
            raise PlantError(
                "%s: the OPC UA server answered for %d of %d" % (doing, len(results), len(items))
            )
        return results

    def delete_items(self, item_ids: Sequence[int]) -> None:
        """DeleteMonitoredItems (OPC 10000-4 5.13.6).  Raises
        :exc:`~opcws.model.errors.PlantError`."""
        self._link.call(
            service_bodies.DELETE_ITEMS_REQUEST,
            service_bodies.delete_items_request(self.id or 0, item_ids),
            Deadline(self._link.server.request_timeout_ms / 1000.0),
            "deleting monitored items",
        )

    # --- the relay's thread ---------------------------------------------------------------------

    def consumed(self) -> bool:
        """The relay is done with one body.  True if publish requests were held back for it:
        :meth:`catch_up` must run on a thread that may wait."""
        with self._lock:
            self._waiting_bodies -= 1
            if self._waiting_bodies == MAX_WAITING_BODIES:
                # The silence was ours: nothing was asked for.
                self.published_at = time.monotonic()
            return self._waiting_bodies == MAX_WAITING_BODIES // 2 and self._may_ask()

    # --- the receiver's thread ------------------------------------------------------------------

    def _may_ask(self) -> bool:
        return (
            len(self._outstanding) < self._depth
            and self._waiting_bodies <= MAX_WAITING_BODIES
            and not self._link.lost.is_set()
        )

    def _ask(self) -> None:
        """Send publish requests until as many wait at the server as should."""
        while True:
            with self._lock:
                if not self._may_ask():
                    return
                ticket = next(self._tickets)
                acknowledgements, self._acknowledgements = self._acknowledgements, []
                self._outstanding[ticket] = acknowledgements
            try:
                self._link.send(
                    service_bodies.PUBLISH_REQUEST,
                    service_bodies.publish_request(acknowledgements),
                    PublishAnswer(partial(self._on_published, ticket)),
                )
            except OSError as error:
                self._link.fail("sending a publish request: %s" % error)
                return

    def _on_published(self, ticket: int, body: Any) -> None:
        data: bytes = body.read(len(body))
        head = service_bodies.response_head(data)
        with self._lock:
            acknowledged = self._outstanding.pop(ticket, [])
            for other in [each for each in self._outstanding if each < ticket - MAX_PASSED_BY]:
                self._acknowledgements.extend(self._outstanding.pop(other))
        if head.type_id != service_bodies.PUBLISH_RESPONSE:
            with self._lock:
                self._acknowledgements.extend(acknowledged)
            self._on_fault(head.service_result)
            return
        self.published_at = time.monotonic()
        published = service_bodies.publish_head(data, head.position)
        lost = False
        with self._lock:
            before = self._held
            if published.is_keep_alive:
                # It has the number of the message to come (OPC 10000-4 5.14.1.2).
                self._skip_to(published.sequence_number)
                wanted = True
            else:
                number = published.sequence_number
                self._acknowledgements.append((published.subscription_id, number))
                wanted, lost = self._take(number, data)
            if published.more and self._depth < self._max_depth:
                self._depth += 1
            elif published.is_keep_alive and self._depth > MIN_DEPTH:
                self._depth -= 1
            if wanted:
                self._waiting_bodies += 1
            if lost:
                self._events.values_lost(self._link)
            if wanted and self._held is None:
                self._events.published(self._link, data)
            elif published.is_keep_alive and self._held is not None:
                self._held.append(_Slot(0, data))
            gap = before is None and self._held is not None
        if gap:
            self._events.gap(self._link)
        self._ask()

    def _take(self, number: int, data: bytes) -> Tuple[bool, bool]:
        """Find message *number* its place; (whether it is wanted, whether others are lost)."""
        if self._begun and 0 < _distance(number, self._expected) <= MAX_REPUBLISHED:
            for slot in self._held or ():
                if slot.number == number and slot.body is None:
                    slot.body = data
                    return True, False
            return False, False  # it was there already
        lost = not self._skip_to(number) and self._begun and number != self._expected
        self._begun = True
        self._expected = number % 0xFFFFFFFF + 1
        if self._held is not None:
            self._held.append(_Slot(number, data))
        return True, lost

    def _skip_to(self, number: int) -> bool:
        """The next message is *number*: hold a place for each before it.  False if there is
        none, or if they are so many that it must be another numbering."""
        skipped = _distance(self._expected, number)
        if not 0 < skipped <= MAX_REPUBLISHED:
            return False
        if self._held is None:
            self._held = deque()
        self._held.extend(_Slot(each, None) for each in _numbers(self._expected, skipped))
        self._expected = number
        return True

    def _on_fault(self, status: int) -> None:
        name = status_codes.name(status)
        if name == "BadTooManyPublishRequests":
            with self._lock:
                self._max_depth = max(1, len(self._outstanding))
                self._depth = min(self._depth, self._max_depth)
        elif name == "BadTimeout":
            self._ask()
        elif name != "BadNoSubscription" or self.id is not None:
            self._link.fail("the OPC UA server stopped publishing: %s" % name)


def _distance(first: int, last: int) -> int:
    """How many messages after *first* comes *last*; the numbers wrap (OPC 10000-4 7.8)."""
    return (last - first) % 0xFFFFFFFF


def _numbers(first: int, count: int) -> List[int]:
    """Sequence numbers in order; after the largest UInt32 comes 1 (OPC 10000-4 7.8)."""
    return [(first - 1 + step) % 0xFFFFFFFF + 1 for step in range(count)]
