"""What a client reads in either dialect: every variable ``Types`` of the plant."""

from datetime import datetime, timedelta
from typing import Any, Dict, Tuple

import pytest
from opcua import ua

from opcws.demo import variables

from ... import support
from ...support import Client, PlantProcess
from ...support.built_in_types import AWKWARD, SAMPLES
from ...support.wire_tap import Tap

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

DIALECTS = ["typed", "string"]


@pytest.fixture
def clients(client: Client, string_client: Client) -> Dict[str, Client]:
    return {"typed": client, "string": string_client}


def read(client: Client, variable: str) -> Any:
    """The DataValue without its timestamps, which must be there."""
    body = client.body("READ", {"Variable": variable})
    assert body.pop("SourceTimestamp") and body.pop("ServerTimestamp")
    return body


# --- the value table of section 3 -------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_built_in_type_is_read_as_the_table_says(
    clients: Dict[str, Client], dialect: str, name: str
) -> None:
    sample = SAMPLES[name]
    bodies = sample.typed if dialect == "typed" else sample.string
    type_id = sample.index if dialect == "typed" else str(sample.index)
    scalar = read(clients[dialect], "Types." + name)
    assert scalar == {"Value": {"Type": type_id, "Body": bodies[0]}}
    assert type(scalar["Value"]["Body"]) is type(bodies[0]), "true is not 1"
    array = read(clients[dialect], "Types.%sArray" % name)
    assert array == {"Value": {"Type": type_id, "Body": list(bodies)}}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", AWKWARD)
def test_every_awkward_value_is_read_as_the_table_says(
    clients: Dict[str, Client], dialect: str, name: str
) -> None:
    assert read(clients[dialect], name) == {"Value": AWKWARD[name][DIALECTS.index(dialect)]}


def test_no_variable_of_the_plant_is_left_out_of_these_tables() -> None:
    covered = {"Types." + name for name in SAMPLES} | {"Types.%sArray" % name for name in SAMPLES}
    covered |= set(AWKWARD) | {"Types.Null", "Types.Uncertain", "Types.Bad"}
    assert {v.name for v in variables() if v.name.startswith("Types.")} == covered


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_null_variant_has_no_value(clients: Dict[str, Client], dialect: str) -> None:
    assert read(clients[dialect], "Types.Null") == {}


def test_an_uncertain_value_has_its_status_beside_it(clients: Dict[str, Client]) -> None:
    symbol = "UncertainLastUsableValue"
    status = ua.StatusCodes.UncertainLastUsableValue
    assert read(clients["typed"], "Types.Uncertain") == {
        "Value": {"Type": 11, "Body": 20.5},
        "Status": status,
        "Symbol": symbol,
    }
    assert read(clients["string"], "Types.Uncertain") == {
        "Value": {"Type": "11", "Body": "20.5"},
        "Status": str(status),
        "Symbol": symbol,
    }


def test_a_bad_value_has_a_status_code_and_a_reason_and_keeps_the_last_value(
    clients: Dict[str, Client],
) -> None:
    symbol = "BadSensorFailure"
    status = ua.StatusCodes.BadSensorFailure
    expected: Dict[str, Tuple[Any, Any]] = {
        "typed": ({"Type": 11, "Body": 0.0}, status),
        "string": ({"Type": "11", "Body": "0"}, str(status)),
    }
    for dialect, (value, number) in expected.items():
        body = read(clients[dialect], "Types.Bad")
        assert body.pop("Reason")
        assert body == {
            "Value": value,
            "Status": number,
            "Symbol": symbol,
            "StatusCode": symbol,
        }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_monitor_tells_the_same_as_a_read(clients: Dict[str, Client], dialect: str) -> None:
    client = clients[dialect]
    names = [v.name for v in variables() if v.name.startswith("Types.")]
    client.body("MONITORSTART", {"Variables": names}, "m")
    for _ in names:
        update = client.update("m")
        name = update.pop("Variable")
        for stamp in ("SourceTimestamp", "ServerTimestamp"):
            assert update.pop(stamp)
        assert update == read(client, name)


def test_a_whole_double_is_written_without_a_fraction_in_the_string_dialect_only(
    clients: Dict[str, Client],
) -> None:
    clients["typed"].write("Types.Double", -30.0)
    texts = {}
    for dialect, client in clients.items():
        client.send("READ", {"Variable": "Types.Double"}, "h")
        texts[dialect] = client.ws.recv()
    assert '"Body":-30.0}' in texts["typed"]
    assert '"Body":"-30"}' in texts["string"]
    clients["typed"].write("Types.Double", 0.1)


def test_a_date_time_is_read_to_100_ns_also_as_a_timestamp(plant: PlantProcess) -> None:
    tap = Tap(plant.port)
    seen = _ticks("2026-11-22T10:00:00.123456")
    # The plant's library ends at 1 us, so the last digit is put in on the way.
    tap.rewrite[seen] = (int.from_bytes(seen, "little") + 7).to_bytes(8, "little")
    server = support.serve(tap.endpoint)
    try:
        support.wait_connected(server)
        with Client(server.urls[0]) as client:
            assert read(client, "Types.DateTime")["Value"]["Body"] == "2026-11-22T10:00:00.1234567Z"
            nested = read(client, "Types.DataValue")["Value"]["Body"]
            assert nested["SourceTimestamp"] == "2026-11-22T10:00:00.1234567Z"
            client.body("MONITORSTART", {"Variable": "Types.DateTime"}, "m")
            assert client.update("m")["Value"]["Body"] == "2026-11-22T10:00:00.1234567Z"
    finally:
        server.stop()
        tap.cut()


def _ticks(time: str) -> bytes:
    moment = datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%f")
    return ((moment - datetime(1601, 1, 1)) // timedelta(microseconds=1) * 10).to_bytes(8, "little")
