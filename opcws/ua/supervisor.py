"""Keeps a link alive: connects, watches it, ends it when it fails, waits, and connects again.

The watchdog takes none of the library's locks: it judges by times that other threads store (when
something was last received, when the last heartbeat was answered), so that it works even if a
thread hangs in a ``sendall``.

Threads: ``start`` and ``stop`` run on the owner's, attributes may be read on any, the rest is on
``opcws-ua-NAME-watch``.
"""

import logging
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence

from ..config.settings import Server
from ..gateway.plant_interface import DEFECT, StandingBy
from ..gateway.relay import Relay
from ..model.deadline import Deadline
from ..model.errors import PlantError, ServiceError
from ..wire.timestamps import utc_text
from .backoff import LASTING_S, Backoff
from .channel.link import GOODBYE_S, Link
from .channel.subscription import Events
from .redundancy import RedundantSet
from .services.fair_queue import Job
from .services.worker import Worker

log = logging.getLogger(__name__)

#: Seconds between two checks of the link.
WATCH_S = 0.25
#: Seconds for closing a session politely before another server of the set is used.
CHANGE_S = 0.5


class Supervisor:
    """*events* gets the events of the link's subscription, *connected* is called when a generation
    is up; both must return at once.  *generation* numbers the generations.  *standing_by* says why
    opcws must not connect now, or ``None``."""

    def __init__(
        self,
        server: Server,
        worker: Worker,
        relay: Relay,
        events: Events,
        connected: Callable[[Link], None],
        tick: Callable[[Link], None],
        generation: Callable[[], int],
        standing_by: StandingBy,
    ) -> None:
        self._server = server
        self._worker = worker
        self._relay = relay
        self._events = events
        self._on_connected = connected
        self._tick = tick
        self._generation = generation
        self._standing_by = standing_by
        self._stopping = threading.Event()
        self._why_stopping = "opcws is stopping"
        # A daemon, because it may be inside getaddrinfo, which cannot be interrupted.
        self._thread = threading.Thread(
            target=self._run, name="opcws-ua-%s-watch" % server.name, daemon=True
        )
        #: The generation that operations use; also set while it is being prepared.
        self.link: Optional[Link] = None
        #: Whether clients' requests are accepted.
        self.connected = False
        # Whether the link should be closed politely, even if requests are refused already.
        self._up = False
        self.reason: Optional[str] = None
        self.namespaces: Sequence[str] = ()
        self.state = "connecting"
        self.since = _now()
        self.generations = 0
        self._logged: Optional[str] = None
        #: The present or last address.
        self.endpoint = server.endpoint
        self._set = (
            RedundantSet(server, events, generation, standing_by) if server.endpoints else None
        )
        #: When the connection last came up, how often it came up, and how often an attempt failed.
        self.connected_at: Optional[float] = None
        self.connections = 0
        self.failures = 0
        # Set after the first attempt to connect, or when opcws stands by.
        self.settled = threading.Event()

    def start(self) -> None:
        self._thread.start()
        if self._set is not None:
            self._set.start()

    @property
    def threads(self) -> List[threading.Thread]:
        """The threads that must live until :meth:`leave`."""
        return [self._thread, *([] if self._set is None else self._set.threads)]

    def continue_from(self, other: "Supervisor") -> None:
        """Take over the namespaces and counts of *other*, which has ended."""
        self.namespaces = other.namespaces
        self.generations = other.generations
        self.connected_at = other.connected_at
        self.connections = other.connections
        self.failures = other.failures

    def refuse(self, reason: str) -> None:
        """Refuse new requests; pending ones continue."""
        self.reason = reason
        self.connected = False

    def dismiss(self, reason: str) -> None:
        """As :meth:`refuse`, but for good; clients that listen to the server's state are told."""
        self.refuse(reason)
        self.state = "disconnected"
        self._relay.status("disconnected", _now(), reason)

    def leave(self, reason: str = "opcws is stopping") -> None:
        """Begin to stop: close the session politely if that is quick, do not connect again."""
        self._why_stopping = reason
        self._stopping.set()
        if self._set is not None:
            self._set.leave()
        link = self.link
        if link is not None and not self._up:
            link.fail(reason)

    def stop(self, deadline: Deadline, reason: str = "opcws is stopping") -> None:
        """Leave, and end the thread, within *deadline*."""
        if not self._stopping.is_set():
            self.leave(reason)
        self._thread.join(deadline.bounded(2.5 if self._up else GOODBYE_S))
        link = self.link
        if link is not None and self._thread.is_alive():
            link.kill(reason)
        self._thread.join(deadline.bounded(1.0))
        if self._set is not None:
            self._set.join(deadline)

    def status(self) -> Dict[str, Any]:
        """State, since when, and why, as in ``/status`` and SERVERSTATUS_MESSAGE."""
        status: Dict[str, Any] = {
            "Server": self._server.name,
            "State": self.state,
            "Since": self.since,
            "Connections": self.connections,
        }
        if self.connected_at is not None:
            status["LastConnected"] = utc_text(self.connected_at)
        if self.reason is not None:
            status["Reason"] = self.reason
        if self._set is not None:
            status["Endpoint"] = self.endpoint
            status["Endpoints"] = self._set.status()
        return status

    def service_levels(self) -> Dict[str, int]:
        """The ServiceLevel of each reachable endpoint of a redundant set."""
        if self._set is None:
            return {}
        told = self._set.status()
        return {one["Endpoint"]: one["ServiceLevel"] for one in told if "ServiceLevel" in one}

    def _run(self) -> None:
        backoff = Backoff(self._server.reconnect_min_ms, self._server.reconnect_max_ms)
        cause: Optional[str] = None
        while not self._stopping.is_set():
            brief_s: Optional[float] = None
            why = self._standing_by()
            if why is not None:
                self._stand_by(why)
                continue
            self._tell("connecting", self.reason)
            self.generations += 1
            link = Link(self._server, self._generation(), self._events)
            try:
                if self._set is not None:
                    link = self._set.choose(Deadline(self._server.connect_timeout_ms / 1000.0))
                self.link = link
                self._bring_up(link)
            except PlantError as problem:
                reason = problem.reason
                if problem.status == "BadTooManySessions" and cause is not None:
                    # The session that fills the server may be ours, from the attempt before.
                    reason = "%s; the attempt before it: %s" % (reason, cause)
                else:
                    cause = reason
            except Exception:  # try again; it may succeed
                log.exception("%s: a defect while connecting", self._server.name)
                reason = DEFECT
            else:
                began = time.monotonic()
                self._watch(link)
                reason = cause = link.lost_reason or "the connection was lost"
                lasted_s = time.monotonic() - began
                if not backoff.lasted(lasted_s) and self._standing_by() is None:
                    brief_s = lasted_s
            pause_s = backoff.next()
            self._take_down(link, reason)
            if brief_s is not None and not self._stopping.is_set():
                log.warning(
                    "%s: that connection lasted %.1f s; the next attempt is in %.1f s, and later "
                    "each time until a connection lasts %.0f s",
                    self._server.name,
                    brief_s,
                    pause_s,
                    LASTING_S,
                )
            if self._set is not None:
                self._set.pause(pause_s)
            else:
                self._stopping.wait(pause_s)

    def _stand_by(self, why: str) -> None:
        if why != self.reason or self.state != "disconnected":
            self._tell("disconnected", why)
        self.settled.set()
        self._stopping.wait(WATCH_S)

    def _bring_up(self, link: Link) -> None:
        if self._set is None:
            link.open(Deadline(self._server.connect_timeout_ms / 1000.0))
        if self._stopping.is_set():
            raise PlantError("stopping")
        why = self._standing_by()
        if why is not None:
            raise PlantError(why)
        link.subscriptions.create()
        ready = threading.Event()
        self._relay.opened(link, ready.set)
        while not ready.wait(0.05):
            if link.lost.is_set() or self._stopping.is_set():
                raise PlantError(link.lost_reason or "stopping")
            # Items are created call by call; if the server stops answering, none is created.
            wrong = link.verdict(self._patience_s())
            if wrong is not None:
                raise PlantError(wrong)
        self.namespaces = link.namespaces
        self.endpoint = link.server.endpoint
        self.connected_at = time.time()
        self.connections += 1
        self._up = True
        self.connected = True
        self._logged = None
        log.info("%s: connected to %s", self._server.name, self.endpoint)
        self._tell("connected", None)
        self.settled.set()
        self._on_connected(link)

    def _watch(self, link: Link) -> None:
        heartbeat_s = self._server.heartbeat_interval_ms / 1000.0
        heartbeat = _PeriodicJob(self._worker, link, Link.heartbeat)
        renewal = _PeriodicJob(self._worker, link, Link.renew)
        publishing = _PeriodicJob(self._worker, link, lambda link: link.subscriptions.catch_up())
        asked_at = time.monotonic()
        while not self._stopping.is_set():
            if link.lost.wait(WATCH_S):
                return
            wrong = link.verdict(self._patience_s())
            if wrong is not None:
                link.fail(wrong)
                return
            why = self._standing_by()
            if why is not None:
                self.refuse(why)
                link.close(CHANGE_S, why)
                return
            now = time.monotonic()
            better = None if self._set is None else self._set.better_than(link)
            if better is not None:
                link.close(CHANGE_S, "changing to a healthier server: " + better)
                return
            if now - asked_at >= heartbeat_s:
                asked_at = now
                heartbeat.submit()
            if link.renewal_due():
                renewal.submit()
            if link.subscriptions.starving():
                publishing.submit()
            self._tick(link)
        link.close(2.0, self._why_stopping)

    def _patience_s(self) -> float:
        """How old the last answer may be, in seconds."""
        return (self._server.heartbeat_interval_ms + self._server.request_timeout_ms) / 1000.0

    def _take_down(self, link: Link, reason: str) -> None:
        was_connected, self._up = self._up, False
        self.connected = False
        self.failures += not was_connected and not self._stopping.is_set()
        self.reason = reason
        link.fail(reason)
        self.link = None
        self._relay.lost(link, reason)
        if not self._stopping.is_set():
            if reason != self._logged:
                self._logged = reason
                what = "disconnected" if was_connected else "cannot connect"
                log.warning("%s: %s: %s", self._server.name, what, reason)
            if self.state != "disconnected":
                self._tell("disconnected", reason)
        self.settled.set()
        link.close(GOODBYE_S, reason)

    def _tell(self, state: str, reason: Optional[str]) -> None:
        """Store and relay a change of state.  While attempts fail one after the other, the state
        stays ``disconnected``, because clients have no use for the flicker."""
        if state == "connecting" and self.state == "disconnected":
            return
        if state != self.state:
            self.since = _now()
        self.state = state
        self.reason = reason
        endpoint = self.endpoint if self._set is not None else None
        self._relay.status(state, self.since, reason, endpoint)


class _PeriodicJob:
    """One thing that the worker does for *link* when the watchdog asks.

    At most one job of it waits or runs: on a slow connection each job may take longer than the
    pause to the next, and they would fill the queue.  A failure is only logged: the watchdog
    notices a bad link at its next check.
    """

    def __init__(self, worker: Worker, link: Link, tend: Callable[[Link], None]) -> None:
        self._worker = worker
        self._link = link
        self._tend = tend
        # Set by the watchdog, reset by the worker, each in one step.
        self._busy = False

    def submit(self) -> None:
        if not self._busy:
            self._busy = True
            self._worker.submit(Job(self._run, self._failed))

    def _run(self, current: Link) -> None:
        try:
            if current is self._link:
                self._tend(current)
        finally:
            self._busy = False

    def _failed(self, problem: ServiceError) -> None:
        self._busy = False
        log.debug("%s: tending the link: %s", self._link.server.name, problem.reason)


def _now() -> str:
    return utc_text(time.time())
