"""Requests of one connection to one OPC UA server take effect in the order sent."""

from typing import Iterator

import pytest

from ..support import Client, PlantProcess


@pytest.fixture(scope="module")
def plant() -> Iterator[PlantProcess]:
    """A plant of this module's own: its tests write."""
    process = PlantProcess()
    yield process
    process.kill()


def test_a_write_sent_right_after_a_monitor_start_is_seen_as_a_change(client: Client) -> None:
    for number in range(1, 21):
        client.write("Types.Double", number + 0.25)
        handle = client.send("MONITORSTART", {"Variable": "Types.Double"}, "m%d" % number)
        client.send("WRITE", {"Variable": "Types.Double", "Value": number + 0.5})
        for _ in range(2):
            client.answer()
        assert client.update(handle)["Value"]["Body"] == number + 0.25
        assert client.update(handle)["Value"]["Body"] == number + 0.5
        client.body("MONITORSTOP", {"Variable": "Types.Double"}, handle)


def test_reads_and_writes_sent_without_waiting_are_done_in_that_order(client: Client) -> None:
    for number in range(50):
        client.send("WRITE", {"Variable": "Types.Double", "Value": float(number)})
        client.send("READ", {"Variable": "Types.Double"}, "read %d" % number)
    for number in range(50):
        answers = [client.answer(), client.answer()]
        read = [each for each in answers if each["Header"]["ClientHandle"] == "read %d" % number]
        assert read and read[0]["Body"]["Value"]["Body"] == float(number)


def test_two_writes_to_one_node_in_one_request_end_with_the_second(client: Client) -> None:
    writes = [{"Variable": "Types.Double", "Value": value} for value in (1.0, 2.0, 3.0)]
    for _ in range(10):
        results = client.body("WRITE", {"Writes": writes})["Results"]
        assert [sorted(result) for result in results] == [["Variable"]] * 3
        assert client.body("READ", {"Variable": "Types.Double"})["Value"]["Body"] == 3.0
