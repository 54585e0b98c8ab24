"""Variables declared by pattern come and go with the nodes, at every connection."""

import json
import logging
from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.config import loads
from opcws.config.settings import Config
from opcws.model.errors import ConfigError

from ... import support
from ...servers.process import ServerProcess
from ...support import command
from ...support.proxy import Proxy

UNDER = "nsu=urn:test:large%3B 100%25;s=Odd"
DEEP = "nsu=urn:test:large%3B 100%25;s=Deep"


@pytest.fixture(scope="module")
def odd() -> Iterator[ServerProcess]:
    pytest.importorskip("asyncua")
    server = ServerProcess("large_asyncua", "0")
    yield server
    server.kill()


@pytest.fixture
def proxy(odd: ServerProcess) -> Iterator[Proxy]:
    with Proxy(odd.port) as between:
        yield between


def loaded(endpoint: str, browse: Any, variables: Any = None, **more: Any) -> Config:
    settings = support.settings(endpoint, variables=variables or {})
    settings["servers"]["plant"]["browse"] = browse
    settings.update(more)
    return loads(json.dumps(settings))


class Running:
    """opcws, and the names that a client sees."""

    def __init__(self, settings: Config) -> None:
        self.server = Server(settings)
        self.server.start()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server.stop()
        support.no_threads_left()

    @property
    def supervisor(self) -> Any:
        return self.server.plants["plant"].supervisor

    def client(self) -> support.Client:
        return support.Client(self.server.urls[0])

    def names(self) -> List[str]:
        return sorted(self.server.config.variables)

    def wait_for(self, *names: str) -> None:
        support.wait_until(
            lambda: self.names() == sorted(names), "%s, not %s" % (names, self.names())
        )
        # What is found is served before the connection is: its values come then.
        support.wait_connected(self.server)


def test_what_matches_is_served_like_any_other_variable(proxy: Proxy) -> None:
    browse = {"under": UNDER, "match": "[Lt]*[pe]", "prefix": "Odd."}
    wide = {"under": UNDER, "match": "Loop.*", "prefix": "Odd.", "access": "readwrite"}
    with Running(loaded(proxy.endpoint, [browse, wide])) as running:
        running.wait_for("Odd.Loop.Deep", "Odd.true")
        with running.client() as client:
            assert client.body("VALUELIST")["Variables"] == ["Odd.Loop.Deep", "Odd.true"]
            assert client.body("READ", {"Variable": "Odd.true"})["Value"] == {
                "Type": 11,
                "Body": 1.0,
            }
            (info,) = client.body("VALUEINFO", {"Variables": ["Odd.Loop.Deep"]})["Variables"]
            assert (info["NodeId"], info["Server"]) == (DEEP, "plant")
            write = {"Variable": "Odd.true", "Value": 1.0}
            assert client.status("WRITE", write) == "BadNotWritable"


def test_at_a_new_connection_variables_come_and_go_and_monitors_with_them(
    odd: ServerProcess, proxy: Proxy
) -> None:
    odd.order(add="New1")
    with Running(loaded(proxy.endpoint, {"under": UNDER, "match": "[Nt]*"})) as running:
        running.wait_for("New1", "true")
        with running.client() as client:
            for name in ("New1", "true"):
                client.body("MONITORSTART", {"Variable": name}, handle="m")
                client.update_where(lambda body: "StatusCode" not in body, variable=name)
            odd.order(remove="New1")
            odd.order(add="New2")
            proxy.cut()
            running.wait_for("New2", "true")
            client.update_where(
                lambda body: body.get("StatusCode") == "BadNodeIdUnknown", variable="New1"
            )
            assert client.status("READ", {"Variable": "New1"}) == "BadNodeIdUnknown"
            assert client.body("READ", {"Variable": "New2"})["Value"]["Body"] == 1.0
            odd.order(add="New1")
            odd.order(remove="New2")
            proxy.cut()
            running.wait_for("New1", "true")
            # The monitor that a client once started wakes up.
            client.update_where(lambda body: "StatusCode" not in body, variable="New1")
    odd.order(remove="New1")


def test_a_variable_that_stays_is_monitored_on_as_if_nothing_had_been(
    odd: ServerProcess, proxy: Proxy
) -> None:
    with Running(loaded(proxy.endpoint, {"under": UNDER, "match": "[Nt]*"})) as running:
        running.wait_for("true")
        with running.client() as client:
            client.body("MONITORSTART", {"Variable": "true"}, handle="m")
            client.update_where(lambda body: "StatusCode" not in body, variable="true")
            (item,) = running.server.plants["plant"].relay._items.values()
            # Its first value may come before the answer that tells its id.
            before = support.wait_until(lambda: item.item_id, "the item is known")
            session = running.supervisor.link.session
            changed = loaded(proxy.endpoint, {"under": UNDER, "match": "[tT]*"})
            running.server.reload(changed)
            running.wait_for("true", "Twin~i3000001", "Twin~i3000002")
            (item,) = running.server.plants["plant"].relay._items.values()
            assert (item.item_id, running.supervisor.link.session) == (before, session)
            running.server.reload(loaded(proxy.endpoint, {"under": UNDER, "match": "none"}))
            running.wait_for()
            client.update_where(
                lambda body: body.get("StatusCode") == "BadNodeIdUnknown", variable="true"
            )
    assert proxy.accepted == 1


def test_what_the_file_names_goes_before_what_is_found(proxy: Proxy) -> None:
    declared: Dict[str, Any] = {"mine": {"node": DEEP}, "true": {"node": "i=2258"}}
    settings = loaded(proxy.endpoint, {"under": UNDER, "match": "[Lt]*"}, declared)
    with Running(settings) as running:
        support.wait_until(lambda: len(running.names()) > 2, "what is found")
        (other,) = (name for name in running.names() if name not in declared)
        assert other.startswith("LLLL")
        assert running.server.config.variables["true"].node_text == "i=2258"


def test_roles_count_for_what_is_found_too(proxy: Proxy) -> None:
    roles = {"anonymous": {"read": ["Loop.*"]}}
    settings = loaded(proxy.endpoint, {"under": UNDER}, None, roles=roles)
    assert not [each for each in settings.warnings if "no variable matches" in each]
    with Running(settings) as running:
        support.wait_until(lambda: "true" in running.names(), "what is found")
        with running.client() as client:
            assert client.body("VALUELIST")["Variables"] == ["Loop.Deep"]
            assert client.status("READ", {"Variable": "true"}) == "BadNodeIdUnknown"


def test_what_cannot_be_found_is_told_and_costs_nothing_else(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "opcws")
    browse = [
        {"under": "nsu=urn:no;s=x"},
        {"under": UNDER + "No"},
        {"under": UNDER, "match": "T*", "max_variables": 1},
    ]
    with Running(loaded(proxy.endpoint, browse)) as running:
        running.wait_for("Twin~i3000001")
    told = "\n".join(caplog.messages)
    assert "plant: browse below nsu=urn:no;s=x: the OPC UA server has no namespace 'urn:no'" in told
    assert "has no node " + UNDER + "No" in told
    assert "2 variables match T*, and max_variables is 1; the rest is left out" in told


def test_the_check_says_what_is_found(odd: ServerProcess, tmp_path: Any) -> None:
    path = tmp_path / "c.yaml"
    text = "servers: {p: {endpoint: '%s', browse: [%s]}}\n"
    found, missing = "{under: '%s', match: '%s'}", "{under: '%sNo'}" % UNDER
    no_node = "browse below %sNo: the OPC UA server has no node %sNo" % (UNDER, UNDER)
    twins = "Twin~i3000001, Twin~i3000002"
    for browse, code, words in (
        (found % (UNDER, "T*"), 0, "browse: finds 2: " + twins),
        (found % (UNDER, "No*"), 4, "browse: finds nothing; correct 'under' or 'match'"),
        (missing, 4, "browse: finds nothing; " + no_node),
        (found % (UNDER, "T*") + ", " + missing, 4, "finds 2 so far: %s; " % twins),
        (found % (UNDER, "T*") + ", " + missing, 4, no_node),
    ):
        path.write_text(text % (odd.endpoint, browse), "utf-8")
        result = command.run("check", "--config", str(path))
        assert (result.exit_code, words in result.output) == (code, True), result.output
        assert "no variables" not in result.output
    support.no_threads_left()


def test_the_check_tells_of_a_pattern_that_matches_nothing_listed_or_found(
    odd: ServerProcess, tmp_path: Any
) -> None:
    path = tmp_path / "c.yaml"
    text = "roles: {r: {read: ['Twin*', 'Loop.?']}}\n"
    text += "record: {variables: ['Twin*', 'Loop.*']}\n"
    text += "servers: {p: {endpoint: '%s', browse: {under: '%s', match: 'T*'}}}\n"
    path.write_text(text % (odd.endpoint, UNDER), "utf-8")
    result = command.run("check", "--config", str(path))
    assert result.exit_code == 4
    assert 'roles.r.read: no variable matches "Loop.?", listed or found' in result.output
    assert 'record.variables: no variable matches "Loop.*", listed or found' in result.output
    assert '"Twin*"' not in result.output
    support.no_threads_left()


@pytest.mark.parametrize(
    "browse, words",
    [
        ({"under": "x"}, "servers.plant.browse.under: expected a NodeId"),
        ([{}, {"depth": 0}], "servers.plant.browse[1].depth: expected at least 1"),
        ([], "servers.plant.browse: is empty"),
        ({"glob": "*"}, "servers.plant.browse.glob: unknown setting"),
    ],
)
def test_a_wrong_pattern_is_told(browse: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("[", r"\[")):
        loaded("opc.tcp://h:1", browse)
