"""Monitored variables, fed by a plant that is a list of calls: no socket, no OPC UA."""

import gc
import json
import threading
import time
import weakref
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import pytest

from opcws.gateway import relay
from opcws.gateway.monitor import MANY_HANDLES, Monitors
from opcws.gateway.outbox import Outbox
from opcws.gateway.relay import TURN, Monitor, Relay
from opcws.gateway.value_source import Created, Source
from opcws.model import status_codes
from opcws.model.data_types import DOUBLE, DataValue, Variant
from opcws.wire.notifications import generic
from opcws.wire.values_to_json import STRING, TYPED

from ..support import PATIENCE, wait_until
from ..wire.test_frames import parse


def value(number: float, status: int = 0) -> DataValue:
    return DataValue(Variant(DOUBLE, number), status)


class Plant:
    """The relay's source: what it was asked for, and the relay that it feeds.

    A publish body here is a list of handles and values.
    """

    def __init__(self, retry_s: float = 3600.0) -> None:
        self.created: List[Tuple[str, int]] = []
        self.deleted: List[int] = []
        self.failures: Dict[str, Tuple[str, str]] = {}
        self.retried: List[Any] = []
        self.read: List[str] = []
        self.link: Any = None
        self.relay: Any = Relay(
            "plant",
            Source(
                create=lambda link, wanted, line: self.created.extend(wanted),
                delete=lambda link, ids: self.deleted.extend(item_id for _in, item_id in ids),
                decode=lambda link, body: [generic(*change) for change in body],
                namespaces=lambda link: ["http://opcfoundation.org/UA/"],
                failures=lambda link: self.failures,
                retry=lambda link: self.retried.append(link),
                read=lambda variable: self.read.append(variable),
            ),
            configured=3,
            retry_s=retry_s,
        )

    def sync(self) -> None:
        """Return when the relay has done all that was asked of it."""
        done = threading.Event()
        self.relay.published(None, [], done.set)
        assert done.wait(PATIENCE)

    def connect(self) -> threading.Event:
        self.link, ready = object(), threading.Event()
        self.relay.opened(self.link, ready.set)
        self.sync()
        return ready

    def handle(self, variable: str) -> int:
        """The handle under which *variable* was last created."""
        return dict(self.created)[variable]

    def accept(self, *variables: str) -> None:
        """Answer the creation of *variables*; the item's id is its handle and 1000."""
        handles = [self.handle(name) for name in variables]
        made = [Created(handle, handle + 1000, "Good", "") for handle in handles]
        self.relay.created(self.link, made)

    def publish(self, *changes: Tuple[str, DataValue]) -> None:
        body = [(self.handle(name), changed) for name, changed in changes]
        self.relay.published(self.link, body, lambda: None)
        self.sync()


class Client:
    """An outbox, and what came out of it."""

    def __init__(self, plant: Plant, dialect: str = TYPED) -> None:
        self._plant, self._dialect = plant, dialect
        self.woken = 0
        self.outbox = Outbox(1000, 10**6, 10, self._wake)

    def _wake(self) -> None:
        self.woken += 1

    def monitor(self, variable: str, handle: Any = "m", min_interval: float = 0.0) -> Monitor:
        monitor = Monitor(self.outbox, variable, handle, self._dialect, min_interval)
        self._plant.relay.begin(monitor)
        self._plant.sync()
        return monitor

    def stop(self, *monitors: Monitor) -> None:
        for monitor in monitors:
            self.outbox.withdraw(monitor)
        self._plant.relay.end(monitors)
        self._plant.sync()

    def frames(self) -> List[bytes]:
        return self.outbox.take(10**9)

    def messages(self) -> List[Dict[str, Any]]:
        return [json.loads(parse(frame)[1]) for frame in self.frames()]

    def bodies(self) -> List[Dict[str, Any]]:
        return [message["Body"] for message in self.messages()]

    def numbers(self) -> List[Optional[float]]:
        return [body.get("Value", {}).get("Body") for body in self.bodies()]


@pytest.fixture
def plant() -> Iterator[Plant]:
    made = Plant()
    made.relay.start()
    yield made
    made.relay.stop(PATIENCE)
    assert "opcws-relay-plant" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture
def impatient() -> Iterator[Plant]:
    """Connected, and asks at once again for what was refused."""
    made = Plant(retry_s=0.01)
    made.relay.start()
    assert made.connect().wait(PATIENCE)
    yield made
    made.relay.stop(PATIENCE)


@pytest.fixture
def connected(plant: Plant) -> Plant:
    assert plant.connect().wait(PATIENCE), "without monitors a generation is ready at once"
    return plant


def started(plant: Plant, variables: Sequence[str] = ("V",)) -> None:
    plant.accept(*variables)
    plant.sync()


# --- one item per variable ---------------------------------------------------------------------


def test_however_many_monitors_a_variable_has_one_item(connected: Plant) -> None:
    clients = [Client(connected) for _ in range(3)]
    for client in clients:
        client.monitor("V", "a")
        client.monitor("V", "b")
    assert [name for name, _handle in connected.created] == ["V"]


def test_the_last_stop_deletes_the_item_and_none_before(connected: Plant) -> None:
    one, other = Client(connected), Client(connected)
    first, second = one.monitor("V"), other.monitor("V")
    started(connected)
    one.stop(first)
    assert connected.deleted == []
    other.stop(second)
    assert connected.deleted == [connected.handle("V") + 1000]


def test_an_item_whose_monitors_all_stopped_before_it_was_created_is_deleted(
    connected: Plant,
) -> None:
    client = Client(connected)
    client.stop(client.monitor("V"))
    started(connected)
    assert connected.deleted == [connected.handle("V") + 1000]


def test_a_start_after_the_last_stop_creates_a_new_item(connected: Plant) -> None:
    client = Client(connected)
    client.stop(client.monitor("V"))
    client.monitor("V")
    assert [name for name, _handle in connected.created] == ["V", "V"]
    assert len(set(connected.created)) == 2, "with a handle of its own"


# --- updates -----------------------------------------------------------------------------------


def test_every_change_goes_out_once_and_in_order(connected: Plant) -> None:
    client = Client(connected)
    client.monitor("V")
    started(connected)
    connected.publish(*[("V", value(number)) for number in range(50)])
    connected.publish(*[("V", value(number)) for number in range(50, 100)])
    assert client.numbers() == list(range(100))


def test_a_second_monitor_is_told_the_present_value_at_once(connected: Plant) -> None:
    first, second = Client(connected), Client(connected)
    first.monitor("V")
    started(connected)
    connected.publish(("V", value(1.0)), ("V", value(2.0)))
    second.monitor("V")
    assert second.numbers() == [2.0]
    assert first.numbers() == [1.0, 2.0]


def test_an_update_carries_the_handle_of_its_own_start(connected: Plant) -> None:
    one, other = Client(connected), Client(connected)
    for client, handle in ((one, "a"), (one, 7), (one, "7"), (other, "b")):
        client.monitor("V", handle)
    started(connected)
    connected.publish(("V", value(1.0)))
    assert [message["Header"]["ClientHandle"] for message in one.messages()] == ["a", 7, "7"]
    assert [message["Header"]["ClientHandle"] for message in other.messages()] == ["b"]


def test_clients_with_the_same_handle_get_the_very_same_bytes(connected: Plant) -> None:
    clients = [Client(connected) for _ in range(3)]
    for client in clients:
        client.monitor("V")
    started(connected)
    connected.publish(("V", value(1.0)))
    frames = [client.frames() for client in clients]
    assert frames[0] and all(frame[0] is frames[0][0] for frame in frames)


def test_each_dialect_gets_its_own_form(connected: Plant) -> None:
    typed, string = Client(connected, TYPED), Client(connected, STRING)
    typed.monitor("V")
    string.monitor("V")
    started(connected)
    connected.publish(("V", value(1.5)))
    assert typed.bodies()[0]["Value"] == {"Type": 11, "Body": 1.5}
    assert string.bodies()[0]["Value"]["Body"] == "1.5"


def test_after_a_stop_nothing_more_is_sent_while_others_go_on(connected: Plant) -> None:
    one, other = Client(connected), Client(connected)
    stopped = one.monitor("V")
    other.monitor("V")
    started(connected)
    one.stop(stopped)
    connected.publish(("V", value(1.0)))
    assert one.numbers() == [] and other.numbers() == [1.0]


def test_a_client_is_woken_once_for_many_updates(connected: Plant) -> None:
    client = Client(connected)
    client.monitor("V")
    started(connected)
    before = client.woken
    connected.publish(*[("V", value(number)) for number in range(100)])
    wait_until(lambda: client.woken > before, "the client is woken")
    connected.sync()
    assert client.woken == before + 1


def test_a_defect_in_one_command_costs_the_next_nothing(
    connected: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(connected)
    client.monitor("V")
    started(connected)
    connected.relay.published(connected.link, 5, lambda: None)
    connected.publish(("V", value(1.0)))
    assert client.numbers() == [1.0]
    assert "a defect in the relay" in caplog.text


# --- MinInterval -------------------------------------------------------------------------------


def test_with_a_min_interval_the_latest_value_wins_and_comes_when_it_is_due(
    connected: Plant,
) -> None:
    client = Client(connected)
    client.monitor("V", min_interval=0.3)
    started(connected)
    connected.publish(*[("V", value(number)) for number in range(20)])
    seen = client.numbers()
    while len(seen) < 2:
        wait_until(lambda: client.outbox, "the held value comes")
        seen += client.numbers()
    assert seen == [0, 19]


def test_a_stopped_monitor_does_not_send_the_value_that_it_held(connected: Plant) -> None:
    client = Client(connected)
    stopped = client.monitor("V", "stopped", min_interval=0.05)
    client.monitor("V", "other", min_interval=0.1)
    started(connected)
    connected.publish(("V", value(1.0)), ("V", value(2.0)))
    client.stop(stopped)
    client.frames()  # on a slow machine what was held is among them already
    connected.publish(("V", value(3.0)))
    told: List[Dict[str, Any]] = []
    while not told or told[-1]["Body"]["Value"]["Body"] != 3.0:
        wait_until(lambda: client.outbox, "the other monitor's value comes")
        told += client.messages()
    assert {message["Header"]["ClientHandle"] for message in told} == {"other"}


def test_a_min_interval_longer_than_a_lock_can_wait_ends_no_relay(connected: Plant) -> None:
    client = Client(connected)
    client.monitor("V", min_interval=1e12)
    client.monitor("W")
    started(connected, ("V", "W"))
    connected.publish(("V", value(1.0)), ("V", value(2.0)))
    connected.publish(("W", value(3.0)))
    assert client.numbers() == [1.0, 3.0]


def test_the_loss_of_the_plant_does_not_wait_for_a_min_interval(connected: Plant) -> None:
    client = Client(connected)
    client.monitor("V", min_interval=3600.0)
    started(connected)
    connected.publish(("V", value(1.0)), ("V", value(2.0)))
    connected.relay.lost(connected.link, "gone")
    connected.sync()
    assert [body.get("StatusCode") for body in client.bodies()] == [None, "BadNotConnected"]


# --- generations -------------------------------------------------------------------------------


def test_a_lost_generation_is_told_to_every_monitor_with_the_last_value(connected: Plant) -> None:
    client = Client(connected)
    client.monitor("V", "a")
    client.monitor("W", "b")
    started(connected, ("V", "W"))
    connected.publish(("V", value(1.5)))
    client.frames()
    connected.relay.lost(connected.link, "the cable was cut")
    connected.sync()
    first, second = client.bodies()
    assert first["StatusCode"] == second["StatusCode"] == "BadNotConnected"
    assert first["Value"]["Body"] == 1.5 and "Value" not in second
    assert "the cable was cut" in first["Reason"]


def test_a_monitor_started_without_a_connection_is_told_so_and_created_with_the_next(
    plant: Plant,
) -> None:
    client = Client(plant)
    client.monitor("V")
    assert client.bodies()[0]["StatusCode"] == "BadNotConnected"
    assert plant.created == []
    ready = plant.connect()
    assert [name for name, _handle in plant.created] == ["V"]
    assert not ready.is_set(), "connected only when the items are"
    started(plant)
    assert ready.wait(PATIENCE)
    plant.publish(("V", value(3.0)))
    assert client.numbers() == [3.0]


def test_a_new_generation_creates_all_items_anew_and_the_old_one_is_ignored(
    connected: Plant,
) -> None:
    client = Client(connected)
    client.monitor("V")
    started(connected)
    old_link, old_handle = connected.link, connected.handle("V")
    connected.relay.lost(old_link, "gone")
    connected.connect()
    started(connected)
    client.frames()
    assert connected.handle("V") != old_handle
    late = [(old_handle, value(1.0))]
    connected.relay.published(old_link, late, lambda: None)
    connected.relay.created(old_link, [Created(old_handle, 5, "Good", "")])
    connected.relay.lost(old_link, "gone twice")
    connected.sync()
    assert client.bodies() == [] and connected.deleted == []
    connected.publish(("V", value(2.0)))
    assert client.numbers() == [2.0]


def test_publish_bodies_are_reported_done_whether_they_count_or_not(connected: Plant) -> None:
    done: List[int] = []
    connected.relay.published(object(), [], lambda: done.append(1))
    connected.relay.published(connected.link, 5, lambda: done.append(2))
    connected.relay.published(connected.link, [(99, value(1.0))], lambda: done.append(3))
    connected.sync()
    assert done == [1, 2, 3]


# --- refused items -----------------------------------------------------------------------------


def refuse(plant: Plant, variable: str, status: str = "BadNodeIdUnknown") -> None:
    refused = Created(plant.handle(variable), None, status, "no such node")
    plant.relay.created(plant.link, [refused])
    plant.sync()


def test_a_refused_item_is_an_update_with_its_status_also_for_the_second_monitor(
    connected: Plant,
) -> None:
    one, other = Client(connected), Client(connected)
    one.monitor("V")
    refuse(connected, "V")
    other.monitor("V")
    for client in (one, other):
        (body,) = client.bodies()
        assert body["StatusCode"] == "BadNodeIdUnknown" and body["Reason"] == "no such node"


def test_a_refused_item_is_asked_for_again_and_told_only_when_its_fate_changes(
    impatient: Plant,
) -> None:
    client = Client(impatient)
    client.monitor("V")
    refuse(impatient, "V")
    assert len(client.bodies()) == 1
    wait_until(lambda: len(impatient.created) == 2, "it is asked for again")
    refuse(impatient, "V")
    assert client.bodies() == []
    wait_until(lambda: len(impatient.created) == 3, "and again")
    started(impatient)
    impatient.publish(("V", value(1.0)))
    assert client.numbers() == [1.0]


def test_a_refused_item_that_nobody_wants_any_more_is_not_asked_for_again(impatient: Plant) -> None:
    client = Client(impatient)
    unwanted = client.monitor("V")
    client.monitor("W", "w")
    refuse(impatient, "V")
    client.stop(unwanted)
    impatient.sync()

    def asked(name: str) -> int:
        return [each for each, _handle in impatient.created].count(name)

    before = asked("V")
    refuse(impatient, "W")
    wait_until(lambda: asked("W") >= 2, "W is asked for again")
    assert asked("V") == before
    assert impatient.deleted == []


def test_health_counts_what_is_configured_monitored_and_refused(connected: Plant) -> None:
    client = Client(connected)
    client.monitor("V")
    client.monitor("W", "w")
    client.monitor("X", "x")
    refuse(connected, "V")
    started(connected, ["W"])
    health = connected.relay.health()
    assert (health.configured, health.active) == (3, 1)
    assert health.failed == {"V": ("BadNodeIdUnknown", "no such node")}
    connected.failures = {"W": ("BadNodeIdUnknown", "not there"), "Y": ("BadUserAccessDenied", "")}
    assert set(connected.relay.health().failed) == {"V", "Y"}, "W works, whatever is said of it"
    connected.relay.lost(connected.link, "gone")
    connected.sync()
    assert connected.relay.health().failed == {} and connected.relay.health().active == 0


def test_a_listener_is_told_when_the_number_of_failures_changes(connected: Plant) -> None:
    listener = Client(connected)
    connected.relay.listen(listener.outbox)
    connected.relay.status("connected", "2026-11-22T10:00:00Z", None)
    connected.sync()
    assert [body["Failed"] for body in listener.bodies()] == [0]
    client = Client(connected)
    client.monitor("V")
    refuse(connected, "V")
    (body,) = listener.bodies()
    assert (body["State"], body["Configured"], body["Failed"]) == ("connected", 3, 1)
    connected.failures = {"Y": ("BadNodeIdUnknown", "")}
    connected.relay.recount(connected.link)
    connected.sync()
    assert [body["Failed"] for body in listener.bodies()] == [2]
    connected.relay.recount(connected.link)
    connected.sync()
    assert listener.bodies() == [], "nothing has changed"


def test_what_the_source_says_has_failed_is_looked_for_again(impatient: Plant) -> None:
    impatient.failures = {"Y": ("BadNodeIdUnknown", "")}
    impatient.relay.recount(impatient.link)
    wait_until(lambda: impatient.retried, "the source is asked to look again")


# --- the last value, for MaxAge ----------------------------------------------------------------


def test_the_latest_value_serves_while_it_is_young_and_unwritten(connected: Plant) -> None:
    assert connected.relay.latest("V", 3600.0) is None
    Client(connected).monitor("V")
    started(connected)
    assert connected.relay.latest("V", 3600.0) is None
    connected.publish(("V", value(1.0)))
    assert connected.relay.latest("V", 3600.0) == value(1.0)
    assert connected.relay.latest("V", -1.0) is None
    assert connected.relay.latest("V", 3600.0, time.monotonic()) is None


# --- the server's state ------------------------------------------------------------------------


def test_the_servers_state_goes_to_typed_monitors_and_to_those_that_asked(
    connected: Plant,
) -> None:
    typed, string, asked, nobody = (
        Client(connected),
        Client(connected, STRING),
        Client(connected),
        Client(connected),
    )
    typed.monitor("V", "a")
    typed.monitor("V", "b")
    string.monitor("V")
    connected.relay.listen(asked.outbox)
    connected.relay.status("disconnected", "2026-11-22T10:00:00Z", "killed")
    connected.sync()
    for client in (typed, asked):
        (message,) = client.messages()
        assert message["Header"]["MessageType"] == "SERVERSTATUS_MESSAGE"
        assert message["Body"]["State"] == "disconnected"
    assert string.messages() == nobody.messages() == []


def test_who_asks_for_the_state_is_told_the_present_one_until_it_leaves(connected: Plant) -> None:
    client = Client(connected)
    connected.relay.status("connected", "2026-11-22T10:00:00Z", None)
    connected.relay.listen(client.outbox)
    connected.sync()
    assert [body["State"] for body in client.bodies()] == ["connected"]
    connected.relay.leave(client.outbox)
    connected.relay.status("disconnected", "2026-11-22T10:00:01Z", None)
    connected.sync()
    assert client.bodies() == []


# --- a client that is too slow -----------------------------------------------------------------


def test_after_a_loss_the_next_update_has_the_overflow_bit(connected: Plant) -> None:
    client = Client(connected)
    client.outbox = Outbox(1, 10**6, 10, lambda: None)
    client.monitor("V")
    started(connected)
    uncertain = status_codes.code("UncertainLastUsableValue")
    connected.publish(*[("V", value(number, uncertain)) for number in range(10)])
    first, last = client.bodies()
    assert (first["Value"]["Body"], first["Status"]) == (0, uncertain)
    assert (last["Value"]["Body"], last["Status"]) == (9, uncertain | 0x480)


def test_a_stopped_monitor_is_not_kept_until_its_next_update_was_due(connected: Plant) -> None:
    client = Client(connected)
    monitor = client.monitor("V", min_interval=86400.0)
    started(connected)
    connected.publish(("V", value(1.0)), ("V", value(2.0)))
    client.stop(monitor)
    kept = weakref.ref(monitor.outbox)
    del monitor, client
    gc.collect()
    assert kept() is None


def test_after_values_were_lost_the_next_of_each_variable_has_the_overflow_bit(
    connected: Plant,
) -> None:
    client = Client(connected)
    client.monitor("V")
    started(connected)
    connected.relay.values_lost(connected.link, 0)
    connected.publish(("V", value(1.0)), ("V", value(2.0)))
    assert [body.get("Status", 0) for body in client.bodies()] == [status_codes.OVERFLOW, 0]


def test_values_lost_by_one_subscription_mark_only_its_own_variables(connected: Plant) -> None:
    client = Client(connected)
    for name in "VWX":
        client.monitor(name, name)
    handles = {name: connected.handle(name) for name in "VWX"}
    made = [Created(handles[name], 1, "Good", "", place) for name, place in (("V", 7), ("W", 8))]
    connected.relay.created(connected.link, made)
    connected.relay.values_lost(connected.link, 8)
    connected.publish(*[(name, value(1.0)) for name in "VWX"])
    marks = {body["Variable"]: body.get("Status", 0) for body in client.bodies()}
    overflow = status_codes.OVERFLOW
    assert marks == {"V": 0, "W": overflow, "X": overflow}, "where X is, is still to be told"


def test_the_first_value_of_an_item_that_the_configuration_made_anew_has_the_overflow_bit(
    connected: Plant,
) -> None:
    client = Client(connected)
    client.monitor("V")
    client.monitor("W")
    client.monitor("X")
    started(connected, ["V", "W"])
    connected.publish(("V", value(1.0)), ("W", value(1.0)))
    client.frames()
    remade = frozenset(("V", "W", "X"))
    connected.relay.change(3, 3600.0, remade, frozenset(("W",)))
    connected.sync()
    started(connected, ["V", "W", "X"])
    # W is another node now, and of X nothing had come.
    connected.publish(*[(name, value(number)) for name in "VWX" for number in (2.0, 3.0)])
    marks = [body.get("Status", 0) for body in client.bodies()]
    assert marks == [status_codes.OVERFLOW, 0, 0, 0, 0, 0]


def test_who_comes_after_values_were_lost_is_told_of_no_loss(connected: Plant) -> None:
    Client(connected).monitor("V")
    started(connected)
    connected.relay.values_lost(connected.link, 0)
    connected.publish(("V", value(1.0)))
    later = Client(connected)
    later.monitor("V")
    assert ["Status" in body for body in later.bodies()] == [False]
    assert connected.relay.latest("V", 60.0) == value(1.0)


def test_a_client_whose_socket_has_a_defect_costs_the_others_nothing(connected: Plant) -> None:
    broken, other = Client(connected), Client(connected)
    broken.outbox.wake = _raise
    broken.monitor("V")
    other.monitor("V")
    started(connected)
    connected.publish(("V", value(1.0)))
    connected.publish(("V", value(2.0)))
    assert other.numbers() == [1.0, 2.0]


def _raise() -> None:
    raise ValueError("a defect")


def test_a_value_that_arrived_before_a_write_was_answered_does_not_serve_after_it(
    connected: Plant,
) -> None:
    Client(connected).monitor("V")
    started(connected)
    relay = connected.relay
    busy = threading.Event()
    relay.published(None, [], busy.wait)
    relay.published(connected.link, [(connected.handle("V"), value(1.0))], lambda: None)
    written_at = time.monotonic()
    busy.set()
    connected.sync()
    assert relay.latest("V", 3600.0, written_at) is None
    # Windows' clock goes on every 15.6 ms only.
    wait_until(lambda: time.monotonic() > written_at, "a moment behind the write")
    connected.publish(("V", value(2.0)))
    assert relay.latest("V", 3600.0, written_at) == value(2.0)


# --- very many monitors of one variable ----------------------------------------------------------


def test_a_client_that_has_very_many_monitors_of_one_variable_is_told_in_turns() -> None:
    table = Monitors()
    outbox = Client(Plant()).outbox

    def add(variable: str, handle: int) -> bool:
        monitor = Monitor(outbox, variable, handle, TYPED, 0.0)
        monitor.extra = table.is_extra(variable)
        table[int, handle, variable] = monitor
        return monitor.extra

    assert not any(add("V%d" % number, 0) for number in range(1000)), "however many variables"
    assert not any(add("V0", handle) for handle in range(1, MANY_HANDLES + 1))
    assert add("V0", MANY_HANDLES + 1)
    assert not add("W", 0)


def _extras(plant: Plant, client: Client, number: int) -> List[Monitor]:
    """As many of V, of which there is one already."""
    made = []
    for handle in range(number):
        monitor = Monitor(client.outbox, "V", handle, TYPED, 0.0)
        monitor.extra = True
        plant.relay.begin(monitor)
        made.append(monitor)
    plant.sync()
    return made


class Greedy(Client):
    """One whose outbox holds everything, and notes whose turn came."""

    def __init__(self, plant: Plant) -> None:
        super().__init__(plant)
        self.outbox = Outbox(10**6, 10**9, 10, self._wake)


def test_a_turn_of_the_greedy_one_is_short_and_the_others_come_between(connected: Plant) -> None:
    greedy, other = Greedy(connected), Client(connected)
    greedy.monitor("V")
    _extras(connected, greedy, 10 * TURN)
    other.monitor("W")
    started(connected, ("V", "W"))
    greedy.frames()
    published: List[int] = []

    def deliver() -> None:
        """The greedy one is being told: let a value for the other come."""
        before = len(other.bodies())
        if len(published) < 5:
            published.append(before)
            body = [(connected.handle("W"), value(len(published)))]
            connected.relay.published(connected.link, body, lambda: None)

    greedy.outbox.wake = deliver
    connected.publish(("V", value(1)))
    wait_until(lambda: len(published) == 5, "it has its turns")
    assert sum(published) >= 3, "between two turns the other is told"


def test_in_turns_the_latest_value_comes_and_a_missed_one_is_told(connected: Plant) -> None:
    greedy = Greedy(connected)
    greedy.monitor("V")
    extras = _extras(connected, greedy, 4 * TURN)
    started(connected)
    greedy.frames()
    for number in range(1, 9):
        body = [(connected.handle("V"), value(number))]
        connected.relay.published(connected.link, body, lambda: None)
    told: Dict[Any, List[Any]] = {}

    def all_told() -> bool:
        for message in greedy.messages():
            told.setdefault(message["Header"]["ClientHandle"], []).append(message["Body"])
        last = [bodies[-1]["Value"]["Body"] for bodies in told.values()]
        return len(told) == 1 + len(extras) and set(last) == {8.0}

    wait_until(all_told, "each monitor has the last value")
    assert [each["Value"]["Body"] for each in told["m"]] == [float(n) for n in range(1, 9)]
    for handle in range(4 * TURN):
        before = 0.0
        for body in told[handle]:
            number = body["Value"]["Body"]
            assert number > before
            assert bool(body.get("Status", 0) & 0x80) == (number > before + 1), told[handle]
            before = number
    greedy.stop(*extras)
    assert connected.deleted == []


def test_extras_that_are_stopped_are_told_nothing_more_and_the_last_stop_deletes_the_item(
    connected: Plant,
) -> None:
    greedy = Greedy(connected)
    first = greedy.monitor("V")
    extras = _extras(connected, greedy, 3)
    started(connected)
    greedy.stop(first, *extras[:2])
    greedy.frames()
    connected.publish(("V", value(1)))
    wait_until(lambda: greedy.outbox, "the one left is told")
    assert [each["Header"]["ClientHandle"] for each in greedy.messages()] == [2]
    greedy.stop(extras[2])
    assert connected.deleted == [connected.handle("V") + 1000]


def test_extras_are_told_that_the_connection_is_lost(connected: Plant) -> None:
    greedy = Greedy(connected)
    greedy.monitor("V")
    _extras(connected, greedy, 2)
    started(connected)
    connected.publish(("V", value(1)))
    greedy.frames()
    connected.relay.lost(connected.link, "gone")
    told: List[Any] = []

    def all_told() -> bool:
        told.extend(greedy.bodies())
        return sum(each["Symbol"] == "BadNotConnected" for each in told if "Symbol" in each) == 3

    wait_until(all_told, "each is told")


# --- very many monitors of different variables ---------------------------------------------------

NAMES = ["V%d" % number for number in range(3 * TURN)]


@pytest.fixture
def behind(connected: Plant, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Whatever comes has waited too long, and two monitors are very many."""
    monkeypatch.setattr(relay, "BEHIND_S", -1.0)
    monkeypatch.setattr(relay, "MANY_MONITORS", 2)
    return connected


def _monitor_all(plant: Plant, client: Client, names: Sequence[str] = NAMES) -> None:
    for name in names:
        plant.relay.begin(Monitor(client.outbox, name, "m", TYPED, 0.0))
    plant.sync()
    started(plant, names)
    client.frames()


def _publish_together(plant: Plant, *messages: List[Tuple[str, float]]) -> None:
    """Publish *messages*, which the relay finds all at once."""
    go_on = threading.Event()
    plant.relay._commands.put(go_on.wait)
    for message in messages:
        body = [(plant.handle(name), value(number)) for name, number in message]
        plant.relay.published(plant.link, body, lambda: None)
    go_on.set()


def test_while_the_relay_is_behind_who_has_very_many_monitors_waits_and_nobody_else(
    behind: Plant,
) -> None:
    greedy, other = Greedy(behind), Client(behind)
    other.monitor("V0")
    _monitor_all(behind, greedy)
    other.frames()
    between: List[int] = []
    greedy.outbox.wake = lambda: between.append(len(greedy.outbox._queue))
    messages = [[(name, float(number)) for name in NAMES] for number in (1, 2, 3)]
    _publish_together(behind, *messages)
    told: Dict[str, List[Any]] = {}

    def all_told() -> bool:
        for body in greedy.bodies():
            told.setdefault(body["Variable"], []).append(body)
        last = [bodies[-1]["Value"]["Body"] for bodies in told.values()]
        return len(told) == len(NAMES) and set(last) == {3.0}

    wait_until(all_told, "each has the last value")
    assert other.numbers() == [1.0, 2.0, 3.0]
    # What another monitors too is told to both.
    assert [each["Value"]["Body"] for each in told.pop("V0")] == [1.0, 2.0, 3.0]
    assert sum(map(len, told.values())) < 2.5 * len(told), "others wait"
    for bodies in told.values():
        before = 0.0
        for body in bodies:
            number = body["Value"]["Body"]
            assert bool(body.get("Status", 0) & 0x80) == (number > before + 1), bodies
            before = number
    assert len(between) >= 3, "after each turn there are other commands"
    behind.publish(*[(name, value(4.0)) for name in NAMES])
    wait_until(lambda: len(greedy.outbox._queue) == len(NAMES), "and the next")
    assert not any("Status" in each for each in greedy.bodies()), "nothing was lost before it"


def test_what_waits_while_the_relay_is_behind_comes_before_what_is_told_at_once(
    behind: Plant,
) -> None:
    greedy, other = Greedy(behind), Client(behind)
    other.monitor("W")
    _monitor_all(behind, greedy)
    go_on = threading.Event()
    behind.relay._commands.put(go_on.wait)
    body = [(behind.handle(name), value(1.0)) for name in NAMES]
    behind.relay.published(behind.link, body, lambda: None)
    late = Monitor(other.outbox, "V1", "m", TYPED, 0.0)
    behind.relay.begin(late)
    behind.relay.lost(behind.link, "gone")
    go_on.set()
    told: Dict[str, List[Any]] = {}
    wait_until(lambda: len(greedy.outbox._queue) >= 2 * len(NAMES), "each is told both")
    for each in greedy.bodies():
        told.setdefault(each["Variable"], []).append(each.get("Symbol"))
    assert all(each == [None, "BadNotConnected"] for each in told.values()), told
    last = [each.get("Symbol") for each in other.bodies() if each["Variable"] == "V1"]
    assert last == [None, "BadNotConnected"]


def test_who_is_alone_with_very_many_monitors_is_told_everything(behind: Plant) -> None:
    greedy = Greedy(behind)
    _monitor_all(behind, greedy)
    _publish_together(behind, *[[("V0", float(number))] for number in range(5)])
    behind.sync()
    assert greedy.numbers() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_who_stops_all_but_a_few_of_its_monitors_waits_no_more(behind: Plant) -> None:
    greedy, other = Greedy(behind), Client(behind)
    other.monitor("W")
    monitors = [greedy.monitor(name) for name in NAMES[:3]]
    started(behind, NAMES[:3])
    assert behind.relay._greedy == {greedy.outbox}
    greedy.stop(monitors[0])
    assert not behind.relay._greedy
    greedy.stop(*monitors[1:])
    assert list(behind.relay._numbers) == [other.outbox]


def test_a_turn_of_a_large_value_ends_when_much_is_made(
    connected: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "GATHER_BYTES", 1000)
    greedy = Greedy(connected)
    greedy.monitor("V")
    _extras(connected, greedy, TURN)
    started(connected)
    greedy.frames()
    turns: List[int] = []
    greedy.outbox.wake = lambda: turns.append(len(greedy.outbox._queue))
    connected.publish(("V", value(1)))
    wait_until(lambda: len(greedy.outbox._queue) == 1 + TURN, "each is told")
    assert len(turns) > 10
