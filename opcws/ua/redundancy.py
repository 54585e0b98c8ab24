"""The servers of a redundant set, and which one to use (OPC 10000-4 6.6.2, non-transparent).

Rules:

* If there is a choice, the server with the highest ServiceLevel is used.
* A healthy server stays in use (6.6.2.4.4: no failover then).  If the server in use is not healthy,
  opcws changes to a server with a higher ServiceLevel.
* opcws keeps a session, without subscription, with the other servers too, so that a failover needs
  no new connection.  It tries again to reach a server that is down (cold redundancy).
* A server in maintenance (ServiceLevel 0) that is not in use is disconnected, and asked again after
  a while.

Threads: each member has ``opcws-ua-NAME-member-N``, which connects and asks; ``choose`` and
``better_than`` run on the supervisor's thread; the rest may be called from any.
"""

import dataclasses
import logging
import threading
import time
from typing import Any, Callable, Dict, List, Optional

from ..config.settings import Server
from ..gateway.plant_interface import DEFECT, StandingBy
from ..model.data_types import NodeId
from ..model.deadline import Deadline
from ..model.errors import PlantError
from .backoff import Backoff
from .channel.link import GOODBYE_S, Link
from .channel.subscription import Events
from .encoding import service_bodies
from .encoding.codec import encode_node_id

log = logging.getLogger(__name__)

#: ServiceLevels (OPC 10000-4 table 109); a server without the node counts as BEST.
MAINTENANCE = 0
HEALTHY = 200
BEST = 255
#: Seconds after which a server in maintenance is asked again.
MAINTENANCE_S = 30.0
#: Seconds between two checks of a session.
WATCH_S = 0.25
#: Seconds that a ready server waits for the answers of the others.
CHOICE_S = 1.0

_SERVICE_LEVEL = NodeId(0, 2267)


class _Member:
    """One server of the set; *changed* is notified of every change of its attributes."""

    def __init__(
        self,
        server: Server,
        number: int,
        generation: Callable[[], int],
        events: Events,
        changed: threading.Condition,
        stopping: threading.Event,
        standing_by: StandingBy,
    ) -> None:
        self.endpoint = server.endpoint
        #: With ``changed`` held: the session, in use or not; the last ServiceLevel; why there is
        #: no session.
        self.link: Optional[Link] = None
        self.level = 0
        self.problem: Optional[str] = None
        self.in_use = False
        self._server = server
        self._generation = generation
        self._events = events
        self._changed = changed
        self._stopping = stopping
        self._standing_by = standing_by
        self._opening: Optional[Link] = None
        self._logged: Optional[str] = None
        # A daemon, because it may be inside getaddrinfo, which cannot be interrupted.
        self.thread = threading.Thread(
            target=self._run, name="opcws-ua-%s-member-%d" % (server.name, number), daemon=True
        )

    def abandon(self, end: Callable[[Link, str], None]) -> None:
        """Call *end* for a session that is just being opened: with or without a goodbye."""
        opening = self._opening
        if opening is not None and self.thread.is_alive():
            end(opening, "opcws is stopping")

    def _run(self) -> None:
        backoff = Backoff(self._server.reconnect_min_ms, self._server.reconnect_max_ms)
        while not self._stopping.is_set():
            if self._standing_by() is not None:
                self._stopping.wait(WATCH_S)
                continue
            in_maintenance = False
            link = Link(self._server, self._generation(), self._events)
            self._opening = link
            try:
                link.open(Deadline(self._server.connect_timeout_ms / 1000.0))
                level = self._ask(link)
                if level != MAINTENANCE:
                    self._tell(link, level, None)
                    self._opening = None
                    began = time.monotonic()
                    level = self._keep(link)
                    backoff.lasted(time.monotonic() - began)
                in_maintenance = level == MAINTENANCE
                problem = "%s %s" % (
                    self.endpoint,
                    "is in maintenance"
                    if in_maintenance
                    else "was lost: " + (link.lost_reason or "the connection broke"),
                )
            except PlantError as error:
                problem = "connecting to %s: %s" % (self.endpoint, error.reason)
            except Exception:
                log.exception("%s: a defect while connecting", self._server.name)
                problem = DEFECT
            link.fail(problem)
            self._tell(None, 0, problem)
            link.close(GOODBYE_S, problem)
            self._stopping.wait(MAINTENANCE_S if in_maintenance else backoff.next())

    def _keep(self, link: Link) -> int:
        """Ask for the ServiceLevel, which also keeps the session alive, until the link is lost or
        must not be used; returns the last one.  The supervisor renews the secure channel of the
        session in use."""
        heartbeat_s = self._server.heartbeat_interval_ms / 1000.0
        asked_at = time.monotonic()
        while not link.lost.wait(WATCH_S) and not self._stopping.is_set():
            if self._standing_by() is not None:
                break
            try:
                if not self.in_use and link.renewal_due():
                    link.renew()
                if time.monotonic() - asked_at < heartbeat_s:
                    continue
                asked_at = time.monotonic()
                if not self.in_use:
                    link.heartbeat()
                self._tell(link, self._ask(link), None)
            except PlantError as problem:
                if not self.in_use:  # the supervisor decides about the one in use
                    link.fail(problem.reason)
            if self.level == MAINTENANCE and not self.in_use:
                break
        if not self.in_use:
            link.close(1.0)
        return self.level

    def _ask(self, link: Link) -> int:
        item = service_bodies.read_value_id(encode_node_id(_SERVICE_LEVEL))
        deadline = Deadline(self._server.request_timeout_ms / 1000.0)
        value = link.read([item], deadline, "reading the ServiceLevel")[0].value
        level = BEST if value is None else value.value
        return level if isinstance(level, int) else BEST

    def _tell(self, link: Optional[Link], level: int, problem: Optional[str]) -> None:
        with self._changed:
            if link is not None and level != self.level:
                log.info("%s: %s has ServiceLevel %d", self._server.name, self.endpoint, level)
            self.link, self.level, self.problem = link, level, problem
            if link is None:
                self.in_use = False
            self._changed.notify_all()
        if problem != self._logged and not self._stopping.is_set():
            self._logged = problem
            if problem is not None:
                log.warning("%s: %s", self._server.name, problem)


class RedundantSet:
    """The servers at the ``endpoints`` of *server*; *events* gets the events of the subscription
    in use, *generation* numbers the sessions; *standing_by* says why opcws must have no session
    now."""

    def __init__(
        self,
        server: Server,
        events: Events,
        generation: Callable[[], int],
        standing_by: StandingBy,
    ) -> None:
        self._stopping = threading.Event()
        # Guards the attributes of the members; notified of their changes.
        self._changed = threading.Condition()
        self._members = [
            _Member(
                dataclasses.replace(server, endpoint=endpoint, endpoints=()),
                number,
                generation,
                events,
                self._changed,
                self._stopping,
                standing_by,
            )
            for number, endpoint in enumerate(server.endpoints, 1)
        ]

    @property
    def threads(self) -> List[threading.Thread]:
        return [member.thread for member in self._members]

    def start(self) -> None:
        for member in self._members:
            member.thread.start()

    def leave(self) -> None:
        """Begin to stop: do not connect again; sessions that are not in use end themselves."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        for member in self._members:
            member.abandon(Link.fail)

    def join(self, deadline: Deadline) -> None:
        for member in self._members:
            member.thread.join(deadline.bounded(2.5))
            member.abandon(Link.kill)
            member.thread.join(deadline.bounded(1.0))

    # --- the supervisor's thread ----------------------------------------------------------------

    def choose(self, deadline: Deadline) -> Link:
        """The session to use: of the sessions that are ready when every server has answered or
        its time is over, the one with the highest ServiceLevel.

        Raises :exc:`~opcws.model.errors.PlantError` if there is none.
        """
        with self._changed:
            first_at: Optional[float] = None
            while not self._stopping.is_set():
                ready = self._ready()
                now = time.monotonic()
                if ready and first_at is None:
                    first_at = now
                heard = all(member.link or member.problem for member in self._members)
                if ready and (heard or (first_at is not None and now - first_at >= CHOICE_S)):
                    best = max(ready, key=lambda member: member.level)
                    best.in_use = True
                    assert best.link is not None
                    return best.link
                if not ready and (heard or deadline.expired):
                    break
                wait_s = CHOICE_S if first_at is None else first_at + CHOICE_S - now
                self._changed.wait(deadline.bounded(max(0.01, wait_s)) or 0.01)
            if self._stopping.is_set():
                raise PlantError("opcws is stopping")
            problems = [member.problem for member in self._members if member.problem]
        raise PlantError("; ".join(problems) or "no server of the set has answered in time")

    def pause(self, seconds: float) -> None:
        """Wait until a server is ready, at most *seconds*."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready() or self._stopping.is_set(), seconds)

    def better_than(self, link: Link) -> Optional[str]:
        """Why another server should be used instead of that of *link*, or ``None``."""
        with self._changed:
            own = next((member for member in self._members if member.link is link), None)
            if own is None or own.level >= HEALTHY:
                return None
            best = max(self._ready(), key=lambda member: member.level, default=None)
            if best is None or best.level <= own.level:
                return None
            return "%s has ServiceLevel %d, %s has %d" % (
                own.endpoint,
                own.level,
                best.endpoint,
                best.level,
            )

    def _ready(self) -> "List[_Member]":
        """The members that could be used instead, with the lock held."""
        return [
            member
            for member in self._members
            if member.link is not None and not member.in_use and not member.link.lost.is_set()
        ]

    # --- any thread -----------------------------------------------------------------------------

    def status(self) -> List[Dict[str, Any]]:
        """Each server as ``/status`` shows it."""
        told: List[Dict[str, Any]] = []
        with self._changed:
            for member in self._members:
                one: Dict[str, Any] = {"Endpoint": member.endpoint, "InUse": member.in_use}
                if member.link is not None:
                    one["ServiceLevel"] = member.level
                elif member.problem is not None:
                    one["Reason"] = member.problem
                told.append(one)
        return told
