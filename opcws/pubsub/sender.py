"""The thread that holds the connection to the broker.

Rules:

* A connection is never repaired, it is replaced; the pause between attempts grows from
  RETRY_MIN_S to RETRY_MAX_S.
* Whoever waits for the broker is this thread alone.

Threads: the methods under "any thread" only leave word; the rest runs on ``opcws-publish-mqtt``.
"""

import contextlib
import logging
import socket
import threading
import time
from typing import Callable, Optional, Tuple

from ..config.publishing import access_to_publish, store_directory
from ..config.settings import Mqtt
from ..model.deadline import Deadline
from ..wire.timestamps import utc_text
from . import network_messages, topics
from .backlog import Backlog
from .connection import BrokerError, Connection, connect
from .message import Message
from .store import Store

log = logging.getLogger(__name__)

#: Seconds between two attempts to connect; and that one wait for the broker lasts at most.
RETRY_MIN_S, RETRY_MAX_S = 0.5, 3.0
WAIT_S = 1.0
#: What messages that wait have to go before the connection is ended.
LEAVE_S = 0.3


class Sender:
    """Sends what is in its :attr:`backlog`; *ready* is called whenever the broker has what waited
    for it, and has to be told everything.  Below *state_dir* messages wait for a broker that is
    away."""

    def __init__(self, state_dir: str, ready: Callable[[], None]) -> None:
        self._state_dir = state_dir
        self._stored: Optional[Tuple[str, int]] = None
        self._ready = ready
        self._reader, self._waker = socket.socketpair()
        for each in (self._reader, self._waker):
            each.setblocking(False)
        self.backlog = Backlog(self.wake)
        # Replaced in one step; what the thread has to look at again when it is woken.
        self._mqtt: Optional[Mqtt] = None
        self._stopping = False
        self._changed = threading.Event()
        #: How it is, for whoever looks.
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
        """Hold a connection as *mqtt* says from now on; ``None``: none."""
        self._mqtt = mqtt
        self._changed.set()
        self.wake()

    def stop(self) -> None:
        """Take leave of the broker, and end the thread."""
        self._stopping = True
        self._changed.set()
        self.wake()

    def wake(self) -> None:
        """There is something to do."""
        with contextlib.suppress(OSError):  # the last word is not read yet, or nobody reads
            self._waker.send(b"\0")

    @property
    def confirmed(self) -> int:
        """Messages that brokers have taken."""
        connection = self._connection
        return self._confirmed + (0 if connection is None else connection.confirmed)

    @property
    def refused(self) -> int:
        """Messages that they have refused."""
        connection = self._connection
        return self._refused + (0 if connection is None else connection.refused)

    @property
    def refusal(self) -> Optional[str]:
        """Why the broker refused the last of those, if it refused any."""
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
            try:
                self._use_store(mqtt)
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
            if self._stopping or self._changed.is_set():
                continue
            self._is("disconnected", reason)
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
        elif reason is not None and not self._stopping:
            log.warning("publishing: %s; it is tried again", reason)

    def _use_store(self, mqtt: Mqtt) -> None:
        """Have messages wait on the disk, as *mqtt* says."""
        wanted = (store_directory(self._state_dir, mqtt.broker), mqtt.store_max_bytes)
        if wanted == self._stored:
            return
        self._stored = None
        try:
            self.backlog.use(Store(*wanted) if mqtt.store_max_bytes else None)
            self._stored = wanted
        except OSError as error:
            self.backlog.use(None)
            log.error(
                "publishing: messages cannot be stored in %s while the broker is away: %s; let "
                "opcws write there",
                wanted[0],
                error.strerror or error,
            )

    def _connect(self, mqtt: Mqtt) -> Connection:
        connection = connect(
            access_to_publish(mqtt),
            "opcws-" + mqtt.publisher,
            self._reader,
            self.backlog.confirmed,
            status(mqtt, network_messages.ERROR)._replace(kind=""),
        )
        self.connections += 1
        self._connection = connection
        return connection

    def _serve(self, mqtt: Mqtt, connection: Connection) -> None:
        connection.publish(status(mqtt, network_messages.OPERATIONAL))
        self.backlog.opened()
        self._is("connected", None)
        told: Optional[str] = None
        told_everything = False
        leaving: Optional[Deadline] = None
        while connection.failure is None:
            if self._stopping or self._changed.is_set():
                leaving = leaving or Deadline(LEAVE_S)
                if leaving.expired or not self.backlog.waiting:
                    connection.close(status(mqtt, network_messages.DISABLED))
                    return
            while connection.has_room:
                message = self.backlog.take()
                if message is None:
                    if not told_everything:
                        told_everything = True
                        self._ready()
                    break
                connection.publish(message)
            connection.step(WAIT_S if leaving is None else leaving.bounded(WAIT_S))
            if connection.refusal != told:
                if told is None:
                    log.warning("publishing: %s", connection.refusal)
                told = connection.refusal

    def _end(self, connection: Connection) -> None:
        self.backlog.closed(connection.unconfirmed)
        self._confirmed += connection.confirmed
        self._refused += connection.refused
        self._connection = None
        connection.close()

    def told(self) -> str:
        """Since when it is so, as text."""
        return utc_text(self.since)


def status(mqtt: Mqtt, state: int) -> Message:
    """The message that says how the publisher is; the broker keeps it."""
    text = network_messages.status_text(mqtt.publisher, state)
    return Message(
        topics.status(mqtt), text.encode("ascii"), True, kind=network_messages.STATUS, passing=True
    )
