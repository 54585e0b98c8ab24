"""Clients that are there while the configuration changes."""

from typing import Any, Dict, Mapping, Set

from opcws.config.roles import EVERYONE
from opcws.config.settings import Limits
from opcws.gateway.client import Client
from opcws.gateway.connected_clients import ConnectedClients
from opcws.gateway.gateway import Gateway
from opcws.gateway.outbox import Outbox


class Plant:
    """A plant of which only is known who listens to its state."""

    def __init__(self) -> None:
        self.relay = self
        self.listening: Set[Outbox] = set()

    def listen(self, outbox: Outbox, _dialect: str, _counts: bool) -> None:
        self.listening.add(outbox)

    def leave(self, whom: Any) -> None:
        self.listening.discard(whom)


class Changed(Gateway):
    """A client goes in the moment in which the new plants are looked at."""

    def __init__(self, plants: Dict[str, Any], clients: ConnectedClients, leaving: Client) -> None:
        super().__init__({}, plants)
        self._clients = clients
        self._leaving = leaving

    @property
    def plants(self) -> Mapping[str, Any]:
        self._clients.close(self._leaving)
        return super().plants


def test_who_goes_while_a_server_is_added_is_not_kept_by_its_relay() -> None:
    plant = Plant()
    connected = ConnectedClients(Gateway({}, {}))
    clients = [
        Client(name, Outbox(10, 1000, 10, lambda: None), "typed", EVERYONE, Limits())
        for name in ("stays", "goes")
    ]
    for client in clients:
        connected.open(client, True)
    connected.change(Changed({"plant": plant}, connected, clients[1]))
    assert plant.listening == {clients[0].outbox}
