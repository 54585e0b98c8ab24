"""What VALUEINFO says before the OPC UA server has told all that it knows."""

import pytest

from opcws.ua.plant import Plant

from ... import support
from ...support import Client, PlantProcess
from ...support.proxy import Proxy, Strike, dropped, response


@pytest.fixture(autouse=True)
def nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the first moments of a connection to a large plant."""
    monkeypatch.setattr(Plant, "_describe_in_background", lambda *_more: None)


def test_value_info_asks_for_what_the_server_has_not_said_yet(plant: PlantProcess) -> None:
    with support.served(plant.endpoint) as server, Client(server.urls[0]) as client:
        names = client.body("VALUELIST")["Variables"]
        infos = client.body("VALUEINFO", {"Variables": names + ["nowhere"]})["Variables"]
        assert [info.get("EURange") for info in infos if info["Variable"] == "Boiler.Setpoint"] == [
            {"Low": 0.0, "High": 150.0}
        ]
        assert all("Historizing" in info for info in infos[:-1])
        assert infos[-1]["StatusCode"] == "BadNodeIdUnknown"


def test_value_info_answers_with_what_is_known_if_the_server_says_nothing(
    plant: PlantProcess,
) -> None:
    quick = {"request_timeout_ms": 1000}
    with Proxy(plant.port) as way, support.served(way.endpoint, server=quick) as server:
        with Client(server.urls[0]) as client:
            way.to_client = Strike(response("Read"), dropped, times=-1)
            info = client.body("VALUEINFO", {"Variables": ["Boiler.Setpoint"]})["Variables"][0]
            assert info["NodeId"].endswith("s=Boiler.Setpoint") and "EURange" not in info
