"""The subscriptions of one link: publish requests, acknowledgements, gaps, monitored items.

Rules:

* There is one subscription, and another one whenever the server says that it can hold no more
  monitored items.  Items that an empty one refuses, or for which there is no further one, are
  refused.

* Every message with notifications is acknowledged, with the next publish request.
* Missing messages are requested again (Republish, OPC 10000-4 5.14.6); later ones are held until
  then, so that the relay gets every message in order.  Messages that do not come again are reported
  as lost.
* A message that is too large is lost.  If not a single value is too large, but all together,
  smaller messages are requested.
* Publish requests belong to the session; the server answers each with the next message of any
  subscription.  The number that waits there follows the load: one for each subscription and two
  more, one more each time a message was incomplete, one fewer when it was empty, and never more
  than the server accepts.
* Publish requests are answered in order; one that many later ones have overtaken will not be
  answered any more and is replaced.
* While the relay is behind, no publish requests are sent; the server queues values, and flags
  overflows.

Threads: ``_on_*`` run on the receiver, ``consumed`` on the relay, everything else on the
worker's or the supervisor's; the lock guards what they share.
"""

import itertools
import logging
import threading
import time
from collections import defaultdict
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Protocol, Sequence, Tuple, TypeVar

from opcua import ua

from ...config.settings import Server
from ...model import socket_errors, status_codes
from ...model.deadline import Deadline
from ...model.errors import CodecError, PlantError
from ..encoding import responses, service_bodies
from ..encoding.responses import CreatedItem
from .answers import PublishAnswer
from .framing import plant_error
from .message_order import LOST, MessageOrder

log = logging.getLogger(__name__)

#: Number of publish requests at the server: at first and at least, and at most.
MIN_DEPTH = 3
MAX_DEPTH = 12
#: How many later publish requests may be answered before one is given up.
MAX_PASSED_BY = 4
#: How many publish bodies may wait for the relay before no more requests are sent.
MAX_WAITING_BODIES = 64
#: Seconds after which a subscription without changes must send a keep-alive.
KEEP_ALIVE_S = 5.0
MAX_NOTIFICATIONS = 1000
#: Seconds after which a server that could hold no more monitored items gets new ones again.
NO_MORE_S = 10.0
TOO_MANY_ITEMS = status_codes.code("BadTooManyMonitoredItems")

T = TypeVar("T")


class SubscribedLink(Protocol):
    """The link for a subscription."""

    server: Server
    lost: threading.Event

    def call(
        self, type_id: int, parameters: bytes, deadline: Deadline, doing: str
    ) -> Tuple[bytes, int]: ...

    def send(self, type_id: int, parameters: bytes, answer: Any) -> None: ...

    def fail(self, reason: str) -> None: ...


class Events:
    """Events of the subscriptions of *link*; each method must return at once."""

    def published(self, link: Any, body: bytes) -> None:
        """A publish (or republish) body, in the order of the sequence numbers; also the fault in
        place of a message that was too large."""
        raise NotImplementedError

    def gap(self, link: Any) -> None:
        """Messages are missing: :meth:`Subscriptions.recover` must run on a thread that waits."""
        raise NotImplementedError

    def values_lost(self, link: Any, subscription_id: int) -> None:
        """Messages of this subscription are lost."""
        raise NotImplementedError

    def called(self, type_id: int, seconds: float, status: str) -> None:
        """A service call ended with *status* after *seconds*; *type_id* is the id of its
        request's encoding.  On the thread that made the call."""


class _Subscription:
    """One of the link's."""

    __slots__ = ("id", "order", "published_at", "silence_s", "items", "is_full")

    def __init__(self, subscription_id: int) -> None:
        self.id = subscription_id
        self.order = MessageOrder()
        #: When it last published anything (monotonic), and the longest pause.
        self.published_at = time.monotonic()
        self.silence_s = float("inf")
        #: Number of its items, and whether it accepts more.
        self.items = 0
        self.is_full = False


class Subscriptions:
    """The subscriptions of *link*."""

    def __init__(self, link: SubscribedLink, events: Events) -> None:
        self._link = link
        self._events = events
        #: The revised parameters, by the name of the setting.
        self.revised: Dict[str, float] = {}
        #: When the server last published anything (monotonic).
        self.published_at = time.monotonic()
        # Guards everything down to the blank line.
        self._lock = threading.Lock()
        self._by_id: Dict[int, _Subscription] = {}
        # True while a subscription is being created: it may publish before its id is known.
        self._creating = False
        self._acknowledgements: List[Tuple[int, int]] = []
        self._tickets = itertools.count()
        # The publish requests at the server, in order, with their acknowledgements.
        self._outstanding: Dict[int, List[Tuple[int, int]]] = {}
        self._depth = self._min_depth = MIN_DEPTH
        self._max_depth = MAX_DEPTH
        self._knows_max_depth = False
        self._waiting_bodies = 0

        # Only of the recovering thread.
        self._can_republish = True
        # Most notifications of a message; of the threads that may wait.
        self._most = MAX_NOTIFICATIONS
        # Held while items are created: guards the number of items in each subscription, the time
        # until which no more are tried, and how many are requested at a time; None is all.
        self._placing = threading.Lock()
        self._no_more_until = 0.0
        self._batch: Optional[int] = None

    # --- the supervisor's thread ----------------------------------------------------------------

    def create(self) -> _Subscription:
        """CreateSubscription (OPC 10000-4 5.14.2), and its publish requests.

        Raises :exc:`~opcws.model.errors.PlantError`.
        """
        with self._lock:
            self._creating = True
        try:
            revised = self._call(
                service_bodies.CREATE_SUBSCRIPTION_REQUEST,
                service_bodies.create_subscription_request(*self._wishes()),
                "creating the subscription",
                responses.created_subscription,
            )
            self.revised["publishing_interval_ms"] = revised.publishing_interval_ms
            keep_alive_s = revised.max_keep_alive_count * revised.publishing_interval_ms / 1000.0
            silence_s = keep_alive_s * 1.5 + self._link.server.request_timeout_ms / 1000.0
            return self._created(revised.subscription_id, silence_s)
        finally:
            with self._lock:
                self._creating = False

    def _call(
        self,
        type_id: int,
        parameters: bytes,
        doing: str,
        read: Callable[[bytes, int], T],
    ) -> T:
        """The response, decoded by *read*.  Raises :exc:`~opcws.model.errors.PlantError`."""
        deadline = Deadline(self._link.server.request_timeout_ms / 1000.0)
        data, position = self._link.call(type_id, parameters, deadline, doing)
        try:
            return read(data, position)
        except CodecError as error:
            raise plant_error(error, doing) from None

    def _wishes(self) -> Tuple[float, int, int, int]:
        """Publishing interval, lifetime, keep-alive, notifications in one message."""
        interval = float(self._link.server.publishing_interval_ms)
        keep_alive = max(1, min(10000, int(KEEP_ALIVE_S * 1000 / max(interval, 1.0))))
        return interval, max(keep_alive * 10, 30), keep_alive, self._most

    def _created(self, subscription_id: int, silence_s: float) -> _Subscription:
        self.published_at = time.monotonic()
        with self._lock:
            created = self._by_id.setdefault(subscription_id, _Subscription(subscription_id))
            created.published_at, created.silence_s = self.published_at, silence_s
            more = len(self._by_id) - 1
            self._min_depth = MIN_DEPTH + more
            if not self._knows_max_depth:
                self._max_depth = MAX_DEPTH + more
            self._depth = min(max(self._depth, self._min_depth), self._max_depth)
        self.catch_up()
        return created

    def silent_for(self) -> float:
        """Seconds by which the server is overdue with publishing; 0 if it is not."""
        if self._waiting_bodies > MAX_WAITING_BODIES:
            return 0.0
        now = time.monotonic()
        return max(
            (
                now - each.published_at
                for each in list(self._by_id.values())
                if now - each.published_at > each.silence_s
            ),
            default=0.0,
        )

    def starving(self) -> bool:
        """Whether too few publish requests wait at the server: :meth:`catch_up` must run on a
        thread that may wait."""
        with self._lock:
            return bool(self._by_id) and self._may_ask()

    def leave(self) -> List[int]:
        """The ids of all subscriptions, which the owner must delete now."""
        with self._lock:
            ids = list(self._by_id)
            self._by_id.clear()
        return ids

    # --- threads that may wait ------------------------------------------------------------------

    def ask_for_less(self) -> bool:
        """Messages are too large: halve the notifications in each (ModifySubscription, OPC 10000-4
        5.14.3).  False if that is not possible."""
        if self._most == 1:
            return False
        self._most //= 2
        with self._lock:
            ids = list(self._by_id)
        try:
            for each in ids:
                self._call(
                    service_bodies.MODIFY_SUBSCRIPTION_REQUEST,
                    service_bodies.modify_subscription_request(each, *self._wishes()),
                    "asking for fewer notifications in a message",
                    _unread,
                )
        except PlantError as problem:
            log.warning("%s: %s", self._link.server.name, problem.reason)
            return False
        log.warning(
            "%s: messages with notifications are too large; opcws now asks for at most %d "
            "notifications in one",
            self._link.server.name,
            self._most,
        )
        return True

    def recover(self) -> None:
        """Request missing messages again, and release the held ones in order."""
        deadline = Deadline(self._link.server.request_timeout_ms / 1000.0)
        with self._lock:
            subscriptions = list(self._by_id.values())
        for subscription in subscriptions:
            self._recover(subscription, deadline)

    def _recover(self, subscription: _Subscription, deadline: Deadline) -> None:
        order = subscription.order
        while True:
            # Inside the lock, so that the receiver cannot overtake the held messages.
            with self._lock:
                missing, told = order.release()
                self._tell(subscription, told)
            if missing is None:
                return
            body, published_at = self._republished(subscription, missing, deadline)
            with self._lock:
                if order.fill(body, published_at):
                    self._waiting_bodies += 1
                    self._acknowledgements.append((subscription.id, missing))

    def _tell(self, subscription: _Subscription, told: Sequence[bytes]) -> None:
        for body in told:
            if body is LOST:
                self._events.values_lost(self._link, subscription.id)
            else:
                self._events.published(self._link, body)

    def _republished(
        self, subscription: _Subscription, number: int, deadline: Deadline
    ) -> Tuple[Optional[bytes], int]:
        """Message *number* by Republish (OPC 10000-4 5.14.6) with its PublishTime, or ``None``."""
        server = self._link.server
        if not self._can_republish or self._link.lost.is_set() or deadline.expired:
            return None, 0
        try:
            data, position = self._link.call(
                service_bodies.REPUBLISH_REQUEST,
                service_bodies.republish_request(subscription.id, number),
                deadline,
                "asking for message %d again" % number,
            )
        except PlantError as problem:
            self._can_republish = problem.status not in ("BadServiceUnsupported", "BadTimeout")
            log.warning("%s: %s; values are lost", server.name, problem.reason)
            return None, 0
        # Some servers answer Good with an empty message for a message that they do not have.
        if int.from_bytes(data[position : position + 4], "little") != number:
            log.warning(
                "%s: the OPC UA server does not send message %d again; values are lost",
                server.name,
                number,
            )
            return None, 0
        log.info("%s: message %d was missing and came again", server.name, number)
        return data, int.from_bytes(data[position + 4 : position + 12], "little")

    def create_items(self, items: Sequence[Any]) -> List[Tuple[int, CreatedItem]]:
        """CreateMonitoredItems (OPC 10000-4 5.13.2) for library ``MonitoredItemCreateRequest``
        *items*; returns the id of the subscription and the result of each.

        Raises :exc:`~opcws.model.errors.PlantError`.
        """
        with self._placing:
            return self._place(items)

    def _place(self, items: Sequence[Any]) -> List[Tuple[int, CreatedItem]]:
        placed: Dict[int, Tuple[int, CreatedItem]] = {}
        left = list(range(len(items)))
        if self._no_more_until and time.monotonic() >= self._no_more_until:
            self._no_more_until = 0.0
            for each in list(self._by_id.values()):
                each.is_full = False
        while left:
            room = next((each for each in list(self._by_id.values()) if not each.is_full), None)
            room = room or self._another()
            if room is None:
                break
            left = self._fill(room, items, left, placed)
            if room.is_full and not room.items:
                # Another subscription would not help: the server accepts no more items at all.
                self._no_more_until = time.monotonic() + NO_MORE_S
        refused = 0, CreatedItem(TOO_MANY_ITEMS, 0, 0.0, 0)
        return [placed.get(place, refused) for place in range(len(items))]

    def _another(self) -> Optional[_Subscription]:
        """One more subscription, or ``None`` if that is not possible now."""
        if self._no_more_until:
            return None
        name = self._link.server.name
        try:
            made = self.create()
        except PlantError as problem:
            self._no_more_until = time.monotonic() + NO_MORE_S
            log.warning(
                "%s: the OPC UA server does not create another subscription: %s",
                name,
                problem.reason,
            )
            return None
        log.info("%s: monitored items are spread over %d subscriptions", name, len(self._by_id))
        return made

    def _fill(
        self,
        room: _Subscription,
        items: Sequence[Any],
        left: Sequence[int],
        placed: Dict[int, Tuple[int, CreatedItem]],
    ) -> List[int]:
        """Create as many of the *items* that are *left* in *room* as it accepts; returns the
        rest."""
        some = left[: self._batch]
        try:
            results = self._create_in(room, [items[place] for place in some])
        except PlantError as problem:
            # Some servers refuse the whole request although half of it may fit.
            if problem.status != status_codes.name(TOO_MANY_ITEMS):
                raise
            room.is_full = len(some) == 1
            self._batch = len(some) // 2 or None
            return list(left)
        refused: List[int] = []
        for place, result in zip(some, results):
            if result.status == TOO_MANY_ITEMS:
                refused.append(place)
                continue
            placed[place] = room.id, result
            room.items += not status_codes.is_bad(result.status)
        room.is_full = bool(refused)
        return [*refused, *left[len(some) :]]

    def _create_in(self, room: _Subscription, items: Sequence[Any]) -> List[CreatedItem]:
        """Splits the request if it is too large for the server."""
        parameters = ua.CreateMonitoredItemsParameters()
        parameters.SubscriptionId = room.id
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        parameters.ItemsToCreate = list(items)
        doing = "creating monitored items"
        try:
            results = self._call(
                service_bodies.CREATE_ITEMS_REQUEST,
                ua.ua_binary.struct_to_binary(parameters),
                doing,
                responses.created_items,
            )
        except PlantError as problem:
            if len(items) < 2 or problem.status not in service_bodies.NOTHING_DONE:
                raise
            middle = len(items) // 2
            made = self._create_in(room, items[:middle])
            return made + self._create_in(room, items[middle:])
        if len(results) != len(items):
            raise PlantError(
                "%s: the OPC UA server answered for %d of %d" % (doing, len(results), len(items))
            )
        return results

    def delete_items(self, items: Sequence[Tuple[int, int]]) -> None:
        """DeleteMonitoredItems (OPC 10000-4 5.13.6) of (subscription, MonitoredItemId).  Raises
        :exc:`~opcws.model.errors.PlantError`."""
        by_id: Dict[int, List[int]] = defaultdict(list)
        for subscription_id, item_id in items:
            by_id[subscription_id].append(item_id)
        for subscription_id, item_ids in by_id.items():
            self._call(
                service_bodies.DELETE_ITEMS_REQUEST,
                service_bodies.delete_items_request(subscription_id, item_ids),
                "deleting monitored items",
                _unread,
            )
            with self._placing:
                room = self._by_id.get(subscription_id)
                if room is not None:
                    room.items -= len(item_ids)
                    room.is_full = False
                    self._no_more_until = 0.0

    # --- the relay's thread ---------------------------------------------------------------------

    def consumed(self) -> bool:
        """The relay has finished one body.  True if publish requests were held back:
        :meth:`catch_up` must run on a thread that may wait."""
        with self._lock:
            self._waiting_bodies -= 1
            if self._waiting_bodies == MAX_WAITING_BODIES:
                # The silence was caused here: no request was sent.
                for each in self._by_id.values():
                    each.published_at = time.monotonic()
            return self._waiting_bodies == MAX_WAITING_BODIES // 2 and self._may_ask()

    # --- any thread that may send ---------------------------------------------------------------

    def _may_ask(self) -> bool:
        return (
            len(self._outstanding) < self._depth
            and self._waiting_bodies <= MAX_WAITING_BODIES
            and not self._link.lost.is_set()
        )

    def catch_up(self) -> None:
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
                self._link.fail("sending a publish request: %s" % socket_errors.text(error))
                return

    # --- the receiver's thread ------------------------------------------------------------------

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
            self._on_fault(head.service_result, data)
            return
        published = service_bodies.publish_head(data, head.position)
        gap = False
        with self._lock:
            subscription = self._publishing(published.subscription_id)
            if subscription is not None:
                self.published_at = subscription.published_at = time.monotonic()
                gap = self._take(subscription, published, data)
        if gap:
            self._events.gap(self._link)
        self.catch_up()

    def _publishing(self, subscription_id: int) -> Optional[_Subscription]:
        found = self._by_id.get(subscription_id)
        if found is None and self._creating:
            found = self._by_id[subscription_id] = _Subscription(subscription_id)
        return found

    def _take(
        self, subscription: _Subscription, published: service_bodies.PublishHead, data: bytes
    ) -> bool:
        """Pass on the messages that are in order; returns whether messages are missing now."""
        order, number = subscription.order, published.sequence_number
        was_whole = order.held is None
        if published.is_keep_alive:
            wanted, told = True, order.keep_alive(number, data)
            if self._depth > self._min_depth:
                self._depth -= 1
        else:
            self._acknowledgements.append((subscription.id, number))
            wanted, told = order.message(number, published.published_at, data)
        if published.more and self._depth < self._max_depth:
            self._depth += 1
        if wanted:
            self._waiting_bodies += 1
        self._tell(subscription, told)
        return was_whole and order.held is not None

    def _on_fault(self, status: int, data: bytes) -> None:
        name = status_codes.name(status)
        if name == "BadTooManyPublishRequests":
            with self._lock:
                self._knows_max_depth = True
                self._max_depth = max(1, len(self._outstanding))
                self._depth = min(self._depth, self._max_depth)
        elif name == "BadTimeout":
            self.catch_up()
        elif name == "BadResponseTooLarge":
            # Do not send another one at once: the same answer may come again and again.
            with self._lock:
                self._waiting_bodies += 1
            self._events.published(self._link, data)
        elif name != "BadNoSubscription" or self._by_id:
            self._link.fail("the OPC UA server stopped publishing: %s" % name)


def _unread(_data: bytes, _position: int) -> None:
    """For a response without parameters."""
