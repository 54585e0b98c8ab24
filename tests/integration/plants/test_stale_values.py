"""A value that stands still while the plant's does not is found, told, and monitored anew."""

import json
import urllib.request
from typing import Any, Dict, Iterator

import jsonschema
import pytest

from opcws.ua.stale_values import differs
from opcws.wire import contract

from ... import support
from ...servers import particular
from ...servers.process import ServerProcess

UNCERTAIN = "UncertainLastUsableValue"


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    running = ServerProcess("particular")
    yield running
    running.kill()


def variables(**settings: Any) -> Dict[str, Any]:
    return {"B": {"node": "nsu=%s;s=B" % particular.URI, **settings}}


def fetched(url: str, page: str) -> str:
    with urllib.request.urlopen(url + page, timeout=support.PATIENCE) as answer:
        return str(answer.read().decode("utf-8"))


def number(body: Dict[str, Any]) -> Any:
    return body.get("Value", {}).get("Body")


def test_a_value_that_a_read_disagrees_with_is_monitored_anew(process: ServerProcess) -> None:
    process.change("B", 2.0)
    listed = variables(stale_after_s=86400, deadband={"absolute": 0.5})
    with support.served(process.endpoint, variables=listed) as server:
        with support.Client(server.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": "B"}, handle="m")
            assert number(client.update_where(lambda body: "StatusCode" not in body)) == 2.0
            process.order(frozen=["B"])
            process.change("B", 9.0)
            uncertain = client.update()
            assert (uncertain["Symbol"], number(uncertain)) == (UNCERTAIN, 2.0)
            fresh = client.update()
            # Changes are known to be missing.
            assert (fresh["Status"] & 0x480, number(fresh)) == (0x480, 9.0)
            process.order(frozen=[])
            process.change("B", 10.0)
            assert number(client.update()) == 10.0
        document = json.loads(fetched(server.urls[0], "status"))
        jsonschema.validate(document, contract.document("status.schema.json"))
        (plant,) = document["Servers"]
        assert plant["StaleValues"] == 1
        assert plant["LastStale"]["Variable"] == "B"
        metrics = fetched(server.urls[0], "metrics")
        assert 'opcws_stale_values_total{server="plant"} 1.0' in metrics


def test_a_value_that_does_not_change_for_so_long_is_monitored_anew(
    process: ServerProcess,
) -> None:
    process.order(frozen=[])
    process.change("B", 3.0)
    server = {"stale_after_s": 0.4}
    with support.served(process.endpoint, variables=variables(), server=server) as running:
        with support.Client(running.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": "B"}, handle="m")
            client.update_where(lambda body: "StatusCode" not in body)
            for _ in range(2):
                uncertain = client.update()
                assert (uncertain.get("Symbol"), number(uncertain)) == (UNCERTAIN, 3.0)
                fresh = client.update()
                assert (fresh.get("Status", 0), number(fresh)) == (0, 3.0)
            # What is Uncertain serves no READ: the plant is asked.
            read = client.body("READ", {"Variable": "B", "MaxAge": 600000})
            assert "Symbol" not in read


def test_without_the_setting_nothing_is_looked_after(process: ServerProcess) -> None:
    listed = variables(stale_after_s=0)
    server = {"stale_after_s": 0.4}
    with support.served(process.endpoint, variables=listed, server=server) as running:
        assert running.plants["plant"].stale.limits == {}
        (plant,) = json.loads(fetched(running.urls[0], "status"))["Servers"]
        assert "StaleValues" not in plant


@pytest.mark.parametrize(
    "one, other, deadband, expected",
    [
        (1.0, 1.5, 0.5, False),
        (1.0, 1.6, 0.5, True),
        (1, 1, 0.0, False),
        (1, 2, 0.0, True),
        (float("nan"), float("nan"), 0.0, False),
        (float("nan"), 1.0, 5.0, True),
        (float("inf"), float("inf"), 0.0, False),
        (True, False, 5.0, True),
        ("a", "b", 5.0, True),
        ([1.0, 2.0], [1.0, 2.4], 0.5, False),
        ([1.0, 2.0], [1.0, 2.6], 0.5, True),
        ([1.0], [1.0, 1.0], 0.5, True),
        ([], None, 0.0, True),
    ],
)
def test_values_differ_by_more_than_the_deadband(
    one: Any, other: Any, deadband: float, expected: bool
) -> None:
    assert differs(one, other, deadband) is expected
    assert differs(other, one, deadband) is expected
