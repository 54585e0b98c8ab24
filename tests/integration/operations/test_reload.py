"""A running server takes over another configuration; who is not concerned does not notice."""

import json
import os
import signal
import socket
import stat
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import pytest

from opcws.access import accounts
from opcws.app import Server
from opcws.config import load, loads
from opcws.config.difference import Difference
from opcws.demo import Plant
from opcws.demo.plant import _Session
from opcws.model.errors import ConfigError
from opcws.operations import control_socket

from ... import support
from ...support import PATIENCE, URI, Client, pki, slack_s, wait_until
from ...support.byte_client import connection_threads
from ..messages.test_monitoring import ends_with, items, product_threads
from .test_shutdown import STOP_S, Opcws, posix, run

COUNTER, DOUBLE, INT32 = "Test.Counter", "Types.Double", "Types.Int32"
#: Reloads after which everything must be as it was.
ROUNDS = 50


def node(name: str, **more: Any) -> Dict[str, Any]:
    return {"node": "nsu=%s;s=%s" % (URI, name), **more}


VARIABLES = {
    COUNTER: node(COUNTER, access="readwrite"),
    DOUBLE: node(DOUBLE),
    INT32: node(INT32),
}


def without(*names: str) -> Dict[str, Any]:
    return {name: each for name, each in VARIABLES.items() if name not in names}


class Site(NamedTuple):
    """opcws in front of a plant in this process."""

    plant: Plant
    server: Server

    @property
    def url(self) -> str:
        return self.server.urls[0]

    def settings(self, **changes: Any) -> Dict[str, Any]:
        changes.setdefault("variables", VARIABLES)
        return support.settings(self.plant.endpoint, **changes)

    def reload(self, **changes: Any) -> Difference:
        return self.take_over(self.settings(**changes))

    def take_over(self, settings: Dict[str, Any]) -> Difference:
        return self.server.reload(loads(json.dumps(settings)))

    @property
    def link(self) -> Any:
        return self.server.plants["plant"].supervisor.link


@pytest.fixture(scope="module")
def in_process() -> Iterator[Plant]:
    with Plant(clock_period_s=3600.0) as running:
        yield running


@pytest.fixture(scope="module")
def shared(in_process: Plant) -> Iterator[Site]:
    server = support.serve(in_process.endpoint, variables=VARIABLES)
    support.wait_connected(server)
    yield Site(in_process, server)
    server.stop()
    wait_until(lambda: not product_threads(), "no thread is left")


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    """Configured as every test begins, and nobody connected."""
    yield shared
    shared.reload()
    support.wait_connected(shared.server)
    wait_until(
        lambda: not any(each.connections() for each in shared.server.listeners),
        "every client has left",
    )
    wait_until(lambda: not connection_threads(), "and no thread of theirs is left")


def info(client: Client, variable: str) -> Dict[str, Any]:
    (found,) = client.body("VALUEINFO", {"Variables": [variable]})["Variables"]
    return dict(found)


def monitor(client: Client, *variables: str, handle: Any = "m") -> None:
    """Start monitors, and have the present value of each."""
    client.body("MONITORSTART", {"Variables": list(variables)}, handle)
    for _ in variables:
        client.update(handle)


# --- who is not concerned ----------------------------------------------------------------------


def test_who_monitors_what_stays_sees_no_gap_no_double_and_no_new_connection(site: Site) -> None:
    written: List[int] = []
    stop = threading.Event()

    def write() -> None:
        with Client(site.url) as writer:
            while not stop.wait(0.02):
                writer.write(COUNTER, len(written) + 1000)
                written.append(len(written) + 1000)

    with Client(site.url) as client:
        client.write(COUNTER, 999)
        monitor(client, COUNTER)
        link, item = site.link, items(site.plant)
        writing = threading.Thread(target=write)
        writing.start()
        for step in range(6):
            before = len(written)
            wait_until(lambda before=before: len(written) > before + 5, "values flow")
            changed = without(DOUBLE) if step % 2 else {**VARIABLES, "new": node("Types.Byte")}
            changed[INT32] = node(INT32, access="readwrite", queue_size=step + 1)
            difference = site.reload(
                variables=changed, server={"history_max_values": step + 1}, listen={}
            )
            assert difference.changed and not difference.changed[0].reconnect
        stop.set()
        writing.join(PATIENCE)
        seen = [client.update("m")["Value"]["Body"] for _ in written]
        assert seen == written
        assert site.link is link and not link.lost.is_set()
        assert items(site.plant) == item
        # And nothing more came than that.
        client.body("MONITORSTOP", {"Variable": COUNTER}, "m")
        assert not [each for each in client.pushed if each["Header"]["ClientHandle"] == "m"]


def test_only_the_changed_variable_has_its_item_made_anew(site: Site) -> None:
    with Client(site.url) as client:
        monitor(client, COUNTER, handle="counter")
        kept = set(items(site.plant))
        monitor(client, DOUBLE, handle="double")
        (old,) = set(items(site.plant)) - kept
        site.reload(variables={**VARIABLES, DOUBLE: node(DOUBLE, queue_size=3)})
        wait_until(
            lambda: len(items(site.plant)) == 2 and old not in items(site.plant), "made anew"
        )
        assert kept < set(items(site.plant))
        revised = site.server.plants["plant"].items.revised[DOUBLE]
        assert revised.asked_queue_size == 3
        site.plant.set(DOUBLE, 4711.5)
        client.update_where(lambda body: body["Value"]["Body"] == 4711.5, handle="double")


def test_fifty_reloads_leave_no_thread_no_item_and_no_socket_behind(site: Site) -> None:
    extra = support.settings(site.plant.endpoint, variables={"extra": node(DOUBLE)})
    more = {"more": extra["servers"]["plant"]}
    with Client(site.url, "?status=1") as client:
        monitor(client, COUNTER)
        before = product_threads()
        for step in range(ROUNDS):
            listen: Any = site.settings()["listen"]
            if step % 10 == 4:
                site.take_over(
                    {**site.settings(more_servers=more), "listen": [listen, {"port": 0}]}
                )
                support.wait_connected(site.server)
                assert len(product_threads()) > len(before)
            else:
                site.reload(variables=without(DOUBLE) if step % 2 else VARIABLES)
            assert site.server.status_pages.document("healthz").status == 200
        site.reload()
        wait_until(lambda: product_threads() == before, "the threads are those from before")
        assert len(items(site.plant)) == 1
        answered = site.server.gateway.replies.totals().get(("READ", "Good"), 0)
        assert client.status("READ", {"Variable": COUNTER}) is None
        site.reload()
        wait_until(
            lambda: site.server.gateway.replies.totals()["READ", "Good"] == answered + 1,
            "what is counted goes on",
        )
        assert len(site.server.clients._open) == 1


# --- all or nothing ----------------------------------------------------------------------------


def test_a_change_that_cannot_be_carried_out_changes_nothing_and_names_every_problem(
    site: Site, tmp_path: Path
) -> None:
    urls, present = site.server.urls, site.server.config
    listen = site.settings()["listen"]
    with socket.socket() as taken, Client(site.url) as client:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        monitor(client, COUNTER)
        (tmp_path / "bad.pem").write_text("no certificate")
        bad = str(tmp_path / "bad.pem")
        settings = site.settings(variables=without(COUNTER, DOUBLE))
        settings["listen"] = [
            {**listen, "tls": {"certificate": bad, "key": bad}},
            {"host": "127.0.0.1", "port": taken.getsockname()[1]},
            {"host": "127.0.0.1", "port": 0, "scalars": "string"},
        ]
        settings["log"] = {"file": str(tmp_path / "missing" / "log")}
        threads = product_threads()
        with pytest.raises(ConfigError) as caught:
            site.take_over(settings)
        problems = "\n".join(caught.value.problems)
        assert "bad.pem" in problems
        assert "another program does already" in problems
        assert "log.file: cannot write" in problems
        assert site.server.urls == urls and site.server.config is present
        assert product_threads() == threads
        assert client.body("VALUELIST")["Variables"] == sorted(VARIABLES)
        client.write(COUNTER, 12)
        assert client.update("m")["Value"]["Body"] == 12


def test_an_address_of_our_own_that_was_let_go_is_taken_back_if_another_is_not_to_be_had(
    in_process: Plant,
) -> None:
    port = support.free_port()
    server = support.serve(in_process.endpoint, variables=VARIABLES, listen={"port": port})
    site = Site(in_process, server)
    support.wait_connected(server)
    try:
        with socket.socket() as taken, Client(site.url) as client:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            settings = site.settings()
            # The first is to be had only when 127.0.0.1 is let go; the second by nobody.
            settings["listen"] = [
                {"host": "localhost", "port": port, "close_timeout_s": 1},
                {"host": "127.0.0.1", "port": taken.getsockname()[1]},
            ]
            with pytest.raises(ConfigError, match="another program does already"):
                site.take_over(settings)
            assert client.status("READ", {"Variable": COUNTER}) is None
            with Client(site.url) as other:
                assert other.status("READ", {"Variable": COUNTER}) is None
            settings["listen"].pop()
            site.take_over(settings)
            assert ends_with(client) == 1001
            client.vanish()
        with Client("http://127.0.0.1:%d/" % port) as other:
            assert other.status("READ", {"Variable": COUNTER}) is None
    finally:
        server.stop()


# --- variables ---------------------------------------------------------------------------------


def test_a_removed_variable_is_told_once_sleeps_and_goes_on_when_it_is_back(site: Site) -> None:
    with Client(site.url) as client:
        monitor(client, COUNTER)
        site.reload(variables=without(COUNTER))
        last = client.update("m")
        assert last["StatusCode"] == "BadNodeIdUnknown" and COUNTER in last["Reason"]
        assert "Value" not in last
        wait_until(lambda: not items(site.plant), "its item is deleted")
        assert client.body("VALUELIST")["Variables"] == sorted(without(COUNTER))
        for request, body in (
            ("READ", {"Variable": COUNTER}),
            ("WRITE", {"Variable": COUNTER, "Value": 1}),
            ("MONITORSTART", {"Variable": COUNTER}),
        ):
            assert client.status(request, body, "other") == "BadNodeIdUnknown"
        site.plant.set(COUNTER, 31)
        site.reload(variables=without(COUNTER, DOUBLE))
        # Everything sent so far has come: the sleeping monitor was told nothing more.
        assert client.body("VALUELIST")["Variables"] == [INT32]
        assert not client.pushed
        site.reload()
        assert client.update("m")["Value"]["Body"] == 31
        site.plant.set(COUNTER, 32)
        assert client.update("m")["Value"]["Body"] == 32


def test_a_sleeping_monitor_can_be_stopped_and_stays_stopped(site: Site) -> None:
    with Client(site.url) as client:
        monitor(client, COUNTER)
        site.reload(variables=without(COUNTER))
        client.update("m")
        assert client.status("MONITORSTOP", {"Variable": COUNTER}, "m") is None
        assert client.status("MONITORSTOP", {"Variable": COUNTER}, "m") == "BadNodeIdUnknown"
        site.reload()
        assert client.status("MONITORSTOP", {"Variable": COUNTER}, "m") == "BadNoEntryExists"
        wait_until(lambda: not items(site.plant), "the item is gone")
        assert not client.pushed


def test_access_and_what_clients_are_told_change_without_touching_the_item(site: Site) -> None:
    with Client(site.url) as client:
        monitor(client, DOUBLE)
        before = items(site.plant)
        assert client.status("WRITE", {"Variable": DOUBLE, "Value": 1.5}) == "BadNotWritable"
        site.reload(
            variables={**VARIABLES, DOUBLE: node(DOUBLE, access="readwrite", metadata={"x": 1})}
        )
        client.write(DOUBLE, 1.5)
        assert client.update("m")["Value"]["Body"] == 1.5
        told = info(client, DOUBLE)
        assert told["Access"] == "readwrite" and told["MetaData"] == {"x": 1}
        assert items(site.plant) == before
        site.reload(variables={**VARIABLES, DOUBLE: node(DOUBLE, access="write")})
        assert client.update("m")["StatusCode"] == "BadNotReadable"
        assert client.status("READ", {"Variable": DOUBLE}) == "BadNotReadable"


def test_new_limits_are_told_without_touching_the_item(site: Site) -> None:
    def limited(**limits: float) -> Dict[str, Any]:
        return {**VARIABLES, DOUBLE: node(DOUBLE, limits=limits)}

    with Client(site.url) as client:
        monitor(client, DOUBLE)
        before = items(site.plant)
        assert "Limits" not in info(client, DOUBLE)
        site.reload(variables=limited(low_low=-1, low=0.5, high=80, high_high=90))
        all_four = {"LowLow": -1, "Low": 0.5, "High": 80, "HighHigh": 90}
        assert info(client, DOUBLE)["Limits"] == all_four
        site.reload(variables=limited(high=85.5))
        assert info(client, DOUBLE)["Limits"] == {"High": 85.5}
        assert items(site.plant) == before
        site.reload()
        assert "Limits" not in info(client, DOUBLE)
        # Nothing came but what was asked for: the monitor goes on as it was.
        assert not client.pushed


def test_a_name_that_moves_to_another_node_brings_that_nodes_values_and_type(site: Site) -> None:
    site.plant.set(DOUBLE, 2.5)
    site.plant.set(INT32, 7)
    with Client(site.url) as client:
        monitor(client, DOUBLE)
        assert info(client, DOUBLE)["Type"] == "Double"
        site.reload(variables={**VARIABLES, DOUBLE: node(INT32, access="readwrite")})
        assert client.update("m")["Value"] == {"Type": 6, "Body": 7}
        assert client.body("READ", {"Variable": DOUBLE})["Value"] == {"Type": 6, "Body": 7}
        wait_until(lambda: info(client, DOUBLE).get("Type") == "Int32", "the type is learnt")
        assert client.status("WRITE", {"Variable": DOUBLE, "Value": 1.5}) == "BadTypeMismatch"
        client.write(DOUBLE, 8)
        assert client.update("m")["Value"]["Body"] == 8
        site.reload(variables={**VARIABLES, DOUBLE: node("Not.There")})
        assert client.update("m")["StatusCode"] == "BadNodeIdUnknown"
        # Nothing of the other node is left.
        status = client.status("READ", {"Variable": DOUBLE, "MaxAge": 60000})
        assert status == "BadNodeIdUnknown"
        health = site.server.plants["plant"].relay.health
        wait_until(lambda: DOUBLE in health().failed, "its failure is counted")
        site.reload(variables=without(DOUBLE))
        wait_until(lambda: not health().failed, "what is gone does not fail")
        site.reload()
        assert client.update_where(lambda body: "Value" in body)["Value"]["Type"] == 11


def test_a_name_that_moves_to_another_server_keeps_its_monitors(site: Site) -> None:
    with Client(site.url) as client:
        monitor(client, COUNTER)
        other = dict(site.settings()["servers"]["plant"], variables={COUNTER: node(INT32)})
        site.plant.set(INT32, 99)
        site.reload(variables=without(COUNTER), more_servers={"other": other})
        found = client.update_where(lambda body: body.get("Value", {}).get("Body") == 99)
        assert found["Variable"] == COUNTER
        assert info(client, COUNTER)["Server"] == "other"
    wait_until(lambda: not items(site.plant), "nothing is monitored any more")


def test_a_request_ends_with_what_it_began_with_but_its_monitor_follows(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = site.server.gateway._monitor_start

    def slow(client: Any, request: Any) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)
        real(client, request)

    monkeypatch.setitem(site.server.gateway._operations, "MONITORSTART", slow)
    with Client(site.url) as client:
        client.send("MONITORSTART", {"Variable": COUNTER}, "m")
        assert begun.wait(PATIENCE)
        site.reload(variables=without(COUNTER))
        go_on.set()
        assert "StatusCode" not in client.answer()["Body"]
        client.update_where(lambda body: body.get("StatusCode") == "BadNodeIdUnknown", handle="m")
        wait_until(lambda: not items(site.plant), "no item is left")
        # It sleeps, like any other of a variable that is gone, and wakes with it.
        site.reload()
        client.update_where(lambda body: "Value" in body, handle="m")


def test_a_monitor_that_starts_while_the_configuration_changes_is_where_it_belongs(
    site: Site,
) -> None:
    """Whichever comes first, a client hears of a removed variable, and no item is left."""
    stop, turn = threading.Event(), threading.Semaphore(0)

    def change() -> None:
        while turn.acquire(timeout=PATIENCE) and not stop.is_set():
            site.reload(variables=without(COUNTER))
            site.reload()

    changing = threading.Thread(target=change)
    changing.start()
    try:
        with Client(site.url) as client:
            for step in range(60):
                if step % 3 == 0:
                    turn.release()
                client.status("MONITORSTART", {"Variable": COUNTER}, step)
                client.pushed.clear()
            stop.set()
            turn.release()
            changing.join(PATIENCE)
            site.reload(variables=without(COUNTER))
            assert client.body("VALUELIST")["Variables"] == sorted(without(COUNTER))
            wait_until(lambda: not items(site.plant), "no item is left")
            client.pushed.clear()
            site.reload()
            (held,) = site.server.clients._open
            for _ in range(len(held.monitors)):
                assert "Value" in client.update()
    finally:
        stop.set()
        turn.release()
        changing.join(PATIENCE)


def test_who_asked_for_the_state_is_told_that_there_may_be_other_variables(site: Site) -> None:
    with Client(site.url, "?status=1") as client, Client(site.url) as other:
        first = client.push()["Body"]
        monitor(other, COUNTER)
        site.reload(variables={**VARIABLES, "new": node("Types.Byte")})
        told = client.push()["Body"]
        assert (told["State"], told["Since"]) == ("connected", first["Since"])
        assert told["Configured"] == first["Configured"] + 1
        assert "new" in client.body("VALUELIST")["Variables"], "it is not told too early"
        other.body("VALUELIST")
        kinds = [message["Header"]["MessageType"] for message in other.pushed]
        assert "SERVERSTATUS_MESSAGE" not in kinds


# --- servers -----------------------------------------------------------------------------------


def test_a_server_is_added_and_removed_while_others_go_on(site: Site) -> None:
    more = {"more": dict(site.settings()["servers"]["plant"], variables={"extra": node(DOUBLE)})}
    site.plant.set(DOUBLE, 1.25)
    with Client(site.url, "?status=1") as client:
        monitor(client, COUNTER)
        before = product_threads()
        site.reload(more_servers=more)
        support.wait_connected(site.server)
        client.body("MONITORSTART", {"Variable": "extra"}, "extra")
        assert client.update("extra")["Value"]["Body"] == 1.25
        client.pushed.clear()
        site.reload()
        assert client.update("extra")["StatusCode"] == "BadNodeIdUnknown"
        assert client.status("READ", {"Variable": "extra"}) == "BadNodeIdUnknown"
        states = server_states(client, "more", "disconnected")
        assert states[-1]["Reason"] == "the configuration no longer has this server"
        wait_until(lambda: product_threads() == before, "its threads have ended")
        client.write(COUNTER, 77)
        assert client.update("m")["Value"]["Body"] == 77
        site.reload(more_servers=more)
        server_states(client, "more", "connected")
        client.update_where(lambda body: "Value" in body, handle="extra")


def server_states(client: Client, name: str, until: str) -> List[Dict[str, Any]]:
    """The SERVERSTATUS of the server *name* up to the state *until*."""
    found: List[Dict[str, Any]] = []
    while not found or found[-1]["State"] != until:
        message = client.push()
        if message["Header"]["MessageType"] == "SERVERSTATUS_MESSAGE":
            if message["Body"]["Server"] == name:
                found.append(message["Body"])
        else:
            client_kept = message["Body"]
            assert client_kept["Variable"]
    return found


def test_a_changed_connection_is_a_new_one_and_requests_on_their_way_are_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()
    real = _Session.read

    def slow(self: Any, params: Any) -> Any:
        if go_on.is_set():
            return real(self, params)
        asked.set()
        assert go_on.wait(PATIENCE)
        return real(self, params)

    with Client(site.url) as client:
        monitor(client, COUNTER)
        link, supervisor = site.link, site.server.plants["plant"].supervisor
        monkeypatch.setattr(_Session, "read", slow)
        client.send("READ", {"Variable": DOUBLE}, "read")
        assert asked.wait(PATIENCE)
        client.send("READ", {"Variable": INT32}, "waits")
        worker = site.server.plants["plant"].worker
        wait_until(lambda: worker._operations, "the second waits behind the first")
        changing = threading.Thread(
            target=lambda: site.reload(server={"publishing_interval_ms": 60})
        )
        changing.start()
        wait_until(lambda: not supervisor.connected, "no more is let through")
        assert not supervisor._stopping.wait(0.3), "it leaves with requests on their way"
        go_on.set()
        for handle in ("read", "waits"):
            answer = client.answer()
            assert answer["Header"]["ClientHandle"] == handle and "Value" in answer["Body"]
        lost = client.update("m")
        assert lost["StatusCode"] == "BadNotConnected"
        assert lost["Reason"] == "the configuration has changed"
        changing.join(PATIENCE)
        assert "Value" in client.update("m") and link.lost.is_set()
        support.wait_connected(site.server)
        assert site.link.server.publishing_interval_ms == 60
        assert site.link.generation > link.generation
        assert client.status("READ", {"Variable": DOUBLE}) is None


def test_one_server_becomes_a_redundant_set_and_back(site: Site) -> None:
    with Client(site.url) as client:
        monitor(client, COUNTER)
        settings = site.settings()
        plant = settings["servers"]["plant"]
        plant["endpoints"] = [plant.pop("endpoint"), "opc.tcp://127.0.0.1:1"]
        site.take_over(settings)
        support.wait_connected(site.server)
        client.update_where(lambda body: "StatusCode" not in body, handle="m")
        assert site.server.plants["plant"].status()["Endpoints"]
        site.reload()
        support.wait_connected(site.server)
        assert "Endpoints" not in site.server.plants["plant"].status()


@posix
def test_a_stop_does_not_wait_for_a_change_that_hangs_at_a_disk(
    in_process: Plant, tmp_path: Path
) -> None:
    pipe = tmp_path / "opcws.log"
    os.mkfifo(str(pipe))
    server = support.serve(in_process.endpoint, variables=VARIABLES)
    support.wait_connected(server)
    settings = support.settings(in_process.endpoint, variables=VARIABLES)
    problems: List[str] = []

    def change() -> None:
        try:
            server.reload(loads(json.dumps({**settings, "log": {"file": str(pipe)}})))
        except ConfigError as error:
            problems.extend(error.problems)

    changing = threading.Thread(target=change)
    changing.start()
    wait_until(server._lock.locked, "the change has begun")
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < STOP_S + slack_s()
    # Nobody had the pipe open: whoever opens it hangs as a dead disk would have it hang.
    with open(str(pipe), "rb"):
        changing.join(PATIENCE)
    assert problems == ["opcws is stopping"]


def test_a_stop_does_not_wait_for_what_a_change_has_put_away(in_process: Plant) -> None:
    """A server that says nothing is removed, and opcws stops while that takes its time."""
    others = Counter(product_threads())
    silent = socket.create_server(("127.0.0.1", 0))
    more = support.settings("opc.tcp://127.0.0.1:%d" % silent.getsockname()[1], variables={})
    server = support.serve(
        in_process.endpoint, variables=VARIABLES, more_servers={"silent": more["servers"]["plant"]}
    )
    site = Site(in_process, server)
    changing = threading.Thread(target=site.reload)
    changing.start()
    wait_until(lambda: "silent" not in server.plants, "it is taken out")
    server.stop()
    changing.join(PATIENCE)
    assert not changing.is_alive()
    wait_until(lambda: not Counter(product_threads()) - others, "its threads have ended")
    silent.close()
    with pytest.raises(ConfigError, match="stopping"):
        site.reload()


# --- listeners ---------------------------------------------------------------------------------


def listening(site: Site, *more: Dict[str, Any], **first: Any) -> None:
    settings = site.settings(listen=first)
    settings["listen"] = [settings["listen"], *more]
    site.take_over(settings)


def test_a_listener_is_added_and_removed_and_the_clients_of_others_stay(site: Site) -> None:
    with Client(site.url) as client:
        listening(site, {"port": 0, "scalars": "string", "close_timeout_s": 1})
        assert len(site.server.urls) == 2 and site.server.urls[0] == site.url
        other = Client(site.server.urls[1])
        assert other.body("READ", {"Variable": INT32})["Value"]["Type"] == "6"
        site.reload()
        assert ends_with(other) == 1001
        other.vanish()
        assert client.status("READ", {"Variable": INT32}) is None


@posix
def test_a_listener_is_added_while_there_are_a_thousand_clients(site: Site) -> None:
    with support.crowded():
        listening(site, {"port": 0, "close_timeout_s": 1})
        with Client(site.server.urls[1]) as client:
            assert client.status("READ", {"Variable": INT32}) is None


def test_changed_limits_are_for_the_clients_to_come(site: Site) -> None:
    with Client(site.url) as present:
        site.reload(listen={"limits": {"monitors": 1}, "origins": ["http://hmi.example"]})
        monitor(present, COUNTER, DOUBLE)
        with Client(site.url, origin="http://hmi.example") as coming:
            monitor(coming, COUNTER)
            status = coming.status("MONITORSTART", {"Variable": DOUBLE}, "m")
            assert status == "BadTooManyMonitoredItems"


def test_tls_begins_at_the_same_address_and_those_without_it_are_closed(
    site: Site, tmp_path: Path
) -> None:
    made = pki.make("listener").save(tmp_path, "listener")
    pem = tmp_path / "listener.crt"
    pem.write_text(ssl_pem(made.der))
    tls = {"certificate": str(pem), "key": made.key_path}
    address = site.server.listeners[0].addresses
    plain = Client(site.url)
    site.reload(listen={"tls": tls})
    assert ends_with(plain) == 1001
    plain.vanish()
    assert site.url.startswith("https:") and site.server.listeners[0].addresses == address
    with Client(site.url, sslopt={"cert_reqs": 0}) as secure:
        assert secure.status("READ", {"Variable": COUNTER}) is None
        site.reload(listen={"tls": tls, "ping_interval_s": 20})
        assert secure.status("READ", {"Variable": COUNTER}) is None
    site.reload()
    with Client(site.url) as plain:
        assert plain.status("READ", {"Variable": COUNTER}) is None


def ssl_pem(der: bytes) -> str:
    import ssl

    return ssl.DER_cert_to_PEM_cert(der)


# --- who may be connected ----------------------------------------------------------------------


def test_a_changed_role_is_that_of_the_clients_who_are_there(site: Site, tmp_path: Path) -> None:
    credentials = str(tmp_path / "credentials.json")
    every = {"read": ["*"], "write": ["*"]}

    def reload(**roles: Any) -> None:
        site.take_over({**site.settings(), "credentials": credentials, "roles": roles})

    reload(operator=every)
    token = accounts.create_token(site.server.config, "panel", "operator", None)[0]
    with Client(site.url, header={"Authorization": "Bearer " + token}) as client:
        monitor(client, COUNTER, handle="counter")
        monitor(client, DOUBLE, handle="double")
        reload(operator={"read": [COUNTER]})
        assert client.update("double")["StatusCode"] == "BadNodeIdUnknown"
        assert client.body("VALUELIST")["Variables"] == [COUNTER]
        assert client.status("WRITE", {"Variable": COUNTER, "Value": 1}) == "BadUserAccessDenied"
        # What cannot be read turns nobody out, and gives nobody more.
        Path(credentials).rename(credentials + ".away")
        Path(credentials).write_text("{")
        reload(operator={"read": [DOUBLE]})
        assert client.update("counter")["StatusCode"] == "BadNodeIdUnknown"
        assert "Value" in client.update("double")
        os.replace(credentials + ".away", credentials)
        reload(somebody=every)
        assert ends_with(client) == 1008
        client.vanish()


def test_a_changed_limit_of_a_role_is_that_of_the_clients_who_are_there(site: Site) -> None:
    def reload(**limits: int) -> None:
        role = {"read": ["*"], "limits": limits}
        site.take_over({**site.settings(), "roles": {"anonymous": role}})

    reload()
    with Client(site.url) as client:
        monitor(client, COUNTER)
        reload(monitors=1)
        many = "BadTooManyMonitoredItems"
        assert client.status("MONITORSTART", {"Variable": DOUBLE}, "m") == many
        reload(requests_per_second=1)
        answers = [client.request("VALUELIST")["Header"].get("StatusCode") for _ in range(9)]
        assert "BadTooManyOperations" in answers
        reload()
        monitor(client, DOUBLE)


def test_a_role_hears_of_the_servers_that_it_may_see_when_it_sees_other_variables(
    site: Site,
) -> None:
    away = {"endpoint": "opc.tcp://127.0.0.1:%d" % support.free_port()}
    more = {"away": {**away, "variables": {"Away": node(DOUBLE)}}}

    def reload(*read: str, **changes: Any) -> None:
        role = {"read": list(read)}
        settings = site.settings(more_servers=more, **changes)
        site.take_over({**settings, "roles": {"anonymous": role}})

    def told(client: Client) -> Dict[str, Optional[int]]:
        """The servers that *client* was told of by now, and how many variables they have."""
        for plant in site.server.plants.values():
            for _ in range(2):  # the second one waits until what came before is delivered
                plant.relay.catch_up(PATIENCE)
        client.body("VALUELIST")
        found = [each["Body"] for each in client.pushed]
        client.pushed.clear()
        return {each["Server"]: each.get("Configured") for each in found}

    reload(COUNTER)
    settled = site.server.plants["away"].supervisor.settled
    wait_until(settled.is_set, "there is something to tell of it")
    with Client(site.url, "?status=1") as client:
        assert told(client) == {"plant": None}
        reload(COUNTER)
        assert told(client) == {}
        reload(COUNTER, "Away")
        assert told(client) == {"plant": None, "away": 1}
        reload("*")
        # It may be told of the other one, which is being connected to again and again.
        assert told(client)["plant"] == len(VARIABLES)
        reload(COUNTER)
        assert told(client)["plant"] is None
        reload(COUNTER, DOUBLE)
        assert told(client) == {"plant": None}
        reload(COUNTER, DOUBLE, variables={**VARIABLES, "Hidden": node(INT32)})
        assert told(client) == {}


def test_who_needed_nothing_to_be_here_is_closed_when_roles_come_that_want_it(site: Site) -> None:
    client = Client(site.url)
    monitor(client, COUNTER)
    site.take_over({**site.settings(), "roles": {"operator": {"read": ["*"]}}})
    assert ends_with(client) == 1008
    client.vanish()
    wait_until(lambda: not items(site.plant), "nothing is monitored for it")


# --- the process -------------------------------------------------------------------------------


class Served(NamedTuple):
    """``opcws serve`` as a process, and its file."""

    process: Opcws
    path: Path
    plant: Plant
    url: str

    def settings(self, **changes: Any) -> Dict[str, Any]:
        settings = support.settings(self.plant.endpoint, variables=VARIABLES)
        settings["listen"]["port"] = int(self.url.rstrip("/").rpartition(":")[2])
        settings.update(reload={"interval_s": 0.1}, **changes)
        return settings

    def write(self, variables: Optional[Dict[str, Any]] = None, **changes: Any) -> None:
        settings = self.settings(**changes)
        if variables is not None:
            settings["servers"]["plant"]["variables"] = variables
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(settings))
        os.replace(fresh, self.path)

    def ask(self) -> Dict[str, Any]:
        """What ``opcws reload`` is answered."""
        return control_socket.ask(
            str(self.path.parent / "state"), str(self.path), "reload", PATIENCE
        )

    def count(self, text: str) -> int:
        return sum(text in line for line in list(self.process.lines))

    def hang_up(self, text: str) -> None:
        """SIGHUP, and wait for one more line with *text*."""
        before = self.count(text)
        self.process.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.count(text) > before, text)


READ_AGAIN = "the configuration has been read again"


@pytest.fixture(scope="module")
def served(in_process: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("served")
    path = directory / "opcws.yaml"
    settings = support.settings(in_process.endpoint, variables=VARIABLES)
    port = settings["listen"]["port"] = support.free_port()
    path.write_text(json.dumps(settings))
    process = Opcws("serve", "--config", str(path))
    try:
        process.wait_for("connected to")
        yield Served(process, path, in_process, "http://127.0.0.1:%d/" % port)
        if os.name != "nt":
            assert process.end(signal.SIGTERM)[0] == 0
            assert not (directory / "state").exists()
        assert not [line for line in process.lines if "Traceback" in line]
    finally:
        process.clean_up()


def names(served: Served) -> List[str]:
    with Client(served.url) as client:
        return list(client.body("VALUELIST")["Variables"])


@posix
def test_sighup_has_the_file_read_again(served: Served) -> None:
    with Client(served.url) as client:
        served.write(without(DOUBLE))
        served.hang_up(READ_AGAIN)
        assert client.body("VALUELIST")["Variables"] == sorted(without(DOUBLE))
        assert served.count("variables: removed 1")


@posix
def test_sighup_with_a_bad_file_changes_nothing_and_the_log_says_why(served: Served) -> None:
    before = names(served)
    served.path.write_text("servers:\n  plant: {endpoint: 7}\n  colour: red\n")
    served.hang_up("the new configuration is refused; nothing has changed")
    assert served.count("opcws.yaml:2: servers.plant.endpoint")
    assert served.count("opcws.yaml:3: servers.colour")
    assert names(served) == before


def test_opcws_reload_tells_what_changed(served: Served) -> None:
    served.write()
    assert not served.ask()["problems"]
    served.write(without(INT32))
    done = run("reload", "--config", str(served.path))
    assert (done.returncode, done.stdout) == (0, "server plant: variables: removed 1\n")
    assert names(served) == sorted(without(INT32))
    assert served.ask() == {"changes": [], "problems": []}


def test_opcws_reload_of_a_bad_file_tells_every_problem_and_exits_with_1(served: Served) -> None:
    before = names(served)
    served.path.write_text("servers:\n  plant: {endpoint: 7}\n  colour: red\n")
    with pytest.raises(ConfigError) as caught:
        load(served.path)
    assert len(caught.value.problems) > 1
    done = run("reload", "--config", str(served.path))
    assert done.returncode == 1 and not done.stdout
    told = ["opcws: " + each for each in (*caught.value.problems, "nothing has changed")]
    assert done.stderr.splitlines() == told
    assert names(served) == before


def test_opcws_reload_where_nothing_runs_says_so_and_exits_with_1(
    served: Served, tmp_path: Path
) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(json.dumps(served.settings()))
    done = run("reload", "--config", str(path))
    assert done.returncode == 1 and "no opcws serves" in done.stderr


def test_who_guesses_the_secret_is_refused_and_the_log_says_so(served: Served) -> None:
    served.write()
    assert not served.ask()["problems"]
    path = control_socket.control_file(str(served.path.parent / "state"), str(served.path))
    if os.name != "nt":
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    served.write(without(COUNTER))
    port = json.loads(Path(path).read_text())["port"]
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(b'{"secret": "guess", "command": "reload"}\n')
        assert b"the secret is wrong" in sock.makefile("rb").read()
    served.process.wait_for("a connection with a wrong secret")
    assert COUNTER in names(served)


def test_a_file_that_changes_is_read_by_itself_once_that_is_switched_on(served: Served) -> None:
    watch = {"on_change": True, "interval_s": 0.1}
    served.write()
    served.path.write_text(json.dumps({**served.settings(), "reload": watch}))
    assert not served.ask()["problems"]
    for wanted in (without(DOUBLE), VARIABLES):
        settings = {**served.settings(), "reload": watch}
        settings["servers"]["plant"]["variables"] = wanted
        fresh = served.path.with_suffix(".new")
        fresh.write_text(json.dumps(settings))
        os.replace(fresh, served.path)
        wait_until(lambda wanted=wanted: names(served) == sorted(wanted), "it is taken over")


def test_the_log_changes_its_level_and_its_file(served: Served, tmp_path: Path) -> None:
    served.write(log={"file": str(tmp_path / "opcws.log"), "format": "json"})
    assert not served.ask()["problems"]
    line = wait_until(
        lambda: [
            each for each in (tmp_path / "opcws.log").read_text().splitlines() if READ_AGAIN in each
        ],
        "the file has it",
    )[0]
    assert json.loads(line)["level"] == "info"
    before = len(served.process.lines)
    served.write()
    assert not served.ask()["problems"]
    wait_until(lambda: len(served.process.lines) > before, "it is back at the terminal")
