"""The clients that are connected, and the gateway that answers them.

A gateway is made for one configuration and never changed: a new configuration comes with a new
gateway, which takes the other's place in one step.  So a request is answered, from beginning to
end, by what was configured when it came, and no request takes a lock for that.

What a client monitors outlives a change: a monitor of a variable that is gone, or that the
client may not read any more, gets one update that says so and *sleeps*; it goes on when a later
configuration brings the variable back.  A monitor that changes its relay, or falls asleep or
awake, is replaced by another object; the old one is withdrawn from the outbox, after which
nothing that a relay still has of it can reach the client.

Threads: ``open``, ``handle`` and ``close`` run on each connection's reader, ``change`` on any,
one at a time.
"""

import threading
from typing import Callable, Dict, List, Optional, Tuple

from ..config import roles
from ..config.roles import Role
from ..model import statuscodes
from ..model.datatypes import DataValue
from ..model.errors import ServiceError
from ..wire import messages, values
from ..wire.frames import text_frame
from .gateway import Gateway
from .monitor import Monitor
from .plants import Plant
from .relay import Relay
from .session import Session

#: RFC 6455 7.4.1: the client is not allowed here any more.
POLICY_VIOLATION = 1008

#: The role that a session has now, ``None`` if it may not be connected any more.
Judge = Callable[[Session], Optional[Role]]


class Sessions:
    """Every connected client, served by *gateway* until another takes its place."""

    def __init__(self, gateway: Gateway) -> None:
        #: Replaced whole, by :meth:`change`.
        self.gateway = gateway
        self._judge: Optional[Judge] = None
        # Guards _open, in which each open session is.
        self._lock = threading.Lock()
        self._open: Dict[Session, None] = {}

    # --- the connection's reader thread ---------------------------------------------------------

    def open(self, session: Session, wants_status: bool) -> None:
        """A client has connected; *wants_status* if it asked to be told of every server."""
        session.wants_status = wants_status
        with self._lock:
            self._open[session] = None
        # It shook hands under a configuration that may be the last one.
        self._review(session)

    def handle(self, session: Session, text: str) -> None:
        """Answer one message of *session*, now or later."""
        gateway = self.gateway
        gateway.handle(session, text)
        while gateway is not self.gateway:
            # A monitor may have started too late for change() to see it.
            gateway = self.gateway
            self._review(session)

    def close(self, session: Session) -> None:
        """A client has gone: nothing of it is left behind."""
        with self._lock:
            self._open.pop(session, None)
            gateway = self.gateway
        gateway.close(session)

    # --- whoever changes the configuration ------------------------------------------------------

    def change(self, gateway: Gateway, judge: Optional[Judge] = None) -> None:
        """Let *gateway* answer from now on; *judge* says what each client may do now."""
        with self._lock:
            others = self.gateway.names != gateway.names
            self._judge = judge
            self.gateway = gateway
            sessions = list(self._open)
        for session in sessions:
            self._review(session, others)

    def _review(self, session: Session, others: bool = False) -> None:
        """Make of *session* what the present configuration makes of it; *others* if it has other
        variables than the one before."""
        ended: Dict[Relay, List[Monitor]] = {}
        begun: Dict[Plant, List[Monitor]] = {}
        with session.lock:
            if session.closed:
                return
            # Under the lock: whoever has it last sees the latest configuration.
            gateway = self.gateway
            role = session.role if self._judge is None else self._judge(session)
            if role is not None:
                had = session.role.rights
                session.take_role(role)
                if had is not None or role.rights is not None:
                    others = had is None or role.rights is None or had.keys() != role.rights.keys()
                _tell_of_servers(gateway, session, others)
                for key, monitor in list(session.monitors.items()):
                    plant, problem = _home(gateway, session, monitor.variable)
                    relay = None if plant is None else plant.relay
                    if relay is monitor.relay:
                        continue
                    replaced = session.monitors[key] = monitor.again(relay)
                    session.outbox.withdraw(monitor)
                    if monitor.relay is not None:
                        ended.setdefault(monitor.relay, []).append(monitor)
                    if plant is not None:
                        begun.setdefault(plant, []).append(replaced)
                    elif problem is not None:
                        _tell(replaced, problem)
        if role is None:
            session.disconnect(POLICY_VIOLATION, "the configuration does not let you in any more")
            return
        for old, monitors in ended.items():
            old.end(monitors)
        for plant, monitors in begun.items():
            plant.begin(monitors)
        session.outbox.wake()


def _tell_of_servers(gateway: Gateway, session: Session, others: bool) -> None:
    """Have *session*, if it asked for that, told of the state of the servers that exist for it;
    of what it is told already nothing is said again, unless there are *others*: other variables
    that exist for it, for which it may want to look."""
    before, session.listens = session.listens, {}
    if not session.wants_status:
        return
    for name, plant in gateway.plants.items():
        counts = roles.sees_server(session.role, name)
        if counts is not None:
            session.listens[plant.relay] = counts
            if others or before.get(plant.relay) is not counts:
                plant.relay.listen(session.outbox, session.dialect, counts)
        elif plant.relay in before:
            plant.relay.leave(session.outbox)
    # A server that is gone tells that itself, as its last word.


def _home(
    gateway: Gateway, session: Session, name: str
) -> Tuple[Optional[Plant], Optional[ServiceError]]:
    """The plant whose relay is to have a monitor of *name*, or why none is."""
    try:
        return gateway.home(session, name), None
    except ServiceError as problem:
        return None, problem


def _tell(monitor: Monitor, problem: ServiceError) -> None:
    """The last update of *monitor* until it wakes."""
    value = DataValue(None, statuscodes.code(problem.status))
    prefix = messages.update_prefix(monitor.handle, monitor.variable, monitor.dialect)
    members = values.data_value_members(value, (), monitor.dialect, reason=problem.reason)
    frame = text_frame(messages.update(prefix, members))
    monitor.outbox.put_updates([(monitor, frame, None)])
