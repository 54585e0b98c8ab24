"""Variables that are looked for are found in the end, and do not vanish for a hiccup of Browse."""

import json
import logging
from typing import Any, Iterator, List

import pytest

from opcws.app import Server
from opcws.config import loads

from ... import support
from ...servers import particular
from ...servers.process import ServerProcess
from ...support.proxy import Proxy, Strike, dropped, response

UNDER = "nsu=%s;s=Folder" % particular.URI
NEVER_S = 86400


@pytest.fixture
def process() -> Iterator[ServerProcess]:
    running = ServerProcess("particular")
    yield running
    running.kill()


@pytest.fixture
def proxy(process: ServerProcess) -> Iterator[Proxy]:
    with Proxy(process.port) as between:
        yield between


class Running:
    """opcws that looks for what is in ``Folder``, from Objects on."""

    def __init__(self, endpoint: str, interval_s: float = NEVER_S, **server: Any) -> None:
        settings = support.settings(endpoint, variables={})
        browse = {"under": "i=85", "match": "Folder.[ABN]*"}
        settings["servers"]["plant"].update(browse=browse, browse_interval_s=interval_s, **server)
        self.server = Server(loads(json.dumps(settings)))
        self.server.start()

    def __enter__(self) -> "Running":
        support.wait_connected(self.server)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server.stop()
        support.no_threads_left()

    def names(self) -> List[str]:
        return sorted(name.rpartition(".")[2] for name in self.server.config.variables)

    def wait_for(self, *names: str) -> None:
        support.wait_until(lambda: self.names() == sorted(names), "%s" % (names,))


@pytest.mark.parametrize(
    "order", [{"browse": "BadWaitingForInitialData"}, {"browse_fault": "BadOutOfService"}]
)
def test_what_is_not_told_at_the_connection_is_found_when_it_is_told(
    process: ServerProcess, order: Any
) -> None:
    process.order(**order)
    with Running(process.endpoint) as running:
        plant = running.server.plants["plant"]
        support.wait_until(lambda: plant.looking._told, "it has been looked at in vain")
        assert running.names() == []
        process.order(browse=None, browse_fault=None)
        running.wait_for("A", "B")
        assert plant.supervisor.connections == 1


@pytest.mark.parametrize(
    "order", [{"browse": "BadWaitingForInitialData"}, {"browse_fault": "BadOutOfService"}]
)
def test_a_look_that_was_not_told_everything_takes_nothing_away(
    process: ServerProcess, proxy: Proxy, order: Any
) -> None:
    with Running(proxy.endpoint) as running:
        running.wait_for("A", "B")
        with support.Client(running.server.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": "Folder.B"}, handle="m")
            client.update_where(lambda body: "StatusCode" not in body)
            process.order(remove="A")
            process.order(**order)
            plant = running.server.plants["plant"]
            plant.looking._told.clear()
            proxy.cut()
            support.wait_until(lambda: plant.looking._told, "it has been looked at in vain")
            assert running.names() == ["A", "B"]
            process.change("B", 12.5)
            client.update_where(lambda body: body.get("Value", {}).get("Body") == 12.5)
            process.order(browse=None, browse_fault=None)
            running.wait_for("B")
            statuses = {
                message["Body"].get("StatusCode")
                for message in client.pushed
                if "Variable" in message["Body"]
            }
            assert "BadNodeIdUnknown" not in statuses


@pytest.mark.parametrize("every", [1, 2], ids=["none is answered", "every other is answered"])
def test_a_browse_that_is_never_answered_takes_nothing_away(
    process: ServerProcess, proxy: Proxy, every: int
) -> None:
    with Running(proxy.endpoint, request_timeout_ms=1000) as running:
        running.wait_for("A", "B")
        with support.Client(running.server.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": "Folder.B"}, handle="m")
            client.update_where(lambda body: "StatusCode" not in body)
            process.order(remove="A")
            strike = Strike(response("Browse"), dropped, times=-1, after=every - 1, every=every)
            proxy.to_client = strike
            proxy.cut()
            plant = running.server.plants["plant"]
            support.wait_until(
                lambda: plant.looking._told and strike.count > 2, "it has been looked at in vain"
            )
            assert running.names() == ["A", "B"]
            process.change("B", 12.5)
            client.update_where(lambda body: body.get("Value", {}).get("Body") == 12.5)
            proxy.heal()
            running.wait_for("B")
            statuses = {
                message["Body"].get("StatusCode")
                for message in client.pushed
                if "Variable" in message["Body"]
            }
            assert "BadNodeIdUnknown" not in statuses


def test_it_is_looked_again_every_so_often(process: ServerProcess) -> None:
    with Running(process.endpoint, interval_s=0.05) as running:
        running.wait_for("A", "B")
        process.order(add="New")
        running.wait_for("A", "B", "New")
        process.order(remove="B")
        running.wait_for("A", "New")
        assert running.server.plants["plant"].supervisor.connections == 1


def test_it_is_looked_again_when_the_server_says_that_its_nodes_have_changed(
    process: ServerProcess,
) -> None:
    with Running(process.endpoint) as running:
        running.wait_for("A", "B")
        plant = running.server.plants["plant"]
        # The answer to what was sent after the item was asked for comes after the item is there.
        with support.Client(running.server.urls[0]) as client:
            client.body("READ", {"Variable": "Folder.A"})
        process.order(add="New")
        process.order(event=True)
        running.wait_for("A", "B", "New")
        process.order(remove="New")
        process.order(event=True)
        running.wait_for("A", "B")
        assert plant.supervisor.connections == 1


def test_what_could_not_be_learned_of_the_variables_is_asked_again(
    process: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "opcws")
    process.order(translate_fault="BadTimeout")
    variables = {"B": {"node": "nsu=%s;s=B" % particular.URI}}
    server = {"retry_interval_ms": 100}
    with support.served(process.endpoint, variables=variables, server=server) as running:
        support.wait_until(lambda: "metadata: " in caplog.text, "it could not be learned")
        with support.Client(running.urls[0]) as client:

            def info() -> Any:
                return client.body("VALUEINFO", {"Variables": ["B"]})["Variables"][0]

            assert "Type" not in info()
            process.order(translate_fault=None)
            support.wait_until(lambda: info().get("Type") == "Double", "it is learned")
        assert running.plants["plant"].supervisor.connections == 1


def test_what_was_not_told_beside_the_values_is_asked_again(process: ServerProcess) -> None:
    process.order(translate_fault="BadInternalError", limits="BadWaitingForInitialData")
    variables = {"Clamped": {"node": "nsu=%s;s=Clamped" % particular.URI}}
    server = {"retry_interval_ms": 100}
    with support.served(process.endpoint, variables=variables, server=server) as running:
        link = running.plants["plant"].supervisor.link
        assert link is not None
        with support.Client(running.urls[0]) as client:

            def info() -> Any:
                return client.body("VALUEINFO", {"Variables": ["Clamped"]})["Variables"][0]

            support.wait_until(lambda: info().get("Type") == "Double", "it was asked for")
            assert "EURange" not in info() and link.max_nodes_per_read > 7
            process.order(translate_fault=None, limits=None)
            support.wait_until(lambda: "EURange" in info(), "the range is learned")
            support.wait_until(lambda: link.max_nodes_per_read == 7, "the limit is obeyed")
            support.wait_until(lambda: not running.plants["plant"]._undescribed, "all is told")
        assert running.plants["plant"].supervisor.connections == 1


def test_to_be_told_of_changes_is_asked_for_until_it_is_granted(process: ServerProcess) -> None:
    process.order(events_fault="BadWaitingForInitialData")
    with Running(process.endpoint, retry_interval_ms=100) as running:
        running.wait_for("A", "B")
        process.order(add="New")
        process.order(events_fault=None)

        def found() -> bool:
            process.order(event=True)
            return running.names() == ["A", "B", "New"]

        support.wait_until(found, "it is told of a change")
        assert running.server.plants["plant"].supervisor.connections == 1
