"""The thread that holds the connection to the broker.

Rules:

* A failed connection is not repaired, but replaced; the pause between attempts grows from
  RETRY_MIN_S to RETRY_MAX_S.
* Only this thread waits for the broker.
* With a lease it stands by while another collector is active, see :mod:`~opcws.pubsub.lease`; a
  lost connection may come back while the lease lasts.

Threads: the methods under "any thread" only set flags; the rest runs on ``opcws-publish-mqtt``.
"""

import contextlib
import functools
import logging
import socket
import threading
import time
from typing import Callable, Optional, Set, Tuple

from ..config.publishing import access_to_publish, store_directory
from ..config.settings import Mqtt
from ..model.clock import utc_ticks
from ..model.deadline import Deadline
from ..wire.timestamps import utc_text
from . import network_messages, topics
from .backlog import Backlog
from .connection import BrokerError, Connection, connect
from .lease import Lease, Watch
from .message import Incoming, Message
from .requests import Requests
from .store import Store

log = logging.getLogger(__name__)

#: Seconds between two attempts to connect; and the longest wait for the broker, in seconds.
RETRY_MIN_S, RETRY_MAX_S = 0.5, 3.0
WAIT_S = 1.0
#: Seconds for waiting messages to be sent before the connection is closed.
LEAVE_S = 0.3


class Sender:
    """Sends the messages of its :attr:`backlog`; calls *ready* whenever a newly connected broker
    has the waiting messages and needs everything.  Messages for a disconnected broker are stored
    below *state_dir*; *requests* receives those of edges."""

    def __init__(
        self, state_dir: str, ready: Callable[[], None], requests: Optional[Requests] = None
    ) -> None:
        self._state_dir = state_dir
        self._stored: Optional[Tuple[str, int]] = None
        self._ready = ready
        self._requests = requests
        self._reader, self._waker = socket.socketpair()
        for each in (self._reader, self._waker):
            each.setblocking(False)
        self.backlog = Backlog(self.wake)
        # Replaced in one step; the event tells the thread to read it again.
        self._mqtt: Optional[Mqtt] = None
        self._stopping = False
        self._changed = threading.Event()
        self._lease = Lease(0.0)
        self._kicked = False
        # The unconfirmed status message, when it was sent, and when the next is due.
        self._status: Optional[Message] = None
        self._status_at = self._status_due = 0.0
        # Whether a status message of ours came back.
        self._heard = False
        #: The state, for the status pages.
        self.state = "disconnected"
        self.since = time.time()
        self.reason: Optional[str] = None
        self.connections = 0
        self._confirmed = 0
        self._refused = 0
        self._connection: Optional[Connection] = None
        # A daemon, because a name service or a TLS handshake may hang; stop() joins it.
        self.thread = threading.Thread(target=self._run, name="opcws-publish-mqtt", daemon=True)

    # --- any thread -----------------------------------------------------------------------------

    def change(self, mqtt: Optional[Mqtt]) -> None:
        """Connect as *mqtt* says from now on; ``None``: not at all."""
        if _shared(mqtt) != _shared(self._mqtt):
            self._lease = Lease(((mqtt and mqtt.lease_ms) or 0.0) / 1000.0)
        self._mqtt = mqtt
        self._changed.set()
        self.wake()

    def stop(self) -> None:
        """Disconnect from the broker, and end the thread."""
        self._stopping = True
        self._changed.set()
        self.wake()

    def wake(self) -> None:
        """Wake the thread, because there is something to do."""
        with contextlib.suppress(OSError):  # the thread is woken already, or has ended
            self._waker.send(b"\0")

    @property
    def standing_by(self) -> Optional[str]:
        """Why this collector is not the active one; ``None`` if it is, or if there is no other."""
        if not self._lease.seconds or self._lease.held:
            return None
        mqtt = self._mqtt
        name = "" if mqtt is None else mqtt.publisher
        if self.state == "standby":
            return "this opcws stands by: another one is active as the publisher %s" % name
        if self.state == "waiting":
            return "this opcws is taking over as the publisher %s" % name
        return (
            "this opcws stands by: it does not know whether another one is active, because %s"
            % (self.reason or "the broker is not connected yet")
        )

    @property
    def confirmed(self) -> int:
        """Number of messages that brokers accepted."""
        connection = self._connection
        return self._confirmed + (0 if connection is None else connection.confirmed)

    @property
    def refused(self) -> int:
        """Number of messages that brokers refused."""
        connection = self._connection
        return self._refused + (0 if connection is None else connection.refused)

    @property
    def refusal(self) -> Optional[str]:
        """Why the broker refused the last message that it refused, if any."""
        connection = self._connection
        return None if connection is None else connection.refusal

    # --- opcws-publish-mqtt ---------------------------------------------------------------------

    def _run(self) -> None:
        pause = RETRY_MIN_S
        while not self._stopping:
            self._changed.clear()
            mqtt = self._mqtt
            if mqtt is None:
                self._is("disconnected", None)
                self._changed.wait()
                continue
            connection: Optional[Connection] = None
            lease = self._lease
            try:
                self._use_store(mqtt)
                if lease.seconds and not lease.held:
                    self._stand_by(mqtt)
                    if self._stopping or self._changed.is_set():
                        continue
                connection = self._connect(mqtt)
                pause = RETRY_MIN_S
                self._serve(mqtt, connection)
                reason = connection.failure
            except BrokerError as error:
                reason = str(error)
            except Exception:
                log.exception("a defect while publishing")
                reason = "a defect in opcws; its log says more"
            if connection is not None:
                self._end(connection)
                self._kicked = connection.taken_over
                if self._kicked:
                    lease.lost()
            if self._stopping or self._changed.is_set():
                continue
            self._is("disconnected", reason)
            if lease.seconds:
                pause = min(pause, lease.seconds / 4)
            self._changed.wait(pause)
            pause = min(2 * pause, RETRY_MAX_S)
        self._is("disconnected", "opcws is stopping")
        self.backlog.use(None)
        self._reader.close()
        self._waker.close()

    def _is(self, state: str, reason: Optional[str]) -> None:
        if (state, reason) == (self.state, self.reason):
            return
        if state != self.state:
            self.since = time.time()
        self.state, self.reason = state, reason
        if state == "connected":
            log.info("publishing: connected")
        elif state in ("standby", "waiting"):
            log.info("publishing: %s", self.standing_by)
        elif reason is not None and not self._stopping:
            log.warning("publishing: %s; it is tried again", reason)

    def _use_store(self, mqtt: Mqtt) -> None:
        """Store waiting messages on the disk, as *mqtt* says."""
        # Late messages would mix with those that another collector has sent since then.
        most = 0 if mqtt.lease_ms else mqtt.store_max_bytes
        wanted = (store_directory(self._state_dir, mqtt.broker), most)
        if wanted == self._stored:
            return
        self._stored = None
        try:
            self.backlog.use(Store(*wanted) if most else None)
            self._stored = wanted
        except OSError as error:
            self.backlog.use(None)
            log.error(
                "publishing: messages cannot be stored in %s while the broker is away: %s; let "
                "opcws write there",
                wanted[0],
                error.strerror or error,
            )

    def _stand_by(self, mqtt: Mqtt) -> None:
        """Return when no other collector is active.  Raises :exc:`BrokerError`."""

        def received(incoming: Incoming) -> None:
            with contextlib.suppress(ValueError):
                message = network_messages.parse(incoming.payload.decode("utf-8"))
                if isinstance(message, network_messages.Status):
                    watch.heard(message.state, incoming.kept)

        self.backlog.stand_by()
        connection = connect(access_to_publish(mqtt), woken=self._reader, received=received)
        try:
            watch = Watch(self._lease.seconds, self._kicked)
            connection.subscribe([topics.status(mqtt)])
            self._is("standby", None)
            while not watch.is_free and not self._stopping and not self._changed.is_set():
                if connection.failure is not None:
                    raise BrokerError(connection.failure)
                connection.step(self._lease.seconds / 8)
        finally:
            connection.close()

    def _connect(self, mqtt: Mqtt) -> Connection:
        connection = connect(
            access_to_publish(mqtt),
            "opcws-" + mqtt.publisher,
            self._reader,
            self._arrived,
            status(mqtt, network_messages.ERROR)._replace(kind=""),
            functools.partial(self._received, topics.status(mqtt)),
        )
        self.connections += 1
        self._connection = connection
        return connection

    def _received(self, own_status: str, incoming: Incoming) -> None:
        if incoming.topic == own_status:
            self._heard = self._heard or not incoming.kept
        elif self._requests is not None:
            self._requests.received(incoming)

    def _arrived(self, message: Message, _code: int) -> None:
        if message is self._status:
            self._status = None
            self._lease.confirmed(self._status_at)
        else:
            self.backlog.confirmed(message)

    def _renew(self, mqtt: Mqtt, connection: Connection) -> None:
        """Send the status if it is due, which extends the lease."""
        now, lease = time.monotonic(), self._lease
        if self._status is not None or now < self._status_due:
            return
        state = network_messages.OPERATIONAL if lease.held else network_messages.PRE_OPERATIONAL
        self._status_at, self._status_due = now, now + lease.pause_s
        self._status = status(mqtt, state, lease.pause_s)
        connection.publish(self._status)

    def _take_over(self, mqtt: Mqtt, connection: Connection) -> bool:
        """Wait until the lease is ours; False if the connection ended first."""
        lease = self._lease
        lease.taken()
        self._status, self._status_due = None, 0.0
        if not lease.held:
            self._is("waiting", None)
            # Collectors that cannot hear each other would take over again and again.
            self._heard = False
            connection.subscribe([topics.status(mqtt)])
        while connection.failure is None and not (lease.held and self._heard):
            if lease.held:
                lease.lost()
                connection.failure = (
                    "what goes to %s does not come back, so two collectors would not know of each "
                    "other; give the user of opcws the right to read there" % topics.status(mqtt)
                )
                break
            if self._stopping or self._changed.is_set():
                connection.close(status(mqtt, network_messages.DISABLED))
                return False
            self._renew(mqtt, connection)
            connection.step(min(lease.pause_s, WAIT_S))
        return connection.failure is None

    def _serve(self, mqtt: Mqtt, connection: Connection) -> None:
        lease = self._lease
        if lease.seconds and not self._take_over(mqtt, connection):
            return
        connection.publish(status(mqtt, network_messages.OPERATIONAL, lease.pause_s))
        self.backlog.opened()
        self._is("connected", None)
        told: Optional[str] = None
        told_everything = False
        asked: Set[str] = set()
        leaving: Optional[Deadline] = None
        while connection.failure is None:
            if self._stopping or self._changed.is_set():
                leaving = leaving or Deadline(LEAVE_S)
                if leaving.expired or not self.backlog.waiting:
                    state = network_messages.DISABLED
                    if lease.seconds and not self._stopping:
                        state = network_messages.PRE_OPERATIONAL  # we will reconnect at once
                    connection.close(status(mqtt, state))
                    return
            if lease.seconds:
                if not lease.held:
                    connection.failure = "the broker has confirmed nothing for %g s" % lease.seconds
                    return
                self._renew(mqtt, connection)
            while connection.has_room:
                message = self.backlog.take()
                if message is None:
                    if not told_everything:
                        told_everything = True
                        self._ready()
                    break
                connection.publish(message)
            asked = self._take_requests(connection, asked)
            wait_s = min(WAIT_S, lease.pause_s) if lease.seconds else WAIT_S
            connection.step(wait_s if leaving is None else leaving.bounded(wait_s))
            if connection.refusal != told:
                if told is None:
                    log.warning("publishing: %s", connection.refusal)
                told = connection.refusal

    def _take_requests(self, connection: Connection, topics: Set[str]) -> Set[str]:
        """Subscribe to topics of requests that are not among *topics*; returns all of them."""
        wanted = set() if self._requests is None else self._requests.topics()
        if not wanted <= topics:
            if connection.old:
                log.warning(
                    "publishing: the broker speaks MQTT 3.1.1, which knows no answers, so nobody "
                    "can ask for anything by way of it; publish.mqtt.requests needs MQTT 5"
                )
            else:
                connection.subscribe(sorted(wanted - topics), "the requests of edges")
        return wanted | topics

    def _end(self, connection: Connection) -> None:
        self.backlog.closed(connection.unconfirmed)
        self._confirmed += connection.confirmed
        self._refused += connection.refused
        self._connection = None
        connection.close()

    def told(self) -> str:
        """Since when the state lasts, as text."""
        return utc_text(self.since)


def _shared(mqtt: Optional[Mqtt]) -> object:
    """Identifies the publisher that collectors share."""
    return None if mqtt is None else (mqtt.broker, mqtt.publisher, mqtt.lease_ms)


def status(mqtt: Mqtt, state: int, pause_s: float = 0.0) -> Message:
    """The retained message with the status of the publisher.  The next one follows after
    *pause_s*, if that is not 0."""
    next_ticks = utc_ticks() + int(pause_s * 1e7) if pause_s else 0
    text = network_messages.status_text(mqtt.publisher, state, next_ticks)
    return Message(
        topics.status(mqtt), text.encode("ascii"), True, kind=network_messages.STATUS, passing=True
    )
