"""The connected clients, and the gateway that answers them.

A gateway belongs to one configuration and never changes: a new configuration brings a new gateway,
which replaces the old one in one step.  So a request sees one configuration from beginning to end,
without a lock.  Its rights are checked again, with the present gateway and role, when it is
executed.

Monitors outlive a change.  If a variable is gone, or the client may not read it any more, its
monitor gets one update that says so and *sleeps*; it continues when a later configuration brings
the variable back.  A monitor that changes its relay, or falls asleep or awake, is replaced by
another object; the old one is withdrawn from the outbox, so that no update from a relay can reach
the client through it any more.

Threads: ``open``, ``handle`` and ``close`` run on each connection's reader, ``change`` on any,
one at a time.
"""

import threading
from typing import Callable, Dict, List, Optional

from ..config import roles
from ..config.roles import Role
from ..model import status_codes
from ..model.data_types import DataValue
from ..model.errors import ServiceError
from ..wire import messages, values_to_json
from ..wire.frames import text_frame
from .client import Client
from .gateway import Gateway
from .monitor import Monitor
from .plant_interface import Plant
from .relay import Relay

#: RFC 6455 7.4.1: the client is not allowed here any more.
POLICY_VIOLATION = 1008

#: Returns the present role of a client, ``None`` if it may not be connected any more.
Judge = Callable[[Client], Optional[Role]]


class ConnectedClients:
    """All connected clients; *gateway* serves them until :meth:`change`."""

    def __init__(self, gateway: Gateway) -> None:
        #: Replaced whole, by :meth:`change`.
        self.gateway = gateway
        self._judge: Optional[Judge] = None
        # Guards _open, which has every open client.
        self._lock = threading.Lock()
        self._open: Dict[Client, None] = {}

    # --- the connection's reader thread ---------------------------------------------------------

    def open(self, client: Client, wants_status: bool) -> None:
        """A client has connected; *wants_status* if it wants the state of every server."""
        client.wants_status = wants_status
        with self._lock:
            self._open[client] = None
        # The configuration may have changed during its handshake.
        self._review(client)

    def handle(self, client: Client, text: str) -> None:
        """Answer one message of *client*, now or later."""
        gateway = self.gateway
        gateway.handle(client, text)
        while gateway is not self.gateway:
            # A monitor may have started too late for change() to see it.
            gateway = self.gateway
            self._review(client)

    def close(self, client: Client) -> None:
        """A client has left: remove everything of it."""
        with self._lock:
            self._open.pop(client, None)
            gateway = self.gateway
        gateway.close(client)

    # --- whoever changes the configuration ------------------------------------------------------

    def change(self, gateway: Gateway, judge: Optional[Judge] = None) -> None:
        """Let *gateway* answer from now on; *judge* returns the present role of each client."""
        with self._lock:
            others = self.gateway.names != gateway.names
            self._judge = judge
            self.gateway.successor = gateway
            self.gateway = gateway
            clients = list(self._open)
        for client in clients:
            self._review(client, others)

    def _review(self, client: Client, others: bool = False) -> None:
        """Apply the present configuration to *client*; *others* if it has other variables than the
        one before."""
        ended: Dict[Relay, List[Monitor]] = {}
        begun: Dict[Plant, List[Monitor]] = {}
        with client.lock:
            if client.closed:
                return
            # Inside the lock, so that the last holder sees the latest configuration.
            gateway = self.gateway
            role = client.role if self._judge is None else self._judge(client)
            if role is not None:
                had = client.role.rights
                client.take_role(role)
                if had is not None or role.rights is not None:
                    others = had is None or role.rights is None or had.keys() != role.rights.keys()
                _tell_of_servers(gateway, client, others)
                for key, monitor in list(client.monitors.items()):
                    plant: Optional[Plant] = None
                    problem: Optional[ServiceError] = None
                    try:
                        plant = gateway.home(client, monitor.variable)
                    except ServiceError as error:
                        problem = error
                    relay = None if plant is None else plant.relay
                    if relay is monitor.relay:
                        continue
                    replaced = client.monitors[key] = monitor.again(relay)
                    client.outbox.withdraw(monitor)
                    if monitor.relay is not None:
                        ended.setdefault(monitor.relay, []).append(monitor)
                    if plant is not None:
                        begun.setdefault(plant, []).append(replaced)
                    elif problem is not None:
                        _tell(replaced, problem)
        if role is None:
            client.disconnect(POLICY_VIOLATION, "the configuration does not let you in any more")
            return
        for old, monitors in ended.items():
            old.end(monitors)
        for plant, monitors in begun.items():
            plant.begin(monitors)
        client.outbox.wake()


def _tell_of_servers(gateway: Gateway, client: Client, others: bool) -> None:
    """Send *client*, if it wants that, the state of the servers that exist for it.  A known state
    is not sent again, unless there are *others*: other variables for this client, so that it can
    list them again."""
    before, client.listens = client.listens, {}
    if not client.wants_status:
        return
    for name, plant in gateway.plants.items():
        counts = roles.sees_server(client.role, name)
        if counts is not None:
            client.listens[plant.relay] = counts
            if others or before.get(plant.relay) is not counts:
                plant.relay.listen(client.outbox, client.dialect, counts)
        elif plant.relay in before:
            plant.relay.leave(client.outbox)
    # A removed server sends a last message itself.


def _tell(monitor: Monitor, problem: ServiceError) -> None:
    """Send the last update of *monitor* before it sleeps."""
    value = DataValue(None, status_codes.code(problem.status))
    prefix = messages.update_prefix(monitor.handle, monitor.variable, monitor.dialect)
    members = values_to_json.data_value_members(value, (), monitor.dialect, reason=problem.reason)
    frame = text_frame(messages.update(prefix, members))
    monitor.outbox.put_updates([(monitor, frame, None)])
