"""Who begins to monitor what somebody else monitors already sees nothing older than what was
written before: the item is there, and may still tell what it sampled before the write."""

import contextlib
import datetime
from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.demo import Plant

from ... import support
from ...servers import particular
from ...servers.process import ServerProcess
from ...support import Client
from ...support.byte_client import no_more_threads_than

NAME = "Types.Double"
A: Dict[str, Any] = {"A": {"node": "nsu=%s;s=A" % particular.URI, "access": "readwrite"}}
#: Long enough that what is written and asked for at once goes out in one publish.
PUBLISHING_MS = 600


@pytest.fixture(scope="module")
def demo() -> Iterator[Plant]:
    with Plant(clock_period_s=3600.0) as running:
        yield running


@contextlib.contextmanager
def _served(endpoint: str, **changes: Any) -> Iterator[Server]:
    """opcws, connected, beside others of this module."""
    others = set(support.our_threads())
    running = support.serve(endpoint, **changes)
    try:
        support.wait_connected(running)
        yield running
    finally:
        running.stop()
    no_more_threads_than(others)


@pytest.fixture(scope="module")
def slow(demo: Plant) -> Iterator[Server]:
    """opcws to which the plant tells changes seldom."""
    with _served(demo.endpoint, server={"publishing_interval_ms": PUBLISHING_MS}) as running:
        yield running


@contextlib.contextmanager
def _monitoring(server: Server, name: str, value: Any) -> Iterator[Client]:
    """A client that monitors *name* as "m" and was told *value*."""
    with Client(server.urls[0]) as client:
        client.write(name, value)
        client.body("MONITORSTART", {"Variable": name}, "m")
        client.update_where(lambda told: told["Value"]["Body"] == value)
        yield client


def _write(client: Client, name: str, *values: Any) -> None:
    client.body("WRITE", {"Writes": [{"Variable": name, "Value": value} for value in values]})


def _told(client: Client, last: Any) -> List[Any]:
    """What the one monitor of *client* is told until *last*; nothing was lost."""
    told: List[Any] = []
    while last not in told:
        update = client.update()
        assert "Status" not in update, update
        told.append(update["Value"]["Body"])
    return told


def test_a_monitor_of_what_another_monitors_tells_what_was_written_before(slow: Server) -> None:
    url = slow.urls[0]
    with _monitoring(slow, NAME, 0.5) as other, Client(url) as client, Client(url) as hasty:
        _write(client, NAME, 1.5, 2.5)
        client.body("MONITORSTART", {"Variable": NAME}, "behind")
        # Also where the write has still to take effect.
        hasty.send("WRITE", {"Variable": NAME, "Value": 3.5}, "w")
        hasty.send("MONITORSTART", {"Variable": NAME}, "at once")
        assert {hasty.answer()["Header"]["ClientHandle"] for _ in range(2)} == {"w", "at once"}
        assert hasty.update()["Value"]["Body"] == 3.5
        _write(hasty, NAME, 4.5, 5.5)
        assert _told(client, 5.5) == [2.5, 3.5, 4.5, 5.5]
        assert _told(hasty, 5.5) == [4.5, 5.5]
        assert _told(other, 5.5) == [1.5, 2.5, 3.5, 4.5, 5.5]
        _write(other, NAME, 6.5)
        assert [_told(each, 6.5) for each in (other, client, hasty)] == [[6.5]] * 3


def test_nor_what_was_sampled_when_the_others_monitor_began(slow: Server) -> None:
    url, relay = slow.urls[0], slow.plants["plant"].relay
    with Client(url) as other, Client(url) as client:
        client.write(NAME, 0.5)
        other.body("MONITORSTART", {"Variable": NAME}, "m")
        support.wait_until(lambda: relay.is_active(NAME), "there is an item")
        client.write(NAME, 1.5)
        client.body("MONITORSTART", {"Variable": NAME}, "behind")
        assert client.update()["Value"]["Body"] == 1.5
        client.write(NAME, 2.5)
        assert _told(client, 2.5) == [2.5]
        assert _told(other, 2.5) == [0.5, 1.5, 2.5]


def test_a_client_that_monitors_the_variable_already_is_told_so_too(slow: Server) -> None:
    with _monitoring(slow, NAME, 0.5) as client:
        client.write(NAME, 1.5)
        client.body("MONITORSTART", {"Variable": NAME, "MinInterval": 1}, "behind")
        assert client.update("behind")["Value"]["Body"] == 1.5
        client.body("MONITORSTOP", {"Variable": NAME}, "m")
        client.pushed.clear()
        client.write(NAME, 2.5)
        assert _told(client, 2.5) == [2.5]


def test_where_the_plants_clock_goes_back_the_last_value_is_told_all_the_same(demo: Plant) -> None:
    with _served(demo.endpoint) as server, _monitoring(server, NAME, 0.5) as other:
        with Client(server.urls[0]) as client:
            client.write(NAME, 1.5)
            client.body("MONITORSTART", {"Variable": NAME}, "behind")
            assert _told(client, 1.5) == [1.5]
            hour_ago = datetime.datetime.utcnow() - datetime.timedelta(hours=1)
            for value in (2.5, 3.5):
                demo.set(NAME, value, source_timestamp=hour_ago)
            assert _told(other, 3.5) == [1.5, 2.5, 3.5]
            assert client.update_where(lambda told: told["Value"]["Body"] == 3.5)
            demo.set(NAME, 4.5, source_timestamp=hour_ago)
            assert _told(client, 4.5) == [4.5]


@pytest.fixture(scope="module")
def untimed() -> Iterator[ServerProcess]:
    """An OPC UA server that keeps no SourceTimestamp of what is written."""
    running = ServerProcess("particular")
    yield running
    running.kill()


def test_without_source_timestamps_nothing_older_is_told_either(untimed: ServerProcess) -> None:
    settings = {"publishing_interval_ms": PUBLISHING_MS}
    with _served(untimed.endpoint, variables=A, server=settings) as server:
        with _monitoring(server, "A", 1) as other, Client(server.urls[0]) as client:
            _write(client, "A", 2, 3)
            client.body("MONITORSTART", {"Variable": "A"}, "behind")
            assert client.update()["Value"]["Body"] == 3
            _write(client, "A", 4, 5)
            assert _told(client, 5) == [4, 5]
            assert _told(other, 5) == [2, 3, 4, 5]


def test_a_sample_that_is_long_in_coming_is_waited_for(untimed: ServerProcess) -> None:
    with _served(untimed.endpoint, variables=A) as server:
        with _monitoring(server, "A", 1) as other, Client(server.urls[0]) as client:
            untimed.order(A=[2])
            untimed.order(frozen=["A"])
            client.write("A", 3)
            client.body("MONITORSTART", {"Variable": "A"}, "behind")
            assert client.update()["Value"]["Body"] == 3
            assert _told(other, 2) == [2]
            untimed.order(frozen=[])
            client.write("A", 4)
            assert _told(client, 4) == [4]
