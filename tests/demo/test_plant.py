"""The simulated plant, seen by an OPC UA client."""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from typing import Any, Dict, Iterator, List, Tuple

import opcua
import pytest
from opcua import ua

from opcws.config import loads
from opcws.demo import URI, Plant, Variable, config_text, variables
from opcws.demo.boiler import Boiler
from opcws.model.data_types import TYPE_IDS, TYPE_NAMES, parse_node_id
from opcws.model.errors import ListenError

from .. import ROOT
from ..support import PATIENCE

BY_NAME = {variable.name: variable for variable in variables()}
STILL_S = 3600.0


class Client(opcua.Client):  # type: ignore[misc]
    """One that waits longer than 4 s."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint, timeout=PATIENCE)


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    with Plant(clock_period_s=STILL_S) as running:
        yield running


@pytest.fixture(scope="module")
def client(plant: Plant) -> Iterator[Client]:
    with Client(plant.endpoint) as connected:
        yield connected


def node_id(client: Client, name: str) -> Any:
    return ua.NodeId(name, client.get_namespace_index(URI))


def read(client: Client, name: str, attribute: int = ua.AttributeIds.Value) -> Any:
    item = ua.ReadValueId()
    item.NodeId, item.AttributeId = node_id(client, name), attribute
    parameters = ua.ReadParameters()
    parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    parameters.NodesToRead = [item]
    return client.uaclient.read(parameters)[0]


def write(client: Client, name: str, value: Any, index_range: str = "") -> str:
    """The name of the status with which the plant answers the write."""
    item = ua.WriteValue()
    item.NodeId, item.AttributeId = node_id(client, name), ua.AttributeIds.Value
    item.Value = value if isinstance(value, ua.DataValue) else ua.DataValue(value)
    item.IndexRange = index_range
    parameters = ua.WriteParameters()
    parameters.NodesToWrite = [item]
    return str(client.uaclient.write(parameters)[0].name)


def double(value: float) -> Any:
    return ua.Variant(value, ua.VariantType.Double)


class Changes:
    """A subscription's changes of one variable, in order."""

    def __init__(self, client: Client, name: str) -> None:
        self._values: "queue.Queue[Any]" = queue.Queue()
        self._subscription = client.create_subscription(20, self)
        self._subscription.subscribe_data_change(client.get_node(node_id(client, name)))

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self._values.put(data.monitored_item.Value)

    def next(self) -> Any:
        return self._values.get(timeout=PATIENCE)

    def end(self) -> None:
        self._subscription.delete()


# -- what there is ---------------------------------------------------------------------------


@pytest.mark.parametrize("type_name", [name for number, name in TYPE_NAMES.items() if number < 25])
def test_there_is_a_writable_variable_of_every_built_in_type(type_name: str) -> None:
    writable = [v for v in variables() if v.access == "readwrite" and v.type == type_name]
    assert {v.array for v in writable} == {True, False}


@pytest.mark.parametrize("variable", variables(), ids=lambda variable: variable.name)
def test_every_variable_is_what_the_table_says(client: Client, variable: Variable) -> None:
    access = read(client, variable.name, ua.AttributeIds.AccessLevel).Value.Value
    assert (bool(access & 1), bool(access & 2)) == {
        "read": (True, False),
        "readwrite": (True, True),
        "write": (False, True),
    }[variable.access]
    description = read(client, variable.name, ua.AttributeIds.Description).Value.Value
    assert description.Text == variable.description
    rank = read(client, variable.name, ua.AttributeIds.ValueRank).Value.Value
    assert (rank > 0) == variable.array
    value = read(client, variable.name).Value
    if variable.type != "Variant" and variable.access != "write":
        assert value.VariantType.value == TYPE_IDS[variable.type]
        assert value.is_array == variable.array


@pytest.mark.parametrize(
    "variable",
    [variable for variable in variables() if variable.access == "readwrite"],
    ids=lambda variable: variable.name,
)
def test_every_writable_variable_takes_its_own_value_back(
    client: Client, variable: Variable
) -> None:
    assert write(client, variable.name, ua.DataValue(read(client, variable.name).Value)) == "Good"


def test_some_values_are_not_good() -> None:
    with Plant(clock_period_s=STILL_S) as fresh, Client(fresh.endpoint) as client:
        names = ("Types.Uncertain", "Types.Bad", "Test.WriteOnly")
        assert [read(client, name).StatusCode.name for name in names] == [
            "UncertainLastUsableValue",
            "BadSensorFailure",
            "BadNotReadable",
        ]


def test_an_analog_variable_has_its_range_and_unit(client: Client) -> None:
    node = client.get_node(node_id(client, "Boiler.Temperature"))
    limits = node.get_child("0:EURange").get_value()
    unit = node.get_child("0:EngineeringUnits").get_value()
    assert (limits.Low, limits.High) == (0.0, 150.0)
    assert (unit.DisplayName.Text, unit.UnitId) == ("°C", 4408652)


def test_an_enumerated_variable_names_its_states(client: Client) -> None:
    node = client.get_node(node_id(client, "Motor.State"))
    names = [text.Text for text in node.get_child("0:EnumStrings").get_value()]
    assert names == ["Off", "Starting", "Running", "Fault"]


def test_an_enumeration_type_names_its_values(client: Client) -> None:
    data_type = read(client, "Motor.Mode", ua.AttributeIds.DataType).Value.Value
    names = client.get_node(data_type).get_child("0:EnumStrings").get_value()
    assert [text.Text for text in names] == ["Hand", "Automatic", "Service"]


def test_a_value_has_both_timestamps(client: Client) -> None:
    value = read(client, "Boiler.Level")
    assert value.SourceTimestamp <= value.ServerTimestamp


def test_the_configuration_offers_every_variable(plant: Plant) -> None:
    config = loads(config_text(plant.endpoint, 0))
    assert not config.warnings
    assert {
        name: (variable.node, variable.access) for name, variable in config.variables.items()
    } == {v.name: (parse_node_id(v.node), v.access) for v in variables()}


# -- how it moves ----------------------------------------------------------------------------


def test_the_temperature_follows_the_set_point_without_jumping() -> None:
    boiler = Boiler()
    course = [boiler.step(1.0, 80.0, 40.0)["Boiler.Temperature"] for _ in range(120)]
    assert abs(course[-1] - 80.0) < 1.0
    assert max(abs(a - b) for a, b in zip(course, course[1:])) < 5.0


def test_opening_the_valve_lowers_the_level_and_raises_the_alarm() -> None:
    boiler = Boiler()
    for _ in range(200):
        last = boiler.step(1.0, 80.0, 100.0)
    assert last["Boiler.Level"] < 32.0
    assert last["Plant.Alarms"] == 2


def test_a_closed_valve_stops_the_motor() -> None:
    boiler = Boiler()
    states = [boiler.step(1.0, 80.0, 40.0)["Motor.State"] for _ in range(30)]
    states += [boiler.step(1.0, 80.0, 0.0)["Motor.State"] for _ in range(30)]
    assert [a for a, b in zip(states, [None, *states]) if a != b] == [1, 2, 1, 0]


def test_a_set_point_that_is_no_number_is_ignored() -> None:
    boiler = Boiler()
    boiler.step(1.0, float("nan"), None)
    assert boiler.step(100.0, float("nan"), None)["Boiler.Temperature"] > 70.0


def test_the_plant_moves_by_itself() -> None:
    with Plant(clock_period_s=0.02) as moving, Client(moving.endpoint) as client:
        changes = Changes(client, "Boiler.Temperature")
        times = [changes.next().SourceTimestamp for _ in range(5)]
        assert times == sorted(set(times))


# -- how it judges writes --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, value, status",
    [
        ("Types.Double", ua.Variant(1, ua.VariantType.Int64), "BadTypeMismatch"),
        ("Types.Double", ua.Variant([1.0], ua.VariantType.Double), "BadTypeMismatch"),
        ("Types.DoubleArray", double(1.0), "BadTypeMismatch"),
        ("Types.Matrix", ua.Variant([1.0], ua.VariantType.Double), "BadTypeMismatch"),
        ("Boiler.Setpoint", double(151.0), "BadOutOfRange"),
        ("Boiler.Setpoint", double(float("nan")), "BadOutOfRange"),
        ("Boiler.Temperature", double(1.0), "BadNotWritable"),
        ("No.Such", double(1.0), "BadNodeIdUnknown"),
    ],
)
def test_the_plant_refuses_what_does_not_fit(
    client: Client, name: str, value: Any, status: str
) -> None:
    before = read(client, name).Value
    assert write(client, name, value) == status
    assert read(client, name).Value == before


def test_the_plant_refuses_to_write_a_part_of_an_array(client: Client) -> None:
    value = ua.Variant([1.0], ua.VariantType.Double)
    assert write(client, "Types.DoubleArray", value, "0") == "BadWriteNotSupported"


def test_a_write_keeps_the_status_and_the_time_that_the_client_gives(client: Client) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901)
    status = ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue)
    assert write(client, "Types.Double", ua.DataValue(double(4.0), status, moment)) == "Good"
    value = read(client, "Types.Double")
    assert (value.StatusCode.name, value.SourceTimestamp) == ("UncertainLastUsableValue", moment)


def test_a_write_without_a_time_gets_one(client: Client) -> None:
    write(client, "Test.Counter", ua.Variant(5, ua.VariantType.UInt32))
    assert read(client, "Test.Counter").SourceTimestamp is not None


# -- how tests drive it ----------------------------------------------------------------------


def test_what_is_set_is_what_a_subscriber_gets_in_order(plant: Plant, client: Client) -> None:
    plant.set("Test.Counter", 0)
    changes = Changes(client, "Test.Counter")
    for number in range(1, 200):
        plant.set("Test.Counter", number)
    assert [changes.next().Value.Value for _ in range(200)] == list(range(200))
    changes.end()


def test_a_change_of_the_status_alone_reaches_a_subscriber(plant: Plant, client: Client) -> None:
    plant.set("Types.Int32", 1)
    changes = Changes(client, "Types.Int32")
    assert changes.next().StatusCode.name == "Good"
    plant.set("Types.Int32", 1, status=ua.StatusCodes.BadSensorFailure)
    assert changes.next().StatusCode.name == "BadSensorFailure"
    changes.end()


def test_get_returns_what_a_client_wrote(plant: Plant, client: Client) -> None:
    write(client, "Types.String", ua.Variant("Malz", ua.VariantType.String))
    assert plant.get("Types.String") == "Malz"


def test_what_cannot_be_encoded_is_refused_before_it_is_stored(plant: Plant) -> None:
    before = plant.get("Types.Byte")
    with pytest.raises(Exception, match="format|range|argument"):
        plant.set("Types.Byte", 256)
    assert plant.get("Types.Byte") == before


# -- what it remembers -----------------------------------------------------------------------


def history(
    client: Client, name: str, details: Any, point: Any = None
) -> Tuple[str, List[Any], Any]:
    """Status, values and continuation point of one page."""
    item = ua.HistoryReadValueId()
    item.NodeId, item.ContinuationPoint = node_id(client, name), point
    parameters = ua.HistoryReadParameters()
    parameters.HistoryReadDetails = details
    parameters.ReleaseContinuationPoints = False
    parameters.NodesToRead = [item]
    parameters.TimestampsToReturn = ua.TimestampsToReturn.Source
    result = client.uaclient.history_read(parameters)[0]
    data = result.HistoryData
    values = data.DataValues if isinstance(data, ua.HistoryData) else []
    return str(result.StatusCode.name), values, result.ContinuationPoint


def raw(**fields: Any) -> Any:
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified = False
    details.StartTime = details.EndTime = datetime(1601, 1, 1)
    details.NumValuesPerNode, details.ReturnBounds = 0, False
    for name, value in fields.items():
        setattr(details, name, value)
    return details


@pytest.fixture(scope="module")
def ten_counts(plant: Plant) -> List[datetime]:
    start = datetime(2030, 1, 1)
    times = [start + timedelta(seconds=number) for number in range(10)]
    for number, moment in enumerate(times):
        plant.set("Test.Counter", number, source_timestamp=moment)
    return times


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_pages_of_history_hold_every_value_once(
    client: Client, ten_counts: List[datetime], newest_first: bool
) -> None:
    times = ten_counts[::-1] if newest_first else ten_counts
    details = raw(StartTime=times[0], EndTime=times[-1], NumValuesPerNode=3)
    pages, point = [], None
    while True:
        status, values, point = history(client, "Test.Counter", details, point)
        assert status == "Good"
        pages.append([value.Value.Value for value in values])
        if not point:
            break
    expected = list(range(10))[:: -1 if newest_first else 1]
    assert pages == [expected[0:3], expected[3:6], expected[6:9], expected[9:]]


def test_history_without_an_end_is_the_next_values(
    client: Client, ten_counts: List[datetime]
) -> None:
    details = raw(StartTime=ten_counts[4], NumValuesPerNode=2)
    _, values, point = history(client, "Test.Counter", details)
    assert [value.Value.Value for value in values] == [4, 5]
    assert not point


def test_history_without_a_start_is_the_values_before_newest_first(
    client: Client, ten_counts: List[datetime]
) -> None:
    details = raw(EndTime=ten_counts[4], NumValuesPerNode=2)
    _, values, _ = history(client, "Test.Counter", details)
    assert [value.Value.Value for value in values] == [4, 3]


def test_bounds_are_the_neighbours_or_say_that_there_is_none(
    client: Client, ten_counts: List[datetime]
) -> None:
    half = timedelta(seconds=0.5)
    details = raw(StartTime=ten_counts[7] + half, EndTime=ten_counts[9] + half, ReturnBounds=True)
    _, values, _ = history(client, "Test.Counter", details)
    assert [value.Value.Value for value in values] == [7, 8, 9, None]
    assert values[-1].StatusCode.name == "BadBoundNotFound"


@pytest.mark.parametrize(
    "aggregate, expected",
    [
        ("Average", [2.0, 7.0]),
        ("Minimum", [0.0, 5.0]),
        ("Maximum", [4.0, 9.0]),
        ("Count", [5, 5]),
        ("Interpolative", [0, 5]),
    ],
)
def test_history_can_be_aggregated(
    client: Client, ten_counts: List[datetime], aggregate: str, expected: List[float]
) -> None:
    details = ua.ReadProcessedDetails()
    details.StartTime = ten_counts[0]
    details.EndTime = ten_counts[0] + timedelta(seconds=10)
    details.ProcessingInterval = 5000.0
    identifier = getattr(ua.ObjectIds, "AggregateFunction_" + aggregate)
    details.AggregateType = [ua.NodeId(identifier, 0)]
    status, values, _ = history(client, "Test.Counter", details)
    assert status == "Good"
    assert [value.Value.Value for value in values] == expected


@pytest.mark.parametrize(
    "name, details, status",
    [
        (
            "Types.Double",
            raw(StartTime=datetime(2026, 1, 1), NumValuesPerNode=1),
            "BadHistoryOperationUnsupported",
        ),
        ("No.Such", raw(StartTime=datetime(2026, 1, 1), NumValuesPerNode=1), "BadNodeIdUnknown"),
        ("Test.Counter", raw(NumValuesPerNode=1), "BadHistoryOperationInvalid"),
    ],
)
def test_history_that_there_is_not_is_refused(
    client: Client, name: str, details: Any, status: str
) -> None:
    assert history(client, name, details)[0] == status


def test_a_new_plant_remembers_the_hour_before(client: Client) -> None:
    details = raw(StartTime=datetime(2020, 1, 1), EndTime=datetime(2100, 1, 1))
    _, values, _ = history(client, "Boiler.Temperature", details)
    assert len(values) == 3600
    assert values[-1].SourceTimestamp - values[0].SourceTimestamp > timedelta(minutes=59)


# -- how it starts and ends ------------------------------------------------------------------


def test_other_namespaces_before_the_plants_own_move_its_index(client: Client) -> None:
    with Plant(namespaces_first=["urn:a", "urn:b"]) as moved, Client(moved.endpoint) as other:
        assert other.get_namespace_index(URI) == client.get_namespace_index(URI) + 2
        assert read(other, "Boiler.Level").StatusCode.is_good()


def test_a_taken_port_is_an_error_that_says_which(plant: Plant) -> None:
    with pytest.raises(ListenError, match=":%d" % plant.port):
        Plant(port=plant.port).start()


def test_stopping_ends_every_thread_even_with_a_client_that_does_not_read() -> None:
    before = set(threading.enumerate())
    running = Plant()
    running.start()
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE) as deaf:
        stopper = threading.Thread(target=running.stop)
        stopper.start()
        stopper.join(PATIENCE)
        assert not stopper.is_alive()
        with contextlib.suppress(ConnectionResetError):
            assert deaf.recv(1) == b""
    assert set(threading.enumerate()) <= before


def test_a_plant_can_come_back_on_its_port() -> None:
    with Plant() as first, Client(first.endpoint) as client:
        read(client, "Boiler.Level")
    with Plant(port=first.port) as second, Client(second.endpoint) as client:
        assert read(client, "Boiler.Level").StatusCode.is_good()


def start_process(**options: Any) -> "subprocess.Popen[bytes]":
    environment: Dict[str, str] = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.servers.demo_plant",
            *"--port 0 --namespace urn:first".split(),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        **options,
    )


def endpoint_of(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout is not None
    word, endpoint = process.stdout.readline().decode("ascii").split()
    assert word == "ready"
    return endpoint


def test_as_a_process_it_says_where_it_listens_and_ends_with_its_parent() -> None:
    with start_process() as process:
        try:
            with Client(endpoint_of(process)) as client:
                assert client.get_namespace_array()[2:] == ["urn:first", URI]
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="not run: Windows delivers no SIGTERM")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_ends_at_a_signal(number: signal.Signals) -> None:
    with start_process() as process:
        try:
            endpoint_of(process)
            process.send_signal(number)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
