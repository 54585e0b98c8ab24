"""The subscription of one link: publish requests, acknowledgements, gaps, monitored items.

Rules:

* Every message with notifications is acknowledged, with the next publish request.
* A gap in the sequence numbers is asked for again (Republish, OPC 10000-4 5.14.6); what came
  after it is held until then, so that the relay sees every message in order.  What cannot be
  had again is reported as lost.
* As many publish requests wait at the server as the load asks for: one more each time it has
  more to say than fits, one fewer when it has nothing, and never more than it takes.
* While the relay is behind, no more is asked for; the server queues, and flags what overflows.

Threads: ``_on_*`` run on the receiver, ``consumed`` on the relay, everything else on the
worker's or the supervisor's; the lock guards what they share.
"""

import logging
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Protocol, Sequence, Tuple

from opcua import ua

from .. import statuscodes
from ..config import Server
from ..deadline import Deadline
from ..errors import PlantError
from . import services
from .framing import PublishAnswer

log = logging.getLogger(__name__)

#: Publish requests that wait at the server: at first and at least, and at most.
MIN_DEPTH = 3
MAX_DEPTH = 12
#: Publish bodies that the relay may have waiting before no more are asked for.
MAX_WAITING_BODIES = 64
#: Seconds after which a subscription without changes must say that it lives.
KEEP_ALIVE_S = 5.0
MAX_NOTIFICATIONS = 1000
#: Messages that are asked for again at most; a larger gap is no gap but another numbering.
MAX_REPUBLISHED = 100


class Channel(Protocol):
    """What a subscription needs of its link."""

    server: Server
    lost: threading.Event

    def call(
        self, type_id: int, parameters: bytes, deadline: Deadline, doing: str
    ) -> Tuple[bytes, int]: ...

    def send(self, type_id: int, parameters: bytes, answer: Any) -> None: ...

    def library(self, doing: str, service: Callable[[Any], Any]) -> Any: ...

    def kill(self, reason: str) -> None: ...


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


class Subscription:
    """The one subscription of *link*."""

    def __init__(self, link: Channel, events: Events) -> None:
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
        self._outstanding = 0
        self._depth = MIN_DEPTH
        self._max_depth = MAX_DEPTH
        self._waiting_bodies = 0
        self._expected = 1
        self._missing: List[int] = []
        self._held: Optional[List[bytes]] = None

    # --- the supervisor's thread ----------------------------------------------------------------

    def create(self) -> None:
        """CreateSubscription, and the first publish requests.

        Raises :exc:`~opcws.errors.PlantError`.
        """
        interval = float(self._link.server.publishing_interval_ms)
        request = ua.CreateSubscriptionRequest()
        parameters = request.Parameters
        parameters.RequestedPublishingInterval = interval
        keep_alive = max(1, min(10000, int(KEEP_ALIVE_S * 1000 / max(interval, 1.0))))
        parameters.RequestedMaxKeepAliveCount = keep_alive
        parameters.RequestedLifetimeCount = max(keep_alive * 10, 30)
        parameters.MaxNotificationsPerPublish = MAX_NOTIFICATIONS
        parameters.PublishingEnabled = True

        def create(client: Any) -> Any:
            data = client._uasocket.send_request(request)
            response = ua.ua_binary.struct_from_binary(ua.CreateSubscriptionResponse, data)
            response.ResponseHeader.ServiceResult.check()
            return response.Parameters

        revised = self._link.library("creating the subscription", create)
        self.id = revised.SubscriptionId
        self.revised["publishing_interval_ms"] = revised.RevisedPublishingInterval
        keep_alive_s = revised.RevisedMaxKeepAliveCount * revised.RevisedPublishingInterval / 1000.0
        self._silence_s = keep_alive_s * 1.5 + self._link.server.request_timeout_ms / 1000.0
        self.published_at = time.monotonic()
        self._ask()

    def silent_for(self) -> float:
        """Seconds by which the server is overdue with publishing; 0 if it is not."""
        if self.id is None or not self._outstanding:
            return 0.0
        silence = time.monotonic() - self.published_at
        return silence if silence > self._silence_s else 0.0

    # --- threads that may wait ------------------------------------------------------------------

    def catch_up(self) -> None:
        """Send the publish requests that were held back while the relay was behind."""
        self._ask()

    def recover(self) -> None:
        """Ask again for what is missing, then release what was held for it."""
        lost = False
        while True:
            with self._lock:
                if not self._missing:
                    break
                number = self._missing.pop(0)
            try:
                data, position = self._link.call(
                    services.REPUBLISH_REQUEST,
                    services.republish_request(self.id or 0, number),
                    Deadline(self._link.server.request_timeout_ms / 1000.0),
                    "asking for message %d again" % number,
                )
                with self._lock:
                    self._waiting_bodies += 1
                    self._acknowledgements.append((self.id or 0, number))
                self._events.published(self._link, data)
            except PlantError as problem:
                lost = True
                log.warning("%s: %s", self._link.server.name, problem.reason)
        if lost:
            self._events.values_lost(self._link)
        with self._lock:
            held = self._held or []
            self._held = None
            # Under the lock, so that the receiver cannot overtake what was held.
            for body in held:
                self._events.published(self._link, body)

    def create_items(self, items: Sequence[Any], deadline: Deadline) -> List[Any]:
        """CreateMonitoredItems for library ``MonitoredItemCreateRequest`` *items*."""
        parameters = ua.CreateMonitoredItemsParameters()
        parameters.SubscriptionId = self.id
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        parameters.ItemsToCreate = list(items)
        made: List[Any] = self._link.library(
            "creating monitored items", lambda client: client.create_monitored_items(parameters)
        )
        if len(made) != len(items):
            raise PlantError(
                "the OPC UA server answered for %d of %d items" % (len(made), len(items))
            )
        return made

    def delete_items(self, item_ids: Sequence[int]) -> None:
        parameters = ua.DeleteMonitoredItemsParameters()
        parameters.SubscriptionId = self.id
        parameters.MonitoredItemIds = list(item_ids)
        self._link.library(
            "deleting monitored items", lambda client: client.delete_monitored_items(parameters)
        )

    # --- the relay's thread ---------------------------------------------------------------------

    def consumed(self) -> bool:
        """The relay is done with one body.  True if publish requests were held back for it:
        :meth:`catch_up` must run on a thread that may wait."""
        with self._lock:
            self._waiting_bodies -= 1
            return (
                self._outstanding < self._depth and self._waiting_bodies == MAX_WAITING_BODIES // 2
            )

    # --- the receiver's thread ------------------------------------------------------------------

    def _ask(self) -> None:
        """Send publish requests until as many wait at the server as should."""
        while True:
            with self._lock:
                behind = self._waiting_bodies > MAX_WAITING_BODIES
                if behind or self._outstanding >= self._depth or self._link.lost.is_set():
                    return
                self._outstanding += 1
                acknowledgements, self._acknowledgements = self._acknowledgements, []
            try:
                self._link.send(
                    services.PUBLISH_REQUEST,
                    services.publish_request(acknowledgements),
                    PublishAnswer(self._on_published),
                )
            except OSError as error:
                self._link.kill("sending a publish request: %s" % error)
                return

    def _on_published(self, body: Any) -> None:
        data: bytes = body.read(len(body))
        head = services.response_head(data)
        with self._lock:
            self._outstanding -= 1
        self.published_at = time.monotonic()
        if head.type_id != services.PUBLISH_RESPONSE:
            self._on_fault(head.service_result)
            return
        published = services.publish_head(data, head.position)
        gap = False
        with self._lock:
            if not published.is_keep_alive:
                number = published.sequence_number
                self._acknowledgements.append((published.subscription_id, number))
                skipped = (number - self._expected) % 0xFFFFFFFF
                if 0 < skipped <= MAX_REPUBLISHED:
                    gap = self._held is None
                    self._missing.extend(_numbers(self._expected, skipped))
                    self._held = self._held or []
                self._expected = number % 0xFFFFFFFF + 1
            if published.more and self._depth < self._max_depth:
                self._depth += 1
            elif published.is_keep_alive and self._depth > MIN_DEPTH:
                self._depth -= 1
            self._waiting_bodies += 1
            if self._held is not None:
                self._held.append(data)
            else:
                self._events.published(self._link, data)
        if gap:
            self._events.gap(self._link)
        self._ask()

    def _on_fault(self, status: int) -> None:
        name = statuscodes.name(status)
        if name == "BadTooManyPublishRequests":
            with self._lock:
                self._max_depth = max(1, self._outstanding)
                self._depth = min(self._depth, self._max_depth)
        elif name == "BadTimeout":
            self._ask()
        elif name != "BadNoSubscription" or self.id is not None:
            self._link.kill("the OPC UA server stopped publishing: %s" % name)


def _numbers(first: int, count: int) -> List[int]:
    """Sequence numbers in order; after the largest UInt32 comes 1 (OPC 10000-4 7.8)."""
    return [(first - 1 + step) % 0xFFFFFFFF + 1 for step in range(count)]
