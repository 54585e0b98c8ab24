"""Rights count when a thing is done, not when it was asked and its plant hung."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from opcws.access import accounts
from opcws.app import Server
from opcws.config import load
from opcws.model.deadline import Deadline

from ... import support
from ...support import Client, PlantProcess, wait_until

pytestmark = pytest.mark.own_plant

SETPOINT = "Boiler.Setpoint"
RIGHTS: Dict[str, Any] = {"read": ["*"], "write": ["*"], "history": True}
WAITING = 9


class Site:
    """opcws with roles and an audit log in front of a plant that can be made to hang."""

    def __init__(self, plant: PlantProcess, directory: Path) -> None:
        self.plant = plant
        self.path = directory / "opcws.yaml"
        self._settings = support.settings(
            plant.endpoint,
            server={"request_timeout_ms": 60000, "heartbeat_interval_ms": 60000},
            listen={"host": "127.0.0.1", "port": support.free_port(), "close_timeout_s": 1},
        )
        self._settings["audit"] = {"file": str(directory / "audit.jsonl")}
        self.audit_file = directory / "audit.jsonl"
        self.configure(operator=RIGHTS)
        self.config = load(self.path)
        self.token = accounts.create_token(self.config, "panel", "operator", None)[0]
        self.server = Server(self.config)
        self.server.start()
        support.wait_connected(self.server)
        # What is learned of the variables waits for nobody any more, and is not counted below.
        self.server.plants["plant"].worker.drain(Deadline(support.PATIENCE))

    def configure(self, **roles: Any) -> None:
        self._settings["roles"] = {"anonymous": {"read": ["*"]}, **roles}
        self.path.write_text(json.dumps(self._settings), encoding="utf-8")

    def client(self, token: str = "") -> Client:
        header = {"Authorization": "Bearer " + token} if token else {}
        return Client(self.server.urls[0], header=header)

    def send_writes(self, client: Client, send: Callable[[int], None]) -> None:
        """One write is under way and :data:`WAITING` others wait, in the order of their number."""
        client.write(SETPOINT, 20)
        self.plant.freeze()
        worker = self.server.plants["plant"].worker
        for number in range(1 + WAITING):
            send(number)
            wait_until(lambda number=number: worker.backlog == number, "it is under way or waits")

    def results(self) -> List[str]:
        """What became of the writes, by the audit log, once it knows it of all."""

        def found() -> List[str]:
            lines = support.whole_lines(self.audit_file)
            return [line["status"] for line in lines if line["event"] == "result"][1:]

        wait_until(lambda: len(found()) == 1 + WAITING, "each write has a result")
        return found()

    def setpoint(self) -> Any:
        with self.client() as reader:
            return reader.body("READ", {"Variable": SETPOINT})["Value"]["Body"]


@pytest.fixture
def site(plant: PlantProcess, tmp_path: Path) -> Iterator[Site]:
    made = Site(plant, tmp_path)
    yield made
    plant.thaw()
    made.server.stop()
    support.no_threads_left()


def _one_by_one(client: Client) -> Callable[[int], None]:
    def send(number: int) -> None:
        client.send("WRITE", {"Variable": SETPOINT, "Value": 30 + number})

    return send


def _only_the_first(site: Site, status: str) -> None:
    assert sorted(site.results()) == [status] * WAITING + ["Good"]
    assert site.setpoint() == 30


def test_of_a_revoked_token_only_the_write_under_way_is_carried_out(site: Site) -> None:
    client = site.client(site.token)
    site.send_writes(client, _one_by_one(client))
    accounts.revoke_token(site.config, "panel")
    wait_until(
        lambda: all(not each.connections() for each in site.server.listeners), "it is closed"
    )
    site.plant.thaw()
    _only_the_first(site, "BadRequestCancelledByClient")
    client.vanish()


def test_of_a_client_that_is_being_closed_only_the_write_under_way_is_carried_out(
    site: Site,
) -> None:
    client = site.client(site.token)
    site.send_writes(client, _one_by_one(client))
    ((connection,),) = [each.connections() for each in site.server.listeners]
    connection.close(1008, "a test")  # it has not left: it has a second to say goodbye
    site.plant.thaw()
    _only_the_first(site, "BadRequestCancelledByClient")
    client.vanish()


def test_of_a_client_that_left_only_the_write_under_way_is_carried_out(site: Site) -> None:
    client = site.client(site.token)
    site.send_writes(client, _one_by_one(client))
    client.vanish()
    worker = site.server.plants["plant"].worker
    wait_until(lambda: worker.backlog == 0, "what waited is dropped at once")
    site.plant.thaw()
    _only_the_first(site, "BadRequestCancelledByClient")


@pytest.mark.parametrize("form", ["each by itself", "lists"])
def test_a_role_that_loses_its_right_by_a_reload_has_only_the_write_under_way_carried_out(
    site: Site, form: str
) -> None:
    with site.client(site.token) as client:

        def send_list(number: int) -> None:
            client.send("WRITE", {"Writes": [{"Variable": SETPOINT, "Value": 30 + number}]})

        site.send_writes(client, send_list if form == "lists" else _one_by_one(client))
        site.configure(operator={"read": ["*"]})
        site.server.reload(load(site.path))
        site.plant.thaw()
        _only_the_first(site, "BadUserAccessDenied")
        answers = [client.answer() for _ in range(1 + WAITING)]
        for answer in answers:
            answer.update(*answer["Body"].get("Results", ()))
        told = [each.get("StatusCode", each["Body"].get("StatusCode")) for each in answers]
        assert told == [None] + ["BadUserAccessDenied"] * WAITING


def test_a_value_is_not_told_to_a_role_that_may_not_read_it_any_more(site: Site) -> None:
    with site.client(site.token) as client:
        site.plant.freeze()
        for body in ({"Variable": SETPOINT}, {"Variables": [SETPOINT]}):
            client.send("READ", body)
        past = {"StartTime": "2026-01-01"}
        client.send("HISTORICALREAD", {"Variable": SETPOINT, **past})
        client.send("HISTORICALREAD", {"Variables": [SETPOINT], **past, "MaxPoints": 9})
        assert "Variables" in client.body("VALUELIST"), "it is behind them, and needs no plant"
        site.configure(operator={"read": ["Test.Counter"]})
        site.server.reload(load(site.path))
        site.plant.thaw()
        one, listed, history, chart = (client.answer()["Body"] for _ in range(4))
        (item,), (line,) = listed["Values"], chart["Histories"]
        for each in (one, item, history, line):
            assert each["StatusCode"] == "BadNodeIdUnknown"
            assert "Value" not in each and "DataValues" not in each
